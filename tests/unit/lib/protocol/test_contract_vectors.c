/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/vectors/contract.json, which the contract is held against too
 * (contracts/test/Vectors.t.sol): digests, signatures, hashes and slots.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "base/hex.h"
#include "crypto/hash.h"
#include "crypto/secp.h"
#include "protocol/state.h"
#include "protocol/statements.h"

static json_t *root;
static struct eip712_domain domain;

static const json_t *
in(const json_t *o, const char *key)
{
	const json_t *v = json_object_get(o, key);
	if (v == NULL)
		fail_msg("no %s in contract.json", key);
	return v;
}

static void
hex_of(const json_t *o, const char *key, void *out, size_t n)
{
	const char *s = json_string_value(in(o, key));
	assert_int_equal(hex_decode(s, strlen(s), out, n), DSTACK_OK);
}

static uint64_t
u64_of(const json_t *o, const char *key)
{
	return (uint64_t)json_integer_value(in(o, key));
}

static void
same(const json_t *o, const char *key, const uint8_t got[static 32])
{
	uint8_t want[32];
	hex_of(o, key, want, 32);
	assert_memory_equal(got, want, 32);
}

static const json_t *
statement(size_t i)
{
	return json_array_get(in(root, "statements"), i);
}

/* The digest is the vector's, and so are signature and signer. */
static void
check(const json_t *s, const uint8_t digest[static 32])
{
	same(s, "digest", digest);
	const json_t *signer = in(s, "signer");
	if (json_is_null(signer))
		return;
	const json_t *key = in(in(root, "keys"), json_string_value(signer));
	AUTO_WIPE32 struct secret32 k = { { 0 } };
	uint8_t want[65], sig[65], address[20], who[20];
	hex_of(key, "key", k.b, 32);
	hex_of(key, "address", address, 20);
	hex_of(s, "sig", want, 65);
	assert_int_equal(secp_sign(&k, digest, NULL, sig), DSTACK_OK);
	assert_memory_equal(sig, want, 65);
	assert_int_equal(secp_recover(digest, want, who), DSTACK_OK);
	assert_memory_equal(who, address, 20);
}

static void
domain_separator_is_the_contracts(void **state)
{
	(void)state;
	uint8_t got[32];
	eip712_separator(&domain, got);
	same(in(root, "domain"), "separator", got);
}

static void
every_statement_has_the_contracts_digest_and_signature(void **state)
{
	(void)state;
	uint8_t d[32];

	const json_t *m = in(statement(0), "message");
	struct stmt_bootstrap b = { .epoch = u64_of(m, "epoch"),
		.anchor_number = u64_of(m, "anchorNumber") };
	hex_of(m, "xPub", b.xpub, 20);
	hex_of(m, "seedCommit", b.seed_commit, 32);
	hex_of(m, "policyHash", b.policy_hash, 32);
	hex_of(m, "anchorHash", b.anchor_hash, 32);
	hex_of(m, "submitter", b.submitter, 20);
	stmt_bootstrap_digest(&b, &domain, d);
	check(statement(0), d);

	m = in(statement(1), "message");
	struct stmt_register r = { .epoch = u64_of(m, "epoch"),
		.anchor_number = u64_of(m, "anchorNumber") };
	uint8_t pub[32];
	memset(pub, 0x22, sizeof(pub));
	hex_of(m, "node", r.node, 20);
	hex_of(m, "encKeyHash", r.enc_key_hash, 32);
	hex_of(m, "policyHash", r.policy_hash, 32);
	hex_of(m, "anchorHash", r.anchor_hash, 32);
	hex_of(m, "submitter", r.submitter, 20);
	hex_of(m, "nonce", r.nonce, 32);
	stmt_register_digest(&r, &domain, d);
	check(statement(1), d);
	uint8_t enc[32];
	stmt_enc_key_hash(SUITE_X25519, pub, enc);
	same(m, "encKeyHash", enc);

	uint8_t id[32], quote[32];
	m = in(statement(2), "message");
	hex_of(m, "requestId", id, 32);
	hex_of(m, "quoteHash", quote, 32);
	stmt_register_tx_digest(id, quote, &domain, d);
	check(statement(2), d);

	m = in(statement(3), "message");
	struct stmt_onboard o = { .epoch = u64_of(m, "epoch"),
		.tcb_status = (uint8_t)u64_of(m, "tcbStatus") };
	hex_of(m, "requestId", o.request_id, 32);
	hex_of(m, "seedCommit", o.seed_commit, 32);
	hex_of(m, "ctHash", o.ct_hash, 32);
	hex_of(m, "platformHash", o.platform_hash, 32);
	hex_of(m, "payee", o.payee, 20);
	stmt_onboard_digest(&o, &domain, d);
	check(statement(3), d);

	m = in(statement(4), "message");
	struct stmt_heartbeat h = { .epoch = u64_of(m, "epoch"),
		.anchor_number = u64_of(m, "anchorNumber") };
	hex_of(m, "node", h.node, 20);
	hex_of(m, "anchorHash", h.anchor_hash, 32);
	stmt_heartbeat_digest(&h, &domain, d);
	check(statement(4), d);

	m = in(statement(5), "message");
	struct stmt_volume_anchor v = { .epoch = u64_of(m, "epoch"),
		.generation = u64_of(m, "generation"),
		.anchor_number = u64_of(m, "anchorNumber") };
	hex_of(m, "volumeId", v.volume_id, 32);
	hex_of(m, "root", v.root, 32);
	hex_of(m, "anchorHash", v.anchor_hash, 32);
	stmt_volume_anchor_digest(&v, &domain, d);
	check(statement(5), d);
}

static void
attestation_digest_is_what_verify_expects(void **state)
{
	(void)state;
	uint8_t data[32], d[32];
	const json_t *a = in(root, "attest");
	hex_of(a, "appData", data, 32);
	stmt_attest_digest(data, d);
	check(a, d);
}

static void
tuple_hash_is_the_vectors(void **state)
{
	(void)state;
	const json_t *t = in(root, "tuple");
	uint8_t mrtd[48], rtmr[3][48], config[48], d[32];
	hex_of(t, "mrtd", mrtd, 48);
	hex_of(t, "rtmr0", rtmr[0], 48);
	hex_of(t, "rtmr1", rtmr[1], 48);
	hex_of(t, "rtmr2", rtmr[2], 48);
	hex_of(t, "mrconfigid", config, 48);
	stmt_tuple_hash(mrtd, (const uint8_t(*)[48])rtmr, config, d);
	same(t, "tupleHash", d);
}

static void
policy_word_is_read_as_the_contract_packs_it(void **state)
{
	(void)state;
	const json_t *p = in(root, "policy");
	uint8_t words[KM_EPOCH_SLOTS][32] = { { 0 } };
	hex_of(p, "word", words[KM_EPOCH_POLICY], 32);
	struct state_epoch e;
	assert_int_equal(
	    state_epoch_decode((const uint8_t(*)[32])words, &e), DSTACK_OK);
	assert_int_equal(e.policy.tcb_mask, u64_of(p, "tcbStatusMask"));
	assert_int_equal(e.policy.min_tcb_eval, u64_of(p, "minTcbEvalNum"));
	assert_int_equal(e.policy.min_root_crl, u64_of(p, "minRootCrl"));
	assert_int_equal(e.policy.min_pck_crl, u64_of(p, "minPckCrl"));
	assert_int_equal(
	    e.policy.request_expiry, u64_of(p, "requestExpiryBlocks"));
	assert_int_equal(
	    e.policy.requests_per_block, u64_of(p, "requestsPerBlock"));
	assert_int_equal(e.policy.platform_mode, u64_of(p, "platformMode"));
}

static void
slots_are_the_contracts(void **state)
{
	(void)state;
	const json_t *slots = in(root, "slots");
	uint8_t key[32], got[KM_EPOCH_SLOTS][32];

	state_epoch_slots(3, got);
	same(json_array_get(slots, 0), "slot", got[0]);
	hex_of(in(root, "tuple"), "tupleHash", key, 32);
	state_tuple_slot(3, key, got[0]);
	same(json_array_get(slots, 1), "slot", got[0]);
	state_advisory_slot(3, "INTEL-SA-00615", got[0]);
	same(json_array_get(slots, 2), "slot", got[0]);
	memset(key, 0x61, sizeof(key));
	state_platform_slot(key, got[0]);
	same(json_array_get(slots, 3), "slot", got[0]);
	hex_of(statement(1), "digest", key, 32);
	state_request_slot(key, got[0]);
	same(json_array_get(slots, 4), "slot", got[0]);
	memset(key, 0x51, sizeof(key));
	state_volume_slots(key, got);
	same(json_array_get(slots, 5), "slot", got[0]);
}

static int
load(void **state)
{
	(void)state;
	root = json_load_file(
	    "tests/vectors/contract.json", JSON_REJECT_DUPLICATES, NULL);
	if (root == NULL)
		return -1;
	const json_t *d = in(root, "domain");
	domain.chain_id = u64_of(d, "chainId");
	hex_of(d, "verifyingContract", domain.contract, 20);
	return 0;
}

static int
unload(void **state)
{
	(void)state;
	json_decref(root);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(domain_separator_is_the_contracts),
		cmocka_unit_test(
		    every_statement_has_the_contracts_digest_and_signature),
		cmocka_unit_test(attestation_digest_is_what_verify_expects),
		cmocka_unit_test(tuple_hash_is_the_vectors),
		cmocka_unit_test(policy_word_is_read_as_the_contract_packs_it),
		cmocka_unit_test(slots_are_the_contracts),
	};
	return cmocka_run_group_tests(tests, load, unload);
}
