/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Questions to the chain's endpoint; send.c has transactions. A question goes
 * out as JSON-RPC over HTTP, alone or in a batch, and its answer comes back
 * bounded and parsed (eth/rpc.h). What can go wrong on the way: the endpoint
 * is away (the caller tries again when it likes), it cuts an answer short
 * (asked once more, at once), it is asked too often. After 429 or 503 nobody
 * asks it until its Retry-After is over, or a pause that doubles where it
 * names none: a caller with patience sleeps meanwhile, any other is told, so
 * that guests that try several times a second cost the endpoint nothing.
 */
#include "host/chain/rpc_priv.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "eth/rpc.h"
#include "host/http/client.h"

#define CODE_MAX (64u * 1024)
#define PAUSE_FIRST_MS 1000u /* after a 429 that names no time */
#define PAUSE_MAX_MS 60000u

uint64_t
rpc_now_ms(void)
{
	struct timespec t;

	/* not the time of day, which somebody may set while we wait */
	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

void
rpc_pause_ms(uint64_t ms)
{
	struct timespec t = { .tv_sec = (time_t)(ms / 1000),
		.tv_nsec = (long)(ms % 1000) * 1000000 };

	(void)nanosleep(&t, NULL);
}

struct rpc *
rpc_new(const char *url)
{
	struct rpc *r = calloc(1, sizeof(*r));

	if (r == NULL)
		return NULL;
	r->url = strdup(url);
	if (r->url == NULL) {
		free(r);
		return NULL;
	}
	/* what holds where host.env says nothing */
	r->limits = (struct rpc_limits){
		.max_fee = RPC_MAX_FEE_GWEI * UINT64_C(1000000000),
		.max_gas = RPC_MAX_GAS,
		.bump_ms = RPC_BUMP_MS,
	};
	/* two locks: who waits for a block must not stop who asks a question */
	(void)pthread_mutex_init(&r->send, NULL);
	(void)pthread_mutex_init(&r->wait, NULL);
	pulse_init(&r->pulse);
	return r;
}

/* Zero leaves a limit as it is. */
void
rpc_limit(struct rpc *r, const struct rpc_limits *l)
{
	if (l->max_fee != 0)
		r->limits.max_fee = l->max_fee;
	if (l->max_gas != 0)
		r->limits.max_gas = l->max_gas;
	if (l->bump_ms != 0)
		r->limits.bump_ms = l->bump_ms;
	if (l->patience_ms != 0)
		r->limits.patience_ms = l->patience_ms;
}

void
rpc_free(struct rpc *r)
{
	if (r == NULL)
		return;
	for (size_t i = 0; i < RPC_OPEN; i++)
		free(r->open[i].data);
	(void)pthread_mutex_destroy(&r->send);
	(void)pthread_mutex_destroy(&r->wait);
	pulse_free(&r->pulse);
	free(r->url);
	free(r);
}

/* The endpoint said not to come back before retry_after seconds (0: it did
 * not say when). */
static void
hold_off(struct rpc *r, unsigned retry_after)
{
	(void)pthread_mutex_lock(&r->wait);
	/* in 64 bits: the header is the endpoint's word */
	uint64_t ms = (uint64_t)retry_after * 1000;
	if (ms == 0) {
		r->pause_ms = r->pause_ms == 0 ? PAUSE_FIRST_MS
		    : r->pause_ms >= PAUSE_MAX_MS / 2 ? PAUSE_MAX_MS
						      : r->pause_ms * 2;
		ms = r->pause_ms;
	}
	r->not_before_ms = rpc_now_ms() + ms;
	(void)pthread_mutex_unlock(&r->wait);
}

/* An answer ends the doubling, not a wait that was asked for. */
static void
welcome(struct rpc *r)
{
	(void)pthread_mutex_lock(&r->wait);
	r->pause_ms = 0;
	(void)pthread_mutex_unlock(&r->wait);
}

/* Milliseconds until the endpoint may be asked. */
static uint64_t
to_wait(struct rpc *r)
{
	(void)pthread_mutex_lock(&r->wait);
	uint64_t now = rpc_now_ms();
	uint64_t ms = r->not_before_ms > now ? r->not_before_ms - now : 0;
	(void)pthread_mutex_unlock(&r->wait);
	return ms;
}

/* One exchange. *again: the same may be asked again after to_wait(). */
static enum dstack_status
exchange(struct rpc *r, const void *text, size_t len, struct wr *out,
    bool *again, struct why *why)
{
	unsigned status = 0;
	unsigned retry_after = 0;
	struct http_request q = { .url = r->url,
		.body = text,
		.bodylen = len,
		.max = ETH_RPC_MAX,
		.retry_after = &retry_after };
	AUTO_WR struct wr body = wr_new(ETH_RPC_MAX);
	char origin[160];

	*again = false;
	enum dstack_status st = http_do(&q, &status, &body, NULL, why);
	if (st != DSTACK_OK)
		return why_wrap(why, st, "chain RPC");
	/*
	 * The path of an endpoint often holds a key: only its origin is shown.
	 */
	http_origin(r->url, origin, sizeof(origin));
	if (status == 429 || status == 503) {
		hold_off(r, retry_after);
		*again = true;
		return why_set(why, DSTACK_E_MISSING,
		    "chain RPC: %s answered HTTP %u and is asked again in "
		    "%llu s", origin, status,
		    (unsigned long long)(to_wait(r) + 999) / 1000);
	}
	/* 401, 404 and their like will not change by asking again */
	if (status / 100 != 2)
		return why_set(why, DSTACK_E_MISSING,
		    "chain RPC: %s answered HTTP %u; check ETH_RPC_URL",
		    origin, status);
	welcome(r);
	wr_put(out, body.buf, body.len);
	return wr_status(out);
}

enum dstack_status
rpc_pass(struct rpc *r, const void *text, size_t len, struct wr *out,
    struct why *why)
{
	/*
	 * 0 for a node, whose roles have other things to do; seconds where a
	 * person waits
	 */
	uint64_t left = r->limits.patience_ms;
	bool again = true;
	bool cut = false;

	for (;;) {
		uint64_t ms = to_wait(r);
		if (ms > left) {
			char origin[160];
			http_origin(r->url, origin, sizeof(origin));
			return why_set(why, DSTACK_E_MISSING,
			    "chain RPC: %s asked to wait, %llu s from now; "
			    "another ETH_RPC_URL may have room", origin,
			    (unsigned long long)(ms + 999) / 1000);
		}
		if (ms != 0)
			rpc_pause_ms(ms);
		left -= ms;
		enum dstack_status st =
		    exchange(r, text, len, out, &again, why);
		if (st == DSTACK_E_TRUNCATED && !cut) {
			cut = true; /* once more, at once */
			continue;
		}
		/*
		 * cut twice: the caller is told that there is no answer, not
		 * half of one
		 */
		if (st == DSTACK_E_TRUNCATED)
			st = DSTACK_E_MISSING;
		if (st == DSTACK_OK || !again || left == 0)
			return st;
	}
}

static enum dstack_status
call(struct rpc *r,
    enum dstack_status (*pass)(
	struct rpc *, const void *, size_t, struct wr *, struct why *),
    const char *method, json_t *params, json_t **result, struct why *why)
{
	AUTO_WR struct wr ask = wr_new(0);
	enum dstack_status st = eth_rpc_request(&ask, method, params);

	if (st != DSTACK_OK)
		return why_set(why, st, "%s: request not built", method);
	/* every method we use may be asked twice: a transaction that is sent
	 * again is the same transaction */
	/*
	 * an answer that is no JSON is a proxy's page more often than the
	 * node's word
	 */
	for (int i = 0; i < 2; i++) {
		AUTO_WR struct wr answer = wr_new(ETH_RPC_MAX);
		st = pass(r, ask.buf, ask.len, &answer, why);
		if (st != DSTACK_OK)
			return st;
		st = eth_rpc_result(answer.buf, answer.len, result, why);
		if (st != DSTACK_E_FORMAT && st != DSTACK_E_TRUNCATED)
			break;
	}
	return st == DSTACK_OK ? st : why_wrap(why, st, "%s", method);
}

enum dstack_status
rpc_call(struct rpc *r, const char *method, json_t *params, json_t **result,
    struct why *why)
{
	return call(r, rpc_pass, method, params, result, why);
}

enum dstack_status
rpc_call_kept(struct rpc *r, const char *method, json_t *params,
    json_t **result, struct why *why)
{
	return call(r, rpc_pass_kept, method, params, result, why);
}

struct eth_rpc_ask
rpc_ask_storage(const uint8_t addr[static 20], const uint8_t slot[static 32])
{
	return (struct eth_rpc_ask){ .method = "eth_getStorageAt",
		.params = json_pack("[o,o,s]", eth_json_hex(addr, 20),
		    eth_json_hex(slot, 32), "latest") };
}

struct eth_rpc_ask
rpc_ask_call(const uint8_t to[static 20], const void *data, size_t len)
{
	return (struct eth_rpc_ask){ .method = "eth_call",
		.params = json_pack("[{s:o,s:o},s]", "to",
		    eth_json_hex(to, 20), "data", eth_json_hex(data, len),
		    "latest") };
}

enum dstack_status
rpc_batch(struct rpc *r, struct eth_rpc_ask *ask, size_t n, struct why *why)
{
	AUTO_WR struct wr text = wr_new(0);
	AUTO_WR struct wr answer = wr_new(ETH_RPC_MAX);
	enum dstack_status st = eth_rpc_batch_request(&text, ask, n);

	if (st == DSTACK_OK)
		st = rpc_pass(r, text.buf, text.len, &answer, why);
	if (st == DSTACK_OK)
		st = eth_rpc_batch_results(
		    answer.buf, answer.len, ask, n, why);
	/* an endpoint without batches, or one that cut it short: singly */
	/*
	 * with no answer at all the endpoint is away: n more questions would be
	 * n more waits
	 */
	bool singly = answer.len != 0 && st != DSTACK_OK &&
	    st != DSTACK_E_REJECTED;
	for (size_t i = 0; i < n; i++) {
		if (singly) {
			json_decref(ask[i].result);
			ask[i].result = NULL;
			st = rpc_call(r, ask[i].method,
			    json_incref(ask[i].params), &ask[i].result, why);
			singly = st == DSTACK_OK;
		}
	}
	/*
	 * all results or none, so that no caller has to find out which are
	 * there
	 */
	for (size_t i = 0; i < n; i++) {
		json_decref(ask[i].params);
		ask[i].params = NULL;
		if (st != DSTACK_OK) {
			json_decref(ask[i].result);
			ask[i].result = NULL;
		}
	}
	return st;
}

enum dstack_status
rpc_u64(struct rpc *r, const char *method, json_t *params, uint64_t *out,
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
	return rpc_u64(r, "eth_chainId", NULL, id, why);
}

enum dstack_status
rpc_block_number(struct rpc *r, uint64_t *number, struct why *why)
{
	return rpc_u64(r, "eth_blockNumber", NULL, number, why);
}

static enum dstack_status
call_data(struct rpc *r, const char *method, json_t *params, struct wr *out,
    struct why *why)
{
	json_t *v = NULL;
	enum dstack_status st = rpc_call(r, method, params, &v, why);

	if (st != DSTACK_OK)
		return st;
	/*
	 * bounded by more than a contract's code may have (EIP-170: 24,576
	 * bytes)
	 */
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
rpc_word(const json_t *result, uint8_t value[static 32], struct why *why)
{
	AUTO_WR struct wr w = wr_new(CODE_MAX);

	if (eth_json_data(result, CODE_MAX, &w) != DSTACK_OK)
		return why_set(why, DSTACK_E_FORMAT,
		    "eth_getStorageAt: answer is no hex data");
	/* some servers leave leading zeros out; more than a word is no word */
	if (w.len > 32)
		return why_set(why, DSTACK_E_FORMAT,
		    "eth_getStorageAt: %zu bytes, not 32", w.len);
	memset(value, 0, 32);
	memcpy(value + 32 - w.len, w.buf != NULL ? w.buf : value, w.len);
	return DSTACK_OK;
}

enum dstack_status
rpc_storage(struct rpc *r, const uint8_t addr[static 20],
    const uint8_t slot[static 32], uint8_t value[static 32], struct why *why)
{
	struct eth_rpc_ask ask = rpc_ask_storage(addr, slot);
	json_t *v = NULL;
	enum dstack_status st = rpc_call(r, ask.method, ask.params, &v, why);

	if (st != DSTACK_OK)
		return st;
	st = rpc_word(v, value, why);
	json_decref(v);
	return st;
}
