/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <stdbool.h>
#include <string.h>

#include <cmocka.h>

#include "oci/oci.h"

static void
labels_are_settings_or_nothing_of_ours(void **state)
{
	(void)state;
	static const char json[] =
	    "{\"ExposedPorts\":{\"22/tcp\":{}},\"Labels\":{\"z\":\"dstack.\","
	    "\"dstack.port\":\"3000\",\"org.x\":\"\"}}";
	struct oci_config c;
	struct why why = { "" };
	assert_int_equal(
	    oci_config_parse(json, strlen(json), &c, &why), DSTACK_OK);
	assert_int_equal(c.port, 3000);
	assert_int_equal(c.nlabels, 3);
	assert_string_equal(c.labels[1].key, "org.x");
	assert_string_equal(oci_label(&c, "z"), "dstack.");
	assert_null(oci_label(&c, "dstack.por"));
	assert_false(c.proxy);
	assert_int_equal(c.h2, OCI_H2_ASK);
	oci_config_free(&c);
	static const char front[] =
	    "{\"Labels\":{\"dstack.proxy\":\"v2\",\"dstack.h2\":\"no\"}}";
	assert_int_equal(
	    oci_config_parse(front, strlen(front), &c, &why), DSTACK_OK);
	assert_true(c.proxy);
	assert_int_equal(c.h2, OCI_H2_NO);
	oci_config_free(&c);
	assert_int_equal(
	    oci_config_parse("{\"Labels\":null}", 15, &c, &why), DSTACK_OK);
	assert_int_equal(c.nlabels, 0);
	assert_false(c.egress); /* nobody goes out who does not ask for it */
	oci_config_free(&c);
	static const struct {
		const char *json;
		bool open;
	} egress[] = { { "{\"Labels\":{\"dstack.egress\":\"open\"}}", true },
		{ "{\"Labels\":{\"dstack.egress\":\"none\"}}", false },
		{ "{\"Labels\":{\"egress\":\"open\"}}", false } };
	for (size_t i = 0; i < sizeof(egress) / sizeof(egress[0]); i++) {
		assert_int_equal(oci_config_parse(egress[i].json,
				     strlen(egress[i].json), &c, &why),
		    DSTACK_OK);
		assert_int_equal(c.egress, egress[i].open);
		oci_config_free(&c);
	}
	static const struct {
		const char *json, *says;
		enum dstack_status st;
	} bad[] = {
		{ "{\"Labels\":[]}", "wrong type", DSTACK_E_FORMAT },
		{ "{\"Labels\":{\"a\":1}}", "label a", DSTACK_E_FORMAT },
		{ "{\"Labels\":{\"dstack.prot\":\"80\"}}",
		    "no label dstack.prot", DSTACK_E_REJECTED },
		{ "{\"Labels\":{\"dstack.port\":\"0\"}}", "1 to 65535",
		    DSTACK_E_REJECTED },
		{ "{\"Labels\":{\"dstack.port\":\"65536\"}}", "65536",
		    DSTACK_E_REJECTED },
		{ "{\"Labels\":{\"dstack.port\":\"80 \"}}", "'80 '",
		    DSTACK_E_REJECTED },
		{ "{\"Labels\":{\"dstack.proxy\":\"v1\"}}", "takes v2, not",
		    DSTACK_E_REJECTED },
		{ "{\"Labels\":{\"dstack.h2\":\"maybe\"}}", "yes or no",
		    DSTACK_E_REJECTED },
		{ "{\"Labels\":{\"dstack.forwarded\":\"yes\"}}",
		    "dstack.proxy=v2 tells", DSTACK_E_REJECTED },
		{ "{\"Labels\":{\"dstack.egress\":\"yes\"}}",
		    "label dstack.egress takes none or open, not 'yes'",
		    DSTACK_E_REJECTED },
		{ "{\"Labels\":{\"dstack.egress\":\"open \"}}", "'open '",
		    DSTACK_E_REJECTED },
		{ "{\"Labels\":{\"dstack.egress\":\"\"}}", "none or open",
		    DSTACK_E_REJECTED },
		{ "{\"Labels\":{\"dstack.secrets\":\"\"}}", "up to 16 names",
		    DSTACK_E_REJECTED },
		{ "{\"Labels\":{\"dstack.secrets\":\"A,,B\"}}", "up to 16",
		    DSTACK_E_REJECTED },
		{ "{\"Labels\":{\"dstack.secrets\":\"A,B,A\"}}", "up to 16",
		    DSTACK_E_REJECTED },
		{ "{\"Labels\":{\"dstack.secrets\":\"../x\"}}", "up to 16",
		    DSTACK_E_REJECTED },
		{ "{\"Labels\":{\"dstack.secrets\":\"A, B\"}}", "up to 16",
		    DSTACK_E_REJECTED },
		{ "{\"Labels\":{\"dstack.logs\":\"console\"}}", "none, host",
		    DSTACK_E_REJECTED },
		{ "{\"Labels\":{\"dstack.logs\":\"8520f0098930a754748b7ddcb43ef75a"
		  "0dbf3a0d26381af4eba4a98eaa9b4e\"}}", "64 hex",
		    DSTACK_E_REJECTED },
		{ "{\"Labels\":{\"dstack.logs\":\"00000000000000000000000000000000"
		  "00000000000000000000000000000000\"}}", "64 hex",
		    DSTACK_E_REJECTED },
		{ "{\"Labels\":{\"dstack.port\":\"\"}}", "''",
		    DSTACK_E_REJECTED },
		{ "{\"Labels\":{\"dstack.store\":\"disk\"}}",
		    "memory or volume", DSTACK_E_REJECTED },
	};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(oci_config_parse(bad[i].json,
				     strlen(bad[i].json), &c, &why),
		    bad[i].st);
		if (strstr(why.text, bad[i].says) == NULL)
			fail_msg("%s: %s", bad[i].json, why.text);
	}
}

static void
a_tree_is_in_memory_unless_a_label_says_volume(void **state)
{
	(void)state;
	static const struct {
		const char *json;
		bool volume;
	} v[] = { { "{}", false },
		{ "{\"Labels\":{\"dstack.store\":\"memory\"}}", false },
		{ "{\"Labels\":{\"dstack.store\":\"volume\"}}", true } };
	for (size_t i = 0; i < 3; i++) {
		struct oci_config c;
		struct why why = { "" };
		assert_int_equal(oci_config_parse(v[i].json,
				     strlen(v[i].json), &c, &why),
		    DSTACK_OK);
		assert_int_equal(c.on_volume, v[i].volume);
		oci_config_free(&c);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(labels_are_settings_or_nothing_of_ours),
		cmocka_unit_test(
		    a_tree_is_in_memory_unless_a_label_says_volume),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
