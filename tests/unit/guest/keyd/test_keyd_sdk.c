/* SPDX-License-Identifier: Apache-2.0 */
/* keyd's keys and signatures in the SDK's form. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "crypto/ed25519.h"
#include "crypto/hash.h"
#include "guest/tls/cert.h"
#include "protocol/sdk.h"
#include "tests/unit/guest/keyd/keyd_bed.h"

static const uint8_t app_a[32] = { 0xaa };
static const uint8_t app_b[32] = { 0xbb };

static void
key_request(struct wr *q, const uint8_t *app, uint8_t alg, const char *path,
    const char *purpose)
{
	wr_free(q);
	wr_put(q, app, 32);
	wr_u8(q, alg);
	wr_text(q, path);
	wr_text(q, purpose);
}

/* The address that made a signature whose v is 0 or 1. */
static void
address_of(const uint8_t *sig01, const uint8_t digest[32], uint8_t addr[20])
{
	uint8_t sig[65];
	memcpy(sig, sig01, 65);
	assert_true(sig[64] <= 1);
	sig[64] = (uint8_t)(sig[64] + 27);
	assert_int_equal(secp_recover(digest, sig, addr), DSTACK_OK);
}

static void
keys_differ_by_app_kind_path_and_purpose_and_stay_the_same(void **state)
{
	(void)state;
	static const struct {
		const uint8_t *app;
		uint8_t alg;
		const char *path, *purpose;
	} of[] = {
		{ app_a, SDK_SECP256K1, "", "" },
		{ app_b, SDK_SECP256K1, "", "" },
		{ app_a, SDK_ED25519, "", "" },
		{ app_b, SDK_ED25519, "", "" },
		{ app_a, SDK_P256, "", "" },
		{ app_a, SDK_SECP256K1, "ab", "c" },
		{ app_a, SDK_SECP256K1, "a", "bc" },
		{ app_a, SDK_SECP256K1, "abc", "" },
		{ app_a, SDK_SECP256K1, "", "abc" },
		{ app_a, SDK_ED25519, "abc", "" },
	};
	enum { N = sizeof(of) / sizeof(of[0]) };
	struct bed b;
	struct record rec;
	struct wr key[N];
	AUTO_WR struct wr q = wr_new(0);
	AUTO_WR struct wr again = wr_new(0);
	bed_active(&b, &rec);
	for (size_t i = 0; i < N; i++) {
		key_request(&q, of[i].app, of[i].alg, of[i].path,
		    of[i].purpose);
		const size_t n = of[i].alg == SDK_P256 ? 32 + 4 + 65
		    : of[i].alg == SDK_ED25519	       ? 32 + 4 + 32 + 130
						       : 32 + 4 + 33 + 130;
		key[i] = wr_new(0);
		granted(&b, ROLE_GUEST_SERVICE, KEYD_OP_SDK_KEY, &q, n,
		    &key[i]);
		assert_int_equal(ask(&b, ROLE_GUEST_SERVICE, KEYD_OP_SDK_KEY,
		    &q, &again), DSTACK_OK);
		assert_memory_equal(again.buf, key[i].buf, 32);
		for (size_t k = 0; k < i; k++)
			assert_memory_not_equal(key[i].buf, key[k].buf, 32);
	}
	for (size_t i = 0; i < N; i++)
		wr_free(&key[i]);
	bed_stop(&b);
}

static void
the_public_key_is_the_keys_and_the_chain_ends_in_xpub(void **state)
{
	(void)state;
	struct bed b;
	struct record rec;
	AUTO_WR struct wr q = wr_new(0);
	AUTO_WR struct wr a = wr_new(0);
	uint8_t root[2][20], addr[20], digest[32], pub[33];
	bed_active(&b, &rec);
	for (int ed = 0; ed < 2; ed++) {
		const size_t n = ed ? 32 : 33;
		struct secret32 key;
		key_request(&q, app_a, ed ? SDK_ED25519 : SDK_SECP256K1,
		    "wallet", "mainnet");
		granted(&b, ROLE_GUEST_SERVICE, KEYD_OP_SDK_KEY, &q,
		    36 + n + 130, &a);
		memcpy(key.b, a.buf, 32);
		assert_int_equal(ed ? ed25519_public(&key, pub)
				    : secp_compressed(&key, pub), DSTACK_OK);
		assert_memory_equal(a.buf + 36, pub, n);
		stmt_sdk_key_digest("mainnet", pub, n, digest);
		address_of(a.buf + 36 + n, digest, root[ed]);
		/* another purpose is another statement */
		stmt_sdk_key_digest("testnet", pub, n, digest);
		address_of(a.buf + 36 + n, digest, addr);
		assert_memory_not_equal(addr, root[ed], 20);
	}
	assert_memory_equal(root[0], root[1], 20);
	/* the root's own point is in no answer: a verifier recovers it */
	assert_memory_not_equal(root[0], rec.xpub, 20);
	bed_stop(&b);
}

static void
signatures_verify_by_the_key_that_getkey_gives(void **state)
{
	(void)state;
	struct bed b;
	struct record rec;
	AUTO_WR struct wr q = wr_new(0);
	AUTO_WR struct wr a = wr_new(0);
	AUTO_WR struct wr key = wr_new(0);
	uint8_t digest[32];
	bed_active(&b, &rec);
	sha256("hello", 5, digest);
	for (uint8_t alg = SDK_SECP256K1; alg <= SDK_SECP256K1_PREHASHED;
	     alg++) {
		const size_t n = alg == SDK_ED25519 ? 32 : 33;
		wr_free(&q);
		wr_put(&q, app_a, 32);
		wr_u8(&q, alg);
		if (alg == SDK_SECP256K1_PREHASHED)
			wr_blob(&q, digest, 32);
		else
			wr_blob(&q, "hello", 5);
		granted(&b, ROLE_GUEST_SERVICE, KEYD_OP_SDK_SIGN, &q,
		    4 + 64 + 4 + n + 130, &a);
		const uint8_t *sig = a.buf + 4;
		const uint8_t *pub = a.buf + 72;
		if (alg == SDK_ED25519)
			assert_int_equal(ed25519_verify(pub, "hello", 5, sig),
			    DSTACK_OK);
		else
			assert_int_equal(secp_verify(digest, sig, pub, 33),
			    DSTACK_OK);
		key_request(&q, app_a, alg, "vms", "signing");
		assert_int_equal(ask(&b, ROLE_GUEST_SERVICE, KEYD_OP_SDK_KEY,
		    &q, &key), DSTACK_OK);
		assert_memory_equal(key.buf + 36, pub, n);
	}
	bed_stop(&b);
}

static void
what_is_no_kind_no_digest_or_no_app_is_refused(void **state)
{
	(void)state;
	static const uint8_t system[32] = { 0 };
	struct bed b;
	struct record rec;
	AUTO_WR struct wr q = wr_new(0);
	AUTO_WR struct wr a = wr_new(0);
	bed_active(&b, &rec);
	for (unsigned alg = 0; alg < 256; alg++) {
		if (alg >= SDK_SECP256K1 && alg <= SDK_P256)
			continue;
		key_request(&q, app_a, (uint8_t)alg, "a", "b");
		refused(&b, ROLE_GUEST_SERVICE, KEYD_OP_SDK_KEY, &q);
	}
	key_request(&q, system, SDK_SECP256K1, "a", "b");
	refused(&b, ROLE_GUEST_SERVICE, KEYD_OP_SDK_KEY, &q);
	static const struct {
		const uint8_t *app;
		uint8_t alg;
		size_t n;
	} bad[] = { { app_a, 0, 32 }, { app_a, SDK_P256, 32 },
		{ system, SDK_ED25519, 32 },
		{ app_a, SDK_SECP256K1_PREHASHED, 31 },
		{ app_a, SDK_SECP256K1_PREHASHED, 33 } };
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		static const uint8_t zero[64] = { 0 };
		wr_free(&q);
		wr_put(&q, bad[i].app, 32);
		wr_u8(&q, bad[i].alg);
		wr_blob(&q, zero, bad[i].n);
		refused(&b, ROLE_GUEST_SERVICE, KEYD_OP_SDK_SIGN, &q);
	}
	/* THREATS T12: once a volume is open its app is the only one */
	wr_free(&q);
	wr_put(&q, app_a, 32);
	wr_zero(&q, 16);
	assert_int_equal(
	    ask(&b, ROLE_VOLUME, KEYD_OP_VOLUME_KEYS, &q, &a), DSTACK_OK);
	key_request(&q, app_b, SDK_SECP256K1, "a", "b");
	refused(&b, ROLE_GUEST_SERVICE, KEYD_OP_SDK_KEY, &q);
	key_request(&q, app_a, SDK_SECP256K1, "a", "b");
	assert_int_equal(ask(&b, ROLE_GUEST_SERVICE, KEYD_OP_SDK_KEY, &q, &a),
	    DSTACK_OK);
	bed_stop(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    keys_differ_by_app_kind_path_and_purpose_and_stay_the_same),
		cmocka_unit_test(
		    the_public_key_is_the_keys_and_the_chain_ends_in_xpub),
		cmocka_unit_test(signatures_verify_by_the_key_that_getkey_gives),
		cmocka_unit_test(what_is_no_kind_no_digest_or_no_app_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
