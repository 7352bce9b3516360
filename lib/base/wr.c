/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The growing buffer in which every message is built. Errors stick: after the
 * first one nothing is added and wr_status tells it, so builders write field
 * after field and look once, at the end. Any buffer may hold a secret at some
 * time, hence whatever is given back to the allocator is wiped first, here and
 * when it grows.
 */
#include "base/wr.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct wr
wr_new(size_t max)
{
	struct wr w = { NULL, 0, 0, max, DSTACK_OK };
	return w;
}

void
wr_free(struct wr *w)
{
	if (w->buf != NULL) {
		explicit_bzero(w->buf, w->cap);
		free(w->buf);
	}
	*w = wr_new(w->max);
}

enum dstack_status
wr_status(const struct wr *w)
{
	return w->st;
}

uint8_t *
wr_steal(struct wr *w, size_t *len)
{
	if (w->st != DSTACK_OK)
		return NULL;
	if (w->buf == NULL) {
		/*
		 * An empty result is still a result: NULL means failure to the
		 * caller.
		 */
		w->buf = calloc(1, 1);
		if (w->buf == NULL)
			return NULL;
	}
	uint8_t *p = w->buf;
	*len = w->len;
	*w = wr_new(w->max);
	return p;
}

/* Room for n more bytes, or NULL with the error kept. */
static uint8_t *
room(struct wr *w, size_t n)
{
	if (w->st != DSTACK_OK)
		return NULL;
	size_t need;
	if (__builtin_add_overflow(w->len, n, &need) ||
	    (w->max != 0 && need > w->max)) {
		w->st = DSTACK_E_LIMIT;
		return NULL;
	}
	if (need > w->cap) {
		size_t cap = w->cap < 64 ? 64 : w->cap;
		while (cap < need) {
			if (__builtin_mul_overflow(cap, (size_t)2, &cap)) {
				w->st = DSTACK_E_LIMIT;
				return NULL;
			}
		}
		/* not realloc: the old copy may hold a secret */
		uint8_t *p = malloc(cap);
		if (p == NULL) {
			w->st = DSTACK_E_NOMEM;
			return NULL;
		}
		if (w->len != 0)
			memcpy(p, w->buf, w->len);
		if (w->buf != NULL) {
			explicit_bzero(w->buf, w->cap);
			free(w->buf);
		}
		w->buf = p;
		w->cap = cap;
	}
	uint8_t *at = w->buf + w->len;
	w->len = need;
	return at;
}

void
wr_put(struct wr *w, const void *p, size_t n)
{
	if (n == 0)
		return;
	uint8_t *at = room(w, n);
	if (at != NULL)
		memcpy(at, p, n);
}

void
wr_zero(struct wr *w, size_t n)
{
	if (n == 0)
		return;
	uint8_t *at = room(w, n);
	if (at != NULL)
		memset(at, 0, n);
}

void
wr_str(struct wr *w, const char *s)
{
	wr_put(w, s, strlen(s));
}

void
wr_fmt(struct wr *w, const char *fmt, ...)
{
	char *s = NULL;
	va_list ap;
	va_start(ap, fmt);
	int n = vasprintf(&s, fmt, ap);
	va_end(ap);
	if (n < 0) {
		/* The first error is the one to tell. */
		if (w->st == DSTACK_OK)
			w->st = DSTACK_E_NOMEM;
		return;
	}
	wr_put(w, s, (size_t)n);
	explicit_bzero(s, (size_t)n);
	free(s);
}

void
wr_hex(struct wr *w, const void *p, size_t n)
{
	static const char digit[] = "0123456789abcdef";
	const uint8_t *b = p;
	for (size_t i = 0; i < n; i++) {
		wr_u8(w, (uint8_t)digit[b[i] >> 4]);
		wr_u8(w, (uint8_t)digit[b[i] & 15]);
	}
}

static void
put_le(struct wr *w, uint64_t v, size_t n)
{
	uint8_t b[8];
	for (size_t i = 0; i < n; i++)
		b[i] = (uint8_t)(v >> (8 * i));
	wr_put(w, b, n);
}

static void
put_be(struct wr *w, uint64_t v, size_t n)
{
	uint8_t b[8];
	for (size_t i = 0; i < n; i++)
		b[i] = (uint8_t)(v >> (8 * (n - 1 - i)));
	wr_put(w, b, n);
}

void
wr_u8(struct wr *w, uint8_t v)
{
	wr_put(w, &v, 1);
}

void
wr_u16le(struct wr *w, uint16_t v)
{
	put_le(w, v, 2);
}

void
wr_u32le(struct wr *w, uint32_t v)
{
	put_le(w, v, 4);
}

void
wr_u64le(struct wr *w, uint64_t v)
{
	put_le(w, v, 8);
}

void
wr_u16be(struct wr *w, uint16_t v)
{
	put_be(w, v, 2);
}

void
wr_u32be(struct wr *w, uint32_t v)
{
	put_be(w, v, 4);
}

void
wr_u64be(struct wr *w, uint64_t v)
{
	put_be(w, v, 8);
}

void
wr_blob(struct wr *w, const void *p, size_t n)
{
	if (n > UINT32_MAX) {
		if (w->st == DSTACK_OK)
			w->st = DSTACK_E_LIMIT;
		return;
	}
	wr_u32be(w, (uint32_t)n);
	wr_put(w, p, n);
}

void
wr_text(struct wr *w, const char *s)
{
	wr_blob(w, s, strlen(s));
}
