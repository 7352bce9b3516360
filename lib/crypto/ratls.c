/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Certificates that carry a quote, written by a guest and read by whoever
 * meets one. Reading: the file is bounded, parsed by OpenSSL as a list of PEM
 * or one DER with nothing behind it; then each certificate must be issued by
 * the next and hold at the time asked for; then the leaf's extensions are
 * taken, each at most once and each an OCTET STRING that fills its value.
 *
 * What a chain proves is little: its root may be anybody's. The quote is what
 * counts, and it counts for this key alone, by report_data: a quote that was
 * copied out of another certificate names another key (T32).
 */
#include "crypto/ratls.h"

#include <stdbool.h>
#include <string.h>
#include <time.h>

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "base/own.h"
#include "base/rd.h"
#include "crypto/hash.h"

#define MAX_QUOTE (64u * 1024)
#define MAX_LOG (160u * 1024)

/*
 * Over the whole SubjectPublicKeyInfo, so that the curve is part of it, and
 * with a word before it that no other use of report_data begins with.
 */
enum dstack_status
ratls_report_data(const EVP_PKEY *key, uint8_t out[static 64])
{
	unsigned char *der = NULL;
	size_t n = 0;
	AUTO_WR struct wr w = wr_new(0);
	const int len = i2d_PUBKEY(key, &der);
	if (len <= 0)
		return DSTACK_E_NOMEM;
	wr_str(&w, "ratls-cert:");
	wr_put(&w, der, (size_t)len);
	OPENSSL_free(der);
	enum dstack_status st = wr_status(&w);
	if (st == DSTACK_OK &&
	    EVP_Q_digest(NULL, "SHA512", NULL, w.buf, w.len, out, &n) != 1)
		st = DSTACK_E_NOMEM;
	return st;
}

/*
 * Two OCTET STRINGs, one in the other: the outer is every extension's (RFC
 * 5280, 4.2), the inner is what the SDK's guests write into it.
 */
enum dstack_status
ratls_add(X509 *cert, const char *oid, const void *p, size_t n)
{
	enum dstack_status st = DSTACK_E_NOMEM;
	ASN1_OBJECT *o = OBJ_txt2obj(oid, 1);
	ASN1_OCTET_STRING *inner = ASN1_OCTET_STRING_new();
	ASN1_OCTET_STRING *outer = ASN1_OCTET_STRING_new();
	X509_EXTENSION *e = NULL;
	unsigned char *der = NULL;
	int len = -1;
	if (o != NULL && inner != NULL && outer != NULL && n <= MAX_LOG &&
	    ASN1_OCTET_STRING_set(inner, p, (int)n) == 1)
		len = i2d_ASN1_OCTET_STRING(inner, &der);
	if (len > 0 && ASN1_OCTET_STRING_set(outer, der, len) == 1)
		e = X509_EXTENSION_create_by_OBJ(NULL, o, 0, outer);
	if (e != NULL && X509_add_ext(cert, e, -1) == 1)
		st = DSTACK_OK;
	X509_EXTENSION_free(e);
	OPENSSL_free(der);
	ASN1_OCTET_STRING_free(outer);
	ASN1_OCTET_STRING_free(inner);
	ASN1_OBJECT_free(o);
	return st;
}

void
ratls_free(struct ratls *r)
{
	wr_free(&r->quote);
	wr_free(&r->log);
	wr_free(&r->app_id);
}

struct chain {
	X509 *cert[RATLS_MAX_CHAIN];
	size_t n;
};

static void
chain_free(struct chain *c)
{
	for (size_t i = 0; i < c->n; i++)
		X509_free(c->cert[i]);
	c->n = 0;
}
#define AUTO_CHAIN OWN_CLEANUP(chain_free)

static enum dstack_status
read_der(const uint8_t *p, size_t n, struct chain *c, struct why *why)
{
	const unsigned char *at = p;
	X509 *x = d2i_X509(NULL, &at, (long)n);
	if (x != NULL)
		c->cert[c->n++] = x;
	if (x == NULL || at != p + n)
		return why_set(why, DSTACK_E_FORMAT,
		    "the file is neither PEM nor one certificate in DER");
	return DSTACK_OK;
}

static enum dstack_status
read_pem(const void *p, size_t n, struct chain *c, struct why *why)
{
	BIO *bio = BIO_new_mem_buf(p, (int)n);
	enum dstack_status st = bio != NULL ? DSTACK_OK : DSTACK_E_NOMEM;
	while (st == DSTACK_OK) {
		X509 *x = PEM_read_bio_X509(bio, NULL, NULL, NULL);
		if (x == NULL)
			break;
		if (c->n < RATLS_MAX_CHAIN) {
			c->cert[c->n++] = x;
			continue;
		}
		X509_free(x);
		st = why_set(why, DSTACK_E_LIMIT,
		    "the file holds more than %d certificates",
		    RATLS_MAX_CHAIN);
	}
	/* the list has ended well if nothing more begins */
	if (st == DSTACK_OK &&
	    (c->n == 0 ||
		ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE))
		st = why_set(why, DSTACK_E_FORMAT,
		    "the file is not a list of PEM certificates");
	BIO_free(bio);
	return st;
}

static enum dstack_status
judge(const struct chain *c, int64_t now, struct why *why)
{
	time_t t = (time_t)now;
	for (size_t i = 0; i < c->n; i++) {
		EVP_PKEY *issuer = i + 1 < c->n
		    ? X509_get0_pubkey(c->cert[i + 1])
		    : NULL;
		if (i + 1 < c->n &&
		    (issuer == NULL || X509_check_ca(c->cert[i + 1]) == 0 ||
			X509_check_issued(c->cert[i + 1], c->cert[i]) !=
			    X509_V_OK ||
			X509_verify(c->cert[i], issuer) != 1))
			return why_set(why, DSTACK_E_REJECTED,
			    "certificate %zu is not issued by the next one",
			    i + 1);
		/* -1: the time is before or equal to t */
		if (X509_cmp_time(X509_get0_notBefore(c->cert[i]), &t) >= 0 ||
		    X509_cmp_time(X509_get0_notAfter(c->cert[i]), &t) <= 0)
			return why_set(why, DSTACK_E_REJECTED,
			    "certificate %zu is not valid at that time", i + 1);
	}
	return DSTACK_OK;
}

/* The bytes of an extension; out stays empty where it is not there. */
static enum dstack_status
take(X509 *leaf, const char *oid, size_t max, struct wr *out, struct why *why)
{
	ASN1_OBJECT *o = OBJ_txt2obj(oid, 1);
	if (o == NULL)
		return DSTACK_E_NOMEM;
	const int at = X509_get_ext_by_OBJ(leaf, o, -1);
	const int more = at < 0 ? -1 : X509_get_ext_by_OBJ(leaf, o, at);
	ASN1_OBJECT_free(o);
	if (at < 0)
		return DSTACK_OK;
	if (more >= 0)
		return why_set(why, DSTACK_E_FORMAT,
		    "extension %s is there twice", oid);
	const ASN1_OCTET_STRING *v =
	    X509_EXTENSION_get_data(X509_get_ext(leaf, at));
	const unsigned char *p = ASN1_STRING_get0_data(v);
	const unsigned char *end = p + ASN1_STRING_length(v);
	ASN1_OCTET_STRING *s =
	    d2i_ASN1_OCTET_STRING(NULL, &p, ASN1_STRING_length(v));
	if (s != NULL && p == end && (size_t)ASN1_STRING_length(s) <= max)
		wr_put(out, ASN1_STRING_get0_data(s),
		    (size_t)ASN1_STRING_length(s));
	const bool ok = s != NULL && p == end && out->len > 0;
	ASN1_OCTET_STRING_free(s);
	return ok ? wr_status(out)
		  : why_set(why, DSTACK_E_FORMAT,
			"extension %s is not an OCTET STRING of 1 to %zu bytes",
			oid, max);
}

static enum dstack_status
leaf_of(X509 *leaf, struct ratls *r, struct why *why)
{
	unsigned char *der = NULL;
	EVP_PKEY *key = X509_get0_pubkey(leaf);
	if (key == NULL)
		return why_set(why, DSTACK_E_FORMAT,
		    "the certificate's key is of no known kind");
	enum dstack_status st = ratls_report_data(key, r->report_data);
	if (st == DSTACK_OK)
		st = take(leaf, RATLS_OID_QUOTE, MAX_QUOTE, &r->quote, why);
	if (st == DSTACK_OK && r->quote.len == 0)
		st = why_set(why, DSTACK_E_FORMAT,
		    "the certificate carries no quote (extension "
		    RATLS_OID_QUOTE ")");
	if (st == DSTACK_OK)
		st = take(leaf, RATLS_OID_LOG, MAX_LOG, &r->log, why);
	if (st == DSTACK_OK)
		st = take(leaf, RATLS_OID_APP, 32, &r->app_id, why);
	if (st != DSTACK_OK)
		return st;
	const int n = i2d_PUBKEY(key, &der);
	if (n <= 0)
		return DSTACK_E_NOMEM;
	sha256(der, (size_t)n, r->spki_sha256);
	OPENSSL_free(der);
	return DSTACK_OK;
}

enum dstack_status
ratls_read(const void *file, size_t n, int64_t now, struct ratls *out,
    struct why *why)
{
	AUTO_CHAIN struct chain c = { .n = 0 };
	AUTO_RATLS struct ratls r = { .chain = 0 };
	if (n == 0 || n > RATLS_MAX_FILE)
		return why_set(why, DSTACK_E_LIMIT,
		    "a certificate file has 1 to %u bytes", RATLS_MAX_FILE);
	ERR_clear_error();
	/* DER is a SEQUENCE, whose tag is 0x30: no PEM begins with a "0" */
	enum dstack_status st = *(const uint8_t *)file == 0x30
	    ? read_der(file, n, &c, why)
	    : read_pem(file, n, &c, why);
	if (st == DSTACK_OK)
		st = judge(&c, now, why);
	if (st == DSTACK_OK)
		st = leaf_of(c.cert[0], &r, why);
	ERR_clear_error();
	if (st != DSTACK_OK)
		return st;
	r.chain = c.n - 1;
	*out = r;
	r = (struct ratls) { .chain = 0 }; /* handed on */
	return DSTACK_OK;
}
