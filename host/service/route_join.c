/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The router's paths of joining: a request goes to the chain and to the
 * relay, its answer comes from the chain. On a network whose ciphertexts
 * travel by relay (ctOnChain false) the chain has the ciphertext's hash, and
 * the relay or, if that failed the onboarder, the transaction has the rest.
 * None of it is believed: the guest checks signature, hash and content.
 */
#include "host/service/route_priv.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/hex.h"
#include "base/log.h"
#include "crypto/hash.h"
#include "crypto/secp.h"
#include "eth/abi.h"
#include "eth/rpc.h"
#include "host/relay/gossip.h"
#include "protocol/layout.h"

#define PUSH_AGAIN_MS 15000u /* the relay keeps a message for 60 s */
#define PUSH_RETRY_MS 1000u
#define LOOK_BACK 5000u /* blocks, where no register of ours is known */
#define CALL_MAX (MSG_MAX_CT + 1024u) /* bytes of an onboard call */

static uint64_t
now_ms(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

void
route_pending_clear(struct route_pending *p)
{
	free(p->message);
	for (size_t i = 0; i < ROUTE_OFFERS; i++)
		wr_free(&p->offer[i].ct);
	memset(p, 0, sizeof(*p));
}

/* With the lock held. NULL: no request of ours. */
static struct route_pending *
pending(struct router *r, const uint8_t id[static 32])
{
	for (size_t i = 0; i < ROUTE_PENDING; i++)
		if (r->pending[i].message != NULL &&
		    memcmp(r->pending[i].id, id, 32) == 0)
			return &r->pending[i];
	return NULL;
}

/* Take over message; the oldest entry makes room. */
static void
remember(struct router *r, const uint8_t id[static 32], uint64_t block,
    char *message)
{
	(void)pthread_mutex_lock(&r->lock);
	/*
	 * A guest has one request at a time; older ones are of tries that are
	 * over.
	 */
	struct route_pending *p = &r->pending[r->next++ % ROUTE_PENDING];
	route_pending_clear(p);
	memcpy(p->id, id, 32);
	p->block = block;
	p->message = message;
	p->tried_ms = p->pushed_ms = now_ms();
	(void)pthread_mutex_unlock(&r->lock);
}

static void
not_pushed(struct router *r, const uint8_t id[static 32])
{
	(void)pthread_mutex_lock(&r->lock);
	struct route_pending *p = pending(r, id);
	if (p != NULL)
		p->pushed_ms = 0;
	(void)pthread_mutex_unlock(&r->lock);
}

bool
router_registered(struct router *r, const uint8_t id[static 32])
{
	(void)pthread_mutex_lock(&r->lock);
	bool yes = pending(r, id) != NULL;
	(void)pthread_mutex_unlock(&r->lock);
	return yes;
}

/*
 * To the chain first: an onboarder that hears of a request looks there for it,
 * and forgets one that is not there. Then to the relay; if that fails the
 * transaction stands, and the message is sent again while the guest asks for
 * its answer.
 */
void
route_register(
    struct router *r, const struct route_body *in, struct route_answer *a)
{
	struct msg_register m;
	struct why why = { "" };
	struct rpc_receipt receipt;
	AUTO_WR struct wr call = wr_new(0);
	AUTO_WR struct wr text = wr_new(MSG_MAX);
	size_t len = 0;

	memset(&m, 0, sizeof(m));
	enum dstack_status st = msg_register_parse(in->p, in->len, &m, &why);
	if (st == DSTACK_OK) {
		/* the guest judges it before it opens an answer */
		birth_want(r->birth, m.s.epoch);
		st = km_call_register(&call, &m);
	}
	if (st == DSTACK_OK)
		st = route_transact(r, "register", &call, ROUTE_MINED_MS, &receipt, &why);
	if (st != DSTACK_OK) {
		msg_register_free(&m);
		route_refused(r, a, st, &why);
		return;
	}
	/* the onboarder's host puts its own payee in */
	m.has_payee = false;
	msg_register_build(&text, &m);
	wr_u8(&text, 0);
	AUTO_FREE char *first = strdup(
	    wr_status(&text) == DSTACK_OK ? (const char *)text.buf : "");
	/* before the relay has it: our own onboarder asks whose it is */
	remember(r, m.request_id, receipt.block,
	    (char *)wr_steal(&text, &len));
	if (first == NULL || gossip_push(r->cfg->pubsub_url, first,
	                         &why) != DSTACK_OK) {
		route_say(r, why.text); /* tried again while the guest waits */
		not_pushed(r, m.request_id);
	}
	msg_register_free(&m);
	route_tx(a, &receipt);
}

/* The key that answers to the request id have to be signed by. */
static bool
answering_key(
    struct router *r, const uint8_t id[static 32], uint8_t key[static 20])
{
	AUTO_WR struct wr out = wr_new(4096);
	struct why why = { "" };
	uint8_t call[4];

	(void)pthread_mutex_lock(&r->lock);
	struct route_pending *p = pending(r, id);
	bool known = p != NULL && p->key_known;
	if (known)
		memcpy(key, p->key, 20);
	(void)pthread_mutex_unlock(&r->lock);
	if (p == NULL || known)
		return known;
	abi_selector(KM_FN_XPUB, call);
	if (rpc_eth_call(r->rpc, r->cfg->contract, call, sizeof(call), &out,
	        &why) != DSTACK_OK)
		return false;
	struct rd rd = rd_over(out.buf, out.len);
	if (abi_rd_addr(&rd, key) != DSTACK_OK)
		return false;
	(void)pthread_mutex_lock(&r->lock);
	p = pending(r, id);
	if (p != NULL) {
		memcpy(p->key, key, 20);
		p->key_known = true;
	}
	(void)pthread_mutex_unlock(&r->lock);
	return true;
}

/*
 * A few, newest first out: several nodes may answer, and which one the chain
 * takes is not known yet.
 */
static void
keep_offer(struct route_pending *p, const struct msg_onboard *m)
{
	for (size_t i = 0; i < ROUTE_OFFERS; i++)
		if (p->offer[i].ct.len != 0 &&
		    memcmp(p->offer[i].hash, m->s.ct_hash, 32) == 0)
			return;
	struct route_offer *o = &p->offer[p->next_offer++ % ROUTE_OFFERS];
	wr_free(&o->ct);
	o->ct = wr_new(MSG_MAX_CT);
	wr_put(&o->ct, m->ct.buf, m->ct.len);
	memcpy(o->hash, m->s.ct_hash, 32);
	if (wr_status(&o->ct) != DSTACK_OK)
		wr_free(&o->ct);
}

/*
 * Signed by the network's key, or it is not kept: whoever fills the relay
 * cannot push out the good ones.
 */
void
router_answer(struct router *r, const struct msg_onboard *m)
{
	struct eip712_domain d = { .chain_id = r->cfg->chain_id };
	uint8_t h[32];
	uint8_t signer[20];
	uint8_t key[20];

	if (!router_registered(r, m->s.request_id))
		return;
	keccak256(m->ct.buf, m->ct.len, h);
	if (m->ct.len == 0 || memcmp(h, m->s.ct_hash, 32) != 0)
		return;
	memcpy(d.contract, r->cfg->contract, 20);
	stmt_onboard_digest(&m->s, &d, h);
	if (secp_recover(h, m->sig, signer) != DSTACK_OK ||
	    !answering_key(r, m->s.request_id, key) ||
	    memcmp(signer, key, 20) != 0)
		return;
	(void)pthread_mutex_lock(&r->lock);
	struct route_pending *p = pending(r, m->s.request_id);
	if (p != NULL)
		keep_offer(p, m);
	(void)pthread_mutex_unlock(&r->lock);
}

/* The block to look from; gossips again what may have gone unheard. */
static uint64_t
refresh(struct router *r, const uint8_t id[static 32])
{
	uint64_t block = UINT64_MAX;
	char *again = NULL;
	struct why why = { "" };
	uint64_t now = now_ms();

	(void)pthread_mutex_lock(&r->lock);
	struct route_pending *p = pending(r, id);
	if (p != NULL) {
		/*
		 * A message that the relay did not take is tried again soon,
		 * one that it took when the relay is about to forget it.
		 */
		uint64_t wait =
		    p->pushed_ms != 0 ? PUSH_AGAIN_MS : PUSH_RETRY_MS;
		block = p->block;
		if (now - p->tried_ms >= wait) {
			p->tried_ms = now;
			p->pushed_ms = now;
			again = strdup(p->message);
		}
	}
	(void)pthread_mutex_unlock(&r->lock);
	if (again != NULL && gossip_push(r->cfg->pubsub_url, again, &why) != DSTACK_OK) {
		route_say(r, why.text);
		not_pushed(r, id);
	}
	free(again);
	return block;
}

/* The event, and the transaction it is of. */
static enum dstack_status
onboarded_log(struct router *r, const uint8_t id[static 32], uint64_t from,
    struct msg_onboard *out, uint8_t tx[static 32], struct why *why)
{
	uint8_t topic[32];
	json_t *logs = NULL;
	AUTO_WR struct wr data = wr_new(CALL_MAX);

	keccak256(KM_EV_ONBOARDED, strlen(KM_EV_ONBOARDED), topic);
	/* asked for ten times a second, and new once a block */
	enum dstack_status st = rpc_call_kept(r->rpc, "eth_getLogs",
	    json_pack("[{s:o,s:o,s:s,s:[o,o]}]", "address",
	        eth_json_hex(r->cfg->contract, 20), "fromBlock",
	        eth_json_quantity(from), "toBlock", "latest", "topics",
	        eth_json_hex(topic, 32), eth_json_hex(id, 32)),
	    &logs, why);
	if (st != DSTACK_OK)
		return st;
	if (json_array_size(logs) == 0) {
		json_decref(logs);
		return DSTACK_E_BUSY;
	}
	const json_t *log = json_array_get(logs, 0);
	st = eth_json_data(json_object_get(log, "data"), CALL_MAX, &data);
	if (st == DSTACK_OK)
		st = eth_json_fixed(
		    json_object_get(log, "transactionHash"), tx, 32);
	json_decref(logs);
	if (st != DSTACK_OK)
		return why_set(why, DSTACK_E_MISSING,
		    "eth_getLogs: an event without data or transaction");
	return km_onboarded(data.buf, data.len, out, why);
}

/* DSTACK_E_BUSY: the transaction has no such ciphertext in it. */
static enum dstack_status
from_call(struct router *r, const uint8_t tx[static 32],
    struct msg_onboard *m, struct why *why)
{
	json_t *v = NULL;
	struct msg_onboard sent;
	uint8_t want[4];
	uint8_t h[32];
	AUTO_WR struct wr input = wr_new(CALL_MAX);

	memset(&sent, 0, sizeof(sent));
	abi_selector(KM_FN_ONBOARD, want);
	enum dstack_status st = rpc_call(r->rpc, "eth_getTransactionByHash",
	    json_pack("[o]", eth_json_hex(tx, 32)), &v, why);
	if (st != DSTACK_OK)
		return st;
	st = eth_json_data(json_object_get(v, "input"), CALL_MAX, &input);
	json_decref(v);
	/* arguments of the call are laid out as the event's data */
	if (st != DSTACK_OK || input.len < sizeof(want) ||
	    memcmp(input.buf, want, sizeof(want)) != 0 ||
	    km_onboarded(input.buf + sizeof(want), input.len - sizeof(want),
	        &sent, NULL) != DSTACK_OK) {
		msg_onboard_free(&sent);
		return DSTACK_E_BUSY;
	}
	keccak256(sent.ct.buf, sent.ct.len, h);
	/*
	 * The transaction may be of another contract that made the event
	 * appear: only the hash counts.
	 */
	bool right = sent.ct.len != 0 && memcmp(h, m->s.ct_hash, 32) == 0;
	if (right) {
		wr_free(&m->ct);
		m->ct = sent.ct;
		memset(&sent.ct, 0, sizeof(sent.ct));
	}
	msg_onboard_free(&sent);
	return right ? DSTACK_OK : DSTACK_E_BUSY;
}

/* The event is of a relay network: its ciphertext is elsewhere. */
static enum dstack_status
ciphertext(struct router *r, const uint8_t id[static 32],
    const uint8_t tx[static 32], struct msg_onboard *m, struct why *why)
{
	bool looked = false;

	(void)pthread_mutex_lock(&r->lock);
	struct route_pending *p = pending(r, id);
	for (size_t i = 0; p != NULL && i < ROUTE_OFFERS; i++)
		if (p->offer[i].ct.len != 0 &&
		    memcmp(p->offer[i].hash, m->s.ct_hash, 32) == 0)
			wr_put(&m->ct, p->offer[i].ct.buf,
			    p->offer[i].ct.len);
	looked = p != NULL && p->looked;
	(void)pthread_mutex_unlock(&r->lock);
	if (m->ct.len != 0)
		return wr_status(&m->ct);
	if (looked)
		return DSTACK_E_BUSY;
	enum dstack_status st = from_call(r, tx, m, why);
	if (st != DSTACK_E_BUSY)
		return st;
	(void)pthread_mutex_lock(&r->lock);
	p = pending(r, id);
	if (p != NULL)
		p->looked = true;
	(void)pthread_mutex_unlock(&r->lock);
	return st;
}

/*
 * What the guest asks again and again. Cheap first: our own list, then the log
 * of the contract, then (on a relay network) the ciphertext from what was
 * heard, or from the transaction itself.
 */
void
route_onboarded(struct router *r, const char *id_text, struct route_answer *a)
{
	uint8_t id[32];
	uint8_t tx[32] = { 0 };
	struct why why = { "" };
	struct msg_onboard found;
	uint64_t head = 0;
	enum dstack_status st = DSTACK_OK;

	memset(&found, 0, sizeof(found));
	if (hex_decode(id_text, strlen(id_text), id, 32) != DSTACK_OK) {
		route_text(a, 400, "/onboarded/REQUESTID: 64 hex digits");
		return;
	}
	/*
	 * The guest asks, so it is alive: that is also when its request is told
	 * again.
	 */
	uint64_t from = refresh(r, id);
	if (from == UINT64_MAX) { /* asked before, by an earlier host */
		st = rpc_newest(r->rpc, &head, NULL, &why);
		from = head > LOOK_BACK ? head - LOOK_BACK : 0;
	}
	if (st == DSTACK_OK)
		st = onboarded_log(r, id, from, &found, tx, &why);
	if (st == DSTACK_OK && found.ct.len == 0)
		st = ciphertext(r, id, tx, &found, &why);
	if (st == DSTACK_OK) {
		a->status = 200;
		a->type = "application/json";
		msg_onboard_build(&a->body, &found);
	} else if (st == DSTACK_E_BUSY) {
		route_text(a, 204, "");
	} else { /* all of it is the chain's doing, none the guest's */
		route_fail(a, DSTACK_E_MISSING, &why);
	}
	msg_onboard_free(&found);
}

