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

/* the front's way from a file to its use */
#include "guest/tls/files.c"
#include "tests/unit/lib/crypto/chain_bed.h"

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
	judge(&f, file, 8 + n);
	judge(&f, file, 8 + n);
	assert_int_equal(taken, 0);
	f.now = NOW + 50000;
	judge(&f, file, 8 + n);
	assert_int_equal(taken, 1);
	f.now += 1000; /* one that is in use is not taken again */
	judge(&f, file, 8 + n);
	assert_int_equal(taken, 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
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
