/* SPDX-License-Identifier: Apache-2.0 */
/* Snappy, as beacon nodes (framed) and the spec's tests (one block) use it. */
#ifndef CLI_BEACON_UNSNAPPY_H
#define CLI_BEACON_UNSNAPPY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

/* Does it begin as the framing format does? */
bool snappy_is_framed(const uint8_t *p, size_t len);
/*
 * The bytes inside, at most max; *out is the caller's to free.
 * DSTACK_E_TRUNCATED, DSTACK_E_FORMAT: not whole, or a checksum is wrong;
 * DSTACK_E_LIMIT: over max; DSTACK_E_NOMEM.
 */
DSTACK_CHECKED enum dstack_status unsnappy_framed(const uint8_t *p,
    size_t len, size_t max, uint8_t **out, size_t *n);
DSTACK_CHECKED enum dstack_status unsnappy_block(const uint8_t *p,
    size_t len, size_t max, uint8_t **out, size_t *n);

#endif
