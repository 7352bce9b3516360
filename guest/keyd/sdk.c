/* SPDX-License-Identifier: Apache-2.0 */
/*
 * keyd's ops 30 and up: keys in the SDK's form. guest-service names the app
 * by the listener it was asked at; the app names path and purpose, and both
 * are judged before anything is derived. All keys lie below the app's own
 * subtree, so that no path, however it is written, reaches another's.
 *
 * With each key goes a chain of two signatures that says whose it is: the
 * app's root key signs purpose and public key, the epoch's key signs app and
 * root key. A verifier recovers both and compares the last signer with
 * xPub[epoch] in the contract. The v of these is 0 or 1, as the SDK has it,
 * where all other signatures here have 27 or 28.
 */
#include "guest/keyd/keyd.h"

#include <string.h>

#include <openssl/evp.h>

#include "crypto/ed25519.h"
#include "crypto/hash.h"
#include "crypto/secp.h"
#include "guest/base/ipc.h"
#include "guest/tls/cert.h"
#include "protocol/sdk.h"
#include "protocol/statements.h"

_Static_assert(STMT_SDK_PURPOSE_MAX == SDK_MAX_TEXT, "one bound of purposes");

/* Sign does not let the caller choose: these are the SDK's own names. */
#define SIGN_PATH "vms"
#define SIGN_PURPOSE "signing"

struct key {
	enum sdk_alg alg;
	struct secret32 secret;
	uint8_t pub[65]; /* 32 bytes Ed25519, 33 secp256k1, 65 P-256 */
	size_t n;
};

static void
key_wipe(struct key *k)
{
	explicit_bzero(k, sizeof(*k));
}
#define AUTO_SDK_KEY OWN_CLEANUP(key_wipe)

static enum dstack_status
p256_point(const struct secret32 *scalar, uint8_t out[static 65])
{
	EVP_PKEY *pkey = NULL;
	enum dstack_status st = cert_key(scalar, &pkey);
	if (st == DSTACK_OK)
		st = cert_point(pkey, out);
	EVP_PKEY_free(pkey);
	return st;
}

/* The kind chooses the label, so that one path has keys of each kind. */
static enum dstack_status
derive(const struct keytree *app, uint8_t alg, const char *path,
    const char *purpose, struct key *k, struct why *why)
{
	enum dstack_status st;
	switch (alg) {
	case SDK_SECP256K1:
	case SDK_SECP256K1_PREHASHED: /* another way to sign, not another key */
		k->alg = SDK_SECP256K1;
		k->n = 33;
		st = keytree_sdk_secp(app, path, purpose, &k->secret);
		return st != DSTACK_OK ? st : secp_compressed(&k->secret, k->pub);
	case SDK_ED25519:
		k->alg = SDK_ED25519;
		k->n = 32;
		st = keytree_sdk_ed25519(app, path, purpose, &k->secret);
		return st != DSTACK_OK ? st : ed25519_public(&k->secret, k->pub);
	case SDK_P256:
		k->alg = SDK_P256;
		k->n = 65;
		st = keytree_sdk_p256(app, path, purpose, &k->secret);
		return st != DSTACK_OK ? st : p256_point(&k->secret, k->pub);
	default:
		return keyd_no(why, "no such kind of key");
	}
}

/* Append a signature whose v is 0 or 1. */
static enum dstack_status
sign01(const struct secret32 *key, const uint8_t digest[static 32],
    struct wr *out, struct why *why)
{
	AUTO_WR struct wr sig = wr_new(0);
	enum dstack_status st = keyd_sign(key, digest, &sig, why);
	if (st == DSTACK_OK)
		st = wr_status(&sig);
	if (st != DSTACK_OK)
		return st;
	wr_put(out, sig.buf, 64);
	wr_u8(out, (uint8_t)(sig.buf[64] - 27));
	return DSTACK_OK;
}

/* Both links, 130 bytes. */
static enum dstack_status
chain(const struct keyd *k, const struct keytree *app,
    const uint8_t app_id[static 32], const char *purpose,
    const struct key *key, struct wr *out, struct why *why)
{
	AUTO_WIPE32 struct secret32 root = { { 0 } };
	uint8_t pub[33];
	uint8_t digest[32];
	enum dstack_status st =
	    keytree_app_sign(app, STMT_SDK_ROOT, &root, NULL);
	if (st == DSTACK_OK)
		st = secp_compressed(&root, pub);
	if (st != DSTACK_OK)
		return st;
	stmt_sdk_key_digest(purpose, key->pub, key->n, digest);
	st = sign01(&root, digest, out, why);
	if (st != DSTACK_OK)
		return st;
	stmt_sdk_root_digest(app_id, pub, digest);
	return sign01(&k->net_sign, digest, out, why);
}

/*
 * appId32 || u8 alg || text path || text purpose -> key32 || blob public key
 * || signature65 || signature65; P-256 keys, of DeriveKey, have no chain.
 */
enum dstack_status
keyd_sdk_key(struct keyd *k, struct rd *body, struct wr *out, struct why *why)
{
	AUTO_KEYTREE struct keytree app = { { { 0 } } };
	AUTO_SDK_KEY struct key key = { .n = 0 };
	uint8_t id[32];
	uint8_t alg;
	char path[SDK_MAX_TEXT + 1];
	char purpose[SDK_MAX_TEXT + 1];
	if (rd_copy(body, id, sizeof(id)) != DSTACK_OK ||
	    rd_u8(body, &alg) != DSTACK_OK ||
	    rd_text(body, path, sizeof(path)) != DSTACK_OK ||
	    rd_text(body, purpose, sizeof(purpose)) != DSTACK_OK ||
	    rd_end(body) != DSTACK_OK)
		return keyd_no(why, "an SDK_KEY is appId, alg, path, purpose");
	enum dstack_status st = keyd_app_ok(k, id, why);
	if (st == DSTACK_OK)
		st = keytree_app(&k->tree, id, &app);
	if (st == DSTACK_OK)
		st = derive(&app, alg, path, purpose, &key, why);
	if (st != DSTACK_OK)
		return st;
	wr_put(out, key.secret.b, sizeof(key.secret.b));
	wr_blob(out, key.pub, key.n);
	if (key.alg == SDK_P256)
		return DSTACK_OK;
	return chain(k, &app, id, purpose, &key, out, why);
}

static enum dstack_status
sign(const struct key *key, uint8_t alg, const uint8_t *data, size_t n,
    struct wr *out, struct why *why)
{
	uint8_t digest[32];
	uint8_t ed[ED25519_SIG_LEN];
	AUTO_WR struct wr sig = wr_new(0);
	enum dstack_status st;
	if (key->alg == SDK_ED25519) {
		st = ed25519_sign(&key->secret, data, n, ed);
		if (st == DSTACK_OK)
			wr_blob(out, ed, sizeof(ed));
		return st;
	}
	if (alg == SDK_SECP256K1_PREHASHED) {
		/* The app holds the key and may sign what it likes by it. */
		if (n != sizeof(digest))
			return keyd_no(why,
			    "secp256k1_prehashed signs a digest of 32 bytes");
		memcpy(digest, data, sizeof(digest));
	} else {
		sha256(data, n, digest);
	}
	st = keyd_sign(&key->secret, digest, &sig, why);
	if (st == DSTACK_OK)
		st = wr_status(&sig);
	if (st == DSTACK_OK)
		wr_blob(out, sig.buf, 64); /* r || s */
	return st;
}

/*
 * appId32 || u8 alg || blob data -> blob signature || blob public key ||
 * signature65 || signature65.
 */
enum dstack_status
keyd_sdk_sign(struct keyd *k, struct rd *body, struct wr *out, struct why *why)
{
	AUTO_KEYTREE struct keytree app = { { { 0 } } };
	AUTO_SDK_KEY struct key key = { .n = 0 };
	uint8_t id[32];
	uint8_t alg;
	const uint8_t *data;
	size_t n;
	if (rd_copy(body, id, sizeof(id)) != DSTACK_OK ||
	    rd_u8(body, &alg) != DSTACK_OK ||
	    rd_blob(body, SDK_MAX_DATA, &data, &n) != DSTACK_OK ||
	    rd_end(body) != DSTACK_OK)
		return keyd_no(why, "an SDK_SIGN is appId, alg and data");
	if (alg == SDK_P256)
		return keyd_no(why, "no such kind of signature");
	enum dstack_status st = keyd_app_ok(k, id, why);
	if (st == DSTACK_OK)
		st = keytree_app(&k->tree, id, &app);
	if (st == DSTACK_OK)
		st = derive(&app, alg, SIGN_PATH, SIGN_PURPOSE, &key, why);
	if (st == DSTACK_OK)
		st = sign(&key, alg, data, n, out, why);
	if (st != DSTACK_OK)
		return st;
	wr_blob(out, key.pub, key.n);
	return chain(k, &app, id, SIGN_PURPOSE, &key, out, why);
}
