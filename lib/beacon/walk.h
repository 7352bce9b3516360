/* SPDX-License-Identifier: Apache-2.0 */
/* From a block that is proven down to one of its ancestors. */
#ifndef BEACON_WALK_H
#define BEACON_WALK_H

#include <stddef.h>
#include <stdint.h>

#define WALK_HEADER 112u /* bytes of a BeaconBlockHeader */

enum walk { WALK_ON, WALK_YES, WALK_NO, WALK_BAD };

/*
 * p has headers, each the parent of the one before; the first must have the
 * root *next, which then is the root of the last one's parent. WALK_YES,
 * WALK_NO: the ancestor of slot has, has not, this root. WALK_ON: further
 * down. WALK_BAD: these are no such headers, and *next is as it was.
 */
enum walk headers_walk(const void *p, size_t n, uint64_t slot,
    const uint8_t root[static 32], uint8_t next[static 32]);

#endif
