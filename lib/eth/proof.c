/* SPDX-License-Identifier: Apache-2.0 */
/*
 * eth_getProof (EIP-1186). What the answer claims beside its proofs is never
 * read: account and values come out of the proven nodes alone.
 */
#include "eth/rpc.h"

#include <string.h>

#include "base/rd.h"
#include "crypto/hash.h"
#include "eth/rlp.h"
#include "eth/trie.h"

/* Storage root of an account that is not there: the empty trie. */
static const uint8_t empty_root[32] = { 0x56, 0xe8, 0x1f, 0x17, 0x1b, 0xcc,
	0x55, 0xa6, 0xff, 0x83, 0x45, 0xe6, 0x92, 0xc0, 0xf8, 0x6e, 0x5b, 0x48,
	0xe0, 0x1b, 0x99, 0x6c, 0xad, 0xc0, 0x01, 0x62, 0x2f, 0xb5, 0xe3, 0x63,
	0xb4, 0x21 };

/*
 * Walk the nodes of a JSON array along keccak256(key). The proven value is
 * handed to parse; a proven absence is not.
 */
static enum dstack_status
walk(const json_t *list, const uint8_t root[static 32], const uint8_t *key,
    size_t keylen, bool *found,
    enum dstack_status (*parse)(struct rd *r, void *ctx), void *ctx)
{
	AUTO_WR struct wr bytes = wr_new(TRIE_MAX_NODES * TRIE_MAX_NODE);
	struct piece node[TRIE_MAX_NODES];
	size_t end[TRIE_MAX_NODES];
	uint8_t path[32];
	const uint8_t *value;
	size_t valuelen;
	size_t count = json_array_size(list);
	if (!json_is_array(list))
		return DSTACK_E_FORMAT;
	/*
	 * before the nodes are decoded: a list is as long as its sender likes
	 */
	if (count > TRIE_MAX_NODES)
		return DSTACK_E_LIMIT;
	for (size_t i = 0; i < count; i++) {
		enum dstack_status st = eth_json_data(
		    json_array_get(list, i), TRIE_MAX_NODE, &bytes);
		if (st != DSTACK_OK)
			return st;
		/* only where it ends: the buffer may still move */
		end[i] = bytes.len;
	}
	struct rd all = rd_over(bytes.buf, bytes.len);
	for (size_t i = 0; i < count; i++) {
		const uint8_t *p;
		node[i].n = end[i] - all.pos;
		enum dstack_status st = rd_take(&all, node[i].n, &p);
		if (st != DSTACK_OK)
			return st;
		node[i].p = p;
	}
	/*
	 * Ethereum's tries are keyed by hashes, so that nobody can choose long
	 * ways
	 */
	keccak256(key, keylen, path);
	enum dstack_status st = trie_verify(
	    root, path, sizeof(path), node, count, found, &value, &valuelen);
	if (st != DSTACK_OK || !*found)
		return st;
	struct rd r = rd_over(value, valuelen);
	st = parse(&r, ctx);
	/* and nothing behind the value */
	return st == DSTACK_OK ? rd_end(&r) : st;
}

static enum dstack_status
hash_of(struct rd *r, uint8_t out[static 32])
{
	const uint8_t *p;
	size_t n;
	enum dstack_status st = rlp_bytes(r, &p, &n);
	if (st != DSTACK_OK)
		return st;
	if (n != 32)
		return DSTACK_E_FORMAT;
	memcpy(out, p, 32);
	return DSTACK_OK;
}

/* [nonce, balance, storageRoot, codeHash] */
static enum dstack_status
read_account(struct rd *r, void *ctx)
{
	struct eth_account *a = ctx;
	struct rd in;
	enum dstack_status st = rlp_list(r, &in);
	if (st == DSTACK_OK)
		st = rlp_u64(&in, &a->nonce);
	if (st == DSTACK_OK)
		st = rlp_u256(&in, a->balance);
	if (st == DSTACK_OK)
		st = hash_of(&in, a->storage_root);
	if (st == DSTACK_OK)
		st = hash_of(&in, a->code_hash);
	if (st == DSTACK_OK)
		st = rd_end(&in);
	return st;
}

/*
 * A slot's value. Ethereum never stores zero, but development chains (anvil)
 * keep a leaf with zero for a slot that was written so: proven either way.
 */
static enum dstack_status
read_value(struct rd *r, void *ctx)
{
	return rlp_u256(r, ctx);
}

static enum dstack_status
say(struct why *why, enum dstack_status st, const char *what, size_t i)
{
	const char *how = dstack_status_text(st);
	if (st == DSTACK_E_REJECTED)
		how = "a node is missing, left over, or not of this state root";
	return why_set(why, st, "%s %zu of eth_getProof: %s", what, i, how);
}

enum dstack_status
eth_check_proof(const json_t *proof, const uint8_t state_root[static 32],
    const uint8_t addr[static 20], const uint8_t (*slots)[32], size_t count,
    struct eth_account *account, uint8_t (*values)[32], struct why *why)
{
	struct eth_account a;
	bool found;
	memset(&a, 0, sizeof(a));
	if (!json_is_object(proof))
		return why_set(why, DSTACK_E_FORMAT,
		    "eth_getProof's answer is no JSON object");
	const json_t *storage = json_object_get(proof, "storageProof");
	/*
	 * in the order that was asked for; which slot an answer says it is of
	 * is not read
	 */
	if (count != 0 && json_array_size(storage) != count)
		return why_set(why, DSTACK_E_REJECTED,
		    "eth_getProof answers %zu slots, %zu were asked",
		    json_array_size(storage), count);
	enum dstack_status st = walk(json_object_get(proof, "accountProof"),
	    state_root, addr, 20, &a.exists, read_account, &a);
	if (st != DSTACK_OK)
		return say(why, st, "account proof", (size_t)0);
	AUTO_WR struct wr got = wr_new(0);
	for (size_t i = 0; i < count; i++) {
		uint8_t v[32] = { 0 };
		const json_t *list = json_object_get(
		    json_array_get(storage, i), "proof");
		/*
		 * an account that is not there holds nothing: its slots are
		 * proven zero
		 */
		st = walk(list, a.exists ? a.storage_root : empty_root,
		    slots[i], 32, &found, read_value, v);
		if (st != DSTACK_OK)
			return say(why, st, "storage proof", i);
		wr_put(&got, v, sizeof(v));
	}
	st = wr_status(&got);
	if (st != DSTACK_OK)
		return why_set(why, st, "no memory for storage values");
	if (count != 0)
		/*
		 * all or none: the caller's values change only when every slot
		 * was proven
		 */
		memcpy(values, got.buf, got.len);
	*account = a;
	return DSTACK_OK;
}

/* Where Solidity keeps m[key] of a mapping at a slot. */
void
eth_slot_mapping(const uint8_t key[static 32], const uint8_t slot[static 32],
    uint8_t out[static 32])
{
	const struct piece fixed[] = { { key, 32 }, { slot, 32 } };
	keccak256v(fixed, 2, out);
}

/*
 * Members of a struct are at the slots behind its first; the sum wraps as the
 * EVM's does.
 */
void
eth_slot_add(uint8_t slot[static 32], uint64_t n)
{
	for (size_t i = 32; i > 0; i--) {
		uint64_t sum = (uint64_t)slot[i - 1] + (n & 0xff);
		slot[i - 1] = (uint8_t)sum;
		n = (n >> 8) + (sum >> 8);
	}
}

void
eth_slot_u64(uint64_t n, uint8_t out[static 32])
{
	memset(out, 0, 32);
	eth_slot_add(out, n);
}
