/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Snappy's two formats (google/snappy, format_description.txt and
 * framing_format.txt). libsnappy undoes a block; the frames around blocks are
 * taken apart here: a chunk is a type, a length of 24 bits and its bytes. The
 * length that a block says it will have is held against the bound before room
 * is made for it.
 */
#include "cli/beacon/unsnappy.h"

#include <stdlib.h>
#include <string.h>

#include <snappy-c.h>

#include "base/own.h"
#include "base/rd.h"

#define CHUNK_COMPRESSED 0x00u
#define CHUNK_PLAIN 0x01u
#define CHUNK_SKIPPABLE 0x80u /* up to 0xfd; 0xfe is padding */
#define CHUNK_STREAM 0xffu
#define CHUNK_MAX 65536u /* bytes a chunk may become */

static const uint8_t stream_id[] = { 0xff, 6, 0, 0, 's', 'N', 'a', 'P', 'p',
	'Y' };

bool
snappy_is_framed(const uint8_t *p, size_t len)
{
	return len >= sizeof(stream_id) &&
	    memcmp(p, stream_id, sizeof(stream_id)) == 0;
}

/* CRC-32C (Castagnoli), then as the framing format hides it. */
static uint32_t
masked_crc(const uint8_t *p, size_t n)
{
	uint32_t c = 0xffffffffu;
	for (size_t i = 0; i < n; i++) {
		c ^= p[i];
		for (int b = 0; b < 8; b++)
			c = c >> 1 ^ (0x82f63b78u & (0u - (c & 1)));
	}
	c = ~c;
	return (c >> 15 | c << 17) + 0xa282ead8u;
}

enum dstack_status
unsnappy_block(const uint8_t *p, size_t len, size_t max, uint8_t **out,
    size_t *n)
{
	size_t want = 0;
	if (snappy_uncompressed_length((const char *)p, len, &want) !=
	    SNAPPY_OK)
		return DSTACK_E_FORMAT;
	/* the block's own word for its length, before anything is reserved */
	if (want > max)
		return DSTACK_E_LIMIT;
	AUTO_FREE uint8_t *buf = malloc(want + 1);
	if (buf == NULL)
		return DSTACK_E_NOMEM;
	if (snappy_uncompress(
		(const char *)p, len, (char *)buf, &want) != SNAPPY_OK)
		return DSTACK_E_FORMAT;
	*n = want;
	*out = take_ptr(&buf);
	return DSTACK_OK;
}

/* What has come out so far. */
struct sink {
	uint8_t *p;
	size_t n, cap, max;
};

/* n more bytes; room grows twofold, so that many chunks copy little. */
static enum dstack_status
put(struct sink *s, const uint8_t *p, size_t n)
{
	if (n > s->max - s->n)
		return DSTACK_E_LIMIT;
	if (n > s->cap - s->n) {
		size_t cap = s->n + n > s->max / 2 ? s->max : 2 * (s->n + n);
		uint8_t *more = realloc(s->p, cap + 1);
		if (more == NULL)
			return DSTACK_E_NOMEM;
		s->p = more;
		s->cap = cap;
	}
	if (n != 0)
		memcpy(s->p + s->n, p, n);
	s->n += n;
	return DSTACK_OK;
}

/* A chunk with data: its checksum is over what it becomes. */
static enum dstack_status
data_chunk(struct rd *in, bool compressed, struct sink *s)
{
	AUTO_FREE uint8_t *own = NULL;
	const uint8_t *p;
	uint32_t crc = 0;
	enum dstack_status st = rd_u32le(in, &crc);
	size_t n = rd_left(in);
	if (st == DSTACK_OK)
		st = rd_take(in, n, &p);
	if (st != DSTACK_OK)
		return st;
	if (compressed) {
		st = unsnappy_block(p, n, CHUNK_MAX, &own, &n);
		if (st != DSTACK_OK)
			return st;
		p = own;
	}
	if (n > CHUNK_MAX || masked_crc(p, n) != crc)
		return DSTACK_E_FORMAT;
	return put(s, p, n);
}

/*
 * One chunk. Types up to 0x7f that are not known must be refused, those from
 * 0x80 on may be skipped (framing_format.txt, 4.5 and 4.6).
 */
static enum dstack_status
chunk(struct rd *in, struct sink *s)
{
	uint8_t type = 0, high = 0;
	uint16_t low = 0;
	struct rd body;
	enum dstack_status st = rd_u8(in, &type);
	if (st == DSTACK_OK)
		st = rd_u16le(in, &low);
	if (st == DSTACK_OK)
		st = rd_u8(in, &high);
	if (st == DSTACK_OK)
		st = rd_sub(in, (size_t)high << 16 | low, &body);
	if (st != DSTACK_OK)
		return st;
	if (type == CHUNK_COMPRESSED || type == CHUNK_PLAIN)
		return data_chunk(&body, type == CHUNK_COMPRESSED, s);
	/* streams may be joined end to end: the identifier comes again */
	if (type == CHUNK_STREAM)
		return rd_left(&body) == 6 &&
			memcmp(body.buf, stream_id + 4, 6) == 0
		    ? DSTACK_OK
		    : DSTACK_E_FORMAT;
	return type >= CHUNK_SKIPPABLE ? DSTACK_OK : DSTACK_E_FORMAT;
}

enum dstack_status
unsnappy_framed(const uint8_t *p, size_t len, size_t max, uint8_t **out,
    size_t *n)
{
	struct rd in = rd_over(p, len);
	struct sink s = { .max = max };
	enum dstack_status st =
	    snappy_is_framed(p, len) ? DSTACK_OK : DSTACK_E_FORMAT;
	while (st == DSTACK_OK && rd_left(&in) != 0)
		st = chunk(&in, &s);
	if (st == DSTACK_OK && s.p == NULL)
		st = DSTACK_E_FORMAT; /* nothing but frames */
	if (st != DSTACK_OK) {
		free(s.p);
		return st;
	}
	*out = s.p;
	*n = s.n;
	return DSTACK_OK;
}
