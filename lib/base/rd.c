/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The cursor through which every foreign byte is read. One rule carries all of
 * it: pos <= len, and what remains is compared with what is asked, by
 * subtraction, so that no length a peer names can wrap. A read that fails moves
 * nothing, so a caller may try another shape at the same place. Readers of two
 * parts (a length, then that many bytes) work on a copy of the cursor and put
 * it back only when both are there.
 */
#include "base/rd.h"

#include <string.h>

/*
 * Empty input still has an address: memcmp and memchr of no bytes at NULL would
 * be undefined.
 */
static const uint8_t nothing[1] = { 0 };

struct rd
rd_over(const void *buf, size_t len)
{
	struct rd r = { len != 0 ? buf : nothing, len, 0 };
	return r;
}

size_t
rd_left(const struct rd *r)
{
	return r->len - r->pos;
}

enum dstack_status
rd_take(struct rd *r, size_t n, const uint8_t **out)
{
	if (n > r->len - r->pos) /* cannot wrap: pos <= len */
		return DSTACK_E_TRUNCATED;
	*out = r->buf + r->pos;
	r->pos += n;
	return DSTACK_OK;
}

enum dstack_status
rd_copy(struct rd *r, void *out, size_t n)
{
	const uint8_t *p;
	enum dstack_status st = rd_take(r, n, &p);
	if (st == DSTACK_OK && n != 0)
		memcpy(out, p, n);
	return st;
}

enum dstack_status
rd_skip(struct rd *r, size_t n)
{
	const uint8_t *p;
	return rd_take(r, n, &p);
}

enum dstack_status
rd_sub(struct rd *r, size_t n, struct rd *out)
{
	const uint8_t *p;
	enum dstack_status st = rd_take(r, n, &p);
	if (st == DSTACK_OK)
		*out = rd_over(p, n);
	return st;
}

static enum dstack_status
take_le(struct rd *r, size_t n, uint64_t *out)
{
	const uint8_t *p;
	enum dstack_status st = rd_take(r, n, &p);
	if (st != DSTACK_OK)
		return st;
	uint64_t v = 0;
	for (size_t i = n; i > 0; i--)
		v = v << 8 | p[i - 1];
	*out = v;
	return DSTACK_OK;
}

static enum dstack_status
take_be(struct rd *r, size_t n, uint64_t *out)
{
	const uint8_t *p;
	enum dstack_status st = rd_take(r, n, &p);
	if (st != DSTACK_OK)
		return st;
	uint64_t v = 0;
	for (size_t i = 0; i < n; i++)
		v = v << 8 | p[i];
	*out = v;
	return DSTACK_OK;
}

#define READER(name, type, how)                                              \
	enum dstack_status name(struct rd *r, type *out)                     \
	{                                                                    \
		uint64_t v;                                                  \
		enum dstack_status st = how(r, sizeof(type), &v);            \
		if (st == DSTACK_OK)                                         \
			*out = (type)v;                                      \
		return st;                                                   \
	}

READER(rd_u8, uint8_t, take_be)
READER(rd_u16le, uint16_t, take_le)
READER(rd_u32le, uint32_t, take_le)
READER(rd_u64le, uint64_t, take_le)
READER(rd_u16be, uint16_t, take_be)
READER(rd_u32be, uint32_t, take_be)
READER(rd_u64be, uint64_t, take_be)

enum dstack_status
rd_blob(struct rd *r, size_t max, const uint8_t **out, size_t *len)
{
	struct rd t = *r;
	uint32_t n;
	const uint8_t *p;
	enum dstack_status st = rd_u32be(&t, &n);
	if (st != DSTACK_OK)
		return st;
	if (n > max)
		return DSTACK_E_LIMIT;
	st = rd_take(&t, n, &p);
	if (st != DSTACK_OK)
		return st;
	*r = t;
	*out = p;
	*len = n;
	return DSTACK_OK;
}

enum dstack_status
rd_text(struct rd *r, char *out, size_t cap)
{
	struct rd t = *r;
	const uint8_t *p;
	size_t n;
	if (cap == 0)
		return DSTACK_E_LIMIT;
	enum dstack_status st = rd_blob(&t, cap - 1, &p, &n);
	if (st != DSTACK_OK)
		return st;
	/*
	 * Text becomes a C string; a NUL inside would make two programs see two
	 * different texts.
	 */
	if (memchr(p, 0, n) != NULL)
		return DSTACK_E_FORMAT;
	memcpy(out, p, n);
	out[n] = '\0';
	*r = t;
	return DSTACK_OK;
}

enum dstack_status
rd_end(const struct rd *r)
{
	return r->pos == r->len ? DSTACK_OK : DSTACK_E_FORMAT;
}
