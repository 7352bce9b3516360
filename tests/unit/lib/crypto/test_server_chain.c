/* SPDX-License-Identifier: Apache-2.0 */
/* The certificate chain of a server, judged without a root. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "crypto/server_chain.h"
#include "tests/unit/lib/crypto/chain_bed.h"

static EVP_PKEY *
fresh(void)
{
	EVP_PKEY *k = EVP_EC_gen("P-256");
	assert_non_null(k);
	return k;
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

/* The same certificates again and again, one more than a chain may have. */
static void
a_chain_has_so_many_certificates_and_bytes_and_no_more(void **state)
{
	static char pem[SERVER_CHAIN_PEM_MAX + 1];
	char one[8192];
	struct made m = good();
	struct server_chain c = { { NULL }, 0 };
	struct why why = { "" };
	(void)state;
	size_t n = make_pem(&m, one, sizeof(one));
	size_t len = 0;
	for (int i = 0; i < SERVER_CHAIN_MAX; i++) {
		assert_true(len + n < sizeof(pem));
		memcpy(pem + len, one, n);
		len += n;
	}
	assert_int_equal(server_chain_judge("certificate.pem", pem, len, ours,
			     DOMAIN, NOW, &c, &why),
	    DSTACK_E_LIMIT);
	assert_non_null(strstr(why.text, "more than"));
	memset(pem, '\n', sizeof(pem));
	memcpy(pem, one, n);
	assert_int_equal(server_chain_judge("certificate.pem", pem,
			     sizeof(pem), ours, DOMAIN, NOW, &c, &why),
	    DSTACK_E_LIMIT);
	assert_non_null(strstr(why.text, "bytes"));
	assert_int_equal(server_chain_judge("certificate.pem", pem,
			     sizeof(pem) - 1, ours, DOMAIN, NOW, &c, &why),
	    DSTACK_OK);
	assert_int_equal(c.n, 2);
	server_chain_free(&c);
	assert_int_equal(c.n, 0);
	assert_int_equal(server_chain_judge("certificate.pem", pem, 0, ours,
			     DOMAIN, NOW, &c, &why),
	    DSTACK_E_LIMIT);
}

int
main(void)
{
	const struct CMUnitTest t[] = {
		cmocka_unit_test(the_right_certificate_is_taken),
		cmocka_unit_test(each_wrong_thing_alone_is_refused),
		cmocka_unit_test(every_truncation_and_garbage_is_refused),
		cmocka_unit_test(
		    a_chain_has_so_many_certificates_and_bytes_and_no_more),
	};
	ours = fresh();
	other = fresh();
	ca = fresh();
	int rc = cmocka_run_group_tests(t, NULL, NULL);
	EVP_PKEY_free(ours);
	EVP_PKEY_free(other);
	EVP_PKEY_free(ca);
	return rc;
}
