/* SPDX-License-Identifier: Apache-2.0 */
/* keyd's certificates: one authority an app, and leaves of fields that hold. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include <openssl/ec.h>
#include <openssl/x509v3.h>

#include "crypto/ratls.h"
#include "protocol/sdk.h"
#include "tests/unit/guest/keyd/keyd_bed.h"

static const uint8_t app_a[32] = { 0xaa };
static const uint8_t app_b[32] = { 0xbb };

struct ask_cert {
	const uint8_t *app;
	const char *subject, *alt;
	unsigned flags;
	uint64_t from, to;
	const char *group;
	const char *quote;
};

static const struct ask_cert good = { app_a, "a.test", "a.test",
	KEYD_CERT_SERVER, 1000, 2000, "P-256", "" };

static void
cert_request_of(struct wr *q, const struct ask_cert *c)
{
	unsigned char *der = NULL;
	EVP_PKEY *k = EVP_EC_gen(c->group);
	int n = i2d_PUBKEY(k, &der);
	assert_true(n > 0);
	wr_free(q);
	wr_put(q, c->app, 32);
	wr_text(q, c->subject);
	wr_u8(q, c->alt != NULL ? 1 : 0);
	if (c->alt != NULL)
		wr_text(q, c->alt);
	wr_u8(q, (uint8_t)c->flags);
	wr_u64be(q, c->from);
	wr_u64be(q, c->to);
	wr_blob(q, der, (size_t)n);
	wr_blob(q, c->quote, strlen(c->quote));
	wr_blob(q, "[]", c->quote[0] != '\0' ? 2 : 0);
	OPENSSL_free(der);
	EVP_PKEY_free(k);
}

static X509 *
next_cert(struct rd *r)
{
	const uint8_t *p;
	size_t n;
	assert_int_equal(rd_blob(r, IPC_MAX, &p, &n), DSTACK_OK);
	const unsigned char *at = p;
	X509 *x = d2i_X509(NULL, &at, (long)n);
	assert_non_null(x);
	return x;
}

static X509 *
authority(struct bed *b, const uint8_t *app)
{
	AUTO_WR struct wr q = wr_new(0);
	AUTO_WR struct wr a = wr_new(0);
	wr_put(&q, app, 32);
	assert_int_equal(ask(b, ROLE_GUEST_SERVICE, KEYD_OP_SDK_CA, &q, &a),
	    DSTACK_OK);
	struct rd r = rd_over(a.buf, a.len);
	return next_cert(&r);
}

static void
an_app_has_one_authority_that_signs_leaves_alone(void **state)
{
	(void)state;
	struct bed b;
	struct record rec;
	AUTO_WR struct wr q = wr_new(0);
	AUTO_WR struct wr a = wr_new(0);
	bed_active(&b, &rec);
	X509 *one = authority(&b, app_a);
	X509 *again = authority(&b, app_a);
	X509 *other = authority(&b, app_b);
	assert_int_equal(EVP_PKEY_eq(X509_get0_pubkey(one),
	    X509_get0_pubkey(again)), 1);
	assert_int_equal(X509_NAME_cmp(X509_get_subject_name(one),
	    X509_get_subject_name(again)), 0);
	assert_int_not_equal(EVP_PKEY_eq(X509_get0_pubkey(one),
	    X509_get0_pubkey(other)), 1);
	assert_int_not_equal(X509_NAME_cmp(X509_get_subject_name(one),
	    X509_get_subject_name(other)), 0);
	assert_int_equal(X509_get_pathlen(one), 0);
	cert_request_of(&q, &good);
	assert_int_equal(ask(&b, ROLE_GUEST_SERVICE, KEYD_OP_SDK_CERT, &q, &a),
	    DSTACK_OK);
	struct rd r = rd_over(a.buf, a.len);
	X509 *leaf = next_cert(&r);
	X509 *ca = next_cert(&r);
	assert_int_equal(rd_end(&r), DSTACK_OK);
	assert_int_equal(X509_check_issued(one, leaf), X509_V_OK);
	assert_int_equal(X509_verify(leaf, X509_get0_pubkey(one)), 1);
	assert_int_not_equal(X509_verify(leaf, X509_get0_pubkey(other)), 1);
	assert_int_equal(X509_check_ca(leaf), 0);
	assert_int_equal(X509_check_host(leaf, "a.test", 0, 0, NULL), 1);
	/* neither extension where nothing was asked for */
	assert_int_equal(X509_get_ext_count(leaf), 6);
	X509_free(one);
	X509_free(again);
	X509_free(other);
	X509_free(leaf);
	X509_free(ca);
	bed_stop(&b);
}

static void
names_times_and_keys_that_no_certificate_has_are_refused(void **state)
{
	(void)state;
	static const uint8_t system[32] = { 0 };
	static const char long_name[] =
	    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
	static const char *const names[] = { "", ".", "a b", "a..b", "*", "*.",
		"a,DNS:b", "a\nb", "\xc3\xa4.test", "a*.test", "@section" };
	struct bed b;
	struct record rec;
	AUTO_WR struct wr q = wr_new(0);
	AUTO_WR struct wr a = wr_new(0);
	bed_active(&b, &rec);
	struct ask_cert bad[8];
	for (size_t i = 0; i < 8; i++)
		bad[i] = good;
	bad[0].app = system;
	bad[1].subject = long_name;
	bad[2].subject = "a\nb";
	bad[3].to = bad[3].from;
	bad[4].to = (uint64_t)SDK_MAX_TIME + 1;
	bad[5].group = "P-384";
	bad[6].flags = 8;
	bad[7].subject = "\xff";
	for (size_t i = 0; i < 8; i++) {
		cert_request_of(&q, &bad[i]);
		refused(&b, ROLE_GUEST_SERVICE, KEYD_OP_SDK_CERT, &q);
	}
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		struct ask_cert c = good;
		c.alt = names[i];
		cert_request_of(&q, &c);
		refused(&b, ROLE_GUEST_SERVICE, KEYD_OP_SDK_CERT, &q);
	}
	static const char *const fine[] = { "*.test", "::1", "10.0.0.1",
		"a-b_c.test", "A" };
	for (size_t i = 0; i < sizeof(fine) / sizeof(fine[0]); i++) {
		struct ask_cert c = good;
		c.alt = fine[i];
		c.subject = ""; /* the names are all there is */
		cert_request_of(&q, &c);
		assert_int_equal(ask(&b, ROLE_GUEST_SERVICE, KEYD_OP_SDK_CERT,
		    &q, &a), DSTACK_OK);
	}
	/* THREATS T12 */
	wr_free(&q);
	wr_zero(&q, 32);
	refused(&b, ROLE_GUEST_SERVICE, KEYD_OP_SDK_CA, &q);
	bed_stop(&b);
}

static void
a_quote_goes_in_as_it_is_and_the_answer_is_read_back(void **state)
{
	(void)state;
	struct bed b;
	struct record rec;
	struct ask_cert c = good;
	AUTO_WR struct wr q = wr_new(0);
	AUTO_WR struct wr a = wr_new(0);
	AUTO_RATLS struct ratls r = { .chain = 0 };
	struct why why = { "" };
	bed_active(&b, &rec);
	c.quote = "a quote";
	c.flags |= KEYD_CERT_APP;
	cert_request_of(&q, &c);
	assert_int_equal(ask(&b, ROLE_GUEST_SERVICE, KEYD_OP_SDK_CERT, &q, &a),
	    DSTACK_OK);
	struct rd in = rd_over(a.buf, a.len);
	const uint8_t *der;
	size_t n;
	assert_int_equal(rd_blob(&in, IPC_MAX, &der, &n), DSTACK_OK);
	assert_int_equal(ratls_read(der, n, 1500, &r, &why), DSTACK_OK);
	assert_int_equal(r.quote.len, 7);
	assert_memory_equal(r.quote.buf, "a quote", 7);
	assert_int_equal(r.app_id.len, 32);
	assert_memory_equal(r.app_id.buf, app_a, 32);
	bed_stop(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    an_app_has_one_authority_that_signs_leaves_alone),
		cmocka_unit_test(
		    names_times_and_keys_that_no_certificate_has_are_refused),
		cmocka_unit_test(
		    a_quote_goes_in_as_it_is_and_the_answer_is_read_back),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
