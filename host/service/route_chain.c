/* SPDX-License-Identifier: Apache-2.0 */
/* The router's paths that send to the chain; route_join.c has joining. */
#include "host/service/route_priv.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/hex.h"
#include "base/log.h"
#include "crypto/hash.h"
#include "crypto/secp.h"
#include "dstack/dcap.h"
#include "eth/rpc.h"
#include "host/base/files.h"
#include "host/join/onboarder.h"
#include "protocol/layout.h"
#include "protocol/link.h"

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

/*
 * The contract's own reason, where it gave one, is more use than the endpoint's
 * words around it.
 */
enum dstack_status
route_transact(struct router *r, const char *what, const struct wr *call,
    unsigned wait_ms, struct rpc_receipt *receipt, struct why *why)
{
	enum dstack_status st = rpc_send(r->rpc, &r->cfg->privkey,
	    r->cfg->chain_id, r->cfg->contract, call->buf, call->len,
	    wait_ms, receipt, why);
	const char *name = st != DSTACK_OK ? km_error_name(why->text) : NULL;

	if (name != NULL)
		return why_set(why, DSTACK_E_REJECTED,
		    "%s: the contract refuses: %s", what, name);
	json_decref(receipt->logs);
	receipt->logs = NULL;
	/* too dear just now is not the fault of what the guest asks */
	if (st == DSTACK_E_LIMIT)
		st = DSTACK_E_MISSING;
	if (st == DSTACK_OK)
		route_say(r, ""); /* the next failure is a new one */
	return st == DSTACK_OK ? st : why_wrap(why, st, "%s", what);
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
		st = birth_save(r->birth, in->p, in->len, &m, &why);
		if (st != DSTACK_OK) /* nobody could ever join without it */
			(void)why_wrap(&why, st,
			    "no bootstrap before its quote is in the auditing "
			    "folder");
		if (st == DSTACK_OK)
			st = route_transact(
			    r, "bootstrap", &call, ROUTE_MINED_MS, &receipt, &why);
	}
	msg_bootstrap_free(&m);
	if (st != DSTACK_OK)
		route_refused(r, a, st, &why);
	else
		route_tx(a, &receipt);
}

/* A sign of life goes to the relay, and costs nothing. */
void
route_sign(
    struct router *r, const struct route_body *in, struct route_answer *a)
{
	struct msg_heartbeat m;
	struct why why = { "" };
	enum dstack_status st = msg_heartbeat_parse(in->p, in->len, &m, &why);

	if (st == DSTACK_OK)
		st = signs_own(r->signs, &m, &why);
	if (st != DSTACK_OK)
		route_refused(r, a, st, &why);
	else
		route_text(a, 200, "");
}

void
route_signs(struct router *r, struct route_answer *a)
{
	a->status = 200;
	a->type = "text/plain";
	signs_list(r->signs, &a->body);
}

/* No wait for a block: the guest looks for it itself. */
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
		st = route_transact(r, "anchor", &call, 0, &receipt, &why);
	if (st != DSTACK_OK)
		route_refused(r, a, st, &why);
	else
		route_tx(a, &receipt);
}

void
route_bootstrap_quote(
    struct router *r, const char *epoch, struct route_answer *a)
{
	struct why why = { "" };
	struct msg_bootstrap m;
	uint64_t e = 0;
	size_t n = strlen(epoch);

	if (n == 0 || n > 18 || strspn(epoch, "0123456789") != n) {
		route_text(a, 400, "/bootstrap-quote/EPOCH: a number");
		return;
	}
	for (size_t i = 0; i < n; i++)
		e = e * 10 + (uint64_t)(epoch[i] - '0');
	if (birth_get(r->birth, e, &m, &why) != DSTACK_OK) {
		route_text(a, 404, why.text);
		return;
	}
	a->status = 200;
	a->type = "application/json";
	msg_bootstrap_build(&a->body, &m);
	msg_bootstrap_free(&m);
}

bool
router_heard(struct router *r, const char *line, size_t len)
{
	return signs_hear(r->signs, line, len) ||
	    birth_hear(r->birth, line, len);
}

int
router_others(struct router *r)
{
	return signs_others(r->signs);
}

/* ---- What the onboarder asks ------------------------------------------ */

static bool
own(void *arg, const uint8_t id[static 32])
{
	return router_registered(arg, id);
}

static void
answer(void *arg, const struct msg_onboard *m)
{
	router_answer(arg, m);
}

static bool
other(void *arg, const char *line, size_t len)
{
	return router_heard(arg, line, len);
}

static int
rank(void *arg, const uint8_t id[static 32])
{
	struct router *r = arg;

	return signs_rank(r->signs, id);
}

static bool
sees(void *arg, uint64_t time)
{
	struct router *r = arg;

	return r->source == NULL || source_sees(r->source) >= time;
}

void
router_onboarder(struct router *r, struct onboarder_options *out)
{
	*out = (struct onboarder_options){ .own = own,
		.answer = answer,
		.other = other,
		.rank = rank,
		.sees = sees,
		.arg = r };
}
