/* SPDX-License-Identifier: Apache-2.0 */
/* Certificates with a quote: what is read is what was put in, once and whole. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "base/own.h"
#include "crypto/ratls.h"

#define NOW 1800000000

static EVP_PKEY *ca_key, *leaf_key;

static int
setup(void **state)
{
	(void)state;
	ca_key = EVP_EC_gen("P-256");
	leaf_key = EVP_EC_gen("P-256");
	return ca_key != NULL && leaf_key != NULL ? 0 : 1;
}

static int
teardown(void **state)
{
	(void)state;
	EVP_PKEY_free(ca_key);
	EVP_PKEY_free(leaf_key);
	return 0;
}

/* name signs for itself where issuer is NULL; not signed yet. */
static X509 *
begin(const char *name, const char *issuer, EVP_PKEY *key, bool ca)
{
	X509 *x = X509_new();
	assert_non_null(x);
	(void)X509_set_version(x, X509_VERSION_3);
	(void)ASN1_INTEGER_set(X509_get_serialNumber(x), 7);
	(void)ASN1_TIME_set(X509_getm_notBefore(x), NOW - 100);
	(void)ASN1_TIME_set(X509_getm_notAfter(x), NOW + 100);
	(void)X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN",
	    MBSTRING_ASC, (const unsigned char *)name, -1, -1, 0);
	(void)X509_NAME_add_entry_by_txt(X509_get_issuer_name(x), "CN",
	    MBSTRING_ASC,
	    (const unsigned char *)(issuer != NULL ? issuer : name), -1, -1,
	    0);
	(void)X509_set_pubkey(x, key);
	X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, NULL,
	    NID_basic_constraints, ca ? "critical,CA:TRUE" : "CA:FALSE");
	(void)X509_add_ext(x, e, -1);
	X509_EXTENSION_free(e);
	return x;
}

/* Sign, and give the DER; frees x. */
static struct wr
end(X509 *x, EVP_PKEY *by)
{
	struct wr w = wr_new(0);
	unsigned char *der = NULL;
	assert_true(X509_sign(x, by, EVP_sha256()) > 0);
	int n = i2d_X509(x, &der);
	assert_true(n > 0);
	wr_put(&w, der, (size_t)n);
	OPENSSL_free(der);
	X509_free(x);
	return w;
}

static X509 *
leaf(const void *quote, size_t n)
{
	X509 *x = begin("leaf", "ca", leaf_key, false);
	assert_int_equal(ratls_add(x, RATLS_OID_QUOTE, quote, n), DSTACK_OK);
	return x;
}

static void
pem_add(struct wr *out, const struct wr *der)
{
	char *text = NULL;
	BIO *b = BIO_new(BIO_s_mem());
	(void)PEM_write_bio(b, "CERTIFICATE", "", der->buf, (long)der->len);
	long n = BIO_get_mem_data(b, &text);
	wr_put(out, text, (size_t)n);
	BIO_free(b);
}

static enum dstack_status
read_at(const struct wr *w, int64_t now)
{
	AUTO_RATLS struct ratls r = { .chain = 0 };
	struct why why = { "" };
	enum dstack_status st = ratls_read(w->buf, w->len, now, &r, &why);
	assert_true(st == DSTACK_OK || why.text[0] != '\0');
	return st;
}

static void
what_was_put_in_comes_out_with_the_keys_report_data(void **state)
{
	(void)state;
	AUTO_RATLS struct ratls r = { .chain = 0 };
	struct why why = { "" };
	uint8_t rd[64];
	X509 *x = leaf("quote", 5);
	assert_int_equal(ratls_add(x, RATLS_OID_LOG, "[]", 2), DSTACK_OK);
	AUTO_WR struct wr der = end(x, ca_key);
	assert_int_equal(
	    ratls_read(der.buf, der.len, NOW, &r, &why), DSTACK_OK);
	assert_int_equal(r.quote.len, 5);
	assert_memory_equal(r.quote.buf, "quote", 5);
	assert_int_equal(r.log.len, 2);
	assert_int_equal(r.app_id.len, 0);
	assert_int_equal(r.chain, 0);
	assert_int_equal(ratls_report_data(leaf_key, rd), DSTACK_OK);
	assert_memory_equal(r.report_data, rd, 64);
	assert_int_equal(ratls_report_data(ca_key, rd), DSTACK_OK);
	assert_memory_not_equal(r.report_data, rd, 64);
}

static void
a_chain_is_issued_link_by_link_and_holds_at_the_time(void **state)
{
	(void)state;
	AUTO_WR struct wr l = end(leaf("q", 1), ca_key);
	AUTO_WR struct wr other = end(leaf("q", 1), leaf_key);
	AUTO_WR struct wr ca = end(begin("ca", NULL, ca_key, true), ca_key);
	AUTO_WR struct wr not_ca =
	    end(begin("ca", NULL, ca_key, false), ca_key);
	AUTO_WR struct wr name = end(begin("cb", NULL, ca_key, true), ca_key);
	const struct {
		const struct wr *first, *second;
		int64_t now;
		enum dstack_status want;
	} of[] = {
		{ &l, &ca, NOW, DSTACK_OK },
		{ &other, &ca, NOW, DSTACK_E_REJECTED }, /* the signature */
		{ &l, &not_ca, NOW, DSTACK_E_REJECTED },
		{ &l, &name, NOW, DSTACK_E_REJECTED },
		{ &l, &ca, NOW - 101, DSTACK_E_REJECTED },
		{ &l, &ca, NOW + 101, DSTACK_E_REJECTED },
		{ &ca, &ca, NOW, DSTACK_E_FORMAT }, /* no quote */
	};
	for (size_t i = 0; i < sizeof(of) / sizeof(of[0]); i++) {
		AUTO_WR struct wr pem = wr_new(0);
		pem_add(&pem, of[i].first);
		pem_add(&pem, of[i].second);
		assert_int_equal(read_at(&pem, of[i].now), of[i].want);
	}
	AUTO_WR struct wr five = wr_new(0);
	for (int i = 0; i < 5; i++)
		pem_add(&five, i == 0 ? &l : &ca);
	assert_int_equal(read_at(&five, NOW), DSTACK_E_LIMIT);
}

static void
a_file_that_is_cut_or_goes_on_is_refused(void **state)
{
	(void)state;
	AUTO_WR struct wr der = end(leaf("quote", 5), ca_key);
	AUTO_WR struct wr pem = wr_new(0);
	pem_add(&pem, &der);
	assert_int_equal(read_at(&der, NOW), DSTACK_OK);
	assert_int_equal(read_at(&pem, NOW), DSTACK_OK);
	for (size_t n = 0; n < der.len; n++) {
		const struct wr cut = { .buf = der.buf, .len = n };
		assert_int_not_equal(read_at(&cut, NOW), DSTACK_OK);
	}
	for (size_t n = 0; n + 1 < pem.len; n++) {
		const struct wr cut = { .buf = pem.buf, .len = n };
		assert_int_not_equal(read_at(&cut, NOW), DSTACK_OK);
	}
	wr_u8(&der, 0);
	assert_int_equal(read_at(&der, NOW), DSTACK_E_FORMAT);
	AUTO_FREE char *big = calloc(1, RATLS_MAX_FILE + 1);
	const struct wr huge = { .buf = (uint8_t *)big,
		.len = RATLS_MAX_FILE + 1 };
	assert_int_equal(read_at(&huge, NOW), DSTACK_E_LIMIT);
}

/* An extension whose value is p as it is. */
static struct wr
odd(const void *p, int n)
{
	X509 *x = begin("leaf", "ca", leaf_key, false);
	ASN1_OBJECT *o = OBJ_txt2obj(RATLS_OID_QUOTE, 1);
	ASN1_OCTET_STRING *v = ASN1_OCTET_STRING_new();
	(void)ASN1_OCTET_STRING_set(v, p, n);
	X509_EXTENSION *e = X509_EXTENSION_create_by_OBJ(NULL, o, 0, v);
	(void)X509_add_ext(x, e, -1);
	X509_EXTENSION_free(e);
	ASN1_OCTET_STRING_free(v);
	ASN1_OBJECT_free(o);
	return end(x, ca_key);
}

static void
an_extension_is_one_octet_string_and_there_once(void **state)
{
	(void)state;
	AUTO_WR struct wr fine = odd("\x04\x01q", 3);
	AUTO_WR struct wr rest = odd("\x04\x01qq", 4);
	AUTO_WR struct wr empty = odd("\x04\x00", 2);
	AUTO_WR struct wr integer = odd("\x02\x01q", 3);
	AUTO_WR struct wr bare = odd("quote", 5);
	assert_int_equal(read_at(&fine, NOW), DSTACK_OK);
	assert_int_equal(read_at(&rest, NOW), DSTACK_E_FORMAT);
	assert_int_equal(read_at(&empty, NOW), DSTACK_E_FORMAT);
	assert_int_equal(read_at(&integer, NOW), DSTACK_E_FORMAT);
	assert_int_equal(read_at(&bare, NOW), DSTACK_E_FORMAT);
	X509 *x = leaf("quote", 5);
	assert_int_equal(ratls_add(x, RATLS_OID_QUOTE, "other", 5), DSTACK_OK);
	AUTO_WR struct wr twice = end(x, ca_key);
	assert_int_equal(read_at(&twice, NOW), DSTACK_E_FORMAT);
	x = leaf("quote", 5);
	assert_int_equal(ratls_add(x, RATLS_OID_APP,
	    "012345678901234567890123456789012", 33), DSTACK_OK);
	AUTO_WR struct wr id = end(x, ca_key);
	assert_int_equal(read_at(&id, NOW), DSTACK_E_FORMAT);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    what_was_put_in_comes_out_with_the_keys_report_data),
		cmocka_unit_test(
		    a_chain_is_issued_link_by_link_and_holds_at_the_time),
		cmocka_unit_test(a_file_that_is_cut_or_goes_on_is_refused),
		cmocka_unit_test(
		    an_extension_is_one_octet_string_and_there_once),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
