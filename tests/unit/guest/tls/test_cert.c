/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include <openssl/bio.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "guest/tls/cert.h"

/* the front's way from a file to its use; "judge" is this file's own word */
#define judge judge_file
#include "guest/tls/files.c"
#undef judge

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

static EVP_PKEY *
key_of(uint8_t byte)
{
	struct secret32 s;
	EVP_PKEY *k = NULL;
	memset(s.b, byte, sizeof(s.b));
	assert_int_equal(cert_key(&s, &k), DSTACK_OK);
	return k;
}

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

static enum dstack_status
judge(const struct made *m, uint64_t now, struct why *why)
{
	char pem[8192];
	size_t n = make_pem(m, pem, sizeof(pem));
	struct server_chain c = { { NULL }, 0 };
	enum dstack_status st =
	    server_chain_judge("certificate.pem", pem, n, ours, DOMAIN, now, &c, why);
	server_chain_free(&c);
	return st;
}

static struct made
good(void)
{
	struct made m = { "DNS:" DOMAIN, "serverAuth", "CA:FALSE", ours, NULL,
		-10, 100000 };
	return m;
}

static void
the_right_certificate_is_taken(void **state)
{
	(void)state;
	struct made m = good();
	struct why why = { "" };
	assert_int_equal(judge(&m, NOW, &why), DSTACK_OK);
	assert_int_equal(judge(&m, 0, &why), DSTACK_OK);
}

static void
each_wrong_thing_alone_is_refused(void **state)
{
	(void)state;
	const struct {
		const char *what;
		struct made m;
		uint64_t now;
	} cases[] = {
		{ "another key",
		    { "DNS:" DOMAIN, "serverAuth", "CA:FALSE", other, NULL, -10,
			100000 },
		    NOW },
		{ "name",
		    { "DNS:evil.test", "serverAuth", "CA:FALSE", ours, NULL,
			-10, 100000 },
		    NOW },
		{ "name",
		    { "DNS:*.dstack.test", "serverAuth", "CA:FALSE", ours, NULL,
			-10, 100000 },
		    NOW },
		{ "name",
		    { NULL, "serverAuth", "CA:FALSE", ours, NULL, -10,
			100000 },
		    NOW },
		{ "TLS server",
		    { "DNS:" DOMAIN, "clientAuth", "CA:FALSE", ours, NULL, -10,
			100000 },
		    NOW },
		{ "TLS server",
		    { "DNS:" DOMAIN, "serverAuth", "CA:TRUE", ours, NULL, -10,
			100000 },
		    NOW },
		{ "not issued",
		    { "DNS:" DOMAIN, "serverAuth", "CA:FALSE", ours, other, -10,
			100000 },
		    NOW },
		{ "not valid",
		    { "DNS:" DOMAIN, "serverAuth", "CA:FALSE", ours, NULL,
			SERVER_CHAIN_LAG + 10, SERVER_CHAIN_LAG + 100000 },
		    NOW },
		{ "not valid",
		    { "DNS:" DOMAIN, "serverAuth", "CA:FALSE", ours, NULL, -10,
			10 },
		    NOW + 20 },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct why why = { "" };
		assert_int_equal(judge(&cases[i].m, cases[i].now, &why),
		    DSTACK_E_REJECTED);
		assert_non_null(strstr(why.text, cases[i].what));
	}
}

static void
every_truncation_and_garbage_is_refused(void **state)
{
	(void)state;
	struct made m = good();
	char pem[8192];
	size_t n = make_pem(&m, pem, sizeof(pem));
	struct server_chain c = { { NULL }, 0 };
	const char *end = strstr(pem, "-----END CERTIFICATE-----\n");
	size_t leaf = (size_t)(end - pem) + 26;
	for (size_t i = 0; i < n; i += 7) {
		if (i >= leaf - 1 && i <= leaf + 27)
			continue; /* the leaf alone is a chain too */
		struct why why = { "" };
		assert_int_not_equal(
		    server_chain_judge("certificate.pem", pem, i, ours, DOMAIN, NOW, &c, &why),
		    DSTACK_OK);
		assert_int_equal(c.n, 0);
	}
	struct why why = { "" };
	assert_int_equal(
	    server_chain_judge("certificate.pem", "hello", 5, ours, DOMAIN, NOW, &c, &why),
	    DSTACK_E_FORMAT);
}

static void
the_request_names_the_domain_and_the_key(void **state)
{
	(void)state;
	AUTO_WR struct wr w = wr_new(0);
	assert_int_equal(cert_request(ours, DOMAIN, &w), DSTACK_OK);
	BIO *b = BIO_new_mem_buf(w.buf, (int)w.len);
	X509_REQ *r = PEM_read_bio_X509_REQ(b, NULL, NULL, NULL);
	assert_non_null(r);
	assert_int_equal(X509_REQ_verify(r, ours), 1);
	STACK_OF(X509_EXTENSION) *exts = X509_REQ_get_extensions(r);
	GENERAL_NAMES *names =
	    X509V3_get_d2i(exts, NID_subject_alt_name, NULL, NULL);
	assert_non_null(names);
	assert_int_equal(sk_GENERAL_NAME_num(names), 1);
	GENERAL_NAMES_free(names);
	sk_X509_EXTENSION_pop_free(exts, X509_EXTENSION_free);
	X509_REQ_free(r);
	BIO_free(b);
}

static void
scalars_outside_the_group_are_refused(void **state)
{
	(void)state;
	struct secret32 s = { { 0 } };
	EVP_PKEY *k = NULL;
	assert_int_equal(cert_key(&s, &k), DSTACK_E_REJECTED);
	memset(s.b, 0xff, sizeof(s.b));
	assert_int_equal(cert_key(&s, &k), DSTACK_E_REJECTED);
	uint8_t p[65];
	assert_int_equal(cert_point(ours, p), DSTACK_OK);
	assert_int_equal(p[0], 4);
}

static unsigned taken;

static bool
take(void *arg, const struct server_chain *chain)
{
	(void)arg;
	assert_true(chain->n > 0);
	taken++;
	return true;
}

static void
a_certificate_of_tomorrow_is_taken_when_its_day_has_come(void **state)
{
	(void)state;
	uint8_t file[8 + 8192] = { 0 };
	struct made m = good();
	m.from = 90000; /* a day of grace is given */
	m.to = 99000;
	size_t n = make_pem(&m, (char *)file + 8, sizeof(file) - 8);
	file[6] = (uint8_t)(n >> 8);
	file[7] = (uint8_t)n;
	struct tls_files f = { .key = ours, .domain = DOMAIN, .use = take, .now = NOW };
	judge_file(&f, file, 8 + n);
	judge_file(&f, file, 8 + n);
	assert_int_equal(taken, 0);
	f.now = NOW + 50000;
	judge_file(&f, file, 8 + n);
	assert_int_equal(taken, 1);
	f.now += 1000; /* one that is in use is not taken again */
	judge_file(&f, file, 8 + n);
	assert_int_equal(taken, 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_right_certificate_is_taken),
		cmocka_unit_test(each_wrong_thing_alone_is_refused),
		cmocka_unit_test(every_truncation_and_garbage_is_refused),
		cmocka_unit_test(the_request_names_the_domain_and_the_key),
		cmocka_unit_test(scalars_outside_the_group_are_refused),
		cmocka_unit_test(
		    a_certificate_of_tomorrow_is_taken_when_its_day_has_come),
	};
	ours = key_of(1);
	other = key_of(2);
	ca = key_of(3);
	int rc = cmocka_run_group_tests(tests, NULL, NULL);
	EVP_PKEY_free(ours);
	EVP_PKEY_free(other);
	EVP_PKEY_free(ca);
	return rc;
}
