/* SPDX-License-Identifier: Apache-2.0 */
/* secp256k1: known points and signatures, and what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "crypto/hash.h"
#include "crypto/init.h"
#include "crypto/secp.h"
#include "tests/unit/lib/vec.h"

static struct secret32
key_of(const char *hex)
{
	struct secret32 k;
	assert_int_equal(hex_decode(hex, strlen(hex), k.b, 32), DSTACK_OK);
	return k;
}

#define KEY0 "ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80"
#define ORDER "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141"

static void
a_key_has_its_address_in_eip55_text(void **state)
{
	(void)state;
	struct secret32 k = key_of(KEY0);
	uint8_t a[20];
	char text[43];
	assert_int_equal(secp_address(&k, a), DSTACK_OK);
	eip55(a, text);
	assert_string_equal(text, "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266");
	assert_int_equal(hex_decode(
	    "5aaeb6053f3e94c9b9a09f33669435e7ef1beaed", 40, a, 20), DSTACK_OK);
	eip55(a, text);
	assert_string_equal(text, "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed");
}

static void
keys_outside_the_group_are_refused(void **state)
{
	(void)state;
	struct secret32 zero = { { 0 } };
	struct secret32 n = key_of(ORDER);
	uint8_t out[SECP_SIG_LEN];
	uint8_t d[32] = { 1 };
	assert_int_equal(secp_public(&zero, out), DSTACK_E_REJECTED);
	assert_int_equal(secp_address(&n, out), DSTACK_E_REJECTED);
	assert_int_equal(secp_sign(&n, d, NULL, out), DSTACK_E_REJECTED);
	n.b[31]--;
	assert_int_equal(secp_address(&n, out), DSTACK_OK);
}

static void
what_a_key_signs_recovers_to_its_address(void **state)
{
	(void)state;
	struct secret32 k = key_of(KEY0);
	uint8_t d[32];
	uint8_t e[32] = { 9 };
	uint8_t sig[SECP_SIG_LEN];
	uint8_t hedged[SECP_SIG_LEN];
	uint8_t want[20];
	uint8_t got[20];
	assert_int_equal(secp_address(&k, want), DSTACK_OK);
	for (uint8_t i = 0; i < 16; i++) {
		keccak256(&i, 1, d);
		assert_int_equal(secp_sign(&k, d, NULL, sig), DSTACK_OK);
		assert_int_equal(secp_recover(d, sig, got), DSTACK_OK);
		assert_memory_equal(got, want, 20);
		assert_int_equal(secp_sign(&k, d, e, hedged), DSTACK_OK);
		assert_memory_not_equal(sig, hedged, 64);
		assert_int_equal(secp_recover(d, hedged, got), DSTACK_OK);
		assert_memory_equal(got, want, 20);
		sig[64] ^= 27 ^ 28;
		if (secp_recover(d, sig, got) == DSTACK_OK)
			assert_memory_not_equal(got, want, 20);
	}
}

static void
blinding_changes_no_signature(void **state)
{
	(void)state;
	struct secret32 k = key_of(KEY0);
	uint8_t d[32] = { 3 };
	uint8_t blind[32] = { 77 };
	uint8_t before[SECP_SIG_LEN];
	uint8_t after[SECP_SIG_LEN];
	assert_int_equal(secp_sign(&k, d, NULL, before), DSTACK_OK);
	assert_int_equal(crypto_init(blind), DSTACK_OK);
	assert_int_equal(secp_sign(&k, d, NULL, after), DSTACK_OK);
	assert_memory_equal(before, after, sizeof(after));
}

static void
a_high_s_twin_is_refused(void **state)
{
	(void)state;
	struct secret32 k = key_of(KEY0);
	struct secret32 n = key_of(ORDER);
	uint8_t d[32] = { 3 };
	uint8_t sig[SECP_SIG_LEN];
	uint8_t a[20];
	assert_int_equal(secp_sign(&k, d, NULL, sig), DSTACK_OK);
	/* s := n - s, v flipped: the same signer, malleated */
	int borrow = 0;
	for (int i = 31; i >= 0; i--) {
		int v = n.b[i] - sig[32 + i] - borrow;
		borrow = v < 0;
		sig[32 + i] = (uint8_t)(v & 0xff);
	}
	sig[64] ^= 27 ^ 28;
	assert_int_equal(secp_recover(d, sig, a), DSTACK_E_REJECTED);
}

static void
odd_v_and_zero_parts_are_refused(void **state)
{
	(void)state;
	struct secret32 k = key_of(KEY0);
	uint8_t d[32] = { 3 };
	uint8_t sig[SECP_SIG_LEN];
	uint8_t bad[SECP_SIG_LEN];
	uint8_t a[20];
	const uint8_t vs[] = { 0, 1, 26, 29, 30, 255 };
	assert_int_equal(secp_sign(&k, d, NULL, sig), DSTACK_OK);
	for (size_t i = 0; i < sizeof(vs); i++) {
		memcpy(bad, sig, sizeof(bad));
		bad[64] = vs[i];
		assert_int_equal(secp_recover(d, bad, a), DSTACK_E_REJECTED);
	}
	memcpy(bad, sig, sizeof(bad));
	memset(bad, 0, 32);
	assert_int_equal(secp_recover(d, bad, a), DSTACK_E_REJECTED);
	memcpy(bad, sig, sizeof(bad));
	memset(bad + 32, 0, 32);
	assert_int_equal(secp_recover(d, bad, a), DSTACK_E_REJECTED);
	memcpy(bad, sig, sizeof(bad));
	memset(bad, 0xff, 32);
	assert_int_equal(secp_recover(d, bad, a), DSTACK_E_REJECTED);
}

/*
 * Points whose x is at or above the group order recover with v 29 or 30 in
 * the library's own numbering; Ethereum's contracts know 27 and 28 alone.
 */
static void
points_above_the_group_order_are_refused(void **state)
{
	(void)state;
	uint8_t d[32] = { 3 };
	uint8_t sig[SECP_SIG_LEN] = { 0 };
	uint8_t a[20];
	sig[63] = 1;
	for (uint8_t r = 1; r < 20; r++) {
		sig[31] = r;
		sig[64] = 29;
		assert_int_equal(secp_recover(d, sig, a), DSTACK_E_REJECTED);
		sig[64] = 30;
		assert_int_equal(secp_recover(d, sig, a), DSTACK_E_REJECTED);
	}
}

static void
addresses_of_the_public_vectors_match(void **state)
{
	(void)state;
	json_t *j = vec_json("eth/tx/keyaddrtest.json");
	size_t i;
	json_t *v;
	json_array_foreach (j, i, v) {
		struct secret32 k =
		    key_of(json_string_value(json_object_get(v, "key")));
		uint8_t a[20];
		assert_int_equal(secp_address(&k, a), DSTACK_OK);
		assert_hex(a, 20, json_string_value(json_object_get(v, "addr")));
	}
	json_decref(j);
}

/* Points that SEC 2 and everybody's tables have: 1, 2 and n - 1 times G. */
static void
small_keys_have_their_known_points(void **state)
{
	static const struct {
		const char *key, *compressed;
	} known[] = {
		{ "0000000000000000000000000000000000000000000000000000000000"
		  "000001",
		    "0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b"
		    "16f81798" },
		{ "0000000000000000000000000000000000000000000000000000000000"
		  "000002",
		    "02c6047f9441ed7d6d3045406e95c07cd85c778e4b8cef3ca7abac09b9"
		    "5c709ee5" },
		{ "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0"
		  "364140",
		    "0379be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b"
		    "16f81798" },
	};
	(void)state;
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		const struct secret32 k = key_of(known[i].key);
		uint8_t pub[33];
		assert_int_equal(secp_compressed(&k, pub), DSTACK_OK);
		assert_hex(pub, 33, known[i].compressed);
	}
}

/* RFC 6979's nonce by SHA-256, as bitcoin's libraries publish it for key 1. */
static void
a_signature_without_entropy_is_rfc_6979s(void **state)
{
	const struct secret32 k = key_of("0000000000000000000000000000000000000"
					 "000000000000000000000000001");
	static const char text[] = "Satoshi Nakamoto";
	uint8_t d[32];
	uint8_t sig[SECP_SIG_LEN];
	(void)state;
	sha256(text, sizeof(text) - 1, d);
	assert_int_equal(secp_sign(&k, d, NULL, sig), DSTACK_OK);
	assert_hex(sig, 64,
	    "934b1ea10a4b3c1757e2b0c017d0b6143ce3c9a7e6a4a49860d7a6ab210ee3d8"
	    "2442ce9d2b916064108014783e923ec36b49743e2ffa1c4496f01a512aafd9e5");
}

static void
secp_verifies_its_own_and_no_high_s_or_other_point(void **state)
{
	(void)state;
	/* n - s of a signature is its twin, which is refused */
	static const uint8_t order[32] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
		0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfe,
		0xba, 0xae, 0xdc, 0xe6, 0xaf, 0x48, 0xa0, 0x3b, 0xbf, 0xd2,
		0x5e, 0x8c, 0xd0, 0x36, 0x41, 0x41 };
	struct secret32 key = { { 1, 2, 3 } };
	uint8_t digest[32] = { 7 };
	uint8_t pub[33], full[65], sig[65], twin[64];
	assert_int_equal(secp_compressed(&key, pub), DSTACK_OK);
	assert_int_equal(secp_public(&key, full + 1), DSTACK_OK);
	full[0] = 4;
	assert_memory_equal(pub + 1, full + 1, 32);
	assert_int_equal(pub[0], 2 + (full[64] & 1));
	assert_int_equal(secp_sign(&key, digest, NULL, sig), DSTACK_OK);
	assert_int_equal(secp_verify(digest, sig, pub, 33), DSTACK_OK);
	assert_int_equal(secp_verify(digest, sig, full, 65), DSTACK_OK);
	memcpy(twin, sig, 64);
	int borrow = 0;
	for (int i = 31; i >= 0; i--) {
		int v = order[i] - sig[32 + i] - borrow;
		borrow = v < 0;
		twin[32 + i] = (uint8_t)v;
	}
	assert_int_equal(
	    secp_verify(digest, twin, pub, 33), DSTACK_E_REJECTED);
	digest[0] ^= 1;
	assert_int_equal(secp_verify(digest, sig, pub, 33), DSTACK_E_REJECTED);
	for (size_t n = 0; n < 33; n++)
		assert_int_equal(
		    secp_verify(digest, sig, pub, n), DSTACK_E_FORMAT);
	/* the library would end the process */
	assert_int_equal(secp_verify(digest, sig, NULL, 0), DSTACK_E_FORMAT);
	pub[0] = 5;
	assert_int_equal(secp_verify(digest, sig, pub, 33), DSTACK_E_FORMAT);
	memset(key.b, 0, 32);
	assert_int_equal(secp_compressed(&key, pub), DSTACK_E_REJECTED);
}

int
main(void)
{
	const struct CMUnitTest t[] = {
		cmocka_unit_test(a_key_has_its_address_in_eip55_text),
		cmocka_unit_test(keys_outside_the_group_are_refused),
		cmocka_unit_test(small_keys_have_their_known_points),
		cmocka_unit_test(a_signature_without_entropy_is_rfc_6979s),
		cmocka_unit_test(what_a_key_signs_recovers_to_its_address),
		cmocka_unit_test(blinding_changes_no_signature),
		cmocka_unit_test(a_high_s_twin_is_refused),
		cmocka_unit_test(odd_v_and_zero_parts_are_refused),
		cmocka_unit_test(points_above_the_group_order_are_refused),
		cmocka_unit_test(addresses_of_the_public_vectors_match),
		cmocka_unit_test(secp_verifies_its_own_and_no_high_s_or_other_point),
	};
	return cmocka_run_group_tests(t, NULL, NULL);
}
