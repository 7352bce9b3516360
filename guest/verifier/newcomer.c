/* SPDX-License-Identifier: Apache-2.0 */
/* What the verifier's child does: every check, cheap ones first. */
#include "guest/verifier/verifier.h"

#include <string.h>

#include "base/own.h"
#include "base/secret.h"
#include "crypto/hash.h"
#include "crypto/secp.h"
#include "guest/verifier/judge.h"
#include "protocol/layout.h"

enum dstack_status
verifier_check_age(uint64_t age, uint64_t max, struct why *why)
{
	if (age == UINT64_MAX)
		return why_set(why, DSTACK_E_MISSING,
		    "this node's own record is not in its view yet");
	if (age > max)
		return why_set(why, DSTACK_E_MISSING,
		    "this node's view of the chain may be %llu seconds old, "
		    "netcfg allows %llu: is it held back?",
		    (unsigned long long)age, (unsigned long long)max);
	return DSTACK_OK;
}

static enum dstack_status
no(struct why *why, const char *text)
{
	return why_set(why, DSTACK_E_REJECTED, "%s", text);
}

enum dstack_status
verifier_check_form(
    const struct msg_register *m, const struct netcfg *cfg, struct why *why)
{
	struct eip712_domain d = {.chain_id = cfg->chain_id};
	uint8_t h[32];
	uint8_t signer[20];
	memcpy(d.contract, cfg->contract, sizeof(d.contract));
	/*
	 * Put in by the onboarding host; the answer is signed with it, so that
	 * nobody else can claim the refund.
	 */
	if (!m->has_payee)
		return no(why, "the request names no payee");
	if (m->suite != SUITE_X25519)
		return no(why, "the request has an unknown HPKE suite");
	/*
	 * Chain and contract are in the digest: a request to another network
	 * has another id here.
	 */
	stmt_register_digest(&m->s, &d, h);
	if (memcmp(h, m->request_id, 32) != 0)
		return no(why, "requestId is not the hash of Register on this "
			       "network");
	stmt_enc_key_hash(m->suite, m->enc_pub, h);
	if (memcmp(h, m->s.enc_key_hash, 32) != 0)
		return no(why, "encPub is not the key that Register names");
	keccak256(m->ev.quote.buf, m->ev.quote.len, h);
	if (memcmp(h, m->quote_hash, 32) != 0)
		return no(why, "quoteHash is not the hash of the quote");
	/*
	 * Node, quote and request are tied by this signature; without it a host
	 * could show a good quote for another's key.
	 */
	stmt_register_tx_digest(m->request_id, m->quote_hash, &d, h);
	if (secp_recover(h, m->sig, signer) != DSTACK_OK ||
	    memcmp(signer, m->s.node, 20) != 0)
		return no(why, "the request is not signed by its node");
	return DSTACK_OK;
}

enum { AT_HEAD = KM_EPOCH_SLOTS, AT_REQUEST, SLOTS };

/*
 * In this order: what makes every request wait, then what is wrong with this
 * one for good. "Not on the chain" is "not yet": our final block may be behind
 * the asker's.
 */
static enum dstack_status
check_request(const struct msg_register *m, const struct state_request *q,
    const struct state_head *state, const struct state_epoch *e,
    const struct chain_head *head, struct why *why)
{
	if (state->paused)
		return why_set(why, DSTACK_E_MISSING,
		    "the contract's pauser has stopped onboarding");
	if (m->s.epoch != state->current_epoch || e->state != KM_EPOCH_ACTIVE)
		return no(why, "the request is not for the current epoch");
	if (q->state == KM_REQUEST_NONE) /* or not final yet */
		return why_set(why, DSTACK_E_MISSING,
		    "the chain does not have this request, as far as seen");
	if (q->state != KM_REQUEST_REQUESTED)
		return no(why, "the request was onboarded already");
	if (q->expiry < head->number)
		return no(why, "the request has expired");
	/*
	 * Signed under another policy: the node asked to be judged by rules
	 * that no longer hold.
	 */
	if (memcmp(m->s.policy_hash, e->policy_hash, 32) != 0)
		return no(why, "the request names another policy");
	/*
	 * The chain recorded which quote was paid for; this one came by gossip.
	 */
	if (memcmp(q->quote_tag, m->quote_hash, sizeof(q->quote_tag)) != 0)
		return no(why, "the chain has the request with another quote");
	return DSTACK_OK;
}

static enum dstack_status
judge(struct chain *c, const uint8_t netcfg_sha384[static 48],
    const struct msg_register *m, struct policy_evidence *e, struct why *why)
{
	uint8_t slots[SLOTS][32];
	uint8_t words[SLOTS][32];
	struct state_head state;
	struct state_epoch epoch;
	struct state_request request;
	struct chain_head head;
	uint8_t rd[64];

	/*
	 * Hashes and one signature, before anything is asked of the chain or a
	 * quote is opened.
	 */
	enum dstack_status st = verifier_check_form(m, &c->cfg, why);
	if (st != DSTACK_OK)
		return st;
	state_epoch_slots(m->s.epoch, slots);
	state_head_slot(slots[AT_HEAD]);
	state_request_slot(m->request_id, slots[AT_REQUEST]);
	/*
	 * One read, one block: head, epoch and request are of the same state.
	 */
	st = chain_read(
	    c, (const uint8_t(*)[32])slots, SLOTS, words, &head, why);
	if (st != DSTACK_OK)
		/* even a proven no is about this node's view, not the asker */
		return why_wrap(why, DSTACK_E_MISSING, "chain");
	state_head_decode(words[AT_HEAD], &state);
	if (state_epoch_decode((const uint8_t(*)[32])words, &epoch) !=
		DSTACK_OK ||
	    state_request_decode(words[AT_REQUEST], &request) != DSTACK_OK)
		return no(why, "the contract's records are unknown here");
	st = check_request(m, &request, &state, &epoch, &head, why);
	if (st != DSTACK_OK)
		return st;
	stmt_report_register(m->request_id, rd);
	st = judge_quote(
	    c, m->s.epoch, &epoch, &head, &m->ev, rd, netcfg_sha384, e, why);
	/* a proof that does not hold is the RPC's fault, not the asker's */
	return st == DSTACK_E_FORMAT ? DSTACK_E_MISSING : st;
}

void
verifier_judge(struct chain *c, const uint8_t netcfg_sha384[static 48],
    const void *body, size_t len, struct verifier_verdict *out)
{
	struct msg_register m;
	struct policy_evidence e;
	memset(out, 0, sizeof(*out));
	memset(&e, 0, sizeof(e));
	out->st = msg_register_parse(body, len, &m, &out->why);
	if (out->st == DSTACK_OK)
		out->st = judge(c, netcfg_sha384, &m, &e, &out->why);
	/*
	 * Also after a no: how far the view has come must not be lost with the
	 * child.
	 */
	if (out->st == DSTACK_OK) {
		out->epoch = m.s.epoch;
		memcpy(out->request_id, m.request_id, 32);
		memcpy(out->enc_pub, m.enc_pub, 32);
		memcpy(out->platform_hash, e.platform_hash, 32);
		memcpy(out->payee, m.payee, 20);
		out->suite = m.suite;
		out->tcb_status = e.tcb_status;
		out->yes = true;
	}
	msg_register_free(&m);
}
