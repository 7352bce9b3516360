/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HEALTHCHECK beside a real app in a real container. Needs what test_container
 * needs, and is skipped as it is.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <dirent.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/*
 * Groups without bounds, where this machine has cgroup v2 beside whatever else
 * it has: in them a check ends as a whole, as in a VM.
 */
#include "guest/init/cgroup.h"

static bool groups;
#define cgroup_there(root) groups
#include "guest/kubernethes/container_check.c"
#include "guest/kubernethes/container_exec.c"
#undef cgroup_there
#define FIRST_MS 20
#include "guest/kubernethes/health.c"
#include "guest/kubernethes/unpack.h"
#include "tests/unit/lib/oci/tarmake.h"

static bool can;
static char battery[64] = "/tmp/test_battery.XXXXXX";
static struct app app;
static struct wr archive;

static char group[64];

/* A group of this test's own in the place of the machine's. */
static void
make_groups(void)
{
	char path[80];
	(void)mkdir("/run/cgroup2", 0755);
	if (mount("cgroup2", "/run/cgroup2", "cgroup2", 0, NULL) != 0)
		return;
	snprintf(group, sizeof(group), "/run/cgroup2/test_health.%d",
	    (int)getpid());
	snprintf(path, sizeof(path), "%s/apps", group);
	if (mkdir(group, 0755) != 0 || mkdir(path, 0755) != 0)
		return;
	snprintf(path, sizeof(path), "%s/apps/0", group);
	groups = mkdir(path, 0755) == 0 &&
	    mount(group, CGROUP_ROOT, NULL, MS_BIND, NULL) == 0;
}

static int
prepare(void **state)
{
	char cc[] = "gcc", def[] = "-D_GNU_SOURCE", st[] = "-static", o[] = "-o", w[] = "-w";
	char src[] = "tests/unit/guest/kubernethes/battery.c";
	char *const argv[] = { cc, def, st, w, o, battery, src, NULL };
	char path[] = "PATH=/usr/bin:/bin";
	char *const env[] = { path, NULL };
	pid_t pid;
	int status = 1;
	(void)state;
	int fd = mkstemp(battery);
	if (fd >= 0)
		close(fd);
	if (geteuid() != 0 || access(CONTAINER_RUNTIME, X_OK) != 0)
		return 0;
	if (posix_spawn(&pid, "/usr/bin/gcc", NULL, NULL, argv, env) != 0 ||
	    waitpid(pid, &status, 0) != pid || status != 0)
		return 0;
	if (unshare(CLONE_NEWNS | CLONE_NEWNET) != 0 ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
	    mount("tmpfs", "/run", "tmpfs", 0, "mode=755") != 0)
		return 0;
	make_groups();
	print_message("# %s groups\n", groups ? "with" : "without");
	can = true;
	return 0;
}

static int
cleanup(void **state)
{
	(void)state;
	static const char *const made[] = { "/apps/0/check0", "/apps/0", "/apps", "" };
	for (size_t i = 0; group[0] != '\0' && i < 4; i++) {
		char path[96];
		snprintf(path, sizeof(path), "%s%s", group, made[i]);
		(void)rmdir(path);
	}
	unlink(battery);
	return 0;
}

/* The battery with this HEALTHCHECK, started. */
static void
start(const char *health)
{
	AUTO_WR struct wr layer = wr_new(0);
	AUTO_WR struct wr prog = wr_new(0);
	struct why why = { "" };
	uint8_t d[32];
	char config[512];
	char buf[65536];
	ssize_t n;
	int tcp = -1;
	int local = -1;
	int fd = open(battery, O_RDONLY);
	while ((n = read(fd, buf, sizeof(buf))) > 0)
		wr_put(&prog, buf, (size_t)n);
	close(fd);
	tar_add(&layer, (struct tarent){ .name = "battery", .type = '0',
		.mode = 0755, .data = (const char *)prog.buf,
		.size = prog.len });
	tar_add(&layer, (struct tarent){ .name = "tmp", .type = '5',
		.mode = 01777 });
	tar_end(&layer);
	snprintf(config, sizeof(config),
	    "{\"Cmd\":[\"/battery\",\"one\"],\"User\":\"33:44\","
	    "\"Env\":[\"GREET=hi\"],\"Healthcheck\":{%s}}", health);
	archive = wr_new(0);
	make_image(&archive, HYBRID, &layer, 1,
	    (struct wrong){ .config = config }, d);
	app = (struct app){ .watch = -1, .host = -1 };
	snprintf(app.record.name, sizeof(app.record.name), "battery");
	container_init(&app.box, 0);
	if (oci_open(archive.buf, archive.len, d, 64 << 20, &app.image,
		&why) != DSTACK_OK ||
	    container_make(&app.box, 64 << 20, &why) != DSTACK_OK ||
	    container_listen(&app.box, &tcp, &local, &why) != DSTACK_OK)
		fail_msg("%s", why.text);
	int root = container_root(&app.box);
	if (unpack_image(app.image, root, SPEC_ID_BASE, NULL, NULL, NULL,
		&why) != DSTACK_OK ||
	    container_start(&app.box, oci_config(app.image), NULL, false,
		1 << 28, &why) != DSTACK_OK)
		fail_msg("%s", why.text);
	close(root);
	close(tcp);
	close(local);
	health_begin(&app);
}

static void
stop(void)
{
	health_end(&app);
	container_drop(&app.box);
	oci_free(app.image);
	wr_free(&archive);
}

/* As the role's loop does it, until is (or one run has ended in last). */
static void
turn(int is)
{
	int64_t end = kube_now() + 60000;
	while (is >= 0 ? (int)app.health.is != is
		       : app.health.last[0] == '\0' || app.health.pid != 0) {
		struct pollfd p[2] = { { .fd = -1 }, { .fd = -1 } };
		int64_t until = health_poll(&app, p, kube_now() + 50);
		int64_t ms = until - kube_now();
		(void)poll(p, 2, ms > 0 ? (int)ms : 0);
		health_step(&app);
		if (kube_now() > end)
			fail_msg("stays at %d: %s", (int)app.health.is,
			    app.health.last);
	}
}

/* Processes whose command line has this text, in all of /proc. */
static unsigned
processes(const char *arg)
{
	unsigned found = 0;
	DIR *d = opendir("/proc");
	assert_non_null(d);
	for (const struct dirent *e; (e = readdir(d)) != NULL;) {
		char path[280];
		char text[64] = "";
		snprintf(path, sizeof(path), "/proc/%s/cmdline", e->d_name);
		int fd = open(path, O_RDONLY);
		if (fd < 0)
			continue;
		ssize_t n = read(fd, text, sizeof(text) - 1);
		close(fd);
		for (ssize_t i = 0; i < n - 1; i++)
			text[i] = text[i] == '\0' ? ' ' : text[i];
		found += strcmp(text, arg) == 0;
	}
	closedir(d);
	return found;
}

static void
it_says_well_and_unhealthy_and_well_again(void **state)
{
	(void)state;
	char ill[96];
	if (!can)
		skip();
	start("\"Test\":[\"CMD\",\"/battery\",\"check\",\"well\"],"
	      "\"Interval\":50000000,\"Retries\":2");
	assert_int_equal(app.health.is, HEALTH_STARTING);
	assert_false(health_good(&app));
	turn(HEALTH_GOOD);
	assert_true(health_good(&app));
	snprintf(ill, sizeof(ill), "%s/root/tmp/ill", app.box.dir);
	close(open(ill, O_CREAT | O_WRONLY, 0644));
	turn(HEALTH_BAD);
	assert_string_equal(app.health.last, "exit 7");
	assert_int_equal(app.health.failures, 2);
	assert_true(app.box.pid != 0 && kill(app.box.pid, 0) == 0);
	unlink(ill);
	turn(HEALTH_GOOD);
	assert_int_equal(app.health.failures, 0);
	stop();
}

static void
it_is_held_as_the_app_is(void **state)
{
	(void)state;
	if (!can)
		skip();
	start("\"Test\":[\"CMD\",\"/battery\",\"check\",\"who\"]");
	turn(-1);
	app.health.line[app.health.linelen] = '\0';
	assert_string_equal(app.health.line,
	    "1=/battery user=33:44 nnp=1 seccomp=2 caps=0 fds=0 env=hi "
	    "mount=0 ptrace=0 net=1 ");
	assert_string_equal(app.health.last, "exit 9");
	assert_int_equal(app.health.is, HEALTH_STARTING); /* it may yet be */
	stop();
}

/* Killed at its time, and what is written is neither kept nor waited for. */
static void
one_that_hangs_or_floods_is_over_at_its_timeout(void **state)
{
	(void)state;
	static const char *const how[] = { "hang", "flood" };
	if (!can)
		skip();
	for (size_t i = 0; i < 2; i++) {
		char test[160];
		char line[64];
		snprintf(test, sizeof(test), "\"Test\":[\"CMD\",\"/battery\","
		    "\"check\",\"%s\"],\"Timeout\":400000000", how[i]);
		snprintf(line, sizeof(line), "/battery check %s", how[i]);
		start(test);
		int64_t began = kube_now();
		turn(-1);
		assert_true(kube_now() - began < 5000);
		assert_string_equal(app.health.last, "nothing within 400 ms");
		assert_true(app.health.linelen < sizeof(app.health.line));
		assert_int_equal(processes(line), 0);
		began = kube_now();
		stop();
		assert_true(kube_now() - began < 5000);
	}
}

static void
one_that_cannot_be_run_is_a_failure(void **state)
{
	(void)state;
	if (!can)
		skip();
	start("\"Test\":[\"CMD-SHELL\",\"true\"]"); /* no /bin/sh in there */
	turn(-1);
	assert_memory_equal(app.health.last, "exit ", 5);
	assert_string_not_equal(app.health.last, "exit 0");
	int64_t began = kube_now();
	stop(); /* nothing of it is left to wait for */
	assert_true(kube_now() - began < 5000);
}

static void
what_a_good_one_leaves_behind_goes_with_it(void **state)
{
	(void)state;
	if (!can)
		skip();
	start("\"Test\":[\"CMD\",\"/battery\",\"check\",\"child\"]");
	turn(HEALTH_GOOD);
	/* with groups nothing, and without one at most until the app ends */
	assert_true(processes("/battery check child") <= (groups ? 0 : 1));
	stop();
	assert_int_equal(processes("/battery check child"), 0);
}

/* Both hear SIGTERM: the role, and who looks after a run. */
static void
the_end_of_a_run_is_not_the_role_s(void **state)
{
	(void)state;
	struct why why = { "" };
	if (!can)
		skip();
	assert_int_equal(kube_ending_begin(&why), DSTACK_OK);
	start("\"Test\":[\"CMD\",\"/battery\",\"check\",\"hang\"]");
	for (int i = 0; i < 40; i++) {
		app.health.is = HEALTH_STARTING;
		app.health.next = 0;
		health_step(&app);
		assert_true(app.health.pid != 0);
		health_end(&app); /* at once, in whatever it is doing */
		assert_false(kube_ending());
	}
	stop();
}

static void
an_app_has_dockers_time_to_become_healthy(void **state)
{
	(void)state;
	if (!can)
		skip();
	start("\"Test\":[\"CMD\",\"/battery\",\"check\",\"who\"],"
	      "\"Interval\":300000000,\"Timeout\":200000000,\"Retries\":2,"
	      "\"StartPeriod\":100000000,\"StartInterval\":30000000");
	assert_int_equal(health_grace(&app), 100 + 2 * (300 + 200));
	int64_t began = kube_now();
	turn(HEALTH_BAD);
	assert_true(kube_now() - began >= 1000);
	assert_true(kube_now() - began < 20000);
	stop();
	start("\"Test\":[\"NONE\"]");
	assert_int_equal(health_grace(&app), 0);
	assert_true(health_good(&app));
	stop();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_says_well_and_unhealthy_and_well_again),
		cmocka_unit_test(it_is_held_as_the_app_is),
		cmocka_unit_test(
		    one_that_hangs_or_floods_is_over_at_its_timeout),
		cmocka_unit_test(what_a_good_one_leaves_behind_goes_with_it),
		cmocka_unit_test(the_end_of_a_run_is_not_the_role_s),
		cmocka_unit_test(one_that_cannot_be_run_is_a_failure),
		cmocka_unit_test(an_app_has_dockers_time_to_become_healthy),
	};
	return cmocka_run_group_tests(tests, prepare, cleanup);
}
