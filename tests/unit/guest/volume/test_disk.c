/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a volume role that was killed has left behind; see guest/volume/disk.h.
 * A kernel of this test's own: devices by name, each held by the one on it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <unistd.h>

static int test_open(const char *path, int flags, ...);
static int test_mount(const char *from, const char *to, const char *type,
    unsigned long flags, const void *data);
static int test_umount2(const char *at, int flags);

#define open test_open
#define mount test_mount
#define umount2 test_umount2
#define dm_create test_dm_create
#define dm_remove test_dm_remove
#define fs_ready test_fs_ready
#define fs_grow test_fs_grow
#include "guest/volume/disk.c"
#undef open
#undef mount
#undef umount2

/* From the bottom up; each is in use as long as the next is there. */
static const char *const stack[] = { NAME_JOIN, NAME_INTEGRITY, NAME_CRYPT };
#define STACK (sizeof(stack) / sizeof(stack[0]))
static bool there[STACK];
static bool mounted;
static int ram = -1; /* the RAM disk's bytes */

static size_t
place(const char *name)
{
	size_t i = 0;

	while (i < STACK && strcmp(stack[i], name) != 0)
		i++;
	assert_true(i < STACK);
	return i;
}

enum dstack_status
test_dm_create(const char *name, const struct dm_segment *seg, size_t count,
    char path[static DM_PATH_MAX], struct why *why)
{
	size_t i = place(name);

	(void)seg;
	(void)count;
	if (there[i] || (i > 0 && !there[i - 1]))
		return why_set(why, DSTACK_E_SYS, "%s: %s", name,
		    strerror(there[i] ? EBUSY : ENODEV));
	there[i] = true;
	(void)snprintf(path, DM_PATH_MAX, "/dev/dm-%zu", i);
	return DSTACK_OK;
}

bool
test_dm_remove(const char *name)
{
	size_t i = place(name);
	bool used = i + 1 < STACK ? there[i + 1] : mounted;

	errno = !there[i] ? ENXIO : EBUSY;
	if (!there[i] || used)
		return false;
	there[i] = false;
	return true;
}

enum dstack_status
test_fs_ready(
    const char *path, uint64_t blocks, bool *smaller, struct why *why)
{
	(void)path;
	(void)blocks;
	(void)why;
	*smaller = false;
	return DSTACK_OK;
}

void
test_fs_grow(const char *dir, uint64_t blocks)
{
	(void)dir;
	(void)blocks;
}

static int
test_open(const char *path, int flags, ...)
{
	(void)flags;
	assert_string_equal(path, RAM);
	return fcntl(ram, F_DUPFD_CLOEXEC, 0);
}

static int
test_mount(const char *from, const char *to, const char *type,
    unsigned long flags, const void *data)
{
	(void)from;
	(void)to;
	(void)type;
	(void)flags;
	(void)data;
	errno = EBUSY;
	if (mounted || !there[STACK - 1])
		return -1;
	mounted = true;
	return 0;
}

static int
test_umount2(const char *at, int flags)
{
	(void)at;
	(void)flags;
	errno = EINVAL;
	if (!mounted)
		return -1;
	mounted = false;
	return 0;
}

/* Ended after as many steps as left: nothing, join, integrity, crypt, mount. */
static void
killed_after(size_t left)
{
	for (size_t i = 0; i < STACK; i++)
		there[i] = i < left;
	mounted = left > STACK;
}

static void
a_volume_opens_whatever_a_killed_role_has_left(void **state)
{
	struct volume_keys keys = { { { 1 } }, { { 2 } }, { { 3 } } };
	struct volume_record r = { .device_bytes = 64u << 20,
		.data_sectors = 1000 };

	(void)state;
	for (size_t left = 0; left <= STACK + 1; left++) {
		struct why why = { "" };
		killed_after(left);
		if (volume_disk_open("/dev/vda", &keys, &r, "/run/v", &why) !=
		    DSTACK_OK)
			fail_msg("%zu left: %s", left, why.text);
		assert_true(mounted && there[0] && there[1] && there[2]);
	}
	/* and an ordered end takes all of it down, keys with it */
	mounted = false;
	assert_true(volume_disk_close());
	assert_false(there[0] || there[1] || there[2]);
}

/* dm-integrity's first step says how much room there is; 0: none, refused. */
static void
a_format_begins_from_nothing_and_leaves_nothing(void **state)
{
	struct volume_keys keys = { { { 1 } }, { { 2 } }, { { 3 } } };

	(void)state;
	for (size_t left = 0; left <= STACK; left++) {
		struct volume_record r = { .device_bytes = 64u << 20 };
		struct why why = { "" };
		killed_after(left);
		assert_int_equal(
		    volume_disk_format("/dev/vda", &keys, &r, &why),
		    DSTACK_E_FORMAT);
		assert_string_equal(why.text, "dm-integrity provides 0 sectors");
		assert_false(there[0] || there[1] || there[2]);
	}
}

static int
begin(void **state)
{
	(void)state;
	ram = memfd_create("ram0", MFD_CLOEXEC);
	return ram >= 0 && ftruncate(ram, 4096) == 0 ? 0 : -1;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_volume_opens_whatever_a_killed_role_has_left),
		cmocka_unit_test(
		    a_format_begins_from_nothing_and_leaves_nothing),
	};
	return cmocka_run_group_tests(tests, begin, NULL);
}
