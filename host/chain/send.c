/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Transactions. A call comes in with the account's key; gas and fees are the
 * endpoint's word, so both are held against the limits before anything is
 * signed: whoever runs the endpoint can make a node wait, not pay.
 *
 * What was sent is kept until whoever sent it has seen it in a block. The same
 * call again finds it there and waits on; nothing is sent twice. One that stays
 * in no block is sent again under its nonce with higher fees, so that it does
 * not hold up what comes after it. A reply that is lost behind
 * eth_sendRawTransaction leaves the transaction in the list too: sent or not,
 * it is found by its receipt, or replaced.
 *
 * The order: settle what the account has under way, take the next nonce, ask
 * for fees and gas, sign, keep, send, wait. One lock holds the list, and is not
 * held while somebody waits for a block. A receipt is the endpoint's word as
 * well: a node that was lied to asks again later, and what the contract holds
 * is what guests look at.
 */
#include "host/chain/rpc_priv.h"

#include <stdio.h>
#include <string.h>

#include "base/hex.h"
#include "base/own.h"
#include "crypto/secp.h"
#include "eth/rpc.h"
#include "eth/tx.h"

#define POLL_MS 100u
#define DEFAULT_WAIT_MS 60000u
#define TIP_MAX UINT64_C(2000000000) /* 2 gwei: what gets in anywhere */
#define GWEI UINT64_C(1000000000)

/* The transaction object of eth_estimateGas. */
static json_t *
tx_object(const struct rpc_open *o)
{
	json_t *v = json_pack("{s:o,s:o}", "from", eth_json_hex(o->from, 20),
	    "data", eth_json_hex(o->data, o->len));

	/* without "to" it is a creation that is estimated */
	if (v != NULL && !o->create)
		(void)json_object_set_new(v, "to", eth_json_hex(o->to, 20));
	return v;
}

/*
 * Priority fee of 2 gwei at most; the maximum covers six full blocks
 * (EIP-1559) where the limit allows. DSTACK_E_LIMIT: even the next block
 * would cost more than the limit.
 */
static enum dstack_status
fees(struct rpc *r, uint64_t *max_fee, uint64_t *tip, struct why *why)
{
	json_t *block = NULL;
	uint64_t base = 0;
	uint64_t cap = r->limits.max_fee;
	struct why ignored;
	enum dstack_status st = rpc_call(r, "eth_getBlockByNumber",
	    json_pack("[s,b]", "latest", 0), &block, why);

	if (st != DSTACK_OK)
		return st;
	/* all chains that this program is for have it since 2021 */
	st = eth_json_u64(json_object_get(block, "baseFeePerGas"), &base);
	json_decref(block);
	if (st != DSTACK_OK)
		return why_set(why, st,
		    "chain RPC: the latest block has no base fee (EIP-1559)");
	if (rpc_u64(r, "eth_maxPriorityFeePerGas", NULL, tip, &ignored) !=
	    DSTACK_OK)
		/*
		 * not every server has the method: what is asked for on a quiet
		 * day
		 */
		*tip = GWEI;
	if (*tip > TIP_MAX)
		*tip = TIP_MAX;
	if (*tip > cap)
		*tip = cap;
	/* no overflow: the tip is at most the limit */
	if (base > cap - *tip)
		return why_set(why, DSTACK_E_LIMIT,
		    "the RPC says that gas costs %llu gwei, and MAX_FEE_GWEI "
		    "allows %llu; nothing was sent: wait, or raise it",
		    (unsigned long long)(base / GWEI),
		    (unsigned long long)(cap / GWEI));
	/*
	 * the base fee rises by at most an eighth a block: twice of it is six
	 * blocks
	 */
	*max_fee = base > (cap - *tip) / 2 ? cap : 2 * base + *tip;
	return DSTACK_OK;
}

static enum dstack_status
estimate(struct rpc *r, struct rpc_open *o, struct why *why)
{
	uint64_t gas = 0;
	uint64_t cap = r->limits.max_gas;
	enum dstack_status st = rpc_u64(r, "eth_estimateGas",
	    json_pack("[o]", tx_object(o)), &gas, why);

	if (st != DSTACK_OK)
		return st;
	/*
	 * before the fifth is added: what the endpoint wants must fit by itself
	 */
	if (gas > cap)
		return why_set(why, DSTACK_E_LIMIT,
		    "the RPC wants %llu gas for one transaction, and MAX_GAS "
		    "allows %llu; nothing was sent", (unsigned long long)gas,
		    (unsigned long long)cap);
	gas += gas / 5; /* state may move before inclusion */
	o->gas = gas < cap ? gas : cap;
	return DSTACK_OK;
}

/* Sign o as it is and send it; its hash is kept before it goes out. */
static enum dstack_status
emit(struct rpc *r, const struct secret32 *key, uint64_t chain_id,
    struct rpc_open *o, struct why *why)
{
	AUTO_WR struct wr raw = wr_new(0);
	json_t *sent = NULL;
	struct eth_tx tx = { .chain_id = chain_id,
		.nonce = o->nonce,
		.max_priority_fee = o->tip,
		.max_fee = o->max_fee,
		.gas = o->gas,
		.create = o->create,
		.data = o->data,
		.datalen = o->len };

	memcpy(tx.to, o->to, 20);
	/*
	 * each try has a hash that its receipt is looked for by; the list is
	 * bounded
	 */
	if (o->tries == RPC_TRIES)
		return why_set(why, DSTACK_E_LIMIT, "sent often enough");
	enum dstack_status st =
	    eth_tx_sign(&tx, key, &raw, o->hash[o->tries]);
	if (st != DSTACK_OK)
		return why_set(why, st, "transaction not signed");
	/* From here on it may be out, whatever is answered. */
	o->tries++;
	o->sent_ms = rpc_now_ms();
	st = rpc_call(r, "eth_sendRawTransaction",
	    json_pack("[o]", eth_json_hex(raw.buf, raw.len)), &sent, why);
	json_decref(sent);
	pulse_hasten(&r->pulse);
	if (st == DSTACK_E_REJECTED) /* it has it: that is what we want */
		return strcasestr(why->text, "already known") != NULL ||
		        strcasestr(why->text, "already imported") != NULL
		    ? DSTACK_OK
		    : st;
	return st;
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
	/*
	 * in a block and paid for, and nothing changed: what it wanted was
	 * refused
	 */
	if (ok != 1)
		return why_set(why, DSTACK_E_REJECTED,
		    "transaction reverted in block %llu",
		    (unsigned long long)receipt->block);
	receipt->logs = json_incref(json_object_get(v, "logs"));
	return DSTACK_OK;
}

/* A receipt of any of the times o was sent. DSTACK_E_BUSY: none yet. */
static enum dstack_status
look(struct rpc *r, const struct rpc_open *o, struct rpc_receipt *receipt,
    struct why *why)
{
	/* the last first: it pays most, so it is the likely one */
	for (size_t i = o->tries; i-- > 0;) {
		json_t *v = NULL;
		enum dstack_status st = rpc_call(r,
		    "eth_getTransactionReceipt",
		    json_pack("[o]", eth_json_hex(o->hash[i], 32)), &v, why);
		if (st == DSTACK_OK && json_is_object(v)) {
			memcpy(receipt->tx_hash, o->hash[i], 32);
			st = read_receipt(v, receipt, why);
			json_decref(v);
			if (st != DSTACK_E_FORMAT)
				return st;
			continue; /* nonsense says nothing of it */
		}
		json_decref(v);
	}
	return DSTACK_E_BUSY;
}

static void
forget(struct rpc_open *o)
{
	free(o->data);
	memset(o, 0, sizeof(*o));
}

/*
 * Two calls with the same words are the same wish, not two: nothing that this
 * program sends would be sent twice on purpose.
 */
static bool
same(const struct rpc_open *o, const uint8_t from[static 20],
    const uint8_t *to, const void *data, size_t len)
{
	return o->used && memcmp(o->from, from, 20) == 0 &&
	    o->create == (to == NULL) &&
	    (to == NULL || memcmp(o->to, to, 20) == 0) && o->len == len &&
	    memcmp(o->data, data, len) == 0;
}

/*
 * Higher fees for one that is stuck, at least an eighth more of each as nodes
 * ask for (geth: 10 %), and never above the limit. Where the limit is reached
 * it stays as it is.
 */
static void
bump(struct rpc *r, const struct secret32 *key, uint64_t chain_id,
    struct rpc_open *o)
{
	uint64_t max_fee = 0;
	uint64_t tip = 0;
	uint64_t cap = r->limits.max_fee;
	struct why why = { "" };

	/* not yet, or never more */
	if (rpc_now_ms() - o->sent_ms < r->limits.bump_ms ||
	    o->tries == RPC_TRIES)
		return;
	o->sent_ms = rpc_now_ms(); /* also when the endpoint is away */
	if (fees(r, &max_fee, &tip, &why) != DSTACK_OK)
		return;
	/* less than what nodes ask for would be refused as underpriced */
	if (max_fee < o->max_fee + o->max_fee / 8 + 1)
		max_fee = o->max_fee + o->max_fee / 8 + 1;
	if (tip < o->tip + o->tip / 8 + 1)
		tip = o->tip + o->tip / 8 + 1;
	/* it waits on with what it has: the limit is a person's decision */
	if (max_fee > cap || tip > max_fee)
		return;
	o->max_fee = max_fee;
	o->tip = tip;
	if (emit(r, key, chain_id, o, &why) != DSTACK_OK && o->tries > 1 &&
	    strcasestr(why.text, "nonce too low") != NULL)
		o->tries--; /* an earlier one was mined: look finds it */
}

/*
 * The account's others, which would hold up a new one behind them: over, when
 * they are in a block or their nonce was used by another; else sent again
 * when it is time.
 */
static void
settle(struct rpc *r, const struct secret32 *key, uint64_t chain_id,
    const uint8_t from[static 20], const struct rpc_open *but)
{
	for (size_t i = 0; i < RPC_OPEN; i++) {
		struct rpc_open *o = &r->open[i];
		struct rpc_receipt receipt = { .logs = NULL };
		struct why why = { "" };
		uint64_t next = 0;
		/* of another account: it holds nobody up here */
		if (!o->used || o->over || o == but ||
		    memcmp(o->from, from, 20) != 0)
			continue;
		bool mined = look(r, o, &receipt, &why) != DSTACK_E_BUSY;
		json_decref(receipt.logs);
		if (!mined && rpc_u64(r, "eth_getTransactionCount",
		                  json_pack("[o,s]", eth_json_hex(from, 20),
		                      "latest"),
		                  &next, &why) == DSTACK_OK)
			/*
			 * its nonce is used: by itself without a receipt, or by
			 * another of the account's, sent elsewhere
			 */
			mined = next > o->nonce;
		if (mined)
			o->over = true;
		else
			bump(r, key, chain_id, o);
	}
}

/* A free place; one that is over, or else the oldest, makes room. */
static struct rpc_open *
place(struct rpc *r)
{
	struct rpc_open *old = &r->open[0];
	for (size_t i = 0; i < RPC_OPEN; i++) {
		struct rpc_open *o = &r->open[i];
		if (!o->used)
			return o;
		if (o->over != old->over ? o->over
					 : o->sent_ms < old->sent_ms)
			old = o;
	}
	/*
	 * its sender has gone: whoever waits looks at it every tenth of a
	 * second
	 */
	forget(old);
	return old;
}

/* Above everything that is pending, with the endpoint or in the list. */
static enum dstack_status
next_nonce(struct rpc *r, struct rpc_open *o, struct why *why)
{
	enum dstack_status st = rpc_u64(r, "eth_getTransactionCount",
	    json_pack("[o,s]", eth_json_hex(o->from, 20), "pending"),
	    &o->nonce, why);

	for (size_t i = 0; i < RPC_OPEN; i++) {
		const struct rpc_open *x = &r->open[i];
		if (x->used && !x->over && memcmp(x->from, o->from, 20) == 0 &&
		    /*
		     * Endpoints behind a balancer do not know yet what another
		     * of them took. One far above is a mistake, and would leave
		     * a gap.
		     */
		    x->nonce >= o->nonce && x->nonce - o->nonce < RPC_OPEN)
			o->nonce = x->nonce + 1;
	}
	return st;
}

/* As the usual nodes say it (geth, reth, erigon, anvil). */
static bool
no_funds(const char *text)
{
	return strcasestr(text, "insufficient funds") != NULL ||
	    strcasestr(text, "exceeds allowance") != NULL;
}

/* With the lock held: a new transaction, sent. */
static enum dstack_status
begin(struct rpc *r, const struct secret32 *key, uint64_t chain_id,
    const uint8_t from[static 20], const uint8_t *to, const void *data,
    size_t len, struct rpc_open **out, struct why *why)
{
	struct rpc_open n = { .used = true, .create = to == NULL, .len = len };

	memcpy(n.from, from, 20);
	if (to != NULL)
		memcpy(n.to, to, 20);
	/* a copy, since the caller may go before the transaction does */
	n.data = malloc(len != 0 ? len : 1);
	if (n.data == NULL)
		return DSTACK_E_NOMEM;
	memcpy(n.data, data, len);
	enum dstack_status st = next_nonce(r, &n, why);
	if (st == DSTACK_OK)
		st = fees(r, &n.max_fee, &n.tip, why);
	if (st == DSTACK_OK)
		/* what the contract would refuse is found here, unpaid */
		st = estimate(r, &n, why);
	if (st == DSTACK_OK)
		st = emit(r, key, chain_id, &n, why);
	/* refused: gone. No answer to the sending itself: it may have it */
	bool maybe = n.tries != 0 && st != DSTACK_E_REJECTED;
	if (!maybe) {
		free(n.data);
	} else {
		*out = place(r);
		**out = n;
	}
	return maybe ? DSTACK_OK : st;
}

/*
 * Has a block come since the receipt was asked for? Not, as far as is known,
 * while the endpoint is away.
 */
static bool
another_block(struct rpc *r, struct rpc_open *o)
{
	struct why why = { "" };
	uint8_t hash[32];
	uint64_t number;

	if (rpc_newest(r, &number, hash, &why) != DSTACK_OK)
		return false;
	if (memcmp(hash, o->looked, 32) == 0)
		return false;
	memcpy(o->looked, hash, 32);
	return true;
}

static enum dstack_status
await(struct rpc *r, const struct secret32 *key, uint64_t chain_id,
    const uint8_t from[static 20], const uint8_t *to, const void *data,
    size_t len, unsigned wait_ms, struct rpc_receipt *receipt,
    struct why *why)
{
	uint64_t end =
	    rpc_now_ms() + (wait_ms != 0 ? wait_ms : DEFAULT_WAIT_MS);
	char hex[65];

	for (;;) {
		enum dstack_status st = DSTACK_E_BUSY;
		(void)pthread_mutex_lock(&r->send);
		struct rpc_open *o = NULL;
		/*
		 * looked up each time: the list may have changed while the lock
		 * was free
		 */
		for (size_t i = 0; i < RPC_OPEN; i++)
			if (same(&r->open[i], from, to, data, len))
				o = &r->open[i];
		/* another thread that waits for the same saw it in a block */
		if (o != NULL) {
			memcpy(receipt->tx_hash, o->hash[o->tries - 1], 32);
			/* a receipt comes with a block, or when one is looked
			 * for that came before it was known here */
			if (another_block(r, o))
				st = look(r, o, receipt, why);
			/* its nonce went to another: it will be in none */
			if (st == DSTACK_E_BUSY && o->over)
				st = why_set(why, DSTACK_E_MISSING,
				    "another transaction of the account took "
				    "the nonce of this one");
			/*
			 * decided, for good or bad: the same call would now be
			 * a new one
			 */
			if (st != DSTACK_E_BUSY)
				forget(o);
			else
				bump(r, key, chain_id, o);
		}
		(void)pthread_mutex_unlock(&r->send);
		if (st != DSTACK_E_BUSY)
			return st;
		/* an endpoint that is away for a moment is asked again */
		if (o == NULL || rpc_now_ms() >= end) {
			hex_encode(receipt->tx_hash, 32, hex);
			return why_set(why, DSTACK_E_BUSY,
			    "transaction 0x%s was sent but is in no block yet",
			    hex);
		}
		rpc_pause_ms(POLL_MS);
	}
}

enum dstack_status
rpc_send(struct rpc *r, const struct secret32 *key, uint64_t chain_id,
    const uint8_t *to, const void *data, size_t len, unsigned wait_ms,
    struct rpc_receipt *receipt, struct why *why)
{
	uint8_t from[20];
	struct rpc_open *o = NULL;
	enum dstack_status st = secp_address(key, from);

	memset(receipt, 0, sizeof(*receipt));
	if (st != DSTACK_OK)
		return why_set(why, st, "PRIVKEY is no secp256k1 key");
	(void)pthread_mutex_lock(&r->send);
	for (size_t i = 0; i < RPC_OPEN; i++)
		if (same(&r->open[i], from, to, data, len))
			o = &r->open[i];
	/* before the new one, which could not be mined before them */
	settle(r, key, chain_id, from, o);
	if (o == NULL)
		st = begin(
		    r, key, chain_id, from, to, data, len, &o, why);
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
	return await(r, key, chain_id, from, to, data, len, wait_ms, receipt,
	    why);
}
