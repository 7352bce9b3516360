/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "eth/rpc.h"
#include "tests/unit/lib/vec.h"

static void
a_request_is_json_rpc_two(void **state)
{
	(void)state;
	AUTO_WR struct wr w = wr_new(0);
	AUTO_WR struct wr v = wr_new(0);
	json_t *p = json_array();
	json_array_append_new(p, eth_json_quantity(0x1234));
	json_array_append_new(p, eth_json_hex("\xab\x01", 2));
	assert_int_equal(eth_rpc_request(&w, "eth_x", p), DSTACK_OK);
	static const char want[] = "{\"jsonrpc\":\"2.0\",\"id\":1,"
	    "\"method\":\"eth_x\",\"params\":[\"0x1234\",\"0xab01\"]}";
	assert_int_equal(w.len, sizeof(want) - 1);
	assert_memory_equal(w.buf, want, w.len);
	assert_int_equal(eth_rpc_request(&v, "eth_y", NULL), DSTACK_OK);
	assert_non_null(memmem(v.buf, v.len, "\"params\":[]", 11));
}

static enum dstack_status
result(const char *text, struct why *why)
{
	json_t *r = NULL;
	enum dstack_status st = eth_rpc_result(text, strlen(text), &r, why);
	assert_true((st == DSTACK_OK) == (r != NULL));
	json_decref(r);
	return st;
}

#define OK(r) "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":" r "}"

static void
only_an_answer_to_the_request_has_a_result(void **state)
{
	(void)state;
	struct why why = { "" };
	assert_int_equal(result(OK("\"0x1\""), &why), DSTACK_OK);
	assert_int_equal(result(OK("null"), &why), DSTACK_OK);
	assert_int_equal(result("", &why), DSTACK_E_TRUNCATED);
	assert_int_equal(result(OK("1") "x", &why), DSTACK_E_FORMAT);
	assert_int_equal(result("[]", &why), DSTACK_E_FORMAT);
	assert_int_equal(result("{\"jsonrpc\":\"2.0\",\"id\":1}", &why),
	    DSTACK_E_FORMAT);
	assert_int_equal(
	    result("{\"jsonrpc\":\"2.0\",\"id\":2,\"result\":1}", &why),
	    DSTACK_E_FORMAT);
	assert_int_equal(
	    result("{\"jsonrpc\":\"1.0\",\"id\":1,\"result\":1}", &why),
	    DSTACK_E_FORMAT);
	/* the same member twice: which one would count? */
	assert_int_equal(result("{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":1,"
	                        "\"result\":2}", &why), DSTACK_E_FORMAT);
}

static void
a_servers_error_is_told(void **state)
{
	(void)state;
	struct why why = { "" };
	assert_int_equal(result("{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":"
	    "{\"code\":-32000,\"message\":\"nonce too low\"}}", &why),
	    DSTACK_E_REJECTED);
	assert_string_equal(why.text, "the chain's node answers: nonce too low");
	assert_int_equal(result("{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":7}",
	    &why), DSTACK_E_REJECTED);
	assert_int_equal(result("{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{},"
	                        "\"result\":1}", &why), DSTACK_E_REJECTED);
}

/* Word for word what four clients say of a state that they keep no more. */
static void
a_node_that_forgot_a_state_is_named_as_such(void **state)
{
	(void)state;
	static const char *const said[] = {
		"missing trie node ef7df5d88cb1614dc3f143879a653cd90717ee42e967"
		"c5fabbcd7505a968f314 (path )",
		"historical state 0102 is not available",
		"distance to target block exceeds maximum proof window",
		"requested block is too old, block must be within 1000 blocks "
		"of the head block number (currently 3696916)",
		"old data not available due to pruning",
		"No state available for block 45615500",
	};
	char answer[400];
	struct why why = { "" };

	for (size_t i = 0; i < sizeof(said) / sizeof(said[0]); i++) {
		(void)snprintf(answer, sizeof(answer),
		    "{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":-32000,"
		    "\"message\":\"%s\"}}", said[i]);
		assert_int_equal(result(answer, &why), DSTACK_E_REJECTED);
		assert_non_null(strstr(why.text, "keeps no state of a block"));
		assert_non_null(strstr(why.text, "take one that does"));
	}
}

static void
deep_wide_and_large_answers_are_refused(void **state)
{
	(void)state;
	struct why why = { "" };
	/* 14 arrays and the answer's object, then 16 of them */
	assert_int_equal(result(OK("[[[[[[[[[[[[[[\"[{\"]]]]]]]]]]]]]]"), &why),
	    DSTACK_OK);
	assert_int_equal(result(OK("[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]"), &why),
	    DSTACK_E_LIMIT);
	/* a bracket in a string is no depth, a quote behind \ ends nothing */
	assert_int_equal(result(OK("\"[[[[[[[[[[[[[[[[[[[[[\\\"[[[[\""), &why),
	    DSTACK_OK);
	AUTO_WR struct wr w = wr_new(0);
	wr_str(&w, "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":[0");
	for (size_t i = 0; i < 65536; i++)
		wr_str(&w, ",0");
	wr_str(&w, "]}");
	wr_u8(&w, 0);
	assert_int_equal(result((char *)w.buf, &why), DSTACK_E_LIMIT);
	AUTO_WR struct wr big = wr_new(0);
	wr_str(&big, OK("1"));
	while (big.len <= ETH_RPC_MAX)
		wr_str(&big, "                                ");
	wr_u8(&big, 0);
	assert_int_equal(result((char *)big.buf, &why), DSTACK_E_LIMIT);
}

static void
quantities_have_one_spelling(void **state)
{
	(void)state;
	const struct {
		const char *text;
		enum dstack_status st;
		uint64_t v;
	} known[] = {
		{ "0x0", DSTACK_OK, 0 },
		{ "0x7f", DSTACK_OK, 0x7f },
		{ "0xABC", DSTACK_OK, 0xabc },
		{ "0xffffffffffffffff", DSTACK_OK, UINT64_MAX },
		{ "0x10000000000000000", DSTACK_E_LIMIT, 0 },
		{ "0x", DSTACK_E_FORMAT, 0 },
		{ "0x00", DSTACK_E_FORMAT, 0 },
		{ "0x01", DSTACK_E_FORMAT, 0 },
		{ "0xx1", DSTACK_E_FORMAT, 0 },
		{ "0xx", DSTACK_E_FORMAT, 0 },
		{ "0X1", DSTACK_E_FORMAT, 0 },
		{ "1", DSTACK_E_FORMAT, 0 },
		{ "", DSTACK_E_FORMAT, 0 },
		{ "0x1 ", DSTACK_E_FORMAT, 0 },
		{ "-0x1", DSTACK_E_FORMAT, 0 },
	};
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		json_t *j = json_string(known[i].text);
		uint64_t v = 0;
		assert_int_equal(eth_json_u64(j, &v), known[i].st);
		assert_true(v == known[i].v);
		json_decref(j);
	}
	json_t *n = json_integer(1);
	uint8_t w[32];
	assert_int_equal(eth_json_u256(n, w), DSTACK_E_FORMAT);
	assert_int_equal(eth_json_u256(NULL, w), DSTACK_E_FORMAT);
	json_decref(n);
	n = json_string("0x10000000000000000");
	assert_int_equal(eth_json_u256(n, w), DSTACK_OK);
	assert_int_equal(w[23], 1);
	assert_int_equal(w[31], 0);
	json_decref(n);
}

static void
data_has_its_length_and_whole_bytes(void **state)
{
	(void)state;
	uint8_t b[2];
	json_t *ok = json_string("0xAb01");
	json_t *odd = json_string("0xab0");
	json_t *twice = json_string("0x0x01");
	json_t *bare = json_string("ab01");
	AUTO_WR struct wr w = wr_new(0);
	assert_int_equal(eth_json_fixed(ok, b, 2), DSTACK_OK);
	assert_hex(b, 2, "ab01");
	assert_int_equal(eth_json_fixed(ok, b, 1), DSTACK_E_FORMAT);
	assert_int_equal(eth_json_fixed(odd, b, 2), DSTACK_E_FORMAT);
	assert_int_equal(eth_json_fixed(twice, b, 2), DSTACK_E_FORMAT);
	assert_int_equal(eth_json_fixed(twice, b, 1), DSTACK_E_FORMAT);
	assert_int_equal(eth_json_fixed(bare, b, 2), DSTACK_E_FORMAT);
	assert_int_equal(eth_json_data(ok, 1, &w), DSTACK_E_LIMIT);
	assert_int_equal(eth_json_data(odd, 9, &w), DSTACK_E_FORMAT);
	assert_int_equal(eth_json_data(twice, 9, &w), DSTACK_E_FORMAT);
	assert_int_equal(eth_json_data(bare, 9, &w), DSTACK_E_FORMAT);
	assert_int_equal(w.len, 0);
	assert_int_equal(eth_json_data(ok, 2, &w), DSTACK_OK);
	assert_hex(w.buf, w.len, "ab01");
	json_decref(ok);
	json_decref(odd);
	json_decref(twice);
	json_decref(bare);
}

/*
 * A header with made-up fields, without those of forks after fork (0 London,
 * 1 Shanghai, 2 Cancun, 3 Prague, 4 Amsterdam). The hashes were computed
 * apart from this code (the last by @ethereumjs/block 10.1.3).
 */
static const char *const fork_hash[] = {
	"0x3ef093718d74885a8f24c6a47d16661af460c7d6b8608cfd94ea8474785d0955",
	"0xbcccb4915f31b401387f377dca6725ae542520cfc230cda16fa6a512973adc4d",
	"0x44d0455ef23ec4fe169db0b411b9315876788d55c743df691468bdf60ee309ae",
	"0x264e175c07f41b0797b55365b6c07ff5d7dd67fad97ebe11d9be92ec27cfc538",
	"0x0369d37ce87eae6ad90d2cfaef2c6831a24159aab67f178acb1ff24b22162789",
};
#define FORKS 5
#define NEWEST (FORKS - 1)

static void
put_fixed(json_t *h, const char *name, uint8_t byte, size_t n)
{
	uint8_t b[256];
	memset(b, byte, n);
	assert_int_equal(
	    json_object_set_new(h, name, eth_json_hex(b, n)), 0);
}

static void
put_number(json_t *h, const char *name, uint64_t v)
{
	assert_int_equal(json_object_set_new(h, name, eth_json_quantity(v)), 0);
}

static json_t *
header(int fork)
{
	static const char *const root[] = { "parentHash", "sha3Uncles", NULL,
		"stateRoot", "transactionsRoot", "receiptsRoot", "mixHash" };
	json_t *h = json_object();
	for (uint8_t i = 0; i < 7; i++) {
		if (root[i] != NULL)
			put_fixed(h, root[i], (uint8_t)(i + 1), 32);
	}
	put_fixed(h, "miner", 3, 20);
	put_fixed(h, "logsBloom", 0, 256);
	put_fixed(h, "nonce", 0, 8);
	put_number(h, "difficulty", 0);
	put_number(h, "number", 0x1234);
	put_number(h, "gasLimit", 30000000);
	put_number(h, "gasUsed", 21000);
	put_number(h, "timestamp", 1700000000);
	put_number(h, "baseFeePerGas", 7);
	json_object_set_new(h, "extraData", eth_json_hex("dstack", 6));
	json_object_set_new(h, "hash", json_string(fork_hash[fork]));
	if (fork >= 1)
		put_fixed(h, "withdrawalsRoot", 8, 32);
	if (fork >= 2) {
		put_number(h, "blobGasUsed", 131072);
		put_number(h, "excessBlobGas", 0);
		put_fixed(h, "parentBeaconBlockRoot", 9, 32);
	}
	if (fork >= 3)
		put_fixed(h, "requestsHash", 10, 32);
	if (fork >= 4) {
		put_fixed(h, "blockAccessListHash", 11, 32);
		put_number(h, "slotNumber", 0x9abc);
	}
	return h;
}

static void
headers_of_each_fork_have_their_hash(void **state)
{
	(void)state;
	for (int fork = 0; fork < FORKS; fork++) {
		json_t *j = header(fork);
		struct eth_header h;
		struct why why = { "" };
		assert_int_equal(eth_header_from_json(j, &h, &why), DSTACK_OK);
		assert_hex(h.hash, 32, fork_hash[fork]);
		assert_int_equal(h.number, 0x1234);
		assert_int_equal(h.timestamp, 1700000000);
		assert_int_equal(h.parent_hash[0], 1);
		assert_int_equal(h.state_root[31], 4);
		assert_int_equal(h.parent_beacon_root[0], fork >= 2 ? 9 : 0);
		json_decref(j);
	}
}

static void
a_header_with_any_other_field_is_refused(void **state)
{
	(void)state;
	json_t *names = header(NEWEST);
	const char *name;
	json_t *v;
	struct eth_header h;
	struct why why;
	json_object_foreach (names, name, v) {
		json_t *j = header(NEWEST);
		size_t n = json_string_length(v);
		char *text = strdup(json_string_value(v));
		assert_non_null(text);
		text[n - 1] = text[n - 1] == '1' ? '2' : '1';
		json_object_set_new(j, name, json_string(text));
		assert_int_equal(
		    eth_header_from_json(j, &h, &why), DSTACK_E_REJECTED);
		/* and one without it: a fork's fields come together */
		json_object_del(j, name);
		enum dstack_status want = DSTACK_E_MISSING;
		if (strcmp(name, "hash") == 0)
			want = DSTACK_E_FORMAT;
		assert_int_equal(eth_header_from_json(j, &h, &why), want);
		json_object_set_new(j, name, json_string("0x"));
		assert_int_not_equal(
		    eth_header_from_json(j, &h, &why), DSTACK_OK);
		free(text);
		json_decref(j);
	}
	json_decref(names);
}

/* Without all fields of its fork it is a header of the fork before. */
static void
an_amsterdam_header_without_its_fields_has_another_hash(void **state)
{
	(void)state;
	json_t *j = header(4);
	struct eth_header h;
	struct why why;
	json_object_del(j, "blockAccessListHash");
	json_object_set_new(j, "slotNumber", json_null());
	assert_int_equal(
	    eth_header_from_json(j, &h, &why), DSTACK_E_REJECTED);
	json_object_set_new(j, "hash", json_string(fork_hash[3]));
	assert_int_equal(eth_header_from_json(j, &h, &why), DSTACK_OK);
	json_decref(j);
}

/* Quantities and sizes in every wrong form, the right hash beside them. */
static void
amsterdam_fields_in_a_wrong_form_are_refused(void **state)
{
	(void)state;
	static const struct {
		const char *name, *value;
	} bad[] = {
		{ "slotNumber", "0x09abc" }, /* leading zero */
		{ "slotNumber", "39612" },
		{ "slotNumber", "0x" },
		{ "slotNumber", "0x9abg" },
		{ "slotNumber", "0x00" },
		{ "blockAccessListHash", "0x0b" },
		{ "blockAccessListHash", "" },
		{ "blockAccessListHash",
		    "0x0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b"
		    "0b0b0b0b0b0b" }, /* 33 bytes */
	};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		json_t *j = header(4);
		struct eth_header h;
		struct why why;
		json_object_set_new(
		    j, bad[i].name, json_string(bad[i].value));
		assert_int_not_equal(
		    eth_header_from_json(j, &h, &why), DSTACK_OK);
		assert_non_null(strstr(why.text, bad[i].name));
		json_decref(j);
	}
	json_t *j = header(4);
	struct eth_header h;
	struct why why;
	json_object_set_new(j, "slotNumber", json_integer(0x9abc));
	assert_int_not_equal(eth_header_from_json(j, &h, &why), DSTACK_OK);
	json_decref(j);
}

/* What no list has is never passed over in silence where the hash differs. */
static void
a_field_of_a_later_fork_is_named(void **state)
{
	(void)state;
	json_t *j = header(4);
	struct eth_header h;
	struct why why;
	put_fixed(j, "inclusionListHash", 12, 32);
	/* the hash of 24 fields is not that of the 23 it knows */
	put_fixed(j, "hash", 13, 32);
	assert_int_equal(
	    eth_header_from_json(j, &h, &why), DSTACK_E_REJECTED);
	assert_non_null(strstr(why.text, "inclusionListHash"));
	/* and what is no header's does not change a hash that is right */
	json_object_set_new(j, "hash", json_string(fork_hash[4]));
	assert_int_equal(eth_header_from_json(j, &h, &why), DSTACK_OK);
	json_decref(j);
}

/*
 * Two blocks of another client's development chain (reth 2.7.0), the last
 * before Amsterdam and the first of it: every field is that client's.
 */
static void
blocks_of_another_client_have_their_hash(void **state)
{
	(void)state;
	static const char empty[] =
	    "0x56e81f171bcc55a6ff8345e692c0f86e5b48e01b996cadc001622fb5e363b421";
	static const struct {
		const char *name, *before, *after;
	} two[] = {
		{ "hash", "0x2648510bb7819909b36373a3a2ccda82a51a0c8b154d03ff7710ef8d64b689e6",
		    "0x86e1583ca604ce5de648b44c41fb309b8dfe72ab21b57ad9f12eb0d92ac991f8" },
		{ "parentHash", "0x74f90ca1c71db6591cc4510eb6e831bdf7fcc7beabcdcbfaa1e7cb0788840153",
		    "0x2648510bb7819909b36373a3a2ccda82a51a0c8b154d03ff7710ef8d64b689e6" },
		{ "stateRoot", "0xd430244510b470423f038afbfb318f1e8b458357727dd4959845e6b0182fbae8",
		    "0x2338ab0cb5b76db31251fc2352e9142fd8b2bf19de6ac4a3c201b84d6ba737d3" },
		{ "mixHash", "0x879d6ebf21224bb92a05f0c4d50a2823ae85c1bfda76dd171381184d6f4070c5",
		    "0x27184df4d2e2182675a2310a546d32e0d74a7accd4fbeafa84a903cd489dd40c" },
		{ "parentBeaconBlockRoot", "0x9bdd621d2614dc45107bc9f80a2221de691a899d7740569523c6e0cc24f4ffd6",
		    "0x1214de134cf32c261ff3c2b6f96435016e9b98bf7dcd4870ad0009a2acf79974" },
		{ "number", "0xbf", "0xc0" },
		{ "timestamp", "0x6abd0dc7", "0x6abd0dcb" },
		{ "blockAccessListHash", NULL,
		    "0x1d33a17375e8dd0aef5da65c3f51422043f1c40d52eceaaca238cc92501aa32e" },
		{ "slotNumber", NULL, "0xc0" },
		/* the same in both */
		{ "sha3Uncles", "0x1dcc4de8dec75d7aab85b567b6ccd41ad312451b948a7413f0a142fd40d49347", "" },
		{ "miner", "0x8943545177806ed17b9f23f0a21ee5948ecaa776", "" },
		{ "transactionsRoot", empty, "" },
		{ "receiptsRoot", empty, "" },
		{ "withdrawalsRoot", empty, "" },
		{ "difficulty", "0x0", "" },
		{ "gasLimit", "0xbebc200", "" },
		{ "gasUsed", "0x0", "" },
		{ "extraData", "0x726574682f76322e372e302f6c696e7578", "" },
		{ "nonce", "0x0000000000000000", "" },
		{ "baseFeePerGas", "0x7", "" },
		{ "blobGasUsed", "0x0", "" },
		{ "excessBlobGas", "0x0", "" },
		{ "requestsHash", "0xe3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", "" },
	};
	uint8_t before[32] = { 0 };
	for (int after = 0; after < 2; after++) {
		json_t *j = json_object();
		struct eth_header h;
		struct why why = { "" };
		put_fixed(j, "logsBloom", 0, 256);
		for (size_t i = 0; i < sizeof(two) / sizeof(two[0]); i++) {
			const char *v = after != 0 && two[i].after[0] != 0 ?
			    two[i].after : two[i].before;
			if (v != NULL)
				json_object_set_new(
				    j, two[i].name, json_string(v));
		}
		assert_int_equal(eth_header_from_json(j, &h, &why), DSTACK_OK);
		assert_int_equal(h.number, 0xbf + after);
		if (after != 0)
			assert_memory_equal(h.parent_hash, before, 32);
		memcpy(before, h.hash, 32);
		json_decref(j);
	}
}

static void
a_block_that_is_not_there_is_missing(void **state)
{
	(void)state;
	struct eth_header h;
	struct why why;
	json_t *list = json_array();
	assert_int_equal(
	    eth_header_from_json(json_null(), &h, &why), DSTACK_E_MISSING);
	assert_int_equal(eth_header_from_json(list, &h, &why), DSTACK_E_FORMAT);
	json_decref(list);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_request_is_json_rpc_two),
		cmocka_unit_test(only_an_answer_to_the_request_has_a_result),
		cmocka_unit_test(a_servers_error_is_told),
		cmocka_unit_test(a_node_that_forgot_a_state_is_named_as_such),
		cmocka_unit_test(deep_wide_and_large_answers_are_refused),
		cmocka_unit_test(quantities_have_one_spelling),
		cmocka_unit_test(data_has_its_length_and_whole_bytes),
		cmocka_unit_test(headers_of_each_fork_have_their_hash),
		cmocka_unit_test(a_header_with_any_other_field_is_refused),
		cmocka_unit_test(
		    an_amsterdam_header_without_its_fields_has_another_hash),
		cmocka_unit_test(amsterdam_fields_in_a_wrong_form_are_refused),
		cmocka_unit_test(a_field_of_a_later_fork_is_named),
		cmocka_unit_test(blocks_of_another_client_have_their_hash),
		cmocka_unit_test(a_block_that_is_not_there_is_missing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
