/* SPDX-License-Identifier: Apache-2.0 */
/* Snappy's blocks and frames: what comes out, and what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cli/beacon/unsnappy.h"
#include "tests/unit/lib/beacon/mksnappy.h"

#define BIG 200000u
static uint8_t text[BIG], packed[2 * BIG];

static int
fill(void **state)
{
	(void)state;
	for (size_t i = 0; i < BIG; i++)
		text[i] = (uint8_t)(i * i >> 7);
	return 0;
}

static void
gives(const uint8_t *p, size_t len, size_t max, const uint8_t *want, size_t n)
{
	uint8_t *out = NULL;
	size_t got = 0;
	assert_true(snappy_is_framed(p, len));
	assert_int_equal(
	    unsnappy_framed(p, len, max, &out, &got), DSTACK_OK);
	assert_int_equal(got, n);
	assert_memory_equal(out, want, n);
	free(out);
}

static void
refused(const uint8_t *p, size_t len, size_t max, enum dstack_status want)
{
	uint8_t *out = NULL;
	size_t got = 0;
	assert_int_equal(unsnappy_framed(p, len, max, &out, &got), want);
	assert_null(out);
}

static void
frames_are_undone(void **state)
{
	(void)state;
	static const size_t sizes[] = { 1, 5, 65535, 65536, 65537, BIG };
	for (size_t i = 0; i < 6; i++)
		gives(packed, ms_framed(text, sizes[i], packed), BIG, text,
		    sizes[i]);
	/* the length of a chunk that holds nothing */
	size_t n = ms_framed(text, 5, packed);
	n += ms_data(1, text, 0, packed + n);
	gives(packed, n, BIG, text, 5);
	/* padding, what may be skipped, and a stream behind the stream */
	n = ms_framed(text, 5, packed);
	n += ms_chunk(0xfe, text, 7, packed + n);
	n += ms_chunk(0x80, text, 0, packed + n);
	n += ms_framed(text + 5, 9, packed + n);
	gives(packed, n, BIG, text, 14);
}

static void
a_stream_cut_anywhere_is_refused_or_shorter(void **state)
{
	(void)state;
	size_t n = ms_framed(text, 300, packed);
	for (size_t cut = 0; cut < n; cut++) {
		uint8_t *out = NULL;
		size_t got = 0;
		/* an end of memory of its own: a byte too far is seen */
		uint8_t *p = malloc(cut + 1);
		memcpy(p, packed, cut);
		if (unsnappy_framed(p, cut, BIG, &out, &got) == DSTACK_OK)
			fail_msg("%zu of %zu", cut, n);
		free(p);
	}
}

static void
a_bit_changed_in_a_chunk_is_refused(void **state)
{
	(void)state;
	for (unsigned type = 0; type < 2; type++) {
		size_t at = sizeof(ms_stream);
		memcpy(packed, ms_stream, at);
		size_t n = at + ms_data((uint8_t)type, text, 40, packed + at);
		/* checksum and data; type and length say other things */
		for (size_t bit = 8 * (at + 4); bit < 8 * n; bit++) {
			uint8_t *out = NULL;
			size_t got = 0;
			packed[bit / 8] ^= (uint8_t)(1u << bit % 8);
			enum dstack_status st = unsnappy_framed(
			    packed, n, BIG, &out, &got);
			packed[bit / 8] ^= (uint8_t)(1u << bit % 8);
			/* two encodings of one text are one text */
			if (st == DSTACK_OK) {
				assert_int_equal(got, 40);
				assert_memory_equal(out, text, 40);
			}
			free(out);
		}
		packed[at + 4] ^= 1;
		refused(packed, n, BIG, DSTACK_E_FORMAT);
		packed[at + 4] ^= 1;
		packed[n - 1] ^= 1;
		if (type == 1)
			refused(packed, n, BIG, DSTACK_E_FORMAT);
	}
}

static void
what_is_no_stream_is_refused(void **state)
{
	(void)state;
	size_t n = ms_framed(text, 5, packed);
	/* without its identifier, and with it alone */
	refused(packed + 10, n - 10, BIG, DSTACK_E_FORMAT);
	assert_false(snappy_is_framed(packed + 10, n - 10));
	refused(packed, 10, BIG, DSTACK_E_FORMAT);
	assert_false(snappy_is_framed(packed, 9));
	/* a type that must be known, the first and the last of them */
	ms_chunk(0x02, text, 3, packed + n);
	refused(packed, n + 7, BIG, DSTACK_E_FORMAT);
	ms_chunk(0x7f, text, 3, packed + n);
	refused(packed, n + 7, BIG, DSTACK_E_FORMAT);
	/* an identifier that is another, or longer */
	ms_chunk(0xff, (const uint8_t *)"sNaPpX", 6, packed + n);
	refused(packed, n + 10, BIG, DSTACK_E_FORMAT);
	ms_chunk(0xff, (const uint8_t *)"sNaPpYY", 7, packed + n);
	refused(packed, n + 11, BIG, DSTACK_E_FORMAT);
	/* a data chunk without room for its checksum */
	ms_chunk(0x01, text, 3, packed + n);
	refused(packed, n + 7, BIG, DSTACK_E_TRUNCATED);
}

static void
bounds_hold(void **state)
{
	(void)state;
	size_t n = ms_framed(text, BIG, packed);
	refused(packed, n, BIG - 1, DSTACK_E_LIMIT);
	refused(packed, n, 10, DSTACK_E_LIMIT);
	/* over 65,536 bytes in a chunk, plain and compressed */
	size_t at = sizeof(ms_stream);
	memcpy(packed, ms_stream, at);
	n = ms_data(1, text, 65537, packed + at);
	refused(packed, at + n, BIG, DSTACK_E_FORMAT);
	n = ms_data(0, text, 65537, packed + at);
	refused(packed, at + n, BIG, DSTACK_E_LIMIT);
	/* a block that says it is 4 GB */
	static const uint8_t bomb[] = { 0xff, 0xff, 0xff, 0xff, 0x0f, 0 };
	uint8_t *out = NULL;
	size_t got = 0;
	assert_int_equal(unsnappy_block(bomb, sizeof(bomb), BIG, &out, &got),
	    DSTACK_E_LIMIT);
	assert_int_equal(
	    unsnappy_block(bomb, 3, BIG, &out, &got), DSTACK_E_FORMAT);
	/* as many as it says, to the byte */
	n = ms_block(text, 1000, packed);
	assert_int_equal(
	    unsnappy_block(packed, n, 999, &out, &got), DSTACK_E_LIMIT);
	assert_int_equal(
	    unsnappy_block(packed, n, 1000, &out, &got), DSTACK_OK);
	assert_int_equal(got, 1000);
	assert_memory_equal(out, text, 1000);
	free(out);
	out = NULL;
	assert_int_equal(
	    unsnappy_block(packed, n - 1, 1000, &out, &got), DSTACK_E_FORMAT);
	assert_null(out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(frames_are_undone),
		cmocka_unit_test(a_stream_cut_anywhere_is_refused_or_shorter),
		cmocka_unit_test(a_bit_changed_in_a_chunk_is_refused),
		cmocka_unit_test(what_is_no_stream_is_refused),
		cmocka_unit_test(bounds_hold),
	};
	return cmocka_run_group_tests(tests, fill, NULL);
}
