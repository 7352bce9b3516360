/* SPDX-License-Identifier: Apache-2.0 */
/* Ed25519 by RFC 8032's vectors. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/hex.h"
#include "crypto/ed25519.h"

static void
unhex(const char *text, void *out, size_t n)
{
	assert_int_equal(hex_decode(text, strlen(text), out, n), DSTACK_OK);
}

/* RFC 8032, 7.1, tests 1 to 3. */
static const struct {
	const char *seed, *pub, *msg, *sig;
} rfc8032[] = {
	{ "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
	    "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
	    "",
	    "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155"
	    "5fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b" },
	{ "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
	    "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
	    "72",
	    "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
	    "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00" },
	{ "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
	    "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
	    "af82",
	    "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac"
	    "18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a" },
};

static void
ed25519_signs_and_verifies_as_the_rfc_does(void **state)
{
	(void)state;
	for (size_t i = 0; i < 3; i++) {
		struct secret32 seed;
		uint8_t pub[32], want[32], sig[64], rfc[64];
		uint8_t msg[2] = { 0 };
		size_t n = strlen(rfc8032[i].msg) / 2;
		unhex(rfc8032[i].seed, seed.b, 32);
		unhex(rfc8032[i].pub, want, 32);
		unhex(rfc8032[i].sig, rfc, 64);
		if (n > 0)
			unhex(rfc8032[i].msg, msg, n);
		assert_int_equal(ed25519_public(&seed, pub), DSTACK_OK);
		assert_memory_equal(pub, want, 32);
		assert_int_equal(ed25519_sign(&seed, msg, n, sig), DSTACK_OK);
		assert_memory_equal(sig, rfc, 64);
		assert_int_equal(
		    ed25519_verify(pub, msg, n, sig), DSTACK_OK);
		for (size_t k = 0; k < 64; k++) {
			sig[k] ^= 1;
			assert_int_equal(ed25519_verify(pub, msg, n, sig),
			    DSTACK_E_REJECTED);
			sig[k] ^= 1;
		}
		assert_int_equal(ed25519_verify(pub, "x", 1, sig),
		    DSTACK_E_REJECTED);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ed25519_signs_and_verifies_as_the_rfc_does),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
