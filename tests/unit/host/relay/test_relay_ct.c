/* SPDX-License-Identifier: Apache-2.0 */
/* A network whose ciphertexts travel by relay: host_bed.h says what is real. */
#include <stdatomic.h>

#include "tests/unit/host/host_bed.h"

static uint64_t relay_from; /* its first block */
static atomic_uint answers; /* that came over the relay */
static atomic_uint heard;   /* requests */

static bool
hear_request(void *arg, const uint8_t id[static 32])
{
	(void)arg;
	(void)id;
	atomic_fetch_add(&heard, 1);
	return false;
}

static void
hear_answer(void *arg, const struct msg_onboard *m)
{
	if (arg != NULL)
		router_answer(arg, m);
	atomic_fetch_add(&answers, 1);
}

static void
until_more(atomic_uint *count, unsigned than)
{
	for (int i = 0; i < 400 && atomic_load(count) <= than; i++)
		proc_pause_ms(50);
	assert_true(atomic_load(count) > than);
}

static void
push(const struct wr *body)
{
	char url[CONFIG_TEXT + 8];
	unsigned status = 0;

	(void)snprintf(url, sizeof(url), "%s/push", cfg.pubsub_url);
	struct http_request q = {
		.url = url, .body = body->buf, .bodylen = body->len
	};
	assert_int_equal(http_do(&q, &status, NULL, NULL, NULL), DSTACK_OK);
	assert_int_equal(status, 200);
}

/* Is the ciphertext of play_guest in any transaction of the chain? */
static bool
on_chain(void)
{
	static const char text[] = "sealed for the joiner";
	char hex[2 * sizeof(text) + 1];
	uint64_t head = 0;
	bool found = false;

	hex_encode(text, sizeof(text), hex);
	assert_int_equal(rpc_block_number(rpc, &head, NULL), DSTACK_OK);
	for (uint64_t i = relay_from; i <= head; i++) {
		json_t *v = NULL;
		assert_int_equal(rpc_call(rpc, "eth_getBlockByNumber",
		                     json_pack("[o,b]", eth_json_quantity(i),
		                         1),
		                     &v, NULL),
		    DSTACK_OK);
		AUTO_FREE char *block = json_dumps(v, JSON_COMPACT);
		assert_non_null(block);
		found = found || strstr(block, hex) != NULL;
		json_decref(v);
	}
	return found;
}

static void
answer_of_a_relay_network_comes_over_the_relay_alone(void **state)
{
	struct onboarder *o = NULL;
	struct onboarder *joiner = NULL;
	const struct onboarder_options a = { .answer = hear_answer };
	const struct onboarder_options b = { .own = hear_request,
		.answer = hear_answer,
		.arg = NULL };
	struct onboarder_options c = b;
	struct msg_bootstrap boot;
	struct msg_register m;
	struct msg_onboard got;
	char path[80] = "/onboarded/";
	uint8_t digest[32];
	AUTO_WR struct wr body = wr_new(0);
	AUTO_WR struct wr request = wr_new(0);

	(void)state;
	if (router == NULL)
		skip();
	memset(&got, 0, sizeof(got));
	network(false);
	assert_int_equal(rpc_block_number(rpc, &relay_from, NULL), DSTACK_OK);
	make_bootstrap(&boot);
	msg_bootstrap_build(&body, &boot);
	assert_int_equal(ask("/bootstrap", &body, NULL), 200);
	msg_bootstrap_free(&boot);

	make_register(&m, 5);
	msg_register_build(&request, &m);
	assert_int_equal(ask("/register", &request, NULL), 200);
	assert_int_equal(
	    onboarder_new(&cfg, rpc, &a, &o, NULL), DSTACK_OK);
	until_more(&answers, 0);
	for (uint64_t i = 0, st = 1; st != 2; i++) { /* the chain has it */
		AUTO_WR struct wr call = wr_new(0);
		AUTO_WR struct wr out = wr_new(4096);
		assert_true(i < 400);
		assert_int_equal(
		    km_call_requested(&call, m.request_id), DSTACK_OK);
		assert_int_equal(rpc_eth_call(rpc, cfg.contract, call.buf,
		                     call.len, &out, NULL),
		    DSTACK_OK);
		st = out.buf[31];
		if (st != 2)
			proc_pause_ms(50);
	}
	/* whose host has not heard it has nothing, and is told later */
	hex_encode(m.request_id, 32, path + 11);
	assert_int_equal(ask(path, NULL, NULL), 204);
	assert_int_equal(ask(path, NULL, NULL), 204);
	/* whoever asks again gets it again */
	unsigned before = atomic_load(&answers);
	proc_pause_ms(2100); /* AGAIN_MS */
	push(&request);
	until_more(&answers, before);
	/* the joiner's host listens; what others sign moves nothing */
	before = atomic_load(&answers);
	c.arg = router;
	assert_int_equal(
	    onboarder_new(&cfg, rpc, &c, &joiner, NULL), DSTACK_OK);
	until_more(&answers, before + 1); /* twice, as it was sent */
	onboarder_free(joiner);
	for (uint8_t i = 0; i < 20; i++) {
		struct msg_onboard bad = { .ct = wr_new(0) };
		memcpy(bad.s.request_id, m.request_id, 32);
		wr_u8(&bad.ct, i);
		keccak256(bad.ct.buf, bad.ct.len, bad.s.ct_hash);
		stmt_onboard_digest(&bad.s, &domain, digest);
		assert_int_equal(
		    secp_sign(&node_key, digest, NULL, bad.sig), DSTACK_OK);
		router_answer(router, &bad);
		msg_onboard_free(&bad);
	}
	await_onboarded(m.request_id, &got);
	assert_string_equal(got.ct.buf, "sealed for the joiner");
	assert_false(on_chain());
	onboarder_free(o);
	msg_onboard_free(&got);
	msg_register_free(&m);
}

static void
refused_request_is_looked_at_again(void **state)
{
	struct onboarder *o = NULL;
	const struct onboarder_options opt = { .answer = hear_answer,
		.arg = router,
		.relook_ms = 100 };
	struct msg_register m;
	struct msg_onboard got;
	AUTO_WR struct wr body = wr_new(0);

	(void)state;
	if (router == NULL)
		skip();
	memset(&got, 0, sizeof(got));
	make_register(&m, REFUSED_ONCE);
	msg_register_build(&body, &m);
	assert_int_equal(ask("/register", &body, NULL), 200);
	assert_int_equal(
	    onboarder_new(&cfg, rpc, &opt, &o, NULL), DSTACK_OK);
	char path[80] = "/onboarded/";
	hex_encode(m.request_id, 32, path + 11);
	for (int i = 0; ask(path, NULL, NULL) == 204; i++) {
		assert_true(i < 200);
		push(&body);
		proc_pause_ms(100);
	}
	await_onboarded(m.request_id, &got);
	onboarder_free(o);
	msg_onboard_free(&got);
	msg_register_free(&m);
}

static void
relay_that_takes_no_answer_is_gone_around(void **state)
{
	struct onboarder *o = NULL;
	const struct onboarder_options opt = { .own = hear_request,
		.answer = hear_answer,
		.arg = router };
	struct msg_register m;
	struct msg_onboard got;
	AUTO_WR struct wr body = wr_new(0);

	(void)state;
	if (router == NULL)
		skip();
	memset(&got, 0, sizeof(got));
	assert_int_equal(kill(guest, SIGSTOP), 0);
	unsigned before = atomic_load(&heard);
	make_register(&m, 6);
	msg_register_build(&body, &m);
	assert_int_equal(ask("/register", &body, NULL), 200);
	assert_int_equal(
	    onboarder_new(&cfg, rpc, &opt, &o, NULL), DSTACK_OK);
	/* the requests of before, which the relay keeps, and this one */
	until_more(&heard, before + 2);
	proc_stop(&relay, 0);
	assert_int_equal(kill(guest, SIGCONT), 0);
	await_onboarded(m.request_id, &got);
	assert_string_equal(got.ct.buf, "sealed for the joiner");
	onboarder_free(o);
	msg_onboard_free(&got);
	msg_register_free(&m);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    answer_of_a_relay_network_comes_over_the_relay_alone),
		cmocka_unit_test(refused_request_is_looked_at_again),
		cmocka_unit_test(relay_that_takes_no_answer_is_gone_around),
	};

	(void)signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, setup, teardown);
}
