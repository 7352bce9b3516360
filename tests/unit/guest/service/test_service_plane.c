/* SPDX-License-Identifier: Apache-2.0 */
/* A plane of guest-service in a process of its own, and clients. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "guest/service/service.h"

#define MAX 3

static struct service_plane *plane;
static struct sockaddr_in at;
static pid_t pid;

/* "/end" ends the plane, with whoever is on it, and then the process. */
static void
closed(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	service_plane_close(plane);
	(void)event_base_loopexit(arg, NULL);
}

static void
on_request(struct evhttp_request *req, void *arg)
{
	const struct timeval now = { 0 };
	if (strcmp(evhttp_request_get_uri(req), "/end") == 0)
		(void)event_base_once(arg, -1, EV_TIMEOUT, closed, arg, &now);
	evhttp_send_reply(req, 200, "OK", NULL);
}

static int
setup(void **state)
{
	socklen_t n = sizeof(at);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	(void)state;
	at.sin_family = AF_INET;
	at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(bind(fd, (struct sockaddr *)&at, n), 0);
	assert_int_equal(listen(fd, 64), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &n), 0);
	pid = fork();
	if (pid == 0) {
		const struct rlimit few = { 32, 32 };
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		(void)signal(SIGPIPE, SIG_IGN);
		(void)setrlimit(RLIMIT_NOFILE, &few);
		struct event_base *base = event_base_new();
		plane = service_plane_open(base, fd, MAX, on_request, base);
		if (plane == NULL)
			_exit(2);
		(void)event_base_dispatch(base);
		event_base_free(base);
		exit(0);
	}
	(void)close(fd);
	return 0;
}

static int
client(void)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(
	    connect(fd, (const struct sockaddr *)&at, sizeof(at)), 0);
	return fd;
}

static void
ask(int fd, const char *path)
{
	char q[64];
	int n = snprintf(
	    q, sizeof(q), "GET %s HTTP/1.1\r\nHost: a\r\n\r\n", path);
	assert_int_equal(send(fd, q, (size_t)n, MSG_NOSIGNAL), n);
}

static bool
answered(int fd, int ms)
{
	char a[512];
	struct pollfd p = { .fd = fd, .events = POLLIN };
	if (poll(&p, 1, ms) != 1)
		return false;
	ssize_t n = recv(fd, a, sizeof(a) - 1, 0);
	return n > 12 && memcmp(a, "HTTP/1.1 200", 12) == 0;
}

static void
connections_over_the_bound_wait_until_another_ends(void **state)
{
	(void)state;
	int idle[MAX];
	for (int i = 0; i < MAX; i++) {
		idle[i] = client();
		ask(idle[i], "/"); /* so that it is known to be accepted */
		assert_true(answered(idle[i], 20000));
	}
	int last = client();
	ask(last, "/");
	assert_false(answered(last, 300));
	/* those that are in are served all the while */
	ask(idle[1], "/");
	assert_true(answered(idle[1], 20000));
	(void)close(idle[0]);
	assert_true(answered(last, 20000));
	for (int i = 1; i < MAX; i++)
		(void)close(idle[i]);
	(void)close(last);
}

static void
connections_that_ended_leave_nothing_behind(void **state)
{
	(void)state;
	for (int i = 0; i < 100; i++) { /* of 32 descriptors */
		int fd = client();
		if (i % 2 == 0) {
			ask(fd, "/");
			assert_true(answered(fd, 20000));
		}
		(void)close(fd);
	}
	int half = client();
	assert_int_equal(send(half, "GET /", 5, MSG_NOSIGNAL), 5);
	(void)close(half);
	int fd = client();
	ask(fd, "/");
	assert_true(answered(fd, 20000));
	(void)close(fd);
}

static void
plane_that_is_closed_lets_its_connections_go(void **state)
{
	(void)state;
	int status = -1;
	char byte;
	int idle = client();
	ask(idle, "/");
	assert_true(answered(idle, 20000));
	int fd = client();
	ask(fd, "/end");
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_true(recv(idle, &byte, 1, 0) <= 0);
	(void)close(idle);
	(void)close(fd);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    connections_over_the_bound_wait_until_another_ends),
		cmocka_unit_test(connections_that_ended_leave_nothing_behind),
		cmocka_unit_test(plane_that_is_closed_lets_its_connections_go),
	};
	return cmocka_run_group_tests(tests, setup, NULL);
}
