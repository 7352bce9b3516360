/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The journal of an app's output, with a host and a clock of this test's: what
 * it costs at most, what is left out is counted, and nothing that was handed
 * over gets another number.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/status.h"
#include "base/wr.h"

static enum dstack_status fake_fetch(int edge, const char *path,
    const void *body, size_t len, struct wr *out, struct why *why);
static int64_t fake_now(void);
#define link_fetch fake_fetch
#define kube_now fake_now
#include "guest/kubernethes/journal.c"
#undef kube_now
#undef link_fetch

static int64_t now_ms = 1000000;
static bool host_takes = true;
static int64_t host_ms; /* how long it takes for an answer */
static unsigned calls;
static struct wr frames[64];
static unsigned nframes;

static int64_t
fake_now(void)
{
	return now_ms;
}

static enum dstack_status
fake_fetch(int edge, const char *path, const void *body, size_t len,
    struct wr *out, struct why *why)
{
	(void)edge;
	(void)out;
	assert_string_equal(path, "/log");
	calls++;
	now_ms += host_ms;
	assert_true(nframes < 64);
	frames[nframes] = wr_new(0);
	wr_put(&frames[nframes++], body, len);
	return host_takes ? DSTACK_OK
			  : why_set(why, DSTACK_E_MISSING, "host: 404");
}

static struct journal j;
static const struct journal_of plain = { .setting.mode = APPLOG_PLAIN,
	.version = 4 };

static int
fresh(void **state)
{
	(void)state;
	for (unsigned i = 0; i < nframes; i++)
		wr_free(&frames[i]);
	nframes = calls = 0;
	host_takes = true;
	host_ms = 0;
	wr_free(&j.lines);
	wr_free(&j.out);
	journal_begin(&j, 0);
	assert_true(j.ready);
	return 0;
}

/* The lines of a frame, each with LF; number and prev checked. */
static void
expect(unsigned i, uint64_t number, const char *lines)
{
	struct applog_frame f;
	static uint8_t text[APPLOG_TEXT_MAX];
	static char got[APPLOG_TEXT_MAX];
	uint8_t prev[32];
	uint8_t hash[32] = { 0 };
	size_t n = 0;

	assert_true(i < nframes);
	assert_int_equal(
	    applog_frame_get(frames[i].buf, frames[i].len, &f), DSTACK_OK);
	assert_int_equal(f.head.number, number);
	assert_memory_equal(f.head.boot, j.boot, 16);
	assert_int_equal(applog_open(&f, NULL, text, &n), DSTACK_OK);
	struct rd r = rd_over(text, n);
	assert_int_equal(applog_prev_get(&r, prev), DSTACK_OK);
	if (number != 0)
		sha256(frames[i - 1].buf, frames[i - 1].len, hash);
	assert_memory_equal(prev, hash, 32);
	got[0] = '\0';
	while (rd_left(&r) != 0) {
		struct applog_line l;
		assert_int_equal(applog_line_get(&r, &l), DSTACK_OK);
		size_t at = strlen(got);
		(void)snprintf(got + at, sizeof(got) - at, "%s%.*s\n",
		    l.from == APPLOG_GUEST ? "!" : "", (int)l.n,
		    (const char *)l.p);
	}
	assert_string_equal(got, lines);
}

static void
line(const char *text)
{
	(void)journal_line(&j, &plain, APPLOG_APP, text, strlen(text));
}

static void
lines_of_a_second_are_one_batch(void **state)
{
	(void)state;
	line("one");
	now_ms += 500;
	line("two");
	journal_step(&j, false);
	assert_int_equal(calls, 0);
	assert_int_equal(journal_wait(&j, now_ms + 9000), now_ms + 500);
	now_ms += 500;
	journal_step(&j, false);
	expect(0, 0, "one\ntwo\n");
	line("three");
	now_ms += 1000;
	journal_step(&j, false);
	expect(1, 1, "three\n");
	journal_step(&j, true);
	assert_int_equal(calls, 2); /* nothing is left */
}

static void
nothing_is_sent_where_nobody_may_read(void **state)
{
	const struct journal_of none = { .setting.mode = APPLOG_NONE };

	(void)state;
	assert_false(journal_line(&j, &none, APPLOG_APP, "x", 1));
	journal_step(&j, true);
	assert_int_equal(calls, 0);
	assert_int_equal(j.left_out, 0);
}

static void
what_the_host_does_not_take_comes_again_as_it_was(void **state)
{
	(void)state;
	host_takes = false;
	line("one");
	journal_step(&j, true);
	line("two");
	now_ms += 1000;
	journal_step(&j, false);
	assert_int_equal(nframes, 2);
	assert_int_equal(frames[0].len, frames[1].len);
	assert_memory_equal(frames[0].buf, frames[1].buf, frames[0].len);
	/* each time after a longer pause */
	int64_t at = journal_wait(&j, INT64_MAX);
	assert_int_equal(at, now_ms + 2000);
	now_ms = at;
	host_takes = true;
	journal_step(&j, false);
	assert_int_equal(nframes, 4);
	expect(2, 0, "one\n");
	expect(3, 1, "two\n");
}

static void
an_app_that_writes_without_end_costs_a_bounded_part(void **state)
{
	char text[APPLOG_LINE_MAX];
	size_t all = 0;
	unsigned taken = 0;

	(void)state;
	memset(text, 'x', sizeof(text));
	/* ten seconds, a hundred lines of a KiB every 10 ms: 100 MB */
	for (int t = 0; t < 1000; t++, now_ms += 10) {
		for (int i = 0; i < 100; i++)
			taken += journal_line(
			    &j, &plain, APPLOG_APP, text, sizeof(text));
		journal_step(&j, false);
	}
	journal_step(&j, true);
	for (unsigned i = 0; i < nframes; i++)
		all += frames[i].len;
	assert_true(all <= BURST_BYTES + 10 * RATE_BYTES + 64 * 256);
	assert_true(all >= 9 * RATE_BYTES);
	assert_true(taken < 1000);
	/* and its owner is told how many are not there */
	unsigned long long left = 0;
	unsigned told = 0;
	for (unsigned i = 0; i < nframes; i++) {
		static uint8_t t[APPLOG_TEXT_MAX];
		struct applog_frame f;
		struct applog_line l;
		size_t n = 0;
		assert_int_equal(applog_frame_get(frames[i].buf,
				     frames[i].len, &f), DSTACK_OK);
		assert_int_equal(applog_open(&f, NULL, t, &n), DSTACK_OK);
		struct rd r = rd_over(t + 32, n - 32);
		while (rd_left(&r) != 0) {
			assert_int_equal(applog_line_get(&r, &l), DSTACK_OK);
			if (l.from != APPLOG_GUEST)
				continue;
			told++;
			left += strtoull((const char *)l.p, NULL, 10);
		}
	}
	assert_true(told >= 5);
	assert_true(left + taken == 100000);
}

static void
a_host_that_is_slow_is_asked_less(void **state)
{
	(void)state;
	host_ms = 5000;
	int64_t start = now_ms;
	while (now_ms < start + 600000) {
		line("x");
		journal_step(&j, false);
		now_ms += 100;
	}
	/* a tenth of the time and no more */
	assert_true(calls >= 9 && calls <= 12);
}

static void
versions_have_batches_of_their_own(void **state)
{
	struct journal_of next = plain;

	(void)state;
	next.version = 5;
	line("old");
	assert_true(journal_line(&j, &next, APPLOG_APP, "new", 3));
	journal_step(&j, true);
	expect(0, 0, "old\n");
	expect(1, 1, "new\n");
	struct applog_frame f;
	assert_int_equal(
	    applog_frame_get(frames[1].buf, frames[1].len, &f), DSTACK_OK);
	assert_int_equal(f.head.version, 5);
	/* where the host takes nothing, one is not sealed for the other */
	host_takes = false;
	line("old");
	journal_step(&j, true);
	line("old again");
	assert_true(journal_line(&j, &next, APPLOG_APP, "new", 3));
	assert_int_equal(j.left_out, 1);
}

static void
a_label_decides_and_else_netcfg(void **state)
{
	struct journal_of of;
	struct why why = { "" };
	char key[] = "dstack.logs";
	char value[65] = "none";
	struct oci_label l = { key, value };
	struct oci_config c = { .labels = NULL };

	(void)state;
	assert_int_equal(journal_of(&c, false, &of, &why), DSTACK_OK);
	assert_true(of.setting.mode == APPLOG_NONE && !of.console);
	assert_int_equal(journal_of(&c, true, &of, &why), DSTACK_OK);
	assert_true(of.setting.mode == APPLOG_PLAIN && of.console);
	c = (struct oci_config){ .labels = &l, .nlabels = 1 };
	assert_int_equal(journal_of(&c, true, &of, &why), DSTACK_OK);
	assert_true(of.setting.mode == APPLOG_NONE && !of.console);
	(void)snprintf(value, sizeof(value), "host");
	assert_int_equal(journal_of(&c, false, &of, &why), DSTACK_OK);
	assert_true(of.setting.mode == APPLOG_PLAIN && !of.console);
	(void)snprintf(value, sizeof(value), "8520f0098930a754748b7ddcb43ef75a"
		      "0dbf3a0d26381af4eba4a98eaa9b4e6a");
	assert_int_equal(journal_of(&c, true, &of, &why), DSTACK_OK);
	assert_true(of.setting.mode == APPLOG_SEALED && !of.console);
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup(f, fresh)
	const struct CMUnitTest tests[] = {
		T(lines_of_a_second_are_one_batch),
		T(nothing_is_sent_where_nobody_may_read),
		T(what_the_host_does_not_take_comes_again_as_it_was),
		T(an_app_that_writes_without_end_costs_a_bounded_part),
		T(a_host_that_is_slow_is_asked_less),
		T(versions_have_batches_of_their_own),
		T(a_label_decides_and_else_netcfg),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
