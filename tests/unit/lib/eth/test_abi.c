/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "crypto/hash.h"
#include "eth/abi.h"
#include "eth/eip712.h"
#include "tests/unit/lib/vec.h"

#define Z12 "000000000000000000000000"
#define Z24 Z12 Z12
#define W(x) Z24 "00000000000000" x /* a word ending in one byte */

static void
a_call_has_selector_heads_and_tails(void **state)
{
	(void)state;
	AUTO_WR struct wr w = wr_new(0);
	struct abi_enc e = abi_begin("set_container(string)");
	abi_bytes(&e, "xxxxxxxxxxxxx", 13);
	assert_int_equal(abi_end(&e, &w), DSTACK_OK);
	assert_hex(w.buf, w.len, "192845e8" W("20") W("0d")
	    "78787878787878787878787878" "00000000000000000000000000000000000000");
}

static void
dynamic_and_fixed_arguments_mix(void **state)
{
	(void)state;
	AUTO_WR struct wr w = wr_new(0);
	uint8_t words[64] = { 0 };
	uint8_t ten[32] = { '1', '2', '3', '4', '5', '6', '7', '8', '9', '0' };
	words[30] = 0x04;
	words[31] = 0x56;
	words[62] = 0x07;
	words[63] = 0x89;
	/* f(uint256,uint32[],bytes10,bytes) of the Solidity specification */
	struct abi_enc e = abi_begin("f(uint256,uint32[],bytes10,bytes)");
	abi_u64(&e, 0x123);
	abi_words(&e, words, 2);
	abi_word(&e, ten);
	abi_bytes(&e, "Hello, world!", 13);
	assert_int_equal(abi_end(&e, &w), DSTACK_OK);
	assert_hex(w.buf, w.len,
	    "8be65246"
	    Z24 "0000000000000123" W("80")
	    "31323334353637383930" "00000000000000000000000000000000000000000000"
	    W("e0") W("02") Z24 "0000000000000456" Z24 "0000000000000789" W("0d")
	    "48656c6c6f2c20776f726c6421" "00000000000000000000000000000000000000");
}

static void
fixed_words_are_left_padded(void **state)
{
	(void)state;
	AUTO_WR struct wr w = wr_new(0);
	uint8_t a[20];
	memset(a, 0xab, sizeof(a));
	struct abi_enc e = abi_begin(NULL);
	abi_addr(&e, a);
	abi_bool(&e, true);
	assert_int_equal(abi_end(&e, &w), DSTACK_OK);
	assert_hex(w.buf, w.len,
	    Z12 "abababababababababababababababababababab" W("01"));
	struct rd r = rd_over(w.buf, w.len);
	uint8_t b[20];
	bool v = false;
	assert_int_equal(abi_rd_addr(&r, b), DSTACK_OK);
	assert_memory_equal(a, b, 20);
	assert_int_equal(abi_rd_bool(&r, &v), DSTACK_OK);
	assert_true(v);
	assert_int_equal(abi_rd_word(&r, w.buf), DSTACK_E_TRUNCATED);
}

static void
too_many_arguments_are_a_limit(void **state)
{
	(void)state;
	AUTO_WR struct wr w = wr_new(0);
	struct abi_enc e = abi_begin(NULL);
	for (size_t i = 0; i < ABI_MAX_ARGS + 1; i++)
		abi_bytes(&e, "x", 1);
	assert_int_equal(abi_end(&e, &w), DSTACK_E_LIMIT);
	assert_int_equal(w.len, 0);
}

static enum dstack_status
read_bytes(const char *hex, size_t max)
{
	size_t n;
	uint8_t *b = unhex(hex, &n);
	struct rd base = rd_over(b, n);
	struct rd r = base;
	const uint8_t *p;
	size_t len;
	enum dstack_status st = abi_rd_bytes(&r, &base, max, &p, &len);
	if (st == DSTACK_OK)
		assert_int_equal(r.pos, 32);
	else
		assert_int_equal(r.pos, 0);
	free(b);
	return st;
}

#define HI "6869" "000000000000000000000000000000000000000000000000000000000000"

static void
dirty_words_are_refused(void **state)
{
	(void)state;
	size_t n;
	uint8_t *b = unhex("01" Z24 "000000000000" "02", &n);
	struct rd r = rd_over(b, n);
	uint64_t v;
	uint8_t a[20];
	bool t;
	assert_int_equal(abi_rd_u64(&r, &v), DSTACK_E_FORMAT);
	assert_int_equal(abi_rd_addr(&r, a), DSTACK_E_FORMAT);
	assert_int_equal(abi_rd_bool(&r, &t), DSTACK_E_FORMAT);
	b[0] = 0;
	assert_int_equal(abi_rd_bool(&r, &t), DSTACK_E_FORMAT);
	assert_int_equal(r.pos, 0);
	assert_int_equal(abi_rd_u64(&r, &v), DSTACK_OK);
	assert_int_equal(v, 2);
	free(b);
}

static void
dynamic_bytes_are_read_within_their_bounds(void **state)
{
	(void)state;
	assert_int_equal(read_bytes(W("20") W("02") HI, 2), DSTACK_OK);
	assert_int_equal(read_bytes(W("20") W("00"), 2), DSTACK_OK);
	assert_int_equal(read_bytes(W("20") W("02") HI, 1), DSTACK_E_LIMIT);
	assert_int_equal(
	    read_bytes(W("20") W("02") "6869", 2), DSTACK_E_TRUNCATED);
	assert_int_equal(read_bytes(W("20") W("01") HI, 2), DSTACK_E_FORMAT);
	assert_int_equal(read_bytes(W("21") W("02") HI, 2), DSTACK_E_FORMAT);
	assert_int_equal(read_bytes(W("80") W("02") HI, 2), DSTACK_E_TRUNCATED);
	assert_int_equal(
	    read_bytes(Z24 "ffffffffffffffe0" W("02") HI, 2),
	    DSTACK_E_TRUNCATED);
	assert_int_equal(read_bytes(W("20") Z24 "ffffffffffffffff" HI, SIZE_MAX),
	    DSTACK_E_TRUNCATED);
}

/* EIP-712's domain separator by hand, from its definition. */
static void
typed_data_hashes_as_eip712_says(void **state)
{
	(void)state;
	struct eip712_domain d = { 31337, { 0x5f, 0xbd } };
	uint8_t sep[32];
	uint8_t want[32];
	uint8_t m[160] = { 0 };
	static const char type[] =
	    "EIP712Domain(string name,string version,"
	    "uint256 chainId,address verifyingContract)";
	keccak256(type, sizeof(type) - 1, m);
	assert_hex(m, 32,
	    "8b73c3c69bb8fe3d512ecc4cf759cc79239f7b179b0ffacaa9a75d522b39400f");
	keccak256("dstack2", 7, m + 32);
	keccak256("1", 1, m + 64);
	m[126] = 31337 >> 8;
	m[127] = 31337 & 0xff;
	m[140] = 0x5f;
	m[141] = 0xbd;
	keccak256(m, sizeof(m), want);
	eip712_separator(&d, sep);
	assert_memory_equal(sep, want, 32);

	uint8_t all[66] = { 0x19, 0x01 };
	uint8_t st[96] = { 0 };
	uint8_t got[32];
	keccak256("T(uint64 a,bytes b)", 19, st);
	st[63] = 7;
	keccak256("xyz", 3, st + 64);
	memcpy(all + 2, sep, 32);
	keccak256(st, sizeof(st), all + 34);
	keccak256(all, sizeof(all), want);
	struct eip712 s = eip712_begin("T(uint64 a,bytes b)");
	eip712_u64(&s, 7);
	eip712_bytes(&s, "xyz", 3);
	eip712_digest(&s, &d, got);
	assert_memory_equal(got, want, 32);
}

static void
put_arg(struct abi_enc *e, const char *type, size_t typelen, const char *v)
{
	uint8_t w[32] = { 0 };
	uint8_t a[20];
	if (typelen == 6 && memcmp(type, "string", 6) == 0) {
		abi_bytes(e, v, strlen(v));
	} else if (typelen == 5 && memcmp(type, "bytes", 5) == 0) {
		size_t n;
		uint8_t *p = unhex(v, &n);
		abi_bytes(e, p, n);
		free(p);
	} else if (typelen == 7 && memcmp(type, "address", 7) == 0) {
		assert_int_equal(hex_decode(v, strlen(v), a, 20), DSTACK_OK);
		abi_addr(e, a);
	} else { /* bytesN */
		assert_int_equal(
		    hex_decode(v, strlen(v), w, strlen(v) / 2 - 1), DSTACK_OK);
		abi_word(e, w);
	}
}

static void
calls_of_the_public_vectors_match(void **state)
{
	(void)state;
	json_t *j = vec_json("eth/abi/cast_keymanager.json");
	size_t i;
	size_t k;
	json_t *c;
	json_t *a;
	json_array_foreach (json_object_get(j, "calls"), i, c) {
		const char *sig = json_string_value(json_object_get(c, "sig"));
		const char *t = strchr(sig, '(') + 1;
		struct abi_enc e = abi_begin(sig);
		AUTO_WR struct wr w = wr_new(0);
		json_array_foreach (json_object_get(c, "args"), k, a) {
			size_t len = strcspn(t, ",)");
			put_arg(&e, t, len, json_string_value(a));
			t += len + 1;
		}
		assert_int_equal(abi_end(&e, &w), DSTACK_OK);
		assert_hex(w.buf, w.len,
		    json_string_value(json_object_get(c, "calldata")));
	}
	json_array_foreach (json_object_get(j, "events"), i, c) {
		const char *ev = json_string_value(json_object_get(c, "event"));
		uint8_t h[32];
		keccak256(ev, strlen(ev), h);
		assert_hex(h, 32, json_string_value(json_object_get(c, "topic0")));
	}
	json_decref(j);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_call_has_selector_heads_and_tails),
		cmocka_unit_test(dynamic_and_fixed_arguments_mix),
		cmocka_unit_test(fixed_words_are_left_padded),
		cmocka_unit_test(too_many_arguments_are_a_limit),
		cmocka_unit_test(dirty_words_are_refused),
		cmocka_unit_test(dynamic_bytes_are_read_within_their_bounds),
		cmocka_unit_test(typed_data_hashes_as_eip712_says),
		cmocka_unit_test(calls_of_the_public_vectors_match),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
