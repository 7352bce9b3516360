/* SPDX-License-Identifier: Apache-2.0 */
/* Events, report_data, attestations and the app record. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "crypto/hash.h"
#include "protocol/events.h"
#include "protocol/frame.h"
#include "protocol/state.h"
#include "protocol/statements.h"

static void
an_event_is_the_hash_of_its_framed_name_and_data(void **state)
{
	(void)state;
	static const uint8_t text[] = "dstack2/ev/v1"
				      "\x03"
				      "app"
				      "\0\0\0\2"
				      "xy";
	uint8_t want[48], got[48];
	sha384(text, sizeof(text) - 1, want);
	event_digest("app", "xy", 2, got);
	assert_memory_equal(got, want, 48);
	event_digest("appx", "y", 1, got);
	assert_memory_not_equal(got, want, 48);
}

static void
an_app_that_started_never_has_the_register_of_a_joiner(void **state)
{
	(void)state;
	const uint8_t cfg[48] = { 1 };
	uint8_t join[48], r[48] = { 0 }, d[48];
	event_join_rtmr3(cfg, join);
	event_digest("netcfg", cfg, 48, d);
	event_extend(r, d);
	assert_memory_not_equal(r, join, 48); /* too early */
	event_digest("join-ready", "", 0, d);
	event_extend(r, d);
	assert_memory_equal(r, join, 48);
	for (int i = 0; i < 3; i++) { /* one more, again and again */
		event_digest("app-start", "", 0, d);
		event_extend(r, d);
		assert_memory_not_equal(r, join, 48);
	}
	uint8_t swapped[48] = { 0 };
	event_digest("join-ready", "", 0, d);
	event_extend(swapped, d);
	event_digest("netcfg", cfg, 48, d);
	event_extend(swapped, d);
	assert_memory_not_equal(swapped, join, 48);
}

static void
report_data_of_one_purpose_is_never_that_of_another(void **state)
{
	(void)state;
	const uint8_t h[32] = { 5 };
	uint8_t a[64], b[64], c[64];
	stmt_report_register(h, a);
	stmt_report_bootstrap(h, b);
	stmt_report_app(h, "x", 1, c);
	assert_memory_equal(a, h, 32);
	assert_memory_equal(b, h, 32);
	assert_memory_not_equal(a + 32, b + 32, 32);
	assert_memory_not_equal(a + 32, c + 32, 32);
	assert_memory_not_equal(b + 32, c + 32, 32);
	uint8_t purpose[32];
	keccak256("dstack2/rd/register/v1", 22, purpose);
	assert_memory_equal(a + 32, purpose, 32);
}

static void
no_split_of_tag_and_data_attests_the_same(void **state)
{
	(void)state;
	const struct eip712_domain d = { .chain_id = 1 };
	static const char text[] = "unstoppable_tls";
	const uint8_t app[32] = { 1 }, other[32] = { 2 };
	uint8_t seen[sizeof(text)][32];
	for (size_t i = 1; i < sizeof(text); i++) {
		char tag[sizeof(text)] = { 0 };
		memcpy(tag, text, i);
		stmt_app_data(&d, app, 0, tag, text + i,
		    sizeof(text) - 1 - i, seen[i]);
		for (size_t k = 1; k < i; k++)
			assert_memory_not_equal(seen[i], seen[k], 32);
	}
	uint8_t a[32], b[32];
	stmt_app_data(&d, app, 0, "s", "x", 1, a);
	stmt_app_data(&d, other, 0, "s", "x", 1, b);
	assert_memory_not_equal(a, b, 32);
	stmt_app_data(&d, app, 1, "s", "x", 1, b);
	assert_memory_not_equal(a, b, 32);
}

static void
record(uint8_t (*w)[32], uint8_t version, uint8_t not_before, bool stopped,
    const char *name)
{
	memset(w, 0, 8 * 32);
	w[KM_APP_ID][0] = version;
	w[KM_APP_VERSION][31] = version;
	w[KM_APP_VERSION][KM_APP_NOT_BEFORE_AT + 7] = not_before;
	w[KM_APP_VERSION][KM_APP_STOPPED_AT] = stopped ? 1 : 0;
	size_t n = strlen(name);
	if (n <= 31) {
		memcpy(w[KM_APP_NAME], name, n);
		w[KM_APP_NAME][31] = (uint8_t)(2 * n);
	} else {
		w[KM_APP_NAME][31] = (uint8_t)(2 * n + 1);
		memcpy(w[KM_APP_SLOTS], name, n);
	}
}

static void
the_latest_app_runs_from_its_time_on_and_the_one_before_until_then(
    void **state)
{
	(void)state;
	uint8_t w[STATE_APP_SLOTS][32];
	const uint8_t(*words)[32] = (const uint8_t(*)[32])w;
	struct state_app a;
	record(w, 2, 100, false, "new");
	record(w + 8, 1, 0, false, "old");
	assert_int_equal(state_app_decode(words, 99, &a, NULL), DSTACK_OK);
	assert_int_equal(a.version, 1);
	assert_string_equal(a.name, "old");
	assert_int_equal(state_app_decode(words, 100, &a, NULL), DSTACK_OK);
	assert_int_equal(a.version, 2);
	record(w, 2, 100, true, "new");
	assert_int_equal(
	    state_app_decode(words, 100, &a, NULL), DSTACK_E_MISSING);
	record(w + 8, 0, 0, false, "");
	assert_int_equal(
	    state_app_decode(words, 99, &a, NULL), DSTACK_E_MISSING);
}

static void
an_app_name_is_bounded_and_made_printable(void **state)
{
	(void)state;
	uint8_t w[STATE_APP_SLOTS][32];
	const uint8_t(*words)[32] = (const uint8_t(*)[32])w;
	struct state_app a;
	char longest[KM_APP_NAME_MAX + 1];
	memset(longest, 'n', KM_APP_NAME_MAX);
	longest[KM_APP_NAME_MAX] = '\0';
	record(w + 8, 0, 0, false, "");
	record(w, 1, 0, false, longest);
	assert_int_equal(state_app_decode(words, 1, &a, NULL), DSTACK_OK);
	assert_string_equal(a.name, longest);
	w[KM_APP_NAME][30] = 1; /* 256 more */
	assert_int_equal(
	    state_app_decode(words, 1, &a, NULL), DSTACK_E_FORMAT);
	record(w, 1, 0, false, "a\nb\x7f");
	assert_int_equal(state_app_decode(words, 1, &a, NULL), DSTACK_OK);
	assert_string_equal(a.name, "a?b?");
	w[KM_APP_NAME][31] = 64; /* a short form of 32 bytes is none */
	assert_int_equal(
	    state_app_decode(words, 1, &a, NULL), DSTACK_E_FORMAT);
}

static void
unknown_values_of_records_are_no(void **state)
{
	(void)state;
	uint8_t w[32] = { 0 };
	struct state_request q;
	assert_int_equal(state_listed(w), KM_LISTED_NO);
	w[31] = 1;
	assert_int_equal(state_listed(w), KM_LISTED_ALLOWED);
	w[0] = 1;
	assert_int_equal(state_listed(w), KM_LISTED_DENIED);
	w[0] = 0;
	w[31] = 3;
	assert_int_equal(state_listed(w), KM_LISTED_DENIED);
	assert_int_equal(state_request_decode(w, &q), DSTACK_E_FORMAT);
	uint8_t e[KM_EPOCH_SLOTS][32] = { { 0 } };
	struct state_epoch epoch;
	e[KM_EPOCH_KEY][KM_EPOCH_STATE_AT] = 4;
	assert_int_equal(
	    state_epoch_decode((const uint8_t(*)[32])e, &epoch),
	    DSTACK_E_FORMAT);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    an_event_is_the_hash_of_its_framed_name_and_data),
		cmocka_unit_test(
		    an_app_that_started_never_has_the_register_of_a_joiner),
		cmocka_unit_test(
		    report_data_of_one_purpose_is_never_that_of_another),
		cmocka_unit_test(no_split_of_tag_and_data_attests_the_same),
		cmocka_unit_test(
		    the_latest_app_runs_from_its_time_on_and_the_one_before_until_then),
		cmocka_unit_test(an_app_name_is_bounded_and_made_printable),
		cmocka_unit_test(unknown_values_of_records_are_no),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
