/* SPDX-License-Identifier: Apache-2.0 */
/* Hashes and signatures against published known answers. */
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

static void
keccak_has_ethereums_padding(void **state)
{
	(void)state;
	uint8_t h[32];
	keccak256("", 0, h);
	assert_hex(h, 32,
	    "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470");
	keccak256("abc", 3, h);
	assert_hex(h, 32,
	    "4e03657aea45a94fc7d47ba826c8d667c0d1e6e33a64a036ec44f58fa12d6c45");
}

static void
keccak_pieces_hash_as_the_whole_at_every_block_edge(void **state)
{
	(void)state;
	uint8_t in[300];
	uint8_t a[32];
	uint8_t b[32];
	uint8_t seen[32] = { 0 };
	for (size_t i = 0; i < sizeof(in); i++)
		in[i] = (uint8_t)(i * 7);
	for (size_t n = 130; n <= sizeof(in); n++) {
		struct piece v[] = { { in, 1 }, { NULL, 0 }, { in + 1, 128 },
			{ in + 129, n - 129 } };
		keccak256(in, n, a);
		keccak256v(v, 4, b);
		assert_memory_equal(a, b, 32);
		assert_memory_not_equal(a, seen, 32);
		memcpy(seen, a, 32);
	}
}

static void
sha2_matches_fips_180(void **state)
{
	(void)state;
	uint8_t h[48];
	struct piece v[] = { { "a", 1 }, { NULL, 0 }, { "bc", 2 } };
	sha256("abc", 3, h);
	assert_hex(h, 32,
	    "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	sha256v(v, 3, h);
	assert_hex(h, 32,
	    "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	sha384("abc", 3, h);
	assert_hex(h, 48,
	    "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed"
	    "8086072ba1e7cc2358baeca134c825a7");
	sha384v(v, 3, h);
	assert_hex(h, 4, "cb00753f");
	struct hasher *s = hasher_new(HASHER_SHA384);
	assert_non_null(s);
	hasher_update(s, "ab", 2);
	hasher_update(s, "c", 1);
	hasher_final(s, h);
	assert_hex(h, 4, "cb00753f");
	s = hasher_new(HASHER_SHA256);
	assert_non_null(s);
	hasher_update(s, "abc", 3);
	hasher_final(s, h);
	assert_hex(h, 4, "ba7816bf");
}

static void
hmac_matches_rfc_4231(void **state)
{
	(void)state;
	uint8_t h[32];
	hmac_sha256("Jefe", 4, "what do ya want for nothing?", 28, h);
	assert_hex(h, 32,
	    "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
}

static void
hkdf_matches_rfc_5869(void **state)
{
	(void)state;
	uint8_t ikm[22];
	uint8_t salt[13];
	uint8_t info[10];
	uint8_t prk[32];
	uint8_t okm[42];
	memset(ikm, 0x0b, sizeof(ikm));
	for (size_t i = 0; i < sizeof(salt); i++)
		salt[i] = (uint8_t)i;
	for (size_t i = 0; i < sizeof(info); i++)
		info[i] = (uint8_t)(0xf0 + i);
	hkdf_extract(salt, sizeof(salt), ikm, sizeof(ikm), prk);
	assert_hex(prk, 32,
	    "077709362c2e32df0ddc3f0dc47bba6390b6c73bb50f9c3122ec844ad7c2b3e5");
	assert_int_equal(hkdf_expand(prk, info, sizeof(info), okm, 42), DSTACK_OK);
	assert_hex(okm, 42,
	    "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf"
	    "34007208d5b887185865");
	/* RFC 5869 A.3: no salt, no info */
	hkdf_extract(NULL, 0, ikm, sizeof(ikm), prk);
	assert_int_equal(hkdf_expand(prk, NULL, 0, okm, 42), DSTACK_OK);
	assert_hex(okm, 42,
	    "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d"
	    "9d201395faa4b61a96c8");
	assert_int_equal(
	    hkdf_expand(prk, NULL, 0, okm, 255 * 32 + 1), DSTACK_E_LIMIT);
}

static void
keyed_blake2b_matches_the_protocols_answers(void **state)
{
	(void)state;
	uint8_t key[32];
	uint8_t h[32];
	for (size_t i = 0; i < sizeof(key); i++)
		key[i] = (uint8_t)i;
	blake2b256_keyed(key, "unstoppable_tls", 15, h);
	assert_hex(h, 32,
	    "a3fe6db815273ddec3914e59ba3c2c0a8cf414638caeeff27adb07e73847182c");
	blake2b256_keyed(key, "s", 1, h);
	assert_hex(h, 32,
	    "869e0886498e97b5f17cadb104b5b8b70b0dcf8e3e372ee5c1262240dfffae54");
}

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

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keccak_has_ethereums_padding),
		cmocka_unit_test(
		    keccak_pieces_hash_as_the_whole_at_every_block_edge),
		cmocka_unit_test(sha2_matches_fips_180),
		cmocka_unit_test(hmac_matches_rfc_4231),
		cmocka_unit_test(hkdf_matches_rfc_5869),
		cmocka_unit_test(keyed_blake2b_matches_the_protocols_answers),
		cmocka_unit_test(a_key_has_its_address_in_eip55_text),
		cmocka_unit_test(keys_outside_the_group_are_refused),
		cmocka_unit_test(what_a_key_signs_recovers_to_its_address),
		cmocka_unit_test(blinding_changes_no_signature),
		cmocka_unit_test(a_high_s_twin_is_refused),
		cmocka_unit_test(odd_v_and_zero_parts_are_refused),
		cmocka_unit_test(points_above_the_group_order_are_refused),
		cmocka_unit_test(addresses_of_the_public_vectors_match),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
