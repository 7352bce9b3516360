/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Finds the signed text inside a PCS answer without touching a byte of it:
 * a signature over JSON holds for the bytes as sent, not for their meaning.
 */
#include <string.h>

#include "base/hex.h"
#include "base/rd.h"
#include "dstack/dcap.h"

static bool
blank(uint8_t c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static bool
expect(struct rd *r, char want)
{
	uint8_t c;
	do {
		if (rd_u8(r, &c) != DSTACK_OK)
			return false;
	} while (blank(c));
	return c == (uint8_t)want;
}

/* A string without escapes; out: what is between the quotes. */
static bool
take_string(struct rd *r, struct dcap_bytes *out)
{
	if (!expect(r, '"'))
		return false;
	const uint8_t *p;
	size_t n = 0;
	struct rd t = *r;
	uint8_t c;
	while (rd_u8(&t, &c) == DSTACK_OK && c != '"') {
		/*
		 * Neither name nor signature needs an escape, and with one
		 * there would be two spellings.
		 */
		if (c == '\\' || c < 0x20)
			return false;
		n++;
	}
	if (rd_take(r, n, &p) != DSTACK_OK)
		return false;
	out->p = p;
	out->n = n;
	return expect(r, '"');
}

/* An object with everything in it; strings may hold braces. */
static bool
take_object(struct rd *r, struct dcap_bytes *out)
{
	struct rd t = *r;
	uint8_t c;
	while (rd_u8(&t, &c) == DSTACK_OK && blank(c))
		*r = t;
	t = *r;
	size_t depth = 0;
	bool string = false;
	do {
		if (rd_u8(&t, &c) != DSTACK_OK)
			return false;
		if (string) {
			/* An escaped quote ends no string. */
			if (c == '\\' && rd_u8(&t, &c) == DSTACK_OK)
				continue;
			if (c == '"')
				string = false;
		} else if (c == '"') {
			string = true;
		} else if (c == '{') {
			depth++;
		} else if (c == '}' && depth > 0) {
			depth--;
		}
	} while (depth > 0);
	const uint8_t *p;
	size_t n = t.pos - r->pos;
	if (rd_take(r, n, &p) != DSTACK_OK || p[0] != '{')
		return false;
	out->p = p;
	out->n = n;
	return true;
}

static bool
is(struct dcap_bytes b, const char *s)
{
	return b.n == strlen(s) && memcmp(b.p, s, b.n) == 0;
}

/*
 * Exactly two members in either order, and nothing else: whatever stood beside
 * them would be unsigned.
 */
enum dstack_status
dcap_split_signed(const char *body, size_t len, const char *name,
    struct dcap_bytes *text, uint8_t sig[64])
{
	struct rd r = rd_over(body, len);
	struct dcap_bytes key, value, found = { NULL, 0 };
	bool have_sig = false;
	uint8_t s[64];
	if (!expect(&r, '{'))
		return DSTACK_E_FORMAT;
	for (int i = 0; i < 2; i++) {
		if (i == 1 && !expect(&r, ','))
			return DSTACK_E_FORMAT;
		if (!take_string(&r, &key) || !expect(&r, ':'))
			return DSTACK_E_FORMAT;
		if (found.p == NULL && is(key, name)) {
			if (!take_object(&r, &found))
				return DSTACK_E_FORMAT;
		} else if (!have_sig && is(key, "signature")) {
			if (!take_string(&r, &value) || value.n != 128 ||
			    hex_decode(value.p, 128, s, 64) != DSTACK_OK)
				return DSTACK_E_FORMAT;
			have_sig = true;
		} else {
			return DSTACK_E_FORMAT;
		}
	}
	if (!expect(&r, '}'))
		return DSTACK_E_FORMAT;
	while (rd_left(&r) != 0) {
		uint8_t c;
		if (rd_u8(&r, &c) != DSTACK_OK || !blank(c))
			return DSTACK_E_FORMAT;
	}
	*text = found;
	memcpy(sig, s, sizeof(s));
	return DSTACK_OK;
}
