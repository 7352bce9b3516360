/* SPDX-License-Identifier: Apache-2.0 */
#include "protocol/frame.h"

#include <assert.h>
#include <string.h>

static void
add(struct frame *f, const void *p, size_t n)
{
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
