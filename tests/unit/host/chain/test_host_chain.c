/* SPDX-License-Identifier: Apache-2.0 */
/* Joining by way of the chain and the relay: host_bed.h says what is real. */
#include "tests/unit/host/host_bed.h"

static void
as_form(struct wr *w, const struct msg_bootstrap *m)
{
	wr_fmt(w, "epoch=%u&anchorNumber=%u&xPub=0x", (unsigned)m->s.epoch,
	    (unsigned)m->s.anchor_number);
	wr_hex(w, m->s.xpub, 20);
	wr_str(w, "&seedCommit=%30x"); /* 0x */
	wr_hex(w, m->s.seed_commit, 32);
	wr_str(w, "&policyHash=");
	wr_hex(w, m->s.policy_hash, 32);
	wr_str(w, "&anchorHash=");
	wr_hex(w, m->s.anchor_hash, 32);
	wr_str(w, "&submitter=");
	wr_hex(w, m->s.submitter, 20);
	wr_str(w, "&sig=");
	wr_hex(w, m->sig, sizeof(m->sig));
	wr_str(w, "&quote=");
	wr_hex(w, m->ev.quote.buf, m->ev.quote.len);
	wr_str(w, "&collateral=%7b%22tcb_info%22:+%22x%22%7D\r\n");
	assert_int_equal(wr_status(w), DSTACK_OK);
}

static void
bootstrap_goes_on_chain_once(void **state)
{
	struct msg_bootstrap m;
	uint8_t digest[32];
	AUTO_WR struct wr body = wr_new(0);
	AUTO_WR struct wr out = wr_new(0);
	AUTO_WR struct wr again = wr_new(0);
	struct gov_view view;

	(void)state;
	if (router == NULL)
		skip();
	make_bootstrap(&m);
	msg_bootstrap_build(&body, &m);
	unsigned status = ask("/bootstrap", &body, &out);
	if (status != 200)
		fail_msg("%u %s", status, (const char *)out.buf);
	assert_int_equal(gov_read(&gov, &view, NULL), DSTACK_OK);
	assert_memory_equal(view.epoch.xpub, xpub, 20);
	keccak256(m.ev.quote.buf, m.ev.quote.len, digest);
	assert_memory_equal(view.epoch.quote_hash, digest, 32);
	/* the second is one clear line with the contract's own word */
	assert_int_equal(ask("/bootstrap", &body, &again), 409);
	assert_non_null(strstr((const char *)again.buf, "BadEpoch"));
	/* and a form is the same message */
	AUTO_WR struct wr form = wr_new(0);
	AUTO_WR struct wr third = wr_new(0);
	as_form(&form, &m);
	assert_int_equal(ask("/bootstrap", &form, &third), 409);
	assert_string_equal((const char *)third.buf, (const char *)again.buf);
	assert_int_equal(ask("/bootstrap-quote/0", NULL, NULL), 200);
	assert_int_equal(ask("/bootstrap-quote/0", NULL, NULL), 200);
	msg_bootstrap_free(&m);
}

static void
request_is_gossiped_onboarded_and_found(void **state)
{
	struct onboarder *o = NULL;
	struct msg_register m;
	struct msg_onboard got;
	uint8_t digest[32];
	uint8_t signer[20];
	AUTO_WR struct wr body = wr_new(0);
	AUTO_WR struct wr out = wr_new(0);
	AUTO_WR struct wr again = wr_new(0);
	char url[CONFIG_TEXT + 8];
	unsigned status = 0;

	(void)state;
	if (router == NULL)
		skip();
	memset(&got, 0, sizeof(got));
	/* a flood of nonsense first: nothing ends for it */
	(void)snprintf(url, sizeof(url), "%s/push", cfg.pubsub_url);
	for (int i = 0; i < 50; i++) {
		struct http_request q = { .url = url,
			.body = "{\"requestId\":\"; reboot\"}",
			.bodylen = 24 };
		assert_int_equal(
		    http_do(&q, &status, NULL, NULL, NULL), DSTACK_OK);
	}
	make_register(&m, 1);
	msg_register_build(&body, &m);
	status = ask("/register", &body, &out);
	if (status != 200)
		fail_msg("%u %s", status, (const char *)out.buf);
	/* whoever listens only now hears it too */
	assert_int_equal(
	    onboarder_new(&cfg, rpc, NULL, &o, NULL), DSTACK_OK);
	await_onboarded(m.request_id, &got);
	assert_memory_equal(got.s.request_id, m.request_id, 32);
	assert_memory_equal(got.s.payee, cfg.payee, 20);
	assert_string_equal(got.ct.buf, "sealed for the joiner");
	stmt_onboard_digest(&got.s, &domain, digest);
	assert_int_equal(secp_recover(digest, got.sig, signer), DSTACK_OK);
	assert_memory_equal(signer, xpub, 20);
	/* the same request again: known */
	assert_int_equal(ask("/register", &body, &again), 409);
	assert_non_null(strstr((const char *)again.buf, "RequestKnown"));
	onboarder_free(o);
	msg_onboard_free(&got);
	msg_register_free(&m);
}

static void
copied_registration_from_another_account_is_refused(void **state)
{
	struct msg_register m;
	struct secret32 keep = cfg.privkey;
	AUTO_WR struct wr body = wr_new(0);
	AUTO_WR struct wr out = wr_new(0);

	(void)state;
	if (router == NULL)
		skip();
	make_register(&m, 2);
	msg_register_build(&body, &m);
	random_key(&cfg.privkey); /* T34: the same fields, another sender */
	fund(&cfg.privkey);
	assert_int_equal(ask("/register", &body, &out), 409);
	assert_non_null(strstr((const char *)out.buf, "NotSubmitter"));
	cfg.privkey = keep;
	msg_register_free(&m);
}

static void
relay_down_does_not_lose_the_request(void **state)
{
	struct onboarder *o = NULL;
	struct msg_register m;
	struct msg_onboard got;
	struct listen_addr at = { .host = "127.0.0.1" };
	AUTO_WR struct wr body = wr_new(0);
	char keep[CONFIG_TEXT];

	(void)state;
	if (router == NULL)
		skip();
	memset(&got, 0, sizeof(got));
	memcpy(keep, cfg.pubsub_url, sizeof(keep));
	at.port = free_port();
	(void)snprintf(cfg.pubsub_url, sizeof(cfg.pubsub_url),
	    "http://127.0.0.1:%u", at.port);
	make_register(&m, 3);
	msg_register_build(&body, &m);
	assert_int_equal(ask("/register", &body, NULL), 200);
	/* it comes back: the guest's next question gossips again */
	memcpy(cfg.pubsub_url, keep, sizeof(keep));
	assert_int_equal(
	    onboarder_new(&cfg, rpc, NULL, &o, NULL), DSTACK_OK);
	await_onboarded(m.request_id, &got);
	onboarder_free(o);
	msg_onboard_free(&got);
	msg_register_free(&m);
}

static void
chain_down_is_one_line_and_nothing_more(void **state)
{
	struct msg_register m;
	AUTO_WR struct wr body = wr_new(0);
	AUTO_WR struct wr out = wr_new(0);

	(void)state;
	if (router == NULL)
		skip();
	make_register(&m, 4);
	msg_register_build(&body, &m);
	proc_stop(&anvil, 3000);
	assert_int_equal(ask("/register", &body, &out), 502);
	assert_non_null(strstr((const char *)out.buf, "chain RPC"));
	assert_null(strchr((const char *)out.buf, '\n'));
	msg_register_free(&m);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bootstrap_goes_on_chain_once),
		cmocka_unit_test(request_is_gossiped_onboarded_and_found),
		cmocka_unit_test(
		    copied_registration_from_another_account_is_refused),
		cmocka_unit_test(relay_down_does_not_lose_the_request),
		cmocka_unit_test(chain_down_is_one_line_and_nothing_more),
	};

	(void)signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, setup, teardown);
}
