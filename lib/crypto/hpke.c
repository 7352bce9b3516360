/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HPKE of RFC 9180, base mode, for one message: X25519 and HKDF-SHA256 as KEM,
 * HKDF-SHA256, ChaCha20-Poly1305. The secret of the network travels to a
 * newcomer through this and nothing else.
 *
 * Sealing: an ephemeral key (drawn by the caller, since lib/ draws nothing) and
 * the newcomer's public key give the DH value; KEM and key schedule make key
 * and nonce out of it; the message is number 0 and there is no other, so the
 * nonce is never used twice under a key. Opening goes the same way from the
 * other side. Anything that does not open, for whatever reason, is one answer,
 * DSTACK_E_REJECTED, and leaves no plaintext behind. Each step that holds key
 * material wipes it on every way out.
 */
#include "crypto/hpke.h"

#include <limits.h>
#include <stdbool.h>
#include <string.h>

#include <openssl/evp.h>

#include "base/rd.h"
#include "base/wr.h"
#include "crypto/hash.h"

#define TAG_LEN 16
#define NONCE_LEN 12
#define MODE_BASE 0x00

/*
 * "KEM" || kem_id, and "HPKE" || kem_id || kdf_id || aead_id.
 * Ids of section 7: 0x0020 DHKEM(X25519), 0x0001 HKDF-SHA256, 0x0003
 * ChaCha20Poly1305.
 */
static const char kem_suite[5] = { 'K', 'E', 'M', 0x00, 0x20 };
static const char hpke_suite[10] = { 'H', 'P', 'K', 'E', 0x00, 0x20, 0x00,
	0x01, 0x00, 0x03 };

struct suite {
	const char *id;
	size_t n;
};
static const struct suite kem = { kem_suite, sizeof(kem_suite) };
static const struct suite hpke = { hpke_suite, sizeof(hpke_suite) };

static enum dstack_status
labeled_extract(const struct suite *s, const void *salt, size_t saltlen,
    const char *label, const void *ikm, size_t ikmlen, struct secret32 *prk)
{
	AUTO_WR struct wr w = wr_new(0);
	wr_str(&w, "HPKE-v1");
	wr_put(&w, s->id, s->n);
	wr_str(&w, label);
	wr_put(&w, ikm, ikmlen);
	enum dstack_status st = wr_status(&w);
	if (st == DSTACK_OK)
		hkdf_extract(salt, saltlen, w.buf, w.len, prk->b);
	return st;
}

static enum dstack_status
labeled_expand(const struct suite *s, const struct secret32 *prk,
    const char *label, const void *info, size_t infolen, void *out, size_t n)
{
	AUTO_WR struct wr w = wr_new(0);
	wr_u16be(&w, (uint16_t)n);
	wr_str(&w, "HPKE-v1");
	wr_put(&w, s->id, s->n);
	wr_str(&w, label);
	wr_put(&w, info, infolen);
	enum dstack_status st = wr_status(&w);
	if (st == DSTACK_OK)
		st = hkdf_expand(prk->b, w.buf, w.len, out, n);
	return st;
}

static EVP_PKEY *
private_key(const struct secret32 *key)
{
	return EVP_PKEY_new_raw_private_key(
	    EVP_PKEY_X25519, NULL, key->b, sizeof(key->b));
}

enum dstack_status
x25519_public(const struct secret32 *key, uint8_t pub[static 32])
{
	uint8_t b[32];
	size_t n = sizeof(b);
	EVP_PKEY *k = private_key(key);
	if (k == NULL)
		return DSTACK_E_NOMEM;
	int ok = EVP_PKEY_get_raw_public_key(k, b, &n);
	EVP_PKEY_free(k);
	if (ok != 1 || n != sizeof(b))
		return DSTACK_E_NOMEM;
	memcpy(pub, b, sizeof(b));
	return DSTACK_OK;
}

/* The X25519 secret; DSTACK_E_REJECTED where the peer forces it to zero. */
static enum dstack_status
x25519(const struct secret32 *key, const uint8_t peer[static 32],
    struct secret32 *out)
{
	size_t n = sizeof(out->b);
	EVP_PKEY *mine = private_key(key);
	EVP_PKEY *theirs =
	    EVP_PKEY_new_raw_public_key(EVP_PKEY_X25519, NULL, peer, 32);
	EVP_PKEY_CTX *c = mine != NULL ? EVP_PKEY_CTX_new(mine, NULL) : NULL;
	enum dstack_status st = DSTACK_E_NOMEM;
	if (c != NULL && theirs != NULL && EVP_PKEY_derive_init(c) == 1) {
		/* the derivation itself fails on an all-zero secret */
		if (EVP_PKEY_derive_set_peer(c, theirs) == 1 &&
		    EVP_PKEY_derive(c, out->b, &n) == 1 &&
		    n == sizeof(out->b) && !ct_is_zero(out->b, n))
			st = DSTACK_OK;
		else
			st = DSTACK_E_REJECTED;
	}
	EVP_PKEY_CTX_free(c);
	EVP_PKEY_free(theirs);
	EVP_PKEY_free(mine);
	return st;
}

struct schedule {
	struct secret32 key;
	uint8_t nonce[NONCE_LEN];
};

static void
schedule_wipe(struct schedule *s)
{
	explicit_bzero(s, sizeof(*s));
}
#define AUTO_SCHEDULE OWN_CLEANUP(schedule_wipe)

/* ExtractAndExpand of the KEM, then KeySchedule of base mode (section 5.1). */
static enum dstack_status
schedule(const struct secret32 *dh, const uint8_t enc[static 32],
    const uint8_t pub[static 32], const void *info, size_t infolen,
    struct schedule *out)
{
	AUTO_WIPE32 struct secret32 prk = { { 0 } };
	AUTO_WIPE32 struct secret32 shared = { { 0 } };
	struct secret32 id_hash;
	struct secret32 info_hash;
	/*
	 * Both public keys go into the shared secret: an answer to one newcomer
	 * opens nothing at another.
	 */
	uint8_t kem_context[64];
	uint8_t context[1 + 32 + 32] = { MODE_BASE };
	memcpy(kem_context, enc, 32);
	memcpy(kem_context + 32, pub, 32);
	enum dstack_status st = labeled_extract(
	    &kem, NULL, 0, "eae_prk", dh->b, sizeof(dh->b), &prk);
	if (st == DSTACK_OK)
		st = labeled_expand(&kem, &prk, "shared_secret", kem_context,
		    sizeof(kem_context), shared.b, sizeof(shared.b));
	if (st == DSTACK_OK)
		st = labeled_extract(
		    &hpke, NULL, 0, "psk_id_hash", NULL, 0, &id_hash);
	if (st == DSTACK_OK)
		st = labeled_extract(
		    &hpke, NULL, 0, "info_hash", info, infolen, &info_hash);
	if (st == DSTACK_OK)
		st = labeled_extract(&hpke, shared.b, sizeof(shared.b),
		    "secret", NULL, 0, &prk);
	if (st != DSTACK_OK)
		return st;
	memcpy(context + 1, id_hash.b, 32);
	memcpy(context + 33, info_hash.b, 32);
	st = labeled_expand(&hpke, &prk, "key", context, sizeof(context),
	    out->key.b, sizeof(out->key.b));
	if (st == DSTACK_OK)
		st = labeled_expand(&hpke, &prk, "base_nonce", context,
		    sizeof(context), out->nonce, sizeof(out->nonce));
	return st;
}

/*
 * ChaCha20-Poly1305 with the schedule's key and its nonce for message 0.
 * Sealing writes tag, opening reads it.
 */
static enum dstack_status
aead(bool seal, const struct schedule *s, const void *aad, size_t aadlen,
    const uint8_t *in, size_t n, uint8_t *out, uint8_t tag[static TAG_LEN])
{
	uint8_t none[1];
	int len = 0;
	/* OpenSSL's lengths are ints. */
	if (n > INT_MAX || aadlen > INT_MAX)
		return DSTACK_E_LIMIT;
	EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
	if (c == NULL)
		return DSTACK_E_NOMEM;
	bool ok = EVP_CipherInit_ex(c, EVP_chacha20_poly1305(), NULL,
	              s->key.b, s->nonce, seal ? 1 : 0) == 1;
	if (ok && !seal)
		ok = EVP_CIPHER_CTX_ctrl(
		         c, EVP_CTRL_AEAD_SET_TAG, TAG_LEN, tag) == 1;
	if (ok && aadlen != 0)
		ok = EVP_CipherUpdate(c, NULL, &len, aad, (int)aadlen) == 1;
	if (ok && n != 0)
		ok = EVP_CipherUpdate(c, out, &len, in, (int)n) == 1 &&
		    (size_t)len == n;
	if (ok)
		ok = EVP_CipherFinal_ex(c, none, &len) == 1 && len == 0;
	if (ok && seal)
		ok = EVP_CIPHER_CTX_ctrl(
		         c, EVP_CTRL_AEAD_GET_TAG, TAG_LEN, tag) == 1;
	EVP_CIPHER_CTX_free(c);
	if (ok)
		return DSTACK_OK;
	if (n != 0)
		/*
		 * Decrypted before the tag was judged; nobody may read it now.
		 */
		explicit_bzero(out, n);
	return DSTACK_E_REJECTED;
}

enum dstack_status
hpke_seal(const uint8_t pub[static 32], const struct secret32 *ephemeral,
    const void *info, size_t infolen, const void *aad, size_t aadlen,
    const void *pt, size_t ptlen, void *out)
{
	AUTO_WIPE32 struct secret32 dh = { { 0 } };
	AUTO_SCHEDULE struct schedule s = { { { 0 } }, { 0 } };
	uint8_t enc[32];
	uint8_t *to = out;
	enum dstack_status st = x25519_public(ephemeral, enc);
	if (st == DSTACK_OK)
		st = x25519(ephemeral, pub, &dh);
	if (st == DSTACK_OK)
		st = schedule(&dh, enc, pub, info, infolen, &s);
	if (st == DSTACK_OK)
		st = aead(true, &s, aad, aadlen, pt, ptlen, to + 32,
		    to + 32 + ptlen);
	if (st == DSTACK_OK)
		memcpy(to, enc, 32);
	return st;
}

enum dstack_status
hpke_open(const struct secret32 *key, const void *info, size_t infolen,
    const void *aad, size_t aadlen, const void *ct, size_t ctlen, void *out)
{
	AUTO_WIPE32 struct secret32 dh = { { 0 } };
	AUTO_SCHEDULE struct schedule s = { { { 0 } }, { 0 } };
	uint8_t pub[32];
	uint8_t tag[TAG_LEN];
	const uint8_t *enc;
	const uint8_t *body;
	struct rd r = rd_over(ct, ctlen);
	/* Shorter than encapsulated key and tag: nothing to open. */
	if (ctlen < HPKE_OVERHEAD)
		return DSTACK_E_REJECTED;
	size_t n = ctlen - HPKE_OVERHEAD;
	if (rd_take(&r, 32, &enc) != DSTACK_OK ||
	    rd_take(&r, n, &body) != DSTACK_OK ||
	    rd_copy(&r, tag, sizeof(tag)) != DSTACK_OK)
		return DSTACK_E_REJECTED;
	enum dstack_status st = x25519_public(key, pub);
	if (st == DSTACK_OK)
		st = x25519(key, enc, &dh);
	if (st == DSTACK_OK)
		st = schedule(&dh, enc, pub, info, infolen, &s);
	if (st == DSTACK_OK)
		st = aead(false, &s, aad, aadlen, body, n, out, tag);
	return st;
}
