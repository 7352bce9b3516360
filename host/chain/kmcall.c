/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Calls and events of the contract as bytes. A statement that a guest has
 * signed becomes the call that brings it to the contract, word for word as it
 * was signed: the host that pays for it can leave it away, and change nothing
 * in it. The other way, the Onboarded event becomes the statement it carries;
 * it came over an RPC, so it is read within bounds, and the guest that it is
 * for checks the signature.
 */
#include "host/chain/kmcall.h"

#include <stdio.h>
#include <string.h>

#include "base/hex.h"
#include "eth/abi.h"
#include "protocol/layout.h"

enum dstack_status
km_call_bootstrap(struct wr *w, const struct msg_bootstrap *m,
    const uint8_t quote_hash[static 32])
{
	struct abi_enc e = abi_begin(KM_FN_BOOTSTRAP);

	abi_u64(&e, m->s.epoch);
	abi_addr(&e, m->s.xpub);
	abi_word(&e, m->s.seed_commit);
	abi_word(&e, m->s.policy_hash);
	abi_word(&e, m->s.anchor_hash);
	abi_u64(&e, m->s.anchor_number);
	abi_addr(&e, m->s.submitter);
	abi_bytes(&e, m->sig, sizeof(m->sig));
	abi_word(&e, quote_hash);
	return abi_end(&e, w);
}

enum dstack_status
km_call_register(struct wr *w, const struct msg_register *m)
{
	struct abi_enc e = abi_begin(KM_FN_REGISTER);

	abi_u64(&e, m->s.epoch);
	abi_addr(&e, m->s.node);
	abi_word(&e, m->s.enc_key_hash);
	abi_word(&e, m->s.policy_hash);
	abi_word(&e, m->s.anchor_hash);
	abi_u64(&e, m->s.anchor_number);
	abi_addr(&e, m->s.submitter);
	abi_word(&e, m->s.nonce);
	abi_word(&e, m->quote_hash);
	abi_bytes(&e, m->sig, sizeof(m->sig));
	return abi_end(&e, w);
}

enum dstack_status
km_call_onboard(struct wr *w, const struct msg_onboard *m, bool with_ct)
{
	struct abi_enc e = abi_begin(KM_FN_ONBOARD);

	abi_word(&e, m->s.request_id);
	abi_u64(&e, m->s.epoch);
	abi_word(&e, m->s.seed_commit);
	abi_word(&e, m->s.ct_hash);
	abi_word(&e, m->s.platform_hash);
	abi_u64(&e, m->s.tcb_status);
	abi_addr(&e, m->s.payee);
	abi_bytes(&e, m->sig, sizeof(m->sig));
	/* on a relay network the contract takes it empty: the hash is signed */
	abi_bytes(&e, m->ct.buf, with_ct ? m->ct.len : 0);
	return abi_end(&e, w);
}

enum dstack_status
km_call_anchor(struct wr *w, const struct msg_volume_anchor *m)
{
	struct abi_enc e = abi_begin(KM_FN_ANCHOR_VOLUME);

	abi_word(&e, m->s.volume_id);
	abi_u64(&e, m->s.generation);
	abi_word(&e, m->s.root);
	abi_u64(&e, m->s.epoch);
	abi_u64(&e, m->s.anchor_number);
	abi_word(&e, m->s.anchor_hash);
	abi_bytes(&e, m->sig, sizeof(m->sig));
	return abi_end(&e, w);
}

enum dstack_status
km_call_requested(struct wr *w, const uint8_t request_id[static 32])
{
	struct abi_enc e = abi_begin(KM_FN_REQUESTED);

	abi_word(&e, request_id);
	return abi_end(&e, w);
}

static enum dstack_status
onboard_words(struct rd *r, struct stmt_onboard *s)
{
	uint64_t tcb = 0;
	enum dstack_status st = abi_rd_word(r, s->request_id);

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
	/* the word is wide, what was signed is a uint8 */
	if (st == DSTACK_OK && tcb > UINT8_MAX)
		st = DSTACK_E_FORMAT;
	s->tcb_status = (uint8_t)tcb;
	if (st == DSTACK_OK)
		st = abi_rd_addr(r, s->payee);
	return st;
}

enum dstack_status
km_onboarded(const void *data, size_t len, struct msg_onboard *out,
    struct why *why)
{
	struct rd base = rd_over(data, len);
	struct rd r = base;
	const uint8_t *sig = NULL;
	const uint8_t *ct = NULL;
	size_t nsig = 0;
	size_t nct = 0;

	/* whoever frees it may do so after any end */
	memset(out, 0, sizeof(*out));
	enum dstack_status st = onboard_words(&r, &out->s);
	if (st == DSTACK_OK)
		st = abi_rd_bytes(&r, &base, sizeof(out->sig), &sig, &nsig);
	if (st == DSTACK_OK)
		st = abi_rd_bytes(&r, &base, MSG_MAX_CT, &ct, &nct);
	/* shorter than a signature is none; longer was refused by the bound */
	if (st != DSTACK_OK || nsig != sizeof(out->sig))
		return why_set(why, DSTACK_E_FORMAT,
		    "chain RPC: an Onboarded event is malformed");
	memcpy(out->sig, sig, nsig);
	/* a copy: the event is freed with the answer it came in */
	out->ct = wr_new(MSG_MAX_CT);
	wr_put(&out->ct, ct, nct);
	return wr_status(&out->ct);
}

/*
 * Servers put a custom error's selector into their message, or its name where
 * they know the source; both are looked for, since no two servers agree on
 * where.
 */
const char *
km_error_name(const char *text)
{
	static const char *const names[] = { "BadAnchor", "BadApp", "BadEpoch",
		"BadPlatform", "BadPolicy", "BadSignature", "BadValue",
		"CiphertextMismatch", "NotBootstrapper", "NotPauser",
		"NotSubmitter", "NotUp", "RequestUnknown", "RequestKnown",
		"StoppedByPauser", "TooFar", "TooMany", "TooSoon" };
	/* of what it inherits (OpenZeppelin) */
	static const char *const more[][2] = {
		{ "OwnableUnauthorizedAccount(address)", "NotOwner" },
		{ "OwnableInvalidOwner(address)", "BadValue" },
	};
	char signature[40];
	char hex[11] = "0x";
	uint8_t sel[4];

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		(void)snprintf(signature, sizeof(signature), "%s()", names[i]);
		abi_selector(signature, sel);
		hex_encode(sel, 4, hex + 2);
		if (strstr(text, hex) != NULL ||
		    strstr(text, signature) != NULL)
			return names[i];
	}
	/* their signatures have arguments, so nobody spells them out */
	for (size_t i = 0; i < sizeof(more) / sizeof(more[0]); i++) {
		abi_selector(more[i][0], sel);
		hex_encode(sel, 4, hex + 2);
		if (strstr(text, hex) != NULL)
			return more[i][1];
	}
	return NULL;
}
