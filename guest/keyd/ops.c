/* SPDX-License-Identifier: Apache-2.0 */
/*
 * keyd's ops 10 to 19, once S_e is active: onboard others, and derive and
 * sign for the roles of this VM. keyd_handle has looked at the phase.
 */
#include "guest/keyd/keyd.h"

#include <string.h>

#include <openssl/evp.h>

#include "crypto/hash.h"
#include "crypto/hpke.h"
#include "crypto/secp.h"
#include "guest/tls/cert.h"
#include "guest/base/ipc.h"
#include "protocol/layout.h"
#include "protocol/statements.h"
#include "protocol/volume.h"

#define TAG_TLS "unstoppable_tls"

/* Secret and view, sealed for pub under a key that is used once. */
static enum dstack_status
seal(const struct keyd *k, const uint8_t request_id[static 32],
    const uint8_t pub[static 32], const struct handon_view *view,
    uint8_t ct[static HANDON_PT_LEN + HPKE_OVERHEAD], struct why *why)
{
	uint8_t info[STMT_HPKE_INFO_LEN];
	AUTO_WIPE32 struct secret32 ephemeral = { { 0 } };
	AUTO_WR struct wr pt = wr_new(0);
	handon_pt_put(&pt, k->epoch, &k->seed, view);
	enum dstack_status st = wr_status(&pt);
	if (st == DSTACK_OK)
		st = keyd_random(&ephemeral, why);
	if (st != DSTACK_OK)
		return st;
	stmt_hpke_info(request_id, k->seed_commit, info);
	st = hpke_seal(pub, &ephemeral, info, sizeof(info), request_id, 32,
	    pt.buf, pt.len, ct);
	if (st != DSTACK_OK)
		return why_set(why, st, "keyd: encPub cannot be sealed for");
	return DSTACK_OK;
}

enum dstack_status
keyd_onboard(struct keyd *k, struct rd *body, struct wr *out, struct why *why)
{
	struct stmt_onboard s = { 0 };
	uint8_t pub[32];
	uint8_t suite;
	struct handon_view view;
	uint8_t ct[HANDON_PT_LEN + HPKE_OVERHEAD];
	uint8_t digest[32];
	if (rd_copy(body, s.request_id, 32) != DSTACK_OK ||
	    rd_u64be(body, &s.epoch) != DSTACK_OK ||
	    rd_copy(body, pub, sizeof(pub)) != DSTACK_OK ||
	    rd_u8(body, &suite) != DSTACK_OK ||
	    rd_copy(body, s.platform_hash, 32) != DSTACK_OK ||
	    rd_u8(body, &s.tcb_status) != DSTACK_OK ||
	    rd_copy(body, s.payee, 20) != DSTACK_OK ||
	    handon_view_get(body, &view) != DSTACK_OK ||
	    rd_end(body) != DSTACK_OK)
		return keyd_no(why, "an ONBOARD request is 198 bytes");
	/*
	 * The verifier judged by the record of one epoch; another epoch's
	 * secret is not here anyway.
	 */
	if (s.epoch != k->epoch)
		return keyd_no(why, "the request is for another epoch");
	if (suite != SUITE_X25519)
		return keyd_no(why, "the request has an unknown HPKE suite");
	if (s.tcb_status >= KM_TCB_COUNT)
		return keyd_no(why, "the request has an unknown TCB status");
	enum dstack_status st = seal(k, s.request_id, pub, &view, ct, why);
	if (st != DSTACK_OK)
		return st;
	/*
	 * Not the verifier's word: these two come from what is held and what
	 * was just sealed.
	 */
	memcpy(s.seed_commit, k->seed_commit, 32);
	keccak256(ct, sizeof(ct), s.ct_hash);
	stmt_onboard_digest(&s, &k->domain, digest);
	stmt_onboard_put(out, &s);
	if ((st = keyd_sign(&k->net_sign, digest, out, why)) != DSTACK_OK)
		return st;
	wr_blob(out, ct, sizeof(ct));
	return DSTACK_OK;
}

struct app_tag {
	uint8_t app[32];
	char tag[KEYTREE_OWN_MAX + 1];
};

/*
 * appId 0 is the system's: no role may speak for it (THREATS T12). And once
 * the role volume, which reads it from the chain, has opened the app's volume,
 * this VM has to do with no other app: the contract never changes the appId.
 */
enum dstack_status
keyd_app_ok(const struct keyd *k, const uint8_t app[static 32], struct why *why)
{
	if (ct_is_zero(app, 32))
		return keyd_no(why, "appId 0 is no app");
	if (!ct_is_zero(k->app, sizeof(k->app)) &&
	    memcmp(app, k->app, sizeof(k->app)) != 0)
		return keyd_no(why, "that is not the app of this network");
	return DSTACK_OK;
}

static enum dstack_status
app_tag_get(
    const struct keyd *k, struct rd *r, struct app_tag *a, struct why *why)
{
	if (rd_copy(r, a->app, sizeof(a->app)) != DSTACK_OK ||
	    rd_text(r, a->tag, sizeof(a->tag)) != DSTACK_OK)
		return keyd_no(why, "the request is no appId and tag");
	if (!keytree_own_ok(a->tag))
		return keyd_no(why, "the tag is not 1 to 64 of [A-Za-z0-9._-]");
	return keyd_app_ok(k, a->app, why);
}

/*
 * Derived below the app's own subtree: the tag chooses among this app's keys
 * only.
 */
enum dstack_status
keyd_getkey(struct keyd *k, struct rd *body, struct wr *out, struct why *why)
{
	struct app_tag a;
	AUTO_KEYTREE struct keytree app = { { { 0 } } };
	AUTO_WIPE32 struct secret32 key = { { 0 } };
	enum dstack_status st = app_tag_get(k, body, &a, why);
	if (st != DSTACK_OK)
		return st;
	if (rd_end(body) != DSTACK_OK)
		return keyd_no(why, "a GETKEY is appId and tag");
	st = keytree_app(&k->tree, a.app, &app);
	if (st == DSTACK_OK)
		st = keytree_getkey(&app, a.tag, &key);
	if (st == DSTACK_OK)
		wr_put(out, key.b, sizeof(key.b));
	return st;
}

/* appData || signature of the network over it. */
static enum dstack_status
attest(const struct keyd *k, const uint8_t app[static 32], const char *tag,
    const void *data, size_t len, struct wr *out, struct why *why)
{
	uint8_t app_data[32];
	uint8_t digest[32];
	stmt_app_data(&k->domain, app, k->epoch, tag, data, len, app_data);
	stmt_attest_digest(app_data, digest);
	wr_put(out, app_data, sizeof(app_data));
	return keyd_sign(&k->net_sign, digest, out, why);
}

enum dstack_status
keyd_attest(struct keyd *k, struct rd *body, struct wr *out, struct why *why)
{
	struct app_tag a;
	const uint8_t *data;
	size_t len;
	enum dstack_status st = app_tag_get(k, body, &a, why);
	if (st != DSTACK_OK)
		return st;
	if (rd_blob(body, IPC_MAX, &data, &len) != DSTACK_OK ||
	    rd_end(body) != DSTACK_OK)
		return keyd_no(why, "an ATTEST is appId, tag and data");
	return attest(k, a.app, a.tag, data, len, out, why);
}

enum dstack_status
keyd_heartbeat(
    struct keyd *k, struct rd *body, struct wr *out, struct why *why)
{
	struct stmt_heartbeat s;
	uint8_t digest[32];
	if (stmt_heartbeat_get(body, &s) != DSTACK_OK ||
	    rd_end(body) != DSTACK_OK)
		return keyd_no(why, "a Heartbeat is four fields, 68 bytes");
	/*
	 * A heartbeat says that this very guest is alive; nobody can be kept
	 * alive by proxy.
	 */
	if (memcmp(s.node, k->node, sizeof(s.node)) != 0)
		return keyd_no(why, "Heartbeat names another node");
	if (s.epoch != k->epoch)
		return keyd_no(why, "Heartbeat names another epoch");
	stmt_heartbeat_digest(&s, &k->domain, digest);
	return keyd_sign(&k->net_sign, digest, out, why);
}

enum dstack_status
keyd_public(struct keyd *k, struct rd *body, struct wr *out, struct why *why)
{
	if (rd_end(body) != DSTACK_OK)
		return keyd_no(why, "a PUBLIC is empty");
	wr_u64be(out, k->epoch);
	wr_put(out, k->xpub, sizeof(k->xpub));
	wr_put(out, k->seed_commit, sizeof(k->seed_commit));
	wr_put(out, k->node, sizeof(k->node));
	return DSTACK_OK;
}

enum dstack_status
keyd_tls_key(struct keyd *k, struct rd *body, struct wr *out, struct why *why)
{
	AUTO_WIPE32 struct secret32 key = { { 0 } };
	/*
	 * The scalar itself leaves keyd: the TLS front has to hold it to speak
	 * TLS. No other key can be computed from it.
	 */
	if (rd_end(body) != DSTACK_OK)
		return keyd_no(why, "a TLS_KEY is empty");
	enum dstack_status st = keytree_tls(&k->tree, k->tls_domain, &key);
	if (st == DSTACK_OK)
		wr_put(out, key.b, sizeof(key.b));
	return st;
}

static enum dstack_status
tls_key(const struct keyd *k, EVP_PKEY **out)
{
	AUTO_WIPE32 struct secret32 key = { { 0 } };
	enum dstack_status st = keytree_tls(&k->tree, k->tls_domain, &key);
	return st == DSTACK_OK ? cert_key(&key, out) : st;
}

static enum dstack_status
tls_point(const struct keyd *k, uint8_t point[static 65])
{
	EVP_PKEY *pkey = NULL;
	enum dstack_status st = tls_key(k, &pkey);
	if (st == DSTACK_OK)
		st = cert_point(pkey, point);
	EVP_PKEY_free(pkey);
	return st;
}

/* appId 0, which no app can have: the statement is the system's own. */
static const uint8_t system_app[32] = { 0 };

/*
 * The point of the front's key, and what TLS_ATTEST gives: for an app that
 * wants to know its like on other nodes. The scalar is for the front alone.
 */
enum dstack_status
keyd_front(struct keyd *k, struct rd *body, struct wr *out, struct why *why)
{
	uint8_t point[65];
	if (rd_end(body) != DSTACK_OK)
		return keyd_no(why, "a FRONT is empty");
	enum dstack_status st = tls_point(k, point);
	if (st != DSTACK_OK)
		return st;
	wr_put(out, point, sizeof(point));
	return attest(k, system_app, TAG_TLS, point, sizeof(point), out, why);
}

enum dstack_status
keyd_tls_attest(
    struct keyd *k, struct rd *body, struct wr *out, struct why *why)
{
	uint8_t point[65];
	if (rd_end(body) != DSTACK_OK)
		return keyd_no(why, "a TLS_ATTEST is empty");
	enum dstack_status st = tls_point(k, point);
	if (st != DSTACK_OK)
		return st;
	return attest(k, system_app, TAG_TLS, point, sizeof(point), out, why);
}

enum dstack_status
keyd_tls_bind(struct keyd *k, struct rd *body, struct wr *out, struct why *why)
{
	/*
	 * Role and key are filled in here, so the front can bind its own
	 * sessions and nobody else's.
	 */
	struct stmt_tls_bind s = { .role = TLS_BIND_FRONT, .epoch = k->epoch };
	EVP_PKEY *pkey = NULL;
	uint8_t digest[32];
	if (rd_copy(body, s.nonce, sizeof(s.nonce)) != DSTACK_OK ||
	    rd_copy(body, s.exporter, sizeof(s.exporter)) != DSTACK_OK ||
	    rd_end(body) != DSTACK_OK)
		return keyd_no(why, "a TLS_BIND is nonce and exporter");
	enum dstack_status st = tls_key(k, &pkey);
	if (st == DSTACK_OK)
		st = cert_spki_hash(pkey, s.spki_hash);
	EVP_PKEY_free(pkey);
	if (st != DSTACK_OK)
		return st;
	stmt_tls_bind_digest(&s, &k->domain, digest);
	wr_u64be(out, s.epoch);
	return keyd_sign(&k->net_sign, digest, out, why);
}

enum dstack_status
keyd_volume_keys(
    struct keyd *k, struct rd *body, struct wr *out, struct why *why)
{
	uint8_t app[32];
	uint8_t uuid[16];
	AUTO_WIPE64 struct secret64 xts = { { 0 } };
	AUTO_WIPE32 struct secret32 mac = { { 0 } };
	AUTO_WIPE32 struct secret32 hdr = { { 0 } };
	if (rd_copy(body, app, sizeof(app)) != DSTACK_OK ||
	    rd_copy(body, uuid, sizeof(uuid)) != DSTACK_OK ||
	    rd_end(body) != DSTACK_OK)
		return keyd_no(why, "a VOLUME_KEYS is appId and uuid");
	enum dstack_status st = keyd_app_ok(k, app, why);
	if (st == DSTACK_OK)
		st = keytree_volume(&k->tree, app, uuid, &xts, &mac, &hdr);
	if (st != DSTACK_OK)
		return st;
	/* From here on this VM is of one app (app_ok). */
	memcpy(k->app, app, sizeof(k->app));
	wr_put(out, xts.b, sizeof(xts.b));
	wr_put(out, mac.b, sizeof(mac.b));
	wr_put(out, hdr.b, sizeof(hdr.b));
	return DSTACK_OK;
}

/* Is the volume's owner the account, or did it sign for the account? */
static bool
owner_agrees(const struct keyd *k, const uint8_t owner[static 20],
    uint64_t index, const uint8_t sig[static SECP_SIG_LEN])
{
	uint8_t digest[32];
	uint8_t signer[20];
	if (memcmp(owner, k->submitter, 20) == 0)
		return true;
	volume_owner_digest(k->domain.chain_id, k->domain.contract,
	    k->submitter, owner, index, digest);
	return secp_recover(digest, sig, signer) == DSTACK_OK &&
	    memcmp(signer, owner, 20) == 0;
}

enum dstack_status
keyd_sign_anchor(
    struct keyd *k, struct rd *body, struct wr *out, struct why *why)
{
	struct stmt_volume_anchor s;
	uint8_t app[32];
	uint64_t index;
	uint8_t owner[20];
	uint8_t owner_sig[SECP_SIG_LEN];
	uint8_t id[32];
	uint8_t digest[32];
	if (stmt_volume_anchor_get(body, &s) != DSTACK_OK ||
	    rd_copy(body, app, sizeof(app)) != DSTACK_OK ||
	    rd_u64be(body, &index) != DSTACK_OK ||
	    rd_copy(body, owner, sizeof(owner)) != DSTACK_OK ||
	    rd_copy(body, owner_sig, sizeof(owner_sig)) != DSTACK_OK ||
	    rd_end(body) != DSTACK_OK)
		return keyd_no(why, "a volume anchor is six fields, "
				    "120 bytes, then appId, index, owner and "
				    "the owner's signature");
	enum dstack_status st = keyd_app_ok(k, app, why);
	if (st != DSTACK_OK)
		return st;
	/*
	 * The contract took this node's request from that account alone, so
	 * no host can have the volume of another's node anchored as its own:
	 * it is the account's, or of a key that gave it to the account.
	 */
	if (ct_is_zero(k->submitter, sizeof(k->submitter)) ||
	    !owner_agrees(k, owner, index, owner_sig))
		return keyd_no(why, "the volume is not of the account that "
				    "this node joined with");
	volume_id(app, owner, index, id);
	if (memcmp(s.volume_id, id, sizeof(id)) != 0)
		return keyd_no(why, "the volume is not of the account that "
				    "this node joined with");
	if (s.epoch != k->epoch)
		return keyd_no(why, "the volume anchor names another epoch");
	stmt_volume_anchor_digest(&s, &k->domain, digest);
	return keyd_sign(&k->net_sign, digest, out, why);
}
