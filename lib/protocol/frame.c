/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bytes to hash, put together so that they can be taken apart in one way only:
 * a tag for the purpose, then parts of fixed length or behind their length. D9
 * of the original was a hash of two texts without this, where a byte moved from
 * one to the other changed nothing. The frame borrows its parts; lengths are
 * kept in the frame itself, so it must not be copied once a length is in it
 * (len[] is pointed to).
 */
#include "protocol/frame.h"

#include <assert.h>
#include <string.h>

static void
add(struct frame *f, const void *p, size_t n)
{
	/*
	 * How many parts a frame has is written in our code, never in the
	 * input.
	 */
	assert(f->n < sizeof(f->piece) / sizeof(f->piece[0]));
	f->piece[f->n].p = p;
	f->piece[f->n].n = n;
	f->n++;
}

struct frame
frame_begin(const char *tag)
{
	struct frame f;
	memset(&f, 0, sizeof(f));
	add(&f, tag, strlen(tag));
	return f;
}

void
frame_fixed(struct frame *f, const void *p, size_t n)
{
	add(f, p, n);
}

static void
length(struct frame *f, uint32_t n, size_t bytes)
{
	assert(f->lens < FRAME_MAX);
	uint8_t *w = f->len[f->lens++];
	for (size_t i = 0; i < bytes; i++)
		w[i] = (uint8_t)(n >> (8 * (bytes - 1 - i)));
	add(f, w, bytes);
}

void
frame_len8(struct frame *f, const void *p, size_t n)
{
	assert(n <= 255);
	length(f, (uint32_t)n, 1);
	add(f, p, n);
}

void
frame_len32(struct frame *f, const void *p, uint32_t n)
{
	length(f, n, 4);
	add(f, p, n);
}

void
frame_keccak256(const struct frame *f, uint8_t out[static 32])
{
	keccak256v(f->piece, f->n, out);
}

void
frame_sha384(const struct frame *f, uint8_t out[static 48])
{
	sha384v(f->piece, f->n, out);
}
