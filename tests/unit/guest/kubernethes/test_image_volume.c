/* SPDX-License-Identifier: Apache-2.0 */
/* VOLUMEs of an image, on a small disk of this test's own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/hex.h"
#include "crypto/hash.h"
#include "guest/kubernethes/image_volume.h"

static bool can;
static int root;

static int
prepare(void **state)
{
	(void)state;
	if (geteuid() != 0 || unshare(CLONE_NEWNS) != 0 ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
	    mount("tmpfs", "/mnt", "tmpfs", 0, "mode=755,size=8m") != 0)
		return 0;
	can = mkdir("/mnt/root", 0755) == 0 && mkdir("/mnt/vol", 0711) == 0 &&
	    mount("tmpfs", "/mnt/vol", "tmpfs", 0, "mode=711,size=1m") == 0;
	root = open("/mnt/root", O_RDONLY | O_DIRECTORY);
	can = can && mkdirat(root, "var", 0755) == 0 &&
	    mkdirat(root, "var/db", 0700) == 0 &&
	    fchownat(root, "var/db", 1234, 1235, 0) == 0 &&
	    mkdirat(root, "var/db/deep", 01777) == 0 &&
	    fchmodat(root, "var/db/deep", 01777, 0) == 0 &&
	    mknodat(root, "var/db/conf", S_IFREG | 0640, 0) == 0 &&
	    fchownat(root, "var/db/conf", 1234, 1235, 0) == 0 &&
	    symlinkat("/etc/shadow", root, "var/db/link") == 0 &&
	    mkfifoat(root, "var/db/deep/pipe", 0600) == 0 &&
	    mkdirat(root, "big", 0755) == 0;
	int fd = openat(root, "var/db/conf", O_WRONLY);
	can = can && write(fd, "port = 5432\n", 12) == 12;
	close(fd);
	fd = openat(root, "big/file", O_WRONLY | O_CREAT, 0644);
	for (int i = 0; i < 512; i++)
		can = can && write(fd, (char[4096]){ 1 }, 4096) == 4096;
	close(fd);
	return 0;
}

static void
place(const char *path, char out[static IMAGE_VOLUME_PATH])
{
	uint8_t d[32];
	char name[65];

	sha256(path, strlen(path), d);
	hex_encode(d, sizeof(d), name);
	(void)snprintf(out, IMAGE_VOLUME_PATH, "/mnt/vol/volumes/%s", name);
}

static void
a_new_one_is_filled_from_the_image_and_an_old_one_kept(void **state)
{
	char dir[IMAGE_VOLUME_PATH];
	char want[IMAGE_VOLUME_PATH];
	char path[2 * IMAGE_VOLUME_PATH];
	char text[32] = "";
	struct why why = { "" };
	struct stat s;

	(void)state;
	if (!can)
		skip();
	/* a copy that was broken off does not count */
	place("var/db", want);
	assert_int_equal(mkdir("/mnt/vol/volumes", 0711), 0);
	(void)snprintf(path, sizeof(path), "%s.new", want);
	assert_int_equal(mkdir(path, 0700), 0);
	(void)snprintf(path, sizeof(path), "%s.new/half", want);
	assert_int_equal(mknod(path, S_IFREG | 0600, 0), 0);
	assert_int_equal(image_volume("/mnt/vol/volumes", "var/db", root, "var/db", dir,
	                     &why),
	    DSTACK_OK);
	assert_string_equal(dir, want);
	assert_int_equal(stat(dir, &s), 0);
	assert_int_equal(s.st_uid, 1234);
	assert_int_equal(s.st_gid, 1235);
	assert_int_equal(s.st_mode & 07777, 0700);
	(void)snprintf(path, sizeof(path), "%s/half", dir);
	assert_int_equal(lstat(path, &s), -1);
	(void)snprintf(path, sizeof(path), "%s/conf", dir);
	assert_int_equal(lstat(path, &s), 0);
	assert_int_equal(s.st_mode & 07777, 0640);
	assert_int_equal(s.st_uid, 1234);
	int fd = open(path, O_RDWR);
	assert_int_equal(read(fd, text, sizeof(text) - 1), 12);
	assert_string_equal(text, "port = 5432\n");
	assert_int_equal(pwrite(fd, "changed     ", 12, 0), 12);
	close(fd);
	(void)snprintf(path, sizeof(path), "%s/deep", dir);
	assert_int_equal(lstat(path, &s), 0);
	assert_int_equal(s.st_mode & 07777, 01777);
	(void)snprintf(path, sizeof(path), "%s/deep/pipe", dir);
	assert_int_equal(lstat(path, &s), 0);
	assert_true(S_ISFIFO(s.st_mode));
	(void)snprintf(path, sizeof(path), "%s/link", dir);
	assert_int_equal(readlink(path, text, sizeof(text)), 11);
	/* the next version of the app finds what the last one wrote */
	assert_int_equal(image_volume("/mnt/vol/volumes", "var/db", root, "var/db", dir,
	                     &why),
	    DSTACK_OK);
	(void)snprintf(path, sizeof(path), "%s/conf", dir);
	fd = open(path, O_RDONLY);
	assert_int_equal(read(fd, text, 12), 12);
	assert_memory_equal(text, "changed     ", 12);
	close(fd);
}

static void
one_that_does_not_fit_is_refused_and_leaves_nothing(void **state)
{
	char dir[IMAGE_VOLUME_PATH];
	char path[2 * IMAGE_VOLUME_PATH];
	struct why why = { "" };
	struct stat s;

	(void)state;
	if (!can)
		skip();
	assert_int_equal(
	    image_volume("/mnt/vol/volumes", "big", root, "big", dir, &why),
	    DSTACK_E_REJECTED);
	assert_non_null(strstr(why.text, "VOLUME /big"));
	assert_non_null(strstr(why.text, "encrypted volume is full"));
	place("big", dir);
	assert_int_equal(lstat(dir, &s), -1);
	(void)snprintf(path, sizeof(path), "%s.new", dir);
	assert_int_equal(lstat(path, &s), -1);
	/* and there is room for others again */
	assert_int_equal(mkdirat(root, "small", 0755), 0);
	assert_int_equal(
	    image_volume("/mnt/vol/volumes", "small", root, "small", dir, &why),
	    DSTACK_OK);
}

static void
a_symlink_in_the_place_of_one_is_not_followed(void **state)
{
	char dir[IMAGE_VOLUME_PATH];
	struct why why = { "" };

	(void)state;
	if (!can)
		skip();
	place("var", dir);
	assert_int_equal(symlink("/mnt/root", dir), 0);
	assert_int_equal(
	    image_volume("/mnt/vol/volumes", "var", root, "var", dir, &why),
	    DSTACK_E_SYS);
	assert_int_equal(image_hand_over(dir, 1, 1, &why), DSTACK_E_SYS);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    a_new_one_is_filled_from_the_image_and_an_old_one_kept),
		cmocka_unit_test(
		    one_that_does_not_fit_is_refused_and_leaves_nothing),
		cmocka_unit_test(
		    a_symlink_in_the_place_of_one_is_not_followed),
	};
	return cmocka_run_group_tests(tests, prepare, NULL);
}
