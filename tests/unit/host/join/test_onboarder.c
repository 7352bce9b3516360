/* SPDX-License-Identifier: Apache-2.0 */
/* What of the relay's lines reaches the guest (D4, D16, T40, T41). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "crypto/hash.h"
#include "host/join/onboarder.h"
#include "host/relay/pubsub.h"
#include "protocol/messages.h"

static struct host_config cfg;

static int
setup(void **state)
{
	(void)state;
	cfg.chain_id = 31337;
	memset(cfg.contract, 0xcc, 20);
	memset(cfg.payee, 0xab, 20);
	memset(cfg.submitter, 0x5b, 20);
	return 0;
}

static void
good(struct msg_register *m)
{
	struct eip712_domain d = { .chain_id = cfg.chain_id };
	uint8_t quote[600];

	memcpy(d.contract, cfg.contract, 20);
	memset(m, 0, sizeof(*m));
	memset(quote, 7, sizeof(quote));
	m->suite = SUITE_X25519;
	memset(m->enc_pub, 9, 32);
	memset(m->s.node, 3, 20);
	memset(m->s.submitter, 4, 20);
	memset(m->sig, 1, sizeof(m->sig));
	stmt_enc_key_hash(m->suite, m->enc_pub, m->s.enc_key_hash);
	stmt_register_digest(&m->s, &d, m->request_id);
	keccak256(quote, sizeof(quote), m->quote_hash);
	m->ev.quote = wr_new(0);
	wr_put(&m->ev.quote, quote, sizeof(quote));
	m->ev.collateral = wr_new(0);
	wr_str(&m->ev.collateral, "{\"a\":1}");
}

/* The relay's line of m; free it. */
static char *
line_of(const struct msg_register *m)
{
	AUTO_WR struct wr w = wr_new(0);
	size_t n = 0;

	wr_str(&w, "{\"data\":");
	msg_register_build(&w, m);
	wr_str(&w, "}");
	wr_u8(&w, 0);
	return (char *)wr_steal(&w, &n);
}

static enum dstack_status
filter(const char *line, size_t n, struct wr *out, struct why *why)
{
	uint8_t id[32];

	memset(why, 0, sizeof(*why));
	return onboarder_filter(&cfg, line, n, id, out, why);
}

static void
refused(struct msg_register *m, const char *words)
{
	AUTO_WR struct wr out = wr_new(0);
	struct why why;
	char *line = line_of(m);

	assert_int_not_equal(
	    filter(line, strlen(line), &out, &why), DSTACK_OK);
	if (strstr(why.text, words) == NULL)
		fail_msg("'%s' does not say '%s'", why.text, words);
	assert_int_equal(out.len, 0);
	free(line);
	msg_register_free(m);
}

static void
good_request_passes_with_our_payee(void **state)
{
	struct msg_register m;
	struct msg_register got;
	struct why why;
	AUTO_WR struct wr out = wr_new(0);

	(void)state;
	good(&m);
	m.has_payee = true; /* what the relay says of it does not count */
	memset(m.payee, 0xee, 20);
	char *line = line_of(&m);
	assert_int_equal(filter(line, strlen(line), &out, &why), DSTACK_OK);
	memset(&got, 0, sizeof(got));
	assert_int_equal(
	    msg_register_parse(out.buf, out.len, &got, &why), DSTACK_OK);
	assert_true(got.has_payee);
	assert_memory_equal(got.payee, cfg.payee, 20);
	assert_memory_equal(got.request_id, m.request_id, 32);
	free(line);
	msg_register_free(&got);
	msg_register_free(&m);
}

static void
each_hash_that_does_not_match_is_refused(void **state)
{
	struct msg_register m;

	(void)state;
	good(&m);
	m.request_id[0] ^= 1;
	refused(&m, "requestId is not");
	good(&m);
	m.s.epoch++;
	refused(&m, "requestId is not");
	good(&m);
	m.enc_pub[5] ^= 1;
	refused(&m, "encKeyHash is not");
	good(&m);
	m.quote_hash[5] ^= 1;
	refused(&m, "quoteHash is not");
	good(&m);
	wr_u8(&m.ev.quote, 0);
	refused(&m, "quoteHash is not");
}

static void
another_networks_request_is_refused(void **state)
{
	struct msg_register m;

	(void)state;
	good(&m);
	cfg.chain_id = 1;
	refused(&m, "requestId is not");
	cfg.chain_id = 31337;
}

static void
lines_that_are_no_requests_end_nothing(void **state)
{
	static const char *const bad[] = { "", "{", "[]", "null", "1",
		"{\"data\":1}", "{\"data\":null}", "{\"data\":{}}",
		"{\"data\":{\"requestId\":\"$(reboot)\"}}",
		"{\"data\":{},\"data\":{}}", "\"x\"" };
	AUTO_WR struct wr out = wr_new(0);
	struct why why;
	char *deep = malloc(PUBSUB_MESSAGE_MAX + 1000);

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_not_equal(
		    filter(bad[i], strlen(bad[i]), &out, &why), DSTACK_OK);
		assert_string_not_equal(why.text, "");
	}
	assert_non_null(deep);
	memset(deep, '[', PUBSUB_MESSAGE_MAX + 1000);
	assert_int_equal(filter(deep, 50000, &out, &why), DSTACK_E_LIMIT);
	assert_int_equal(
	    filter(deep, PUBSUB_MESSAGE_MAX + 1000, &out, &why),
	    DSTACK_E_LIMIT);
	free(deep);
	assert_int_equal(filter("\"\"", 2, &out, &why), DSTACK_E_BUSY);
	assert_int_equal(out.len, 0);
}

static void
each_cut_of_a_good_line_is_refused(void **state)
{
	struct msg_register m;
	AUTO_WR struct wr out = wr_new(0);
	struct why why;

	(void)state;
	good(&m);
	char *line = line_of(&m);
	for (size_t n = 0; n < strlen(line); n++)
		assert_int_not_equal(
		    filter(line, n, &out, &why), DSTACK_OK);
	free(line);
	msg_register_free(&m);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(good_request_passes_with_our_payee),
		cmocka_unit_test(each_hash_that_does_not_match_is_refused),
		cmocka_unit_test(another_networks_request_is_refused),
		cmocka_unit_test(lines_that_are_no_requests_end_nothing),
		cmocka_unit_test(each_cut_of_a_good_line_is_refused),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
