/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keys with certificates, for GetTlsKey and the older DeriveKey. A key is made
 * here, or derived by its path where the older call asks so; where a quote is
 * to be in the certificate, one is taken whose report_data names the key; and
 * keyd builds and signs the certificate from the fields.
 *
 * Times are the chain's: a certificate holds from a day before the newest
 * header that this role has proven, for ten years as the SDK's guests do it,
 * unless the app says otherwise. The private key leaves as PKCS#8 and is
 * wiped in here.
 */
#include "guest/service/sdk.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/pem.h>

#include "base/own.h"
#include "base/rd.h"
#include "crypto/ratls.h"
#include "guest/base/ipc.h"
#include "guest/base/role.h"
#include "guest/keyd/keyd.h"
#include "guest/tls/cert.h"

#define DAY 86400u
#define YEARS (10u * 365 * DAY)
#define MAX_CERT (160u * 1024) /* bytes of one in DER, with its quote */

static void
own_pkey(EVP_PKEY **k)
{
	EVP_PKEY_free(*k);
}
static void
own_bio(BIO **b)
{
	BIO_free(*b); /* which clears what it held */
}

/* The key of DeriveKey: P-256 by the path, the same for ever. */
static enum dstack_status
derived(const struct service_app *app, const char *path, EVP_PKEY **out,
    struct why *why)
{
	AUTO_WR struct wr ask = wr_new(0);
	AUTO_WR struct wr a = wr_new(0);
	AUTO_WIPE32 struct secret32 scalar = { { 0 } };
	wr_put(&ask, app->app_id, 32);
	wr_u8(&ask, SDK_P256);
	service_own(app, path, &ask);
	wr_text(&ask, "");
	enum dstack_status st = ipc_call(
	    FD_EDGE + ROLE_KEYD, KEYD_OP_SDK_KEY, &ask, NULL, 0, &a, why);
	if (st != DSTACK_OK)
		return st;
	struct rd r = rd_over(a.buf, a.len);
	if (rd_copy(&r, scalar.b, sizeof(scalar.b)) != DSTACK_OK)
		return why_set(why, DSTACK_E_SYS, "keyd: bad answer");
	return cert_key(&scalar, out);
}

static enum dstack_status
spki(const EVP_PKEY *key, struct wr *out)
{
	unsigned char *der = NULL;
	const int n = i2d_PUBKEY(key, &der);
	if (n <= 0)
		return DSTACK_E_NOMEM;
	wr_blob(out, der, (size_t)n);
	OPENSSL_free(der);
	return DSTACK_OK;
}

/* Both blobs of SDK_CERT that say what the key's machine is; or empty ones. */
static enum dstack_status
evidence(const EVP_PKEY *key, bool wanted, struct wr *out, struct why *why)
{
	AUTO_WR struct wr quote = wr_new(0);
	AUTO_FREE char *log = NULL;
	uint8_t rd[64];
	enum dstack_status st = DSTACK_OK;
	if (!wanted) {
		wr_blob(out, NULL, 0);
		wr_blob(out, NULL, 0);
		return DSTACK_OK;
	}
	st = ratls_report_data(key, rd);
	if (st == DSTACK_OK)
		st = sdk_quote_and_log(rd, &quote, &log, why);
	if (st != DSTACK_OK)
		return st;
	wr_blob(out, quote.buf, quote.len);
	wr_blob(out, log, strlen(log));
	return DSTACK_OK;
}

/*
 * The defaults are filled in here; whether names and dates are such as a
 * certificate can have, keyd judges, which signs them.
 */
static enum dstack_status
fields(const struct service_app *app, const struct sdk_request *q,
    const EVP_PKEY *key, struct wr *ask, struct why *why)
{
	const uint64_t now = app->service->chain_time;
	const uint64_t from = q->not_before != 0 ? q->not_before : now - DAY;
	unsigned flags = 0;
	if (now == 0)
		return why_set(why, DSTACK_E_BUSY, "no proven header yet");
	if (q->server_auth)
		flags |= KEYD_CERT_SERVER;
	if (q->client_auth)
		flags |= KEYD_CERT_CLIENT;
	if (q->ra_tls || q->app_info)
		flags |= KEYD_CERT_APP;
	wr_put(ask, app->app_id, 32);
	wr_text(ask, q->subject);
	wr_u8(ask, (uint8_t)q->nalt);
	for (size_t i = 0; i < q->nalt; i++)
		wr_text(ask, q->alt[i]);
	wr_u8(ask, (uint8_t)flags);
	wr_u64be(ask, from);
	wr_u64be(ask, q->not_after != 0 ? q->not_after : from + YEARS);
	enum dstack_status st = spki(key, ask);
	return st == DSTACK_OK ? evidence(key, q->ra_tls, ask, why) : st;
}

/* A PEM text as a JSON text: its only odd character is the line's end. */
static void
put_pem(struct wr *out, BIO *bio)
{
	char *p = NULL;
	const long n = BIO_get_mem_data(bio, &p);
	wr_str(out, "\"");
	for (long i = 0; i < n; i++) {
		if (p[i] == '\n')
			wr_str(out, "\\n");
		else
			wr_put(out, &p[i], 1);
	}
	wr_str(out, "\"");
}

static enum dstack_status
put_cert(struct rd *r, struct wr *out)
{
	const uint8_t *der;
	size_t n;
	if (rd_blob(r, MAX_CERT, &der, &n) != DSTACK_OK)
		return DSTACK_E_SYS;
	OWN_CLEANUP(own_bio) BIO *bio = BIO_new(BIO_s_mem());
	if (bio == NULL ||
	    PEM_write_bio(bio, PEM_STRING_X509, "", der, (long)n) <= 0)
		return DSTACK_E_NOMEM;
	put_pem(out, bio);
	return DSTACK_OK;
}

enum dstack_status
sdk_tls_key(const struct service_app *app, const struct sdk_request *q,
    struct wr *out, struct why *why)
{
	AUTO_WR struct wr ask = wr_new(IPC_MAX - 1);
	AUTO_WR struct wr a = wr_new(0);
	OWN_CLEANUP(own_pkey) EVP_PKEY *key = NULL;
	OWN_CLEANUP(own_bio) BIO *bio = BIO_new(BIO_s_mem());
	enum dstack_status st = DSTACK_OK;
	if (q->random_key)
		key = EVP_EC_gen("P-256");
	else
		st = derived(app, q->path, &key, why);
	if (st == DSTACK_OK && (key == NULL || bio == NULL))
		st = DSTACK_E_NOMEM;
	if (st == DSTACK_OK)
		st = fields(app, q, key, &ask, why);
	if (st == DSTACK_OK)
		st = wr_status(&ask);
	if (st == DSTACK_OK)
		st = ipc_call(FD_EDGE + ROLE_KEYD, KEYD_OP_SDK_CERT, &ask,
		    NULL, 0, &a, why);
	if (st != DSTACK_OK)
		return st;
	if (PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL) != 1)
		return DSTACK_E_NOMEM;
	struct rd r = rd_over(a.buf, a.len);
	wr_str(out, "{\"key\":");
	put_pem(out, bio);
	wr_str(out, ",\"certificate_chain\":[");
	st = put_cert(&r, out);
	wr_str(out, ",");
	if (st == DSTACK_OK)
		st = put_cert(&r, out);
	wr_str(out, "]}");
	return st;
}

enum dstack_status
sdk_authority(const struct service_app *app, struct wr *pem, struct why *why)
{
	AUTO_WR struct wr ask = wr_new(0);
	AUTO_WR struct wr a = wr_new(0);
	wr_put(&ask, app->app_id, 32);
	enum dstack_status st = ipc_call(
	    FD_EDGE + ROLE_KEYD, KEYD_OP_SDK_CA, &ask, NULL, 0, &a, why);
	if (st != DSTACK_OK)
		return st;
	struct rd r = rd_over(a.buf, a.len);
	const uint8_t *der;
	size_t n;
	char *text = NULL;
	if (rd_blob(&r, MAX_CERT, &der, &n) != DSTACK_OK)
		return why_set(why, DSTACK_E_SYS, "keyd: bad answer");
	OWN_CLEANUP(own_bio) BIO *bio = BIO_new(BIO_s_mem());
	if (bio == NULL ||
	    PEM_write_bio(bio, PEM_STRING_X509, "", der, (long)n) <= 0)
		return DSTACK_E_NOMEM;
	const long len = BIO_get_mem_data(bio, &text);
	wr_put(pem, text, (size_t)len);
	wr_u8(pem, 0);
	return wr_status(pem);
}
