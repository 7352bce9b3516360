/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Register, and being onboarded (PROTOCOL.md sections 4 and 5). keyd makes
 * the request and its HPKE key, the TEE quotes it, the host posts it. Then
 * two things are watched by turns: the host, which may have an answer, and
 * the chain by our own view, which says whether the request is known, still
 * good, and answered. An answer is opened only once the chain has it too, the
 * epoch's record is read anew, and the quote that the epoch was born with
 * satisfies the same policy as ours. What it holds is used when our view is
 * known to be that of who sent it (handed.c).
 *
 * A host that does not say that it posted the request may have posted it all
 * the same, and its account has paid: the same request is waited for, and
 * posted again now and then, until its anchor is too old. Only where the
 * contract is said to refuse it is another made.
 */
#include "guest/replicatoor/replicatoor.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "base/log.h"
#include "base/secret.h"
#include "crypto/hash.h"

static enum dstack_status
node_key(struct msg_register *m, struct why *why)
{
	AUTO_WR struct wr a = wr_new(0);
	enum dstack_status st = repl_keyd(KEYD_NODE_KEY, NULL, &a, why);
	if (st != DSTACK_OK)
		return st;
	struct rd r = rd_over(a.buf, a.len);
	if (rd_copy(&r, m->s.node, 20) != DSTACK_OK ||
	    rd_u8(&r, &m->suite) != DSTACK_OK ||
	    rd_copy(&r, m->enc_pub, 32) != DSTACK_OK ||
	    rd_end(&r) != DSTACK_OK)
		return why_set(why, DSTACK_E_SYS, "keyd: bad answer");
	stmt_enc_key_hash(m->suite, m->enc_pub, m->s.enc_key_hash);
	return DSTACK_OK;
}

static enum dstack_status
sign_request(struct msg_register *m, struct why *why)
{
	AUTO_WR struct wr q = wr_new(0);
	AUTO_WR struct wr a = wr_new(0);
	stmt_register_put(&q, &m->s);
	enum dstack_status st = repl_keyd(KEYD_SIGN_REGISTER, &q, &a, why);
	if (st != DSTACK_OK)
		return st;
	if (a.len != 32 + SECP_SIG_LEN)
		return why_set(why, DSTACK_E_SYS, "keyd: bad answer");
	memcpy(m->request_id, a.buf, 32);
	return DSTACK_OK;
}

static enum dstack_status
sign_tx(struct msg_register *m, struct why *why)
{
	AUTO_WR struct wr q = wr_new(0);
	AUTO_WR struct wr a = wr_new(0);
	keccak256(m->ev.quote.buf, m->ev.quote.len, m->quote_hash);
	wr_put(&q, m->request_id, 32);
	wr_put(&q, m->quote_hash, 32);
	enum dstack_status st = repl_keyd(KEYD_SIGN_REGISTER_TX, &q, &a, why);
	if (st != DSTACK_OK)
		return st;
	if (a.len != SECP_SIG_LEN)
		return why_set(why, DSTACK_E_SYS, "keyd: bad answer");
	memcpy(m->sig, a.buf, SECP_SIG_LEN);
	return DSTACK_OK;
}

#define LOOK_MS 1000      /* between two looks at the chain */
#define DOUBT_MS 8000     /* an answer takes a few blocks */
#define DOUBT_AGAIN_MS 30000
#define LOST_MS 90000     /* an answer that is on the chain is here by then */
/*
 * A request that is not on the chain by then is made anew. It may still come
 * where the chain has EIP-2935's history: it is another's id then, and nobody
 * waits for it.
 */
#define REQUEST_BLOCKS 256
#define AGAIN_MS 15000    /* between two requests to post it */

static enum dstack_status
build(struct repl *r, const struct state_epoch *record, uint64_t epoch,
    struct msg_register *m, struct why *why)
{
	struct chain_head head;
	enum dstack_status st = node_key(m, why);
	if (st == DSTACK_OK)
		st = chain_final(&r->chain, &head, why);
	if (st != DSTACK_OK)
		return st;
	m->s.epoch = epoch;
	memcpy(m->s.policy_hash, record->policy_hash, 32);
	memcpy(m->s.anchor_hash, head.hash, 32);
	m->s.anchor_number = head.number;
	memcpy(m->s.submitter, r->submitter, 20);
	/*
	 * Two requests of one node are two ids: an answer to the first does not
	 * fit the second.
	 */
	if (getrandom(m->s.nonce, 32, 0) != 32)
		return why_set(why, DSTACK_E_SYS, "getrandom: %s",
		    strerror(errno));
	m->ev.quote = wr_new(MSG_MAX_QUOTE);
	m->ev.collateral = wr_new(MSG_MAX);
	/*
	 * The order is the protocol's: id, then a quote over the id, then a
	 * signature over both.
	 */
	st = sign_request(m, why);
	if (st == DSTACK_OK)
		st = repl_quote(TEE_QUOTE_REGISTER, m->request_id, &m->ev.quote,
		    why);
	if (st == DSTACK_OK)
		st = repl_collateral(&m->ev.quote, &m->ev.collateral, why);
	if (st == DSTACK_OK)
		st = sign_tx(m, why);
	return st;
}

/* The answer, if it is there: 204 is DSTACK_E_BUSY. */
static enum dstack_status
fetch_answer(
    const uint8_t id[static 32], struct msg_onboard *out, struct why *why)
{
	AUTO_WR struct wr a = wr_new(LINK_MAX_BODY);
	char path[16 + 64 + 1] = "/onboarded/0x";
	uint16_t status = 0;
	hex_encode(id, 32, path + strlen(path));
	enum dstack_status st = link_call(
	    FD_EDGE + ROLE_HOSTLINK, path, NULL, 0, &status, &a, why);
	if (st != DSTACK_OK)
		return st;
	if (status == 204)
		return DSTACK_E_BUSY;
	/* the host's line, cut: it goes to a console */
	if (status != 200)
		return why_set(why, DSTACK_E_MISSING,
		    "host /onboarded: answered %u: %.*s", status,
		    (int)(a.len < 160 ? a.len : 160),
		    a.len > 0 ? (const char *)a.buf : "");
	return msg_onboard_parse(a.buf, a.len, out, why);
}

static enum dstack_status
open_answer(struct repl *r, uint64_t epoch,
    const struct state_epoch *record, const uint8_t id[static 32],
    const struct msg_onboard *o, struct why *why)
{
	AUTO_WR struct wr q = wr_new(IPC_MAX);
	AUTO_WR struct wr a = wr_new(0);
	wr_put(&q, id, 32);
	wr_u64be(&q, epoch);
	wr_put(&q, record->xpub, 20);
	wr_put(&q, record->seed_commit, 32);
	stmt_onboard_put(&q, &o->s);
	wr_put(&q, o->sig, SECP_SIG_LEN);
	wr_blob(&q, o->ct.buf, o->ct.len);
	enum dstack_status st = repl_keyd(KEYD_OPEN, &q, &a, why);
	if (st != DSTACK_OK)
		return st;
	struct rd in = rd_over(a.buf, a.len);
	if (handon_view_get(&in, &r->view) != DSTACK_OK ||
	    rd_end(&in) != DSTACK_OK)
		return why_set(why, DSTACK_E_SYS, "keyd: bad answer");
	return DSTACK_OK;
}

static int64_t
boot_ms(void)
{
	struct timespec t = { 0 };
	(void)clock_gettime(CLOCK_BOOTTIME, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/*
 * Nobody has answered for a while. Onboarders tell a refusal to their own
 * operators alone, so judge ourselves as they do and tell ours the reason.
 */
static void
doubt(struct repl *r, uint64_t epoch, const struct state_epoch *record,
    const struct chain_head *head, const struct msg_register *m)
{
	struct policy_evidence e;
	struct why why = { "" };
	uint8_t report_data[64];
	stmt_report_register(m->request_id, report_data);
	enum dstack_status st = judge_quote(&r->chain, epoch, record, head,
	    &m->ev, report_data, r->netcfg_sha384, &e, &why);
	if (st == DSTACK_OK)
		st = why_set(&why, st,
		    "no answer to our request yet: is a node of this network "
		    "up, on the relay that PUBSUB_URL names");
	else
		st = why_wrap(&why, st,
		    "no answer to our request: this node is not what the "
		    "epoch's policy allows");
	(void)st;
	repl_say(r, &why);
}

/*
 * Ask the host to post it. *posted: it says that it did, and told the relay.
 * DSTACK_E_BUSY: the contract is said to refuse it (409).
 */
static enum dstack_status
post(struct repl *r, const struct wr *body, bool *posted, struct why *why)
{
	AUTO_WR struct wr a = wr_new(LINK_MAX_BODY);
	uint16_t status = 0;
	enum dstack_status st = link_call(FD_EDGE + ROLE_HOSTLINK, "/register",
	    body->buf, body->len, &status, &a, why);
	*posted = st == DSTACK_OK && status == 200;
	if (*posted)
		return DSTACK_OK;
	if (st == DSTACK_OK)
		(void)why_set(why, DSTACK_E_BUSY, "host /register: answered "
		    "%u: %.*s", status, (int)(a.len < 160 ? a.len : 160),
		    a.len > 0 ? (const char *)a.buf : "");
	/*
	 * The contract's no, as the host tells it; another request is made,
	 * since time or policy may have moved.
	 */
	if (status == 409)
		return DSTACK_E_BUSY;
	repl_say(r, why);
	return DSTACK_OK;
}

/* Until someone answers, or the request runs out (DSTACK_OK, not done). */
static enum dstack_status
await_answer(struct repl *r, uint64_t epoch, struct state_epoch *record,
    const struct msg_register *m, const struct wr *body, bool posted,
    int64_t made, bool *done, struct why *why)
{
	bool tied = false;
	const int64_t since = boot_ms();
	int64_t asked = since; /* the host, to post it */
	int64_t looked = 0;   /* when the chain was asked last */
	int64_t answered = 0; /* when it first said that there is an answer */
	int64_t doubt_at = since + DOUBT_MS;
	for (;;) {
		struct state_request request;
		struct chain_head head;
		struct msg_onboard o = { 0 };
		enum dstack_status st = DSTACK_OK;
		if (!posted && boot_ms() - asked >= AGAIN_MS) {
			asked = boot_ms();
			st = post(r, body, &posted, why);
			if (st != DSTACK_OK)
				return st;
		}
		st = fetch_answer(m->request_id, &o, why);
		/*
		 * An answer that is here is nothing yet: the chain decides
		 * below whether it counts.
		 */
		const bool here = st == DSTACK_OK;
		/* asking the host is cheap, proofs from the chain are not */
		if (st == DSTACK_E_BUSY && boot_ms() - looked < LOOK_MS) {
			repl_nap();
			continue;
		}
		if (here || st == DSTACK_E_BUSY) {
			st = chain_request(
			    &r->chain, m->request_id, &request, &head, why);
			looked = boot_ms();
		}
		if (st == DSTACK_OK && request.state == KM_REQUEST_NONE) {
			msg_onboard_free(&o);
			/* not final yet, or never mined: its anchor tells */
			if (head.number >
			    m->s.anchor_number + REQUEST_BLOCKS)
				return why_set(why, DSTACK_E_BUSY,
				    "the contract does not have our request");
			repl_nap();
			continue;
		}
		/*
		 * Its id was drawn in this boot, so the block that has it is
		 * younger: from here on heads have an age (THREATS T20).
		 */
		if (st == DSTACK_OK && !tied) {
			repl_tie(r, head.timestamp, (uint64_t)(made / 1000));
			tied = true;
		}
		if (st == DSTACK_OK && request.state == KM_REQUEST_REQUESTED &&
		    head.number > request.expiry) {
			msg_onboard_free(&o);
			return why_set(why, DSTACK_E_BUSY,
			    "nobody answered our request in time");
		}
		if (st == DSTACK_OK && answered == 0 &&
		    request.state == KM_REQUEST_ONBOARDED)
			answered = looked;
		if (st == DSTACK_OK && !here && answered != 0) {
			/* a relay network's: its onboarder may be gone */
			if (looked - answered > LOST_MS)
				return why_set(why, DSTACK_E_BUSY,
				    "our request was answered, but the "
				    "ciphertext did not come; asking anew");
			repl_nap();
			continue;
		}
		if (st == DSTACK_OK && !here) {
			/*
			 * Again now and then: a passing trouble that was said
			 * since must not stand as the reason.
			 */
			if (looked >= doubt_at) {
				doubt(r, epoch, record, &head, m);
				doubt_at = looked + DOUBT_AGAIN_MS;
			}
			repl_nap();
			continue;
		}
		/* our own view of the epoch, newer than the answer */
		if (st == DSTACK_OK)
			st = chain_epoch(&r->chain, epoch, NULL, record, &head,
			    why);
		/*
		 * Closed meanwhile: a secret of a closed epoch is not asked for
		 * again.
		 */
		if (st == DSTACK_OK && record->state != KM_EPOCH_ACTIVE)
			st = why_set(why, DSTACK_E_REJECTED,
			    "the epoch was closed while we joined");
		if (st == DSTACK_OK)
			/*
			 * Before opening: a secret made outside of a TEE is
			 * worse than none.
			 */
			st = repl_birth(r, epoch, record, &head, why);
		if (st == DSTACK_OK)
			st = open_answer(
			    r, epoch, record, m->request_id, &o, why);
		msg_onboard_free(&o);
		if (st == DSTACK_OK) {
			*done = true;
			return DSTACK_OK;
		}
		if (!repl_later(r, st, why))
			return st;
	}
}

enum dstack_status
repl_register(struct repl *r, uint64_t epoch, struct state_epoch *record,
    bool *done, struct why *why)
{
	struct msg_register m = { 0 };
	AUTO_WR struct wr body = wr_new(LINK_MAX_BODY);
	bool posted = false;
	const int64_t made = boot_ms();
	ipc_phase("register");
	enum dstack_status st = build(r, record, epoch, &m, why);
	if (st == DSTACK_OK) {
		msg_register_build(&body, &m);
		st = wr_status(&body);
	}
	if (st == DSTACK_OK)
		st = post(r, &body, &posted, why);
	if (st == DSTACK_OK)
		st = await_answer(
		    r, epoch, record, &m, &body, posted, made, done, why);
	if (st == DSTACK_OK && *done) {
		st = repl_handed_on(r, epoch, record, why);
		*done = st == DSTACK_OK;
	}
	msg_register_free(&m);
	return st;
}
