/* SPDX-License-Identifier: Apache-2.0 */
#include "host/chain/rpc_client.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/hex.h"
#include "crypto/secp.h"
#include "eth/rpc.h"
#include "eth/tx.h"
#include "host/http/client.h"

#define POLL_MS 100
#define DEFAULT_WAIT_MS 60000u
#define CODE_MAX (64u * 1024)

struct rpc {
	char *url;
	pthread_mutex_t send; /* nonce to eth_sendRawTransaction */
};

struct rpc *
rpc_new(const char *url)
{
	struct rpc *r = calloc(1, sizeof(*r));

	if (r == NULL)
		return NULL;
	r->url = strdup(url);
	if (r->url == NULL || pthread_mutex_init(&r->send, NULL) != 0) {
		free(r->url);
		free(r);
		return NULL;
	}
	return r;
}

void
rpc_free(struct rpc *r)
{
	if (r == NULL)
		return;
	(void)pthread_mutex_destroy(&r->send);
	free(r->url);
	free(r);
}

enum dstack_status
rpc_pass(struct rpc *r, const void *text, size_t len, struct wr *out,
    struct why *why)
{
	unsigned status = 0;
	struct http_request q = { .url = r->url,
		.body = text,
		.bodylen = len,
		.max = ETH_RPC_MAX };
	enum dstack_status st = http_do(&q, &status, out, NULL, why);

	if (st != DSTACK_OK)
		return why_wrap(why, st, "chain RPC");
	if (status / 100 != 2) {
		char origin[160];
		http_origin(r->url, origin, sizeof(origin));
		return why_set(why, DSTACK_E_MISSING,
		    "chain RPC: %s answered HTTP %u; check ETH_RPC_URL",
		    origin, status);
	}
	return DSTACK_OK;
}

enum dstack_status
rpc_call(struct rpc *r, const char *method, json_t *params, json_t **result,
    struct why *why)
{
	AUTO_WR struct wr ask = wr_new(0);
	AUTO_WR struct wr answer = wr_new(ETH_RPC_MAX);
	enum dstack_status st = eth_rpc_request(&ask, method, params);

	if (st != DSTACK_OK)
		return why_set(why, st, "%s: request not built", method);
	st = rpc_pass(r, ask.buf, ask.len, &answer, why);
	if (st != DSTACK_OK)
		return st;
	st = eth_rpc_result(answer.buf, answer.len, result, why);
	return st == DSTACK_OK ? st : why_wrap(why, st, "%s", method);
}

static enum dstack_status
call_u64(struct rpc *r, const char *method, json_t *params, uint64_t *out,
    struct why *why)
{
	json_t *v = NULL;
	enum dstack_status st = rpc_call(r, method, params, &v, why);

	if (st != DSTACK_OK)
		return st;
	st = eth_json_u64(v, out);
	json_decref(v);
	if (st != DSTACK_OK)
		return why_set(why, st, "%s: answer is no number", method);
	return st;
}

enum dstack_status
rpc_chain_id(struct rpc *r, uint64_t *id, struct why *why)
{
	return call_u64(r, "eth_chainId", NULL, id, why);
}

enum dstack_status
rpc_block_number(struct rpc *r, uint64_t *number, struct why *why)
{
	return call_u64(r, "eth_blockNumber", NULL, number, why);
}

static enum dstack_status
call_data(struct rpc *r, const char *method, json_t *params, struct wr *out,
    struct why *why)
{
	json_t *v = NULL;
	enum dstack_status st = rpc_call(r, method, params, &v, why);

	if (st != DSTACK_OK)
		return st;
	st = eth_json_data(v, CODE_MAX, out);
	json_decref(v);
	if (st != DSTACK_OK)
		return why_set(why, st, "%s: answer is no hex data", method);
	return st;
}

enum dstack_status
rpc_eth_call(struct rpc *r, const uint8_t to[static 20], const void *data,
    size_t len, struct wr *out, struct why *why)
{
	json_t *p = json_pack("[{s:o,s:o},s]", "to", eth_json_hex(to, 20),
	    "data", eth_json_hex(data, len), "latest");

	return call_data(r, "eth_call", p, out, why);
}

enum dstack_status
rpc_code(struct rpc *r, const uint8_t addr[static 20], struct wr *out,
    struct why *why)
{
	return call_data(r, "eth_getCode",
	    json_pack("[o,s]", eth_json_hex(addr, 20), "latest"), out, why);
}

enum dstack_status
rpc_storage(struct rpc *r, const uint8_t addr[static 20],
    const uint8_t slot[static 32], uint8_t value[static 32], struct why *why)
{
	AUTO_WR struct wr w = wr_new(CODE_MAX);
	enum dstack_status st = call_data(r, "eth_getStorageAt",
	    json_pack("[o,o,s]", eth_json_hex(addr, 20),
	        eth_json_hex(slot, 32), "latest"),
	    &w, why);

	if (st != DSTACK_OK)
		return st;
	if (w.len > 32)
		return why_set(why, DSTACK_E_FORMAT,
		    "eth_getStorageAt: %zu bytes, not 32", w.len);
	memset(value, 0, 32);
	memcpy(value + 32 - w.len, w.buf != NULL ? w.buf : value, w.len);
	return DSTACK_OK;
}

/* The transaction object of eth_estimateGas. */
static json_t *
tx_object(const uint8_t from[static 20], const uint8_t *to, const void *data,
    size_t len)
{
	json_t *o = json_pack("{s:o,s:o}", "from", eth_json_hex(from, 20),
	    "data", eth_json_hex(data, len));

	if (o != NULL && to != NULL)
		(void)json_object_set_new(o, "to", eth_json_hex(to, 20));
	return o;
}

/* Priority fee 1 gwei at most; max fee covers six full blocks (EIP-1559). */
static enum dstack_status
fees(struct rpc *r, struct eth_tx *tx, struct why *why)
{
	json_t *block = NULL;
	uint64_t base = 0;
	struct why ignored;
	enum dstack_status st = rpc_call(r, "eth_getBlockByNumber",
	    json_pack("[s,b]", "latest", 0), &block, why);

	if (st != DSTACK_OK)
		return st;
	st = eth_json_u64(json_object_get(block, "baseFeePerGas"), &base);
	json_decref(block);
	if (st != DSTACK_OK)
		return why_set(why, st,
		    "chain RPC: the latest block has no base fee (EIP-1559)");
	if (call_u64(r, "eth_maxPriorityFeePerGas", NULL,
	        &tx->max_priority_fee, &ignored) != DSTACK_OK)
		tx->max_priority_fee = 1000000000u;
	if (base > UINT64_MAX / 4 || tx->max_priority_fee > UINT64_MAX / 4)
		return why_set(why, DSTACK_E_LIMIT, "chain RPC: absurd fees");
	tx->max_fee = 2 * base + tx->max_priority_fee;
	return DSTACK_OK;
}

static enum dstack_status
prepare(struct rpc *r, const uint8_t from[static 20], const uint8_t *to,
    struct eth_tx *tx, struct why *why)
{
	uint64_t gas = 0;
	enum dstack_status st = call_u64(r, "eth_getTransactionCount",
	    json_pack("[o,s]", eth_json_hex(from, 20), "pending"), &tx->nonce,
	    why);

	if (st == DSTACK_OK)
		st = fees(r, tx, why);
	if (st == DSTACK_OK)
		st = call_u64(r, "eth_estimateGas",
		    json_pack("[o]", tx_object(from, to, tx->data, tx->datalen)),
		    &gas, why);
	if (st != DSTACK_OK)
		return st;
	if (gas > UINT64_MAX / 2)
		return why_set(why, DSTACK_E_LIMIT, "chain RPC: absurd gas");
	tx->gas = gas + gas / 5; /* state may move before inclusion */
	tx->create = to == NULL;
	if (to != NULL)
		memcpy(tx->to, to, 20);
	return DSTACK_OK;
}

static enum dstack_status
sign_and_send(struct rpc *r, const struct secret32 *key, struct eth_tx *tx,
    const uint8_t from[static 20], const uint8_t *to, uint8_t hash[static 32],
    struct why *why)
{
	AUTO_WR struct wr raw = wr_new(0);
	json_t *sent = NULL;
	enum dstack_status st = prepare(r, from, to, tx, why);

	if (st == DSTACK_OK) {
		st = eth_tx_sign(tx, key, &raw, hash);
		if (st != DSTACK_OK)
			(void)why_set(why, st, "transaction not signed");
	}
	if (st == DSTACK_OK)
		st = rpc_call(r, "eth_sendRawTransaction",
		    json_pack("[o]", eth_json_hex(raw.buf, raw.len)), &sent,
		    why);
	json_decref(sent);
	return st;
}

static void
pause_ms(long ms)
{
	struct timespec t = { .tv_sec = ms / 1000,
		.tv_nsec = (ms % 1000) * 1000000 };

	(void)nanosleep(&t, NULL);
}

static uint64_t
now_ms(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static enum dstack_status
read_receipt(const json_t *v, struct rpc_receipt *receipt, struct why *why)
{
	uint64_t ok = 0;
	const json_t *made = json_object_get(v, "contractAddress");

	if (eth_json_u64(json_object_get(v, "status"), &ok) != DSTACK_OK ||
	    eth_json_u64(json_object_get(v, "blockNumber"),
	        &receipt->block) != DSTACK_OK ||
	    eth_json_u64(json_object_get(v, "gasUsed"), &receipt->gas_used) !=
	        DSTACK_OK)
		return why_set(why, DSTACK_E_FORMAT,
		    "eth_getTransactionReceipt: not a receipt");
	if (made != NULL && !json_is_null(made) &&
	    eth_json_fixed(made, receipt->contract, 20) != DSTACK_OK)
		return why_set(why, DSTACK_E_FORMAT,
		    "eth_getTransactionReceipt: contractAddress garbled");
	if (ok != 1)
		return why_set(why, DSTACK_E_REJECTED,
		    "transaction reverted in block %llu",
		    (unsigned long long)receipt->block);
	receipt->logs = json_incref(json_object_get(v, "logs"));
	return DSTACK_OK;
}

static enum dstack_status
await(struct rpc *r, unsigned wait_ms, struct rpc_receipt *receipt,
    struct why *why)
{
	uint64_t end = now_ms() + (wait_ms != 0 ? wait_ms : DEFAULT_WAIT_MS);
	char hex[65];

	hex_encode(receipt->tx_hash, 32, hex);
	for (;;) {
		json_t *v = NULL;
		enum dstack_status st = rpc_call(r,
		    "eth_getTransactionReceipt",
		    json_pack("[o]", eth_json_hex(receipt->tx_hash, 32)), &v,
		    why);
		if (st == DSTACK_OK && json_is_object(v)) {
			st = read_receipt(v, receipt, why);
			json_decref(v);
			return st;
		}
		json_decref(v);
		/* an endpoint that is away for a moment is asked again */
		if (now_ms() >= end)
			return why_set(why, DSTACK_E_MISSING,
			    "transaction 0x%s was sent but is in no block yet",
			    hex);
		pause_ms(POLL_MS);
	}
}

/* As the usual nodes say it (geth, reth, erigon, anvil). */
static bool
no_funds(const char *text)
{
	return strcasestr(text, "insufficient funds") != NULL ||
	    strcasestr(text, "exceeds allowance") != NULL;
}

enum dstack_status
rpc_send(struct rpc *r, const struct secret32 *key, uint64_t chain_id,
    const uint8_t *to, const void *data, size_t len, unsigned wait_ms,
    struct rpc_receipt *receipt, struct why *why)
{
	struct eth_tx tx = { .chain_id = chain_id,
		.data = data,
		.datalen = len };
	uint8_t from[20];
	enum dstack_status st = secp_address(key, from);

	memset(receipt, 0, sizeof(*receipt));
	if (st != DSTACK_OK)
		return why_set(why, st, "PRIVKEY is no secp256k1 key");
	(void)pthread_mutex_lock(&r->send);
	st = sign_and_send(r, key, &tx, from, to, receipt->tx_hash, why);
	(void)pthread_mutex_unlock(&r->send);
	if (st == DSTACK_E_REJECTED && no_funds(why->text)) {
		char hex[41];
		hex_encode(from, 20, hex);
		return why_set(why, DSTACK_E_MISSING,
		    "account 0x%s cannot pay the gas: send it funds on chain "
		    "%llu",
		    hex, (unsigned long long)chain_id);
	}
	if (st != DSTACK_OK)
		return st;
	return await(r, wait_ms, receipt, why);
}
