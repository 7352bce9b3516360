/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Block headers, as a node's JSON tells them. What comes in is the node's
 * word; what decides is keccak256 over the RLP of the header's fields, in the
 * order of the execution specification: fifteen of the beginning, then what
 * each fork put behind them. A fork's fields come together or not at all, and
 * those of the newest fork that is seen decide how many are encoded.
 *
 * A field that this list does not have is never skipped: the hash does not
 * come out then, and the refusal names the member that may be it, so that
 * whoever reads it knows that the program is older than the chain.
 */
#include "eth/rpc.h"

#include <string.h>

#include "crypto/hash.h"
#include "eth/rlp.h"

#define EXTRA_MAX 128 /* bytes; 32 on the main network */
#define HEADER_MAX 2048

enum kind { FIXED, QUANTITY, EXTRA };
struct field {
	const char *name;
	enum kind kind;
	size_t n;    /* bytes of a FIXED one */
	int fork;    /* 0: all we read; else fields of a fork come together */
};

static const struct field field[] = {
	{ "parentHash", FIXED, 32, 0 },
	{ "sha3Uncles", FIXED, 32, 0 },
	{ "miner", FIXED, 20, 0 },
	{ "stateRoot", FIXED, 32, 0 },
	{ "transactionsRoot", FIXED, 32, 0 },
	{ "receiptsRoot", FIXED, 32, 0 },
	{ "logsBloom", FIXED, 256, 0 },
	{ "difficulty", QUANTITY, 0, 0 },
	{ "number", QUANTITY, 0, 0 },
	{ "gasLimit", QUANTITY, 0, 0 },
	{ "gasUsed", QUANTITY, 0, 0 },
	{ "timestamp", QUANTITY, 0, 0 },
	{ "extraData", EXTRA, 0, 0 },
	{ "mixHash", FIXED, 32, 0 },
	{ "nonce", FIXED, 8, 0 },
	{ "baseFeePerGas", QUANTITY, 0, 0 },          /* London */
	{ "withdrawalsRoot", FIXED, 32, 1 },          /* Shanghai */
	{ "blobGasUsed", QUANTITY, 0, 2 },            /* Cancun */
	{ "excessBlobGas", QUANTITY, 0, 2 },
	{ "parentBeaconBlockRoot", FIXED, 32, 2 },
	{ "requestsHash", FIXED, 32, 3 },             /* Prague, Osaka */
	{ "blockAccessListHash", FIXED, 32, 4 },      /* Amsterdam, EIP-7928 */
	{ "slotNumber", QUANTITY, 0, 4 },             /* and EIP-7843 */
};
#define FIELDS (sizeof(field) / sizeof(field[0]))

static bool
has(const json_t *block, const char *name)
{
	const json_t *v = json_object_get(block, name);
	return v != NULL && !json_is_null(v);
}

static enum dstack_status
put(const struct field *f, const json_t *v, struct wr *w)
{
	uint8_t b[256];
	enum dstack_status st;
	if (f->kind == FIXED) {
		st = eth_json_fixed(v, b, f->n);
		if (st == DSTACK_OK)
			rlp_put_bytes(w, b, f->n);
		return st;
	}
	if (f->kind == QUANTITY) {
		st = eth_json_u256(v, b);
		if (st == DSTACK_OK)
			rlp_put_u256(w, b);
		return st;
	}
	AUTO_WR struct wr data = wr_new(EXTRA_MAX);
	st = eth_json_data(v, EXTRA_MAX, &data);
	if (st == DSTACK_OK)
		rlp_put_bytes(w, data.buf, data.len);
	return st;
}

/* Fields up to the last fork whose first field is there; no gaps. */
static enum dstack_status
encode(const json_t *block, struct wr *w, struct why *why)
{
	AUTO_WR struct wr in = wr_new(HEADER_MAX);
	int last = 0;
	for (size_t i = 0; i < FIELDS; i++) {
		/*
		 * A server that leaves out one field of a fork is found by the
		 * next loop; one that leaves out all of them, by the hash.
		 */
		if (field[i].fork > last && has(block, field[i].name))
			last = field[i].fork;
	}
	for (size_t i = 0; i < FIELDS && field[i].fork <= last; i++) {
		const char *name = field[i].name;
		if (!has(block, name))
			return why_set(why, DSTACK_E_MISSING,
			    "block header lacks %s", name);
		enum dstack_status st =
		    put(&field[i], json_object_get(block, name), &in);
		if (st != DSTACK_OK)
			return why_set(why, st,
			    "block header's %s does not parse", name);
	}
	rlp_put_list(w, &in);
	return wr_status(w);
}

/* The first member that is neither a header's nor of the body; or NULL. */
static const char *
stranger(const json_t *block)
{
	static const char *const body[] = { "hash", "size", "transactions",
		"uncles", "withdrawals", "totalDifficulty" };
	const char *name = NULL;
	json_t *v = NULL;
	json_object_foreach ((json_t *)(uintptr_t)block, name, v) {
		bool known = false;
		for (size_t i = 0; i < FIELDS && !known; i++)
			known = strcmp(name, field[i].name) == 0;
		for (size_t i = 0; i < sizeof(body) / sizeof(body[0]); i++)
			known = known || strcmp(name, body[i]) == 0;
		if (!known)
			return name;
	}
	return NULL;
}

static enum dstack_status
other_hash(const json_t *block, struct why *why)
{
	const char *name = stranger(block);
	if (name != NULL)
		return why_set(why, DSTACK_E_REJECTED,
		    "block's hash is not that of its header, and it has "
		    "\"%.40s\", which this program does not know: the chain "
		    "may have a fork newer than it", name);
	return why_set(why, DSTACK_E_REJECTED,
	    "block's hash is not that of its header; the node lies, or "
	    "the chain has a fork newer than this program");
}

enum dstack_status
eth_header_from_json(
    const json_t *block, struct eth_header *out, struct why *why)
{
	AUTO_WR struct wr w = wr_new(HEADER_MAX);
	struct eth_header h;
	uint8_t told[32];
	memset(&h, 0, sizeof(h));
	if (json_is_null(block))
		return why_set(why, DSTACK_E_MISSING,
		    "the chain's node has no such block");
	if (!json_is_object(block))
		return why_set(why, DSTACK_E_FORMAT, "block is no JSON object");
	enum dstack_status st = encode(block, &w, why);
	if (st != DSTACK_OK)
		return st;
	/*
	 * from here on it is the header that counts, whatever the server says
	 * of itself
	 */
	keccak256(w.buf, w.len, h.hash);
	st = eth_json_fixed(json_object_get(block, "hash"), told, 32);
	if (st != DSTACK_OK)
		return why_set(why, st, "block's hash does not parse");
	if (memcmp(told, h.hash, 32) != 0)
		return other_hash(block, why);
	/* these were encoded above, so they are what the hash was made of */
	st = eth_json_u64(json_object_get(block, "number"), &h.number);
	if (st == DSTACK_OK)
		st = eth_json_u64(
		    json_object_get(block, "timestamp"), &h.timestamp);
	if (st == DSTACK_OK)
		st = eth_json_fixed(json_object_get(block, "parentHash"),
		    h.parent_hash, 32);
	if (st == DSTACK_OK)
		st = eth_json_fixed(
		    json_object_get(block, "stateRoot"), h.state_root, 32);
	if (st == DSTACK_OK && has(block, "parentBeaconBlockRoot"))
		st = eth_json_fixed(
		    json_object_get(block, "parentBeaconBlockRoot"),
		    h.parent_beacon_root, 32);
	if (st != DSTACK_OK)
		return why_set(why, st, "block header's numbers do not parse");
	*out = h;
	return DSTACK_OK;
}
