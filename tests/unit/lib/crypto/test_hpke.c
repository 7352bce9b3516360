/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "crypto/hpke.h"
#include "tests/unit/lib/vec.h"

/* RFC 9180, A.2.1, sequence number 0 */
#define INFO "4f6465206f6e2061204772656369616e2055726e"
#define SK_E "f4ec9b33b792c372c1d2c2063507b684ef925b8c75a42dbcbf57d63ccd381600"
#define PK_E "1afa08d3dec047a643885163f1180476fa7ddb54c6a8029ea33f95796bf2ac4a"
#define SK_R "8057991eef8f1f1af18f4a9491d16a1ce333f695d4db8e38da75975c4478e0fb"
#define PK_R "4310ee97d88cc1f088a5576c77ab0cf5c3ac797f3d95139c6c84b5429c59662a"
#define AAD "436f756e742d30"
#define PT "4265617574792069732074727574682c20747275746820626561757479"
#define CT                                                                    \
	"1c5250d8034ec2b784ba2cfd69dbdb8af406cfe3ff938e131f0def8c8b60b4db2199" \
	"3c62ce81883d2dd1b51a28"
#define INFO_LEN 20
#define AAD_LEN 7
#define PT_LEN 29

struct vector {
	uint8_t info[INFO_LEN];
	uint8_t aad[AAD_LEN];
	uint8_t pt[PT_LEN];
	uint8_t pub[32];
	struct secret32 skE;
	struct secret32 skR;
	uint8_t ct[PT_LEN + HPKE_OVERHEAD];
};

static void
bytes(const char *hex, void *out, size_t n)
{
	assert_int_equal(hex_decode(hex, strlen(hex), out, n), DSTACK_OK);
}

static struct vector
load(void)
{
	struct vector v;
	bytes(INFO, v.info, sizeof(v.info));
	bytes(AAD, v.aad, sizeof(v.aad));
	bytes(PT, v.pt, sizeof(v.pt));
	bytes(PK_R, v.pub, sizeof(v.pub));
	bytes(SK_E, v.skE.b, 32);
	bytes(SK_R, v.skR.b, 32);
	bytes(PK_E CT, v.ct, sizeof(v.ct));
	return v;
}

static void
sealing_and_opening_match_rfc_9180(void **state)
{
	(void)state;
	struct vector v = load();
	uint8_t ct[sizeof(v.ct)];
	uint8_t pt[PT_LEN];
	uint8_t pub[32];
	assert_int_equal(x25519_public(&v.skR, pub), DSTACK_OK);
	assert_memory_equal(pub, v.pub, 32);
	assert_int_equal(hpke_seal(v.pub, &v.skE, v.info, INFO_LEN, v.aad,
	    AAD_LEN, v.pt, PT_LEN, ct), DSTACK_OK);
	assert_memory_equal(ct, v.ct, sizeof(ct));
	assert_int_equal(hpke_open(&v.skR, v.info, INFO_LEN, v.aad, AAD_LEN,
	    ct, sizeof(ct), pt), DSTACK_OK);
	assert_memory_equal(pt, v.pt, PT_LEN);
}

static void
one_changed_bit_anywhere_does_not_open(void **state)
{
	(void)state;
	struct vector v = load();
	uint8_t pt[PT_LEN];
	uint8_t zero[PT_LEN] = { 0 };
	for (size_t i = 0; i < sizeof(v.ct); i++) {
		uint8_t ct[sizeof(v.ct)];
		/* bit 255 of enc is masked by X25519 but bound by the KEM */
		const uint8_t bits[] = { 0x01, 0x80 };
		for (size_t b = 0; b < 2; b++) {
			memcpy(ct, v.ct, sizeof(ct));
			ct[i] ^= bits[b];
			memset(pt, 0xee, sizeof(pt));
			assert_int_equal(hpke_open(&v.skR, v.info, INFO_LEN,
			    v.aad, AAD_LEN, ct, sizeof(ct), pt),
			    DSTACK_E_REJECTED);
			assert_memory_equal(pt, zero, PT_LEN);
		}
	}
}

static void
another_key_info_or_aad_does_not_open(void **state)
{
	(void)state;
	struct vector v = load();
	struct secret32 other = v.skR;
	uint8_t pt[PT_LEN];
	other.b[5] ^= 1;
	assert_int_equal(hpke_open(&other, v.info, INFO_LEN, v.aad, AAD_LEN,
	    v.ct, sizeof(v.ct), pt), DSTACK_E_REJECTED);
	assert_int_equal(hpke_open(&v.skR, v.info, INFO_LEN - 1, v.aad, AAD_LEN,
	    v.ct, sizeof(v.ct), pt), DSTACK_E_REJECTED);
	assert_int_equal(hpke_open(&v.skR, v.info, INFO_LEN, v.aad, AAD_LEN - 1,
	    v.ct, sizeof(v.ct), pt), DSTACK_E_REJECTED);
}

static void
short_ciphertexts_do_not_open(void **state)
{
	(void)state;
	struct vector v = load();
	uint8_t pt[PT_LEN];
	for (size_t n = 0; n < sizeof(v.ct); n++)
		assert_int_equal(hpke_open(&v.skR, v.info, INFO_LEN, v.aad,
		    AAD_LEN, v.ct, n, pt), DSTACK_E_REJECTED);
}

static void
an_empty_text_seals_and_opens(void **state)
{
	(void)state;
	struct vector v = load();
	uint8_t ct[HPKE_OVERHEAD];
	uint8_t pt[1] = { 7 };
	assert_int_equal(hpke_seal(
	    v.pub, &v.skE, NULL, 0, NULL, 0, NULL, 0, ct), DSTACK_OK);
	assert_int_equal(hpke_open(
	    &v.skR, NULL, 0, NULL, 0, ct, sizeof(ct), pt), DSTACK_OK);
	ct[HPKE_OVERHEAD - 1] ^= 1;
	assert_int_equal(hpke_open(&v.skR, NULL, 0, NULL, 0, ct, sizeof(ct), pt),
	    DSTACK_E_REJECTED);
	assert_int_equal(pt[0], 7);
}

/* Points of small order give a shared secret of zero whatever the key. */
static void
points_of_small_order_are_refused(void **state)
{
	(void)state;
	const char *small[] = {
		"0000000000000000000000000000000000000000000000000000000000000000",
		"0100000000000000000000000000000000000000000000000000000000000000",
		"e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
		"5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
		"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	};
	struct vector v = load();
	for (size_t i = 0; i < sizeof(small) / sizeof(small[0]); i++) {
		uint8_t pub[32];
		uint8_t ct[sizeof(v.ct)];
		uint8_t pt[PT_LEN];
		bytes(small[i], pub, 32);
		assert_int_equal(hpke_seal(pub, &v.skE, v.info, INFO_LEN, v.aad,
		    AAD_LEN, v.pt, PT_LEN, ct), DSTACK_E_REJECTED);
		memcpy(ct, v.ct, sizeof(ct));
		memcpy(ct, pub, 32);
		assert_int_equal(hpke_open(&v.skR, v.info, INFO_LEN, v.aad,
		    AAD_LEN, ct, sizeof(ct), pt), DSTACK_E_REJECTED);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sealing_and_opening_match_rfc_9180),
		cmocka_unit_test(one_changed_bit_anywhere_does_not_open),
		cmocka_unit_test(another_key_info_or_aad_does_not_open),
		cmocka_unit_test(short_ciphertexts_do_not_open),
		cmocka_unit_test(an_empty_text_seals_and_opens),
		cmocka_unit_test(points_of_small_order_are_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
