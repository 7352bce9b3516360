/* SPDX-License-Identifier: Apache-2.0 */
/* Which of the contract's two app records a guest runs, and when (T44). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "protocol/state.h"

#define LATEST 0
#define PREVIOUS (STATE_APP_SLOTS / 2)
#define NOW 1000

static uint8_t words[STATE_APP_SLOTS][32];

static void
record(size_t at, uint8_t version, uint16_t not_before, bool stopped)
{
	memset(words[at], 0, 8 * 32);
	words[at + KM_APP_DIGEST][0] = version;
	uint8_t *w = words[at + KM_APP_VERSION];
	w[KM_APP_STOPPED_AT] = stopped;
	w[KM_APP_NOT_BEFORE_AT + 6] = (uint8_t)(not_before >> 8);
	w[KM_APP_NOT_BEFORE_AT + 7] = (uint8_t)not_before;
	w[KM_APP_VERSION_AT + 7] = version;
	memcpy(words[at + KM_APP_NAME], "shop", 4);
	words[at + KM_APP_NAME][31] = 8;
}

static enum dstack_status
decode(uint64_t now, struct state_app *a, struct why *why)
{
	why->text[0] = '\0';
	return state_app_decode((const uint8_t(*)[32])words, now, a, why);
}

static void
a_pending_digest_is_not_run_before_its_time(void **state)
{
	(void)state;
	struct state_app a;
	struct why why;
	record(PREVIOUS, 1, 10, false);
	record(LATEST, 2, NOW, false);
	assert_int_equal(decode(NOW - 1, &a, &why), DSTACK_OK);
	assert_int_equal(a.version, 1);
	assert_int_equal(a.digest[0], 1);
	assert_int_equal(decode(NOW, &a, &why), DSTACK_OK);
	assert_int_equal(a.version, 2);
	assert_string_equal(a.name, "shop");
}

static void
with_no_record_before_it_a_pending_one_leaves_nothing_to_run(void **state)
{
	(void)state;
	struct state_app a;
	struct why why;
	record(PREVIOUS, 0, 0, false);
	record(LATEST, 1, NOW, false);
	assert_int_equal(decode(NOW - 1, &a, &why), DSTACK_E_MISSING);
	assert_non_null(strstr(why.text, "notice"));
	record(LATEST, 0, 0, false);
	assert_int_equal(decode(NOW, &a, &why), DSTACK_E_MISSING);
}

static void
a_stopped_record_is_run_by_nobody(void **state)
{
	(void)state;
	struct state_app a;
	struct why why;
	record(PREVIOUS, 1, 10, false);
	record(LATEST, 2, NOW, true);
	assert_int_equal(decode(NOW, &a, &why), DSTACK_E_MISSING);
	assert_non_null(strstr(why.text, "stopped"));
}

static void
a_malformed_name_is_refused(void **state)
{
	(void)state;
	struct state_app a;
	struct why why;
	record(PREVIOUS, 1, 10, false);
	record(LATEST, 2, NOW, false);
	words[LATEST + KM_APP_NAME][31] = 64; /* 32 bytes in one word */
	assert_int_equal(decode(NOW, &a, &why), DSTACK_E_FORMAT);
	words[LATEST + KM_APP_NAME][31] = 0xff; /* 127 bytes */
	memset(words[LATEST + KM_APP_NAME], 0, 31);
	memset(words[LATEST + KM_APP_SLOTS], 'x', 4 * 32);
	assert_int_equal(decode(NOW, &a, &why), DSTACK_OK);
	assert_int_equal(strlen(a.name), 127);
	words[LATEST + KM_APP_NAME][30] = 1;
	assert_int_equal(decode(NOW, &a, &why), DSTACK_E_FORMAT);
	record(LATEST, 2, NOW, false);
	words[LATEST + KM_APP_NAME][1] = 0x1b;
	assert_int_equal(decode(NOW, &a, &why), DSTACK_OK);
	assert_string_equal(a.name, "s?op");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_pending_digest_is_not_run_before_its_time),
		cmocka_unit_test(
		    with_no_record_before_it_a_pending_one_leaves_nothing_to_run),
		cmocka_unit_test(a_stopped_record_is_run_by_nobody),
		cmocka_unit_test(a_malformed_name_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
