/* SPDX-License-Identifier: Apache-2.0 */
/* The relay over real sockets on loopback, and what it bears (T41, D16). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <event2/event.h>

#include "host/http/client.h"
#include "host/relay/pubsub.h"

struct relay {
	pid_t pid;
	uint16_t port;
};

static void
serve(const struct pubsub_limits *limits, int report)
{
	struct listen_addr at = { .host = "127.0.0.1", .port = 0 };
	struct event_base *base = event_base_new();
	struct pubsub *p = NULL;

	(void)signal(SIGPIPE, SIG_IGN);
	if (pubsub_new(base, &at, limits, &p, NULL) != DSTACK_OK)
		_exit(1);
	uint16_t port = pubsub_port(p);
	if (write(report, &port, sizeof(port)) != sizeof(port))
		_exit(1);
	(void)event_base_dispatch(base);
	_exit(0);
}

static struct relay
start(const struct pubsub_limits *limits)
{
	struct relay r = { 0, 0 };
	int p[2];

	assert_int_equal(pipe(p), 0);
	r.pid = fork();
	assert_true(r.pid >= 0);
	if (r.pid == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		serve(limits, p[1]);
	}
	(void)close(p[1]);
	assert_int_equal(read(p[0], &r.port, sizeof(r.port)), sizeof(r.port));
	(void)close(p[0]);
	return r;
}

static void
stop(struct relay *r)
{
	int status = 0;

	/* it must still be there: nothing a client did ended it */
	assert_int_equal(waitpid(r->pid, &status, WNOHANG), 0);
	(void)kill(r->pid, SIGKILL);
	(void)waitpid(r->pid, &status, 0);
}

static int
dial(const struct relay *r)
{
	struct sockaddr_in sin = { .sin_family = AF_INET,
		.sin_port = htons(r->port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int on = 1;

	assert_true(fd >= 0);
	/* a body behind its head does not wait for a delayed ACK */
	assert_int_equal(
	    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)), 0);
	assert_int_equal(
	    connect(fd, (const struct sockaddr *)&sin, sizeof(sin)), 0);
	return fd;
}

static void
say(int fd, const char *p, size_t n)
{
	while (n > 0) {
		ssize_t w = send(fd, p, n, MSG_NOSIGNAL);
		if (w <= 0)
			return; /* refused early: the answer tells */
		p += w;
		n -= (size_t)w;
	}
}

/* Read until words came, the end, or ms passed. Returns bytes read. */
static size_t
hear(int fd, char *out, size_t cap, const char *words, int ms)
{
	size_t n = 0;
	struct pollfd p = { .fd = fd, .events = POLLIN };

	while (n + 1 < cap && poll(&p, 1, ms) == 1) {
		ssize_t got = recv(fd, out + n, cap - 1 - n, 0);
		if (got <= 0)
			break;
		n += (size_t)got;
		out[n] = '\0';
		if (words != NULL && strstr(out, words) != NULL)
			break;
	}
	out[n] = '\0';
	return n;
}

static int
status_of(const char *answer)
{
	return strncmp(answer, "HTTP/1.1 ", 9) == 0
	    ? (int)strtol(answer + 9, NULL, 10)
	    : 0;
}

static int
push(const struct relay *r, const char *body, size_t n)
{
	char head[160];
	char answer[600];
	int fd = dial(r);
	int h = snprintf(head, sizeof(head),
	    "POST /push HTTP/1.1\r\nHost: x\r\nContent-Length: %zu\r\n\r\n",
	    n);

	say(fd, head, (size_t)h);
	say(fd, body, n);
	(void)hear(fd, answer, sizeof(answer), "\n\r\n", 3000);
	(void)close(fd);
	return status_of(answer);
}

static int
subscribe(const struct relay *r)
{
	int fd = dial(r);

	say(fd, "GET /subscribe HTTP/1.1\r\n\r\n", 27);
	return fd;
}

static int
raw(const struct relay *r, const char *text)
{
	char answer[600];
	int fd = dial(r);

	say(fd, text, strlen(text));
	(void)hear(fd, answer, sizeof(answer), "\r\n\r\n", 3000);
	(void)close(fd);
	return status_of(answer);
}

static void
pushed_value_reaches_present_and_late_subscribers(void **state)
{
	struct pubsub_limits l = pubsub_defaults();
	struct relay r = start(&l);
	char text[1000];

	(void)state;
	int early = subscribe(&r);
	(void)hear(early, text, sizeof(text), "\r\n\r\n", 3000);
	assert_int_equal(push(&r, "{\"a\": 1}", 8), 200);
	(void)hear(early, text, sizeof(text), "\n", 3000);
	assert_string_equal(text, "{\"data\":{\"a\":1}}\n");
	int late = subscribe(&r);
	(void)hear(late, text, sizeof(text), "}}\n", 3000);
	assert_non_null(strstr(text, "{\"data\":{\"a\":1}}\n"));
	(void)close(early);
	(void)close(late);
	stop(&r);
}

static void
retention_window_ends_and_keepalive_comes(void **state)
{
	struct pubsub_limits l = pubsub_defaults();
	char text[1000];

	(void)state;
	l.retention_ms = 100;
	l.keepalive_ms = 150;
	struct relay r = start(&l);
	assert_int_equal(push(&r, "1", 1), 200);
	assert_int_equal(poll(NULL, 0, 150), 0);
	int fd = subscribe(&r);
	(void)hear(fd, text, sizeof(text), "\"\"\n", 3000);
	assert_non_null(strstr(text, "\"\"\n"));
	assert_null(strstr(text, "data"));
	(void)close(fd);
	stop(&r);
}

static void
bad_values_are_refused_and_harm_nobody(void **state)
{
	struct pubsub_limits l = pubsub_defaults();
	struct relay r = start(&l);
	static char nested[90000];
	char text[1000];

	(void)state;
	int fd = subscribe(&r);
	(void)hear(fd, text, sizeof(text), "\r\n\r\n", 3000);
	memset(nested, '[', sizeof(nested));
	assert_int_equal(push(&r, nested, sizeof(nested)), 400);
	assert_int_equal(push(&r, "{\"a\":1,\"a\":2}", 13), 400);
	assert_int_equal(push(&r, "\"\0\"", 3), 400);
	assert_int_equal(push(&r, "\"\\u0000\"", 8), 400);
	assert_int_equal(push(&r, "{\"a\":", 5), 400);
	assert_int_equal(push(&r, "", 0), 400);
	/* a line break inside a value stays escaped: one line, one message */
	assert_int_equal(push(&r, "\"x\\r\\n{\\\"data\\\":9}\"", 19), 200);
	(void)hear(fd, text, sizeof(text), "\n", 3000);
	assert_string_equal(
	    text, "{\"data\":\"x\\r\\n{\\\"data\\\":9}\"}\n");
	(void)close(fd);
	stop(&r);
}

static void
bodies_over_the_cap_are_413_and_chunks_411(void **state)
{
	struct pubsub_limits l = pubsub_defaults();
	struct relay r = start(&l);
	char *big = malloc(PUBSUB_MESSAGE_MAX + 1);

	(void)state;
	assert_non_null(big);
	memset(big, 'x', PUBSUB_MESSAGE_MAX + 1);
	big[0] = '"';
	big[PUBSUB_MESSAGE_MAX - 1] = '"';
	assert_int_equal(push(&r, big, PUBSUB_MESSAGE_MAX), 200);
	assert_int_equal(push(&r, big, PUBSUB_MESSAGE_MAX + 1), 413);
	free(big);
	assert_int_equal(raw(&r, "POST /push HTTP/1.1\r\n"
	                         "Content-Length: 1073741824\r\n\r\n"),
	    413);
	assert_int_equal(raw(&r, "POST /push HTTP/1.1\r\n"
	                         "Transfer-Encoding: chunked\r\n\r\n"),
	    411);
	assert_int_equal(raw(&r, "POST /push HTTP/1.1\r\nContent-Length: 1\r\n"
	                         "Content-Length: 1\r\n\r\n1"),
	    400);
	assert_int_equal(
	    raw(&r, "POST /push HTTP/1.1\r\nContent-Length: -1\r\n\r\n"), 400);
	assert_int_equal(raw(&r, "GET /other HTTP/1.1\r\n\r\n"), 404);
	assert_int_equal(raw(&r, "GET /push HTTP/1.1\r\n\r\n"), 405);
	assert_int_equal(raw(&r, "nonsense\r\n\r\n"), 400);
	assert_int_equal(raw(&r, "POST /push HTTP/1.1\r\nContent-Length: 1\r\n"
	                         "Origin: https://a.example\r\n\r\n1"),
	    403);
	stop(&r);
}

static void
endless_head_is_refused(void **state)
{
	struct pubsub_limits l = pubsub_defaults();
	struct relay r = start(&l);
	static char head[20000];

	(void)state;
	memset(head, 'a', sizeof(head) - 1);
	memcpy(head, "GET / HTTP/1.1\r\nX: ", 19);
	assert_int_equal(raw(&r, head), 431);
	stop(&r);
}

static void
two_thousand_idle_sockets_leave_and_the_relay_serves_on(void **state)
{
	enum { IDLE = 2000 };
	struct pubsub_limits l = pubsub_defaults();
	static int fd[IDLE];
	char dir[64];
	char one[2];

	(void)state;
	l.request_ms = 400;
	l.conns_per_ip = 64;
	struct relay r = start(&l);
	int n = 0;
	for (; n < 900; n++) /* descriptors of this test are bounded too */
		fd[n] = dial(&r);
	for (int i = 0; i < IDLE - 900; i++)
		(void)close(dial(&r));
	(void)snprintf(dir, sizeof(dir), "/proc/%d/fd/%d", (int)r.pid, 150);
	assert_int_not_equal(access(dir, F_OK), 0);
	/* each is closed by the relay: at once over the cap, or in time */
	for (int i = 0; i < n; i++) {
		struct pollfd p = { .fd = fd[i], .events = POLLIN };
		assert_int_equal(poll(&p, 1, 5000), 1);
		assert_true(recv(fd[i], one, 1, 0) <= 0);
		(void)close(fd[i]);
	}
	assert_int_equal(push(&r, "1", 1), 200);
	stop(&r);
}

static long
rss_kb(pid_t pid)
{
	char path[64];
	char line[256];
	long kb = 0;

	(void)snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	FILE *f = fopen(path, "r");
	assert_non_null(f);
	while (fgets(line, sizeof(line), f) != NULL)
		if (strncmp(line, "VmRSS:", 6) == 0)
			kb = strtol(line + 6, NULL, 10);
	(void)fclose(f);
	return kb;
}

static void
never_reading_subscriber_is_dropped_and_memory_stays_bounded(void **state)
{
	struct pubsub_limits l = pubsub_defaults();
	static char body[90000];
	static char text[200000];

	(void)state;
	l.retained_bytes = 1u << 20;
	struct relay r = start(&l);
	int silent = subscribe(&r);
	long before = rss_kb(r.pid);
	memset(body, 'x', sizeof(body));
	body[0] = '"';
	body[sizeof(body) - 1] = '"';
	int reader = subscribe(&r);
	(void)hear(reader, text, sizeof(text), "\r\n\r\n", 3000);
	for (int i = 0; i < 300; i++) { /* 26 MiB */
		assert_int_equal(push(&r, body, sizeof(body)), 200);
		/* one who reads gets each */
		(void)hear(reader, text, sizeof(text), "\"}\n", 3000);
		assert_non_null(strstr(text, "\"}\n"));
	}
#ifndef __SANITIZE_ADDRESS__ /* it holds on to what was freed */
	assert_true(rss_kb(r.pid) - before < 24 * 1024);
#else
	assert_true(rss_kb(r.pid) >= before);
#endif
	/* the silent one finds its stream cut */
	struct pollfd p = { .fd = silent, .events = POLLIN };
	ssize_t got;
	size_t sum = 0;
	do {
		assert_int_equal(poll(&p, 1, 5000), 1);
		got = recv(silent, text, sizeof(text), 0);
		sum += got > 0 ? (size_t)got : 0;
	} while (got > 0);
	assert_true(sum < 20u * 1024 * 1024);
	(void)close(silent);
	(void)close(reader);
	stop(&r);
}

struct heard {
	unsigned lines;
	atomic_bool stop;
};

static void
on_heard(void *arg, const char *text, size_t len)
{
	struct heard *h = arg;

	assert_int_equal(len, 2);
	assert_memory_equal(text, "\"\"", 2);
	if (++h->lines == 8) /* two seconds and more */
		atomic_store(&h->stop, true);
}

static void
keepalive_holds_a_listener_and_silence_ends_it(void **state)
{
	struct pubsub_limits l = pubsub_defaults();
	struct heard h = { .lines = 0 };
	struct why why = { "" };
	char url[64];

	(void)state;
	l.keepalive_ms = 300;
	struct relay r = start(&l);
	(void)snprintf(
	    url, sizeof(url), "http://127.0.0.1:%u/subscribe", r.port);
	assert_int_equal(http_lines(url, 1000, 1, on_heard, &h, &h.stop, &why),
	    DSTACK_OK);
	stop(&r);
	l.keepalive_ms = 30000;
	r = start(&l);
	(void)snprintf(
	    url, sizeof(url), "http://127.0.0.1:%u/subscribe", r.port);
	atomic_store(&h.stop, false);
	assert_int_equal(http_lines(url, 1000, 1, on_heard, &h, &h.stop, &why),
	    DSTACK_E_TRUNCATED);
	assert_non_null(strstr(why.text, "silent"));
	stop(&r);
}

static void
depth_counts_brackets_outside_strings(void **state)
{
	(void)state;
	assert_true(json_depth_within("[[1]]", 5, 2));
	assert_false(json_depth_within("[[1]]", 5, 1));
	assert_true(json_depth_within("\"[[[[\"", 6, 1));
	assert_true(json_depth_within("\"\\\"[[\"", 6, 1));
	assert_true(json_depth_within("[1],[2],[3]", 11, 1));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    pushed_value_reaches_present_and_late_subscribers),
		cmocka_unit_test(retention_window_ends_and_keepalive_comes),
		cmocka_unit_test(bad_values_are_refused_and_harm_nobody),
		cmocka_unit_test(bodies_over_the_cap_are_413_and_chunks_411),
		cmocka_unit_test(endless_head_is_refused),
		cmocka_unit_test(
		    two_thousand_idle_sockets_leave_and_the_relay_serves_on),
		cmocka_unit_test(
		    never_reading_subscriber_is_dropped_and_memory_stays_bounded),
		cmocka_unit_test(
		    keepalive_holds_a_listener_and_silence_ends_it),
		cmocka_unit_test(depth_counts_brackets_outside_strings),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
