/* SPDX-License-Identifier: Apache-2.0 */
/* Taking an exported archive into the store; see cli/image/store.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <archive.h>
#include <archive_entry.h>

#include "base/own.h"
#include "cli/image/image.h"

#define KERNEL "kernel/0123abcd/6.12/vmlinuz"

static char top[] = "/tmp/dstack-store-test.XXXXXX";

static void
archive_of(const char *path, const char *name, const char *text)
{
	struct archive *a = archive_write_new();
	struct archive_entry *e = archive_entry_new();

	assert_int_equal(archive_write_set_format_ustar(a), ARCHIVE_OK);
	assert_int_equal(archive_write_open_filename(a, path), ARCHIVE_OK);
	archive_entry_set_pathname(e, name);
	archive_entry_set_filetype(e, AE_IFREG);
	archive_entry_set_perm(e, 0644);
	archive_entry_set_size(e, (la_int64_t)strlen(text));
	assert_int_equal(archive_write_header(a, e), ARCHIVE_OK);
	assert_int_equal(archive_write_data(a, text, strlen(text)),
	    (la_ssize_t)strlen(text));
	archive_entry_free(e);
	assert_int_equal(archive_write_close(a), ARCHIVE_OK);
	(void)archive_write_free(a);
}

/* What the store has under a name; "": nothing. */
static const char *
stored(const char *name)
{
	static char text[64];
	char path[256];

	(void)snprintf(path, sizeof(path), "%s/store/%s", top, name);
	AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd >= 0 ? read(fd, text, sizeof(text) - 1) : 0;
	text[n > 0 ? n : 0] = '\0';
	return text;
}

/*
 * A kernel has no hash that it could be held against. The one that is there
 * was compiled here; an archive must not put another in its place.
 */
static void
an_import_does_not_replace_a_kernel_that_is_there(void **state)
{
	char tar[128];
	struct why why = { "" };

	(void)state;
	(void)snprintf(tar, sizeof(tar), "%s/a.tar", top);
	archive_of(tar, KERNEL, "mine");
	assert_int_equal(image_import_file(tar, &why), DSTACK_OK);
	assert_string_equal(stored(KERNEL), "mine");
	archive_of(tar, KERNEL, "theirs");
	assert_int_equal(image_import_file(tar, &why), DSTACK_OK);
	assert_string_equal(stored(KERNEL), "mine");
}

/* A package's hash is known: one that was spoilt is made whole. */
static void
an_import_mends_a_package(void **state)
{
	/* printf hello | sha256sum */
	static const char name[] =
	    "sha256/2cf24dba5fb0a30e26e83b2ac5b9e29e"
	    "1b161e5c1fa7425e73043362938b9824";
	char tar[128], path[256];
	struct why why = { "" };

	(void)state;
	(void)snprintf(tar, sizeof(tar), "%s/b.tar", top);
	archive_of(tar, name, "hello");
	assert_int_equal(image_import_file(tar, &why), DSTACK_OK);
	(void)snprintf(path, sizeof(path), "%s/store/%s", top, name);
	assert_int_equal(truncate(path, 2), 0);
	assert_int_equal(image_import_file(tar, &why), DSTACK_OK);
	assert_string_equal(stored(name), "hello");
	/* and other bytes under it change nothing */
	archive_of(tar, name, "hullo");
	assert_int_equal(image_import_file(tar, &why), DSTACK_E_REJECTED);
	assert_string_equal(stored(name), "hello");
}

static int
begin(void **state)
{
	char store[128];

	(void)state;
	if (mkdtemp(top) == NULL)
		return -1;
	(void)snprintf(store, sizeof(store), "%s/store", top);
	return setenv("DSTACK_STORE", store, 1);
}

static int
unlink_each(const char *path, const struct stat *sb, int type, struct FTW *at)
{
	(void)sb;
	(void)type;
	(void)at;
	return remove(path);
}

static int
end(void **state)
{
	(void)state;
	return nftw(top, unlink_each, 16, FTW_DEPTH | FTW_PHYS);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    an_import_does_not_replace_a_kernel_that_is_there),
		cmocka_unit_test(an_import_mends_a_package),
	};
	return cmocka_run_group_tests(tests, begin, end);
}
