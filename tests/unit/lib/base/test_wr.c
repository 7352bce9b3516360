/* SPDX-License-Identifier: Apache-2.0 */
/* The writer's own rules: growth, bounds, what is handed over. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/wr.h"

static void
growth_keeps_every_byte(void **state)
{
	(void)state;
	AUTO_WR struct wr w = wr_new(0);
	for (unsigned i = 0; i < 100000; i++)
		wr_u8(&w, (uint8_t)(i * 31 >> 3));
	assert_int_equal(wr_status(&w), DSTACK_OK);
	assert_int_equal(w.len, 100000);
	for (unsigned i = 0; i < 100000; i++)
		assert_int_equal(w.buf[i], (uint8_t)(i * 31 >> 3));
}

static void
a_bound_is_reached_and_not_passed(void **state)
{
	(void)state;
	for (size_t max = 1; max < 200; max++) {
		AUTO_WR struct wr w = wr_new(max);
		wr_zero(&w, max);
		assert_int_equal(wr_status(&w), DSTACK_OK);
		wr_put(&w, "", 0);
		assert_int_equal(wr_status(&w), DSTACK_OK);
		wr_fmt(&w, "%d", 7);
		assert_int_equal(wr_status(&w), DSTACK_E_LIMIT);
		assert_int_equal(w.len, max);
	}
}

static void
a_length_that_wraps_is_refused_before_a_byte_is_read(void **state)
{
	(void)state;
	AUTO_WR struct wr w = wr_new(0);
	wr_u8(&w, 9);
	wr_zero(&w, SIZE_MAX);
	assert_int_equal(wr_status(&w), DSTACK_E_LIMIT);
	assert_int_equal(w.len, 1);
	AUTO_WR struct wr b = wr_new(0);
	wr_blob(&b, "x", (size_t)UINT32_MAX + 1);
	assert_int_equal(wr_status(&b), DSTACK_E_LIMIT);
	assert_int_equal(b.len, 0);
}

static void
the_first_error_stays_the_one(void **state)
{
	(void)state;
	AUTO_WR struct wr w = wr_new(2);
	w.st = DSTACK_E_NOMEM;
	wr_zero(&w, 3);
	wr_blob(&w, "x", (size_t)UINT32_MAX + 1);
	assert_int_equal(wr_status(&w), DSTACK_E_NOMEM);
	assert_int_equal(w.len, 0);
}

static void
what_is_handed_over_leaves_a_new_writer(void **state)
{
	(void)state;
	AUTO_WR struct wr w = wr_new(4);
	size_t n = 9;
	wr_str(&w, "abcd");
	uint8_t *p = wr_steal(&w, &n);
	assert_non_null(p);
	assert_int_equal(n, 4);
	assert_memory_equal(p, "abcd", 4);
	free(p);
	assert_null(w.buf);
	wr_str(&w, "efgh"); /* the bound is still 4, and all of it is free */
	assert_int_equal(wr_status(&w), DSTACK_OK);
	wr_u8(&w, 0);
	assert_int_equal(wr_status(&w), DSTACK_E_LIMIT);
	wr_free(&w);
	assert_int_equal(wr_status(&w), DSTACK_OK);
	p = wr_steal(&w, &n); /* nothing written is a result, not a failure */
	assert_non_null(p);
	assert_int_equal(n, 0);
	free(p);
}

static void
numbers_and_hex_have_their_order(void **state)
{
	(void)state;
	static const uint8_t want[] = { 2, 1, 4, 3, 2, 1, 8, 7, 6, 5, 4, 3, 2,
		1, 1, 2, 1, 2, 3, 4, 1, 2, 3, 4, 5, 6, 7, 8, '0', 'f', 'a',
		'0', 0, 0, 0, 2, 'h', 'i' };
	static const uint8_t h[] = { 0x0f, 0xa0 };
	AUTO_WR struct wr w = wr_new(sizeof(want));
	wr_u16le(&w, 0x0102);
	wr_u32le(&w, 0x01020304);
	wr_u64le(&w, 0x0102030405060708);
	wr_u16be(&w, 0x0102);
	wr_u32be(&w, 0x01020304);
	wr_u64be(&w, 0x0102030405060708);
	wr_hex(&w, h, sizeof(h));
	wr_text(&w, "hi");
	assert_int_equal(wr_status(&w), DSTACK_OK);
	assert_int_equal(w.len, sizeof(want));
	assert_memory_equal(w.buf, want, sizeof(want));
}

int
main(void)
{
	const struct CMUnitTest t[] = {
		cmocka_unit_test(growth_keeps_every_byte),
		cmocka_unit_test(a_bound_is_reached_and_not_passed),
		cmocka_unit_test(
		    a_length_that_wraps_is_refused_before_a_byte_is_read),
		cmocka_unit_test(the_first_error_stays_the_one),
		cmocka_unit_test(what_is_handed_over_leaves_a_new_writer),
		cmocka_unit_test(numbers_and_hex_have_their_order),
	};
	return cmocka_run_group_tests(t, NULL, NULL);
}
