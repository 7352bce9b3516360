/* SPDX-License-Identifier: Apache-2.0 */
/*
 * X.509 by OpenSSL, from typed fields alone: keyd signs no to-be-signed part
 * that another role has made. Texts of the app go into names, never into
 * OpenSSL's configuration language; what stands there is constant.
 *
 * The authority's key and name are the app's, the same on every node of an
 * epoch, so a client that trusts one node's has all. Its serial and signature
 * are new each time. It may issue leaves and no authorities.
 */
#include "guest/keyd/issue.h"

#include <arpa/inet.h>
#include <string.h>
#include <time.h>

#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "base/hex.h"
#include "crypto/ratls.h"
#include "guest/tls/cert.h"

#define CA_FROM 1577836800 /* 2020-01-01 */
#define CA_ORG "dstack2 app authority"
#define COMMON_NAME_MAX 64 /* RFC 5280, ub-common-name */
#define DNS_MAX 253

/* UTF-8 that is none is refused by OpenSSL, and so by us. */
static bool
add_name(X509_NAME *n, const char *key, const char *text)
{
	return X509_NAME_add_entry_by_txt(n, key, MBSTRING_UTF8,
		   (const unsigned char *)text, -1, -1, 0) == 1;
}

/* One of our own constant texts in OpenSSL's form. */
static bool
add_known(X509 *x, X509 *issuer, int nid, const char *text)
{
	X509V3_CTX ctx;
	X509V3_set_ctx(&ctx, issuer, x, NULL, NULL, 0);
	X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, &ctx, nid, text);
	const bool ok = e != NULL && X509_add_ext(x, e, -1) == 1;
	X509_EXTENSION_free(e);
	return ok;
}

static bool
head(X509 *x, const uint8_t serial[static ISSUE_SERIAL], uint64_t from,
    uint64_t to)
{
	uint8_t s[ISSUE_SERIAL];
	memcpy(s, serial, sizeof(s));
	s[0] &= 0x7f; /* positive, and at most 20 bytes: RFC 5280, 4.1.2.2 */
	BIGNUM *b = BN_bin2bn(s, sizeof(s), NULL);
	const bool ok = b != NULL && X509_set_version(x, X509_VERSION_3) == 1 &&
	    BN_to_ASN1_INTEGER(b, X509_get_serialNumber(x)) != NULL &&
	    ASN1_TIME_set(X509_getm_notBefore(x), (time_t)from) != NULL &&
	    ASN1_TIME_set(X509_getm_notAfter(x), (time_t)to) != NULL;
	BN_free(b);
	return ok;
}

enum dstack_status
issue_ca(EVP_PKEY *key, const uint8_t app_id[static 32],
    const uint8_t serial[static ISSUE_SERIAL], X509 **out)
{
	char id[65];
	X509 *x = X509_new();
	hex_encode(app_id, 32, id);
	if (x != NULL && head(x, serial, CA_FROM, SDK_MAX_TIME) &&
	    X509_set_pubkey(x, key) == 1 &&
	    add_name(X509_get_subject_name(x), "O", CA_ORG) &&
	    add_name(X509_get_subject_name(x), "CN", id) &&
	    X509_set_issuer_name(x, X509_get_subject_name(x)) == 1 &&
	    add_known(x, x, NID_basic_constraints,
		"critical,CA:TRUE,pathlen:0") &&
	    add_known(x, x, NID_key_usage, "critical,keyCertSign,cRLSign") &&
	    add_known(x, x, NID_subject_key_identifier, "hash") &&
	    X509_sign(x, key, EVP_sha256()) > 0) {
		*out = x;
		return DSTACK_OK;
	}
	X509_free(x);
	ERR_clear_error();
	return DSTACK_E_NOMEM;
}

/* A name of letters, digits, hyphens and dots, "*." before it or not. */
static bool
dns_ok(const char *s)
{
	const size_t n = strlen(s);
	if (strncmp(s, "*.", 2) == 0)
		s += 2;
	return n > 0 && n <= DNS_MAX && s[0] != '\0' && s[0] != '.' &&
	    strstr(s, "..") == NULL &&
	    strspn(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
		      "0123456789-_.") == strlen(s);
}

/* An address, where the text is one; else a DNS name. NULL: neither. */
static GENERAL_NAME *
general_name(const char *text)
{
	uint8_t ip[16];
	int n = 0;
	if (inet_pton(AF_INET, text, ip) == 1)
		n = 4;
	else if (inet_pton(AF_INET6, text, ip) == 1)
		n = 16;
	else if (!dns_ok(text))
		return NULL;
	GENERAL_NAME *g = GENERAL_NAME_new();
	ASN1_STRING *s = ASN1_STRING_type_new(
	    n > 0 ? V_ASN1_OCTET_STRING : V_ASN1_IA5STRING);
	if (g == NULL || s == NULL ||
	    ASN1_STRING_set(s, n > 0 ? (const void *)ip : text,
		n > 0 ? n : (int)strlen(text)) != 1) {
		GENERAL_NAME_free(g);
		ASN1_STRING_free(s);
		return NULL;
	}
	GENERAL_NAME_set0_value(g, n > 0 ? GEN_IPADD : GEN_DNS, s);
	return g;
}

/* The first name that is none is the reason. */
static enum dstack_status
alt_names(const struct issue_leaf *f, X509 *x, struct why *why)
{
	if (f->nalt == 0)
		return DSTACK_OK;
	GENERAL_NAMES *all = sk_GENERAL_NAME_new_null();
	enum dstack_status st = all != NULL ? DSTACK_OK : DSTACK_E_NOMEM;
	for (size_t i = 0; st == DSTACK_OK && i < f->nalt; i++) {
		GENERAL_NAME *g = general_name(f->alt[i]);
		if (g == NULL)
			st = why_set(why, DSTACK_E_REJECTED,
			    "alt_names: '%.80s' is no DNS name and no address",
			    f->alt[i]);
		else if (sk_GENERAL_NAME_push(all, g) == 0) {
			GENERAL_NAME_free(g);
			st = DSTACK_E_NOMEM;
		}
	}
	/* without a subject it is all there is: RFC 5280, 4.2.1.6 */
	if (st == DSTACK_OK &&
	    X509_add1_ext_i2d(x, NID_subject_alt_name, all,
		f->subject[0] == '\0' ? 1 : 0, 0) != 1)
		st = DSTACK_E_NOMEM;
	sk_GENERAL_NAME_pop_free(all, GENERAL_NAME_free);
	return st;
}

static enum dstack_status
judge(const struct issue_leaf *f, struct why *why)
{
	for (const char *s = f->subject; *s != '\0'; s++) {
		if ((unsigned char)*s < 0x20 || *s == 0x7f)
			return why_set(why, DSTACK_E_REJECTED,
			    "subject has a control character in it");
	}
	if (strlen(f->subject) > COMMON_NAME_MAX)
		return why_set(why, DSTACK_E_REJECTED,
		    "subject has more than %d bytes; long names go into "
		    "alt_names", COMMON_NAME_MAX);
	if (f->not_before >= f->not_after || f->not_after > SDK_MAX_TIME)
		return why_set(why, DSTACK_E_REJECTED,
		    "not_after is not later than not_before");
	return DSTACK_OK;
}

/* P-256 and nothing behind it. NULL: another. */
static EVP_PKEY *
leaf_key(const struct issue_leaf *f)
{
	uint8_t point[65];
	char group[32] = "";
	size_t n = 0;
	const unsigned char *p = f->spki;
	EVP_PKEY *k = d2i_PUBKEY(NULL, &p, (long)f->spki_len);
	if (k != NULL && p == f->spki + f->spki_len &&
	    EVP_PKEY_get_base_id(k) == EVP_PKEY_EC &&
	    EVP_PKEY_get_group_name(k, group, sizeof(group), &n) == 1 &&
	    strcmp(group, "prime256v1") == 0 &&
	    cert_point(k, point) == DSTACK_OK)
		return k;
	EVP_PKEY_free(k);
	return NULL;
}

/*
 * What the key may be used for is critical, what it is besides is not: a
 * client that knows nothing of quotes takes the certificate all the same.
 */
static enum dstack_status
extensions(const struct issue_leaf *f, X509 *x, X509 *ca, struct why *why)
{
	enum dstack_status st = DSTACK_OK;
	const char *use = f->server && f->client ? "serverAuth,clientAuth"
	    : f->server				 ? "serverAuth"
	    : f->client				 ? "clientAuth"
						 : NULL;
	if (!add_known(x, ca, NID_basic_constraints, "critical,CA:FALSE") ||
	    !add_known(x, ca, NID_key_usage, "critical,digitalSignature") ||
	    (use != NULL && !add_known(x, ca, NID_ext_key_usage, use)) ||
	    !add_known(x, ca, NID_subject_key_identifier, "hash") ||
	    !add_known(x, ca, NID_authority_key_identifier, "keyid:always"))
		return DSTACK_E_NOMEM;
	st = alt_names(f, x, why);
	if (st == DSTACK_OK && f->quote_len > 0)
		st = ratls_add(x, RATLS_OID_QUOTE, f->quote, f->quote_len);
	if (st == DSTACK_OK && f->quote_len > 0)
		st = ratls_add(x, RATLS_OID_LOG, f->log, f->log_len);
	if (st == DSTACK_OK && f->app)
		st = ratls_add(x, RATLS_OID_APP, f->app_id, 32);
	return st;
}

enum dstack_status
issue_leaf(const struct issue_leaf *f, EVP_PKEY *key, X509 *ca,
    const uint8_t serial[static ISSUE_SERIAL], X509 **out, struct why *why)
{
	enum dstack_status st = judge(f, why);
	if (st != DSTACK_OK)
		return st;
	EVP_PKEY *pub = leaf_key(f);
	X509 *x = X509_new();
	if (pub == NULL)
		st = why_set(why, DSTACK_E_REJECTED, "the key is not P-256's");
	else if (x == NULL || !head(x, serial, f->not_before, f->not_after) ||
	    X509_set_pubkey(x, pub) != 1 ||
	    X509_set_issuer_name(x, X509_get_subject_name(ca)) != 1)
		st = DSTACK_E_NOMEM;
	else if (f->subject[0] != '\0' &&
	    !add_name(X509_get_subject_name(x), "CN", f->subject))
		st = why_set(why, DSTACK_E_REJECTED,
		    "subject is no name that a certificate can have");
	else
		st = extensions(f, x, ca, why);
	if (st == DSTACK_OK && X509_sign(x, key, EVP_sha256()) <= 0)
		st = DSTACK_E_NOMEM;
	EVP_PKEY_free(pub);
	ERR_clear_error();
	if (st == DSTACK_OK)
		*out = x;
	else
		X509_free(x);
	return st;
}
