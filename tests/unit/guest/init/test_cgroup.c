/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is written where, in a folder with the files of the kernel's. That the
 * kernel holds an app to it: tests/vm/bounds.sh.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "guest/init/cgroup.h"

#define MIB (1ull << 20)

static char root[] = "/tmp/test_cgroup.XXXXXX";
static const char *const files[] = { "cgroup.subtree_control",
	"apps/cgroup.subtree_control", "apps/memory.max", "apps/pids.max",
	"apps/1/memory.max", "apps/1/memory.oom.group", "apps/1/pids.max",
	"apps/1/cgroup.subtree_control", "apps/1/part2/memory.max",
	"apps/1/part2/memory.oom.group", "apps/1/part2/pids.max",
	"apps/1/part2/cgroup.procs",
	"apps/1/cgroup.procs", "apps/1/memory.current", "apps/1/memory.events", "roles/memory.min", "roles/cgroup.procs" };
#define FILES (sizeof(files) / sizeof(files[0]))

static const char *
at(const char *name)
{
	static char path[80];
	snprintf(path, sizeof(path), "%s/%s", root, name);
	return path;
}

static int
setup(void **state)
{
	(void)state;
	assert_non_null(mkdtemp(root));
	assert_int_equal(mkdir(at("apps"), 0755), 0);
	assert_int_equal(mkdir(at("apps/1"), 0755), 0);
	assert_int_equal(mkdir(at("apps/1/part2"), 0755), 0);
	assert_int_equal(mkdir(at("roles"), 0755), 0);
	for (size_t i = 0; i < FILES; i++) {
		int fd = open(at(files[i]), O_WRONLY | O_CREAT, 0644);
		assert_true(fd >= 0);
		close(fd);
	}
	return 0;
}

static int
cleanup(void **state)
{
	(void)state;
	for (size_t i = 0; i < FILES; i++)
		unlink(at(files[i]));
	rmdir(at("apps/1/part2"));
	rmdir(at("apps/1"));
	rmdir(at("roles"));
	rmdir(at("apps"));
	rmdir(root);
	return 0;
}

static void
put_text(const char *name, const char *text)
{
	int fd = open(at(name), O_WRONLY | O_TRUNC);
	assert_int_equal(
	    write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
}

static void
holds(const char *name, const char *want)
{
	char text[64] = "";
	int fd = open(at(name), O_RDONLY);
	ssize_t n = read(fd, text, sizeof(text) - 1);
	close(fd);
	assert_true(n >= 0);
	assert_string_equal(text, want);
}

static void
roles_keep_a_quarter_of_what_is_free_and_48_mib_at_least(void **state)
{
	(void)state;
	assert_int_equal(cgroup_bytes(4096 * MIB), 3072 * MIB);
	assert_int_equal(cgroup_bytes(160 * MIB), 112 * MIB);
	assert_int_equal(cgroup_bytes(64 * MIB), 16 * MIB);
	assert_int_equal(cgroup_bytes(60 * MIB), 16 * MIB);
	assert_int_equal(cgroup_bytes(0), 16 * MIB);
}

static void
what_is_free_is_the_kernel_s_word(void **state)
{
	(void)state;
	assert_int_equal(cgroup_available("MemTotal:  222 kB\nMemFree:  9 kB\n"
					  "MemAvailable:   1024 kB\nX: 3 kB\n"),
	    MIB);
	assert_int_equal(cgroup_available("MemTotal:  222 kB\n"), 0);
	assert_int_equal(cgroup_available("A: 1\nMemAvailable: x\n"), 0);
}

static void
init_bounds_all_apps_together(void **state)
{
	struct why why = { "" };
	(void)state;
	assert_int_equal(cgroup_prepare(root, &why), DSTACK_OK);
	holds("cgroup.subtree_control", "+memory +pids +cpu");
	holds("apps/cgroup.subtree_control", "+memory +pids +cpu");
	holds("apps/pids.max", "4096");
	holds("roles/memory.min", "50331648");
	holds("roles/cgroup.procs", "0");
	assert_true(cgroup_there(root));
}

static void
slot_has_bounds_of_its_own_and_ends_as_one(void **state)
{
	struct why why = { "" };
	struct stat s;
	(void)state;
	assert_int_equal(chmod(at("apps/1"), 0700), 0);
	mode_t mask = umask(077); /* as a role's is */
	assert_int_equal(cgroup_slot(root, 1, 400 * MIB, &why), DSTACK_OK);
	(void)umask(mask);
	/* the app sees its own bounds there, as another user */
	assert_int_equal(stat(at("apps/1"), &s), 0);
	assert_int_equal(s.st_mode & 0777, 0755);
	holds("apps/memory.max", "367001600");
	holds("apps/1/memory.max", "314572800");
	holds("apps/1/memory.oom.group", "1");
	holds("apps/1/pids.max", "2048");
	assert_true(cgroup_enter(root, 1));
	holds("apps/1/cgroup.procs", "0");
}

/* One service of several: it ends alone at its bound, within the slot's. */
static void
a_service_has_a_bound_of_its_own_within_its_slots(void **state)
{
	struct why why = { "" };
	(void)state;
	if (cgroup_part(root, 1, 2, 64 * MIB, &why) != DSTACK_OK)
		fail_msg("%s", why.text);
	holds("apps/1/cgroup.subtree_control", "+memory +pids");
	holds("apps/1/part2/memory.max", "67108864");
	holds("apps/1/part2/memory.oom.group", "1");
	holds("apps/1/part2/pids.max", "2048");
	assert_true(cgroup_enter_part(root, 1, 2));
	holds("apps/1/part2/cgroup.procs", "0");
	/* the slot's own bound is as it was */
	holds("apps/1/memory.max", "314572800");
	/* no group without its bound: nobody is put into one */
	assert_false(cgroup_enter_part(root, 1, 3));
	assert_int_equal(cgroup_part(root, 1, 3, MIB, &why), DSTACK_E_SYS);
	assert_int_equal(rmdir(at("apps/1/part3")), 0);
}

static void
groups_of_services_go_before_the_slot_has_another_app(void **state)
{
	static const char *const of[] = { "memory.max", "memory.oom.group",
		"pids.max", "cgroup.procs" };
	char name[40];
	(void)state;
	assert_int_equal(mkdir(at("apps/1/part7"), 0755), 0);
	/* the kernel's files go with their group, these have to be taken out */
	for (size_t i = 0; i < 4; i++) {
		(void)snprintf(name, sizeof(name), "apps/1/part2/%s", of[i]);
		assert_int_equal(unlink(at(name)), 0);
	}
	cgroup_no_parts(root, 1);
	assert_int_equal(access(at("apps/1/part2"), F_OK), -1);
	assert_int_equal(access(at("apps/1/part7"), F_OK), -1);
	holds("apps/1/cgroup.subtree_control", "-memory -pids");
}

/* Archive, tree and what runs are beside each other only for a while. */
static void
a_growing_tree_is_bounded_by_what_is_free(void **state)
{
	struct why why = { "" };
	(void)state;
	put_text("apps/1/memory.current", "104857600\n");
	/* 100 MiB there already, 150 free, of which 24 are the machine's */
	assert_int_equal(
	    cgroup_unpacking(root, 1, 400 * MIB, 150 * MIB, &why), DSTACK_OK);
	holds("apps/1/memory.max", "236978176");
	/* what the roles need is not free */
	assert_int_equal(
	    cgroup_unpacking(root, 1, 400 * MIB, 20 * MIB, &why), DSTACK_OK);
	holds("apps/1/memory.max", "104857600");
	/* nor more than an app may have */
	assert_int_equal(
	    cgroup_unpacking(root, 1, 400 * MIB, 900 * MIB, &why), DSTACK_OK);
	holds("apps/1/memory.max", "314572800");
	put_text("apps/1/memory.current", "max\n");
	assert_int_equal(cgroup_unpacking(root, 1, 400 * MIB, MIB, &why),
	    DSTACK_E_SYS);
}

static void
what_a_slot_uses_and_whom_the_kernel_ended_is_counted(void **state)
{
	uint64_t used = 1;
	uint64_t bound = 1;
	(void)state;
	put_text("apps/1/memory.current", "4194304\n");
	put_text("apps/1/memory.max", "8388608\n");
	cgroup_usage(root, 1, &used, &bound);
	assert_int_equal(used, 4 << 20);
	assert_int_equal(bound, 8 << 20);
	/* without a number there is no bound, so nothing is said */
	put_text("apps/1/memory.max", "max\n");
	cgroup_usage(root, 1, &used, &bound);
	assert_int_equal(used, 0);
	assert_int_equal(bound, 0);
	assert_int_equal(cgroup_killed(root, 0), 0); /* no such group */
	put_text("apps/1/memory.events", "low 0\nhigh 0\nmax 31\noom 5\n"
	    "oom_kill 3\noom_group_kill 7\n");
	assert_int_equal(cgroup_killed(root, 1), 3);
	/* another name in front of it is another count */
	put_text("apps/1/memory.events", "low 0\nnot_oom_kill 9\n");
	assert_int_equal(cgroup_killed(root, 1), 0);
}

/* Of a process, and for good only in its children. */
static void
the_kernel_is_told_whom_to_end_first(void **state)
{
	int status = 0;
	(void)state;
	pid_t pid = fork();
	if (pid == 0) {
		char text[16] = "";
		if (!cgroup_first_to_go(CGROUP_UNPACKER))
			_exit(1);
		int fd = open("/proc/self/oom_score_adj", O_RDONLY);
		(void)!read(fd, text, sizeof(text) - 1);
		_exit(strcmp(text, "1000\n") == 0 ? 0 : 2);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void
kernel_without_them_is_refused_with_a_line(void **state)
{
	struct why why = { "" };
	(void)state;
	assert_int_equal(unlink(at("apps/1/memory.max")), 0);
	assert_int_equal(cgroup_slot(root, 1, MIB, &why), DSTACK_E_SYS);
	assert_non_null(strstr(why.text, "no bounds for apps"));
	assert_int_equal(unlink(at("apps/memory.max")), 0);
	assert_int_equal(unlink(at("apps/pids.max")), 0);
	assert_int_equal(cgroup_prepare(root, &why), DSTACK_E_SYS);
	assert_false(cgroup_there(root));
	assert_false(cgroup_enter(root, 0));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    roles_keep_a_quarter_of_what_is_free_and_48_mib_at_least),
		cmocka_unit_test(what_is_free_is_the_kernel_s_word),
		cmocka_unit_test(init_bounds_all_apps_together),
		cmocka_unit_test(slot_has_bounds_of_its_own_and_ends_as_one),
		cmocka_unit_test(
		    a_service_has_a_bound_of_its_own_within_its_slots),
		cmocka_unit_test(
		    groups_of_services_go_before_the_slot_has_another_app),
		cmocka_unit_test(a_growing_tree_is_bounded_by_what_is_free),
		cmocka_unit_test(
		    what_a_slot_uses_and_whom_the_kernel_ended_is_counted),
		cmocka_unit_test(the_kernel_is_told_whom_to_end_first),
		cmocka_unit_test(kernel_without_them_is_refused_with_a_line),
	};
	return cmocka_run_group_tests(tests, setup, cleanup);
}
