/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Known answers of the protocol's text, others computed apart from this code
 * from its formulas; scalars also against a bignum library.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <openssl/bn.h>

#include "crypto/secp.h"
#include "protocol/keytree.h"
#include "tests/unit/lib/vec.h"

static const uint8_t app11[32] = { 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11,
	0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11,
	0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11,
	0x11 };

static struct keytree
tree_of(uint64_t chain, uint64_t epoch, uint8_t first)
{
	struct keytree t;
	struct secret32 s;
	uint8_t contract[20];
	for (size_t i = 0; i < 32; i++)
		s.b[i] = (uint8_t)i;
	s.b[0] = first;
	assert_int_equal(hex_decode("5FbDB2315678afecb367f032d93F642f64180aa3",
	    40, contract, 20), DSTACK_OK);
	keytree_init(&t, chain, contract, epoch, &s);
	return t;
}

static void
the_epochs_keys_match_the_known_answers(void **state)
{
	(void)state;
	struct keytree t = tree_of(31337, 0, 0);
	struct secret32 k;
	uint8_t addr[20];
	uint8_t want[20];
	assert_hex(t.prk.b, 32,
	    "16e6dc6802dff0db055abdd592bcb628e473e6c02506c4125ec03d44b53a90d9");
	assert_int_equal(keytree_seed_commit(&t, k.b), DSTACK_OK);
	assert_hex(k.b, 32,
	    "34681246c566e9c68dc96f4e62666bee39282be6a749a27662620f0bd0b427f8");
	assert_int_equal(keytree_net_sign(&t, &k, addr), DSTACK_OK);
	assert_hex(k.b, 32,
	    "a3f550bedf05cda7485c1b81bf0a92c76717bfe78aff06f5c8d686b51dc323ee");
	assert_int_equal(secp_address(&k, want), DSTACK_OK);
	assert_memory_equal(addr, want, 20);
	assert_int_equal(keytree_tls(&t, "demo.dstack.test", &k), DSTACK_OK);
	assert_hex(k.b, 32,
	    "a5df1e4b894da63c31c894fed0fe63eba3a120c3d606c3188d1a0f31f1d77cf5");
	assert_int_equal(
	    keytree_acme(&t, "ca.test", "demo.dstack.test", &k), DSTACK_OK);
	assert_hex(k.b, 32,
	    "1d99fa28ed8ebbb3c0f26506c1c3509b09762e2d889a22f0d5422246db76d324");
	assert_int_equal(keytree_prev_epoch(&t, &k), DSTACK_OK);
	assert_hex(k.b, 32,
	    "b1e6795482d01122325b363bbe5c11ed4d1deb2c1d0d4115887bac6d686bb2b6");
}

static void
a_volumes_keys_match_the_known_answers(void **state)
{
	(void)state;
	struct keytree t = tree_of(31337, 0, 0);
	uint8_t uuid[16];
	struct secret64 xts;
	struct secret32 mac;
	struct secret32 hdr;
	for (size_t i = 0; i < 16; i++)
		uuid[i] = (uint8_t)i;
	assert_int_equal(
	    keytree_volume(&t, app11, uuid, &xts, &mac, &hdr), DSTACK_OK);
	assert_hex(xts.b, 64,
	    "ee81ad62e3fd4058959aa045004b42c7259b14158accb4551885e854ac0c6e41"
	    "16f37aeb34d09ef58fa19bcecc6fa4a25a520cd0fee061b8cd1a6098ae761777");
	assert_hex(mac.b, 32,
	    "242ee5082398fb17b6f0471840d605c807b22776367499a317a144db298ebc3b");
	assert_hex(hdr.b, 32,
	    "522f07c73a39136e0afc35670d6a17e944e7da5070ffbf809ae20b1697dd9645");
}

static void
an_apps_keys_match_the_known_answers(void **state)
{
	(void)state;
	struct keytree t = tree_of(31337, 0, 0);
	struct keytree app;
	struct secret32 k;
	uint8_t addr[20];
	uint8_t want[20];
	assert_int_equal(keytree_app(&t, app11, &app), DSTACK_OK);
	assert_hex(app.prk.b, 32,
	    "6b56250847281e1df895a112d71856dfb65bd4817404ccb20c9c09de4697fa50");
	assert_int_equal(keytree_derive(
	    &app, "getkey/v1-blake2b", NULL, 0, k.b, 32), DSTACK_OK);
	assert_hex(k.b, 32,
	    "186ea9e799be14b51639ad01dce31276f4134c8c9d8f05d2fc934f4c4f4e6a97");
	assert_int_equal(keytree_getkey(&app, "unstoppable_tls", &k), DSTACK_OK);
	assert_hex(k.b, 32,
	    "371a151b649627816d2efff80a7223e721c018ca66ccd85f1ad7ecd469c67419");
	assert_int_equal(keytree_getkey2(&app, "ed25519", "s", &k), DSTACK_OK);
	assert_hex(k.b, 32,
	    "e1524a7f096d3b07f6670ec7e6b6915127321436cb1774da4b45e1174130899b");
	assert_int_equal(keytree_app_sign(&app, "s", &k, addr), DSTACK_OK);
	assert_hex(k.b, 32,
	    "bd4d2393bb01d676fd90e31159a4d7ad47657aab76d3f2d628e05caccb222c65");
	assert_int_equal(secp_address(&k, want), DSTACK_OK);
	assert_memory_equal(addr, want, 20);
}

static void
another_network_epoch_or_secret_is_another_tree(void **state)
{
	(void)state;
	struct keytree t[] = { tree_of(31337, 0, 0), tree_of(1, 0, 0),
		tree_of(31337, 1, 0), tree_of(31337, 0, 1) };
	for (size_t i = 0; i < 4; i++) {
		for (size_t j = 0; j < i; j++)
			assert_memory_not_equal(&t[i], &t[j], sizeof(t[i]));
	}
}

static void
moving_a_byte_between_parts_changes_the_key(void **state)
{
	(void)state;
	struct keytree t = tree_of(31337, 0, 0);
	const struct piece a[] = { { "ab", 2 }, { "c", 1 } };
	const struct piece b[] = { { "a", 1 }, { "bc", 2 } };
	const struct piece c[] = { { "abc", 3 } };
	uint8_t k[4][32];
	uint8_t wide[64];
	assert_int_equal(keytree_derive(&t, "x", a, 2, k[0], 32), DSTACK_OK);
	assert_int_equal(keytree_derive(&t, "x", b, 2, k[1], 32), DSTACK_OK);
	assert_int_equal(keytree_derive(&t, "x", c, 1, k[2], 32), DSTACK_OK);
	assert_int_equal(keytree_derive(&t, "xabc", c, 0, k[3], 32), DSTACK_OK);
	for (size_t i = 0; i < 4; i++) {
		for (size_t j = 0; j < i; j++)
			assert_memory_not_equal(k[i], k[j], 32);
	}
	/* a longer output is no extension of a shorter one */
	assert_int_equal(keytree_derive(&t, "x", a, 2, wide, 64), DSTACK_OK);
	assert_memory_not_equal(wide, k[0], 32);
}

static void
oversized_contexts_are_refused(void **state)
{
	(void)state;
	struct keytree t = tree_of(31337, 0, 0);
	static uint8_t big[65536];
	const struct piece a[KEYTREE_MAX_PARTS + 1] = { { big, sizeof(big) } };
	char label[300];
	uint8_t k[32];
	memset(label, 'x', sizeof(label) - 1);
	label[sizeof(label) - 1] = '\0';
	assert_int_equal(keytree_derive(&t, "x", a, 1, k, 32), DSTACK_E_LIMIT);
	assert_int_equal(keytree_derive(&t, "x", a + 1, KEYTREE_MAX_PARTS + 1, k,
	    32), DSTACK_E_LIMIT);
	assert_int_equal(keytree_derive(&t, label, a, 0, k, 32), DSTACK_E_LIMIT);
}

static void
odd_tags_are_refused_everywhere(void **state)
{
	(void)state;
	struct keytree app = tree_of(31337, 0, 0);
	struct secret32 k;
	const char *bad[] = { "", ".", "..", "A/b", "a/b/c", "a/..",
		"a%20", "a b", "\xc3\xa9",
		"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" };
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_false(keytree_tag_ok(bad[i]));
		assert_int_equal(
		    keytree_getkey(&app, bad[i], &k), DSTACK_E_REJECTED);
		assert_int_equal(
		    keytree_getkey2(&app, "x", bad[i], &k), DSTACK_E_REJECTED);
		assert_int_equal(keytree_app_sign(&app, bad[i], &k, NULL),
		    DSTACK_E_REJECTED);
	}
	assert_true(keytree_tag_ok("..."));
	assert_true(keytree_tag_ok(bad[sizeof(bad) / sizeof(bad[0]) - 1] + 1)); /* 64 characters */
	assert_true(keytree_tag_ok("A-z_0.9"));
	/* one service before it, and no more than that; no tag is such a one */
	assert_false(keytree_tag_ok("a/b"));
	assert_true(keytree_own_ok("A-z_0.9"));
	assert_true(keytree_own_ok("db-1_x/A-z_0.9"));
	assert_false(keytree_own_ok("/a"));
	assert_false(keytree_own_ok("db/"));
	assert_false(keytree_own_ok("db/.."));
	assert_false(keytree_own_ok("db/a/b"));
	assert_false(keytree_own_ok("DB/a"));
	assert_false(keytree_own_ok("../a"));
	assert_false(keytree_own_ok(
	    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa/a")); /* 33 characters */
}

/* 1 + (wide mod (n - 1)) by the bignum library. */
static void
check_scalar(const uint8_t wide[static 48], const struct secret32 *got,
    const char *order)
{
	BN_CTX *c = BN_CTX_new();
	BIGNUM *n = NULL;
	BIGNUM *v = BN_bin2bn(wide, 48, NULL);
	uint8_t want[32];
	assert_non_null(c);
	assert_non_null(v);
	assert_int_not_equal(BN_hex2bn(&n, order), 0);
	assert_int_equal(BN_sub_word(n, 1), 1);
	assert_int_equal(BN_mod(v, v, n, c), 1);
	assert_int_equal(BN_add_word(v, 1), 1);
	assert_int_equal(BN_bn2binpad(v, want, 32), 32);
	assert_memory_equal(got->b, want, 32);
	BN_free(v);
	BN_free(n);
	BN_CTX_free(c);
}

static void
scalars_are_reduced_as_a_bignum_library_does(void **state)
{
	(void)state;
	struct keytree t = tree_of(31337, 7, 3);
	for (unsigned i = 0; i < 100; i++) {
		char name[16];
		uint8_t wide[48];
		struct secret32 k;
		int n = snprintf(name, sizeof(name), "d%u", i);
		const struct piece c[] = { { name, (size_t)n } };
		assert_int_equal(
		    keytree_derive(&t, "tls/p256", c, 1, wide, 48), DSTACK_OK);
		assert_int_equal(keytree_tls(&t, name, &k), DSTACK_OK);
		check_scalar(wide, &k, "FFFFFFFF00000000FFFFFFFFFFFFFFFF"
		                       "BCE6FAADA7179E84F3B9CAC2FC632551");
		assert_int_equal(keytree_derive(
		    &t, "app-sign/secp256k1", c, 1, wide, 48), DSTACK_OK);
		assert_int_equal(
		    keytree_app_sign(&t, name, &k, NULL), DSTACK_OK);
		check_scalar(wide, &k, "FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFE"
		                       "BAAEDCE6AF48A03BBFD25E8CD0364141");
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_epochs_keys_match_the_known_answers),
		cmocka_unit_test(a_volumes_keys_match_the_known_answers),
		cmocka_unit_test(an_apps_keys_match_the_known_answers),
		cmocka_unit_test(another_network_epoch_or_secret_is_another_tree),
		cmocka_unit_test(moving_a_byte_between_parts_changes_the_key),
		cmocka_unit_test(oversized_contexts_are_refused),
		cmocka_unit_test(odd_tags_are_refused_everywhere),
		cmocka_unit_test(scalars_are_reduced_as_a_bignum_library_does),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
