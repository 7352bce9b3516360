/* SPDX-License-Identifier: Apache-2.0 */
/* eth_getProof, on states the test builds and on the public one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "eth/rpc.h"
#include "eth/trie.h"
#include "tests/unit/lib/eth/mktrie.h"
#include "tests/unit/lib/vec.h"

/* A state of many accounts, one of them with storage, and its proofs. */
struct world {
	struct trie state;
	struct trie storage;
	uint8_t addr[20];
	uint8_t path[32];
	uint8_t slot[6][32]; /* 0..3 set, 4 and 5 not */
	uint8_t value[6][32];
};

static json_t *
node_list(const struct trie *t)
{
	struct piece p[DEEP];
	size_t n = trie_pieces(t, p);
	json_t *a = json_array();
	for (size_t i = 0; i < n; i++)
		json_array_append_new(a, eth_json_hex(p[i].p, p[i].n));
	return a;
}

static void
put_account(struct trie *t, const uint8_t path[static 32], uint64_t nonce,
    const uint8_t root[static 32])
{
	AUTO_WR struct wr in = wr_new(0);
	AUTO_WR struct wr w = wr_new(0);
	uint8_t code[32];
	memset(code, 0xcc, sizeof(code));
	rlp_put_u64(&in, nonce);
	rlp_put_u64(&in, 1000000);
	rlp_put_bytes(&in, root, 32);
	rlp_put_bytes(&in, code, 32);
	rlp_put_list(&w, &in);
	trie_set(t, path, 32, w.buf, w.len);
}

static void
world_make(struct world *w)
{
	uint8_t h[32];
	memset(w, 0, sizeof(*w));
	memset(w->addr, 0x42, 20);
	for (uint8_t i = 0; i < 6; i++) {
		eth_slot_u64(i, w->slot[i]);
		if (i > 3)
			continue;
		AUTO_WR struct wr v = wr_new(0);
		memset(w->value[i] + 31 - i * 8, i + 1, (size_t)i * 8 + 1);
		keccak256(w->slot[i], 32, h);
		rlp_put_u256(&v, w->value[i]);
		trie_set(&w->storage, h, 32, v.buf, v.len);
	}
	trie_prove(&w->storage, h, 32);
	for (uint64_t i = 0; i < 40; i++) {
		keccak256(&i, sizeof(i), h);
		put_account(&w->state, h, i, h);
	}
	keccak256(w->addr, 20, w->path);
	put_account(&w->state, w->path, 7, w->storage.root);
}

/* The answer of eth_getProof for the account and its slots. */
static json_t *
world_proof(struct world *w, size_t count)
{
	json_t *p = json_object();
	json_t *list = json_array();
	trie_prove(&w->state, w->path, 32);
	json_object_set_new(p, "accountProof", node_list(&w->state));
	for (size_t i = 0; i < count; i++) {
		uint8_t h[32];
		keccak256(w->slot[i], 32, h);
		trie_prove(&w->storage, h, 32);
		json_t *one = json_object();
		json_object_set_new(one, "proof", node_list(&w->storage));
		json_array_append_new(list, one);
	}
	json_object_set_new(p, "storageProof", list);
	return p;
}

static void
world_free(struct world *w)
{
	trie_free(&w->state);
	trie_free(&w->storage);
}

static enum dstack_status
check(const struct world *w, const json_t *proof, size_t count,
    struct eth_account *a, uint8_t (*values)[32])
{
	struct why why = { "" };
	enum dstack_status st = eth_check_proof(proof, w->state.root, w->addr,
	    (const uint8_t (*)[32])w->slot, count, a, values, &why);
	assert_true((st == DSTACK_OK) == (why.text[0] == '\0'));
	return st;
}

static void
an_account_and_its_slots_are_proven(void **state)
{
	(void)state;
	static struct world w;
	struct eth_account a;
	uint8_t values[6][32];
	world_make(&w);
	json_t *p = world_proof(&w, 6);
	memset(values, 0xee, sizeof(values));
	assert_int_equal(check(&w, p, 6, &a, values), DSTACK_OK);
	assert_true(a.exists);
	assert_int_equal(a.nonce, 7);
	assert_int_equal(a.balance[31], 1000000 & 0xff);
	assert_memory_equal(a.storage_root, w.storage.root, 32);
	assert_int_equal(a.code_hash[0], 0xcc);
	assert_memory_equal(values, w.value, sizeof(values));
	json_decref(p);
	p = world_proof(&w, 0);
	assert_int_equal(check(&w, p, 0, &a, NULL), DSTACK_OK);
	json_decref(p);
	world_free(&w);
}

static void
proofs_of_another_slot_or_account_are_refused(void **state)
{
	(void)state;
	static struct world w;
	struct eth_account a;
	uint8_t values[6][32];
	world_make(&w);
	json_t *p = world_proof(&w, 6);
	assert_int_equal(check(&w, p, 5, &a, values), DSTACK_E_REJECTED);
	/* two slots' proofs changed over */
	json_t *list = json_object_get(p, "storageProof");
	json_t *first = json_incref(json_array_get(list, 0));
	json_array_set(list, 0, json_array_get(list, 3));
	json_array_set_new(list, 3, first);
	assert_int_equal(check(&w, p, 6, &a, values), DSTACK_E_REJECTED);
	json_decref(p);
	p = world_proof(&w, 1);
	w.addr[0] ^= 1;
	assert_int_equal(check(&w, p, 1, &a, values), DSTACK_E_REJECTED);
	w.addr[0] ^= 1;
	w.state.root[5] ^= 1;
	assert_int_equal(check(&w, p, 1, &a, values), DSTACK_E_REJECTED);
	json_decref(p);
	world_free(&w);
}

static void
proofs_with_a_part_missing_are_refused(void **state)
{
	(void)state;
	static struct world w;
	struct eth_account a;
	uint8_t values[6][32];
	world_make(&w);
	json_t *p = world_proof(&w, 1);
	json_t *nodes = json_object_get(p, "accountProof");
	json_array_remove(nodes, json_array_size(nodes) - 1);
	assert_int_equal(check(&w, p, 1, &a, values), DSTACK_E_REJECTED);
	json_object_del(p, "accountProof");
	assert_int_equal(check(&w, p, 1, &a, values), DSTACK_E_FORMAT);
	json_decref(p);
	p = world_proof(&w, 1);
	json_array_clear(json_object_get(
	    json_array_get(json_object_get(p, "storageProof"), 0), "proof"));
	assert_int_equal(check(&w, p, 1, &a, values), DSTACK_E_REJECTED);
	json_object_del(p, "storageProof");
	assert_int_equal(check(&w, p, 1, &a, values), DSTACK_E_REJECTED);
	assert_int_equal(
	    check(&w, json_null(), 1, &a, values), DSTACK_E_FORMAT);
	json_decref(p);
	world_free(&w);
}

static void
an_absent_account_is_proven_and_its_slots_are_zero(void **state)
{
	(void)state;
	static struct world w;
	struct eth_account a;
	uint8_t values[2][32];
	uint8_t zero[2][32] = { { 0 } };
	world_make(&w);
	json_t *full = world_proof(&w, 2);
	w.addr[0] ^= 1;
	keccak256(w.addr, 20, w.path);
	trie_prove(&w.state, w.path, 32);
	json_t *p = json_object();
	json_object_set_new(p, "accountProof", node_list(&w.state));
	json_object_set_new(p, "storageProof",
	    json_pack("[{s:[]}, {s:[s]}]", "proof", "proof", "0x80"));
	memset(values, 0xee, sizeof(values));
	assert_int_equal(check(&w, p, 2, &a, values), DSTACK_OK);
	assert_false(a.exists);
	assert_memory_equal(values, zero, sizeof(zero));
	/* storage nodes of somebody else prove nothing here */
	json_object_set(p, "storageProof",
	    json_object_get(full, "storageProof"));
	assert_int_equal(check(&w, p, 2, &a, values), DSTACK_E_REJECTED);
	json_decref(p);
	json_decref(full);
	world_free(&w);
}

/* What is stored under the account's or slot's path is itself canonical. */
static void
stored_values_of_another_shape_are_refused(void **state)
{
	(void)state;
	static struct world w;
	struct eth_account a;
	uint8_t values[1][32];
	uint8_t h[32];
	const char *bad[] = { "820001", "c0", "0505",
		"a1ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"
		"ffff" };
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		size_t n;
		uint8_t *v = unhex(bad[i], &n);
		world_make(&w);
		keccak256(w.slot[0], 32, h);
		trie_set(&w.storage, h, 32, v, n);
		trie_prove(&w.storage, h, 32);
		put_account(&w.state, w.path, 7, w.storage.root);
		json_t *p = world_proof(&w, 1);
		assert_int_not_equal(check(&w, p, 1, &a, values), DSTACK_OK);
		json_decref(p);
		world_free(&w);
		free(v);
	}
}

static void
a_slot_that_is_stored_as_zero_reads_zero(void **state)
{
	(void)state;
	static struct world w;
	static const uint8_t zero[32];
	struct eth_account a;
	uint8_t values[1][32], h[32], v[1] = { 0x80 };
	world_make(&w);
	keccak256(w.slot[0], 32, h);
	trie_set(&w.storage, h, 32, v, 1);
	trie_prove(&w.storage, h, 32);
	put_account(&w.state, w.path, 7, w.storage.root);
	json_t *p = world_proof(&w, 1);
	assert_int_equal(check(&w, p, 1, &a, values), DSTACK_OK);
	assert_memory_equal(values[0], zero, 32);
	json_decref(p);
	world_free(&w);
}

static void
accounts_of_another_shape_are_refused(void **state)
{
	(void)state;
	static struct world w;
	struct eth_account a;
	const struct {
		size_t root; /* bytes */
		size_t code;
		bool fifth; /* item */
		bool tail;  /* byte behind the list */
		enum dstack_status want;
	} shape[] = {
		{ 32, 32, false, false, DSTACK_OK },
		{ 31, 32, false, false, DSTACK_E_FORMAT },
		{ 33, 32, false, false, DSTACK_E_FORMAT },
		{ 32, 0, false, false, DSTACK_E_FORMAT },
		{ 32, 32, true, false, DSTACK_E_FORMAT },
		{ 32, 32, false, true, DSTACK_E_FORMAT },
	};
	for (size_t i = 0; i < sizeof(shape) / sizeof(shape[0]); i++) {
		AUTO_WR struct wr in = wr_new(0);
		AUTO_WR struct wr acc = wr_new(0);
		uint8_t h[40] = { 0xab };
		rlp_put_u64(&in, 1);
		rlp_put_u64(&in, 1);
		rlp_put_bytes(&in, h, shape[i].root);
		rlp_put_bytes(&in, h, shape[i].code);
		if (shape[i].fifth)
			rlp_put_u64(&in, 1);
		rlp_put_list(&acc, &in);
		if (shape[i].tail)
			wr_u8(&acc, 1);
		world_make(&w);
		trie_set(&w.state, w.path, 32, acc.buf, acc.len);
		json_t *p = world_proof(&w, 0);
		assert_int_equal(check(&w, p, 0, &a, NULL), shape[i].want);
		json_decref(p);
		world_free(&w);
	}
}

static void
slots_follow_solidity(void **state)
{
	(void)state;
	uint8_t s[32];
	uint8_t k[32] = { 0 };
	uint8_t out[32];
	eth_slot_u64(0, s);
	eth_slot_mapping(k, s, out);
	assert_hex(out, 32, /* keccak256 of 64 zero bytes */
	    "ad3228b676f7d3cd4284a5443f17f1962b36e491b30a40b2405849e597ba5fb5");
	eth_slot_u64(UINT64_MAX, s);
	eth_slot_add(s, 2);
	assert_hex(s, 32, "0000000000000000000000000000000000000000000000010000"
	                  "000000000001");
	memset(s, 0xff, 32);
	eth_slot_add(s, 1);
	assert_hex(s, 32, "0000000000000000000000000000000000000000000000000000"
	                  "000000000000");
}

static void
the_public_block_and_proof_check_out(void **state)
{
	(void)state;
	json_t *block = vec_json("eth/proof/block.json");
	json_t *proof = vec_json("eth/proof/proof.json");
	json_t *other = vec_json("eth/proof/account.json");
	if (block != NULL && proof != NULL && other != NULL) {
		struct eth_header h;
		struct eth_account a;
		struct why why = { "" };
		uint8_t addr[20];
		uint8_t slot[1][32];
		uint8_t v[1][32];
		eth_slot_u64(1, slot[0]);
		assert_int_equal(
		    eth_header_from_json(block, &h, &why), DSTACK_OK);
		assert_hex(h.hash, 32,
		    json_string_value(json_object_get(block, "hash")));
		assert_int_equal(eth_json_fixed(
		    json_object_get(proof, "address"), addr, 20), DSTACK_OK);
		assert_int_equal(eth_check_proof(proof, h.state_root, addr,
		    (const uint8_t (*)[32])slot, 1, &a, v, &why), DSTACK_OK);
		assert_hex(v[0], 32, json_string_value(json_object_get(
		    json_array_get(json_object_get(proof, "storageProof"), 0),
		    "value")));
		assert_hex(a.code_hash, 32,
		    json_string_value(json_object_get(proof, "codeHash")));
		assert_int_equal(eth_check_proof(other, h.state_root, addr,
		    (const uint8_t (*)[32])slot, 1, &a, v, &why), DSTACK_OK);
		slot[0][31] = 2;
		assert_int_equal(eth_check_proof(proof, h.state_root, addr,
		    (const uint8_t (*)[32])slot, 1, &a, v, &why),
		    DSTACK_E_REJECTED);
	}
	json_decref(block);
	json_decref(proof);
	json_decref(other);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_account_and_its_slots_are_proven),
		cmocka_unit_test(proofs_of_another_slot_or_account_are_refused),
		cmocka_unit_test(proofs_with_a_part_missing_are_refused),
		cmocka_unit_test(
		    an_absent_account_is_proven_and_its_slots_are_zero),
		cmocka_unit_test(stored_values_of_another_shape_are_refused),
		cmocka_unit_test(a_slot_that_is_stored_as_zero_reads_zero),
		cmocka_unit_test(accounts_of_another_shape_are_refused),
		cmocka_unit_test(slots_follow_solidity),
		cmocka_unit_test(the_public_block_and_proof_check_out),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
