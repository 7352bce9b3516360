/* SPDX-License-Identifier: Apache-2.0 */
/* Sealed values of an app: names, files, and what does not open. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "crypto/hpke.h"
#include "protocol/appsecret.h"

static const struct secret32 app_key = { { 9, 8, 7 } };
static const struct secret32 ephemeral = { { 1, 2, 3 } };

static void
build(struct wr *out, const char *name, const char *value)
{
	struct appsecret s = { .epoch = 2, .version = 77 };
	uint8_t pub[32];

	s.app_id[31] = 5;
	(void)snprintf(s.name, sizeof(s.name), "%s", name);
	assert_int_equal(x25519_public(&app_key, pub), DSTACK_OK);
	assert_int_equal(appsecret_put(out, &s, pub, &ephemeral, value,
			     strlen(value)), DSTACK_OK);
}

static void
a_label_is_a_list_of_names(void **state)
{
	struct appsecret_names n;
	char many[APPSECRET_MAX * 4 + 8] = "";

	(void)state;
	assert_int_equal(
	    appsecret_names_parse("DB_PASSWORD,token.1", &n), DSTACK_OK);
	assert_int_equal(n.n, 2);
	assert_string_equal(n.name[0], "DB_PASSWORD");
	assert_string_equal(n.name[1], "token.1");
	static const char *const bad[] = { "", ",", "A,", ",A", "A,,B", "A,A",
		"A, B", "../x", ".x", "A/B", "A\n",
		"a234567890123456789012345678901234567890123456789" };
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (appsecret_names_parse(bad[i], &n) != DSTACK_E_REJECTED)
			fail_msg("'%s' is taken", bad[i]);
	for (unsigned i = 0; i < APPSECRET_MAX; i++)
		(void)snprintf(many + strlen(many),
		    sizeof(many) - strlen(many), "%sn%u", i ? "," : "", i);
	assert_int_equal(appsecret_names_parse(many, &n), DSTACK_OK);
	assert_int_equal(n.n, APPSECRET_MAX);
	(void)snprintf(
	    many + strlen(many), sizeof(many) - strlen(many), ",x");
	assert_int_equal(appsecret_names_parse(many, &n), DSTACK_E_REJECTED);
}

static void
what_is_sealed_opens_under_its_head_alone(void **state)
{
	AUTO_WR struct wr w = wr_new(0);
	struct appsecret s;
	uint8_t value[64];
	struct secret32 other = app_key;

	(void)state;
	build(&w, "DB", "hunter2");
	assert_null(memmem(w.buf, w.len, "hunter2", 7));
	assert_int_equal(appsecret_get(w.buf, w.len, &s), DSTACK_OK);
	assert_int_equal(s.epoch, 2);
	assert_int_equal(s.version, 77);
	assert_string_equal(s.name, "DB");
	assert_int_equal(appsecret_open(&s, &app_key, value), DSTACK_OK);
	assert_int_equal(s.ctlen - HPKE_OVERHEAD, 7);
	assert_memory_equal(value, "hunter2", 7);
	other.b[5] ^= 1;
	assert_int_equal(
	    appsecret_open(&s, &other, value), DSTACK_E_REJECTED);
	/* each field of the head is bound */
	struct appsecret t = s;
	t.epoch++;
	assert_int_equal(
	    appsecret_open(&t, &app_key, value), DSTACK_E_REJECTED);
	t = s;
	t.version++;
	assert_int_equal(
	    appsecret_open(&t, &app_key, value), DSTACK_E_REJECTED);
	t = s;
	t.app_id[0] ^= 1;
	assert_int_equal(
	    appsecret_open(&t, &app_key, value), DSTACK_E_REJECTED);
	t = s;
	t.name[0] = 'E';
	assert_int_equal(
	    appsecret_open(&t, &app_key, value), DSTACK_E_REJECTED);
}

static void
no_byte_can_be_changed_and_none_is_more_or_less(void **state)
{
	AUTO_WR struct wr w = wr_new(0);
	struct appsecret s;
	uint8_t value[64];

	(void)state;
	build(&w, "DB", "hunter2");
	for (size_t i = 0; i < w.len; i++) {
		w.buf[i] ^= 1;
		if (appsecret_get(w.buf, w.len, &s) == DSTACK_OK)
			assert_int_not_equal(
			    appsecret_open(&s, &app_key, value), DSTACK_OK);
		w.buf[i] ^= 1;
		assert_int_not_equal(
		    appsecret_get(w.buf, i, &s), DSTACK_OK);
	}
	wr_u8(&w, 0);
	assert_int_equal(appsecret_get(w.buf, w.len, &s), DSTACK_E_FORMAT);
}

static void
a_file_of_a_bad_name_no_version_or_no_text_is_none(void **state)
{
	struct appsecret s = { .epoch = 2, .version = 1 };
	static uint8_t big[APPSECRET_VALUE_MAX + 1];
	uint8_t pub[32];

	(void)state;
	assert_int_equal(x25519_public(&app_key, pub), DSTACK_OK);
	for (int i = 0; i < 3; i++) {
		AUTO_WR struct wr w = wr_new(0);
		struct appsecret t;
		(void)snprintf(s.name, sizeof(s.name), i == 0 ? "a/b" : "ab");
		s.version = i == 1 ? 0 : 1;
		appsecret_head_put(&w, &s);
		wr_blob(&w, big, i == 2 ? HPKE_OVERHEAD - 1 : HPKE_OVERHEAD);
		assert_int_equal(
		    appsecret_get(w.buf, w.len, &t), DSTACK_E_FORMAT);
	}
	AUTO_WR struct wr w = wr_new(0);
	assert_int_equal(appsecret_put(&w, &s, pub, &ephemeral, big,
			     sizeof(big)), DSTACK_E_LIMIT);
	assert_int_equal(appsecret_put(&w, &s, pub, &ephemeral, big,
			     sizeof(big) - 1), DSTACK_OK);
	assert_true(w.len <= APPSECRET_FILE_MAX);
	struct appsecret t;
	assert_int_equal(appsecret_get(w.buf, w.len, &t), DSTACK_OK);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_label_is_a_list_of_names),
		cmocka_unit_test(what_is_sealed_opens_under_its_head_alone),
		cmocka_unit_test(
		    no_byte_can_be_changed_and_none_is_more_or_less),
		cmocka_unit_test(
		    a_file_of_a_bad_name_no_version_or_no_text_is_none),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
