/* SPDX-License-Identifier: Apache-2.0 */
/* RLP, canonical encodings only (Ethereum yellow paper, appendix B). */
#ifndef ETH_RLP_H
#define ETH_RLP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/rd.h"
#include "base/wr.h"

/*
 * One item from r. *list says which kind; *item is a cursor over its content.
 * DSTACK_E_FORMAT: not the shortest encoding.
 */
DSTACK_CHECKED enum dstack_status rlp_item(
    struct rd *r, bool *list, struct rd *item);
DSTACK_CHECKED enum dstack_status rlp_bytes(
    struct rd *r, const uint8_t **p, size_t *n);
DSTACK_CHECKED enum dstack_status rlp_list(struct rd *r, struct rd *items);
/* Big-endian integer of at most 8 (32) bytes, no leading zero. */
DSTACK_CHECKED enum dstack_status rlp_u64(struct rd *r, uint64_t *out);
DSTACK_CHECKED enum dstack_status rlp_u256(
    struct rd *r, uint8_t out[static 32]);

void rlp_put_bytes(struct wr *w, const void *p, size_t n);
void rlp_put_u64(struct wr *w, uint64_t v);
/* 32 bytes big-endian, leading zeros stripped. */
void rlp_put_u256(struct wr *w, const uint8_t v[static 32]);
/* Wrap the bytes of items (already encoded) as one list into w. */
void rlp_put_list(struct wr *w, const struct wr *items);

#endif
