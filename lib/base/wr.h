/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Write cursor over a growing buffer of the writer's own. Errors stick: after
 * the first one (no memory, or over max) further writes do nothing, and
 * wr_status tells. So a message is built in straight lines and checked once.
 */
#ifndef BASE_WR_H
#define BASE_WR_H

#include <stddef.h>
#include <stdint.h>

#include "base/own.h"
#include "base/status.h"

struct wr {
	uint8_t *buf; /* owned; freed (and wiped) by wr_free */
	size_t len;
	size_t cap;
	size_t max; /* 0: no bound but memory */
	enum dstack_status st;
};

#define AUTO_WR OWN_CLEANUP(wr_free)

/* max: DSTACK_E_LIMIT past that many bytes; 0 for no bound. */
struct wr wr_new(size_t max);
void wr_free(struct wr *w);
DSTACK_CHECKED enum dstack_status wr_status(const struct wr *w);
/* Hand the bytes over; the caller frees them. NULL if a write failed. */
uint8_t *wr_steal(struct wr *w, size_t *len);

void wr_put(struct wr *w, const void *p, size_t n);
void wr_zero(struct wr *w, size_t n);
void wr_str(struct wr *w, const char *s); /* bytes of s, no NUL, no length */
void wr_fmt(struct wr *w, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
void wr_hex(struct wr *w, const void *p, size_t n); /* lower case, no 0x */
void wr_u8(struct wr *w, uint8_t v);
void wr_u16le(struct wr *w, uint16_t v);
void wr_u32le(struct wr *w, uint32_t v);
void wr_u64le(struct wr *w, uint64_t v);
void wr_u16be(struct wr *w, uint16_t v);
void wr_u32be(struct wr *w, uint32_t v);
void wr_u64be(struct wr *w, uint64_t v);
/* u32be length, then the bytes: what rd_blob and rd_text read. */
void wr_blob(struct wr *w, const void *p, size_t n);
void wr_text(struct wr *w, const char *s);

#endif
