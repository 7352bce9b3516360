/* SPDX-License-Identifier: Apache-2.0 */
/* Verifying on P-256: which keys and signatures are none. */
#include <openssl/err.h>

#include "base/hex.h"
#include "dcap/p256.h"
#include "tests/unit/lib/dcap/dcap_sim.h"

static const char text[] = "signed";
#define TEXT text, sizeof(text) - 1

/* SEC 2, 2.4.2: the order of the base point, and the field's prime. */
#define ORDER "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551"
#define PRIME "ffffffff00000001000000000000000000000000ffffffffffffffffffffffff"

static void
sign(uint8_t xy[64], uint8_t sig[64])
{
	AUTO_KEY EVP_PKEY *key = sim_key("test/p256");
	assert_non_null(key);
	assert_true(sim_key_public(key, xy));
	assert_int_equal(sim_sign(key, TEXT, sig), DSTACK_OK);
}

static void
a_signature_holds_for_its_key_and_text_alone(void **state)
{
	(void)state;
	uint8_t xy[64], sig[64], other[64], none[64];
	sign(xy, sig);
	AUTO_KEY EVP_PKEY *b = sim_key("test/other");
	assert_true(sim_key_public(b, other));
	AUTO_P256 p256_key *k = p256_new(xy, NULL);
	AUTO_P256 p256_key *l = p256_new(other, k);
	AUTO_P256 p256_key *again = p256_new(xy, l); /* by a key like it */
	assert_non_null(k);
	assert_non_null(l);
	assert_non_null(again);
	assert_true(p256_verify(k, TEXT, sig));
	assert_true(p256_verify(again, TEXT, sig));
	assert_false(p256_verify(l, TEXT, sig));
	assert_false(p256_verify(k, text, sizeof(text), sig));
	assert_false(p256_verify(k, text, 0, sig));
	memset(none, 0, sizeof(none));
	assert_false(p256_verify(k, TEXT, none));
	for (size_t i = 0; i < 512; i++) {
		sig[i / 8] ^= (uint8_t)(1 << i % 8);
		assert_false(p256_verify(k, TEXT, sig));
		sig[i / 8] ^= (uint8_t)(1 << i % 8);
	}
}

/* 0, n and n + 1 in place of r or s. */
static void
parts_outside_of_the_group_are_refused(void **state)
{
	(void)state;
	static const char *const bad[] = {
		"0000000000000000000000000000000000000000000000000000000000000000",
		ORDER,
		"ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632552",
		"ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
	};
	uint8_t xy[64], good[64], sig[64];
	sign(xy, good);
	AUTO_P256 p256_key *k = p256_new(xy, NULL);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		for (size_t half = 0; half < 64; half += 32) {
			memcpy(sig, good, 64);
			assert_int_equal(
			    hex_decode(bad[i], 64, sig + half, 32), DSTACK_OK);
			assert_false(p256_verify(k, TEXT, sig));
		}
	}
	assert_int_equal(ERR_peek_error(), 0);
}

static void
points_off_the_curve_are_no_keys(void **state)
{
	(void)state;
	uint8_t xy[64], sig[64], bad[64];
	sign(xy, sig);
	AUTO_P256 p256_key *k = p256_new(xy, NULL);
	for (int with = 0; with < 2; with++) {
		const p256_key *like = with ? k : NULL;
		memset(bad, 0, 64); /* the point at infinity has no such form */
		assert_null(p256_new(bad, like));
		memcpy(bad, xy, 64);
		bad[63] ^= 1;
		assert_null(p256_new(bad, like));
		memcpy(bad, xy, 64);
		assert_int_equal(hex_decode(PRIME, 64, bad, 32), DSTACK_OK);
		assert_null(p256_new(bad, like));
	}
	/* a key that was only looked like is what it was */
	assert_true(p256_verify(k, TEXT, sig));
	assert_int_equal(ERR_peek_error(), 0);
}

int
main(void)
{
	const struct CMUnitTest t[] = {
		cmocka_unit_test(a_signature_holds_for_its_key_and_text_alone),
		cmocka_unit_test(parts_outside_of_the_group_are_refused),
		cmocka_unit_test(points_off_the_curve_are_no_keys),
	};
	return cmocka_run_group_tests(t, NULL, NULL);
}
