/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The others around kubernethes: a host with one archive, a chain that says
 * what it is told, and the roles that kubernethes speaks to. For one test
 * program, which has included guest/kubernethes/kubernethes.c before.
 */
#ifndef TESTS_UNIT_KUBE_BED_H
#define TESTS_UNIT_KUBE_BED_H

#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "guest/base/link.h"
#include "tests/unit/lib/oci/tarmake.h"

static struct shown {
	enum dstack_status st;
	struct state_app app;
	uint64_t memory; /* that is free; 0: plenty */
	time_t ahead; /* seconds that the role's clock is before this one */
	uint64_t age; /* of the head */
} *shown; /* shared with the role */

static int
shown_clock(clockid_t id, struct timespec *t)
{
	int rc = clock_gettime(id, t);
	if (shown != NULL)
		t->tv_sec += shown->ahead;
	return rc;
}

uint64_t
shown_memory(void)
{
	return shown == NULL || shown->memory == 0 ? 100u << 20
						   : shown->memory;
}

enum dstack_status
shown_app(struct chain *c, struct state_app *out, struct chain_head *head,
    struct why *why)
{
	(void)head;
	c->head.number = 7;
	c->head.timestamp = 1800000000;
	c->head.age = shown->age;
	*out = shown->app;
	return shown->st == DSTACK_OK
	    ? DSTACK_OK
	    : why_set(why, shown->st, "the chain says so");
}

/* All that it has: a descriptor of its own must not get an edge's number. */
#define EDGES 6
static const enum role roles[EDGES] = { ROLE_INIT, ROLE_HOSTLINK, ROLE_TEE,
	ROLE_GUEST_SERVICE, ROLE_TLS, ROLE_LIGHTCLIENT };
static int edge[EDGES];
static bool can;
static pid_t role_pid;
static char battery[64] = "/tmp/test_battery.XXXXXX";
static unsigned archive_taken; /* pieces of it */
static struct wr archive;      /* what the host has as app-example.tar */
static char events[4096];      /* what the role did, in order */
static char put_name[80];
static uint64_t log_number;
static enum applog_mode log_mode;
static uint8_t log_app;
static char log_lines[65536]; /* "VERSION:text", of the guest "VERSION!text" */
static struct life life; /* as guest-service was told last */
static const char *ports = ",\"ExposedPorts\":{\"80/tcp\":{}}";
static const char *volumes = ""; /* more members of the next image's config */

static int
prepare(void **state)
{
	char cc[] = "gcc", def[] = "-D_GNU_SOURCE", st[] = "-static",
	     o[] = "-o", w[] = "-w", src[] = "tests/unit/guest/kubernethes/battery.c";
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
	    "dstack-netcfg=2\nchain-id=31337\n"
	    "contract=0x00000000000000000000000000000000000000aa\n"
	    "code-hash=0x0000000000000000000000000000000000000000000000000000"
	    "0000000000bb\n"
	    "view=rpc\nconfirmations=0\nmax-age=3600\n"
	    "tls-domain=demo.dstack.test\nct=onchain\nlog-app=1\n";
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
		(void)umask(0077); /* as init gives every role */
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

/* A batch of the app's log: its lines, and nothing where they are sealed. */
static void
logged(const uint8_t *body, size_t n)
{
	struct applog_frame f;
	struct applog_line line;
	static uint8_t text[APPLOG_TEXT_MAX];
	uint8_t prev[32];
	size_t len = 0;
	assert_int_equal(applog_frame_get(body, n, &f), DSTACK_OK);
	log_number = f.head.number;
	log_mode = f.head.mode;
	log_app = f.head.app_id[31];
	if (f.head.mode == APPLOG_SEALED)
		return;
	assert_int_equal(applog_open(&f, NULL, text, &len), DSTACK_OK);
	struct rd r = rd_over(text, len);
	assert_int_equal(applog_prev_get(&r, prev), DSTACK_OK);
	while (rd_left(&r) != 0) {
		assert_int_equal(applog_line_get(&r, &line), DSTACK_OK);
		size_t at = strlen(log_lines);
		(void)snprintf(log_lines + at, sizeof(log_lines) - at,
		    "%llu%c%.*s\n", (unsigned long long)f.head.version,
		    line.from == APPLOG_APP ? ':' : '!', (int)line.n,
		    (const char *)line.p);
	}
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
		archive_taken++;
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
	} else if (strcmp(path, "/log") == 0) {
		logged(body, n);
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
		assert_int_equal(rd_u8(&q->body, &slot), DSTACK_OK);
		assert_int_equal(rd_end(&q->body), DSTACK_OK);
		note("[backend %d.%d:%d]", ip[0], ip[2], port);
	} else if (q->op == GS_APP_LISTEN) {
		assert_true(q->fd[0] >= 0 && q->fd[1] >= 0);
		assert_int_equal(rd_skip(&q->body, 32), DSTACK_OK);
		assert_int_equal(
		    rd_text(&q->body, text, sizeof(text)), DSTACK_OK);
		assert_int_equal(rd_skip(&q->body, 41), DSTACK_OK);
		assert_int_equal(
		    rd_text(&q->body, text, sizeof(text)), DSTACK_OK);
		assert_int_equal(rd_end(&q->body), DSTACK_OK);
		note("[listen%s%s]", text[0] != '\0' ? " " : "", text);
	} else if (q->op == GS_APP_GONE) {
		assert_int_equal(rd_u8(&q->body, &slot), DSTACK_OK);
		note("[gone %d]", slot);
	} else {
		uint64_t total = 0;
		uint64_t spare = 0;
		assert_int_equal(
		    rd_text(&q->body, text, sizeof(text)), DSTACK_OK);
		assert_int_equal(rd_u64be(&q->body, &total), DSTACK_OK);
		assert_int_equal(rd_u64be(&q->body, &spare), DSTACK_OK);
		assert_int_equal(rd_u8(&q->body, &slot), DSTACK_OK);
		assert_int_equal(slot, 0); /* the bed gives no way out */
		assert_int_equal(life_get(&q->body, &life), DSTACK_OK);
		assert_int_equal(rd_end(&q->body), DSTACK_OK);
		assert_true(total > spare);
		note("[%s]", text);
	}
}

/* Answer what the role has asked the others by now, for ms at most. */
static void
played(int ms)
{
	struct pollfd p[EDGES];
	for (int i = 0; i < EDGES; i++)
		p[i] = (struct pollfd){ .fd = edge[i],
			.events = POLLIN };
	(void)poll(p, EDGES, ms);
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
			if (b[0] == 4 && n == 9) {
				struct rd r = rd_over((uint8_t *)b + 1, 8);
				uint64_t t = 0;
				assert_int_equal(rd_u64be(&r, &t), DSTACK_OK);
				note("[clock %llu]", (unsigned long long)t);
			}
			continue;
		}
		AUTO_WR struct wr out = wr_new(IPC_MAX);
		assert_int_equal(ipc_receive(edge[i], &q, &eof), DSTACK_OK);
		assert_false(eof);
		answer(roles[i], &q, &out);
		assert_int_equal(ipc_answer(edge[i], &out), DSTACK_OK);
		ipc_request_free(&q);
	}
}

/* Play the others for one request, or 100 ms. */
static void __attribute__((unused))
play(void)
{
	played(100);
}

/* Play the others until the role has done word. */
static void
until(const char *word)
{
	int64_t end = kube_now() + 90000;
	while (strstr(events, word) == NULL) {
		if (kube_now() > end)
			fail_msg("waiting for %s, so far: %s", word, events);
		played(100);
	}
}

/*
 * The host gets an image of the battery, with a file of so many zeros beside
 * it; the chain names it.
 */
static void
publish_as(uint64_t version, const char *arg, bool right, size_t zeros)
{
	AUTO_WR struct wr layer = wr_new(0);
	AUTO_WR struct wr prog = wr_new(0);
	char config[512];
	char buf[65536];
	ssize_t n;
	int fd = open(battery, O_RDONLY);
	while ((n = read(fd, buf, sizeof(buf))) > 0)
		wr_put(&prog, buf, (size_t)n);
	close(fd);
	tar_add(&layer, (struct tarent){ .name = "battery", .type = '0',
		.mode = 0755, .data = (const char *)prog.buf,
		.size = prog.len });
	char *zero = zeros != 0 ? calloc(1, zeros) : NULL;
	if (zero != NULL)
		tar_add(&layer, (struct tarent){ .name = "zeros", .type = '0',
			.mode = 0644, .data = zero, .size = zeros });
	free(zero);
	tar_end(&layer);
	snprintf(config, sizeof(config),
	    "{\"Cmd\":[\"/battery\",\"%s\",\"80\"],\"StopSignal\":\"SIGINT\"%s%s}",
	    arg, ports, volumes);
	wr_free(&archive);
	archive = wr_new(0);
	make_image(&archive, HYBRID, &layer, 1,
	    (struct wrong){ .config = config, .gzip = zeros != 0 }, shown->app.digest);
	if (!right)
		archive.buf[archive.len / 2] ^= 1; /* in the layer */
	snprintf(shown->app.name, sizeof(shown->app.name), "battery");
	shown->app.app_id[31] = 1;
	shown->app.version = version;
	shown->st = DSTACK_OK;
	events[0] = '\0';
	archive_taken = 0;
}

static void
publish(uint64_t version, const char *arg, bool right)
{
	publish_as(version, arg, right, 0);
}

static bool
answers_at(unsigned slot)
{
	struct container c = { .slot = slot, .port = 80 };
	return container_answers(&c, 2000);
}

/* The same until the app in that slot takes connections. */
static void __attribute__((unused))
until_answers(unsigned slot)
{
	int64_t end = kube_now() + 60000;
	while (!answers_at(slot)) {
		assert_true(kube_now() < end);
		play();
	}
}

/* The same until the host has that in its log. */
static void __attribute__((unused))
until_logged(const char *text)
{
	int64_t end = kube_now() + 30000;
	while (strstr(log_lines, text) == NULL) {
		if (kube_now() > end)
			fail_msg("waiting for %s in: %s", text, log_lines);
		play();
	}
}

static void
before(const char *a, const char *b)
{
	const char *x = strstr(events, a);
	const char *y = strstr(events, b);
	if (x == NULL || y == NULL || x > y)
		fail_msg("%s is not before %s in %s", a, b, events);
}

#endif
