/* SPDX-License-Identifier: Apache-2.0 */
/* Bootstrap quotes from host to host: host_bed.h says what is real. */
#include <stdatomic.h>

#include "host/relay/gossip.h"
#include "tests/unit/host/host_bed.h"
#include "sim/pki.h"

static struct router *joiner;      /* a host with a folder of its own */
static struct msg_bootstrap right; /* what the chain has */
static char folder[96];
static char file[128];
static atomic_uint wanted; /* asked for on the relay */
static atomic_uint given;

/* Everything that goes over the relay, handed to both hosts. */
static bool
hear(void *arg, const char *line, size_t len)
{
	AUTO_FREE char *text = NULL;
	struct why why;

	(void)arg;
	if (gossip_unwrap(line, len, &text, &why) != DSTACK_OK)
		return true;
	if (strstr(text, "\"bootstrapWanted\"") != NULL)
		atomic_fetch_add(&wanted, 1);
	else if (strstr(text, "\"bootstrap\"") != NULL)
		atomic_fetch_add(&given, 1);
	if (arg != NULL)
		return true;
	(void)router_heard(router, line, len);
	(void)router_heard(joiner, line, len);
	return true;
}

static void
until(atomic_uint *count, unsigned n)
{
	for (int i = 0; i < 400 && atomic_load(count) < n; i++)
		proc_pause_ms(25);
	assert_true(atomic_load(count) >= n);
}

static unsigned
ask_joiner(struct wr *out)
{
	struct route_answer a;

	route_handle(joiner, "/bootstrap-quote/0", NULL, 0, &a);
	unsigned status = a.status;
	if (out != NULL)
		wr_put(out, a.body.buf, a.body.len);
	wr_free(&a.body);
	return status;
}

static void
await_file(void)
{
	for (int i = 0; i < 400 && access(file, R_OK) != 0; i++)
		proc_pause_ms(25);
	assert_int_equal(access(file, R_OK), 0);
}

/* As a line of the relay, to the joiner alone. */
static bool
tell(const struct msg_bootstrap *m)
{
	AUTO_WR struct wr w = wr_new(0);

	wr_str(&w, "{\"data\":");
	msg_bootstrap_build(&w, m);
	wr_str(&w, "}");
	return router_heard(joiner, (const char *)w.buf, w.len);
}

static void
sign_as(struct msg_bootstrap *m, const struct secret32 *key)
{
	uint8_t digest[32];

	stmt_bootstrap_digest(&m->s, &domain, digest);
	assert_int_equal(secp_sign(key, digest, NULL, m->sig), DSTACK_OK);
}

/* A quote that holds the statement, as a guest makes it. */
static void
quote_for(struct msg_bootstrap *m)
{
	struct sim_world *w = calloc(1, sizeof(*w));
	uint8_t digest[32];

	assert_non_null(w);
	sim_world_init(w, "birth", SIM_CA_PLATFORM, 1800000000);
	stmt_bootstrap_digest(&m->s, &domain, digest);
	stmt_report_bootstrap(digest, w->quote.td.reportdata);
	wr_free(&m->ev.quote);
	m->ev.quote = wr_new(0);
	assert_int_equal(sim_world_quote(w, &m->ev.quote), DSTACK_OK);
	free(w);
}

/* Bootstrapped through router, whose folder then has the message. */
static int
setup_birth(void **state)
{
	AUTO_WR struct wr body = wr_new(0);

	if (setup(state) != 0 || router == NULL)
		return 0;
	make_bootstrap(&right);
	quote_for(&right);
	msg_bootstrap_build(&body, &right);
	assert_int_equal(ask("/bootstrap", &body, NULL), 200);
	return 0;
}

static int
teardown_birth(void **state)
{
	msg_bootstrap_free(&right);
	return teardown(state);
}

static int
each(void **state)
{
	static unsigned n;

	(void)state;
	if (router == NULL)
		return 0;
	(void)snprintf(folder, sizeof(folder), "%s/joiner%u", dir, n++);
	(void)snprintf(
	    file, sizeof(file), "%s/bootstrap-quote-0.json", folder);
	atomic_store(&wanted, 0);
	atomic_store(&given, 0);
	assert_int_equal(router_new(&cfg, rpc, folder, &joiner, NULL), 0);
	return 0;
}

static int
each_after(void **state)
{
	(void)state;
	router_free(joiner);
	joiner = NULL;
	return 0;
}

/* A host that has it is asked, and hears right from elsewhere before its turn. */
static bool
gives_after_another(void)
{
	struct msg_wanted w = { .chain_id = 31337, .epoch = 0 };
	AUTO_WR struct wr line = wr_new(0);
	struct router *third = NULL;
	char other[96];
	bool gives = false;

	atomic_store(&given, 0);
	(void)snprintf(other, sizeof(other), "%s/auditing", dir);
	assert_int_equal(router_new(&cfg, rpc, other, &third, NULL), 0);
	memcpy(w.contract, cfg.contract, 20);
	wr_str(&line, "{\"data\":");
	msg_wanted_build(&line, &w);
	wr_str(&line, "}");
	assert_true(router_heard(third, (const char *)line.buf, line.len));
	wr_free(&line);
	line = wr_new(0);
	wr_str(&line, "{\"data\":");
	msg_bootstrap_build(&line, &right);
	wr_str(&line, "}");
	assert_true(router_heard(third, (const char *)line.buf, line.len));
	for (int i = 0; i < 28 && !gives; i++) {
		proc_pause_ms(25);
		gives = atomic_load(&given) > 0;
	}
	router_free(third);
	return gives;
}

static void
who_hears_it_from_another_gives_nothing(void **state)
{
	const struct onboarder_options o = { .other = hear, .arg = &wanted };
	struct onboarder *listener = NULL;

	(void)state;
	if (router == NULL)
		skip();
	assert_int_equal(
	    onboarder_new(&cfg, rpc, &o, &listener, NULL), DSTACK_OK);
	until(&given, 1); /* the relay has kept that of the test before */
	/* its turn may come at once, by chance: not every time */
	bool each_time = true;
	for (int i = 0; i < 4 && each_time; i++)
		each_time = gives_after_another();
	assert_false(each_time);
	onboarder_free(listener);
}

static void
a_host_without_it_gets_it_from_one_that_has_it(void **state)
{
	const struct onboarder_options o = { .other = hear };
	struct onboarder *listener = NULL;
	struct msg_bootstrap got;
	AUTO_WR struct wr text = wr_new(0);

	(void)state;
	if (router == NULL)
		skip();
	assert_int_equal(
	    onboarder_new(&cfg, rpc, &o, &listener, NULL), DSTACK_OK);
	assert_int_equal(ask_joiner(NULL), 404);
	await_file();
	assert_int_equal(ask_joiner(&text), 200);
	onboarder_free(listener);
	assert_int_equal(
	    msg_bootstrap_parse(text.buf, text.len, &got, NULL), DSTACK_OK);
	assert_int_equal(got.ev.quote.len, right.ev.quote.len);
	assert_memory_equal(
	    got.ev.quote.buf, right.ev.quote.buf, got.ev.quote.len);
	/* the collateral is its own host's, not the giver's */
	assert_true(got.ev.collateral.len > 4000);
	msg_bootstrap_free(&got);
}

static void
what_is_not_the_chains_is_not_kept(void **state)
{
	const struct onboarder_options o = { .other = hear, .arg = &wanted };
	struct onboarder *listener = NULL;
	struct msg_bootstrap m = right;
	struct msg_bootstrap got;
	struct wr quote = right.ev.quote;

	(void)state;
	if (router == NULL)
		skip();
	assert_true(tell(&right)); /* nobody asked for it */
	assert_int_equal(
	    onboarder_new(&cfg, rpc, &o, &listener, NULL), DSTACK_OK);
	assert_int_equal(ask_joiner(NULL), 404);
	until(&wanted, 1);
	onboarder_free(listener);
	assert_int_not_equal(access(file, F_OK), 0);
	/* another quote */
	m.ev.quote = wr_new(0);
	wr_put(&m.ev.quote, quote.buf, quote.len);
	m.ev.quote.buf[700] ^= 1;
	assert_true(tell(&m));
	wr_free(&m.ev.quote);
	m.ev.quote = quote;
	/* another epoch, or seed */
	m.s.epoch = 1;
	sign_as(&m, &net_key);
	assert_true(tell(&m));
	m.s.epoch = 0;
	m.s.seed_commit[0] ^= 1;
	sign_as(&m, &net_key);
	assert_true(tell(&m));
	m.s.seed_commit[0] ^= 1;
	/* another key, with or without its name */
	sign_as(&m, &node_key);
	assert_true(tell(&m));
	memcpy(m.s.xpub, cfg.submitter, 20);
	sign_as(&m, &cfg.privkey);
	assert_true(tell(&m));
	memcpy(m.s.xpub, xpub, 20);
	/* signed by the right key, but the quote holds another statement */
	m.s.anchor_number++;
	sign_as(&m, &net_key);
	assert_true(tell(&m));
	m.s.anchor_number--;
	/* a signature of this statement, for another contract */
	domain.contract[3] ^= 1;
	sign_as(&m, &net_key);
	domain.contract[3] ^= 1;
	assert_true(tell(&m));
	/* the first that is taken is the last */
	assert_true(tell(&right));
	await_file();
	AUTO_WR struct wr text = wr_new(0);
	assert_int_equal(ask_joiner(&text), 200);
	assert_int_equal(
	    msg_bootstrap_parse(text.buf, text.len, &got, NULL), DSTACK_OK);
	assert_memory_equal(&got.s, &right.s, sizeof(got.s));
	assert_memory_equal(got.sig, right.sig, sizeof(got.sig));
	assert_memory_equal(
	    got.ev.quote.buf, right.ev.quote.buf, right.ev.quote.len);
	msg_bootstrap_free(&got);
}

static void
put_file(const struct msg_bootstrap *m)
{
	AUTO_WR struct wr w = wr_new(0);

	msg_bootstrap_build(&w, m);
	FILE *f = fopen(file, "w");
	assert_non_null(f);
	(void)fwrite(w.buf, 1, w.len, f);
	(void)fclose(f);
}

static void
a_file_that_is_not_the_chains_is_no_answer(void **state)
{
	struct msg_bootstrap m = right;
	struct wr quote = right.ev.quote;

	(void)state;
	if (router == NULL)
		skip();
	m.s.seed_commit[0] ^= 1;
	sign_as(&m, &net_key);
	put_file(&m);
	assert_int_equal(ask_joiner(NULL), 404);
	m.s.seed_commit[0] ^= 1;
	memcpy(m.s.xpub, cfg.submitter, 20);
	sign_as(&m, &cfg.privkey);
	put_file(&m);
	assert_int_equal(ask_joiner(NULL), 404);
	memcpy(m.s.xpub, xpub, 20);
	sign_as(&m, &net_key);
	m.ev.quote = wr_new(0);
	wr_put(&m.ev.quote, quote.buf, quote.len - 1);
	put_file(&m);
	wr_free(&m.ev.quote);
	assert_int_equal(ask_joiner(NULL), 404);
	put_file(&right);
	assert_int_equal(ask_joiner(NULL), 200);
}

static void
another_networks_file_is_replaced_and_kept(void **state)
{
	struct msg_bootstrap m = right;
	AUTO_WR struct wr w = wr_new(0);

	(void)state;
	if (router == NULL)
		skip();
	m.s.anchor_number++; /* its signature is of no statement here */
	msg_bootstrap_build(&w, &m);
	put_file(&m);
	const struct onboarder_options o = { .other = hear };
	struct onboarder *listener = NULL;
	assert_int_equal(
	    onboarder_new(&cfg, rpc, &o, &listener, NULL), DSTACK_OK);
	for (int i = 0; i < 400 && ask_joiner(NULL) != 200; i++)
		proc_pause_ms(25);
	assert_int_equal(ask_joiner(NULL), 200);
	onboarder_free(listener);
	uint8_t h[32];
	char hex[9];
	char other[200];
	AUTO_WR struct wr sized = wr_new(0);
	wr_u64be(&sized, w.len); /* as it was read */
	wr_put(&sized, w.buf, w.len);
	sha256(sized.buf, sized.len, h);
	hex_encode(h, 4, hex);
	(void)snprintf(other, sizeof(other),
	    "%s/other-%s-bootstrap-quote-0.json", folder, hex);
	assert_int_equal(access(other, R_OK), 0);
}

static void
push_wanted(const struct msg_wanted *w)
{
	AUTO_WR struct wr text = wr_new(0);
	struct why why;

	msg_wanted_build(&text, w);
	wr_u8(&text, 0);
	assert_int_equal(gossip_push(cfg.pubsub_url, (const char *)text.buf,
	                     &why),
	    DSTACK_OK);
}

/* For longer than hosts wait before they give. */
static void
stays(const atomic_uint *count, unsigned n)
{
	for (int i = 0; i < 28; i++) {
		assert_int_equal(atomic_load(count), n);
		proc_pause_ms(25);
	}
}

static void
it_is_given_once_in_a_while_and_for_this_network_alone(void **state)
{
	const struct onboarder_options o = { .other = hear };
	struct onboarder *listener = NULL;
	struct msg_wanted w = { .chain_id = 31337, .epoch = 0 };

	(void)state;
	if (router == NULL)
		skip();
	assert_int_equal(
	    onboarder_new(&cfg, rpc, &o, &listener, NULL), DSTACK_OK);
	w.epoch = 3; /* which it has none of */
	memcpy(w.contract, cfg.contract, 20);
	push_wanted(&w);
	w.epoch = 0;
	w.chain_id++;
	push_wanted(&w);
	w.chain_id--;
	w.contract[0] ^= 1;
	push_wanted(&w);
	w.contract[0] ^= 1;
	until(&wanted, 3);
	stays(&given, 0);
	for (int i = 0; i < 5; i++)
		push_wanted(&w);
	until(&given, 1);
	for (int i = 0; i < 5; i++)
		push_wanted(&w);
	until(&wanted, 13);
	stays(&given, 1);
	onboarder_free(listener);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, each, each_after)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(it_is_given_once_in_a_while_and_for_this_network_alone),
		TEST(who_hears_it_from_another_gives_nothing),
		TEST(a_host_without_it_gets_it_from_one_that_has_it),
		TEST(what_is_not_the_chains_is_not_kept),
		TEST(a_file_that_is_not_the_chains_is_no_answer),
		TEST(another_networks_file_is_replaced_and_kept),
	};

	return cmocka_run_group_tests(tests, setup_birth, teardown_birth);
}
