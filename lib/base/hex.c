/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Hex as people and Ethereum write it: either case, with or without 0x. What is
 * read comes from RPCs, hosts and command lines, so the length is judged first,
 * then every digit, and only then is a byte written: a caller's buffer never
 * holds half an answer.
 */
#include "base/hex.h"

void
hex_encode(const void *p, size_t n, char *out)
{
	static const char digit[] = "0123456789abcdef";
	const uint8_t *b = p;
	for (size_t i = 0; i < n; i++) {
		out[2 * i] = digit[b[i] >> 4];
		out[2 * i + 1] = digit[b[i] & 15];
	}
	out[2 * n] = '\0';
}

static int
nibble(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/*
 * The number of digits says the number of bytes: an odd one is no hex, and
 * leading zeros count.
 */
enum dstack_status
hex_decode_var(
    const char *text, size_t textlen, void *out, size_t cap, size_t *n)
{
	uint8_t *o = out;
	size_t at = 0;
	if (textlen >= 2 && text[0] == '0' && text[1] == 'x')
		at = 2;
	if ((textlen - at) % 2 != 0)
		return DSTACK_E_FORMAT;
	size_t count = (textlen - at) / 2;
	/*
	 * Too long is another word than malformed: the caller can say which
	 * bound it was.
	 */
	if (count > cap)
		return DSTACK_E_LIMIT;
	for (size_t i = at; i < textlen; i++) {
		if (nibble(text[i]) < 0)
			return DSTACK_E_FORMAT;
	}
	for (size_t i = 0; i < count; i++)
		o[i] = (uint8_t)(nibble(text[at + 2 * i]) << 4 |
		    nibble(text[at + 2 * i + 1]));
	*n = count;
	return DSTACK_OK;
}

enum dstack_status
hex_decode(const char *text, size_t textlen, void *out, size_t n)
{
	size_t at = textlen >= 2 && text[0] == '0' && text[1] == 'x' ? 2 : 0;
	size_t got;
	if (textlen - at != 2 * n)
		return DSTACK_E_FORMAT;
	return hex_decode_var(text, textlen, out, n, &got);
}
