/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "eth/rlp.h"
#include "tests/unit/lib/vec.h"

static struct rd
over_hex(const char *hex, uint8_t *buf, size_t cap)
{
	size_t n;
	assert_int_equal(
	    hex_decode_var(hex, strlen(hex), buf, cap, &n), DSTACK_OK);
	return rd_over(buf, n);
}

static enum dstack_status
item_of(const char *hex)
{
	uint8_t b[128];
	struct rd r = over_hex(hex, b, sizeof(b));
	struct rd in;
	bool list;
	enum dstack_status st = rlp_item(&r, &list, &in);
	if (st != DSTACK_OK)
		assert_int_equal(r.pos, 0);
	return st;
}

#define ZEROS28 "00000000000000000000000000000000000000000000000000000000"

static void
numbers_have_one_encoding(void **state)
{
	(void)state;
	const struct {
		uint64_t v;
		const char *hex;
	} known[] = {
		{ 0, "80" }, { 1, "01" }, { 0x7f, "7f" }, { 0x80, "8180" },
		{ 0x400, "820400" }, { UINT64_MAX, "88ffffffffffffffff" },
	};
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		AUTO_WR struct wr w = wr_new(0);
		uint64_t v;
		rlp_put_u64(&w, known[i].v);
		assert_int_equal(wr_status(&w), DSTACK_OK);
		assert_hex(w.buf, w.len, known[i].hex);
		struct rd r = rd_over(w.buf, w.len);
		assert_int_equal(rlp_u64(&r, &v), DSTACK_OK);
		assert_true(v == known[i].v);
		assert_int_equal(rd_end(&r), DSTACK_OK);
	}
}

static void
numbers_with_leading_zeros_or_too_long_are_refused(void **state)
{
	(void)state;
	uint8_t b[64];
	uint8_t w[32];
	uint64_t v;
	struct rd r = over_hex("00", b, sizeof(b));
	assert_int_equal(rlp_u64(&r, &v), DSTACK_E_FORMAT);
	r = over_hex("820001", b, sizeof(b));
	assert_int_equal(rlp_u64(&r, &v), DSTACK_E_FORMAT);
	r = over_hex("89010000000000000000", b, sizeof(b));
	assert_int_equal(rlp_u64(&r, &v), DSTACK_E_LIMIT);
	assert_int_equal(rlp_u256(&r, w), DSTACK_OK);
	assert_int_equal(w[23], 1);
	assert_int_equal(w[22], 0);
	r = over_hex("a1010000000000000000000000000000000000000000000000000000"
	             "000000000000", b, sizeof(b));
	assert_int_equal(rlp_u256(&r, w), DSTACK_E_LIMIT);
	r = over_hex("c0", b, sizeof(b));
	assert_int_equal(rlp_u64(&r, &v), DSTACK_E_FORMAT);
}

static void
longer_than_needed_encodings_are_refused(void **state)
{
	(void)state;
	assert_int_equal(item_of("8100"), DSTACK_E_FORMAT);
	assert_int_equal(item_of("817f"), DSTACK_E_FORMAT);
	assert_int_equal(item_of("8180"), DSTACK_OK);
	assert_int_equal(item_of("b801ff"), DSTACK_E_FORMAT);
	assert_int_equal(item_of("b90001ff"), DSTACK_E_FORMAT);
	/* 56 bytes, their length in two bytes instead of one */
	assert_int_equal(item_of("b90038" ZEROS28 ZEROS28), DSTACK_E_FORMAT);
	assert_int_equal(item_of("b838" ZEROS28 ZEROS28), DSTACK_OK);
	assert_int_equal(item_of("f800"), DSTACK_E_FORMAT);
	assert_int_equal(item_of("f90000"), DSTACK_E_FORMAT);
}

static void
encodings_past_the_end_are_refused(void **state)
{
	(void)state;
	assert_int_equal(item_of(""), DSTACK_E_TRUNCATED);
	assert_int_equal(item_of("81"), DSTACK_E_TRUNCATED);
	assert_int_equal(item_of("8301ff"), DSTACK_E_TRUNCATED);
	assert_int_equal(item_of("c1"), DSTACK_E_TRUNCATED);
	assert_int_equal(item_of("b838"), DSTACK_E_TRUNCATED);
	assert_int_equal(item_of("bfffffffffffffffff"), DSTACK_E_TRUNCATED);
	assert_int_equal(item_of("ff80000000000000"), DSTACK_E_TRUNCATED);
	assert_int_equal(item_of("ffffffffffffffffff00"), DSTACK_E_TRUNCATED);
}

static void
lists_nest_and_keep_kinds_apart(void **state)
{
	(void)state;
	AUTO_WR struct wr in = wr_new(0);
	AUTO_WR struct wr w = wr_new(0);
	uint8_t v[32] = { 0 };
	const uint8_t *p;
	size_t n;
	v[31] = 5;
	rlp_put_bytes(&in, "cat", 3);
	rlp_put_bytes(&in, "dog", 3);
	rlp_put_u256(&in, v);
	rlp_put_list(&w, &in);
	assert_int_equal(wr_status(&w), DSTACK_OK);
	assert_hex(w.buf, w.len, "c98363617483646f6705");
	struct rd r = rd_over(w.buf, w.len);
	struct rd items;
	assert_int_equal(rlp_bytes(&r, &p, &n), DSTACK_E_FORMAT);
	assert_int_equal(rlp_list(&r, &items), DSTACK_OK);
	assert_int_equal(rlp_list(&items, &r), DSTACK_E_FORMAT);
	assert_int_equal(rlp_bytes(&items, &p, &n), DSTACK_OK);
	assert_int_equal(n, 3);
	assert_memory_equal(p, "cat", 3);
}

static void
a_failed_list_fails_the_whole(void **state)
{
	(void)state;
	AUTO_WR struct wr in = wr_new(2);
	AUTO_WR struct wr w = wr_new(0);
	rlp_put_bytes(&in, "cat", 3);
	rlp_put_list(&w, &in);
	assert_int_equal(wr_status(&w), DSTACK_E_LIMIT);
}

/* The vectors' "in" as RLP; false where it is a number over 64 bits. */
static bool
encode(const json_t *v, struct wr *w)
{
	size_t i;
	json_t *c;
	if (json_is_string(v)) {
		const char *s = json_string_value(v);
		if (json_string_length(v) != 0 && s[0] == '#')
			return false;
		rlp_put_bytes(w, s, json_string_length(v));
		return true;
	}
	if (json_is_integer(v)) {
		rlp_put_u64(w, (uint64_t)json_integer_value(v));
		return true;
	}
	AUTO_WR struct wr in = wr_new(0);
	json_array_foreach (v, i, c) {
		if (!encode(c, &in))
			return false;
	}
	rlp_put_list(w, &in);
	return true;
}

static void
walk(struct rd r)
{
	struct rd in;
	bool list;
	while (rd_left(&r) != 0) {
		assert_int_equal(rlp_item(&r, &list, &in), DSTACK_OK);
		if (list)
			walk(in);
	}
}

static void
the_public_vectors_encode_and_read_back(void **state)
{
	(void)state;
	FILE *f = fopen(VEC_DIR "eth/rlp/rlptest.json", "rb");
	if (f == NULL)
		return;
	json_t *all = json_loadf(f, JSON_ALLOW_NUL, NULL);
	(void)fclose(f);
	assert_non_null(all);
	const char *name;
	json_t *v;
	size_t done = 0;
	json_object_foreach (all, name, v) {
		const char *hex = json_string_value(json_object_get(v, "out"));
		size_t n;
		uint8_t *want = unhex(hex, &n);
		walk(rd_over(want, n));
		AUTO_WR struct wr w = wr_new(0);
		if (encode(json_object_get(v, "in"), &w)) {
			assert_int_equal(w.len, n);
			assert_memory_equal(w.buf, want, n);
			done++;
		}
		free(want);
	}
	assert_true(done > 20);
	json_decref(all);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers_have_one_encoding),
		cmocka_unit_test(numbers_with_leading_zeros_or_too_long_are_refused),
		cmocka_unit_test(longer_than_needed_encodings_are_refused),
		cmocka_unit_test(encodings_past_the_end_are_refused),
		cmocka_unit_test(lists_nest_and_keep_kinds_apart),
		cmocka_unit_test(a_failed_list_fails_the_whole),
		cmocka_unit_test(the_public_vectors_encode_and_read_back),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
