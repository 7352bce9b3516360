/* SPDX-License-Identifier: Apache-2.0 */
/* What an app has of the role tee: quotes as it wants them, and events. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/guest/tee/tee_bed.h"

static enum ipc_status
raw_quote(struct tee_state *s, enum role from, const uint8_t *rd, size_t n,
    struct wr *out)
{
	return ask(s, from, TEE_QUOTE_RAW, rd, n, out);
}

static void
an_apps_own_report_data_is_never_a_purpose_of_the_network(void **state)
{
	(void)state;
	struct tee_state s;
	const uint8_t id[32] = { 5 };
	uint8_t rd[64] = "hello";
	AUTO_WR struct wr out = wr_new(0);
	to_ready(&s);
	assert_int_equal(
	    raw_quote(&s, ROLE_GUEST_SERVICE, rd, 64, &out), IPC_LATER);
	assert_int_equal(event(&s, ROLE_REPLICATOOR, "joined", 28), IPC_YES);
	assert_int_equal(
	    raw_quote(&s, ROLE_GUEST_SERVICE, rd, 64, &out), IPC_YES);
	assert_memory_equal(out.buf + 4, rd, 64);
	for (size_t n = 0; n < 64; n++)
		assert_int_equal(raw_quote(&s, ROLE_GUEST_SERVICE, rd, n,
		    &out), IPC_REFUSED);
	for (int r = 0; r < ROLE_COUNT; r++)
		if (r != ROLE_GUEST_SERVICE)
			assert_int_equal(raw_quote(&s, (enum role)r, rd, 64,
			    &out), IPC_REFUSED);
	stmt_report_register(id, rd);
	assert_int_equal(
	    raw_quote(&s, ROLE_GUEST_SERVICE, rd, 64, &out), IPC_REFUSED);
	rd[0] ^= 1; /* nor with any first half */
	assert_int_equal(
	    raw_quote(&s, ROLE_GUEST_SERVICE, rd, 64, &out), IPC_REFUSED);
	stmt_report_bootstrap(id, rd);
	assert_int_equal(
	    raw_quote(&s, ROLE_GUEST_SERVICE, rd, 64, &out), IPC_REFUSED);
	stmt_report_app(id, "x", 1, rd);
	assert_int_equal(
	    raw_quote(&s, ROLE_GUEST_SERVICE, rd, 64, &out), IPC_REFUSED);
	rd[63] ^= 1;
	assert_int_equal(
	    raw_quote(&s, ROLE_GUEST_SERVICE, rd, 64, &out), IPC_YES);
}

static enum ipc_status
emit(struct tee_state *s, enum role from, const char *name, size_t n)
{
	static const uint8_t zero[2048] = { 0 };
	AUTO_WR struct wr data = wr_new(0);
	AUTO_WR struct wr w = wr_new(0);
	AUTO_WR struct wr out = wr_new(0);
	wr_zero(&data, 32);
	wr_text(&data, name);
	wr_blob(&data, zero, n);
	wr_text(&w, "app-event");
	wr_blob(&w, data.buf, data.len);
	return ask(s, from, TEE_EXTEND, w.buf, w.len, &out);
}

/* RTMR3 by the log that the role gives out. */
static bool
replays(struct tee_state *s, size_t *count)
{
	AUTO_WR struct wr out = wr_new(0);
	uint8_t whole;
	const uint8_t *p;
	size_t n;
	uint8_t rtmr[48] = { 0 };
	assert_int_equal(
	    ask(s, ROLE_GUEST_SERVICE, TEE_EVENTS, "", 0, &out), IPC_YES);
	struct rd r = rd_over(out.buf, out.len);
	assert_int_equal(rd_u8(&r, &whole), DSTACK_OK);
	assert_int_equal(rd_blob(&r, TEE_LOG_MAX, &p, &n), DSTACK_OK);
	assert_int_equal(rd_end(&r), DSTACK_OK);
	r = rd_over(p, n);
	for (*count = 0; rd_left(&r) > 0; (*count)++) {
		char name[EVENT_NAME_MAX + 1];
		uint8_t d[48];
		assert_int_equal(
		    rd_text(&r, name, sizeof(name)), DSTACK_OK);
		assert_int_equal(
		    rd_blob(&r, EVENT_DATA_MAX, &p, &n), DSTACK_OK);
		event_digest(name, p, (uint32_t)n, d);
		event_extend(rtmr, d);
	}
	return whole == 1 && memcmp(rtmr, fake.rtmr[3], 48) == 0;
}

static void
an_apps_events_are_bounded_and_the_log_replays_to_rtmr3(void **state)
{
	(void)state;
	static const char long_name[] =
	    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
	static const char *const taken[] = { "netcfg", "join-ready", "joined",
		"app", "app-start", "app-event", "", long_name };
	struct tee_state s;
	size_t n = 0;
	to_ready(&s);
	assert_int_equal(emit(&s, ROLE_GUEST_SERVICE, "mine", 5), IPC_LATER);
	assert_int_equal(event(&s, ROLE_REPLICATOOR, "joined", 28), IPC_YES);
	for (int r = 0; r < ROLE_COUNT; r++)
		if (r != ROLE_GUEST_SERVICE)
			assert_int_equal(emit(&s, (enum role)r, "mine", 5),
			    IPC_REFUSED);
	for (size_t i = 0; i < sizeof(taken) / sizeof(taken[0]); i++)
		assert_int_equal(emit(&s, ROLE_GUEST_SERVICE, taken[i], 0),
		    IPC_REFUSED);
	assert_int_equal(
	    emit(&s, ROLE_GUEST_SERVICE, long_name + 1, 0), IPC_YES);
	assert_int_equal(emit(&s, ROLE_GUEST_SERVICE, "mine", 1025),
	    IPC_REFUSED);
	assert_int_equal(emit(&s, ROLE_GUEST_SERVICE, "mine", 1024), IPC_YES);
	assert_true(replays(&s, &n));
	assert_int_equal(n, 5);
	/* an app's share of the log has an end; the guest's own goes on */
	int more = 0;
	while (emit(&s, ROLE_GUEST_SERVICE, "mine", 1024) == IPC_YES)
		assert_true(++more < 100);
	assert_int_equal(event(&s, ROLE_KUBERNETHES, "app", 72), IPC_YES);
	assert_true(replays(&s, &n));
	assert_int_equal(n, (size_t)more + 6);
	/* a log without room says that it is not whole; events still count */
	for (int i = 0; i < 3000; i++)
		assert_int_equal(
		    event(&s, ROLE_KUBERNETHES, "app-start", 0), IPC_YES);
	assert_memory_equal(s.rtmr3, fake.rtmr[3], 48);
	assert_false(replays(&s, &n));
	assert_false(s.log_whole);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    an_apps_own_report_data_is_never_a_purpose_of_the_network),
		cmocka_unit_test(
		    an_apps_events_are_bounded_and_the_log_replays_to_rtmr3),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
