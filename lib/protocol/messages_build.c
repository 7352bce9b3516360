/* SPDX-License-Identifier: Apache-2.0 */
/* Bodies as text. Every value is a number or hex, so nothing needs escapes. */
#include "protocol/messages.h"

static void
hex(struct wr *w, const char *key, const void *p, size_t n)
{
	wr_fmt(w, "\"%s\":\"0x", key);
	wr_hex(w, p, n);
	wr_str(w, "\"");
}

static void
chex(struct wr *w, const char *key, const void *p, size_t n)
{
	wr_str(w, ",");
	hex(w, key, p, n);
}

static void
num(struct wr *w, const char *key, uint64_t v)
{
	wr_fmt(w, ",\"%s\":%llu", key, (unsigned long long)v);
}

static void
evidence(struct wr *w, const struct msg_evidence *ev)
{
	chex(w, "quote", ev->quote.buf, ev->quote.len);
	wr_str(w, ",\"collateral\":");
	if (ev->collateral.len > 0)
		wr_put(w, ev->collateral.buf, ev->collateral.len);
	else
		wr_str(w, "{}");
}

void
msg_bootstrap_build(struct wr *w, const struct msg_bootstrap *m)
{
	wr_fmt(w, "{\"bootstrap\":{\"epoch\":%llu",
	    (unsigned long long)m->s.epoch);
	chex(w, "xPub", m->s.xpub, 20);
	chex(w, "seedCommit", m->s.seed_commit, 32);
	chex(w, "policyHash", m->s.policy_hash, 32);
	chex(w, "anchorHash", m->s.anchor_hash, 32);
	num(w, "anchorNumber", m->s.anchor_number);
	chex(w, "submitter", m->s.submitter, 20);
	wr_str(w, "}");
	chex(w, "sig", m->sig, SECP_SIG_LEN);
	evidence(w, &m->ev);
	wr_str(w, "}");
}

void
msg_wanted_build(struct wr *w, const struct msg_wanted *m)
{
	wr_fmt(w, "{\"bootstrapWanted\":{\"chainId\":%llu",
	    (unsigned long long)m->chain_id);
	chex(w, "contract", m->contract, 20);
	num(w, "epoch", m->epoch);
	wr_str(w, "}}");
}

void
msg_register_build(struct wr *w, const struct msg_register *m)
{
	wr_str(w, "{");
	hex(w, "requestId", m->request_id, 32);
	wr_fmt(
	    w, ",\"register\":{\"epoch\":%llu", (unsigned long long)m->s.epoch);
	chex(w, "node", m->s.node, 20);
	chex(w, "encKeyHash", m->s.enc_key_hash, 32);
	chex(w, "policyHash", m->s.policy_hash, 32);
	chex(w, "anchorHash", m->s.anchor_hash, 32);
	num(w, "anchorNumber", m->s.anchor_number);
	chex(w, "submitter", m->s.submitter, 20);
	chex(w, "nonce", m->s.nonce, 32);
	wr_str(w, "}");
	num(w, "suite", m->suite);
	chex(w, "encPub", m->enc_pub, 32);
	chex(w, "quoteHash", m->quote_hash, 32);
	chex(w, "sig", m->sig, SECP_SIG_LEN);
	if (m->has_payee)
		chex(w, "payee", m->payee, 20);
	evidence(w, &m->ev);
	wr_str(w, "}");
}

void
msg_onboard_build(struct wr *w, const struct msg_onboard *m)
{
	wr_str(w, "{\"onboard\":{");
	hex(w, "requestId", m->s.request_id, 32);
	num(w, "epoch", m->s.epoch);
	chex(w, "seedCommit", m->s.seed_commit, 32);
	chex(w, "ctHash", m->s.ct_hash, 32);
	chex(w, "platformHash", m->s.platform_hash, 32);
	num(w, "tcbStatus", m->s.tcb_status);
	chex(w, "payee", m->s.payee, 20);
	wr_str(w, "}");
	chex(w, "sig", m->sig, SECP_SIG_LEN);
	chex(w, "ct", m->ct.buf, m->ct.len);
	wr_str(w, "}");
}

void
msg_heartbeat_build(struct wr *w, const struct msg_heartbeat *m)
{
	wr_str(w, "{\"heartbeat\":{");
	hex(w, "node", m->s.node, 20);
	num(w, "epoch", m->s.epoch);
	chex(w, "anchorHash", m->s.anchor_hash, 32);
	num(w, "anchorNumber", m->s.anchor_number);
	wr_str(w, "}");
	chex(w, "sig", m->sig, SECP_SIG_LEN);
	wr_str(w, "}");
}

void
msg_volume_anchor_build(struct wr *w, const struct msg_volume_anchor *m)
{
	wr_str(w, "{\"anchor\":{");
	hex(w, "volumeId", m->s.volume_id, 32);
	num(w, "generation", m->s.generation);
	chex(w, "root", m->s.root, 32);
	num(w, "epoch", m->s.epoch);
	num(w, "anchorNumber", m->s.anchor_number);
	chex(w, "anchorHash", m->s.anchor_hash, 32);
	wr_str(w, "}");
	chex(w, "sig", m->sig, SECP_SIG_LEN);
	wr_str(w, "}");
}

void
msg_node_build(struct wr *w, const struct msg_node *m)
{
	wr_str(w, "{");
	hex(w, "submitter", m->submitter, 20);
	chex(w, "payee", m->payee, 20);
	num(w, "index", m->index);
	if (m->has_owner) {
		chex(w, "owner", m->owner, 20);
		chex(w, "ownerSig", m->owner_sig, 65);
	}
	wr_str(w, "}");
}

void
msg_tx_build(struct wr *w, const uint8_t hash[static 32])
{
	wr_str(w, "{");
	hex(w, "tx", hash, 32);
	wr_str(w, "}");
}
