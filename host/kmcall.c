/* SPDX-License-Identifier: Apache-2.0 */
#include "host/kmcall.h"

#include <stdio.h>
#include <string.h>

#include "base/hex.h"
#include "eth/abi.h"
#include "eth/rpc.h"
#include "protocol/layout.h"

enum type { U64, U8, ADDRESS, WORD };

struct member {
	const char *name;
	enum type type;
	size_t at;
};

#define B(f) offsetof(struct stmt_bootstrap, f)
static const struct member bootstrap_members[] = {
	{ "epoch", U64, B(epoch) },
	{ "xPub", ADDRESS, B(xpub) },
	{ "seedCommit", WORD, B(seed_commit) },
	{ "policyHash", WORD, B(policy_hash) },
	{ "anchorHash", WORD, B(anchor_hash) },
	{ "anchorNumber", U64, B(anchor_number) },
	{ "submitter", ADDRESS, B(submitter) },
};
#define R(f) offsetof(struct stmt_register, f)
static const struct member register_members[] = {
	{ "epoch", U64, R(epoch) },
	{ "node", ADDRESS, R(node) },
	{ "encKeyHash", WORD, R(enc_key_hash) },
	{ "policyHash", WORD, R(policy_hash) },
	{ "anchorHash", WORD, R(anchor_hash) },
	{ "anchorNumber", U64, R(anchor_number) },
	{ "submitter", ADDRESS, R(submitter) },
	{ "nonce", WORD, R(nonce) },
};
#define O(f) offsetof(struct stmt_onboard, f)
static const struct member onboard_members[] = {
	{ "requestId", WORD, O(request_id) },
	{ "epoch", U64, O(epoch) },
	{ "seedCommit", WORD, O(seed_commit) },
	{ "ctHash", WORD, O(ct_hash) },
	{ "platformHash", WORD, O(platform_hash) },
	{ "tcbStatus", U8, O(tcb_status) },
	{ "payee", ADDRESS, O(payee) },
};
#define H(f) offsetof(struct stmt_heartbeat, f)
static const struct member heartbeat_members[] = {
	{ "node", ADDRESS, H(node) },
	{ "epoch", U64, H(epoch) },
	{ "anchorHash", WORD, H(anchor_hash) },
	{ "anchorNumber", U64, H(anchor_number) },
};
#define A(f) offsetof(struct stmt_volume_anchor, f)
static const struct member anchor_members[] = {
	{ "volumeId", WORD, A(volume_id) },
	{ "generation", U64, A(generation) },
	{ "root", WORD, A(root) },
	{ "epoch", U64, A(epoch) },
	{ "anchorNumber", U64, A(anchor_number) },
	{ "anchorHash", WORD, A(anchor_hash) },
};

struct shape {
	const char *name;
	const struct member *m;
	size_t n;
};
#define SHAPE(name, m) { name, m, sizeof(m) / sizeof((m)[0]) }
static const struct shape shapes[] = {
	[KM_BOOTSTRAP] = SHAPE("bootstrap", bootstrap_members),
	[KM_REGISTER] = SHAPE("register", register_members),
	[KM_ONBOARD] = SHAPE("onboard", onboard_members),
	[KM_HEARTBEAT] = SHAPE("heartbeat", heartbeat_members),
	[KM_VOLUME_ANCHOR] = SHAPE("anchor", anchor_members),
};

const char *
km_name(enum km_kind kind)
{
	return shapes[kind].name;
}

static enum dstack_status
integer(const json_t *v, uint64_t max, uint64_t *out)
{
	if (!json_is_integer(v) || json_integer_value(v) < 0 ||
	    (uint64_t)json_integer_value(v) > max)
		return DSTACK_E_FORMAT;
	*out = (uint64_t)json_integer_value(v);
	return DSTACK_OK;
}

static enum dstack_status
member_from(const struct member *m, const json_t *v, void *s)
{
	uint8_t *at = (uint8_t *)s + m->at;
	uint64_t u = 0;
	enum dstack_status st = DSTACK_E_FORMAT;

	switch (m->type) {
	case U64:
		st = integer(v, INT64_MAX, &u);
		if (st == DSTACK_OK)
			memcpy(at, &u, sizeof(u));
		break;
	case U8:
		st = integer(v, UINT8_MAX, &u);
		if (st == DSTACK_OK)
			*at = (uint8_t)u;
		break;
	case ADDRESS:
		st = eth_json_fixed(v, at, 20);
		break;
	case WORD:
		st = eth_json_fixed(v, at, 32);
		break;
	}
	return st;
}

enum dstack_status
km_from_json(enum km_kind kind, const json_t *v, union km_statement *out,
    struct why *why)
{
	const struct shape *sh = &shapes[kind];
	union km_statement s;

	memset(&s, 0, sizeof(s));
	if (!json_is_object(v))
		return why_set(
		    why, DSTACK_E_FORMAT, "%s is no object", sh->name);
	for (size_t i = 0; i < sh->n; i++)
		if (member_from(&sh->m[i], json_object_get(v, sh->m[i].name),
		        &s) != DSTACK_OK)
			return why_set(why, DSTACK_E_FORMAT,
			    "%s.%s is missing or garbled", sh->name,
			    sh->m[i].name);
	*out = s;
	return DSTACK_OK;
}

static uint64_t
u64_at(const struct member *m, const void *s)
{
	uint64_t u;

	if (m->type == U8)
		return *((const uint8_t *)s + m->at);
	memcpy(&u, (const uint8_t *)s + m->at, sizeof(u));
	return u;
}

json_t *
km_to_json(enum km_kind kind, const union km_statement *s)
{
	const struct shape *sh = &shapes[kind];
	json_t *o = json_object();

	for (size_t i = 0; o != NULL && i < sh->n; i++) {
		const struct member *m = &sh->m[i];
		const uint8_t *at = (const uint8_t *)s + m->at;
		json_t *v = m->type == ADDRESS ? eth_json_hex(at, 20)
		    : m->type == WORD
		    ? eth_json_hex(at, 32)
		    : json_integer((json_int_t)u64_at(m, s));
		if (json_object_set_new(o, m->name, v) != 0) {
			json_decref(o);
			return NULL;
		}
	}
	return o;
}

enum dstack_status
km_json_word(const json_t *obj, const char *key, uint8_t out[static 32],
    struct why *why)
{
	if (eth_json_fixed(json_object_get(obj, key), out, 32) != DSTACK_OK)
		return why_set(why, DSTACK_E_FORMAT,
		    "%s is missing or not 32 bytes of hex", key);
	return DSTACK_OK;
}

/* "0x" is not asked for: quotes travel as plain hex too. */
enum dstack_status
km_json_bytes(const json_t *obj, const char *key, size_t min, size_t max,
    struct wr *out, struct why *why)
{
	const json_t *v = json_object_get(obj, key);
	const char *text = json_string_value(v);
	size_t len = json_string_length(v);
	size_t n = 0;

	if (text == NULL)
		return why_set(why, DSTACK_E_FORMAT, "%s is missing", key);
	if (len > 2 * max + 2)
		return why_set(why, DSTACK_E_LIMIT,
		    "%s is longer than %zu bytes", key, max);
	AUTO_FREE uint8_t *buf = malloc(len / 2 + 1);
	if (buf == NULL)
		return DSTACK_E_NOMEM;
	if (hex_decode_var(text, len, buf, max, &n) != DSTACK_OK || n < min)
		return why_set(why, DSTACK_E_FORMAT,
		    "%s is no hex of %zu to %zu bytes", key, min, max);
	wr_put(out, buf, n);
	return wr_status(out);
}

static void
put_members(struct abi_enc *e, enum km_kind kind, const void *s)
{
	const struct shape *sh = &shapes[kind];

	for (size_t i = 0; i < sh->n; i++) {
		const struct member *m = &sh->m[i];
		const uint8_t *at = (const uint8_t *)s + m->at;
		if (m->type == ADDRESS)
			abi_addr(e, at);
		else if (m->type == WORD)
			abi_word(e, at);
		else
			abi_u64(e, u64_at(m, s));
	}
}

enum dstack_status
km_call_bootstrap(struct wr *w, const struct stmt_bootstrap *s,
    const struct wr *sig, const uint8_t quote_hash[static 32])
{
	struct abi_enc e = abi_begin(KM_FN_BOOTSTRAP);

	put_members(&e, KM_BOOTSTRAP, s);
	abi_bytes(&e, sig->buf, sig->len);
	abi_word(&e, quote_hash);
	return abi_end(&e, w);
}

enum dstack_status
km_call_register(struct wr *w, const struct stmt_register *s,
    const uint8_t quote_hash[static 32], const struct wr *sig)
{
	struct abi_enc e = abi_begin(KM_FN_REGISTER);

	put_members(&e, KM_REGISTER, s);
	abi_word(&e, quote_hash);
	abi_bytes(&e, sig->buf, sig->len);
	return abi_end(&e, w);
}

enum dstack_status
km_call_onboard(struct wr *w, const struct stmt_onboard *s,
    const struct wr *sig, const struct wr *ct)
{
	struct abi_enc e = abi_begin(KM_FN_ONBOARD);

	put_members(&e, KM_ONBOARD, s);
	abi_bytes(&e, sig->buf, sig->len);
	abi_bytes(&e, ct->buf, ct->len);
	return abi_end(&e, w);
}

enum dstack_status
km_call_heartbeat(
    struct wr *w, const struct stmt_heartbeat *s, const struct wr *sig)
{
	struct abi_enc e = abi_begin(KM_FN_HEARTBEAT);

	put_members(&e, KM_HEARTBEAT, s);
	abi_bytes(&e, sig->buf, sig->len);
	return abi_end(&e, w);
}

enum dstack_status
km_call_anchor(
    struct wr *w, const struct stmt_volume_anchor *s, const struct wr *sig)
{
	struct abi_enc e = abi_begin(KM_FN_ANCHOR_VOLUME);

	put_members(&e, KM_VOLUME_ANCHOR, s);
	abi_bytes(&e, sig->buf, sig->len);
	return abi_end(&e, w);
}

static enum dstack_status
onboarded_members(struct rd *r, struct stmt_onboard *s)
{
	enum dstack_status st = abi_rd_word(r, s->request_id);
	uint64_t tcb = 0;

	if (st == DSTACK_OK)
		st = abi_rd_u64(r, &s->epoch);
	if (st == DSTACK_OK)
		st = abi_rd_word(r, s->seed_commit);
	if (st == DSTACK_OK)
		st = abi_rd_word(r, s->ct_hash);
	if (st == DSTACK_OK)
		st = abi_rd_word(r, s->platform_hash);
	if (st == DSTACK_OK)
		st = abi_rd_u64(r, &tcb);
	if (st == DSTACK_OK && tcb > UINT8_MAX)
		st = DSTACK_E_FORMAT;
	s->tcb_status = (uint8_t)tcb;
	if (st == DSTACK_OK)
		st = abi_rd_addr(r, s->payee);
	return st;
}

json_t *
km_onboarded_json(const void *data, size_t len, struct why *why)
{
	struct rd base = rd_over(data, len);
	struct rd r = base;
	union km_statement s;
	const uint8_t *sig = NULL;
	const uint8_t *ct = NULL;
	size_t nsig = 0;
	size_t nct = 0;

	memset(&s, 0, sizeof(s));
	enum dstack_status st = onboarded_members(&r, &s.onboard);
	if (st == DSTACK_OK)
		st = abi_rd_bytes(&r, &base, SECP_SIG_LEN, &sig, &nsig);
	if (st == DSTACK_OK)
		st = abi_rd_bytes(&r, &base, KM_CT_MAX, &ct, &nct);
	if (st != DSTACK_OK || nsig != SECP_SIG_LEN) {
		(void)why_set(why, DSTACK_E_FORMAT,
		    "chain RPC: an Onboarded event is malformed");
		return NULL;
	}
	return json_pack("{s:o,s:o,s:o}", "onboard",
	    km_to_json(KM_ONBOARD, &s), "sig", eth_json_hex(sig, nsig), "ct",
	    eth_json_hex(ct, nct));
}

const char *
km_error_name(const char *text)
{
	static const char *const names[] = { "BadAnchor", "BadApp", "BadEpoch",
		"BadPlatform", "BadPolicy", "BadSignature", "BadValue",
		"CiphertextMismatch", "NotBootstrapper", "NotPauser",
		"NotSubmitter", "NotUp", "RequestUnknown", "RequestKnown",
		"StoppedByPauser", "TooMany", "TooSoon" };
	char signature[40];
	char hex[11] = "0x";
	uint8_t sel[4];

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		(void)snprintf(signature, sizeof(signature), "%s()", names[i]);
		abi_selector(signature, sel);
		hex_encode(sel, 4, hex + 2);
		if (strstr(text, hex) != NULL || strstr(text, signature) != NULL)
			return names[i];
	}
	return NULL;
}
