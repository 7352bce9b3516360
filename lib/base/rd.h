/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Read cursor over borrowed bytes. Invariant: pos <= len. A read that fails
 * moves nothing and writes nothing. The only place in the project where
 * foreign bytes are reached by pointer arithmetic.
 *
 * Every function returns DSTACK_E_TRUNCATED when too few bytes are left.
 */
#ifndef BASE_RD_H
#define BASE_RD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

struct rd {
	const uint8_t *buf; /* borrowed; must outlive the cursor */
	size_t len;
	size_t pos;
};

struct rd rd_over(const void *buf, size_t len);
size_t rd_left(const struct rd *r);

/* Pointer to the next n bytes (never NULL, also for n = 0), borrowed. */
DSTACK_CHECKED enum dstack_status rd_take(
    struct rd *r, size_t n, const uint8_t **out);
/* Copy the next n bytes to out. */
DSTACK_CHECKED enum dstack_status rd_copy(struct rd *r, void *out, size_t n);
DSTACK_CHECKED enum dstack_status rd_skip(struct rd *r, size_t n);
/* A cursor over the next n bytes; the outer one moves behind them. */
DSTACK_CHECKED enum dstack_status rd_sub(
    struct rd *r, size_t n, struct rd *out);

DSTACK_CHECKED enum dstack_status rd_u8(struct rd *r, uint8_t *out);
DSTACK_CHECKED enum dstack_status rd_u16le(struct rd *r, uint16_t *out);
DSTACK_CHECKED enum dstack_status rd_u32le(struct rd *r, uint32_t *out);
DSTACK_CHECKED enum dstack_status rd_u64le(struct rd *r, uint64_t *out);
DSTACK_CHECKED enum dstack_status rd_u16be(struct rd *r, uint16_t *out);
DSTACK_CHECKED enum dstack_status rd_u32be(struct rd *r, uint32_t *out);
DSTACK_CHECKED enum dstack_status rd_u64be(struct rd *r, uint64_t *out);

/* u32be length, then that many bytes, at most max (else DSTACK_E_LIMIT). */
DSTACK_CHECKED enum dstack_status rd_blob(
    struct rd *r, size_t max, const uint8_t **out, size_t *len);
/* As rd_blob, into a NUL-terminated text of cap bytes; no NUL inside. */
DSTACK_CHECKED enum dstack_status rd_text(struct rd *r, char *out, size_t cap);

/* DSTACK_E_FORMAT unless every byte was read. Ends every parser. */
DSTACK_CHECKED enum dstack_status rd_end(const struct rd *r);

#endif
