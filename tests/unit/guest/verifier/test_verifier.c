/* SPDX-License-Identifier: Apache-2.0 */
/* What the verifier decides without chain and collateral, and how old a view may be. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "crypto/hash.h"
#include "crypto/secp.h"
#include "guest/base/flavour.h"
#include "guest/verifier/verifier.h"

/* The judge names the flavour's root; no quote is judged here. */
static const struct trust_root no_root = { "none", { 0 }, true };
const struct flavour dstack_flavour = { "test", NULL, &no_root };

static struct netcfg cfg;
static struct eip712_domain domain;
static const struct secret32 node_key = { { 7 } };

static void
sign(struct msg_register *m)
{
	uint8_t h[32];
	keccak256(m->ev.quote.buf, m->ev.quote.len, m->quote_hash);
	stmt_enc_key_hash(m->suite, m->enc_pub, m->s.enc_key_hash);
	stmt_register_digest(&m->s, &domain, m->request_id);
	stmt_register_tx_digest(m->request_id, m->quote_hash, &domain, h);
	assert_int_equal(secp_sign(&node_key, h, NULL, m->sig), DSTACK_OK);
}

static int
good(struct msg_register *m)
{
	memset(m, 0, sizeof(*m));
	memset(&cfg, 0, sizeof(cfg));
	cfg.chain_id = domain.chain_id = 31337;
	memset(cfg.contract, 9, 20);
	memset(domain.contract, 9, 20);
	m->suite = SUITE_X25519;
	m->has_payee = true;
	memset(m->enc_pub, 3, 32);
	m->ev.quote = wr_new(0);
	wr_str(&m->ev.quote, "a quote");
	assert_int_equal(secp_address(&node_key, m->s.node), DSTACK_OK);
	sign(m);
	return 0;
}

static void
refused(const struct msg_register *m)
{
	struct why why = { "" };
	assert_int_equal(
	    verifier_check_form(m, &cfg, &why), DSTACK_E_REJECTED);
	assert_int_not_equal(why.text[0], '\0');
}

static void
a_request_that_fits_together_passes_the_cheap_checks(void **state)
{
	(void)state;
	struct msg_register m;
	good(&m);
	assert_int_equal(verifier_check_form(&m, &cfg, NULL), DSTACK_OK);
	msg_register_free(&m);
}

static void
each_field_that_does_not_fit_is_refused(void **state)
{
	(void)state;
	struct msg_register m;
	good(&m);
	m.has_payee = false;
	refused(&m);
	msg_register_free(&m);

	good(&m);
	m.suite = 2;
	sign(&m);
	refused(&m);
	msg_register_free(&m);

	good(&m);
	m.s.anchor_number++; /* any field: requestId is its digest */
	refused(&m);
	msg_register_free(&m);

	good(&m);
	m.enc_pub[0] ^= 1; /* the host's own key in place of the joiner's */
	refused(&m);
	msg_register_free(&m);

	good(&m);
	m.ev.quote.buf[0] ^= 1;
	refused(&m);
	msg_register_free(&m);

	good(&m);
	m.quote_hash[0] ^= 1;
	refused(&m);
	msg_register_free(&m);

	good(&m);
	m.sig[5] ^= 1;
	refused(&m);
	msg_register_free(&m);

	good(&m);
	m.s.node[0] ^= 1; /* signed by a key that is not the node's */
	sign(&m);
	refused(&m);
	msg_register_free(&m);
}

static void
a_request_of_another_network_is_refused(void **state)
{
	(void)state;
	struct msg_register m;
	good(&m);
	cfg.chain_id++;
	refused(&m);
	cfg.chain_id--;
	cfg.contract[19] ^= 1;
	refused(&m);
	msg_register_free(&m);
}

static void
a_view_that_is_held_back_stops_onboarding_and_recovers(void **state)
{
	(void)state;
	struct why why;
	assert_int_equal(verifier_check_age(0, 60, &why), DSTACK_OK);
	assert_int_equal(verifier_check_age(60, 60, &why), DSTACK_OK);
	assert_int_equal(verifier_check_age(61, 60, &why), DSTACK_E_MISSING);
	assert_non_null(strstr(why.text, "held back"));
	assert_int_equal(verifier_check_age(3, 60, &why), DSTACK_OK);
}

static void
a_view_without_a_tie_to_this_boot_onboards_nobody(void **state)
{
	(void)state;
	struct why why;
	/* however long netcfg lets a view be */
	assert_int_equal(verifier_check_age(UINT64_MAX, UINT64_MAX, &why),
	    DSTACK_E_MISSING);
	assert_non_null(strstr(why.text, "own record"));
}

static void
a_body_that_is_no_request_never_says_yes(void **state)
{
	(void)state;
	struct chain c;
	struct verifier_verdict d;
	const uint8_t sha[48] = { 0 };
	static const char *const bodies[] = { "", "{}", "[]", "x",
		"{\"requestId\":1}" };
	chain_open(&c, -1, -1, &cfg);
	for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
		memset(&d, 0xff, sizeof(d));
		verifier_judge(&c, sha, bodies[i], strlen(bodies[i]), &d);
		assert_false(d.yes);
		assert_int_not_equal(d.st, DSTACK_OK);
		assert_int_not_equal(d.why.text[0], '\0');
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    a_request_that_fits_together_passes_the_cheap_checks),
		cmocka_unit_test(each_field_that_does_not_fit_is_refused),
		cmocka_unit_test(a_request_of_another_network_is_refused),
		cmocka_unit_test(
		    a_view_that_is_held_back_stops_onboarding_and_recovers),
		cmocka_unit_test(a_view_without_a_tie_to_this_boot_onboards_nobody),
		cmocka_unit_test(a_body_that_is_no_request_never_says_yes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
