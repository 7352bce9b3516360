/* SPDX-License-Identifier: Apache-2.0 */
/*
 * keyd's ops of replicatoor, 1 to 9 and 21: how S_e comes into being or into
 * this VM. Nobody is served from it before ACTIVATE (invariant I2, THREATS
 * T04). A replicatoor that fails on the way is started anew, and finds by
 * PENDING what the one before it has come to: NETCFG and GENERATE may be said
 * again, and mean the same then.
 */
#include "guest/keyd/keyd.h"

#include <string.h>

#include "crypto/hash.h"
#include "crypto/hpke.h"
#include "crypto/secp.h"
#include "protocol/statements.h"

#define CT_MAX 4096 /* bytes; the one suite there is has HANDON_PT_LEN + 48 */

enum dstack_status
keyd_netcfg(struct keyd *k, struct rd *body, struct wr *out, struct why *why)
{
	struct eip712_domain d;
	char domain[NETCFG_DOMAIN_MAX + 1];
	(void)out;
	if (rd_u64be(body, &d.chain_id) != DSTACK_OK ||
	    rd_copy(body, d.contract, sizeof(d.contract)) != DSTACK_OK ||
	    rd_text(body, domain, sizeof(domain)) != DSTACK_OK ||
	    rd_end(body) != DSTACK_OK)
		return keyd_no(why, "netcfg is chainId, contract and domain");
	/*
	 * Once, or the same again: whoever asks later cannot turn this guest's
	 * signatures to another contract.
	 */
	if (k->configured && d.chain_id == k->domain.chain_id &&
	    memcmp(d.contract, k->domain.contract, sizeof(d.contract)) == 0 &&
	    strcmp(domain, k->tls_domain) == 0)
		return DSTACK_OK;
	if (k->configured)
		return keyd_no(why, "netcfg was given before; reboot");
	/* Zeros would be a domain that other programs may take for "any". */
	if (d.chain_id == 0 || ct_is_zero(d.contract, sizeof(d.contract)) ||
	    domain[0] == '\0')
		return keyd_no(why, "netcfg names no chain, contract or "
				    "domain");
	k->domain = d;
	memcpy(k->tls_domain, domain, sizeof(k->tls_domain));
	k->configured = true;
	return DSTACK_OK;
}

enum dstack_status
keyd_node_key(struct keyd *k, struct rd *body, struct wr *out, struct why *why)
{
	if (rd_end(body) != DSTACK_OK)
		return keyd_no(why, "a node key request is empty");
	wr_put(out, k->node, sizeof(k->node));
	wr_u8(out, SUITE_X25519);
	wr_put(out, k->enc_pub, sizeof(k->enc_pub));
	return DSTACK_OK;
}

enum dstack_status
keyd_sign_register(
    struct keyd *k, struct rd *body, struct wr *out, struct why *why)
{
	struct stmt_register s;
	uint8_t want[32];
	uint8_t id[32];
	if (stmt_register_get(body, &s) != DSTACK_OK ||
	    rd_end(body) != DSTACK_OK)
		return keyd_no(why, "a Register is eight fields, 184 bytes");
	if (!k->configured)
		return keyd_no(why, "netcfg first");
	if (!k->hpke)
		return keyd_no(why, "the HPKE key is used up; reboot");
	stmt_enc_key_hash(SUITE_X25519, k->enc_pub, want);
	/*
	 * replicatoor builds the statement; keyd signs only what is about
	 * itself.
	 */
	if (memcmp(s.node, k->node, sizeof(s.node)) != 0)
		return keyd_no(why, "Register names another node");
	if (memcmp(s.enc_key_hash, want, sizeof(want)) != 0)
		return keyd_no(why, "Register names another HPKE key");
	stmt_register_digest(&s, &k->domain, id);
	wr_put(out, id, sizeof(id));
	enum dstack_status st = keyd_sign(&k->node_key, id, out, why);
	if (st != DSTACK_OK)
		return st;
	memcpy(k->request_id, id, sizeof(id));
	k->request_epoch = s.epoch;
	memcpy(k->submitter, s.submitter, sizeof(k->submitter));
	k->requested = true; /* the newest one counts, older ones are void */
	return DSTACK_OK;
}

/* Is it the request that op 3 made last? */
static bool
own_request(const struct keyd *k, const uint8_t id[static 32])
{
	return k->requested &&
	    memcmp(id, k->request_id, sizeof(k->request_id)) == 0;
}

/*
 * A second signature, over the quote's hash, since the quote has to be over the
 * first one's digest: the two could not be one.
 */
enum dstack_status
keyd_sign_register_tx(
    struct keyd *k, struct rd *body, struct wr *out, struct why *why)
{
	uint8_t id[32];
	uint8_t quote_hash[32];
	uint8_t digest[32];
	if (rd_copy(body, id, sizeof(id)) != DSTACK_OK ||
	    rd_copy(body, quote_hash, sizeof(quote_hash)) != DSTACK_OK ||
	    rd_end(body) != DSTACK_OK)
		return keyd_no(why, "a RegisterTx is requestId and quoteHash");
	if (!own_request(k, id))
		return keyd_no(why, "RegisterTx is not for this node's "
				    "newest Register");
	stmt_register_tx_digest(id, quote_hash, &k->domain, digest);
	return keyd_sign(&k->node_key, digest, out, why);
}

/* S_e as epoch's: all that follows from it. On failure nothing is kept. */
static enum dstack_status
take_seed(struct keyd *k, uint64_t epoch, const struct secret32 *seed)
{
	/*
	 * Straight into the locked page; the caller's copy is wiped when it
	 * leaves scope.
	 */
	k->seed = *seed;
	k->epoch = epoch;
	keytree_init(&k->tree, k->domain.chain_id, k->domain.contract, epoch,
	    &k->seed);
	enum dstack_status st = keytree_seed_commit(&k->tree, k->seed_commit);
	if (st == DSTACK_OK)
		st = keytree_net_sign(&k->tree, &k->net_sign, k->xpub);
	if (st != DSTACK_OK)
		keyd_forget(k);
	return st;
}

/* What the requester learned from the chain, and what an onboarder sent. */
struct offer {
	uint8_t request_id[32];
	uint64_t epoch;
	uint8_t xpub[20];
	uint8_t seed_commit[32];
	struct stmt_onboard onboard;
	uint8_t sig[SECP_SIG_LEN];
	const uint8_t *ct; /* borrowed */
	size_t ct_len;
};

static bool
offer_get(struct rd *r, struct offer *o)
{
	return rd_copy(r, o->request_id, 32) == DSTACK_OK &&
	    rd_u64be(r, &o->epoch) == DSTACK_OK &&
	    rd_copy(r, o->xpub, 20) == DSTACK_OK &&
	    rd_copy(r, o->seed_commit, 32) == DSTACK_OK &&
	    stmt_onboard_get(r, &o->onboard) == DSTACK_OK &&
	    rd_copy(r, o->sig, sizeof(o->sig)) == DSTACK_OK &&
	    rd_blob(r, CT_MAX, &o->ct, &o->ct_len) == DSTACK_OK &&
	    rd_end(r) == DSTACK_OK;
}

/* Everything that can be known before the ciphertext is opened. */
static enum dstack_status
offer_check(const struct keyd *k, const struct offer *o, struct why *why)
{
	uint8_t hash[32];
	uint8_t signer[20];
	/*
	 * Both the chain's side and the onboarder's have to mean the request
	 * that was made last: an answer to an older one may be of another epoch
	 * or policy.
	 */
	if (!own_request(k, o->request_id) ||
	    memcmp(o->onboard.request_id, k->request_id, 32) != 0)
		return keyd_no(why, "Onboard is for another request");
	if (o->epoch != k->request_epoch || o->onboard.epoch != o->epoch)
		return keyd_no(why, "Onboard is for another epoch");
	if (memcmp(o->onboard.seed_commit, o->seed_commit, 32) != 0)
		return keyd_no(why, "Onboard has another seedCommit than the "
				    "chain");
	/*
	 * The signature is over the ciphertext's hash, so what opens below is
	 * what the network's key vouched for.
	 */
	keccak256(o->ct, o->ct_len, hash);
	if (memcmp(hash, o->onboard.ct_hash, sizeof(hash)) != 0)
		return keyd_no(why, "the ciphertext is not the one that "
				    "Onboard names");
	stmt_onboard_digest(&o->onboard, &k->domain, hash);
	if (secp_recover(hash, o->sig, signer) != DSTACK_OK ||
	    memcmp(signer, o->xpub, sizeof(signer)) != 0)
		return keyd_no(why, "Onboard is not signed by the network's "
				    "key");
	return DSTACK_OK;
}

static enum dstack_status
open_seed(const struct keyd *k, const struct offer *o, struct secret32 *seed,
    struct handon_view *view, struct why *why)
{
	uint8_t info[STMT_HPKE_INFO_LEN];
	AUTO_WIPE128 struct secret128 pt = { { 0 } };
	_Static_assert(sizeof(pt.b) >= HANDON_PT_LEN, "fits");
	uint64_t epoch;
	if (o->ct_len != HANDON_PT_LEN + HPKE_OVERHEAD)
		return keyd_no(why, "the ciphertext has another length");
	/*
	 * Request and record are part of the key: a ciphertext for another
	 * newcomer, or of another secret, does not open.
	 */
	stmt_hpke_info(k->request_id, o->seed_commit, info);
	if (hpke_open(&k->hpke_key, info, sizeof(info), k->request_id,
		sizeof(k->request_id), o->ct, o->ct_len, pt.b) != DSTACK_OK)
		return keyd_no(why, "the ciphertext does not open");
	if (handon_pt_get(pt.b, HANDON_PT_LEN, &epoch, seed, view) !=
		DSTACK_OK ||
	    epoch != o->epoch)
		return keyd_no(why, "what the ciphertext holds is no secret "
				    "of this epoch");
	return DSTACK_OK;
}

enum dstack_status
keyd_open(struct keyd *k, struct rd *body, struct wr *out, struct why *why)
{
	struct offer o;
	AUTO_WIPE32 struct secret32 seed = { { 0 } };
	struct handon_view view;
	if (!offer_get(body, &o))
		return keyd_no(why, "an OPEN is the chain's record, Onboard, "
				    "its signature and the ciphertext");
	/*
	 * One secret a boot: the key that opens is erased with the first that
	 * fits, so nothing recorded today opens tomorrow.
	 */
	if (k->phase != KEYD_EMPTY || !k->hpke)
		return keyd_no(why, "there was a secret already; reboot");
	enum dstack_status st = offer_check(k, &o, why);
	if (st == DSTACK_OK)
		st = open_seed(k, &o, &seed, &view, why);
	if (st == DSTACK_OK)
		st = take_seed(k, o.epoch, &seed);
	if (st != DSTACK_OK)
		return st;
	/*
	 * The last word: an onboarder that was fooled, or lies, cannot hand
	 * over a secret that the chain does not know (D5 of the original).
	 */
	if (!ct_equal(k->seed_commit, o.seed_commit, 32) ||
	    !ct_equal(k->xpub, o.xpub, 20)) {
		keyd_forget(k);
		return keyd_no(why, "the secret received is not the one that "
				    "the chain has a record of; wiped");
	}
	secret32_wipe(&k->hpke_key);
	k->hpke = false;
	k->phase = KEYD_HELD;
	/*
	 * On whose chain that is, is not known yet: replicatoor asks, and says
	 * with ACTIVATE what it asked for (THREATS T43).
	 */
	k->view = view;
	handon_view_put(out, &view);
	return DSTACK_OK;
}

enum dstack_status
keyd_pending(struct keyd *k, struct rd *body, struct wr *out, struct why *why)
{
	if (rd_end(body) != DSTACK_OK)
		return keyd_no(why, "a PENDING is empty");
	if (k->phase != KEYD_HELD)
		return DSTACK_OK; /* an empty answer: none waits */
	wr_u64be(out, k->epoch);
	wr_put(out, k->xpub, sizeof(k->xpub));
	wr_put(out, k->seed_commit, sizeof(k->seed_commit));
	wr_u64be(out, k->anchor);
	wr_u8(out, k->generated ? 0 : 1);
	handon_view_put(out, &k->view);
	return DSTACK_OK;
}

enum dstack_status
keyd_generate(struct keyd *k, struct rd *body, struct wr *out, struct why *why)
{
	uint64_t epoch;
	AUTO_WIPE32 struct secret32 seed = { { 0 } };
	if (rd_u64be(body, &epoch) != DSTACK_OK || rd_end(body) != DSTACK_OK)
		return keyd_no(why, "a GENERATE is an epoch, 8 bytes");
	if (!k->configured)
		return keyd_no(why, "netcfg first");
	/* its Bootstrap may be on the way to the chain: there is no other */
	const bool again = k->phase == KEYD_HELD && k->generated &&
	    k->epoch == epoch;
	if (k->phase != KEYD_EMPTY && !again)
		return keyd_no(why, "there is a secret already; wipe first");
	enum dstack_status st = again ? DSTACK_OK : keyd_random(&seed, why);
	if (st == DSTACK_OK && !again)
		/*
		 * All of it exists from here on in this page alone; it becomes
		 * the network's only when the chain records it.
		 */
		st = take_seed(k, epoch, &seed);
	if (st != DSTACK_OK)
		return st;
	k->phase = KEYD_HELD;
	k->generated = true;
	wr_put(out, k->xpub, sizeof(k->xpub));
	wr_put(out, k->seed_commit, sizeof(k->seed_commit));
	return DSTACK_OK;
}

enum dstack_status
keyd_sign_bootstrap(
    struct keyd *k, struct rd *body, struct wr *out, struct why *why)
{
	struct stmt_bootstrap s;
	uint8_t digest[32];
	if (stmt_bootstrap_get(body, &s) != DSTACK_OK ||
	    rd_end(body) != DSTACK_OK)
		return keyd_no(why, "a Bootstrap is seven fields, 152 bytes");
	/*
	 * What was received is somebody's already: it is never announced as
	 * new.
	 */
	if (k->phase != KEYD_HELD || !k->generated)
		return keyd_no(why, "nothing was generated here that waits "
				    "for its bootstrap");
	if (s.epoch != k->epoch || memcmp(s.xpub, k->xpub, 20) != 0 ||
	    memcmp(s.seed_commit, k->seed_commit, 32) != 0)
		return keyd_no(why, "Bootstrap names another epoch, xPub or "
				    "seedCommit than was generated");
	stmt_bootstrap_digest(&s, &k->domain, digest);
	enum dstack_status st = keyd_sign(&k->net_sign, digest, out, why);
	if (st != DSTACK_OK)
		return st;
	memcpy(k->submitter, s.submitter, sizeof(k->submitter));
	k->anchor = s.anchor_number;
	return DSTACK_OK;
}

enum dstack_status
keyd_activate(struct keyd *k, struct rd *body, struct wr *out, struct why *why)
{
	uint8_t xpub[20];
	uint8_t commit[32];
	struct handon_view view;
	(void)out;
	if (rd_copy(body, xpub, sizeof(xpub)) != DSTACK_OK ||
	    rd_copy(body, commit, sizeof(commit)) != DSTACK_OK ||
	    handon_view_get(body, &view) != DSTACK_OK ||
	    rd_end(body) != DSTACK_OK)
		return keyd_no(why, "an ACTIVATE is xPub, seedCommit and the "
				    "view that was handed on");
	if (k->phase == KEYD_EMPTY)
		return keyd_no(why, "there is no secret to activate");
	/*
	 * The proven record is of another secret: two bootstrappers, and the
	 * other was first. Ours is worthless then, and dangerous to keep.
	 */
	if (memcmp(xpub, k->xpub, sizeof(xpub)) != 0 ||
	    memcmp(commit, k->seed_commit, sizeof(commit)) != 0) {
		keyd_forget(k);
		return keyd_no(why, "the chain has the record of another "
				    "secret; this one is wiped");
	}
	/*
	 * Who says this has asked for another block, or for none: that tells
	 * nothing of the secret, which waits on.
	 */
	if (!handon_view_equal(&view, &k->view))
		return keyd_no(why, "ACTIVATE names another view than the one "
				    "that was handed on");
	secret32_wipe(&k->hpke_key);
	k->hpke = false;
	k->phase = KEYD_ACTIVE;
	return DSTACK_OK;
}

enum dstack_status
keyd_wipe(struct keyd *k, struct rd *body, struct wr *out, struct why *why)
{
	(void)out;
	if (rd_end(body) != DSTACK_OK)
		return keyd_no(why, "a WIPE is empty");
	const bool received = k->phase == KEYD_HELD && !k->generated;
	keyd_forget(k);
	/*
	 * It was of another chain, and the key that opened it is gone. The
	 * next request is under a new one, which opens nothing of before.
	 */
	if (!received)
		return DSTACK_OK;
	k->requested = false;
	return keyd_new_hpke(k, why);
}
