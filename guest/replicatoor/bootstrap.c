/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bootstrap of an epoch (PROTOCOL.md section 3). keyd makes the secret, the
 * statement about it names a recent block (the anchor), the TEE quotes it,
 * the host posts it. From then on nobody but this guest has what the epoch
 * may soon be bound to, so the secret is given up only when this guest's own
 * view of the chain shows that it will never be needed: the epoch has another
 * key or is not the last any more, or a final block is so far behind the anchor
 * that no block may take the statement. What the host says (sent, failed,
 * nothing) shortens none of it. It is asked to post the same statement again
 * now and then: a host whose account was empty may have been given funds.
 *
 * That far is a day where the chain has EIP-2935's history contract, and an
 * hour where it has not; which, this role does not know. So before the shorter
 * one is over another statement is made for the same secret, with a newer
 * anchor and the policy of then, and whichever is mined counts. The same holds
 * where this role was started anew in between: keyd still has the secret, and a
 * statement of it may be on its way; where no new one can be made, the old one
 * is waited for.
 */
#include "guest/replicatoor/replicatoor.h"

#include <string.h>
#include <time.h>

#include "base/log.h"
#include "base/secret.h"

/*
 * Of the 256 blocks of a chain without EIP-2935, and a final view that lags by
 * a hundred, so much is left.
 */
#define RENEW_BLOCKS 128
#define AGAIN_SECONDS 15  /* between two requests to post it */

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
	/*
	 * The account that posts it: the contract takes the statement from no
	 * other, so nobody can carry it off.
	 */
	memcpy(m->s.submitter, r->submitter, 20);
	stmt_bootstrap_put(&q, &m->s);
	st = repl_keyd(KEYD_SIGN_BOOTSTRAP, &q, &sig, why);
	if (st != DSTACK_OK)
		return st;
	if (sig.len != sizeof(m->sig))
		return why_set(why, DSTACK_E_SYS, "keyd: bad answer");
	memcpy(m->sig, sig.buf, sizeof(m->sig));
	/*
	 * The quote is over the whole statement: key, commitment, policy,
	 * anchor.
	 */
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

/* Ask the host to post it. The answer is for people: the chain decides. */
static void
post(struct repl *r, const struct wr *body)
{
	AUTO_WR struct wr answer = wr_new(LINK_MAX_BODY);
	struct why why = { "" };
	if (body->len == 0)
		return; /* what was posted before is waited for */
	if (link_fetch(FD_EDGE + ROLE_HOSTLINK, "/bootstrap", body->buf,
	        body->len, &answer, &why) != DSTACK_OK)
		repl_say(r, &why);
}

/* The message for the host, into body. */
static enum dstack_status
make_message(struct repl *r, const struct state_epoch *record,
    struct msg_bootstrap *m, struct wr *body, struct why *why)
{
	enum dstack_status st = build(r, record, m, why);
	if (st != DSTACK_OK)
		return st;
	msg_bootstrap_build(body, m);
	return wr_status(body);
}

/* Another statement for the same secret, if it can be made now. */
static void
renew(struct repl *r, const struct state_epoch *record,
    struct msg_bootstrap *m, struct wr *body)
{
	struct msg_bootstrap n = { 0 };
	struct wr text = wr_new(LINK_MAX_BODY);
	struct why why = { "" };
	n.s.epoch = m->s.epoch;
	memcpy(n.s.xpub, m->s.xpub, 20);
	memcpy(n.s.seed_commit, m->s.seed_commit, 32);
	if (make_message(r, record, &n, &text, &why) != DSTACK_OK) {
		repl_say(r, &why);
		msg_bootstrap_free(&n);
		wr_free(&text);
		return;
	}
	msg_bootstrap_free(m);
	wr_free(body);
	*m = n;
	*body = text;
}

/* Until the epoch has a key by our own view: ours, or another's. */
static enum dstack_status
await_record(struct repl *r, struct msg_bootstrap *m, struct wr *body,
    struct state_epoch *record, struct chain_head *head, bool *done,
    struct why *why)
{
	post(r, body);
	time_t posted = boot_seconds();
	for (;;) {
		struct state_head state;
		struct state_epoch now;
		enum dstack_status st = chain_epoch(
		    &r->chain, m->s.epoch, &state, &now, head, why);
		if (st != DSTACK_OK) {
			/*
			 * Whatever the trouble is, it says nothing of the
			 * record: the secret waits, however long it takes.
			 */
			repl_say(r, why);
			repl_nap();
			continue;
		}
		if (now.state == KM_EPOCH_OPEN) {
			/* head is final: no block may carry it any more */
			if (head->number >
				m->s.anchor_number + KM_ANCHOR_BLOCKS ||
			    state.epoch_count != m->s.epoch + 1)
				return why_set(why, DSTACK_E_BUSY,
				    "no block has taken the bootstrap and none "
				    "can any more; making another");
			if (boot_seconds() - posted >= AGAIN_SECONDS) {
				if (head->number >
					m->s.anchor_number + RENEW_BLOCKS ||
				    memcmp(now.policy_hash, m->s.policy_hash,
					32) != 0)
					renew(r, &now, m, body);
				post(r, body);
				posted = boot_seconds();
			}
			repl_nap();
			continue;
		}
		*done = now.state == KM_EPOCH_ACTIVE &&
		    ct_equal(now.xpub, m->s.xpub, 20) &&
		    ct_equal(now.seed_commit, m->s.seed_commit, 32);
		*record = now;
		return DSTACK_OK;
	}
}

enum dstack_status
repl_bootstrap(struct repl *r, uint64_t epoch, uint64_t before,
    struct state_epoch *record, bool *done, struct why *why)
{
	struct msg_bootstrap m = { 0 };
	AUTO_WR struct wr body = wr_new(LINK_MAX_BODY);
	/* a secret of a role before this one was made some time in this boot */
	const time_t made = before != 0 ? 0 : boot_seconds();
	struct chain_head head = { .number = 0 };
	ipc_phase("bootstrap");
	m.s.epoch = epoch;
	enum dstack_status st = make_secret(epoch, &m.s, why);
	if (st == DSTACK_OK) {
		st = make_message(r, record, &m, &body, why);
		if (st != DSTACK_OK && before != 0) {
			repl_say(r, why);
			wr_free(&body);
			m.s.anchor_number = before;
			st = DSTACK_OK;
		}
	}
	if (st == DSTACK_OK)
		st = await_record(r, &m, &body, record, &head, done, why);
	msg_bootstrap_free(&m);
	/* nobody else can have made that record, and not before this boot */
	if (st == DSTACK_OK && *done)
		repl_tie(r, head.timestamp, (uint64_t)made);
	/*
	 * Only from here is it given up: the chain has shown that it will never
	 * be this epoch's.
	 */
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
