/* SPDX-License-Identifier: Apache-2.0 */
/* An app's log: settings, frames, and what a reader must not take. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/hex.h"
#include "crypto/hash.h"
#include "crypto/hpke.h"
#include "protocol/applog.h"

static const struct secret32 owner = { { 9, 8, 7 } };
static const struct secret32 ephemeral = { { 1, 2, 3 } };
static uint8_t text[APPLOG_TEXT_MAX];

static struct applog_head
head(enum applog_mode mode)
{
	struct applog_head h = { .mode = mode, .version = 3, .number = 17 };

	h.app_id[31] = 5;
	h.boot[0] = 0xb0;
	return h;
}

static void
build(struct wr *out, enum applog_mode mode)
{
	AUTO_WR struct wr lines = wr_new(0);
	struct applog_head h = head(mode);
	uint8_t prev[32] = { 0xaa };
	uint8_t pub[32];

	assert_int_equal(x25519_public(&owner, pub), DSTACK_OK);
	applog_line_put(&lines, 1000, APPLOG_APP, "hello", 5);
	applog_line_put(&lines, 1001, APPLOG_GUEST, "ended", 5);
	assert_int_equal(applog_frame_put(out, &h, pub, &ephemeral, prev,
			     lines.buf, lines.len), DSTACK_OK);
}

static void
a_label_is_none_host_or_a_key(void **state)
{
	struct applog_setting s;
	struct why why = { "" };

	(void)state;
	assert_int_equal(applog_setting_parse("none", &s, &why), DSTACK_OK);
	assert_int_equal(s.mode, APPLOG_NONE);
	assert_int_equal(applog_setting_parse("host", &s, &why), DSTACK_OK);
	assert_int_equal(s.mode, APPLOG_PLAIN);
	assert_int_equal(applog_setting_parse("8520f0098930a754748b7ddcb43ef75a"
	    "0dbf3a0d26381af4eba4a98eaa9b4e6a", &s, &why), DSTACK_OK);
	assert_int_equal(s.mode, APPLOG_SEALED);
	assert_int_equal(s.key[0], 0x85);
	static const char *const bad[] = { "", "Host", "host ", "0x",
		"8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e",
		"8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6g",
		"0000000000000000000000000000000000000000000000000000000000000000",
	};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(applog_setting_parse(bad[i], &s, &why),
		    DSTACK_E_REJECTED);
		assert_non_null(strstr(why.text, "label dstack.logs: "));
	}
}

static void
reads_back(enum applog_mode mode)
{
	AUTO_WR struct wr w = wr_new(0);
	struct applog_frame f;
	struct applog_line line;
	uint8_t prev[32];
	size_t n = 0;

	build(&w, mode);
	assert_int_equal(applog_frame_get(w.buf, w.len, &f), DSTACK_OK);
	assert_int_equal(f.head.mode, mode);
	assert_int_equal(f.head.version, 3);
	assert_int_equal(f.head.number, 17);
	assert_int_equal(f.head.app_id[31], 5);
	assert_int_equal(applog_open(&f, &owner, text, &n), DSTACK_OK);
	struct rd r = rd_over(text, n);
	assert_int_equal(applog_prev_get(&r, prev), DSTACK_OK);
	assert_int_equal(prev[0], 0xaa);
	assert_int_equal(applog_line_get(&r, &line), DSTACK_OK);
	assert_int_equal(line.ms, 1000);
	assert_int_equal(line.from, APPLOG_APP);
	assert_int_equal(line.n, 5);
	assert_memory_equal(line.p, "hello", 5);
	assert_int_equal(applog_line_get(&r, &line), DSTACK_OK);
	assert_int_equal(line.from, APPLOG_GUEST);
	assert_int_equal(rd_left(&r), 0);
}

static void
what_is_put_in_comes_out(void **state)
{
	(void)state;
	reads_back(APPLOG_PLAIN);
	reads_back(APPLOG_SEALED);
}

static void
only_the_owner_reads_what_is_sealed(void **state)
{
	AUTO_WR struct wr w = wr_new(0);
	struct applog_frame f;
	struct secret32 other = { { 9, 8, 6 } };
	size_t n = 0;

	(void)state;
	build(&w, APPLOG_SEALED);
	assert_null(memmem(w.buf, w.len, "hello", 5));
	assert_int_equal(applog_frame_get(w.buf, w.len, &f), DSTACK_OK);
	assert_int_equal(applog_open(&f, NULL, text, &n), DSTACK_E_MISSING);
	assert_int_equal(
	    applog_open(&f, &other, text, &n), DSTACK_E_REJECTED);
}

/* Each byte: of the head too, as it is additional data. */
static void
no_byte_of_a_sealed_frame_can_be_changed(void **state)
{
	AUTO_WR struct wr w = wr_new(0);
	struct applog_frame f;
	size_t n = 0;

	(void)state;
	build(&w, APPLOG_SEALED);
	for (size_t i = 0; i < w.len; i++) {
		w.buf[i] ^= 1;
		if (applog_frame_get(w.buf, w.len, &f) == DSTACK_OK)
			assert_int_not_equal(
			    applog_open(&f, &owner, text, &n), DSTACK_OK);
		w.buf[i] ^= 1;
	}
	/* a sealed one that is said to be plain is not opened as one */
	w.buf[1] = APPLOG_PLAIN;
	assert_int_equal(applog_frame_get(w.buf, w.len, &f), DSTACK_OK);
	assert_int_equal(f.head.mode, APPLOG_PLAIN);
}

static void
what_is_no_frame_is_refused(void **state)
{
	AUTO_WR struct wr w = wr_new(0);
	AUTO_WR struct wr big = wr_new(0);
	struct applog_frame f;
	struct applog_line line;
	static uint8_t room[APPLOG_FRAME_MAX + 8];

	(void)state;
	build(&w, APPLOG_PLAIN);
	for (size_t i = 0; i < w.len; i++)
		assert_int_not_equal(
		    applog_frame_get(w.buf, i, &f), DSTACK_OK);
	wr_u8(&w, 0);
	assert_int_equal(
	    applog_frame_get(w.buf, w.len, &f), DSTACK_E_FORMAT);
	w.buf[0] = 2;
	assert_int_equal(
	    applog_frame_get(w.buf, w.len - 1, &f), DSTACK_E_FORMAT);
	w.buf[0] = 1;
	w.buf[1] = 3;
	assert_int_equal(
	    applog_frame_get(w.buf, w.len - 1, &f), DSTACK_E_FORMAT);
	w.buf[1] = 0;
	assert_int_equal(
	    applog_frame_get(w.buf, w.len - 1, &f), DSTACK_E_FORMAT);
	/* a body over the bound */
	w.buf[1] = 1;
	wr_put(&big, w.buf, 66);
	wr_blob(&big, room, APPLOG_FRAME_MAX - 66 - 4 + 1);
	assert_int_equal(
	    applog_frame_get(big.buf, big.len, &f), DSTACK_E_LIMIT);
	/* lines: an unknown speaker, one over the bound */
	AUTO_WR struct wr l = wr_new(0);
	wr_u64be(&l, 1);
	wr_u8(&l, 3);
	wr_u16be(&l, 0);
	struct rd r = rd_over(l.buf, l.len);
	assert_int_equal(applog_line_get(&r, &line), DSTACK_E_FORMAT);
	l.buf[8] = 1;
	l.buf[9] = (APPLOG_LINE_MAX + 1) >> 8;
	l.buf[10] = (APPLOG_LINE_MAX + 1) & 0xff;
	wr_put(&l, room, APPLOG_LINE_MAX + 1);
	r = rd_over(l.buf, l.len);
	assert_int_equal(applog_line_get(&r, &line), DSTACK_E_LIMIT);
	/* and a text that does not fit is not made */
	struct applog_head h = head(APPLOG_PLAIN);
	AUTO_WR struct wr none = wr_new(0);
	assert_int_equal(applog_frame_put(&none, &h, NULL, NULL, room, room,
			     APPLOG_TEXT_MAX - 31), DSTACK_E_LIMIT);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_label_is_none_host_or_a_key),
		cmocka_unit_test(what_is_put_in_comes_out),
		cmocka_unit_test(only_the_owner_reads_what_is_sealed),
		cmocka_unit_test(no_byte_of_a_sealed_frame_can_be_changed),
		cmocka_unit_test(what_is_no_frame_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
