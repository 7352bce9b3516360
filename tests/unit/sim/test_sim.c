/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "base/hex.h"
#include "base/rd.h"
#include "guest/base/flavour.h"
#include "sim/key.h"
#include "sim/measure.h"
#include "sim/pki.h"

#define NOW INT64_C(1800000000)

static void
the_guests_sim_root_is_the_derived_root_key(void **state)
{
	(void)state;
	uint8_t pub[64];
	char hex[129];
	AUTO_KEY EVP_PKEY *key = sim_key(SIM_KEY_ROOT);
	assert_non_null(key);
	assert_true(sim_key_public(key, pub));
	hex_encode(pub, 64, hex);
	if (memcmp(pub, trust_root_sim.key, 64) != 0)
		fail_msg("derived root key is %s", hex);
	assert_true(trust_root_sim.simulated);
	assert_false(trust_root_tdx.simulated);
}

static void
two_platforms_have_other_keys_and_ppids(void **state)
{
	(void)state;
	struct sim_world *a = calloc(1, sizeof(*a));
	struct sim_world *b = calloc(1, sizeof(*b));
	sim_world_init(a, "one", SIM_CA_PLATFORM, NOW);
	sim_world_init(b, "two", SIM_CA_PLATFORM, NOW);
	assert_string_not_equal(a->pck_key, b->pck_key);
	assert_string_not_equal(a->att_key, b->att_key);
	assert_memory_not_equal(a->pck.sgx.ppid, b->pck.sgx.ppid, 16);
	assert_memory_not_equal(a->pck.serial, b->pck.serial, 20);
	free(a);
	free(b);
}

static void
a_quote_has_its_fields_where_the_layout_says(void **state)
{
	(void)state;
	struct sim_world *w = calloc(1, sizeof(*w));
	sim_world_init(w, "one", SIM_CA_PLATFORM, NOW);
	memset(w->quote.td.reportdata, 0x5a, 64);
	memset(w->quote.td.mrtd, 0x11, 48);
	AUTO_WR struct wr q = wr_new(0);
	assert_int_equal(sim_world_quote(w, &q), DSTACK_OK);
	assert_int_equal(q.buf[0], 4);
	assert_int_equal(q.buf[4], 0x81);
	for (size_t i = 0; i < 64; i++)
		assert_int_equal(q.buf[48 + 520 + i], 0x5a);
	for (size_t i = 0; i < 48; i++)
		assert_int_equal(q.buf[48 + 136 + i], 0x11);
	struct rd r = rd_over(q.buf, q.len);
	uint32_t n;
	assert_int_equal(rd_skip(&r, 632), DSTACK_OK);
	assert_int_equal(rd_u32le(&r, &n), DSTACK_OK);
	assert_int_equal(n, rd_left(&r));
	free(w);
}

static void
collateral_is_one_json_object_of_nine_strings(void **state)
{
	(void)state;
	static const char *const names[] = { "pck_crl_issuer_chain",
		"root_ca_crl", "pck_crl", "tcb_info_issuer_chain", "tcb_info",
		"tcb_info_signature", "qe_identity_issuer_chain",
		"qe_identity", "qe_identity_signature" };
	AUTO_WR struct wr out = wr_new(0);
	assert_int_equal(sim_collateral_json(NOW, SIM_CA_PLATFORM, &out),
	    DSTACK_OK);
	json_t *j = json_loadb((const char *)out.buf, out.len,
	    JSON_REJECT_DUPLICATES, NULL);
	assert_non_null(j);
	assert_int_equal(json_object_size(j), 9);
	for (size_t i = 0; i < 9; i++)
		assert_true(json_is_string(json_object_get(j, names[i])));
	for (int i = 0; i < 2; i++) {
		json_t *doc = json_loads(json_string_value(json_object_get(j,
		    i == 0 ? "tcb_info" : "qe_identity")),
		    JSON_REJECT_DUPLICATES, NULL);
		assert_non_null(doc);
		json_decref(doc);
	}
	json_decref(j);
}

static void
each_input_of_the_boot_moves_its_own_register(void **state)
{
	(void)state;
	struct sim_boot b = { .cmdline = "quiet", .netcfg = "a=b\n",
		.netcfglen = 4, .vcpus = 1, .memory_mib = 256 };
	struct sim_measurements base;
	struct sim_measurements m;
	sim_measure(&b, &base);
	struct sim_boot c = b;
	c.kernel[0] = 1;
	sim_measure(&c, &m);
	assert_memory_not_equal(m.rtmr[1], base.rtmr[1], 48);
	assert_memory_equal(m.rtmr[2], base.rtmr[2], 48);
	c = b;
	c.initramfs[47] = 1;
	sim_measure(&c, &m);
	assert_memory_not_equal(m.rtmr[2], base.rtmr[2], 48);
	assert_memory_equal(m.rtmr[1], base.rtmr[1], 48);
	c = b;
	c.cmdline = "quiet ";
	sim_measure(&c, &m);
	assert_memory_not_equal(m.rtmr[2], base.rtmr[2], 48);
	c = b;
	c.memory_mib = 512;
	sim_measure(&c, &m);
	assert_memory_not_equal(m.rtmr[0], base.rtmr[0], 48);
	c = b;
	c.vcpus = 2;
	sim_measure(&c, &m);
	assert_memory_not_equal(m.rtmr[0], base.rtmr[0], 48);
	c = b;
	c.netcfg = "a=c\n";
	sim_measure(&c, &m);
	assert_memory_not_equal(m.mrconfigid, base.mrconfigid, 48);
	assert_memory_equal(m.mrtd, base.mrtd, 48);
	for (size_t i = 0; i < 48; i++)
		assert_int_equal(m.rtmr[3][i], 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_guests_sim_root_is_the_derived_root_key),
		cmocka_unit_test(two_platforms_have_other_keys_and_ppids),
		cmocka_unit_test(a_quote_has_its_fields_where_the_layout_says),
		cmocka_unit_test(collateral_is_one_json_object_of_nine_strings),
		cmocka_unit_test(each_input_of_the_boot_moves_its_own_register),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
