/* SPDX-License-Identifier: Apache-2.0 */
/*
 * keyd's ops 32 and 33: the app's certificate authority. Its key is derived
 * below the app's subtree and never leaves; guest-service hands over the
 * fields of a certificate, among them the public key that it is for, and gets
 * the signed leaf and the authority's own certificate.
 *
 * What a leaf says of a quote is not keyd's word: the quote names the key by
 * itself, and whoever relies on it checks that.
 */
#include "guest/keyd/keyd.h"

#include <string.h>

#include <openssl/evp.h>

#include "guest/base/ipc.h"
#include "guest/keyd/issue.h"
#include "guest/tls/cert.h"

struct authority {
	EVP_PKEY *key;
	X509 *cert;
};

static void
authority_free(struct authority *a)
{
	EVP_PKEY_free(a->key);
	X509_free(a->cert);
}
#define AUTO_AUTHORITY OWN_CLEANUP(authority_free)

/* Made anew for each answer: the key is nowhere while nobody asks. */
static enum dstack_status
authority(const struct keyd *k, const uint8_t id[static 32],
    struct authority *a, struct why *why)
{
	AUTO_KEYTREE struct keytree app = { { { 0 } } };
	AUTO_WIPE32 struct secret32 scalar = { { 0 } };
	AUTO_WIPE32 struct secret32 serial = { { 0 } };
	enum dstack_status st = keyd_app_ok(k, id, why);
	if (st == DSTACK_OK)
		st = keytree_app(&k->tree, id, &app);
	if (st == DSTACK_OK)
		st = keytree_app_ca(&app, &scalar);
	if (st == DSTACK_OK)
		st = cert_key(&scalar, &a->key);
	if (st == DSTACK_OK)
		st = keyd_random(&serial, why);
	return st == DSTACK_OK ? issue_ca(a->key, id, serial.b, &a->cert) : st;
}

static enum dstack_status
put_der(struct wr *out, X509 *x)
{
	unsigned char *der = NULL;
	const int n = i2d_X509(x, &der);
	if (n <= 0)
		return DSTACK_E_NOMEM;
	wr_blob(out, der, (size_t)n);
	OPENSSL_free(der);
	return DSTACK_OK;
}

/* appId32 -> blob certificate (DER) */
enum dstack_status
keyd_sdk_ca(struct keyd *k, struct rd *body, struct wr *out, struct why *why)
{
	AUTO_AUTHORITY struct authority a = { NULL, NULL };
	uint8_t id[32];
	if (rd_copy(body, id, sizeof(id)) != DSTACK_OK ||
	    rd_end(body) != DSTACK_OK)
		return keyd_no(why, "an SDK_CA is appId");
	enum dstack_status st = authority(k, id, &a, why);
	return st == DSTACK_OK ? put_der(out, a.cert) : st;
}

static enum dstack_status
fields(struct rd *r, struct issue_leaf *f)
{
	uint8_t flags = 0;
	uint8_t n = 0;
	enum dstack_status st = rd_copy(r, f->app_id, sizeof(f->app_id));
	if (st == DSTACK_OK)
		st = rd_text(r, f->subject, sizeof(f->subject));
	if (st == DSTACK_OK)
		st = rd_u8(r, &n);
	if (st == DSTACK_OK && n > SDK_MAX_NAMES)
		st = DSTACK_E_LIMIT;
	for (; st == DSTACK_OK && f->nalt < n; f->nalt++)
		st = rd_text(r, f->alt[f->nalt], sizeof(f->alt[0]));
	if (st == DSTACK_OK)
		st = rd_u8(r, &flags);
	if (st == DSTACK_OK)
		st = rd_u64be(r, &f->not_before);
	if (st == DSTACK_OK)
		st = rd_u64be(r, &f->not_after);
	if (st == DSTACK_OK)
		st = rd_blob(r, 256, &f->spki, &f->spki_len);
	if (st == DSTACK_OK)
		st = rd_blob(r, IPC_MAX, &f->quote, &f->quote_len);
	if (st == DSTACK_OK)
		st = rd_blob(r, IPC_MAX, &f->log, &f->log_len);
	f->server = (flags & KEYD_CERT_SERVER) != 0;
	f->client = (flags & KEYD_CERT_CLIENT) != 0;
	f->app = (flags & KEYD_CERT_APP) != 0;
	if (st == DSTACK_OK && flags > (KEYD_CERT_SERVER | KEYD_CERT_CLIENT |
				   KEYD_CERT_APP))
		st = DSTACK_E_FORMAT;
	return st == DSTACK_OK ? rd_end(r) : st;
}

/*
 * appId32 || text subject || u8 n || n times text name || u8 flags || u64 not
 * before || u64 not after || blob SPKI || blob quote || blob log -> blob leaf
 * || blob authority (DER). A leaf without quote has both blobs empty.
 */
enum dstack_status
keyd_sdk_cert(struct keyd *k, struct rd *body, struct wr *out, struct why *why)
{
	AUTO_AUTHORITY struct authority a = { NULL, NULL };
	AUTO_WIPE32 struct secret32 serial = { { 0 } };
	struct issue_leaf f = { .nalt = 0 };
	X509 *leaf = NULL;
	if (fields(body, &f) != DSTACK_OK)
		return keyd_no(why, "an SDK_CERT is the fields of a leaf");
	enum dstack_status st = authority(k, f.app_id, &a, why);
	if (st == DSTACK_OK)
		st = keyd_random(&serial, why);
	if (st == DSTACK_OK)
		st = issue_leaf(&f, a.key, a.cert, serial.b, &leaf, why);
	if (st != DSTACK_OK)
		return st;
	st = put_der(out, leaf);
	X509_free(leaf);
	return st == DSTACK_OK ? put_der(out, a.cert) : st;
}
