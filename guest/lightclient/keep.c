/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the role has proven stays when it starts anew: a host that can end it
 * must not be able to show its successor an older chain. init makes the
 * memory once and gives it to each life of the role, whose alone it is; it
 * has no secret in it. Two halves are written in turn, each with its count
 * and hash, so that an end in the midst of one leaves the other. The hash
 * tells a torn half, not a liar: only this role could be one.
 */
#include "guest/lightclient/view.h"

#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "crypto/hash.h"

#define HALF (KEEP_SIZE / 2)
#define HEAD (32 + 8 + 4) /* SHA-256 of the rest, count, length */

uint8_t *
keep_map(int fd)
{
	struct stat sb;

	if (fd < 0 || fstat(fd, &sb) != 0 || sb.st_size != KEEP_SIZE)
		return NULL;
	void *p = mmap(
	    NULL, KEEP_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	return p == MAP_FAILED ? NULL : p;
}

/* Is this half whole? Its count and what it has. */
static bool
half(const uint8_t *h, uint64_t *count, const uint8_t **p, size_t *n)
{
	struct rd r = rd_over(h + 32, HALF - 32);
	uint8_t sum[32];
	uint32_t len;

	if (rd_u64be(&r, count) != DSTACK_OK || rd_u32be(&r, &len) != DSTACK_OK ||
	    len > HALF - HEAD || *count == 0)
		return false;
	sha256(h + 32, HEAD - 32 + len, sum);
	*p = h + HEAD;
	*n = len;
	return memcmp(sum, h, 32) == 0;
}

/* The half with the higher count; -1: neither is whole. */
static int
newest(const uint8_t *memory, uint64_t *count, const uint8_t **p, size_t *n)
{
	int best = -1;

	*count = 0;
	for (int i = 0; i < 2; i++) {
		const uint8_t *q;
		uint64_t c;
		size_t m;
		if (!half(memory + (size_t)i * HALF, &c, &q, &m) || c <= *count)
			continue;
		best = i;
		*count = c;
		*p = q;
		*n = m;
	}
	return best;
}

void
keep_save(uint8_t *memory, const void *p, size_t n)
{
	AUTO_WR struct wr w = wr_new(HEAD);
	const uint8_t *ignored;
	uint64_t count;
	size_t m;

	if (memory == NULL || n > HALF - HEAD)
		return;
	uint8_t *to = memory;
	if (newest(memory, &count, &ignored, &m) == 0)
		to += HALF;
	wr_u64be(&w, count + 1);
	wr_u32be(&w, (uint32_t)n);
	if (wr_status(&w) != DSTACK_OK)
		return;
	memcpy(to + 32, w.buf, w.len);
	memcpy(to + HEAD, p, n);
	sha256(to + 32, HEAD - 32 + n, to);
}

bool
keep_load(const uint8_t *memory, struct wr *out)
{
	const uint8_t *p;
	uint64_t count;
	size_t n;

	if (memory == NULL || newest(memory, &count, &p, &n) < 0)
		return false;
	wr_put(out, p, n);
	return wr_status(out) == DSTACK_OK;
}
