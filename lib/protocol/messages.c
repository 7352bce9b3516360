/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The JSON bodies between guest, host, relay and other nodes, read strictly.
 *
 * A text is bounded in bytes before it is parsed, and no member may come twice:
 * which of the two counts would depend on the reader. Then members are taken by
 * name, one after the other, each with its form (hex of an exact length, hex
 * within a bound, a number within a bound); the object's state sticks at the
 * first fault, so a parser is a list of its fields. At the end the number of
 * members taken must be the number there are: what this version does not know
 * is refused, since a sender might have meant a condition by it. On any fault
 * the message is freed and cleared; out never has half of one.
 *
 * Nothing here judges meaning. Signatures, hashes and anchors are checked by
 * who uses the message.
 */
#include "protocol/messages.h"

#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/hex.h"
#include "base/own.h"

static void
own_json(json_t **v)
{
	json_decref(*v);
}
#define AUTO_JSON OWN_CLEANUP(own_json)

/* ---- Reading: members are taken one by one, then none may be left. ---- */

struct obj {
	const json_t *v;
	size_t taken;
	enum dstack_status st; /* sticks */
	struct why *why;
};

static const json_t *
member(struct obj *o, const char *key)
{
	const json_t *v =
	    o->st == DSTACK_OK ? json_object_get(o->v, key) : NULL;
	if (v != NULL)
		o->taken++;
	else if (o->st == DSTACK_OK)
		o->st = why_set(
		    o->why, DSTACK_E_FORMAT, "member '%s' is missing", key);
	return v;
}

static void
bad(struct obj *o, const char *key, const char *want)
{
	if (o->st == DSTACK_OK)
		o->st = why_set(o->why, DSTACK_E_FORMAT,
		    "member '%s' is not %s", key, want);
}

/* Hex of exactly n bytes, with or without 0x. */
static void
take_hex(struct obj *o, const char *key, void *out, size_t n)
{
	const json_t *v = member(o, key);
	if (v == NULL)
		return;
	if (!json_is_string(v) ||
	    hex_decode(json_string_value(v), json_string_length(v), out, n) !=
		DSTACK_OK)
		bad(o, key, "hex of the right length");
}

static void
take_var(struct obj *o, const char *key, size_t max, struct wr *out)
{
	const json_t *v = member(o, key);
	if (v == NULL)
		return;
	size_t len = json_string_length(v);
	if (!json_is_string(v) || len < 2 || len > 2 * max + 2) {
		bad(o, key, "hex within its bound");
		return;
	}
	AUTO_FREE uint8_t *buf = malloc(len / 2);
	size_t n = 0;
	if (buf == NULL) {
		/*
		 * The length is bounded by now, so this is our memory, not the
		 * sender's wish.
		 */
		o->st = DSTACK_E_NOMEM;
		return;
	}
	if (hex_decode_var(json_string_value(v), len, buf, len / 2, &n) !=
		DSTACK_OK ||
	    n == 0 || n > max) {
		bad(o, key, "hex within its bound");
		return;
	}
	*out = wr_new(max);
	wr_put(out, buf, n);
	o->st = wr_status(out);
}

static uint64_t
take_u64(struct obj *o, const char *key, uint64_t max)
{
	const json_t *v = member(o, key);
	if (v == NULL)
		return 0;
	json_int_t n = json_is_integer(v) ? json_integer_value(v) : -1;
	/* A number with a point or an exponent is no integer: refused. */
	if (n < 0 || (uint64_t)n > max) {
		bad(o, key, "a number within its bound");
		return 0;
	}
	return (uint64_t)n;
}

static struct obj
inner(struct obj *o, const char *key)
{
	const json_t *v = member(o, key);
	if (v != NULL && !json_is_object(v))
		bad(o, key, "an object");
	struct obj in = {v, 0, o->st, o->why};
	return in;
}

/*
 * Not only "is the last known": count against count, so that no unknown member
 * hides between known ones.
 */
static void
done(struct obj *o)
{
	if (o->st == DSTACK_OK && json_object_size(o->v) != o->taken)
		o->st = why_set(o->why, DSTACK_E_FORMAT,
		    "a member that this version does not know");
}

/* An inner object's fault is the outer one's: the state goes up, and stays. */
static void
done_inner(struct obj *o, struct obj *in)
{
	done(in);
	if (o->st == DSTACK_OK)
		o->st = in->st;
}

static void
take_evidence(struct obj *o, struct msg_evidence *ev)
{
	take_var(o, "quote", MSG_MAX_QUOTE, &ev->quote);
	const json_t *v = member(o, "collateral");
	if (v == NULL)
		return;
	if (!json_is_object(v)) {
		bad(o, "collateral", "an object");
		return;
	}
	char *text = json_dumps(v, JSON_COMPACT);
	if (text == NULL) {
		o->st = DSTACK_E_NOMEM;
		return;
	}
	ev->collateral = wr_new(MSG_MAX);
	wr_str(&ev->collateral, text);
	free(text);
	o->st = wr_status(&ev->collateral);
}

static enum dstack_status
open_text(const void *text, size_t len, json_t **root, struct obj *o,
    const char *what, struct why *why)
{
	json_error_t e;
	if (len > MSG_MAX)
		return why_set(
		    why, DSTACK_E_LIMIT, "%s is over %u bytes", what, MSG_MAX);
	*root = json_loadb(text, len, JSON_REJECT_DUPLICATES, &e);
	if (!json_is_object(*root))
		return why_set(
		    why, DSTACK_E_FORMAT, "%s is no JSON object", what);
	o->v = *root;
	o->taken = 0;
	o->st = DSTACK_OK;
	o->why = why;
	return DSTACK_OK;
}

static void
evidence_free(struct msg_evidence *ev)
{
	wr_free(&ev->quote);
	wr_free(&ev->collateral);
}

void
msg_bootstrap_free(struct msg_bootstrap *m)
{
	evidence_free(&m->ev);
	memset(m, 0, sizeof(*m));
}

enum dstack_status
msg_bootstrap_parse(
    const void *text, size_t len, struct msg_bootstrap *out, struct why *why)
{
	AUTO_JSON json_t *root = NULL;
	struct obj o;
	memset(out, 0, sizeof(*out));
	enum dstack_status st =
	    open_text(text, len, &root, &o, "bootstrap", why);
	if (st != DSTACK_OK)
		return st;
	struct obj in = inner(&o, "bootstrap");
	out->s.epoch = take_u64(&in, "epoch", INT64_MAX);
	take_hex(&in, "xPub", out->s.xpub, 20);
	take_hex(&in, "seedCommit", out->s.seed_commit, 32);
	take_hex(&in, "policyHash", out->s.policy_hash, 32);
	take_hex(&in, "anchorHash", out->s.anchor_hash, 32);
	out->s.anchor_number = take_u64(&in, "anchorNumber", INT64_MAX);
	take_hex(&in, "submitter", out->s.submitter, 20);
	done_inner(&o, &in);
	take_hex(&o, "sig", out->sig, SECP_SIG_LEN);
	take_evidence(&o, &out->ev);
	done(&o);
	if (o.st == DSTACK_OK)
		return DSTACK_OK;
	msg_bootstrap_free(out);
	return why_wrap(why, o.st, "bootstrap");
}

enum dstack_status
msg_wanted_parse(
    const void *text, size_t len, struct msg_wanted *out, struct why *why)
{
	AUTO_JSON json_t *root = NULL;
	struct obj o;
	memset(out, 0, sizeof(*out));
	enum dstack_status st = open_text(text, len, &root, &o, "wanted", why);
	if (st != DSTACK_OK)
		return st;
	struct obj in = inner(&o, "bootstrapWanted");
	out->chain_id = take_u64(&in, "chainId", INT64_MAX);
	take_hex(&in, "contract", out->contract, 20);
	out->epoch = take_u64(&in, "epoch", INT64_MAX);
	done_inner(&o, &in);
	done(&o);
	if (o.st == DSTACK_OK)
		return DSTACK_OK;
	memset(out, 0, sizeof(*out));
	return why_wrap(why, o.st, "wanted");
}

void
msg_register_free(struct msg_register *m)
{
	evidence_free(&m->ev);
	memset(m, 0, sizeof(*m));
}

enum dstack_status
msg_register_parse(
    const void *text, size_t len, struct msg_register *out, struct why *why)
{
	AUTO_JSON json_t *root = NULL;
	struct obj o;
	memset(out, 0, sizeof(*out));
	enum dstack_status st =
	    open_text(text, len, &root, &o, "register", why);
	if (st != DSTACK_OK)
		return st;
	take_hex(&o, "requestId", out->request_id, 32);
	struct obj in = inner(&o, "register");
	out->s.epoch = take_u64(&in, "epoch", INT64_MAX);
	take_hex(&in, "node", out->s.node, 20);
	take_hex(&in, "encKeyHash", out->s.enc_key_hash, 32);
	take_hex(&in, "policyHash", out->s.policy_hash, 32);
	take_hex(&in, "anchorHash", out->s.anchor_hash, 32);
	out->s.anchor_number = take_u64(&in, "anchorNumber", INT64_MAX);
	take_hex(&in, "submitter", out->s.submitter, 20);
	take_hex(&in, "nonce", out->s.nonce, 32);
	done_inner(&o, &in);
	out->suite = (uint8_t)take_u64(&o, "suite", 255);
	take_hex(&o, "encPub", out->enc_pub, 32);
	take_hex(&o, "quoteHash", out->quote_hash, 32);
	take_hex(&o, "sig", out->sig, SECP_SIG_LEN);
	/*
	 * Optional, since the guest that signs does not know it: the host adds
	 * the account that is to be paid back.
	 */
	if (o.st == DSTACK_OK && json_object_get(root, "payee") != NULL) {
		out->has_payee = true;
		take_hex(&o, "payee", out->payee, 20);
	}
	take_evidence(&o, &out->ev);
	done(&o);
	if (o.st == DSTACK_OK)
		return DSTACK_OK;
	msg_register_free(out);
	return why_wrap(why, o.st, "register");
}

void
msg_onboard_free(struct msg_onboard *m)
{
	wr_free(&m->ct);
	memset(m, 0, sizeof(*m));
}

enum dstack_status
msg_onboard_parse(
    const void *text, size_t len, struct msg_onboard *out, struct why *why)
{
	AUTO_JSON json_t *root = NULL;
	struct obj o;
	memset(out, 0, sizeof(*out));
	enum dstack_status st = open_text(text, len, &root, &o, "onboard", why);
	if (st != DSTACK_OK)
		return st;
	struct obj in = inner(&o, "onboard");
	take_hex(&in, "requestId", out->s.request_id, 32);
	out->s.epoch = take_u64(&in, "epoch", INT64_MAX);
	take_hex(&in, "seedCommit", out->s.seed_commit, 32);
	take_hex(&in, "ctHash", out->s.ct_hash, 32);
	take_hex(&in, "platformHash", out->s.platform_hash, 32);
	out->s.tcb_status = (uint8_t)take_u64(&in, "tcbStatus", 255);
	take_hex(&in, "payee", out->s.payee, 20);
	done_inner(&o, &in);
	take_hex(&o, "sig", out->sig, SECP_SIG_LEN);
	take_var(&o, "ct", MSG_MAX_CT, &out->ct);
	done(&o);
	if (o.st == DSTACK_OK)
		return DSTACK_OK;
	msg_onboard_free(out);
	return why_wrap(why, o.st, "onboard");
}

enum dstack_status
msg_heartbeat_parse(
    const void *text, size_t len, struct msg_heartbeat *out, struct why *why)
{
	AUTO_JSON json_t *root = NULL;
	struct obj o;
	memset(out, 0, sizeof(*out));
	enum dstack_status st =
	    open_text(text, len, &root, &o, "heartbeat", why);
	if (st != DSTACK_OK)
		return st;
	struct obj in = inner(&o, "heartbeat");
	take_hex(&in, "node", out->s.node, 20);
	out->s.epoch = take_u64(&in, "epoch", INT64_MAX);
	take_hex(&in, "anchorHash", out->s.anchor_hash, 32);
	out->s.anchor_number = take_u64(&in, "anchorNumber", INT64_MAX);
	done_inner(&o, &in);
	take_hex(&o, "sig", out->sig, SECP_SIG_LEN);
	done(&o);
	if (o.st == DSTACK_OK)
		return DSTACK_OK;
	memset(out, 0, sizeof(*out));
	return why_wrap(why, o.st, "heartbeat");
}

enum dstack_status
msg_volume_anchor_parse(const void *text, size_t len,
    struct msg_volume_anchor *out, struct why *why)
{
	AUTO_JSON json_t *root = NULL;
	struct obj o;
	memset(out, 0, sizeof(*out));
	enum dstack_status st = open_text(text, len, &root, &o, "anchor", why);
	if (st != DSTACK_OK)
		return st;
	struct obj in = inner(&o, "anchor");
	take_hex(&in, "volumeId", out->s.volume_id, 32);
	out->s.generation = take_u64(&in, "generation", INT64_MAX);
	take_hex(&in, "root", out->s.root, 32);
	out->s.epoch = take_u64(&in, "epoch", INT64_MAX);
	out->s.anchor_number = take_u64(&in, "anchorNumber", INT64_MAX);
	take_hex(&in, "anchorHash", out->s.anchor_hash, 32);
	done_inner(&o, &in);
	take_hex(&o, "sig", out->sig, SECP_SIG_LEN);
	done(&o);
	if (o.st == DSTACK_OK)
		return DSTACK_OK;
	memset(out, 0, sizeof(*out));
	return why_wrap(why, o.st, "anchor");
}

enum dstack_status
msg_node_parse(
    const void *text, size_t len, struct msg_node *out, struct why *why)
{
	AUTO_JSON json_t *root = NULL;
	struct obj o;
	memset(out, 0, sizeof(*out));
	enum dstack_status st = open_text(text, len, &root, &o, "node", why);
	if (st != DSTACK_OK)
		return st;
	take_hex(&o, "submitter", out->submitter, 20);
	take_hex(&o, "payee", out->payee, 20);
	out->index = take_u64(&o, "index", UINT32_MAX);
	out->has_owner = json_object_get(root, "owner") != NULL;
	/* Without a word on an owner, the account that pays owns the volume. */
	memcpy(out->owner, out->submitter, 20);
	if (out->has_owner) {
		take_hex(&o, "owner", out->owner, 20);
		take_hex(&o, "ownerSig", out->owner_sig, 65);
	}
	done(&o);
	if (o.st == DSTACK_OK)
		return DSTACK_OK;
	memset(out, 0, sizeof(*out));
	return why_wrap(why, o.st, "node");
}

enum dstack_status
msg_tx_parse(
    const void *text, size_t len, uint8_t hash[static 32], struct why *why)
{
	AUTO_JSON json_t *root = NULL;
	struct obj o;
	uint8_t h[32];
	enum dstack_status st = open_text(text, len, &root, &o, "tx", why);
	if (st != DSTACK_OK)
		return st;
	take_hex(&o, "tx", h, 32);
	done(&o);
	if (o.st == DSTACK_OK)
		memcpy(hash, h, 32);
	return o.st;
}
