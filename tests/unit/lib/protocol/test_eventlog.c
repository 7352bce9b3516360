/* SPDX-License-Identifier: Apache-2.0 */
/* Logs of RTMR3: the quote's own is told of, any other is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "base/hex.h"
#include "base/own.h"
#include "base/wr.h"
#include "protocol/eventlog.h"
#include "protocol/events.h"

static uint8_t rtmr3[48];

/* Append an event, hashed as the role tee does, and extend rtmr3. */
static void
add(json_t *list, const char *name, const void *p, size_t n, bool app)
{
	AUTO_WR struct wr w = wr_new(0);
	AUTO_WR struct wr hex = wr_new(0);
	uint8_t d[48];
	char digest[97];
	const uint8_t id[32] = { 0xaa };
	if (app) {
		wr_put(&w, id, 32);
		wr_text(&w, name);
		wr_blob(&w, p, n);
		event_digest("app-event", w.buf, (uint32_t)w.len, d);
	} else {
		event_digest(name, p, (uint32_t)n, d);
	}
	event_extend(rtmr3, d);
	hex_encode(d, 48, digest);
	wr_hex(&hex, p, n);
	wr_u8(&hex, 0);
	(void)json_array_append_new(list,
	    json_pack("{s:i,s:I,s:s,s:s,s:s}", "imr", 3, "event_type",
		(json_int_t)(app ? EVENTLOG_APP : EVENTLOG_GUEST), "digest",
		digest, "event", name, "event_payload", (char *)hex.buf));
}

static json_t *
boot(void)
{
	static const uint8_t zero[72] = { 0 };
	uint8_t joined[28] = { [7] = 5, [8] = 0x11 };
	uint8_t app[72] = { [0] = 0xaa, [32] = 0xdd, [71] = 3 };
	json_t *l = json_array();
	memset(rtmr3, 0, sizeof(rtmr3));
	add(l, "netcfg", zero, 48, false);
	add(l, "join-ready", zero, 0, false);
	add(l, "joined", joined, 28, false);
	add(l, "app", app, 72, false);
	add(l, "app-start", zero, 0, false);
	add(l, "loaded", "v1", 2, true);
	app[32] = 0xde;
	app[71] = 4;
	add(l, "app", app, 72, false);
	return l;
}

static enum dstack_status
replay(const json_t *l, struct eventlog *out)
{
	struct why why = { "" };
	AUTO_FREE char *text = json_dumps(l, JSON_COMPACT);
	enum dstack_status st =
	    eventlog_replay(text, strlen(text), rtmr3, out, &why);
	assert_true(st == DSTACK_OK || why.text[0] != '\0');
	return st;
}

static void
a_log_tells_every_version_that_was_started(void **state)
{
	(void)state;
	struct eventlog log;
	json_t *l = boot();
	assert_int_equal(replay(l, &log), DSTACK_OK);
	assert_int_equal(log.events, 7);
	assert_true(log.joined);
	assert_int_equal(log.epoch, 5);
	assert_int_equal(log.xpub[0], 0x11);
	assert_int_equal(log.apps, 2);
	assert_int_equal(log.app[0].version, 3);
	assert_int_equal(log.app[0].digest[0], 0xdd);
	assert_int_equal(log.app[1].version, 4);
	assert_int_equal(log.app[1].app_id[0], 0xaa);
	json_decref(l);
}

static void
a_log_that_is_cut_moved_or_repeated_is_refused(void **state)
{
	(void)state;
	struct eventlog log;
	for (size_t i = 0; i < 7; i++) {
		json_t *l = boot();
		(void)json_array_remove(l, i);
		assert_int_not_equal(replay(l, &log), DSTACK_OK);
		json_decref(l);
		l = boot();
		(void)json_array_insert(l, i, json_array_get(l, i));
		assert_int_not_equal(replay(l, &log), DSTACK_OK);
		json_decref(l);
		l = boot();
		rtmr3[i] ^= 1;
		assert_int_equal(replay(l, &log), DSTACK_E_REJECTED);
		json_decref(l);
	}
}

/* One member of one event is another. */
static enum dstack_status
bent(size_t i, const char *key, json_t *value)
{
	struct eventlog log;
	json_t *l = boot();
	(void)json_object_set_new(json_array_get(l, i), key, value);
	enum dstack_status st = replay(l, &log);
	json_decref(l);
	return st;
}

static void
each_member_of_an_event_counts(void **state)
{
	(void)state;
	assert_int_equal(bent(0, "imr", json_integer(2)), DSTACK_E_FORMAT);
	assert_int_equal(bent(0, "imr", json_string("3")), DSTACK_E_FORMAT);
	assert_int_equal(
	    bent(0, "event_type", json_integer(4)), DSTACK_E_FORMAT);
	assert_int_equal(bent(0, "more", json_integer(4)), DSTACK_E_FORMAT);
	assert_int_equal(bent(0, "digest", json_string("00")),
	    DSTACK_E_FORMAT);
	assert_int_equal(bent(3, "event_payload", json_string("00")),
	    DSTACK_E_FORMAT);
	assert_int_equal(bent(3, "event_payload", json_null()),
	    DSTACK_E_FORMAT);
	assert_int_equal(bent(5, "event_payload", json_string("7631ff")),
	    DSTACK_E_REJECTED);
	assert_int_equal(bent(5, "event", json_string("loadee")),
	    DSTACK_E_REJECTED);
	/* an app's event is never one of the guest's, nor the other way */
	assert_int_equal(bent(5, "event", json_string("app")),
	    DSTACK_E_FORMAT);
	assert_int_equal(bent(5, "event", json_string("")), DSTACK_E_FORMAT);
	assert_int_equal(bent(5, "event_type", json_integer(EVENTLOG_GUEST)),
	    DSTACK_E_FORMAT);
	assert_int_equal(bent(4, "event_type", json_integer(EVENTLOG_APP)),
	    DSTACK_E_FORMAT);
}

/*
 * A whole chain of its own, over a name that the guest has not given: the
 * digests fit, so only the kind of the event can say no.
 */
static void
names_are_those_of_guests_even_where_the_digests_fit(void **state)
{
	(void)state;
	static const uint8_t data[73] = { 0 };
	struct eventlog log;
	static const struct {
		const char *name;
		size_t n;
		bool app;
	} odd[] = {
		{ "other", 0, false },
		{ "app-event", 2, false },
		{ "app", 71, false },
		{ "app", 73, false },
		{ "app-start", 1, false },
		{ "app-start", 0, true },
	};
	for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
		json_t *l = boot();
		add(l, odd[i].name, data, odd[i].n, odd[i].app);
		assert_int_equal(replay(l, &log), DSTACK_E_FORMAT);
		json_decref(l);
	}
	json_t *l = json_array();
	memset(rtmr3, 0, sizeof(rtmr3));
	add(l, "loaded", "v1", 2, true); /* before there is an app */
	assert_int_equal(replay(l, &log), DSTACK_E_FORMAT);
	json_decref(l);
	l = boot();
	for (int i = 2; i < EVENTLOG_APPS; i++)
		add(l, "app", data, 72, false);
	assert_int_equal(replay(l, &log), DSTACK_OK);
	add(l, "app", data, 72, false);
	assert_int_equal(replay(l, &log), DSTACK_E_LIMIT);
	json_decref(l);
}

static void
text_that_is_no_list_is_refused(void **state)
{
	(void)state;
	static const char *const bad[] = { "", "{}", "[", "[1]", "[{}]",
		"[[]]", "[] []" };
	struct eventlog log;
	struct why why;
	const uint8_t zero[48] = { 0 };
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(eventlog_replay(bad[i], strlen(bad[i]), zero,
		    &log, &why), DSTACK_E_FORMAT);
	assert_int_equal(
	    eventlog_replay("[]", 2, zero, &log, &why), DSTACK_OK);
	assert_int_equal(log.apps, 0);
	AUTO_FREE char *big = calloc(1, EVENTLOG_MAX + 1);
	memset(big, ' ', EVENTLOG_MAX + 1);
	assert_int_equal(eventlog_replay(big, EVENTLOG_MAX + 1, zero, &log,
	    &why), DSTACK_E_LIMIT);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_log_tells_every_version_that_was_started),
		cmocka_unit_test(
		    a_log_that_is_cut_moved_or_repeated_is_refused),
		cmocka_unit_test(each_member_of_an_event_counts),
		cmocka_unit_test(
		    names_are_those_of_guests_even_where_the_digests_fit),
		cmocka_unit_test(text_that_is_no_list_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
