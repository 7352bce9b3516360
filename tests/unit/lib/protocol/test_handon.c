/* SPDX-License-Identifier: Apache-2.0 */
/* What an onboarder seals; see lib/protocol/handon.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/hex.h"
#include "protocol/handon.h"

/* S_e = 00..1f, epoch 7, slot 0x0a0b; root 5a.., committee c3.. */
static const char known[] =
    "02" "0000000000000007"
    "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
    "0000000000000a0b"
    "5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a"
    "c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3";

static void
made(struct secret32 *seed, struct handon_view *v)
{
	for (unsigned i = 0; i < 32; i++)
		seed->b[i] = (uint8_t)i;
	v->slot = 0x0a0b;
	memset(v->root, 0x5a, 32);
	memset(v->committee, 0xc3, 32);
}

static void
the_text_is_the_known_one_and_reads_back(void **state)
{
	(void)state;
	struct secret32 seed, got;
	struct handon_view v, back;
	uint64_t epoch = 0;
	char hex[2 * HANDON_PT_LEN + 1];
	AUTO_WR struct wr w = wr_new(0);
	made(&seed, &v);
	handon_pt_put(&w, 7, &seed, &v);
	assert_int_equal(w.len, HANDON_PT_LEN);
	hex_encode(w.buf, w.len, hex);
	assert_string_equal(hex, known);
	assert_int_equal(
	    handon_pt_get(w.buf, w.len, &epoch, &got, &back), DSTACK_OK);
	assert_int_equal(epoch, 7);
	assert_memory_equal(got.b, seed.b, 32);
	assert_true(handon_view_equal(&v, &back));
}

static void
another_version_or_length_is_refused_and_nothing_is_written(void **state)
{
	(void)state;
	struct secret32 seed, got = { { 0x77 } };
	struct handon_view v, back = { .slot = 5 };
	uint64_t epoch = 9;
	AUTO_WR struct wr w = wr_new(0);
	made(&seed, &v);
	handon_pt_put(&w, 7, &seed, &v);
	wr_u8(&w, 0);
	for (size_t n = 0; n <= HANDON_PT_LEN + 1; n++) {
		if (n != HANDON_PT_LEN)
			assert_int_equal(handon_pt_get(w.buf, n, &epoch, &got,
					     &back), DSTACK_E_FORMAT);
	}
	for (unsigned version = 0; version < 256; version++) {
		w.buf[0] = (uint8_t)version;
		if (version != 2)
			assert_int_equal(handon_pt_get(w.buf, HANDON_PT_LEN,
					     &epoch, &got, &back),
			    DSTACK_E_FORMAT);
	}
	assert_int_equal(epoch, 9);
	assert_int_equal(got.b[0], 0x77);
	assert_int_equal(back.slot, 5);
}

static void
a_view_is_none_only_when_all_of_it_is_zero(void **state)
{
	(void)state;
	struct handon_view v = { 0 };
	assert_true(handon_view_none(&v));
	v.slot = 1;
	assert_false(handon_view_none(&v));
	v.slot = 0;
	v.root[31] = 1;
	assert_false(handon_view_none(&v));
	v.root[31] = 0;
	v.committee[31] = 1;
	assert_false(handon_view_none(&v));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_text_is_the_known_one_and_reads_back),
		cmocka_unit_test(
		    another_version_or_length_is_refused_and_nothing_is_written),
		cmocka_unit_test(a_view_is_none_only_when_all_of_it_is_zero),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
