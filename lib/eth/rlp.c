/* SPDX-License-Identifier: Apache-2.0 */
/*
 * RLP, the encoding of transactions, headers and trie nodes (yellow paper,
 * appendix B). An item is a string of bytes or a list of items, and its first
 * byte says which, and how long it is or how long its length is.
 *
 * What is decoded comes from a host, and most of it is hashed by somebody: two
 * encodings of one value would be two hashes of one thing. So the shortest form
 * is the only one: no length in long form that would fit the short one, no
 * leading zeros of lengths or integers, no single byte below 0x80 with a length
 * before it. A cursor moves only past an item that was good. Nothing recurses:
 * a list is handed out as a cursor over its content, and whoever wants to know
 * what is in it looks.
 */
#include "eth/rlp.h"

#include <string.h>

#define SHORT_MAX 55u /* longest content with the length in the first byte */

/* Length of a long form: n bytes big-endian, shortest, above SHORT_MAX. */
static enum dstack_status
long_length(struct rd *r, size_t n, size_t *out)
{
	/* n is 1 to 8, by the first byte's range */
	const uint8_t *p;
	enum dstack_status st = rd_take(r, n, &p);
	if (st != DSTACK_OK)
		return st;
	uint64_t v = 0;
	/* a length with a leading zero has a shorter form */
	if (p[0] == 0)
		return DSTACK_E_FORMAT;
	for (size_t i = 0; i < n; i++)
		v = v << 8 | p[i];
	/* and so has one that the first byte could have said */
	if (v <= SHORT_MAX)
		return DSTACK_E_FORMAT;
	/* on a machine of 32 bits: longer than anything there is */
	if (v > SIZE_MAX)
		return DSTACK_E_TRUNCATED;
	*out = (size_t)v;
	return DSTACK_OK;
}

/*
 * The first byte: below 0x80 it is the string; from 0x80 a string of b - 0x80
 * bytes; from 0xb8 one whose length takes b - 0xb7 bytes; from 0xc0 and 0xf8
 * the same of lists.
 */
enum dstack_status
rlp_item(struct rd *r, bool *list, struct rd *item)
{
	struct rd t = *r;
	struct rd in;
	uint8_t b;
	size_t n;
	enum dstack_status st = rd_u8(&t, &b);
	if (st != DSTACK_OK)
		return st;
	bool is_list = b >= 0xc0;
	uint8_t base = is_list ? 0xc0 : 0x80;
	if (b < 0x80) { /* the byte is its own encoding */
		t = *r;
		n = 1;
	} else if (b - base <= (int)SHORT_MAX) {
		n = (size_t)(b - base);
	} else {
		st = long_length(&t, (size_t)(b - base) - SHORT_MAX, &n);
		if (st != DSTACK_OK)
			return st;
	}
	st = rd_sub(&t, n, &in);
	if (st != DSTACK_OK)
		return st;
	/* such a byte is its own encoding, and this is a longer one */
	if (b == 0x81 && in.buf[0] < 0x80)
		return DSTACK_E_FORMAT;
	*r = t;
	*list = is_list;
	*item = in;
	return DSTACK_OK;
}

static enum dstack_status
of_kind(struct rd *r, bool want, struct rd *out)
{
	struct rd t = *r;
	struct rd in;
	bool list;
	enum dstack_status st = rlp_item(&t, &list, &in);
	if (st != DSTACK_OK)
		return st;
	/* a list where a string belongs is another thing, whatever it holds */
	if (list != want)
		return DSTACK_E_FORMAT;
	*r = t;
	*out = in;
	return DSTACK_OK;
}

enum dstack_status
rlp_bytes(struct rd *r, const uint8_t **p, size_t *n)
{
	struct rd in;
	enum dstack_status st = of_kind(r, false, &in);
	if (st == DSTACK_OK) {
		*p = in.buf;
		*n = in.len;
	}
	return st;
}

enum dstack_status
rlp_list(struct rd *r, struct rd *items)
{
	return of_kind(r, true, items);
}

/* A canonical integer of at most cap bytes. */
static enum dstack_status
integer(struct rd *r, size_t cap, const uint8_t **p, size_t *n)
{
	struct rd t = *r;
	const uint8_t *q;
	size_t len;
	enum dstack_status st = rlp_bytes(&t, &q, &len);
	if (st != DSTACK_OK)
		return st;
	/* zero is the empty string; no integer begins with a zero byte */
	if (len != 0 && q[0] == 0)
		return DSTACK_E_FORMAT;
	if (len > cap)
		return DSTACK_E_LIMIT;
	*r = t;
	*p = q;
	*n = len;
	return DSTACK_OK;
}

enum dstack_status
rlp_u64(struct rd *r, uint64_t *out)
{
	const uint8_t *p;
	size_t n;
	enum dstack_status st = integer(r, 8, &p, &n);
	if (st != DSTACK_OK)
		return st;
	uint64_t v = 0;
	for (size_t i = 0; i < n; i++)
		v = v << 8 | p[i];
	*out = v;
	return DSTACK_OK;
}

enum dstack_status
rlp_u256(struct rd *r, uint8_t out[static 32])
{
	const uint8_t *p;
	size_t n;
	enum dstack_status st = integer(r, 32, &p, &n);
	if (st != DSTACK_OK)
		return st;
	/* to the right end, as everywhere where 32 bytes are a number */
	memset(out, 0, 32);
	memcpy(out + 32 - n, p, n);
	return DSTACK_OK;
}

/* Bytes of v without leading zeros: none for 0. */
static size_t
trim(uint64_t v, uint8_t b[static 8])
{
	size_t n = 0;
	for (int s = 56; s >= 0; s -= 8) {
		uint8_t c = (uint8_t)(v >> s);
		if (n != 0 || c != 0)
			b[n++] = c;
	}
	return n;
}

static void
head(struct wr *w, uint8_t base, size_t n)
{
	uint8_t b[8];
	if (n <= SHORT_MAX) {
		wr_u8(w, (uint8_t)(base + n));
		return;
	}
	/* the long form: how many bytes the length takes, then the length */
	size_t k = trim(n, b);
	wr_u8(w, (uint8_t)(base + SHORT_MAX + k));
	wr_put(w, b, k);
}

void
rlp_put_bytes(struct wr *w, const void *p, size_t n)
{
	/* a small byte stands for itself */
	if (n != 1 || *(const uint8_t *)p >= 0x80)
		head(w, 0x80, n);
	wr_put(w, p, n);
}

void
rlp_put_u64(struct wr *w, uint64_t v)
{
	uint8_t b[8] = { 0 };
	rlp_put_bytes(w, b, trim(v, b));
}

void
rlp_put_u256(struct wr *w, const uint8_t v[static 32])
{
	size_t i = 0;
	while (i < 32 && v[i] == 0)
		i++;
	rlp_put_bytes(w, v + i, 32 - i);
}

void
rlp_put_list(struct wr *w, const struct wr *items)
{
	/* an item that failed to encode makes the list fail, not shorter */
	if (items->st != DSTACK_OK) {
		if (w->st == DSTACK_OK)
			w->st = items->st;
		return;
	}
	head(w, 0xc0, items->len);
	wr_put(w, items->buf, items->len);
}
