/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Is a secret that was received one to use? keyd has seen that it is the one
 * of the record that we showed it, but that record is of our own view, and a
 * joiner's view begins at netcfg's checkpoint, which may be old: whoever got
 * the keys of the committee of then shows us a chain of his own, with the
 * record copied from the true one and another policy and app beside it (THREATS
 * T43). So the onboarder hands on which block its view had as final, and the
 * committee of that block's period. Until our own view has come to that block,
 * with that committee, the secret waits in keyd; where it has another, the
 * secret is wiped. From then on we are on the onboarder's chain, and what was
 * read before counts for nothing: the record and the quote that the epoch was
 * born with are judged once more.
 */
#include "guest/replicatoor/replicatoor.h"

#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/secret.h"
#include "crypto/hash.h"

enum dstack_status
repl_birth(struct repl *r, uint64_t epoch, const struct state_epoch *record,
    const struct chain_head *head, struct why *why)
{
	struct msg_bootstrap m = { 0 };
	struct policy_evidence e;
	AUTO_WR struct wr a = wr_new(LINK_MAX_BODY);
	char path[48];
	uint8_t h[32], report_data[64];
	(void)snprintf(path, sizeof(path), "/bootstrap-quote/%llu",
	    (unsigned long long)epoch);
	enum dstack_status st =
	    link_fetch(FD_EDGE + ROLE_HOSTLINK, path, NULL, 0, &a, why);
	if (st == DSTACK_OK)
		st = msg_bootstrap_parse(a.buf, a.len, &m, why);
	if (st != DSTACK_OK)
		return why_wrap(why, st == DSTACK_E_MISSING ? st
							    : DSTACK_E_FORMAT,
		    "bootstrap quote of epoch %llu", (unsigned long long)epoch);
	keccak256(m.ev.quote.buf, m.ev.quote.len, h);
	if (m.s.epoch != epoch || !ct_equal(h, record->quote_hash, 32) ||
	    !ct_equal(m.s.xpub, record->xpub, 20) ||
	    !ct_equal(m.s.seed_commit, record->seed_commit, 32)) {
		st = why_set(why, DSTACK_E_FORMAT,
		    "the host's bootstrap quote is not the one on the chain");
	} else {
		stmt_bootstrap_digest(&m.s, &r->domain, h);
		stmt_report_bootstrap(h, report_data);
		st = judge_quote(&r->chain, epoch, record, head, &m.ev,
		    report_data, r->netcfg_sha384, &e, why);
		if (st != DSTACK_OK)
			st = why_wrap(why, st, "bootstrap quote");
	}
	msg_bootstrap_free(&m);
	return st;
}

/* It is of no use: keyd forgets it. st, with why, unless that fails. */
static enum dstack_status
wipe(struct repl *r, enum dstack_status st, struct why *why)
{
	struct why no = { "" };

	memset(&r->view, 0, sizeof(r->view));
	if (repl_keyd(KEYD_WIPE, NULL, NULL, &no) != DSTACK_OK)
		return why_set(why, DSTACK_E_SYS, "keyd did not forget: %s",
		    no.text);
	return st;
}

/*
 * Whatever the trouble is, it says nothing of the secret, which waits:
 * DSTACK_E_REJECTED alone is a no.
 */
static enum dstack_status
await_view(struct repl *r, const struct handon_view *view, struct why *why)
{
	for (;;) {
		enum chain_contains is = CHAIN_NOT_YET;
		enum dstack_status st =
		    chain_contains(&r->chain, view->slot, view->root,
			view->committee, &is, why);
		if (st == DSTACK_OK && is == CHAIN_YES)
			return DSTACK_OK;
		if (st == DSTACK_OK && is == CHAIN_NO)
			return why_set(why, DSTACK_E_REJECTED,
			    "the onboarder's chain, by its final block of slot "
			    "%llu, is another than the one that this node is "
			    "shown; the secret is wiped, asking anew",
			    (unsigned long long)view->slot);
		if (st == DSTACK_OK)
			(void)why_set(why, DSTACK_E_MISSING,
			    "we have a secret; our own view has not come to "
			    "slot %llu yet, where the onboarder's was",
			    (unsigned long long)view->slot);
		repl_say(r, why);
		repl_nap();
	}
}

enum dstack_status
repl_handed_on(struct repl *r, uint64_t epoch, struct state_epoch *record,
    struct why *why)
{
	enum dstack_status st = await_view(r, &r->view, why);
	/*
	 * One of the two chains is made up, and it need not be the onboarder's:
	 * with no secret here our own view may as well begin anew.
	 */
	if (st != DSTACK_OK) {
		struct why no = { "" };
		st = wipe(r, DSTACK_E_BUSY, why);
		if (st == DSTACK_E_BUSY &&
		    chain_anew(&r->chain, &no) != DSTACK_OK)
			repl_say(r, &no);
		return st;
	}
	/* the RPC's word before is the RPC's word now */
	if (handon_view_none(&r->view))
		return DSTACK_OK;
	for (;;) {
		struct state_epoch now;
		struct chain_head head;
		st = chain_epoch(&r->chain, epoch, NULL, &now, &head, why);
		if (st == DSTACK_OK &&
		    (now.state != KM_EPOCH_ACTIVE ||
			!ct_equal(now.xpub, record->xpub, 20) ||
			!ct_equal(now.seed_commit, record->seed_commit, 32))) {
			(void)why_set(why, DSTACK_E_BUSY,
			    "the onboarder's chain has another record of epoch "
			    "%llu than we were shown; the secret is wiped",
			    (unsigned long long)epoch);
			return wipe(r, DSTACK_E_BUSY, why);
		}
		if (st == DSTACK_OK)
			st = repl_birth(r, epoch, &now, &head, why);
		if (st == DSTACK_OK) {
			*record = now;
			return DSTACK_OK;
		}
		if (st == DSTACK_E_REJECTED)
			return wipe(r, st, why);
		repl_say(r, why);
		repl_nap();
	}
}
