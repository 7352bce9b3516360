/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Just enough DER to write certificates (X.690, section 8): lengths in the
 * shortest form, integers with their sign byte, times as RFC 5280 wants them.
 * Inner parts are built first and wrapped, so a length is known when it is
 * written; an error of an inner part becomes the outer one's.
 */
#include "sim/der.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

void
der_put(struct wr *out, uint8_t tag, const void *p, size_t n)
{
	wr_u8(out, tag);
	if (n < 0x80) {
		wr_u8(out, (uint8_t)n);
	} else if (n < 0x100) {
		wr_u8(out, 0x81);
		wr_u8(out, (uint8_t)n);
	} else if (n < 0x10000) {
		wr_u8(out, 0x82);
		wr_u16be(out, (uint16_t)n);
	} else {
		wr_u8(out, 0x84);
		wr_u32be(out, (uint32_t)n);
	}
	wr_put(out, p, n);
}

void
der_wrap(struct wr *out, uint8_t tag, const struct wr *inner)
{
	if (inner->st != DSTACK_OK) {
		if (out->st == DSTACK_OK)
			out->st = inner->st;
		return;
	}
	der_put(out, tag, inner->buf, inner->len);
}

void
der_str(struct wr *out, uint8_t tag, const char *text)
{
	der_put(out, tag, text, strlen(text));
}

/*
 * Base 128, highest group first, each but the last with its top bit set (X.690,
 * 8.19).
 */
static void
oid_arc(struct wr *w, unsigned long v)
{
	for (int shift = 28; shift > 0; shift -= 7)
		if (v >> shift != 0)
			wr_u8(w, (uint8_t)(0x80 | ((v >> shift) & 0x7f)));
	wr_u8(w, (uint8_t)(v & 0x7f));
}

void
der_oid(struct wr *out, const char *dotted)
{
	AUTO_WR struct wr w = wr_new(0);
	char *end = NULL;
	unsigned long first = strtoul(dotted, &end, 10);
	unsigned long second = strtoul(end + 1, &end, 10);
	oid_arc(&w, first * 40 + second);
	while (*end == '.')
		oid_arc(&w, strtoul(end + 1, &end, 10));
	der_wrap(out, DER_OID, &w);
}

void
der_bigint(struct wr *out, const uint8_t *p, size_t n)
{
	while (n > 1 && p[0] == 0) {
		p++;
		n--;
	}
	AUTO_WR struct wr w = wr_new(0);
	/* A first bit would read as a minus sign. */
	if (n == 0 || (p[0] & 0x80) != 0)
		wr_u8(&w, 0);
	wr_put(&w, p, n);
	der_wrap(out, DER_INT, &w);
}

void
der_uint(struct wr *out, uint8_t tag, uint64_t v)
{
	AUTO_WR struct wr w = wr_new(0);
	int shift = 56;
	while (shift > 0 && (v >> (unsigned)shift) == 0)
		shift -= 8;
	if ((v >> (unsigned)shift & 0x80) != 0)
		wr_u8(&w, 0);
	for (; shift >= 0; shift -= 8)
		wr_u8(&w, (uint8_t)(v >> (unsigned)shift));
	der_wrap(out, tag, &w);
}

void
der_bits(struct wr *out, const void *p, size_t n)
{
	AUTO_WR struct wr w = wr_new(0);
	/* No unused bits at the end. */
	wr_u8(&w, 0);
	wr_put(&w, p, n);
	der_wrap(out, DER_BITS, &w);
}

void
der_time(struct wr *out, int64_t unix_seconds)
{
	time_t t = (time_t)unix_seconds;
	struct tm tm = { 0 };
	char text[32] = "";
	(void)gmtime_r(&t, &tm);
	(void)strftime(text, sizeof(text), "%Y%m%d%H%M%SZ", &tm);
	/* RFC 5280, 4.1.2.5: UTCTime until 2049, GeneralizedTime from 2050. */
	if (tm.tm_year < 150)
		der_str(out, 0x17, text + 2); /* two digits of the year */
	else
		der_str(out, 0x18, text);
}

/* RFC 7468: lines of 64 characters. */
void
pem_put(struct wr *out, const char *label, const void *p, size_t n)
{
	static const char set[] =
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const uint8_t *b = p;
	wr_fmt(out, "-----BEGIN %s-----\n", label);
	for (size_t i = 0; i < n; i += 3) {
		uint32_t v = (uint32_t)b[i] << 16;
		v |= i + 1 < n ? (uint32_t)b[i + 1] << 8 : 0;
		v |= i + 2 < n ? (uint32_t)b[i + 2] : 0;
		wr_u8(out, (uint8_t)set[v >> 18]);
		wr_u8(out, (uint8_t)set[v >> 12 & 63]);
		wr_u8(out, (uint8_t)(i + 1 < n ? set[v >> 6 & 63] : '='));
		wr_u8(out, (uint8_t)(i + 2 < n ? set[v & 63] : '='));
		if (i % 48 == 45 || i + 3 >= n)
			wr_u8(out, '\n');
	}
	wr_fmt(out, "-----END %s-----\n", label);
}
