/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Snappy for tests: libsnappy makes blocks, and frames are put around them by
 * hand, one chunk each, so that a test may spoil any part.
 */
#ifndef TESTS_MKSNAPPY_H
#define TESTS_MKSNAPPY_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <snappy-c.h>

/* CRC-32C, masked, from the polynomial's other form: bits from the top. */
static uint32_t
ms_crc(const uint8_t *p, size_t n)
{
	uint32_t c = 0xffffffffu, out = 0;
	for (size_t i = 0; i < n; i++)
		for (int b = 0; b < 8; b++) {
			uint32_t top = c >> 31 ^ (uint32_t)(p[i] >> b & 1);
			c = c << 1 ^ (top ? 0x1edc6f41u : 0);
		}
	for (int b = 0; b < 32; b++)
		out |= (c >> b & 1) << (31 - b);
	out = ~out;
	return (out >> 15 | out << 17) + 0xa282ead8u;
}

/* A block; out has room for n + n / 6 + 32. */
__attribute__((unused)) static size_t
ms_block(const uint8_t *p, size_t n, uint8_t *out)
{
	size_t len = snappy_max_compressed_length(n);
	if (snappy_compress((const char *)p, n, (char *)out, &len) !=
	    SNAPPY_OK)
		abort();
	return len;
}

/* Type, length, and the bytes of a chunk without checksum. */
static size_t
ms_chunk(uint8_t type, const uint8_t *p, size_t n, uint8_t *out)
{
	out[0] = type;
	out[1] = (uint8_t)n;
	out[2] = (uint8_t)(n >> 8);
	out[3] = (uint8_t)(n >> 16);
	if (n != 0)
		memcpy(out + 4, p, n);
	return 4 + n;
}

/* A data chunk over p, compressed (type 0) or not (type 1). */
static size_t
ms_data(uint8_t type, const uint8_t *p, size_t n, uint8_t *out)
{
	uint8_t *body = malloc(n + n / 6 + 64);
	uint32_t crc = ms_crc(p, n);
	size_t len = n;
	for (int i = 0; i < 4; i++)
		body[i] = (uint8_t)(crc >> 8 * i);
	if (type == 0)
		len = ms_block(p, n, body + 4);
	else
		memcpy(body + 4, p, n);
	len = ms_chunk(type, body, len + 4, out);
	free(body);
	return len;
}

static const uint8_t ms_stream[] = { 0xff, 6, 0, 0, 's', 'N', 'a', 'P', 'p',
	'Y' };

/* A whole stream: identifier, and a chunk for each 65,536 bytes. */
__attribute__((unused)) static size_t
ms_framed(const uint8_t *p, size_t n, uint8_t *out)
{
	size_t at = sizeof(ms_stream);
	memcpy(out, ms_stream, at);
	for (size_t i = 0; i < n; i += 65536)
		at += ms_data(i % 131072 == 0 ? 0 : 1, p + i,
		    n - i < 65536 ? n - i : 65536, out + at);
	return at;
}

#endif
