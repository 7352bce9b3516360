/* SPDX-License-Identifier: Apache-2.0 */
/* An ext4 that mke2fs made, spoilt by hand, and what fs.c says of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "guest/volume/fs.h"
#include "guest/volume/super.h"

#define BLOCKS 8192u /* 32 MiB */
#define STATE_AT (FS_SUPER + 0x3a)

static char path[] = "/tmp/dstack-fs-XXXXXX";
static int fd = -1;

/* A new file system on the file; the same bytes for every test. */
static int
fresh(void **state)
{
	char prog[] = "/usr/sbin/mke2fs", q[] = "-q", f[] = "-F", t[] = "-t",
	     ext4[] = "ext4", b[] = "-b", size[] = "4096", e[] = "-E",
	     lazy[] = "lazy_itable_init=1,nodiscard", o[] = "-O",
	     /* so that one byte can be changed by hand */
	     plain[] = "^metadata_csum";
	char *argv[] = { prog, q, f, t, ext4, b, size, e, lazy, o, plain,
		path, NULL };
	char *env[] = { NULL };
	pid_t pid;
	int st = 0;
	(void)state;
	if (fd < 0)
		fd = mkstemp(path);
	if (fd < 0 || ftruncate(fd, 0) != 0 ||
	    ftruncate(fd, (off_t)BLOCKS * FS_BLOCK) != 0 ||
	    posix_spawn(&pid, prog, NULL, NULL, argv, env) != 0 ||
	    waitpid(pid, &st, 0) != pid)
		return -1;
	return st;
}

static int
away(void **state)
{
	(void)state;
	return unlink(path);
}

static void
super(uint8_t sb[static FS_SUPER])
{
	assert_int_equal(pread(fd, sb, FS_SUPER, FS_SUPER), FS_SUPER);
}

static void
unmount_never_happened(void)
{
	const uint8_t none[2] = { 0, 0 };
	assert_int_equal(pwrite(fd, none, 2, STATE_AT), 2);
}

static void
a_superblock_tells_size_and_state(void **state)
{
	uint8_t sb[FS_SUPER], bad[FS_SUPER];
	struct fs_super s;
	(void)state;
	super(sb);
	assert_int_equal(fs_super_read(sb, &s), DSTACK_OK);
	assert_int_equal(s.blocks, BLOCKS);
	assert_true(s.clean);
	/* mounted, an error seen, a journal with something in it */
	static const struct { size_t at; uint8_t v; } dirty[] = {
		{ 0x3a, 0 }, { 0x3a, 3 }, { 0x60, 0x46 } };
	for (size_t i = 0; i < 3; i++) {
		memcpy(bad, sb, sizeof(bad));
		bad[dirty[i].at] = dirty[i].v;
		assert_int_equal(fs_super_read(bad, &s), DSTACK_OK);
		assert_false(s.clean);
	}
	memcpy(bad, sb, sizeof(bad));
	bad[0x150] = 1; /* 2^32 blocks more */
	assert_int_equal(fs_super_read(bad, &s), DSTACK_OK);
	assert_int_equal(s.blocks, BLOCKS + ((uint64_t)1 << 32));
	static const struct { size_t at; uint8_t v; } no[] = {
		{ 0x38, 0x54 }, { 0x39, 0 }, { 0x18, 1 }, { 0x1b, 1 } };
	for (size_t i = 0; i < 4; i++) {
		memcpy(bad, sb, sizeof(bad));
		bad[no[i].at] = no[i].v;
		assert_int_equal(fs_super_read(bad, &s), DSTACK_E_FORMAT);
	}
	memcpy(bad, sb, sizeof(bad));
	memset(bad + 4, 0, 4); /* no blocks */
	assert_int_equal(fs_super_read(bad, &s), DSTACK_E_FORMAT);
}

static void
a_clean_one_is_not_written_to(void **state)
{
	struct why why = { "" };
	struct stat was, is;
	bool smaller = true;
	(void)state;
	assert_int_equal(fstat(fd, &was), 0);
	assert_int_equal(fs_ready(path, BLOCKS, &smaller, &why), DSTACK_OK);
	assert_false(smaller);
	assert_int_equal(fstat(fd, &is), 0);
	assert_int_equal(was.st_mtim.tv_sec, is.st_mtim.tv_sec);
	assert_int_equal(was.st_mtim.tv_nsec, is.st_mtim.tv_nsec);
}

static void
one_that_was_not_unmounted_is_checked_and_clean_after(void **state)
{
	struct why why = { "" };
	uint8_t sb[FS_SUPER];
	struct fs_super s;
	bool smaller = true;
	(void)state;
	if (geteuid() != 0)
		skip();
	unmount_never_happened();
	super(sb);
	assert_int_equal(fs_super_read(sb, &s), DSTACK_OK);
	assert_false(s.clean);
	if (fs_ready(path, BLOCKS, &smaller, &why) != DSTACK_OK)
		fail_msg("%s", why.text);
	super(sb);
	assert_int_equal(fs_super_read(sb, &s), DSTACK_OK);
	assert_true(s.clean);
	struct stat is;
	assert_int_equal(fstat(fd, &is), 0);
	assert_int_equal(is.st_uid, 0); /* it was lent */
}

/* Counters that a crash leaves wrong are what -p is for. */
static void
what_can_be_mended_is(void **state)
{
	struct why why = { "" };
	const uint8_t zero[4] = { 0 };
	uint8_t got[4];
	bool smaller = true;
	(void)state;
	if (geteuid() != 0)
		skip();
	unmount_never_happened();
	/* s_free_inodes_count */
	assert_int_equal(pwrite(fd, zero, 4, FS_SUPER + 0x10), 4);
	if (fs_ready(path, BLOCKS, &smaller, &why) != DSTACK_OK)
		fail_msg("%s", why.text);
	assert_int_equal(pread(fd, got, 4, FS_SUPER + 0x10), 4);
	assert_memory_not_equal(got, zero, 4);
}

/* The root folder's block is noise: nothing of it is written over. */
static void
what_cannot_be_mended_is_refused_and_left_alone(void **state)
{
	struct why why = { "" };
	uint8_t sb[FS_SUPER], noise[FS_BLOCK], again[FS_BLOCK];
	bool smaller = true;
	(void)state;
	if (geteuid() != 0)
		skip();
	unmount_never_happened();
	super(sb);
	/* group 0's inode table: bg_inode_table_lo of the first descriptor */
	uint8_t at[4];
	assert_int_equal(pread(fd, at, 4, FS_BLOCK + 8), 4);
	const off_t table = (off_t)(at[0] | at[1] << 8 | at[2] << 16) * FS_BLOCK;
	memset(noise, 0xa5, sizeof(noise));
	assert_int_equal(
	    pwrite(fd, noise, sizeof(noise), table), sizeof(noise));
	assert_int_equal(
	    fs_ready(path, BLOCKS, &smaller, &why), DSTACK_E_REJECTED);
	assert_non_null(strstr(why.text, "it stays as it is"));
	assert_int_equal(
	    pread(fd, again, sizeof(again), table), sizeof(again));
	assert_memory_equal(again, noise, sizeof(noise));
}

static void
room_behind_it_is_told_and_what_is_read_of_it_is_written(void **state)
{
	struct why why = { "" };
	uint8_t block[FS_BLOCK], noise[FS_BLOCK];
	bool smaller = false;
	(void)state;
	memset(noise, 0xa5, sizeof(noise));
	assert_int_equal(ftruncate(fd, (off_t)2 * BLOCKS * FS_BLOCK), 0);
	assert_int_equal(pwrite(fd, noise, FS_BLOCK,
			     (off_t)(2 * BLOCKS - 1) * FS_BLOCK),
	    FS_BLOCK);
	assert_int_equal(fs_ready(path, 2 * BLOCKS, &smaller, &why), DSTACK_OK);
	assert_true(smaller);
	assert_int_equal(pread(fd, block, FS_BLOCK,
			     (off_t)(2 * BLOCKS - 1) * FS_BLOCK),
	    FS_BLOCK);
	assert_memory_not_equal(block, noise, FS_BLOCK);
	/* fronts of the first new group and of the 16th; not of the second */
	const uint64_t many = 20 * 32768;
	static const struct {
		uint64_t at;
		bool written;
	} v[] = { { BLOCKS, false }, { 32768, true }, { 32768 + 319, true },
		{ 32768 + 320, false }, { 2 * 32768, false },
		{ 16 * 32768, true }, { 16 * 32768 + 319, true },
		{ 17 * 32768, false } };
	assert_int_equal(ftruncate(fd, (off_t)(many * FS_BLOCK)), 0);
	for (size_t i = 0; i < sizeof(v) / sizeof(v[0]); i++)
		assert_int_equal(pwrite(fd, noise, FS_BLOCK,
				     (off_t)(v[i].at * FS_BLOCK)),
		    FS_BLOCK);
	assert_int_equal(fs_ready(path, many, &smaller, &why), DSTACK_OK);
	for (size_t i = 0; i < sizeof(v) / sizeof(v[0]); i++) {
		assert_int_equal(pread(fd, block, FS_BLOCK,
				     (off_t)(v[i].at * FS_BLOCK)),
		    FS_BLOCK);
		assert_int_equal(
		    memcmp(block, noise, FS_BLOCK) != 0, v[i].written);
	}
}

static void
one_that_is_larger_than_its_disk_is_refused(void **state)
{
	struct why why = { "" };
	bool smaller = false;
	(void)state;
	assert_int_equal(
	    fs_ready(path, BLOCKS - 1, &smaller, &why), DSTACK_E_REJECTED);
	assert_non_null(strstr(why.text, "put the grown"));
	memset(why.text, 0, sizeof(why.text));
	assert_int_equal(ftruncate(fd, 0), 0);
	assert_int_equal(ftruncate(fd, FS_BLOCK), 0);
	assert_int_equal(
	    fs_ready(path, BLOCKS, &smaller, &why), DSTACK_E_REJECTED);
	assert_non_null(strstr(why.text, "no file system of ours"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(
		    a_superblock_tells_size_and_state, fresh),
		cmocka_unit_test_setup(a_clean_one_is_not_written_to, fresh),
		cmocka_unit_test_setup(
		    one_that_was_not_unmounted_is_checked_and_clean_after,
		    fresh),
		cmocka_unit_test_setup(what_can_be_mended_is, fresh),
		cmocka_unit_test_setup(
		    what_cannot_be_mended_is_refused_and_left_alone, fresh),
		cmocka_unit_test_setup(
		    room_behind_it_is_told_and_what_is_read_of_it_is_written,
		    fresh),
		cmocka_unit_test_setup(
		    one_that_is_larger_than_its_disk_is_refused, fresh),
	};
	return cmocka_run_group_tests(tests, NULL, away);
}
