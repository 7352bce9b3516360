/* SPDX-License-Identifier: Apache-2.0 */
/* A log as a host keeps it, and as its owner puts it together again. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <dirent.h>
#include <fcntl.h>

#include "cli/app/logs.h"
#include "crypto/hash.h"
#include "crypto/hpke.h"
#include "host/base/logs.h"

static char volume[] = "/tmp/test_logs.XXXXXX";
static int dirfd_ = -1;
static const struct secret32 owner = { { 9, 8, 7 } };
static uint8_t prev[32];
static char shown[8192];
static char faults[4096];

static int
setup(void **state)
{
	(void)state;
	assert_non_null(mkdtemp(volume));
	dirfd_ = open(volume, O_RDONLY | O_DIRECTORY);
	return dirfd_ >= 0 ? 0 : -1;
}

static void
empty(void)
{
	char path[400];
	char sub[64];
	(void)snprintf(sub, sizeof(sub), "%s/logs", volume);
	DIR *d = opendir(sub);
	struct dirent *e;
	while (d != NULL && (e = readdir(d)) != NULL) {
		(void)snprintf(path, sizeof(path), "%s/%s", sub, e->d_name);
		(void)unlink(path);
	}
	if (d != NULL)
		closedir(d);
	(void)rmdir(sub);
	memset(prev, 0, 32);
	shown[0] = faults[0] = '\0';
}

static int
cleanup(void **state)
{
	(void)state;
	empty();
	(void)rmdir(volume);
	return 0;
}

/* The next frame of a start, with one line. */
static void
make(struct wr *out, uint8_t boot, uint64_t number, uint64_t ms,
    const char *line, size_t pad)
{
	struct applog_head h = { .mode = APPLOG_SEALED, .version = 2,
		.number = number };
	struct secret32 e = { { (uint8_t)(number + 1), boot, 3 } };
	AUTO_WR struct wr lines = wr_new(0);
	char big[1000];
	uint8_t pub[32];

	h.boot[0] = boot;
	memset(big, '.', sizeof(big));
	applog_line_put(&lines, ms, APPLOG_APP, line, strlen(line));
	while (lines.len + 1100 < pad)
		applog_line_put(&lines, ms, APPLOG_APP, big, sizeof(big));
	assert_int_equal(x25519_public(&owner, pub), DSTACK_OK);
	assert_int_equal(applog_frame_put(out, &h, pub, &e, prev, lines.buf,
			     lines.len), DSTACK_OK);
	sha256(out->buf, out->len, prev);
}

static void
keep(uint8_t boot, uint64_t number, uint64_t ms, const char *line)
{
	AUTO_WR struct wr w = wr_new(0);
	struct why why = { "" };
	make(&w, boot, number, ms, line, 0);
	assert_int_equal(logs_keep(dirfd_, w.buf, w.len, &why), DSTACK_OK);
}

static void
on_line(void *ctx, uint64_t ms, uint64_t version, enum applog_from from,
    const char *text)
{
	size_t at = strlen(shown);
	(void)ctx;
	(void)ms;
	(void)from;
	assert_int_equal(version, 2);
	if (text[0] != '.')
		(void)snprintf(shown + at, sizeof(shown) - at, "[%s]", text);
}

static void
on_fault(void *ctx, const char *text)
{
	size_t at = strlen(faults);
	(void)ctx;
	(void)snprintf(faults + at, sizeof(faults) - at, "[%s]", text);
}

static struct logs
reader(void)
{
	static char path[64];
	(void)snprintf(path, sizeof(path), "%s/logs", volume);
	return (struct logs){ .dir = -1, .path = path, .key = &owner,
		.line = on_line, .fault = on_fault };
}

static void
once(bool wrong)
{
	struct logs l = reader();
	struct why why = { "" };
	shown[0] = faults[0] = '\0';
	assert_int_equal(logs_read(&l, &why), DSTACK_OK);
	assert_int_equal(l.wrong, wrong);
	logs_free(&l);
}

static void
lines_come_in_the_order_of_the_guest(void **state)
{
	(void)state;
	empty();
	once(false); /* no folder: no log */
	assert_string_equal(shown, "");
	/* the later start has the lower name */
	keep(0x77, 0, 1000, "a");
	keep(0x77, 1, 1001, "b");
	memset(prev, 0, 32);
	keep(0x11, 0, 2000, "c");
	keep(0x11, 1, 2001, "esc\033[2J");
	once(false);
	assert_string_equal(shown, "[a][b][c][esc?[2J]");
	assert_string_equal(faults, "");
}

static void
what_comes_is_shown_once(void **state)
{
	struct logs l = reader();
	struct why why = { "" };
	(void)state;
	empty();
	assert_int_equal(logs_read(&l, &why), DSTACK_OK);
	keep(1, 0, 1000, "a");
	assert_int_equal(logs_read(&l, &why), DSTACK_OK);
	keep(1, 1, 1001, "b");
	assert_int_equal(logs_read(&l, &why), DSTACK_OK);
	assert_int_equal(logs_read(&l, &why), DSTACK_OK);
	assert_string_equal(shown, "[a][b]");
	assert_false(l.wrong);
	logs_free(&l);
}

static void
a_gap_is_said(void **state)
{
	AUTO_WR struct wr lost = wr_new(0);
	(void)state;
	empty();
	keep(1, 0, 1000, "a");
	make(&lost, 1, 1, 1001, "b", 0);
	keep(1, 2, 1002, "c");
	once(true);
	assert_string_equal(shown, "[a][c]");
	assert_string_equal(faults, "[batch 1 of 01000000 is missing]");
	empty();
	keep(2, 5, 1000, "f");
	once(true);
	assert_string_equal(
	    faults, "[batches 0 to 4 of 02000000 are missing]");
}

/* Anybody can seal to a public key; not so that the next batch agrees. */
static void
a_batch_that_another_put_in_the_place_of_one_is_said(void **state)
{
	uint8_t real[32];
	(void)state;
	empty();
	keep(1, 0, 1000, "a");
	AUTO_WR struct wr b = wr_new(0);
	make(&b, 1, 1, 1001, "b", 0);
	memcpy(real, prev, 32);
	keep(1, 1, 1001, "forged");
	memcpy(prev, real, 32);
	keep(1, 2, 1002, "c");
	once(true);
	assert_non_null(strstr(faults, "before batch 1 of 01000000 stood "
				       "another than is here"));
	assert_non_null(strstr(faults, "before batch 2 of"));
}

static void
the_same_batch_twice_is_one_and_another_of_its_number_is_said(void **state)
{
	AUTO_WR struct wr w = wr_new(0);
	struct why why = { "" };
	(void)state;
	empty();
	make(&w, 1, 0, 1000, "a", 0);
	assert_int_equal(logs_keep(dirfd_, w.buf, w.len, &why), DSTACK_OK);
	assert_int_equal(logs_keep(dirfd_, w.buf, w.len, &why), DSTACK_OK);
	once(false);
	assert_string_equal(shown, "[a]");
	memset(prev, 0, 32);
	keep(1, 0, 1000, "other");
	once(true);
	assert_string_equal(faults,
	    "[batch 0 of 01000000 is there twice, or comes too late]");
}

static void
another_key_and_no_key_are_said(void **state)
{
	const struct secret32 other = { { 1 } };
	struct logs l = reader();
	struct why why = { "" };
	(void)state;
	empty();
	keep(1, 0, 1000, "a");
	l.key = &other;
	assert_int_equal(logs_read(&l, &why), DSTACK_OK);
	assert_string_equal(faults, "[batch 0 of 01000000 does not open: it is "
	    "of another key, or altered]");
	logs_free(&l);
	faults[0] = '\0';
	l = reader();
	l.key = NULL;
	assert_int_equal(logs_read(&l, &why), DSTACK_OK);
	assert_string_equal(
	    faults, "[batch 0 of 01000000 is sealed: --key FILE opens it]");
	assert_string_equal(shown, "");
	logs_free(&l);
}

static void
a_damaged_file_is_said(void **state)
{
	char path[200];
	(void)state;
	empty();
	keep(0xab, 0, 1000, "a");
	(void)snprintf(path, sizeof(path),
	    "%s/logs/ab000000000000000000000000000000.log", volume);
	FILE *f = fopen(path, "a");
	assert_non_null(f);
	fputs("\377\377\377\377xx", f);
	fclose(f);
	once(true);
	assert_string_equal(shown, "[a]");
	assert_non_null(strstr(faults, ".log is damaged from byte "));
}

static void
the_host_keeps_a_bounded_part(void **state)
{
	struct stat s;
	char path[400];
	char sub[64];
	unsigned n = 0;
	off_t all = 0;
	struct why why = { "" };
	(void)state;
	empty();
	for (uint64_t i = 0; i < 420; i++) {
		AUTO_WR struct wr w = wr_new(0);
		make(&w, 1, i, 1000 + i, i == 419 ? "last" : ".x", 60000);
		assert_int_equal(
		    logs_keep(dirfd_, w.buf, w.len, &why), DSTACK_OK);
	}
	for (uint8_t b = 2; b < 40; b++) {
		memset(prev, 0, 32);
		keep(b, 0, 5000 + b, "b");
	}
	(void)snprintf(sub, sizeof(sub), "%s/logs", volume);
	DIR *d = opendir(sub);
	struct dirent *e;
	while ((e = readdir(d)) != NULL) {
		if (e->d_name[0] == '.')
			continue;
		(void)snprintf(path, sizeof(path), "%s/%s", sub, e->d_name);
		assert_int_equal(stat(path, &s), 0);
		assert_true(s.st_size <= (off_t)LOGS_FILE_MAX);
		all += s.st_size;
		n++;
	}
	closedir(d);
	assert_int_equal(n, LOGS_FILES);
	/* the newest are there */
	once(false);
	assert_non_null(strstr(shown, "[b]"));
	assert_true(all < (off_t)LOGS_FILE_MAX);
}

static void
a_full_file_makes_room_and_is_read_on(void **state)
{
	struct why why = { "" };
	(void)state;
	empty();
	struct logs l = reader();
	for (uint64_t i = 0; i < 300; i++) {
		AUTO_WR struct wr w = wr_new(0);
		make(&w, 1, i, 1000 + i, i % 100 == 0 ? "x" : ".", 60000);
		assert_int_equal(
		    logs_keep(dirfd_, w.buf, w.len, &why), DSTACK_OK);
		/* a follower does not lose the one that was renamed */
		if (i % 20 == 0)
			assert_int_equal(logs_read(&l, &why), DSTACK_OK);
	}
	assert_int_equal(logs_read(&l, &why), DSTACK_OK);
	assert_false(l.wrong);
	assert_string_equal(shown, "[x][x][x]");
	logs_free(&l);
	once(false);
	assert_string_equal(shown, "[x][x][x]");
}

static void
what_is_no_batch_is_not_kept(void **state)
{
	struct why why = { "" };
	(void)state;
	empty();
	assert_int_equal(
	    logs_keep(dirfd_, "hello", 5, &why), DSTACK_E_FORMAT);
	AUTO_WR struct wr w = wr_new(0);
	make(&w, 1, 0, 1, "a", 0);
	/* a folder that is a link is somebody's trap */
	assert_int_equal(symlinkat("/tmp", dirfd_, "logs"), 0);
	assert_int_equal(
	    logs_keep(dirfd_, w.buf, w.len, &why), DSTACK_E_REJECTED);
	assert_int_equal(unlinkat(dirfd_, "logs", 0), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_come_in_the_order_of_the_guest),
		cmocka_unit_test(what_comes_is_shown_once),
		cmocka_unit_test(a_gap_is_said),
		cmocka_unit_test(
		    a_batch_that_another_put_in_the_place_of_one_is_said),
		cmocka_unit_test(
		    the_same_batch_twice_is_one_and_another_of_its_number_is_said),
		cmocka_unit_test(another_key_and_no_key_are_said),
		cmocka_unit_test(a_damaged_file_is_said),
		cmocka_unit_test(the_host_keeps_a_bounded_part),
		cmocka_unit_test(a_full_file_makes_room_and_is_read_on),
		cmocka_unit_test(what_is_no_batch_is_not_kept),
	};
	return cmocka_run_group_tests(tests, setup, cleanup);
}
