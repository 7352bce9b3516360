/* SPDX-License-Identifier: Apache-2.0 */
/* The router's paths that send to the chain and to the relay. */
#include "host/route_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "base/hex.h"
#include "base/log.h"
#include "crypto/hash.h"
#include "crypto/secp.h"
#include "dstack/dcap.h"
#include "eth/rpc.h"
#include "host/collateral.h"
#include "host/files.h"
#include "host/http_client.h"
#include "protocol/layout.h"
#include "protocol/link.h"

#define PUSH_AGAIN_MS 15000u /* the relay keeps a message for 60 s */
#define PUSH_RETRY_MS 1000u
#define LOOK_BACK 5000u /* blocks, where no register of ours is known */

enum dstack_status
router_new(const struct host_config *cfg, struct rpc *rpc,
    const char *auditing, struct router **out, struct why *why)
{
	struct router *r = calloc(1, sizeof(*r));

	if (r == NULL)
		return why_set(why, DSTACK_E_NOMEM, "no memory");
	r->cfg = cfg;
	r->rpc = rpc;
	r->volume = -1;
	r->auditing = -1;
	(void)pthread_mutex_init(&r->lock, NULL);
	enum dstack_status st = files_open(cfg->host_volume, &r->volume, why);
	if (st == DSTACK_OK) {
		if (mkdir(auditing, 0755) != 0 && errno != EEXIST)
			st = why_set(why, DSTACK_E_SYS, "%s: %s", auditing,
			    strerror(errno));
		else
			st = files_open(auditing, &r->auditing, why);
	}
	if (st != DSTACK_OK) {
		router_free(r);
		return st;
	}
	*out = r;
	return DSTACK_OK;
}

void
router_free(struct router *r)
{
	if (r == NULL)
		return;
	for (size_t i = 0; i < ROUTE_PENDING; i++)
		free(r->pending[i].message);
	if (r->volume >= 0)
		(void)close(r->volume);
	if (r->auditing >= 0)
		(void)close(r->auditing);
	(void)pthread_mutex_destroy(&r->lock);
	free(r);
}

static uint64_t
now_ms(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static void
answer_tx(struct route_answer *a, const struct rpc_receipt *receipt)
{
	a->status = 200;
	a->type = "application/json";
	msg_tx_build(&a->body, receipt->tx_hash);
}

/* Guests try on, several times a second: each failure is logged once. */
static void
say(struct router *r, const char *text)
{
	(void)pthread_mutex_lock(&r->lock);
	bool new = strcmp(r->said, text) != 0;
	(void)snprintf(r->said, sizeof(r->said), "%s", text);
	(void)pthread_mutex_unlock(&r->lock);
	if (new && text[0] != '\0')
		log_line("%s", text);
}

static void
refused(struct router *r, struct route_answer *a, enum dstack_status st,
    const struct why *why)
{
	say(r, why->text);
	route_fail(a, st, why);
}

/* Send and wait; names the contract's error where it has one. */
static enum dstack_status
transact(struct router *r, const char *what, const struct wr *call,
    struct rpc_receipt *receipt, struct why *why)
{
	enum dstack_status st = rpc_send(r->rpc, &r->cfg->privkey,
	    r->cfg->chain_id, r->cfg->contract, call->buf, call->len, 0,
	    receipt, why);
	const char *name = st != DSTACK_OK ? km_error_name(why->text) : NULL;

	if (name != NULL)
		return why_set(why, DSTACK_E_REJECTED,
		    "%s: the contract refuses: %s", what, name);
	json_decref(receipt->logs);
	receipt->logs = NULL;
	if (st == DSTACK_OK)
		say(r, ""); /* the next failure is a new one */
	return st == DSTACK_OK ? st : why_wrap(why, st, "%s", what);
}

/*
 * A folder that two networks share has the other's quote under this name,
 * and that one's joiners need it: it is kept under another. A quote of this
 * contract is of a try that did not go through, and makes room.
 */
static void
keep_other(struct router *r, const char *name)
{
	struct eip712_domain d = { .chain_id = r->cfg->chain_id };
	struct msg_bootstrap m;
	uint8_t h[32];
	uint8_t signer[20];
	char hex[9];
	char to[96];
	struct why why = { "" };
	AUTO_WR struct wr w = wr_new(LINK_MAX_BODY);

	if (files_read(r->auditing, name, 0, LINK_MAX_BODY - 8, &w, &why) !=
	    DSTACK_OK)
		return;
	memset(&m, 0, sizeof(m));
	memcpy(d.contract, r->cfg->contract, 20);
	bool ours = msg_bootstrap_parse(w.buf + 8, w.len - 8, &m, &why) ==
	    DSTACK_OK;
	if (ours) {
		stmt_bootstrap_digest(&m.s, &d, h);
		ours = secp_recover(h, m.sig, signer) == DSTACK_OK &&
		    memcmp(signer, m.s.xpub, 20) == 0;
	}
	msg_bootstrap_free(&m);
	if (ours)
		return;
	sha256(w.buf, w.len, h);
	hex_encode(h, 4, hex);
	(void)snprintf(to, sizeof(to), "other-%s-%s", hex, name);
	if (renameat(r->auditing, name, r->auditing, to) == 0)
		log_line("auditing/%s was another network's: kept as %s",
		    name, to);
}

/*
 * The whole message: joiners ask for it by epoch. Quote and collateral also
 * by themselves, as auditors' tools want them.
 */
static enum dstack_status
save_quote(struct router *r, const struct route_body *in,
    const struct msg_bootstrap *m, struct why *why)
{
	const struct {
		const char *what;
		const char *end;
		const void *p;
		size_t n;
	} file[] = { { "quote", "json", in->p, in->len },
		{ "quote", "bin", m->ev.quote.buf, m->ev.quote.len },
		{ "collateral", "json", m->ev.collateral.buf,
		    m->ev.collateral.len } };

	for (size_t i = 0; i < sizeof(file) / sizeof(file[0]); i++) {
		char name[64];
		enum dstack_status st = DSTACK_OK;
		(void)snprintf(name, sizeof(name),
		    "bootstrap-%s-%llu.%s", file[i].what,
		    (unsigned long long)m->s.epoch, file[i].end);
		if (i == 0)
			keep_other(r, name);
		if (file[i].n > 0)
			st = files_put(r->auditing, name, file[i].p,
			    file[i].n, why);
		if (st != DSTACK_OK) /* nobody could ever join without it */
			return why_wrap(why, DSTACK_E_SYS,
			    "no bootstrap before its quote is in the auditing "
			    "folder");
	}
	return DSTACK_OK;
}

void
route_bootstrap(
    struct router *r, const struct route_body *in, struct route_answer *a)
{
	struct msg_bootstrap m;
	struct why why = { "" };
	struct rpc_receipt receipt;
	uint8_t hash[32];
	AUTO_WR struct wr call = wr_new(0);

	memset(&m, 0, sizeof(m));
	enum dstack_status st = msg_bootstrap_parse(in->p, in->len, &m, &why);
	if (st == DSTACK_OK) {
		keccak256(m.ev.quote.buf, m.ev.quote.len, hash);
		st = km_call_bootstrap(&call, &m, hash);
	}
	if (st == DSTACK_OK) {
		/* before the transaction: joiners need it from then on */
		st = save_quote(r, in, &m, &why);
		if (st == DSTACK_OK)
			st = transact(r, "bootstrap", &call, &receipt, &why);
	}
	msg_bootstrap_free(&m);
	if (st != DSTACK_OK)
		refused(r, a, st, &why);
	else
		answer_tx(a, &receipt);
}

static enum dstack_status
gossip(struct router *r, const char *message, struct why *why)
{
	char url[CONFIG_TEXT + 8];
	unsigned status = 0;
	AUTO_WR struct wr answer = wr_new(4096);

	(void)snprintf(url, sizeof(url), "%s/push", r->cfg->pubsub_url);
	struct http_request q = { .url = url,
		.body = message,
		.bodylen = strlen(message),
		.max = 4096,
		.timeout_ms = 5000 };
	enum dstack_status st = http_do(&q, &status, &answer, NULL, why);
	if (st != DSTACK_OK) { /* the onboarder's listener says so */
		why->text[0] = '\0';
		return st;
	}
	if (status != 200)
		return why_set(why, DSTACK_E_MISSING,
		    "relay: it answered HTTP %u; check PUBSUB_URL", status);
	return DSTACK_OK;
}

/* Take over message; the oldest entry makes room. */
static void
remember(struct router *r, const uint8_t id[static 32], uint64_t block,
    char *message)
{
	(void)pthread_mutex_lock(&r->lock);
	struct route_pending *p = &r->pending[r->next++ % ROUTE_PENDING];
	free(p->message);
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
	for (size_t i = 0; i < ROUTE_PENDING; i++)
		if (memcmp(r->pending[i].id, id, 32) == 0)
			r->pending[i].pushed_ms = 0;
	(void)pthread_mutex_unlock(&r->lock);
}

bool
router_registered(struct router *r, const uint8_t id[static 32])
{
	bool yes = false;

	(void)pthread_mutex_lock(&r->lock);
	for (size_t i = 0; i < ROUTE_PENDING; i++)
		yes = yes || (r->pending[i].message != NULL &&
		                 memcmp(r->pending[i].id, id, 32) == 0);
	(void)pthread_mutex_unlock(&r->lock);
	return yes;
}

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
	if (st == DSTACK_OK)
		st = km_call_register(&call, &m);
	if (st == DSTACK_OK)
		st = transact(r, "register", &call, &receipt, &why);
	if (st != DSTACK_OK) {
		msg_register_free(&m);
		refused(r, a, st, &why);
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
	if (first == NULL || gossip(r, first, &why) != DSTACK_OK) {
		say(r, why.text); /* tried again while the guest waits */
		not_pushed(r, m.request_id);
	}
	msg_register_free(&m);
	answer_tx(a, &receipt);
}

void
route_heartbeat(
    struct router *r, const struct route_body *in, struct route_answer *a)
{
	struct msg_heartbeat m;
	struct why why = { "" };
	struct rpc_receipt receipt;
	AUTO_WR struct wr call = wr_new(0);
	enum dstack_status st = msg_heartbeat_parse(in->p, in->len, &m, &why);

	if (st == DSTACK_OK)
		st = km_call_heartbeat(&call, &m);
	if (st == DSTACK_OK)
		st = transact(r, "heartbeat", &call, &receipt, &why);
	if (st != DSTACK_OK)
		refused(r, a, st, &why);
	else
		answer_tx(a, &receipt);
}

void
route_anchor(
    struct router *r, const struct route_body *in, struct route_answer *a)
{
	struct msg_volume_anchor m;
	struct why why = { "" };
	struct rpc_receipt receipt;
	AUTO_WR struct wr call = wr_new(0);
	enum dstack_status st =
	    msg_volume_anchor_parse(in->p, in->len, &m, &why);

	if (st == DSTACK_OK)
		st = km_call_anchor(&call, &m);
	if (st == DSTACK_OK)
		st = transact(r, "anchor", &call, &receipt, &why);
	if (st != DSTACK_OK)
		refused(r, a, st, &why);
	else
		answer_tx(a, &receipt);
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
	for (size_t i = 0; i < ROUTE_PENDING; i++) {
		struct route_pending *p = &r->pending[i];
		if (p->message == NULL || memcmp(p->id, id, 32) != 0)
			continue;
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
	if (again != NULL && gossip(r, again, &why) != DSTACK_OK) {
		say(r, why.text);
		not_pushed(r, id);
	}
	free(again);
	return block;
}

static enum dstack_status
onboarded_log(struct router *r, const uint8_t id[static 32], uint64_t from,
    struct msg_onboard *out, struct why *why)
{
	uint8_t topic[32];
	json_t *logs = NULL;
	AUTO_WR struct wr data = wr_new(MSG_MAX_CT + 1024);

	keccak256(KM_EV_ONBOARDED, strlen(KM_EV_ONBOARDED), topic);
	enum dstack_status st = rpc_call(r->rpc, "eth_getLogs",
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
	st = eth_json_data(
	    json_object_get(json_array_get(logs, 0), "data"),
	    MSG_MAX_CT + 1024, &data);
	json_decref(logs);
	if (st != DSTACK_OK)
		return why_set(why, DSTACK_E_MISSING,
		    "eth_getLogs: an event without data");
	return km_onboarded(data.buf, data.len, out, why);
}

void
route_onboarded(struct router *r, const char *id_text, struct route_answer *a)
{
	uint8_t id[32];
	struct why why = { "" };
	struct msg_onboard found;
	uint64_t head = 0;
	enum dstack_status st = DSTACK_OK;

	memset(&found, 0, sizeof(found));
	if (hex_decode(id_text, strlen(id_text), id, 32) != DSTACK_OK) {
		route_text(a, 400, "/onboarded/REQUESTID: 64 hex digits");
		return;
	}
	uint64_t from = refresh(r, id);
	if (from == UINT64_MAX) { /* asked before, by an earlier host */
		st = rpc_block_number(r->rpc, &head, &why);
		from = head > LOOK_BACK ? head - LOOK_BACK : 0;
	}
	if (st == DSTACK_OK)
		st = onboarded_log(r, id, from, &found, &why);
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

/* Collateral grows old; the quote does not. */
static void
renew(struct router *r, struct msg_bootstrap *m)
{
	struct dcap_platform p;
	struct why why = { "" };
	char fmspc[13];
	AUTO_WR struct wr w = wr_new(MSG_MAX);
	struct collateral_source s = { .sim = r->cfg->sim,
		.url = r->cfg->pccs_url,
		.cache_dir = r->cfg->state };
	enum dstack_status st = dcap_quote_platform(
	    m->ev.quote.buf, m->ev.quote.len, &p, &why);

	if (st == DSTACK_OK) {
		hex_encode(p.fmspc, 6, fmspc);
		st = collateral_get(&s, fmspc,
		    p.platform_ca ? "platform" : "processor", &w, &why);
	}
	if (st != DSTACK_OK) {
		log_line("bootstrap quote goes out with old collateral: %s",
		    why.text);
		return;
	}
	wr_free(&m->ev.collateral);
	m->ev.collateral = w;
	memset(&w, 0, sizeof(w));
}

void
route_bootstrap_quote(
    struct router *r, const char *epoch, struct route_answer *a)
{
	char name[64];
	struct why why = { "" };
	struct msg_bootstrap m;
	AUTO_WR struct wr w = wr_new(LINK_MAX_BODY);
	size_t n = strlen(epoch);

	if (n == 0 || n > 18 || strspn(epoch, "0123456789") != n) {
		route_text(a, 400, "/bootstrap-quote/EPOCH: a number");
		return;
	}
	memset(&m, 0, sizeof(m));
	(void)snprintf(name, sizeof(name), "bootstrap-quote-%s.json", epoch);
	enum dstack_status st = files_read(
	    r->auditing, name, 0, LINK_MAX_BODY - 8, &w, &why);
	if (st == DSTACK_OK) /* behind the file's size */
		st = msg_bootstrap_parse(w.buf + 8, w.len - 8, &m, &why);
	if (st != DSTACK_OK) {
		log_line("bootstrap quote of epoch %s: %s", epoch, why.text);
		route_text(a, 404,
		    "the bootstrap quote is not in the auditing folder; copy "
		    "it from a node that has it");
		return;
	}
	renew(r, &m);
	a->status = 200;
	a->type = "application/json";
	msg_bootstrap_build(&a->body, &m);
	msg_bootstrap_free(&m);
}
