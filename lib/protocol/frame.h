/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The one way in which parts of variable length reach a hash (THREATS T13):
 * a tag, then parts, each behind its length or of a length that is fixed.
 * Two different lists of parts never give the same bytes, as long as one tag
 * always has the same sequence of kinds.
 *
 * Pieces are borrowed until the hash is taken. At most FRAME_MAX calls. Do not
 * copy a frame: it points into itself.
 */
#ifndef PROTOCOL_FRAME_H
#define PROTOCOL_FRAME_H

#include <stddef.h>
#include <stdint.h>

#include "crypto/hash.h"

#define FRAME_MAX 8

struct frame {
	struct piece piece[1 + 2 * FRAME_MAX];
	uint8_t len[FRAME_MAX][4]; /* the length words */
	size_t n;
	size_t lens;
};

/* tag: text without its NUL; a literal of the protocol. */
struct frame frame_begin(const char *tag);
/* A part whose length the protocol fixes. */
void frame_fixed(struct frame *f, const void *p, size_t n);
/* u8 length, bytes. n <= 255. */
void frame_len8(struct frame *f, const void *p, size_t n);
/* u32 big-endian length, bytes. */
void frame_len32(struct frame *f, const void *p, uint32_t n);

void frame_keccak256(const struct frame *f, uint8_t out[static 32]);
void frame_sha384(const struct frame *f, uint8_t out[static 48]);

#endif
