/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Signatures of a committee of eight: under every set of signers, with the
 * carried sum right and wrong, with keys that are none, that stand twice and
 * that cancel out. Sums are checked against signatures made key by key.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/lib/beacon/lcmake.h"

#define N 8u
static const uint8_t msg[32] = { 1 };
static struct mk_committee made;
/* The signature of each key alone, and the message's point. */
static blst_p2 single[N], hashed;
static const char tag[] = "BLS_SIG_BLS12381G2_XMD:SHA-256_SSWU_RO_POP_";

static int
setup(void **state)
{
	(void)state;
	mk_committee(N, 1, &made);
	blst_hash_to_g2(&hashed, msg, 32, (const byte *)tag, sizeof(tag) - 1,
	    NULL, 0);
	for (uint32_t i = 0; i < N; i++) {
		blst_scalar sk;
		mk_secret(1, i, &sk);
		blst_sign_pk_in_g1(&single[i], &hashed, &sk);
	}
	return 0;
}

/* The sum of the signatures of those whose bit is set. */
static void
signed_by(unsigned bits, uint8_t sig[96])
{
	blst_p2 sum = { 0 };
	for (unsigned i = 0; i < N; i++)
		if ((bits >> i & 1) != 0)
			blst_p2_add_or_double(&sum, &sum, &single[i]);
	blst_p2_compress(sig, &sum);
}

/* Is it good under c, with these bits? Twice, as keys are kept. */
static bool
good(const struct mk_committee *c, unsigned bits, const uint8_t sig[96])
{
	uint8_t b = (uint8_t)bits;
	struct bls_keys *k = bls_keys_new(c->keys, c->aggregate, N);
	assert_non_null(k);
	bool yes = bls_verify(k, &b, msg, sig);
	assert_int_equal(bls_verify(k, &b, msg, sig), yes);
	bls_keys_free(k);
	return yes;
}

static void
every_set_of_signers_is_its_own(void **state)
{
	(void)state;
	uint8_t sig[96], other[32] = { 2 }, b;
	struct bls_keys *k = bls_keys_new(made.keys, made.aggregate, N);
	for (unsigned bits = 1; bits < 1u << N; bits++) {
		b = (uint8_t)bits;
		signed_by(bits, sig);
		assert_true(bls_verify(k, &b, msg, sig));
		assert_false(bls_verify(k, &b, other, sig));
		b = (uint8_t)(bits ^ 1u << bits % N);
		assert_false(bls_verify(k, &b, msg, sig));
	}
	bls_keys_free(k);
}

/* The specification does not look at it, so a wrong one refuses nothing. */
static void
a_carried_sum_that_is_wrong_changes_nothing(void **state)
{
	(void)state;
	struct mk_committee c = made;
	uint8_t sig[96];
	for (unsigned how = 0; how < 4; how++) {
		memset(c.aggregate, how == 1 ? 0xff : 0, 48);
		if (how == 2)
			c.aggregate[0] = 0xc0; /* infinity */
		if (how == 3)
			memcpy(c.aggregate, made.keys, 48);
		for (unsigned bits = 0x7f; bits <= 0xff; bits += 0x40) {
			signed_by(bits, sig);
			assert_true(good(&c, bits, sig));
			assert_false(good(&c, bits ^ 1, sig));
		}
	}
}

static void
a_key_that_is_none_signs_nothing(void **state)
{
	(void)state;
	uint8_t sig[96];
	for (unsigned how = 0; how < 3; how++) {
		struct mk_committee c = made;
		memset(c.keys + 48, how == 1 ? 0xff : 0, 48);
		if (how == 2)
			c.keys[48] = 0xc0;
		/* it did not sign: the others are added up without it */
		signed_by(0xfd, sig);
		assert_true(good(&c, 0xfd, sig));
		/* it did: with a sum that does not hold it, nothing is had */
		memset(c.aggregate, 0xff, 48);
		assert_false(good(&c, 0xff, sig));
		signed_by(0xff, sig);
		assert_false(good(&c, 0xff, sig));
	}
}

static void
a_key_may_stand_twice(void **state)
{
	(void)state;
	struct mk_committee c = made;
	uint8_t sig[96];
	blst_p2 two;
	memcpy(c.keys + 48, c.keys, 48);
	blst_p2_add_or_double(&two, &single[0], &single[0]);
	blst_p2_compress(sig, &two);
	assert_true(good(&c, 3, sig));
	blst_p2_compress(sig, &single[0]);
	assert_false(good(&c, 3, sig));
	assert_true(good(&c, 1, sig));
	assert_true(good(&c, 2, sig));
}

/* Nobody, and a key with its opposite: the signature "infinity" is no yes. */
static void
a_sum_at_infinity_is_no_key(void **state)
{
	(void)state;
	struct mk_committee c = made;
	uint8_t infinity[96] = { 0xc0 }, sig[96];
	assert_false(good(&c, 0, infinity));
	memcpy(c.keys + 48, c.keys, 48);
	c.keys[48] ^= 0x20; /* the sign of a compressed point */
	assert_false(good(&c, 3, infinity));
	signed_by(1, sig);
	assert_false(good(&c, 3, sig));
	/* the carried sum less the others is infinity as well */
	memcpy(c.aggregate, made.keys + 48 * 7, 48);
	assert_false(good(&c, 0x7f, infinity));
	for (unsigned i = 0; i < N; i++)
		memcpy(c.keys + 48 * (size_t)i, made.keys, 48);
	memcpy(c.aggregate, made.keys, 48);
	assert_false(good(&c, 0x7f, infinity));
}

static void
what_is_no_signature_is_refused(void **state)
{
	(void)state;
	uint8_t sig[96];
	memset(sig, 0xff, 96);
	assert_false(good(&made, 0xff, sig));
	memset(sig, 0, 96);
	assert_false(good(&made, 0xff, sig));
	sig[0] = 0xc0;
	assert_false(good(&made, 0xff, sig));
	/* every bit of a good one */
	signed_by(0xff, sig);
	for (unsigned i = 0; i < 96 * 8; i++) {
		sig[i / 8] ^= (uint8_t)(1u << i % 8);
		assert_false(good(&made, 0xff, sig));
		sig[i / 8] ^= (uint8_t)(1u << i % 8);
	}
	assert_true(good(&made, 0xff, sig));
}

static void
keys_are_known_again(void **state)
{
	(void)state;
	struct mk_committee c = made;
	struct bls_keys *k = bls_keys_new(c.keys, c.aggregate, N);
	assert_true(bls_keys_are(k, c.keys, c.aggregate));
	c.keys[48 * N - 1] ^= 1;
	assert_false(bls_keys_are(k, c.keys, c.aggregate));
	c = made;
	c.aggregate[47] ^= 1;
	assert_false(bls_keys_are(k, c.keys, c.aggregate));
	/* they are copies */
	memset(&c, 0, sizeof(c));
	assert_true(bls_keys_are(k, made.keys, made.aggregate));
	bls_keys_free(k);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_set_of_signers_is_its_own),
		cmocka_unit_test(a_carried_sum_that_is_wrong_changes_nothing),
		cmocka_unit_test(a_key_that_is_none_signs_nothing),
		cmocka_unit_test(a_key_may_stand_twice),
		cmocka_unit_test(a_sum_at_infinity_is_no_key),
		cmocka_unit_test(what_is_no_signature_is_refused),
		cmocka_unit_test(keys_are_known_again),
	};
	return cmocka_run_group_tests(tests, setup, NULL);
}
