/* SPDX-License-Identifier: Apache-2.0 */
/* Known answers: the GCM specification (McGrew, Viega), test cases 14 and 16. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/hex.h"
#include "crypto/aead.h"

static void
from(const char *hex, uint8_t *out, size_t n)
{
	assert_int_equal(hex_decode(hex, 2 * n, out, n), DSTACK_OK);
}

static void
it_is_gcm_as_published(void **state)
{
	(void)state;
	struct secret32 key = { { 0 } };
	uint8_t nonce[AEAD_NONCE] = { 0 }, pt[60] = { 0 }, want[76], out[76];
	uint8_t aad[20], got[60];
	from("cea7403d4d606b6e074ec5d3baf39d18d0d1c8a799996bf0265b98b5d48ab919",
	    want, 32);
	assert_int_equal(
	    aead_seal(&key, nonce, "", 0, pt, 16, out), DSTACK_OK);
	assert_memory_equal(out, want, 32);
	from("feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308",
	    key.b, 32);
	from("cafebabefacedbaddecaf888", nonce, 12);
	from("d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c"
	     "3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39", pt, 60);
	from("feedfacedeadbeeffeedfacedeadbeefabaddad2", aad, 20);
	from("522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8c"
	     "b08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662"
	     "76fc6ece0f4e1768cddf8853bb2d551b", want, 76);
	assert_int_equal(
	    aead_seal(&key, nonce, aad, 20, pt, 60, out), DSTACK_OK);
	assert_memory_equal(out, want, 76);
	assert_int_equal(
	    aead_open(&key, nonce, aad, 20, want, 60, got), DSTACK_OK);
	assert_memory_equal(got, pt, 60);
}

static void
each_changed_byte_is_refused_and_nothing_is_given_out(void **state)
{
	(void)state;
	struct secret32 key = { { 1 } };
	static const uint8_t none[32];
	uint8_t nonce[AEAD_NONCE] = { 2 }, box[48], got[32], aad[3] = { 9 };
	assert_int_equal(
	    aead_seal(&key, nonce, aad, 3, "thirty-two bytes of a wrapped key",
		32, box), DSTACK_OK);
	uint8_t *const part[] = { key.b, nonce, aad, box };
	const size_t len[] = { 32, sizeof(nonce), sizeof(aad), sizeof(box) };
	for (size_t p = 0; p < 4; p++) {
		for (size_t i = 0; i < len[p]; i++) {
			part[p][i] ^= 1;
			memset(got, 7, sizeof(got));
			assert_int_equal(
			    aead_open(&key, nonce, aad, 3, box, 32, got),
			    DSTACK_E_REJECTED);
			assert_memory_equal(got, none, sizeof(got));
			part[p][i] ^= 1;
		}
	}
	/* a shorter aad is another one */
	assert_int_equal(aead_open(&key, nonce, aad, 2, box, 32, got),
	    DSTACK_E_REJECTED);
	assert_int_equal(
	    aead_open(&key, nonce, aad, 3, box, 32, got), DSTACK_OK);
	assert_int_equal(aead_seal(&key, nonce, aad, 3, box, AEAD_MAX + 1, got),
	    DSTACK_E_LIMIT);
	assert_int_equal(aead_open(&key, nonce, aad, 3, box, AEAD_MAX + 1, got),
	    DSTACK_E_LIMIT);
	assert_int_equal(aead_open(&key, nonce, aad, AEAD_MAX + 1, box, 32, got),
	    DSTACK_E_LIMIT);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_is_gcm_as_published),
		cmocka_unit_test(
		    each_changed_byte_is_refused_and_nothing_is_given_out),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
