/* SPDX-License-Identifier: Apache-2.0 */
/* Hashes against published known answers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "crypto/hash.h"
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

/* FIPS 180-4's longer examples, whole and in pieces at every place. */
static void
longer_texts_match_fips_180_by_pieces_and_by_stream(void **state)
{
	static const char text[] =
	    "abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmno"
	    "ijklmnopjklmnopqklmnopqrlmnopqrsmnopqrstnopqrstu";
	const size_t n = sizeof(text) - 1;
	uint8_t h[48];
	(void)state;
	for (size_t cut = 0; cut <= n; cut++) {
		const struct piece v[] = { { text, cut },
			{ text + cut, n - cut } };
		sha256v(v, 2, h);
		assert_hex(h, 32, "cf5b16a778af8380036ce59e7b049237"
				  "0b249b11e8f07a51afac45037afee9d1");
		struct hasher *s = hasher_new(HASHER_SHA384);
		assert_non_null(s);
		hasher_update(s, text, cut);
		hasher_update(s, text + cut, n - cut);
		hasher_final(s, h);
		assert_hex(h, 48,
		    "09330c33f71147e83d192fc782cd1b4753111b173b3b05d2"
		    "2fa08086e3b0f712fcc7c71a557e2db966c3e9fa91746039");
	}
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

int
main(void)
{
	const struct CMUnitTest t[] = {
		cmocka_unit_test(keccak_has_ethereums_padding),
		cmocka_unit_test(keccak_pieces_hash_as_the_whole_at_every_block_edge),
		cmocka_unit_test(sha2_matches_fips_180),
		cmocka_unit_test(longer_texts_match_fips_180_by_pieces_and_by_stream),
		cmocka_unit_test(hmac_matches_rfc_4231),
		cmocka_unit_test(hkdf_matches_rfc_5869),
		cmocka_unit_test(keyed_blake2b_matches_the_protocols_answers),
	};
	return cmocka_run_group_tests(t, NULL, NULL);
}
