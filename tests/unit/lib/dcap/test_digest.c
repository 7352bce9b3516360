/* SPDX-License-Identifier: Apache-2.0 */
/* The verifier's own SHA-2, by the examples of FIPS 180-2. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <openssl/err.h>

#include "dcap/digest.h"
#include "tests/unit/lib/vec.h"

/* Appendices B.1 to B.3 and D.1, D.2; the last is a million times "a". */
static const struct {
	const char *text;
	const char *sha256, *sha384;
} fips[] = {
	{ "",
	    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
	    "38b060a751ac96384cd9327eb1b1e36a21fdb71114be07434c0cc7bf63f6e1da"
	    "274edebfe76f65fbd51ad2f14898b95b" },
	{ "abc",
	    "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
	    "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed"
	    "8086072ba1e7cc2358baeca134c825a7" },
	{ "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
	    "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1",
	    "3391fdddfc8dc7393707a65b1b4709397cf8b1d162af05abfe8f450de5f36bc6"
	    "b0455a8520bc4e6f5fe95b1fe3c8452b" },
	{ "abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmno"
	  "ijklmnopjklmnopqklmnopqrlmnopqrsmnopqrstnopqrstu",
	    "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1",
	    "09330c33f71147e83d192fc782cd1b4753111b173b3b05d22fa08086e3b0f712"
	    "fcc7c71a557e2db966c3e9fa91746039" },
};

static void
digests_are_those_of_fips_180_however_the_text_is_cut(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(fips) / sizeof(fips[0]); i++) {
		const char *t = fips[i].text;
		const size_t n = strlen(t);
		for (size_t cut = 0; cut <= n; cut++) {
			const struct dcap_bytes v[] = { { t, cut },
				{ NULL, 0 }, { t + cut, n - cut } };
			uint8_t h[48];
			assert_true(digest_sha256(v, 3, h));
			assert_hex(h, 32, fips[i].sha256);
			assert_true(digest_sha384(v, 3, h));
			assert_hex(h, 48, fips[i].sha384);
		}
	}
}

static void
a_million_letters_in_pieces(void **state)
{
	static char a[1000];
	static struct dcap_bytes v[1000];
	uint8_t h[48];
	(void)state;
	memset(a, 'a', sizeof(a));
	for (size_t i = 0; i < 1000; i++)
		v[i] = (struct dcap_bytes){ a, sizeof(a) };
	assert_true(digest_sha256(v, 1000, h));
	assert_hex(h, 32,
	    "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
	assert_true(digest_sha384(v, 1000, h));
	assert_hex(h, 48,
	    "9d0e1809716474cb086e834e310a4a1ced149e9c00f248527972cec5704c2a5b"
	    "07b8b3dc38ecc4ebae97ddd87f3d8985");
}

/* It lives in other people's programs, which have errors of their own. */
static void
the_callers_error_queue_stays_as_it_was(void **state)
{
	uint8_t h[32];
	(void)state;
	ERR_clear_error();
	ERR_raise(ERR_LIB_USER, 77);
	assert_true(digest_sha256(NULL, 0, h));
	unsigned long e = ERR_get_error();
	assert_int_equal(ERR_GET_REASON(e), 77);
	assert_int_equal(ERR_get_error(), 0);
}

int
main(void)
{
	const struct CMUnitTest t[] = {
		cmocka_unit_test(
		    digests_are_those_of_fips_180_however_the_text_is_cut),
		cmocka_unit_test(a_million_letters_in_pieces),
		cmocka_unit_test(the_callers_error_queue_stays_as_it_was),
	};
	return cmocka_run_group_tests(t, NULL, NULL);
}
