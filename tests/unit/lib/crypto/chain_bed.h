/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Certificates of a server and of the CA above it, as a test wants them. For
 * one test program, whose main makes the keys. Include after cmocka.h.
 */
#ifndef TESTS_CHAIN_BED_H
#define TESTS_CHAIN_BED_H

#include <string.h>

#include <openssl/bio.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#define DOMAIN "demo.dstack.test"
#define NOW 1800000000u

struct made {
	const char *name;
	const char *purpose; /* extendedKeyUsage, NULL for none */
	const char *basic;
	EVP_PKEY *key;
	EVP_PKEY *ca_key; /* NULL: signed by the CA key the chain carries */
	long from, to;    /* seconds relative to NOW */
};

static EVP_PKEY *ours;
static EVP_PKEY *other;
static EVP_PKEY *ca;

static void
add_ext(X509 *x, int nid, const char *value)
{
	X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, NULL, nid, value);
	assert_non_null(e);
	assert_int_equal(X509_add_ext(x, e, -1), 1);
	X509_EXTENSION_free(e);
}

static X509 *
sign_one(const char *subject, const char *issuer, EVP_PKEY *key, EVP_PKEY *by,
    long from, long to)
{
	X509 *x = X509_new();
	X509_set_version(x, X509_VERSION_3);
	ASN1_INTEGER_set(X509_get_serialNumber(x), 5);
	ASN1_TIME_set(X509_getm_notBefore(x), (time_t)NOW + from);
	ASN1_TIME_set(X509_getm_notAfter(x), (time_t)NOW + to);
	X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_ASC,
	    (const unsigned char *)subject, -1, -1, 0);
	X509_NAME *n = X509_NAME_new();
	X509_NAME_add_entry_by_txt(n, "CN", MBSTRING_ASC,
	    (const unsigned char *)issuer, -1, -1, 0);
	X509_set_issuer_name(x, n);
	X509_NAME_free(n);
	X509_set_pubkey(x, key);
	(void)by;
	return x;
}

static size_t
make_pem(const struct made *m, char *out, size_t cap)
{
	X509 *leaf = sign_one("x", "Test CA", m->key, NULL, m->from, m->to);
	if (m->name != NULL)
		add_ext(leaf, NID_subject_alt_name, m->name);
	if (m->purpose != NULL)
		add_ext(leaf, NID_ext_key_usage, m->purpose);
	if (m->basic != NULL)
		add_ext(leaf, NID_basic_constraints, m->basic);
	assert_true(X509_sign(leaf, m->ca_key != NULL ? m->ca_key : ca,
			EVP_sha256()) > 0);
	X509 *top = sign_one("Test CA", "Test CA", ca, NULL, -10, 100000);
	add_ext(top, NID_basic_constraints, "critical,CA:TRUE");
	assert_true(X509_sign(top, ca, EVP_sha256()) > 0);
	BIO *b = BIO_new(BIO_s_mem());
	assert_int_equal(PEM_write_bio_X509(b, leaf), 1);
	assert_int_equal(PEM_write_bio_X509(b, top), 1);
	char *text;
	long n = BIO_get_mem_data(b, &text);
	assert_true(n > 0 && (size_t)n <= cap);
	memcpy(out, text, (size_t)n);
	BIO_free(b);
	X509_free(leaf);
	X509_free(top);
	return (size_t)n;
}

static struct made
good(void)
{
	struct made m = { "DNS:" DOMAIN, "serverAuth", "CA:FALSE", ours, NULL,
		-10, 100000 };
	return m;
}

#endif
