/* SPDX-License-Identifier: Apache-2.0 */
/*
 * DER as X.690 has it, and no BER: definite lengths in their shortest form,
 * tags below 31, lengths of at most four bytes. Strict, because the same bytes
 * are signed and read: if two encodings of one value were taken, two programs
 * could see different values under one signature. A take that fails leaves the
 * cursor where it was.
 */
#include "dcap/der.h"

#include <string.h>

bool
der_span_equal(struct der_span a, struct der_span b)
{
	return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

static enum dstack_status
get(struct rd *r, uint8_t *tag, struct rd *in, struct der_span *raw)
{
	struct rd t = *r;
	uint8_t id, first;
	enum dstack_status st = rd_u8(&t, &id);
	if (st == DSTACK_OK)
		st = rd_u8(&t, &first);
	if (st != DSTACK_OK)
		return st;
	if ((id & 0x1f) == 0x1f) /* tags above 30 occur in none of our forms */
		return DSTACK_E_FORMAT;
	size_t n = first;
	if (first >= 0x80) {
		unsigned count = first & 0x7f;
		if (count > 4)
			return DSTACK_E_FORMAT;
		n = 0; /* and stays so if the length is indefinite */
		for (unsigned i = 0; i < count; i++) {
			uint8_t b;
			st = rd_u8(&t, &b);
			if (st != DSTACK_OK)
				return st;
			/* Leading zeros: not the shortest form. */
			if (i == 0 && b == 0)
				return DSTACK_E_FORMAT;
			n = n << 8 | b;
		}
		if (n < 0x80)
			return DSTACK_E_FORMAT;
	}
	st = rd_sub(&t, n, in);
	if (st != DSTACK_OK)
		return st;
	if (raw != NULL) {
		size_t len = t.pos - r->pos;
		st = rd_take(r, len, &raw->p);
		raw->n = len;
	}
	*r = t;
	*tag = id;
	return st;
}

enum dstack_status
der_take_raw(struct rd *r, uint8_t tag, struct rd *in, struct der_span *raw)
{
	struct rd t = *r;
	uint8_t found;
	enum dstack_status st = get(&t, &found, in, raw);
	if (st != DSTACK_OK)
		return st;
	if (found != tag)
		return DSTACK_E_FORMAT;
	*r = t;
	return DSTACK_OK;
}

enum dstack_status
der_take(struct rd *r, uint8_t tag, struct rd *in)
{
	return der_take_raw(r, tag, in, NULL);
}

enum dstack_status
der_take_any(struct rd *r, uint8_t *tag, struct rd *in)
{
	return get(r, tag, in, NULL);
}

bool
der_is(const struct rd *r, uint8_t tag)
{
	struct rd t = *r;
	uint8_t b;
	return rd_u8(&t, &b) == DSTACK_OK && b == tag;
}

/*
 * As bytes, for serial numbers: compared, never computed with. Up to 20 octets
 * by RFC 5280; a few more are let pass.
 */
enum dstack_status
der_take_integer(struct rd *r, struct der_span *out)
{
	struct rd t = *r, in;
	enum dstack_status st = der_take(&t, DER_INTEGER, &in);
	if (st != DSTACK_OK)
		return st;
	if (in.len == 0 || in.len > 33)
		return DSTACK_E_FORMAT;
	struct der_span s = { in.buf, in.len };
	while (s.n > 1 && s.p[0] == 0) {
		s.p++;
		s.n--;
	}
	*r = t;
	*out = s;
	return DSTACK_OK;
}

enum dstack_status
der_take_u64(struct rd *r, uint64_t *out)
{
	struct rd t = *r, in;
	enum dstack_status st = der_take(&t, DER_INTEGER, &in);
	if (st != DSTACK_OK)
		return st;
	uint64_t v = 0;
	/* Negative, too wide, or with a needless zero in front. */
	if (in.len == 0 || in.len > 9 || (in.buf[0] & 0x80) != 0 ||
	    (in.len == 9 && in.buf[0] != 0) ||
	    (in.len > 1 && in.buf[0] == 0 && (in.buf[1] & 0x80) == 0))
		return DSTACK_E_FORMAT;
	while (rd_left(&in) != 0) {
		uint8_t b;
		st = rd_u8(&in, &b);
		if (st != DSTACK_OK)
			return st;
		v = v << 8 | b;
	}
	*r = t;
	*out = v;
	return DSTACK_OK;
}

enum dstack_status
der_take_bool(struct rd *r, bool *out)
{
	struct rd t = *r, in;
	uint8_t b;
	enum dstack_status st = der_take(&t, DER_BOOLEAN, &in);
	if (st == DSTACK_OK)
		st = rd_u8(&in, &b);
	if (st == DSTACK_OK)
		st = rd_end(&in);
	if (st != DSTACK_OK)
		return st;
	/* DER has one true (X.690, 11.1). */
	if (b != 0 && b != 0xff)
		return DSTACK_E_FORMAT;
	*r = t;
	*out = b != 0;
	return DSTACK_OK;
}

enum dstack_status
der_take_oid(struct rd *r, struct der_span *out)
{
	struct rd t = *r, in;
	enum dstack_status st = der_take(&t, DER_OID, &in);
	if (st != DSTACK_OK)
		return st;
	if (in.len == 0)
		return DSTACK_E_FORMAT;
	*r = t;
	out->p = in.buf;
	out->n = in.len;
	return DSTACK_OK;
}

/* A two-digit year below 50 is of this century (RFC 5280, 4.1.2.5.1). */
enum dstack_status
der_take_time(struct rd *r, int64_t *out)
{
	struct rd t = *r;
	uint8_t tag;
	struct rd in;
	enum dstack_status st = der_take_any(&t, &tag, &in);
	if (st != DSTACK_OK)
		return st;
	char text[16] = "";
	size_t year = tag == DER_GENTIME ? 4 : 2;
	if ((tag != DER_GENTIME && tag != DER_UTCTIME) ||
	    in.len != year + 11)
		return DSTACK_E_FORMAT;
	/* YYYYMMDDHHMMSSZ; UTCTime has two digits, 50..99 are 19xx */
	size_t at = 0;
	if (year == 2) {
		bool old = in.buf[0] >= '5';
		memcpy(text, old ? "19" : "20", 2);
		at = 2;
	}
	memcpy(text + at, in.buf, in.len);
	st = when_parse_packed(text, out);
	if (st == DSTACK_OK)
		*r = t;
	return st;
}

enum dstack_status
der_take_window(struct rd *r, struct window *out)
{
	enum dstack_status st = der_take_time(r, &out->from);
	return st == DSTACK_OK ? der_take_time(r, &out->to) : st;
}
