/* SPDX-License-Identifier: Apache-2.0 */
/* Images on the volume; a tmpfs in a mount namespace of its own stands for it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/own.h"
#include "guest/base/paths.h"
#include "guest/kubernethes/store.h"

#define TREES PATH_VOLUME "/system/trees"

static int
begin(void **state)
{
	(void)state;
	if (geteuid() != 0)
		return 0;
	/* private first: nothing of this is seen outside */
	return unshare(CLONE_NEWNS) != 0 ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
	    mount("tmpfs", "/run", "tmpfs", 0, NULL) != 0 ||
	    mkdir(PATH_RUN, 0711) != 0 || mkdir(PATH_VOLUME, 0711) != 0 ||
	    mkdir("/run/root", 0755) != 0;
}

static void
open_volume(void)
{
	assert_int_equal(
	    mount("tmpfs", PATH_VOLUME, "tmpfs", 0, "size=64m"), 0);
}

static void
put(const char *path)
{
	AUTO_CLOSE int fd =
	    open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, "x", 1), 1);
}

static void
without_a_volume_it_is_waited_for(void **state)
{
	(void)state;
	struct why why = { "" };
	if (geteuid() != 0)
		skip();
	assert_int_equal(store_room("a.tar", 1, &why), DSTACK_E_BUSY);
	assert_int_equal(store_free(), 0);
}

static void
room_is_what_is_free_less_the_app_s_part(void **state)
{
	(void)state;
	struct why why = { "" };
	if (geteuid() != 0)
		skip();
	open_volume();
	assert_int_equal(store_free(), 60 << 20);
	assert_int_equal(store_room("a.tar", 60 << 20, &why), DSTACK_OK);
	assert_int_equal(
	    store_room("a.tar", (60 << 20) + 1, &why), DSTACK_E_LIMIT);
	assert_non_null(strstr(why.text, "a.tar needs 61 MB of the volume, "
					 "which has 60 MB free"));
}

static void
an_archive_has_no_name_and_goes_with_its_descriptor(void **state)
{
	(void)state;
	struct why why = { "" };
	struct stat s;
	int fd = -1;
	if (geteuid() != 0)
		skip();
	assert_int_equal(store_file(&fd, &why), DSTACK_OK);
	assert_int_equal(fstat(fd, &s), 0);
	assert_int_equal(s.st_nlink, 0);
	assert_int_equal(s.st_mode & 0777, 0600);
	assert_int_equal(ftruncate(fd, 1 << 20), 0);
	(void)close(fd);
	assert_int_equal(store_free(), 60 << 20);
}

static void
a_slot_s_tree_is_empty_at_first_and_gone_at_last(void **state)
{
	(void)state;
	struct why why = { "" };
	if (geteuid() != 0)
		skip();
	if (store_tree(1, "/run/root", &why) != DSTACK_OK)
		fail_msg("%s", why.text);
	put("/run/root/file");
	assert_int_equal(mkdir("/run/root/dir", 0), 0);
	assert_int_equal(access(TREES "/1/file", F_OK), 0);
	store_gone(1, "/run/root");
	assert_int_equal(access("/run/root/file", F_OK), -1);
	assert_int_equal(access(TREES "/1", F_OK), -1);
	/* one that was left, as by a role that was ended, is not taken over */
	assert_int_equal(mkdir(TREES "/1", 0755), 0);
	put(TREES "/1/left");
	assert_int_equal(store_tree(1, "/run/root", &why), DSTACK_OK);
	assert_int_equal(access("/run/root/left", F_OK), -1);
	store_gone(1, "/run/root");
}

static void
a_boot_begins_without_trees(void **state)
{
	(void)state;
	struct why why = { "" };
	if (geteuid() != 0)
		skip();
	assert_int_equal(mkdir(TREES "/0", 0755), 0);
	assert_int_equal(mkdir(TREES "/0/deep", 0755), 0);
	put(TREES "/0/deep/left");
	put(PATH_VOLUME "/system/app-version");
	assert_int_equal(store_sweep(&why), DSTACK_OK);
	assert_int_equal(access(TREES, F_OK), -1);
	assert_int_equal(access(PATH_VOLUME "/system/app-version", F_OK), 0);
	assert_int_equal(store_sweep(&why), DSTACK_OK);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_a_volume_it_is_waited_for),
		cmocka_unit_test(room_is_what_is_free_less_the_app_s_part),
		cmocka_unit_test(
		    an_archive_has_no_name_and_goes_with_its_descriptor),
		cmocka_unit_test(
		    a_slot_s_tree_is_empty_at_first_and_gone_at_last),
		cmocka_unit_test(a_boot_begins_without_trees),
	};
	return cmocka_run_group_tests(tests, begin, NULL);
}
