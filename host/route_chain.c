/* SPDX-License-Identifier: Apache-2.0 */
/* The router's paths that send to the chain; route_join.c has joining. */
#include "host/route_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/hex.h"
#include "base/log.h"
#include "crypto/hash.h"
#include "crypto/secp.h"
#include "dstack/dcap.h"
#include "eth/rpc.h"
#include "host/files.h"
#include "protocol/layout.h"
#include "protocol/link.h"

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
	const struct collateral_options o = { .sim = cfg->sim,
		.url = cfg->pccs_url,
		.early = cfg->pccs_early,
		.cache_dir = cfg->state,
		.background = true };
	if (st == DSTACK_OK)
		st = collateral_new(&o, &r->collateral, why);
	if (st != DSTACK_OK) {
		router_free(r);
		return st;
	}
	*out = r;
	return DSTACK_OK;
}

void
router_stop(struct router *r)
{
	if (r != NULL)
		collateral_stop(r->collateral);
}

void
router_free(struct router *r)
{
	if (r == NULL)
		return;
	collateral_free(r->collateral);
	for (size_t i = 0; i < ROUTE_PENDING; i++)
		route_pending_clear(&r->pending[i]);
	if (r->volume >= 0)
		(void)close(r->volume);
	if (r->auditing >= 0)
		(void)close(r->auditing);
	(void)pthread_mutex_destroy(&r->lock);
	free(r);
}

void
route_tx(struct route_answer *a, const struct rpc_receipt *receipt)
{
	a->status = 200;
	a->type = "application/json";
	msg_tx_build(&a->body, receipt->tx_hash);
}

/* Guests try on, several times a second: each failure is logged once. */
void
route_say(struct router *r, const char *text)
{
	(void)pthread_mutex_lock(&r->lock);
	bool new = strcmp(r->said, text) != 0;
	(void)snprintf(r->said, sizeof(r->said), "%s", text);
	(void)pthread_mutex_unlock(&r->lock);
	if (new && text[0] != '\0')
		log_line("%s", text);
}

void
route_refused(struct router *r, struct route_answer *a, enum dstack_status st,
    const struct why *why)
{
	route_say(r, why->text);
	route_fail(a, st, why);
}

enum dstack_status
route_transact(struct router *r, const char *what, const struct wr *call,
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
		route_say(r, ""); /* the next failure is a new one */
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
			st = route_transact(
			    r, "bootstrap", &call, &receipt, &why);
	}
	msg_bootstrap_free(&m);
	if (st != DSTACK_OK)
		route_refused(r, a, st, &why);
	else
		route_tx(a, &receipt);
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
		st = route_transact(r, "heartbeat", &call, &receipt, &why);
	if (st != DSTACK_OK)
		route_refused(r, a, st, &why);
	else
		route_tx(a, &receipt);
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
		st = route_transact(r, "anchor", &call, &receipt, &why);
	if (st != DSTACK_OK)
		route_refused(r, a, st, &why);
	else
		route_tx(a, &receipt);
}

/* Collateral grows old; the quote does not. */
static void
renew(struct router *r, struct msg_bootstrap *m)
{
	struct dcap_platform p;
	struct why why = { "" };
	char fmspc[13];
	AUTO_WR struct wr w = wr_new(MSG_MAX);
	enum dstack_status st = dcap_quote_platform(
	    m->ev.quote.buf, m->ev.quote.len, &p, &why);

	if (st == DSTACK_OK) {
		hex_encode(p.fmspc, 6, fmspc);
		st = collateral_get(r->collateral, p.tee, fmspc,
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
