/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/hex.h"
#include "base/rd.h"
#include "base/secret.h"
#include "base/status.h"
#include "base/wr.h"

static void
what_wr_writes_rd_reads(void **state)
{
	(void)state;
	AUTO_WR struct wr w = wr_new(0);
	wr_u8(&w, 1);
	wr_u16le(&w, 0x0203);
	wr_u32le(&w, 0x04050607);
	wr_u64be(&w, 0x08090a0b0c0d0e0f);
	wr_text(&w, "hello");
	assert_int_equal(wr_status(&w), DSTACK_OK);
	struct rd r = rd_over(w.buf, w.len);
	uint8_t a;
	uint16_t b;
	uint32_t c;
	uint64_t d;
	char t[6];
	assert_int_equal(rd_u8(&r, &a), DSTACK_OK);
	assert_int_equal(rd_u16le(&r, &b), DSTACK_OK);
	assert_int_equal(rd_u32le(&r, &c), DSTACK_OK);
	assert_int_equal(rd_u64be(&r, &d), DSTACK_OK);
	assert_int_equal(rd_end(&r), DSTACK_E_FORMAT);
	assert_int_equal(rd_text(&r, t, sizeof(t)), DSTACK_OK);
	assert_int_equal(rd_end(&r), DSTACK_OK);
	assert_int_equal(b, 0x0203);
	assert_int_equal(c, 0x04050607);
	assert_true(d == 0x08090a0b0c0d0e0f);
	assert_string_equal(t, "hello");
}

static void
short_input_is_refused_and_cursor_stays(void **state)
{
	(void)state;
	const uint8_t in[] = { 0, 0, 0, 5, 'a', 'b' };
	struct rd r = rd_over(in, sizeof(in));
	const uint8_t *p;
	size_t n;
	uint64_t v;
	assert_int_equal(rd_blob(&r, 100, &p, &n), DSTACK_E_TRUNCATED);
	assert_int_equal(rd_blob(&r, 4, &p, &n), DSTACK_E_LIMIT);
	assert_int_equal(rd_u64le(&r, &v), DSTACK_E_TRUNCATED);
	assert_int_equal(rd_skip(&r, SIZE_MAX), DSTACK_E_TRUNCATED);
	assert_int_equal(r.pos, 0);
	assert_int_equal(rd_left(&r), 6);
}

static void
text_with_a_nul_inside_is_refused(void **state)
{
	(void)state;
	const uint8_t in[] = { 0, 0, 0, 3, 'a', 0, 'b' };
	struct rd r = rd_over(in, sizeof(in));
	char t[8] = "keep";
	assert_int_equal(rd_text(&r, t, sizeof(t)), DSTACK_E_FORMAT);
	assert_string_equal(t, "keep");
}

static void
writer_over_its_bound_reports_limit_for_ever(void **state)
{
	(void)state;
	AUTO_WR struct wr w = wr_new(4);
	wr_u32be(&w, 1);
	wr_u8(&w, 1);
	wr_zero(&w, 0);
	assert_int_equal(wr_status(&w), DSTACK_E_LIMIT);
	size_t n;
	assert_null(wr_steal(&w, &n));
}

static void
hex_is_strict(void **state)
{
	(void)state;
	uint8_t b[2] = { 9, 9 };
	char t[5];
	assert_int_equal(hex_decode("0xAb01", 6, b, 2), DSTACK_OK);
	hex_encode(b, 2, t);
	assert_string_equal(t, "ab01");
	assert_int_equal(hex_decode("ab0", 3, b, 2), DSTACK_E_FORMAT);
	assert_int_equal(hex_decode("ab0g", 4, b, 2), DSTACK_E_FORMAT);
	assert_int_equal(hex_decode("ab01ff", 6, b, 2), DSTACK_E_FORMAT);
	assert_int_equal(b[0], 0xab);
	size_t n;
	assert_int_equal(hex_decode_var("abcdef", 6, b, 2, &n), DSTACK_E_LIMIT);
}

static void
a_reason_is_one_printable_line(void **state)
{
	(void)state;
	struct why w = { "" };
	assert_int_equal(why_set(&w, DSTACK_E_REJECTED, "bad\n%s", "x\x1b"),
	    DSTACK_E_REJECTED);
	assert_string_equal(w.text, "bad?x?");
	assert_int_equal(why_wrap(&w, DSTACK_E_SYS, "file %d", 3), DSTACK_E_SYS);
	assert_string_equal(w.text, "file 3: bad?x?");
	assert_int_equal(why_set(NULL, DSTACK_E_SYS, "no one asks"), DSTACK_E_SYS);
}

static void
constant_time_compare_compares(void **state)
{
	(void)state;
	const uint8_t a[] = { 1, 2, 3 };
	const uint8_t b[] = { 1, 2, 4 };
	const uint8_t z[] = { 0, 0, 0 };
	assert_true(ct_equal(a, a, 3));
	assert_false(ct_equal(a, b, 3));
	assert_true(ct_equal(a, b, 2));
	assert_true(ct_is_zero(z, 3));
	assert_false(ct_is_zero(a, 3));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_wr_writes_rd_reads),
		cmocka_unit_test(short_input_is_refused_and_cursor_stays),
		cmocka_unit_test(text_with_a_nul_inside_is_refused),
		cmocka_unit_test(writer_over_its_bound_reports_limit_for_ever),
		cmocka_unit_test(hex_is_strict),
		cmocka_unit_test(a_reason_is_one_printable_line),
		cmocka_unit_test(constant_time_compare_compares),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
