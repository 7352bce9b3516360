/* SPDX-License-Identifier: Apache-2.0 */
/* The app's life between two roles, and as /status shows it. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "guest/base/life.h"
#include "guest/service/service.h"

static const struct life whole = {
	.wanted = 4,
	.serves = 3,
	.up = true,
	.since = 1000,
	.restarts = 2,
	.used = 5 << 20,
	.bound = 96 << 20,
	.end = { .any = true, .by_signal = true, .memory = true, .code = 9,
	    .version = 3, .at = 990 },
	.refused = { .version = 4, .tries = 6, .rests = true, .again = 4600,
	    .why = "app ended before it listened on port 80 (exit 1)" },
	.waits = "secret DB_PASSWORD is not there",
	.health = "unhealthy: its check says exit 7",
	.service = { { .name = "db", .up = true, .since = 1030, .restarts = 1,
			 .health = "healthy",
			 .end = { .any = true, .code = 1, .version = 3,
			     .at = 1020 } },
	    { .name = "job", .over = true,
		.end = { .any = true, .version = 3, .at = 1010 } } },
	.services = 2,
	.services_of = 3,
};

static void
what_is_written_is_read(void **state)
{
	AUTO_WR struct wr w = wr_new(0);
	AUTO_WR struct wr again = wr_new(0);
	struct life l;

	(void)state;
	life_put(&w, &whole);
	struct rd r = rd_over(w.buf, w.len);
	assert_int_equal(life_get(&r, &l), DSTACK_OK);
	assert_int_equal(rd_end(&r), DSTACK_OK);
	life_put(&again, &l);
	assert_int_equal(again.len, w.len);
	assert_memory_equal(again.buf, w.buf, w.len);
	for (size_t n = 0; n < w.len; n++) {
		r = rd_over(w.buf, n);
		assert_int_not_equal(life_get(&r, &l), DSTACK_OK);
	}
}

static void
flags_are_0_or_1_and_reasons_are_short_and_printable(void **state)
{
	struct life l;
	struct life odd = whole;
	AUTO_WR struct wr w = wr_new(0);

	(void)state;
	(void)snprintf(odd.waits, sizeof(odd.waits), "a\033[2Jb");
	life_put(&w, &odd);
	struct rd r = rd_over(w.buf, w.len);
	assert_int_equal(life_get(&r, &l), DSTACK_OK);
	assert_string_equal(l.waits, "a?[2Jb");
	static const size_t flags[] = { 48, 77, 78, 79, 112 };
	for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
		assert_true(w.buf[flags[i]] == 1);
		w.buf[flags[i]] = 2;
		r = rd_over(w.buf, w.len);
		assert_int_equal(life_get(&r, &l), DSTACK_E_FORMAT);
		w.buf[flags[i]] = 1;
	}
	/* one byte more than a reason may have */
	AUTO_WR struct wr long_one = wr_new(0);
	wr_put(&long_one, w.buf, 121);
	wr_u32be(&long_one, LIFE_TEXT);
	for (int i = 0; i < LIFE_TEXT; i++)
		wr_u8(&long_one, 'x');
	wr_text(&long_one, "");
	r = rd_over(long_one.buf, long_one.len);
	assert_int_equal(life_get(&r, &l), DSTACK_E_LIMIT);
}

static void
more_services_than_an_app_may_have_are_refused(void **state)
{
	struct life l;
	AUTO_WR struct wr w = wr_new(0);
	const struct life none = { .services_of = 0x1122334455667788 };

	(void)state;
	life_put(&w, &none);
	assert_true(w.len > 4 && w.buf[w.len - 5] == 0x88);
	w.buf[w.len - 1] = LIFE_SERVICES + 1;
	wr_zero(&w, 4096);
	struct rd r = rd_over(w.buf, w.len);
	assert_int_equal(life_get(&r, &l), DSTACK_E_LIMIT);
	w.buf[w.len - 4097] = 1; /* its flags are next, and its name */
	r = rd_over(w.buf, w.len);
	assert_int_equal(life_get(&r, &l), DSTACK_OK);
	assert_int_equal(l.services, 1);
	w.buf[w.len - 4096 + 4] = 2; /* up: behind a name of no bytes */
	r = rd_over(w.buf, w.len);
	assert_int_equal(life_get(&r, &l), DSTACK_E_FORMAT);
}

static void
status_says_it_in_seconds_from_now(void **state)
{
	json_t *o = json_object();

	(void)state;
	service_life_json(o, &whole, 1060);
	char *text = json_dumps(o, JSON_COMPACT | JSON_SORT_KEYS);
	assert_string_equal(text,
	    "{\"health\":\"unhealthy: its check says exit 7\",\"lastEnd\":{\"ago\":70,\"memory\":true,\"signal\":9,"
	    "\"version\":3},\"memory\":{\"bound\":100663296,\"used\":5242880},"
	    "\"refused\":{\"again\":3540,\"reason\":\"app ended before it "
	    "listened on port 80 (exit 1)\",\"rests\":true,\"tries\":6,"
	    "\"version\":4},\"restarts\":2,\"services\":{\"db\":{"
	    "\"health\":\"healthy\",\"lastEnd\":{\"ago\":40,\"exit\":1,"
	    "\"memory\":false,\"version\":3},\"over\":false,"
	    "\"restarts\":1,\"since\":30,\"up\":true},\"job\":{"
	    "\"lastEnd\":{\"ago\":50,\"exit\":0,\"memory\":false,"
	    "\"version\":3},\"over\":true,\"restarts\":0,\"up\":false}},"
	    "\"servicesOf\":3,\"serving\":3,\"since\":60,"
	    "\"up\":true,\"waits\":\"secret DB_PASSWORD is not there\","
	    "\"wanted\":4}");
	free(text);
	json_decref(o);
	/* what is not known is not there */
	o = json_object();
	service_life_json(o, &(struct life){ 0 }, 1060);
	assert_int_equal(json_object_size(o), 0);
	json_decref(o);
}

static void
an_end_is_told_in_words(void **state)
{
	char text[LIFE_END_TEXT];

	(void)state;
	life_end_text(&whole.end, text);
	assert_string_equal(text, "signal 9, killed as its memory was used up");
	life_end_text(&(struct life_end){ .any = true, .code = 137 }, text);
	assert_string_equal(text, "exit 137");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_written_is_read),
		cmocka_unit_test(
		    flags_are_0_or_1_and_reasons_are_short_and_printable),
		cmocka_unit_test(more_services_than_an_app_may_have_are_refused),
		cmocka_unit_test(status_says_it_in_seconds_from_now),
		cmocka_unit_test(an_end_is_told_in_words),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
