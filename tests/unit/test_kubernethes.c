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
#include "guest/kubernethes.c"
#undef chain_app
#undef clock_gettime

#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#include "guest/link.h"
#include "tests/unit/tarmake.h"

static struct shown {
	enum dstack_status st;
	struct state_app app;
	time_t ahead; /* seconds that the role's clock is before this one */
} *shown; /* shared with the role */

static int
shown_clock(clockid_t id, struct timespec *t)
{
	int rc = clock_gettime(id, t);
	if (shown != NULL)
		t->tv_sec += shown->ahead;
	return rc;
}

enum dstack_status
shown_app(struct chain *c, struct state_app *out, struct chain_head *head,
    struct why *why)
{
	(void)head;
	c->head.number = 7;
	c->head.timestamp = 1800000000;
	*out = shown->app;
	return shown->st == DSTACK_OK
	    ? DSTACK_OK
	    : why_set(why, shown->st, "the chain says so");
}

#define EDGES 5
static const enum role roles[EDGES] = { ROLE_INIT, ROLE_HOSTLINK, ROLE_TEE,
	ROLE_GUEST_SERVICE, ROLE_TLS };
static int edge[EDGES];
static bool can;
static pid_t role_pid;
static char battery[64] = "/tmp/test_battery.XXXXXX";
static struct wr archive;      /* what the host has as app-example.tar */
static char events[4096];      /* what the role did, in order */
static char put_name[80];

static int
prepare(void **state)
{
	char cc[] = "gcc", def[] = "-D_GNU_SOURCE", st[] = "-static",
	     o[] = "-o", w[] = "-w", src[] = "tests/unit/battery.c";
	char *const argv[] = { cc, def, st, w, o, battery, src, NULL };
	char path[] = "PATH=/usr/bin:/bin";
	char *const env[] = { path, NULL };
	pid_t pid;
	int status_ = 1;
	(void)state;
	int fd = mkstemp(battery);
	if (fd >= 0)
		close(fd);
	if (geteuid() != 0 || access(CONTAINER_RUNTIME, X_OK) != 0)
		return 0;
	if (posix_spawn(&pid, "/usr/bin/gcc", NULL, NULL, argv, env) != 0 ||
	    waitpid(pid, &status_, 0) != pid || status_ != 0)
		return 0;
	if (unshare(CLONE_NEWNS | CLONE_NEWNET) != 0 ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
	    mount("tmpfs", "/run", "tmpfs", 0, "mode=755") != 0 ||
	    mkdir(PATH_RUN, 0755) != 0 || mkdir(PATH_VOLUME, 0755) != 0)
		return 0;
	shown = mmap(NULL, sizeof(*shown), PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	shown->st = DSTACK_E_BUSY;
	can = true;
	return 0;
}

static void
begin_role(void)
{
	static const char text[] =
	    "dstack-netcfg=1\nchain-id=31337\n"
	    "contract=0x00000000000000000000000000000000000000aa\n"
	    "code-hash=0x0000000000000000000000000000000000000000000000000000"
	    "0000000000bb\n"
	    "view=rpc\nconfirmations=0\ntls-domain=demo.dstack.test\n"
	    "heartbeat=3600\nct=onchain\nlog-app=1\n";
	int pair[EDGES][2];
	for (int i = 0; i < EDGES; i++) {
		assert_int_equal(
		    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0,
			pair[i]), 0);
		edge[i] = pair[i][0];
	}
	int cfg = memfd_create("netcfg", 0);
	assert_int_equal(write(cfg, text, sizeof(text) - 1), sizeof(text) - 1);
	role_pid = fork();
	if (role_pid == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		int high[EDGES];
		int c = fcntl(cfg, F_DUPFD, 100);
		for (int i = 0; i < EDGES; i++)
			high[i] = fcntl(pair[i][1], F_DUPFD, 100);
		dup2(c, FD_NETCFG);
		for (int i = 0; i < EDGES; i++)
			dup2(high[i], FD_EDGE + (int)roles[i]);
		for (int i = FD_EDGE + ROLE_COUNT; i < 200; i++)
			close(i);
		_exit(kubernethes_main());
	}
	for (int i = 0; i < EDGES; i++)
		close(pair[i][1]);
	close(cfg);
}

static void
note(const char *fmt, ...)
{
	size_t n = strlen(events);
	va_list ap;
	va_start(ap, fmt);
	(void)vsnprintf(events + n, sizeof(events) - n, fmt, ap);
	va_end(ap);
}

static void
host_answers(struct ipc_request *q, struct wr *out)
{
	char path[LINK_MAX_PATH + 1];
	const uint8_t *body;
	size_t n;
	unsigned long long off;
	unsigned len;
	assert_int_equal(rd_text(&q->body, path, sizeof(path)), DSTACK_OK);
	assert_int_equal(
	    rd_blob(&q->body, LINK_MAX_BODY, &body, &n), DSTACK_OK);
	if (sscanf(path, "/file/app-example.tar/%llu/%u", &off, &len) == 2 &&
	    archive.len != 0) {
		size_t left = archive.len - (size_t)off;
		size_t k = left < len ? left : len;
		wr_u16be(out, 200);
		wr_u32be(out, (uint32_t)k + 8);
		wr_u64be(out, archive.len);
		wr_put(out, archive.buf + off, k);
	} else if (strcmp(path, "/files") == 0) {
		wr_u16be(out, 200);
		wr_text(out, "5 hello.txt\n9 ../../x\n7 netcfg\n3 no.txt\n");
	} else if (strncmp(path, "/file/hello.txt/0/", 18) == 0) {
		wr_u16be(out, 200);
		wr_u32be(out, 13);
		wr_u64be(out, 5);
		wr_put(out, "hello", 5);
	} else if (strncmp(path, "/put/", 5) == 0) {
		snprintf(put_name, sizeof(put_name), "%.70s", path + 5);
		note("[put %s]", put_name);
		wr_u16be(out, 200);
		wr_u32be(out, 0);
	} else {
		wr_u16be(out, 404);
		wr_u32be(out, 0);
	}
}

static void
answer(enum role who, struct ipc_request *q, struct wr *out)
{
	char text[256];
	uint8_t ip[4];
	uint16_t port;
	uint8_t slot;
	if (who == ROLE_HOSTLINK) {
		host_answers(q, out);
	} else if (who == ROLE_TEE) {
		assert_int_equal(q->op, TEE_EXTEND);
		assert_int_equal(
		    rd_text(&q->body, text, sizeof(text)), DSTACK_OK);
		note("[%s]", text);
		wr_zero(out, 48);
	} else if (who == ROLE_TLS && q->op == 2) {
		uint64_t now = 0;
		assert_int_equal(rd_u64be(&q->body, &now), DSTACK_OK);
		note("[time %llu]", (unsigned long long)now);
	} else if (who == ROLE_TLS) {
		assert_int_equal(rd_copy(&q->body, ip, 4), DSTACK_OK);
		assert_int_equal(rd_u16be(&q->body, &port), DSTACK_OK);
		assert_int_equal(rd_end(&q->body), DSTACK_OK);
		note("[backend %d.%d:%d]", ip[0], ip[2], port);
	} else if (q->op == GS_APP_LISTEN) {
		assert_true(q->fd[0] >= 0 && q->fd[1] >= 0);
		note("[listen]");
	} else if (q->op == GS_APP_GONE) {
		assert_int_equal(rd_u8(&q->body, &slot), DSTACK_OK);
		note("[gone %d]", slot);
	} else {
		assert_int_equal(
		    rd_text(&q->body, text, sizeof(text)), DSTACK_OK);
		note("[%s]", text);
	}
}

/* Play the others until the role has done word. */
static void
until(const char *word)
{
	int64_t end = kube_now() + 90000;
	while (strstr(events, word) == NULL) {
		struct pollfd p[EDGES];
		for (int i = 0; i < EDGES; i++)
			p[i] = (struct pollfd){ .fd = edge[i],
				.events = POLLIN };
		if (kube_now() > end)
			fail_msg("waiting for %s, so far: %s", word, events);
		(void)poll(p, EDGES, 100);
		for (int i = 0; i < EDGES; i++) {
			struct ipc_request q;
			bool eof = false;
			if ((p[i].revents & (POLLIN | POLLHUP)) == 0)
				continue;
			if (i == 0) { /* init: lifecycle packets */
				char b[256];
				ssize_t n = recv(edge[0], b, sizeof(b), 0);
				if (n <= 0 || b[0] == 3)
					fail_msg("the role gave up: %.*s",
					    n > 1 ? (int)n - 1 : 0, b + 1);
				continue;
			}
			AUTO_WR struct wr out = wr_new(IPC_MAX);
			assert_int_equal(
			    ipc_receive(edge[i], &q, &eof), DSTACK_OK);
			assert_false(eof);
			answer(roles[i], &q, &out);
			assert_int_equal(ipc_answer(edge[i], &out), DSTACK_OK);
			ipc_request_free(&q);
		}
	}
}

/* The host gets an image of the battery; the chain names it. */
static void
publish(uint64_t version, const char *arg, bool right)
{
	AUTO_WR struct wr layer = wr_new(0);
	AUTO_WR struct wr prog = wr_new(0);
	char config[256];
	char buf[65536];
	ssize_t n;
	int fd = open(battery, O_RDONLY);
	while ((n = read(fd, buf, sizeof(buf))) > 0)
		wr_put(&prog, buf, (size_t)n);
	close(fd);
	tar_add(&layer, (struct tarent){ .name = "battery", .type = '0',
		.mode = 0755, .data = (const char *)prog.buf,
		.size = prog.len });
	tar_end(&layer);
	snprintf(config, sizeof(config),
	    "{\"Cmd\":[\"/battery\",\"%s\",\"80\"],\"StopSignal\":\"SIGINT\"}",
	    arg);
	wr_free(&archive);
	archive = wr_new(0);
	make_image(&archive, HYBRID, &layer, 1,
	    (struct wrong){ .config = config }, shown->app.digest);
	if (!right)
		archive.buf[archive.len / 2] ^= 1; /* in the layer */
	snprintf(shown->app.name, sizeof(shown->app.name), "battery");
	shown->app.app_id[31] = 1;
	shown->app.version = version;
	shown->st = DSTACK_OK;
	events[0] = '\0';
}

static bool
answers_at(unsigned slot)
{
	struct container c = { .slot = slot, .port = 80 };
	return container_answers(&c, 2000);
}

static void
before(const char *a, const char *b)
{
	const char *x = strstr(events, a);
	const char *y = strstr(events, b);
	if (x == NULL || y == NULL || x > y)
		fail_msg("%s is not before %s in %s", a, b, events);
}

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

static void
an_app_that_ends_is_started_again(void **state)
{
	(void)state;
	if (!can)
		skip();
	char buf[16] = "";
	publish(4, "four", true);
	until("[serving battery version 4]");
	int fd = open("/run/dstack/app/0/pid", O_RDONLY);
	assert_true(fd >= 0 && read(fd, buf, sizeof(buf) - 1) > 0);
	close(fd);
	pid_t pid = (pid_t)strtol(buf, NULL, 10);
	put_name[0] = '\0';
	assert_int_equal(kill(pid, SIGKILL), 0);
	int64_t end = kube_now() + 60000;
	while (put_name[0] == '\0' || !answers_at(0)) {
		events[0] = '\0';
		struct pollfd p = { .fd = edge[1], .events = POLLIN };
		if (poll(&p, 1, 100) == 1) {
			struct ipc_request q;
			bool eof = false;
			AUTO_WR struct wr out = wr_new(IPC_MAX);
			assert_int_equal(
			    ipc_receive(edge[1], &q, &eof), DSTACK_OK);
			answer(ROLE_HOSTLINK, &q, &out);
			assert_int_equal(ipc_answer(edge[1], &out), DSTACK_OK);
			ipc_request_free(&q);
		}
		assert_true(kube_now() < end);
	}
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
	before("[backend 0.0:0]", "[gone 0]");
	assert_false(answers_at(0));
	kill(role_pid, SIGKILL);
	waitpid(role_pid, NULL, 0);
}

static void
names_of_the_system_are_not_the_apps(void **state)
{
	(void)state;
	assert_true(kube_shared_name("a.txt"));
	assert_true(kube_shared_name("app-notes.txt"));
	static const char *const bad[] = { "", ".", "..", ".x", "a/b", "netcfg",
		"certificate.pem", "request.csr", "encrypted_container.img",
		"tls-attestation.json",
		"app-example.tar", "app-0123456789abcdef.tar", "a b" };
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(kube_shared_name(bad[i]));
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
	k.chain.cfg.heartbeat = 60;
	k.view = (struct kube_view){ .known = true, .number = 7,
		.at = kube_boot_seconds() - 4 * 60 };
	shown->st = DSTACK_OK;
	shown->app.version = 1;
	assert_true(tick(&k, &why));
	assert_string_equal(k.said, "no new block for four heartbeats");
	assert_int_equal(k.highest, 0);
	assert_int_equal(k.retry_at, 0); /* it was not even tried */
}

static void
an_app_that_writes_without_end_does_not_hold_the_role(void **state)
{
	(void)state;
	char path[] = "/tmp/test_shared.XXXXXX";
	assert_non_null(mkdtemp(path));
	AUTO_CLOSE int dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	AUTO_CLOSE int watch = kube_shared_watch(path);
	assert_true(dir >= 0 && watch >= 0);
	for (int i = 0; i < 400; i++) { /* names that are never copied */
		int fd = openat(dir, i % 2 ? ".a" : ".b", O_WRONLY | O_CREAT,
		    0600);
		close(fd);
	}
	int calls = 0;
	while (kube_shared_events(watch, dir, -1, INT64_MAX))
		calls++;
	assert_true(calls >= 10);
	unlinkat(dir, ".a", 0);
	unlinkat(dir, ".b", 0);
	rmdir(path);
}

static void
ignore(void *ctx)
{
	(void)ctx;
}

/*
 * A host that takes its time for every answer, to keep an old version
 * running: a byte of a file at a time, and a list of many files.
 */
static pid_t
slow_host(int *end)
{
	int pair[2];
	assert_int_equal(
	    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	pid_t host = fork();
	if (host == 0) {
		struct ipc_request q;
		bool eof = false;
		(void)close(pair[0]);
		while (ipc_receive(pair[1], &q, &eof) == DSTACK_OK && !eof) {
			AUTO_WR struct wr out = wr_new(0);
			AUTO_WR struct wr body = wr_new(0);
			char path[LINK_MAX_PATH + 1] = "";
			(void)!rd_text(&q.body, path, sizeof(path));
			ipc_request_free(&q);
			if (strcmp(path, "/files") == 0) {
				for (int i = 0; i < 200; i++)
					wr_fmt(&body, "1000 file%d\n", i);
			} else if (strncmp(path, "/file/", 6) == 0) {
				wr_u64be(&body, strstr(path, "/file/file") ==
					path ? 1000 : 1 << 20);
				wr_u8(&body, 0);
			}
			wr_u16be(&out, 200);
			wr_blob(&out, body.buf != NULL ? body.buf
				: (const uint8_t *)"", body.len);
			(void)usleep(1000);
			(void)!ipc_answer(pair[1], &out);
		}
		_exit(0);
	}
	(void)close(pair[1]);
	*end = pair[0];
	return host;
}

static void
a_host_that_is_slow_on_purpose_does_not_hold_the_role(void **state)
{
	(void)state;
	static const uint8_t digest[32];
	struct kube_archive got = { 0 };
	struct why why = { "" };
	int end;
	pid_t host = slow_host(&end);
	int64_t start = kube_now();
	assert_int_equal(kube_fetch(end, digest, 2 << 20, start + 200,
			     ignore, NULL, &got, &why),
	    DSTACK_E_MISSING);
	assert_true(kube_now() - start < 10000);
	(void)close(end);
	(void)waitpid(host, NULL, 0);
}

static void
nor_with_the_files_that_it_shares_with_the_app(void **state)
{
	(void)state;
	char path[] = "/tmp/test_shared.XXXXXX";
	char name[16];
	int end;
	assert_non_null(mkdtemp(path));
	AUTO_CLOSE int dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	pid_t host = slow_host(&end);
	int64_t start = kube_now(); /* 200 files of 1000 answers each */
	kube_shared_fill(end, dir, start + 200);
	assert_true(kube_now() - start < 10000);
	AUTO_CLOSE int watch = kube_shared_watch(path);
	assert_true(dir >= 0 && watch >= 0);
	for (int i = 0; i < 10; i++) {
		(void)snprintf(name, sizeof(name), "out%d", i);
		int fd = openat(dir, name, O_WRONLY | O_CREAT, 0600);
		assert_true(fd >= 0);
		close(fd);
	}
	(void)close(end); /* a copy out would be told as a failed one */
	(void)waitpid(host, NULL, 0);
	assert_true(kube_shared_events(watch, dir, -1, kube_now()));
	assert_false(kube_shared_events(watch, dir, -1, kube_now()));
	for (int i = 0; i < 10; i++) {
		(void)snprintf(name, sizeof(name), "out%d", i);
		(void)unlinkat(dir, name, 0);
	}
	for (int i = 0; i < 200; i++) {
		(void)snprintf(name, sizeof(name), "file%d", i);
		(void)unlinkat(dir, name, 0);
	}
	(void)rmdir(path);
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
		cmocka_unit_test(names_of_the_system_are_not_the_apps),
		cmocka_unit_test(
		    a_view_without_new_blocks_grows_old_by_the_clock_of_the_vm),
		cmocka_unit_test(
		    a_host_that_is_slow_on_purpose_does_not_hold_the_role),
		cmocka_unit_test(nor_with_the_files_that_it_shares_with_the_app),
		cmocka_unit_test(nothing_is_run_on_a_view_that_is_held_back),
		cmocka_unit_test(
		    an_app_that_writes_without_end_does_not_hold_the_role),
		cmocka_unit_test(the_app_starts_when_the_volume_is_there),
		cmocka_unit_test(
		    an_archive_that_does_not_match_leaves_the_old_one_serving),
		cmocka_unit_test(promise_19_a_new_version_serves_before_the_old_one_goes),
		cmocka_unit_test(an_older_version_is_not_taken_again),
		cmocka_unit_test(an_app_that_ends_is_started_again),
		cmocka_unit_test(no_app_named_means_none_runs),
	};
	return cmocka_run_group_tests(tests, prepare, cleanup);
}
