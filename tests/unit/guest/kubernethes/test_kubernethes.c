/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The role with real containers; the chain, the host and the other roles are
 * played by this test at the ends of its edges. Needs what test_container
 * needs.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <time.h>

/*
 * Replaced are the proofs, which have their own tests, and the clock: the old
 * version drains for longer than any machine needs to look at it, until the
 * test says that its time is over.
 */
#define DRAIN_MS 600000
#define POLL_SERVING_MS 100
#define chain_app shown_app
#define clock_gettime shown_clock
static int shown_clock(clockid_t id, struct timespec *t);
#define kube_memory_free shown_memory
#include "guest/kubernethes/clock.c"
#include "guest/kubernethes/stage.c"
#include "guest/kubernethes/kubernethes.c"
#undef kube_memory_free
#undef chain_app
#undef clock_gettime

#include "tests/unit/guest/kubernethes/kube_bed.h"

static void
the_app_starts_when_the_volume_is_there(void **state)
{
	(void)state;
	if (!can)
		skip();
	publish(1, "one", true);
	begin_role();
	until("[starting battery version 1]");
	assert_null(strstr(events, "[app]")); /* joined first, then the app */
	assert_int_equal(mount("tmpfs", PATH_VOLUME, "tmpfs", 0, NULL), 0);
	until("[serving battery version 1]");
	before("[app]", "[app-start]");
	/* this machine's clock is behind that block's; an app is to see it */
	before("[clock 1800000000]", "[app-start]");
	before("[app-start]", "[listen]");
	before("[listen]", "[backend 10.0:80]");
	/* or the front could not tell an expired certificate */
	before("[time 1800000000]", "[backend 10.0:80]");
	assert_true(answers_at(0));
	struct stat s;
	assert_int_equal(stat(PATH_VOLUME "/app/f", &s), 0);
	assert_int_equal(stat("/run/dstack/app/0/host/hello.txt", &s), 0);
	assert_int_equal(s.st_size, 5);
	assert_int_equal(s.st_uid, SPEC_ID_BASE);
	assert_int_equal(stat("/run/dstack/app/0/host/no.txt", &s), -1);
	assert_int_equal(stat("/run/dstack/app/0/host/netcfg", &s), -1);
}

static void
an_archive_that_does_not_match_leaves_the_old_one_serving(void **state)
{
	(void)state;
	if (!can)
		skip();
	publish(2, "two", false);
	until("[refused, old one serves: battery version 2]");
	assert_null(strstr(events, "[backend"));
	assert_true(answers_at(0));
	assert_false(answers_at(1));
}

static void
an_image_that_does_not_fit_leaves_the_old_one_serving(void **state)
{
	(void)state;
	if (!can)
		skip();
	/*
	 * the archive alone is too much for memory: it goes to the volume, and
	 * is refused since it does not ask for that
	 */
	shown->memory = (24 << 20) + 4096;
	publish(5, "two", true);
	until("[refused, old one serves: battery version 5]");
	assert_true(archive_taken > 1);
	assert_string_equal(life.refused.why,
	    "app-example.tar has 1 MB, more than this VM has memory for: more "
	    "VM_MEMORY_MB, or the label dstack.store=volume");
	/* it fits, and what it unpacks to does not */
	shown->memory = (25 << 20) + 65536;
	publish_as(6, "three", true, 8 << 20);
	assert_true(archive.len < 1 << 20);
	until("[refused, old one serves: battery version 6]");
	assert_null(strstr(events, "[app]"));
	assert_null(strstr(events, "[listen]"));
	assert_true(answers_at(0));
	assert_false(answers_at(1));
	shown->memory = 0;
}

static void
memory_is_judged_by_the_sum(void **state)
{
	(void)state;
	struct kube_memory m = { .total = 512 << 20, .first = 400 << 20 };
	struct why why = { "" };
	kube_memory_look(&m, 400 << 20);
	assert_int_equal(m.spare, 350 << 20); /* an eighth is kept back */
	kube_memory_look(&m, 139 << 20);
	assert_int_equal(m.spare, 89 << 20);
	assert_int_equal(kube_memory_takes(&m, "app-example.tar", "has",
			     (260 << 20) + 1, &why), DSTACK_E_LIMIT);
	assert_string_equal(why.text, "app-example.tar has 261 MB, this VM has "
	    "89 MB of memory free beside what runs: smaller image or more "
	    "VM_MEMORY_MB");
	assert_int_equal(kube_memory_takes(&m, "a", "has", 89 << 20, &why),
	    DSTACK_OK);
	/* the archive is in memory, and goes as the tree comes */
	struct oci_tree t = { .bytes = 88 << 20, .most = 170 << 20 };
	assert_int_equal(kube_memory_image(&m, "a", 85 << 20, &t, &why),
	    DSTACK_OK);
	assert_int_equal(kube_memory_image(&m, "a", 80 << 20, &t, &why),
	    DSTACK_E_LIMIT);
	/* more than one app may have, however much is free */
	t.bytes = 301 << 20;
	t.most = 302 << 20;
	kube_memory_look(&m, 400 << 20);
	assert_int_equal(kube_memory_image(&m, "a", 1, &t, &why),
	    DSTACK_E_LIMIT);
	assert_non_null(strstr(why.text, "one app may have 300 MB"));
	kube_memory_look(&m, 0);
	assert_int_equal(m.spare, 0);
}

/* Blocks of 512 bytes that a memfd of 4 MiB has. */
static int64_t
blocks(int fd)
{
	struct stat s;
	assert_int_equal(fstat(fd, &s), 0);
	assert_int_equal(s.st_size, 4 << 20);
	return s.st_blocks;
}

static void
an_archive_is_let_go_of_layer_by_layer(void **state)
{
	(void)state;
	struct kube_archive a = { .len = 4 << 20,
		.fd = memfd_create("archive", MFD_CLOEXEC) };
	assert_true(a.fd >= 0);
	for (size_t i = 0; i < a.len; i += 4096)
		assert_int_equal(pwrite(a.fd, "x", 1, (off_t)i), 1);
	assert_int_equal(ftruncate(a.fd, (off_t)a.len), 0);
	a.p = mmap(NULL, a.len, PROT_READ, MAP_SHARED, a.fd, 0);
	assert_ptr_not_equal(a.p, MAP_FAILED);
	int64_t whole = blocks(a.fd);
	assert_true(whole >= 4 << 11);
	/* the upper half first: layers lie in any order */
	kube_archive_let_go(&a, 2 << 20, (2 << 20) + 1000);
	assert_int_equal(blocks(a.fd), whole); /* too little to be worth it */
	kube_archive_let_go(&a, 2 << 20, 3 << 20);
	kube_archive_let_go(&a, 2 << 20, 4 << 20);
	assert_true(blocks(a.fd) <= whole / 2);
	assert_int_equal(((const char *)a.p)[0], 'x');
	kube_archive_let_go(&a, 0, 2 << 20);
	assert_int_equal(blocks(a.fd), 0);
	kube_archive_drop(&a);
	assert_null(a.p);
}

static void
promise_19_a_new_version_serves_before_the_old_one_goes(void **state)
{
	(void)state;
	if (!can)
		skip();
	publish(3, "three", true);
	until("[serving battery version 3]");
	before("[listen]", "[backend 10.1:80]");
	assert_null(strstr(events, "[backend 0."));
	assert_true(answers_at(1));
	/* What the old one was asked before, it may still answer. */
	assert_null(strstr(events, "[gone 0]"));
	assert_true(answers_at(0));
	shown->ahead += DRAIN_MS / 1000;
	until("[gone 0]");
	until("[put f]");
	before("[backend 10.1:80]", "[gone 0]");
	assert_false(answers_at(0));
	/* Its open files were closed as it ended, and the host got them. */
	assert_string_equal(put_name, "f");
}

static void
an_older_version_is_not_taken_again(void **state)
{
	(void)state;
	if (!can)
		skip();
	publish(2, "two", true);
	until("[refused, old one serves: battery version 2]");
	assert_true(answers_at(1));
	/* Nor after a new start of this VM: the volume remembers. */
	kill(role_pid, SIGKILL);
	waitpid(role_pid, NULL, 0);
	for (int i = 0; i < EDGES; i++)
		close(edge[i]);
	publish(2, "two", true);
	begin_role();
	until("[not running: battery version 2]");
	assert_null(strstr(events, "[app]"));
}

/* The app in slot 0 crashes; it has to be there again, and soon. */
static void
crash_and_come_back(unsigned times)
{
	char buf[16] = "";
	int fd = open("/run/dstack/app/0/pid", O_RDONLY);
	assert_true(fd >= 0 && read(fd, buf, sizeof(buf) - 1) > 0);
	close(fd);
	pid_t pid = (pid_t)strtol(buf, NULL, 10);
	events[0] = '\0';
	assert_int_equal(kill(pid, SIGKILL), 0);
	until("[restarting battery version 4]");
	assert_false(life.up);
	until("[put f]");
	until("[serving battery version 4]");
	until_answers(0);
	/* and its author is told how it ended, and that it runs again */
	assert_true(life.up);
	assert_int_equal(life.serves, 4);
	assert_int_equal(life.restarts, times);
	assert_true(life.end.any && life.end.by_signal);
	assert_int_equal(life.end.code, SIGKILL);
	assert_false(life.end.memory);
}

/* What its author asks: which version, how it ended, how often it was tried. */
static void
a_version_that_ends_at_once_is_told_with_its_exit_status(void **state)
{
	(void)state;
	if (!can)
		skip();
	publish(5, "ends", true);
	until("[refused, old one serves: battery version 5]");
	assert_int_equal(life.wanted, 5);
	assert_int_equal(life.serves, 4);
	assert_true(life.refused.version == 5 && life.refused.tries == 1);
	assert_string_equal(life.refused.why,
	    "app ended before it listened on port 80 (exit 7)");
	assert_int_equal(life.end.version, 5);
	assert_true(!life.end.by_signal && life.end.code == 7);
	/* its last lines too, as the host may have its output */
	assert_non_null(strstr(life.tail, "\nv6lo="));
	until_logged("5!version 5 is not taken: app ended before");
	assert_non_null(strstr(log_lines, "5!version 5 starts\n5:"));
	assert_non_null(strstr(log_lines, "\n5!the app has ended: exit 7\n"));
	assert_true(log_mode == APPLOG_PLAIN && log_app == 1);
	assert_true(answers_at(0));
}

static void
an_app_that_ends_is_started_again(void **state)
{
	(void)state;
	if (!can)
		skip();
	publish(4, "four", true);
	until("[serving battery version 4]");
	crash_and_come_back(1);
}

/* With a key, nothing of it is for the host. */
static void
what_is_for_the_owner_is_sealed_and_told_to_nobody(void **state)
{
	(void)state;
	if (!can)
		skip();
	volumes = ",\"Labels\":{\"dstack.logs\":\"8520f0098930a754748b7ddcb43e"
		  "f75a0dbf3a0d26381af4eba4a98eaa9b4e6a\"}";
	publish(5, "ends", true);
	log_mode = APPLOG_NONE;
	uint64_t was = log_number;
	for (int64_t end = kube_now() + 60000; log_mode != APPLOG_SEALED;) {
		assert_true(kube_now() < end);
		play();
	}
	log_lines[0] = events[0] = '\0';
	until("[refused, old one serves: battery version 5]");
	assert_string_equal(life.tail, "");
	assert_int_equal(life.end.code, 7);
	assert_true(log_number > was && log_mode == APPLOG_SEALED);
	assert_null(strstr(log_lines, "5:"));
	volumes = ",\"Labels\":{\"dstack.logs\":\"console\"}";
	publish(5, "ends", true);
	do {
		events[0] = '\0';
		until("[refused, old one serves: battery version 5]");
	} while (strstr(life.refused.why, "exit 7") != NULL);
	assert_non_null(strstr(life.refused.why, "label dstack.logs takes none, "
	    "host, or the 64 hex digits that dstack app logs --new-key prints, "
	    "not 'console'"));
	assert_null(strstr(events, "[app]"));
	volumes = "";
}

static void
a_newer_version_ends_an_attempt_that_does_not_answer(void **state)
{
	(void)state;
	if (!can)
		skip();
	int64_t start = kube_now();
	publish(5, "never", true);
	until("[listen]");
	/* nor does it keep the one that serves from starting again */
	crash_and_come_back(2);
	publish(6, "six", true);
	until("[serving battery version 6]");
	before("[gone 1]", "[backend 10.1:80]");
	assert_true(answers_at(1));
	assert_true(kube_now() - start < 90000); /* READY_MS is twice that */
	shown->ahead += DRAIN_MS / 1000;
	until("[gone 0]");
}

/* Two programs in one folder of data would both believe to be alone. */
static void
versions_with_volumes_take_turns(void **state)
{
	(void)state;
	if (!can)
		skip();
	volumes = ",\"Volumes\":{\"/data\":{}}";
	publish(7, "seven", true);
	until("[serving battery version 7]");
	/* no drain: the old one had ended before the new one's first process */
	assert_false(answers_at(1));
	assert_true(answers_at(0));
	/* One that fails gives way to the old one again, and has one try. */
	publish(8, "mount", true);
	until("[refused, old one serves: battery version 8]");
	until_answers(0);
	before("[listen]", "[refused, old one serves: battery version 8]");
	volumes = "";
	publish(9, "nine", true);
	until("[serving battery version 9]");
	assert_false(answers_at(0));
	assert_true(answers_at(1));
	shown->ahead += DRAIN_MS / 1000;
	until("[gone 0]");
	/* what was said of it before may still have been under way */
	assert_null(strstr(strstr(events, "[serving battery version 9]"),
	    "version 8"));
}

/* The bed has no second device, as a VM of EGRESS=no. */
static void
a_way_out_that_the_node_does_not_give_is_a_refusal(void **state)
{
	(void)state;
	if (!can)
		skip();
	volumes = ",\"Labels\":{\"dstack.egress\":\"open\"}";
	publish(10, "ten", true);
	until("[refused, old one serves: battery version 10]");
	assert_null(strstr(events, "[listen]"));
	assert_true(answers_at(1));
	volumes = "";
}

static void
an_app_on_the_loopback_only_is_refused_within_seconds(void **state)
{
	(void)state;
	if (!can)
		skip();
	publish(11, "local", true);
	until("[listen]");
	int64_t start = kube_now();
	until("[refused, old one serves: battery version 11]");
	assert_true(kube_now() - start < 30000);
	assert_true(answers_at(1));
}

/* It answers on its port from the start, and is turned to when it is well. */
static void
an_app_that_is_not_healthy_is_not_turned_to_and_says_so_later(void **state)
{
	(void)state;
	if (!can)
		skip();
	volumes = ",\"Healthcheck\":{\"Test\":[\"CMD\",\"/battery\","
		  "\"check\",\"fit\"],\"Interval\":50000000,\"Retries\":2}";
	publish(11, "eleven", true);
	until("[listen]");
	until_answers(0);
	for (int64_t end = kube_now() + 1500; kube_now() < end;)
		play(); /* some checks are made by then */
	assert_null(strstr(events, "[backend"));
	assert_int_equal(access("/run/dstack/app/0/check.json", F_OK), 0);
	assert_int_equal(mknod("/run/dstack/app/0/root/fit", S_IFREG | 0644,
			     0), 0);
	until("[serving battery version 11]");
	before("[backend 10.0:80]", "[serving battery version 11]");
	assert_string_equal(life.health, "healthy");
	events[0] = '\0';
	assert_int_equal(unlink("/run/dstack/app/0/root/fit"), 0);
	/* told again as it changes, and with nothing else */
	until("[serving battery version 11]");
	assert_string_equal(life.health, "unhealthy: its check says exit 8");
	/* it is told and no more, as Docker has it */
	assert_null(strstr(events, "[backend"));
	assert_null(strstr(events, "[gone 0]"));
	assert_true(answers_at(0));
	volumes = "";
	ports = ""; /* none is EXPOSEd: it is the one that it listens on */
	publish(12, "twelve", true);
	until("[serving battery version 12]");
	before("[backend 10.1:80]", "[serving battery version 12]");
	assert_string_equal(life.health, "");
	shown->ahead += DRAIN_MS / 1000;
	until("[gone 0]");
}

static void
a_refused_version_has_three_minutes_and_then_rests(void **state)
{
	(void)state;
	if (shown == NULL)
		skip();
	static struct kube k;
	const struct state_app r = { .version = 7 };
	const struct why why = { "it does not" };
	time_t ahead = shown->ahead;
	unsigned tries = 0;
	k.live = -1;
	int64_t start = kube_now();
	for (; !k.refused.rests && tries < 100; tries++) {
		failure(&k, &r, DSTACK_E_REJECTED, &why);
		assert_false(kube_again(&k.refused, &r));
		shown->ahead += (k.refused.at - kube_now()) / 1000 + 1;
		if (!k.refused.rests)
			assert_true(kube_again(&k.refused, &r));
	}
	assert_true(tries >= 8 && tries <= 14);
	assert_non_null(strstr(k.said, "; it rests for an hour or till "
				       "host_volume changes: it does not"));
	assert_true(kube_now() - start > 3600000);
	assert_true(kube_again(&k.refused, &r)); /* the hour is over: as if it were new */
	assert_false(k.refused.rests);
	assert_int_equal(k.refused.first, 0);
	failure(&k, &r, DSTACK_E_REJECTED, &why);
	assert_int_equal(k.refused.after, 500);
	/* one that is not there yet never rests */
	for (int i = 0; i < 200; i++) {
		failure(&k, &r, DSTACK_E_MISSING, &why);
		shown->ahead += 3;
		assert_true(kube_again(&k.refused, &r));
	}
	shown->ahead = ahead;
}

static void
no_app_named_means_none_runs(void **state)
{
	(void)state;
	if (!can)
		skip();
	events[0] = '\0';
	shown->st = DSTACK_E_BUSY;
	until("[the chain says so]");
	before("[backend 0.0:0]", "[gone 1]");
	assert_false(answers_at(1));
	kill(role_pid, SIGKILL);
	waitpid(role_pid, NULL, 0);
}

static void
a_view_without_new_blocks_grows_old_by_the_clock_of_the_vm(void **state)
{
	(void)state;
	struct kube_view v = { 0 };
	assert_false(kube_view_old(&v, 60, 1000000)); /* nothing runs yet */
	kube_view_block(&v, 7, 1000);
	assert_false(kube_view_old(&v, 60, 1239));
	kube_view_block(&v, 7, 1100); /* the same block again is no news */
	kube_view_block(&v, 6, 1100);
	assert_true(kube_view_old(&v, 60, 1240));
	kube_view_block(&v, 8, 1241);
	assert_false(kube_view_old(&v, 60, 1241));
	assert_false(kube_view_old(&v, UINT64_MAX, INT64_MAX));
	/* each block is news, and all of them come late */
	assert_false(kube_view_late(239, 60));
	assert_true(kube_view_late(240, 60));
	assert_true(kube_view_late(UINT64_MAX - 1, 60));
	/* nothing ties this machine's clock to the chain's yet */
	assert_false(kube_view_late(UINT64_MAX, 60));
}

static void
nothing_is_run_on_a_view_that_is_held_back(void **state)
{
	(void)state;
	if (!can)
		skip();
	static struct kube k;
	struct why why = { "" };
	k.live = -1;
	k.chain.cfg.max_age = 60;
	k.view = (struct kube_view){ .known = true, .number = 7,
		.at = kube_boot_seconds() - 4 * 60 };
	shown->st = DSTACK_OK;
	shown->app.version = 1;
	assert_true(tick(&k, &why));
	assert_string_equal(k.said, "no new block for four times netcfg's max-age");
	assert_int_equal(k.highest, 0);
	assert_int_equal(k.refused.at, 0); /* it was not even tried */
	/* blocks that are new, and too old */
	k.view = (struct kube_view){ 0 };
	shown->age = 240;
	assert_true(tick(&k, &why));
	shown->age = 0;
	assert_string_equal(k.said,
	    "the newest block is older than four times netcfg's max-age");
	assert_int_equal(k.highest, 0);
}

static int
cleanup(void **state)
{
	(void)state;
	unlink(battery);
	wr_free(&archive);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    a_view_without_new_blocks_grows_old_by_the_clock_of_the_vm),
		cmocka_unit_test(
		    a_refused_version_has_three_minutes_and_then_rests),
		cmocka_unit_test(an_archive_is_let_go_of_layer_by_layer),
		cmocka_unit_test(memory_is_judged_by_the_sum),
		cmocka_unit_test(nothing_is_run_on_a_view_that_is_held_back),
		cmocka_unit_test(the_app_starts_when_the_volume_is_there),
		cmocka_unit_test(
		    an_archive_that_does_not_match_leaves_the_old_one_serving),
		cmocka_unit_test(
		    an_image_that_does_not_fit_leaves_the_old_one_serving),
		cmocka_unit_test(promise_19_a_new_version_serves_before_the_old_one_goes),
		cmocka_unit_test(an_older_version_is_not_taken_again),
		cmocka_unit_test(an_app_that_ends_is_started_again),
		cmocka_unit_test(
		    a_version_that_ends_at_once_is_told_with_its_exit_status),
		cmocka_unit_test(
		    what_is_for_the_owner_is_sealed_and_told_to_nobody),
		cmocka_unit_test(
		    a_newer_version_ends_an_attempt_that_does_not_answer),
		cmocka_unit_test(versions_with_volumes_take_turns),
		cmocka_unit_test(
		    a_way_out_that_the_node_does_not_give_is_a_refusal),
		cmocka_unit_test(
		    an_app_on_the_loopback_only_is_refused_within_seconds),
		cmocka_unit_test(
		    an_app_that_is_not_healthy_is_not_turned_to_and_says_so_later),
		cmocka_unit_test(no_app_named_means_none_runs),
	};
	return cmocka_run_group_tests(tests, prepare, cleanup);
}
