/* SPDX-License-Identifier: Apache-2.0 */
/* Signs of life over the relay: host_bed.h says what is real. */
#include <stdatomic.h>

#include "protocol/signs.h"
#include "tests/unit/host/host_bed.h"

static atomic_uint lines; /* of the relay that were signs of life */

static bool
hear(void *arg, const char *line, size_t len)
{
	bool ours = router_heard(arg, line, len);
	if (ours)
		atomic_fetch_add(&lines, 1);
	return ours;
}

static void
sign_text(struct wr *w, uint8_t node, uint64_t number, const struct secret32 *key)
{
	struct msg_heartbeat m = { .s = { .anchor_number = number } };
	uint8_t digest[32];
	memset(m.s.node, node, 20);
	stmt_heartbeat_digest(&m.s, &domain, digest);
	assert_int_equal(secp_sign(key, digest, NULL, m.sig), DSTACK_OK);
	msg_heartbeat_build(w, &m);
}

/* As another host would, over the relay; waits until it was heard. */
static void
say(uint8_t node, uint64_t number, const struct secret32 *key)
{
	char url[CONFIG_TEXT + 8];
	unsigned status = 0;
	const unsigned before = atomic_load(&lines);
	AUTO_WR struct wr w = wr_new(0);
	sign_text(&w, node, number, key);
	(void)snprintf(url, sizeof(url), "%s/push", cfg.pubsub_url);
	struct http_request q = {
		.url = url, .body = w.buf, .bodylen = w.len
	};
	assert_int_equal(http_do(&q, &status, NULL, NULL, NULL), DSTACK_OK);
	assert_int_equal(status, 200);
	for (int i = 0; i < 400 && atomic_load(&lines) == before; i++)
		proc_pause_ms(25);
	assert_true(atomic_load(&lines) > before);
}

static size_t
listed(struct msg_heartbeat *out)
{
	struct signs_of of = { .domain = domain };
	AUTO_WR struct wr w = wr_new(0);
	memcpy(of.xpub, xpub, 20);
	assert_int_equal(ask("/signs", NULL, &w), 200);
	return signs_take(w.buf, w.len - 1, &of, NULL, out, 8);
}

/* Of the nodes 2, 4 and self, how many come before self for id. */
static int
expected(uint8_t self, const uint8_t id[static 32])
{
	const uint8_t node[3] = { 2, 4, self };
	uint8_t h[3][32];
	int before = 0;
	for (size_t i = 0; i < 3; i++) {
		uint8_t b[52];
		memcpy(b, id, 32);
		memset(b + 32, node[i], 20);
		keccak256(b, sizeof(b), h[i]);
	}
	for (size_t i = 0; i < 2; i++)
		before += memcmp(h[i], h[2], 32) < 0;
	return before;
}

/* Each id has an order of its own, in which all of them come first at times. */
static void
turns_are(uint8_t self)
{
	struct onboarder_options o;
	unsigned count[3] = { 0 };
	router_onboarder(router, &o);
	for (unsigned i = 0; i < 60; i++) {
		uint8_t id[32] = { (uint8_t)i };
		const int rank = o.rank(o.arg, id);
		assert_int_equal(rank, expected(self, id));
		count[rank]++;
	}
	for (size_t i = 0; i < 3; i++)
		assert_true(count[i] > 5);
}

static void
signs_are_kept_if_the_networks_key_signed_them(void **state)
{
	struct onboarder *o = NULL;
	struct onboarder_options opt = { .other = hear, .arg = router };
	struct msg_bootstrap boot;
	struct msg_heartbeat m[8];
	AUTO_WR struct wr body = wr_new(0);
	AUTO_WR struct wr own = wr_new(0);
	AUTO_WR struct wr raw = wr_new(0);

	(void)state;
	if (router == NULL)
		skip();
	make_bootstrap(&boot);
	msg_bootstrap_build(&body, &boot);
	assert_int_equal(ask("/bootstrap", &body, NULL), 200);
	msg_bootstrap_free(&boot);
	assert_int_equal(
	    onboarder_new(&cfg, rpc, &opt, &o, NULL), DSTACK_OK);

	/* before its own guest has joined: heard, and not judged yet */
	say(2, 10, &net_key);
	say(3, 10, &node_key);
	assert_int_equal(listed(m), 0);
	assert_int_equal(router_others(router), -1);
	struct onboarder_options turn;
	router_onboarder(router, &turn);
	assert_int_equal(turn.rank(turn.arg, (uint8_t[32]){ 1 }), -1);
	assert_true(turn.sees(turn.arg, UINT64_MAX)); /* no view=beacon here */

	/* a host whose guest says nonsense tells the relay nothing */
	sign_text(&own, 1, 10, &node_key);
	assert_int_not_equal(ask("/sign", &own, NULL), 200);
	assert_int_equal(router_others(router), -1);
	own.len = 0;
	const unsigned before = atomic_load(&lines);
	sign_text(&own, 1, 10, &net_key);
	assert_int_equal(ask("/sign", &own, NULL), 200);
	for (int i = 0; i < 400 && atomic_load(&lines) == before; i++)
		proc_pause_ms(25);
	assert_int_equal(atomic_load(&lines), before + 1); /* its own */
	assert_int_equal(listed(m), 2);
	assert_int_equal(router_others(router), 1);

	say(4, 7, &net_key);
	say(4, 9, &net_key);
	say(4, 8, &net_key); /* an old one, said again */
	say(5, 9, &node_key);
	assert_int_equal(listed(m), 3);
	for (size_t i = 0; i < 3; i++)
		if (m[i].s.node[0] == 4)
			assert_int_equal(m[i].s.anchor_number, 9);
	assert_int_equal(router_others(router), 2);
	/* nothing unsigned is even listed */
	assert_int_equal(ask("/signs", NULL, &raw), 200);
	assert_null(strstr((const char *)raw.buf, "0505050505"));

	turns_are(1);

	/* its guest starts anew and has another key: no node more than before */
	own.len = 0;
	sign_text(&own, 9, 10, &net_key);
	assert_int_equal(ask("/sign", &own, NULL), 200);
	assert_int_equal(listed(m), 3);
	turns_are(9);

	/* the relay is gone: who is left is not known */
	proc_stop(&relay, 0);
	assert_int_not_equal(ask("/sign", &own, NULL), 200);
	assert_int_equal(router_others(router), -1);
	onboarder_free(o);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    signs_are_kept_if_the_networks_key_signed_them),
	};

	(void)signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, setup, teardown);
}
