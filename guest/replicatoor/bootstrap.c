/* SPDX-License-Identifier: Apache-2.0 */
/* Bootstrap of an epoch (PROTOCOL.md section 3). */
#include "guest/replicatoor/replicatoor.h"

#include <string.h>
#include <time.h>

#include "base/log.h"
#include "base/secret.h"

#define WAIT_BLOCKS 200 /* the anchor lives for 256 */
#define DOUBT_SECONDS 15 /* a host that refused has surely not sent it later */

static enum dstack_status
make_secret(uint64_t epoch, struct stmt_bootstrap *s, struct why *why)
{
	AUTO_WR struct wr q = wr_new(0);
	AUTO_WR struct wr a = wr_new(0);
	wr_u64be(&q, epoch);
	enum dstack_status st = repl_keyd(KEYD_GENERATE, &q, &a, why);
	if (st != DSTACK_OK)
		return st;
	struct rd r = rd_over(a.buf, a.len);
	if ((st = rd_copy(&r, s->xpub, 20)) != DSTACK_OK ||
	    (st = rd_copy(&r, s->seed_commit, 32)) != DSTACK_OK ||
	    (st = rd_end(&r)) != DSTACK_OK)
		return why_set(why, DSTACK_E_SYS, "keyd: bad answer");
	return DSTACK_OK;
}

/* Statement, signature, quote and collateral into m. */
static enum dstack_status
build(struct repl *r, const struct state_epoch *record,
    struct msg_bootstrap *m, struct why *why)
{
	AUTO_WR struct wr q = wr_new(0);
	AUTO_WR struct wr sig = wr_new(0);
	struct chain_head head;
	uint8_t digest[32];
	enum dstack_status st = chain_final(&r->chain, &head, why);
	if (st != DSTACK_OK)
		return st;
	memcpy(m->s.policy_hash, record->policy_hash, 32);
	memcpy(m->s.anchor_hash, head.hash, 32);
	m->s.anchor_number = head.number;
	memcpy(m->s.submitter, r->submitter, 20);
	stmt_bootstrap_put(&q, &m->s);
	st = repl_keyd(KEYD_SIGN_BOOTSTRAP, &q, &sig, why);
	if (st != DSTACK_OK)
		return st;
	if (sig.len != sizeof(m->sig))
		return why_set(why, DSTACK_E_SYS, "keyd: bad answer");
	memcpy(m->sig, sig.buf, sizeof(m->sig));
	stmt_bootstrap_digest(&m->s, &r->domain, digest);
	m->ev.quote = wr_new(MSG_MAX_QUOTE);
	m->ev.collateral = wr_new(MSG_MAX);
	st = repl_quote(TEE_QUOTE_BOOTSTRAP, digest, &m->ev.quote, why);
	if (st == DSTACK_OK)
		st = repl_collateral(&m->ev.quote, &m->ev.collateral, why);
	return st;
}

static time_t
boot_seconds(void)
{
	struct timespec t = { 0 };
	(void)clock_gettime(CLOCK_BOOTTIME, &t);
	return t.tv_sec;
}

/*
 * Until the epoch has a key by our own view: ours, or another's. Where the
 * host did not say that it sent our statement (answered is false), it may
 * still have: throwing the secret away then would leave the epoch with a key
 * that nobody holds. So that is watched too, if not as long.
 */
static enum dstack_status
await_record(struct repl *r, uint64_t epoch, const struct stmt_bootstrap *s,
    bool answered, struct state_epoch *record, bool *done, struct why *why)
{
	const time_t since = boot_seconds();
	for (;;) {
		struct state_epoch now;
		struct chain_head head;
		enum dstack_status st =
		    chain_epoch(&r->chain, epoch, NULL, &now, &head, why);
		if (st != DSTACK_OK) {
			if (!repl_later(r, st, why))
				return st;
			continue;
		}
		if (now.state == KM_EPOCH_OPEN) {
			if (head.number > s->anchor_number + WAIT_BLOCKS)
				return why_set(why, DSTACK_E_BUSY,
				    "the bootstrap transaction was not mined");
			if (!answered && boot_seconds() - since > DOUBT_SECONDS)
				return why_set(why, DSTACK_E_BUSY,
				    "the host did not post the bootstrap");
			repl_nap();
			continue;
		}
		*done = now.state == KM_EPOCH_ACTIVE &&
		    ct_equal(now.xpub, s->xpub, 20) &&
		    ct_equal(now.seed_commit, s->seed_commit, 32);
		*record = now;
		return DSTACK_OK;
	}
}

enum dstack_status
repl_bootstrap(struct repl *r, uint64_t epoch, struct state_epoch *record,
    bool *done, struct why *why)
{
	struct msg_bootstrap m = { 0 };
	AUTO_WR struct wr body = wr_new(LINK_MAX_BODY);
	AUTO_WR struct wr answer = wr_new(LINK_MAX_BODY);
	ipc_phase("bootstrap");
	m.s.epoch = epoch;
	enum dstack_status st = make_secret(epoch, &m.s, why);
	if (st == DSTACK_OK)
		st = build(r, record, &m, why);
	if (st == DSTACK_OK) {
		msg_bootstrap_build(&body, &m);
		st = wr_status(&body);
	}
	const bool asked = st == DSTACK_OK;
	if (asked)
		st = link_fetch(FD_EDGE + ROLE_HOSTLINK, "/bootstrap", body.buf,
		    body.len, &answer, why);
	/* whether it went through is seen on the chain, not in the answer */
	if (asked) {
		if (st != DSTACK_OK)
			repl_say(r, why);
		st = await_record(
		    r, epoch, &m.s, st == DSTACK_OK, record, done, why);
	}
	msg_bootstrap_free(&m);
	if (st != DSTACK_OK || !*done) {
		struct why no = { "" };
		if (repl_keyd(KEYD_WIPE, NULL, NULL, &no) != DSTACK_OK)
			return why_set(why, DSTACK_E_SYS,
			    "keyd did not forget: %s", no.text);
		if (st == DSTACK_OK)
			log_line("another node has bootstrapped the epoch");
	}
	return st;
}
