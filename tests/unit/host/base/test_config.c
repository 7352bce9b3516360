/* SPDX-License-Identifier: Apache-2.0 */
/* host.env: what is taken and which line refuses what is not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "base/hex.h"
#include "host/base/config.h"

#define KEY "ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80"
#define GOOD                                                         \
	"PRIVKEY=0x" KEY "\n"                                        \
	"ETH_API_KEY=abc\n"                                          \
	"PUBSUB_URL=http://127.0.0.1:5001/\n"                        \
	"GUEST_SERVICE=http://127.0.0.1:4001\n"                      \
	"CONTRACT=0x5FbDB2315678afecb367f032d93F642f64180aa3\n"      \
	"ETH_RPC_URL=https://rpc.example/v3/{ETH_API_KEY}\n"         \
	"CHAIN_ID=31337\n"

static enum dstack_status
parse(const char *text, struct host_config *c, struct why *why)
{
	memset(why, 0, sizeof(*why));
	return config_parse("host.env", text, strlen(text), c, why);
}

static void
refused(const char *text, const char *words)
{
	struct host_config c;
	struct why why;

	assert_int_not_equal(parse(text, &c, &why), DSTACK_OK);
	if (strstr(why.text, words) == NULL)
		fail_msg("'%s' does not say '%s'", why.text, words);
	assert_null(strstr(why.text, KEY));
}

static void
good_file_is_taken_with_defaults(void **state)
{
	struct host_config c;
	struct why why;
	char hex[41];

	(void)state;
	assert_int_equal(parse(GOOD, &c, &why), DSTACK_OK);
	hex_encode(c.submitter, 20, hex);
	assert_string_equal(hex, "f39fd6e51aad88f6f4ce6ab8827279cfffb92266");
	assert_memory_equal(c.payee, c.submitter, 20);
	assert_string_equal(c.rpc_url, "https://rpc.example/v3/abc");
	assert_string_equal(c.pubsub_url, "http://127.0.0.1:5001");
	assert_int_equal(c.control_port, 4001);
	assert_int_equal(c.host_service.port, 8000);
	assert_int_equal(c.https.port, 4002);
	assert_int_equal(c.chain_id, 31337);
	assert_false(c.sim);
	assert_int_equal(c.memory_mb, 2048);
	assert_int_equal(c.volume_mb, 8192);
	assert_false(c.egress);
}

static void
comments_blank_lines_and_crlf_are_taken(void **state)
{
	struct host_config c;
	struct why why;

	(void)state;
	assert_int_equal(parse("# a\n\n" GOOD "FLAVOUR=sim\r\nPAYEE=\nEGRESS=yes\n",
	                     &c, &why),
	    DSTACK_OK);
	assert_true(c.sim);
	assert_true(c.egress);
}

static void
each_required_key_is_missed_by_name(void **state)
{
	static const char *const keys[] = { "PRIVKEY", "PUBSUB_URL",
		"GUEST_SERVICE", "CONTRACT", "ETH_RPC_URL", "CHAIN_ID" };
	char text[1024];
	char want[64];

	(void)state;
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		memcpy(text, "\n" GOOD, sizeof(GOOD) + 1);
		char *p = strstr(text, keys[i]);
		while (p != text && p[-1] != '\n')
			p = strstr(p + 1, keys[i]);
		*p = '#';
		(void)snprintf(want, sizeof(want), "%s is missing", keys[i]);
		refused(text, want);
	}
}

static void
garbled_values_are_refused_without_being_shown(void **state)
{
	(void)state;
	refused("PRIVKEY=" KEY "0\n", "line 1: PRIVKEY is garbled");
	refused("PRIVKEY=\"" KEY "\"\n", "PRIVKEY is garbled");
	refused("PRIVKEY=\n", "PRIVKEY is garbled");
	refused("CONTRACT=0x12\n", "CONTRACT is garbled");
	refused("VOLUME_MB=15\n", "VOLUME_MB is garbled; it should be");
	refused("VOLUME_MB=1048577\n", "VOLUME_MB is garbled");
	refused("CHAIN_ID=0x7a69\n", "CHAIN_ID is garbled");
	refused("CHAIN_ID=99999999999999999999\n", "CHAIN_ID is garbled");
	refused("ETH_RPC_URL=file:///etc/passwd\n", "ETH_RPC_URL is garbled");
	refused("HOST_SERVICE=127.0.0.1:0\n", "HOST_SERVICE is garbled");
	refused("HOST_SERVICE=127.0.0.1:65536\n", "HOST_SERVICE is garbled");
	refused("FLAVOUR=real\n", "FLAVOUR is garbled");
	refused("PCCS_UPDATE=late\n", "PCCS_UPDATE is garbled");
	refused("EGRESS=open\n", "EGRESS is garbled");
	refused("EGRESS=1\n", "EGRESS is garbled");
	refused("HOST_VOLUME=a b\n", "HOST_VOLUME is garbled");
	refused("export CHAIN_ID=1\n", "no such key");
	refused("PRIVKEYS=1\n", "no such key 'PRIVKEYS'");
	refused("hello\n", "line 1 is not KEY=VALUE");
	refused("CHAIN_ID=1\nCHAIN_ID=1\n", "line 2 sets CHAIN_ID again");
}

static void
control_plane_and_host_service_stay_on_loopback(void **state)
{
	(void)state;
	refused("GUEST_SERVICE=http://0.0.0.0:4001\n"
	        "PRIVKEY=" KEY "\nPUBSUB_URL=http://a\n"
	        "CONTRACT=0x5FbDB2315678afecb367f032d93F642f64180aa3\n"
	        "ETH_RPC_URL=http://a\nCHAIN_ID=1\n",
	    "for this host alone");
	refused(GOOD "HOST_SERVICE=0.0.0.0:8000\n", "loopback");
}

static void
zero_key_and_missing_api_key_are_refused(void **state)
{
	(void)state;
	refused("PRIVKEY=0000000000000000000000000000000000000000000000000000"
	        "000000000000\nPUBSUB_URL=http://a\n"
	        "GUEST_SERVICE=http://127.0.0.1:4001\n"
	        "CONTRACT=0x5FbDB2315678afecb367f032d93F642f64180aa3\n"
	        "ETH_RPC_URL=http://a\nCHAIN_ID=1\n",
	    "out of range");
	refused("PRIVKEY=" KEY "\nPUBSUB_URL=http://a\n"
	        "GUEST_SERVICE=http://127.0.0.1:4001\n"
	        "CONTRACT=0x5FbDB2315678afecb367f032d93F642f64180aa3\n"
	        "ETH_RPC_URL=http://a/{ETH_API_KEY}\nCHAIN_ID=1\n",
	    "set ETH_API_KEY");
}

static void
beacon_nodes_are_several(void **state)
{
	struct host_config c;
	struct why why;

	(void)state;
	assert_int_equal(parse(GOOD, &c, &why), DSTACK_OK);
	assert_string_equal(c.beacon_url, "");
	assert_int_equal(parse(GOOD "BEACON_URL=http://a:5052,https://b/\n",
			     &c, &why),
	    DSTACK_OK);
	assert_string_equal(c.beacon_url, "http://a:5052,https://b/");
	refused(GOOD "BEACON_URL=http://a,b\n", "BEACON_URL");
	refused(GOOD "BEACON_URL=,\n", "BEACON_URL");
	refused(GOOD "BEACON_URL=http://1,http://2,http://3,http://4,http://5,"
		     "http://6,http://7,http://8,http://9\n",
	    "BEACON_URL");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(good_file_is_taken_with_defaults),
		cmocka_unit_test(comments_blank_lines_and_crlf_are_taken),
		cmocka_unit_test(each_required_key_is_missed_by_name),
		cmocka_unit_test(
		    garbled_values_are_refused_without_being_shown),
		cmocka_unit_test(
		    control_plane_and_host_service_stay_on_loopback),
		cmocka_unit_test(zero_key_and_missing_api_key_are_refused),
		cmocka_unit_test(beacon_nodes_are_several),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
