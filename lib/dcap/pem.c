/* SPDX-License-Identifier: Apache-2.0 */
/* PEM (RFC 7468, strict form) for certificates and CRLs. */
#include "dcap/pem.h"

#include <string.h>

#include "dcap/x509.h"

static bool
blank(uint8_t b)
{
	return b == ' ' || b == '\t' || b == '\r' || b == '\n';
}

static void
skip_blank(struct rd *r)
{
	struct rd t = *r;
	uint8_t b;
	while (rd_u8(&t, &b) == DSTACK_OK && blank(b))
		*r = t;
}

/* The whole line, spelled out: "-----BEGIN CERTIFICATE-----" and no other. */
static bool
take_line(struct rd *r, const char *kind, const char *label)
{
	const char *parts[] = { "-----", kind, " ", label, "-----" };
	struct rd t = *r;
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		size_t n = strlen(parts[i]);
		const uint8_t *p;
		if (rd_take(&t, n, &p) != DSTACK_OK ||
		    memcmp(p, parts[i], n) != 0)
			return false;
	}
	*r = t;
	return true;
}

/* 0..63 a digit's value, 64 '=', 65 white space, 66 none of these. */
static uint8_t
kind_of(uint8_t c)
{
	if (c >= 'A' && c <= 'Z')
		return (uint8_t)(c - 'A');
	if (c >= 'a' && c <= 'z')
		return (uint8_t)(c - 'a' + 26);
	if (c >= '0' && c <= '9')
		return (uint8_t)(c - '0' + 52);
	if (c == '+' || c == '/')
		return c == '+' ? 62 : 63;
	return c == '=' ? 64 : blank(c) ? 65 : 66;
}

/* The bytes before the next '-'. */
static enum dstack_status
take_body(struct rd *r, const uint8_t **p, size_t *n)
{
	struct rd t = *r;
	const uint8_t *all;
	size_t left = rd_left(&t);
	enum dstack_status st = rd_take(&t, left, &all);
	if (st != DSTACK_OK)
		return st;
	const uint8_t *dash = memchr(all, '-', left);
	*n = dash != NULL ? (size_t)(dash - all) : left;
	return rd_take(r, *n, p);
}

/* Base64 up to the next '-'; white space between digits is skipped. */
static enum dstack_status
take_base64(struct rd *r, uint8_t *out, size_t cap, size_t *len)
{
	const uint8_t *p;
	uint32_t acc = 0;
	unsigned have = 0, pad = 0;
	size_t n = 0, size;
	enum dstack_status st = take_body(r, &p, &size);
	if (st != DSTACK_OK)
		return st;
	/*
	 * The most that so many characters can hold; so no write below needs a
	 * check of its own.
	 */
	if (cap < size / 4 * 3 + 3)
		return DSTACK_E_LIMIT;
	for (size_t i = 0; i < size; i++) {
		uint8_t v = kind_of(p[i]);
		if (v == 65)
			continue;
		/* A stranger, too much padding, or digits behind it. */
		if (v == 66 || (v == 64 && ++pad > 2) || (v < 64 && pad != 0))
			return DSTACK_E_FORMAT;
		acc = acc << 6 | (v & 0x3fu);
		if (++have < 4)
			continue;
		out[n++] = (uint8_t)(acc >> 16);
		out[n++] = (uint8_t)(acc >> 8);
		out[n++] = (uint8_t)acc;
		if (pad != 0) { /* the bits that are cut off must be zero */
			n -= pad;
			if (out[n] != 0)
				return DSTACK_E_FORMAT;
		}
		acc = 0;
		have = 0;
	}
	*len = n;
	return have == 0 && n != 0 ? DSTACK_OK : DSTACK_E_FORMAT;
}

enum dstack_status
pem_take(struct rd *r, const char *label, uint8_t *out, size_t cap, size_t *len)
{
	struct rd t = *r;
	skip_blank(&t);
	if (!take_line(&t, "BEGIN", label))
		return DSTACK_E_FORMAT;
	enum dstack_status st = take_base64(&t, out, cap, len);
	if (st != DSTACK_OK)
		return st;
	if (!take_line(&t, "END", label))
		return DSTACK_E_FORMAT;
	skip_blank(&t);
	*r = t;
	return DSTACK_OK;
}

bool
pem_at_end(const struct rd *r)
{
	struct rd t = *r;
	uint8_t b;
	skip_blank(&t);
	while (rd_u8(&t, &b) == DSTACK_OK)
		/*
		 * NULs at the end are Intel's habit, and nothing hides behind
		 * them: every byte is looked at.
		 */
		if (b != 0)
			return false;
	return true;
}

enum dstack_status
x509_chain_parse(
    const void *pem, size_t len, struct x509_chain *out, struct why *why)
{
	size_t used = 0;
	out->count = 0;
	if (len > X509_MAX_PEM)
		return why_set(why, DSTACK_E_LIMIT,
		    "certificate chain longer than %d bytes", X509_MAX_PEM);
	struct rd r = rd_over(pem, len);
	while (!pem_at_end(&r)) {
		struct der_span der = { out->der + used, 0 };
		/*
		 * Before the next one is decoded: the buffer holds that many.
		 */
		if (out->count == X509_MAX_CHAIN)
			return why_set(why, DSTACK_E_LIMIT,
			    "more than %d certificates in the chain",
			    X509_MAX_CHAIN);
		enum dstack_status st = pem_take(&r, "CERTIFICATE",
		    out->der + used, sizeof(out->der) - used, &der.n);
		if (st != DSTACK_OK)
			return why_set(why, DSTACK_E_FORMAT,
			    "certificate %u of the chain is not PEM",
			    out->count + 1);
		if (der.n > X509_MAX_DER)
			return why_set(why, DSTACK_E_LIMIT,
			    "certificate %u of the chain is over %d bytes",
			    out->count + 1, X509_MAX_DER);
		st = x509_parse(der, &out->cert[out->count], why);
		if (st != DSTACK_OK)
			return why_wrap(why, st, "certificate %u of the chain",
			    out->count + 1);
		out->count++;
		used += der.n;
	}
	if (out->count == 0)
		return why_set(why, DSTACK_E_FORMAT, "no certificate in the chain");
	return DSTACK_OK;
}
