/* SPDX-License-Identifier: Apache-2.0 */
/* The public side of an order: who asks how, and what each one gets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "host/acme/http01.h"

#define PROOF "/.well-known/acme-challenge/tok"

static struct sockaddr_in where;
static struct http01 *server;

static int
begin(void **state)
{
	(void)state;
	char text[32];
	struct why why = { "" };
	socklen_t n = sizeof(where);
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	where.sin_family = AF_INET;
	where.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	where.sin_port = 0;
	if (bind(fd, (struct sockaddr *)&where, n) != 0 ||
	    getsockname(fd, (struct sockaddr *)&where, &n) != 0)
		return -1;
	(void)close(fd);
	(void)snprintf(
	    text, sizeof(text), "127.0.0.1:%u", ntohs(where.sin_port));
	if (http01_start(text, &server, &why) != DSTACK_OK)
		return -1;
	return http01_offer(server, "tok", "thumb", &why) == DSTACK_OK ? 0 : -1;
}

static int
finish(void **state)
{
	(void)state;
	http01_stop(server);
	return 0;
}

/* A connection on which nothing takes longer than 14 s. */
static int
dial(void)
{
	const struct timeval t = { 14, 0 };
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	assert_true(fd >= 0);
	assert_int_equal(
	    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof(t)), 0);
	assert_int_equal(
	    connect(fd, (struct sockaddr *)&where, sizeof(where)), 0);
	return fd;
}

static void
say(int fd, const char *text, size_t n)
{
	while (n > 0) {
		ssize_t k = send(fd, text, n, MSG_NOSIGNAL);
		assert_true(k > 0);
		text += k;
		n -= (size_t)k;
	}
}

/* All there is until the end, which must be an orderly one. */
static const char *
hear_out(int fd)
{
	static char b[4096];
	size_t at = 0;
	ssize_t n;
	while ((n = recv(fd, b + at, sizeof(b) - 1 - at, 0)) > 0)
		at += (size_t)n;
	b[at] = '\0';
	if (n < 0)
		fail_msg("no orderly end: %s", strerror(errno));
	(void)close(fd);
	return b;
}

static const char *
ask(const char *text)
{
	int fd = dial();
	say(fd, text, strlen(text));
	return hear_out(fd);
}

static void
the_proof_is_given_to_who_asks_for_it(void **state)
{
	(void)state;
	const char *a = ask("GET " PROOF " HTTP/1.1\r\nHost: x\r\n"
			    "Connection: close\r\n\r\n");
	assert_non_null(strstr(a, "HTTP/1.1 200 "));
	assert_non_null(strstr(a, "\r\n\r\ntok.thumb"));
	a = ask("GET " PROOF " HTTP/1.0\r\n\r\n");
	assert_non_null(strstr(a, "\r\n\r\ntok.thumb"));
	a = ask("GET " PROOF "?x=1 HTTP/1.0\r\n\r\n");
	assert_non_null(strstr(a, "\r\n\r\ntok.thumb"));
	a = ask("GET " PROOF "x HTTP/1.0\r\n\r\n");
	assert_non_null(strstr(a, "HTTP/1.1 404 "));
	a = ask("POST " PROOF " HTTP/1.0\r\nContent-Length: 3\r\n\r\nabc");
	assert_non_null(strstr(a, "HTTP/1.1 405 "));
	assert_non_null(strstr(a, "Allow: GET, HEAD"));
	a = ask("nonsense\r\n\r\n");
	assert_non_null(strstr(a, "HTTP/1.1 400 "));
}

static void
head_tells_the_length_and_sends_no_body(void **state)
{
	(void)state;
	const char *a = ask("HEAD " PROOF " HTTP/1.0\r\n\r\n");
	assert_non_null(strstr(a, "HTTP/1.1 200 "));
	assert_non_null(strstr(a, "Content-Length: 9\r\n"));
	assert_null(strstr(a, "tok.thumb"));
}

static void
a_long_head_is_read_and_one_too_long_is_told(void **state)
{
	(void)state;
	static char q[300000];
	const size_t fill[] = { 900, 1100, 9000, 60000, 70000, 200000 };
	for (size_t i = 0; i < sizeof(fill) / sizeof(fill[0]); i++) {
		int n = snprintf(
		    q, sizeof(q), "GET " PROOF " HTTP/1.0\r\nX-Fill: ");
		memset(q + n, 'a', fill[i]);
		memcpy(q + n + fill[i], "\r\n\r\n", 5);
		assert_non_null(strstr(ask(q),
		    fill[i] < 65000 ? "\r\n\r\ntok.thumb" : "HTTP/1.1 431 "));
	}
}

static void
one_connection_serves_several_requests(void **state)
{
	(void)state;
	const char *a = ask("GET " PROOF " HTTP/1.1\r\nHost: x\r\n\r\n"
			    "GET /no HTTP/1.1\r\nHost: x\r\n\r\n"
			    "GET " PROOF " HTTP/1.1\r\nHost: x\r\n"
			    "Connection: close\r\n\r\n");
	const char *second = strstr(a, "HTTP/1.1 404 ");
	assert_non_null(second);
	assert_true(strstr(a, "tok.thumb") < second);
	assert_non_null(strstr(second, "tok.thumb"));
}

static void
sixty_three_who_say_nothing_hold_up_nobody(void **state)
{
	(void)state;
	int idle[63];
	for (size_t i = 0; i < 63; i++)
		idle[i] = dial();
	time_t t = time(NULL);
	assert_non_null(
	    strstr(ask("GET " PROOF " HTTP/1.0\r\n\r\n"), "tok.thumb"));
	assert_true(time(NULL) - t <= 2);
	for (size_t i = 0; i < 63; i++)
		(void)close(idle[i]);
}

static void
where_all_places_are_taken_the_oldest_makes_room(void **state)
{
	(void)state;
	int idle[200];
	for (size_t i = 0; i < 200; i++)
		idle[i] = dial();
	assert_non_null(
	    strstr(ask("GET " PROOF " HTTP/1.0\r\n\r\n"), "tok.thumb"));
	for (size_t i = 0; i < 200; i++)
		(void)close(idle[i]);
}

static void
a_dribble_ends_ten_seconds_after_it_began(void **state)
{
	(void)state;
	int fd = dial();
	time_t t = time(NULL);
	char b[256] = "";
	ssize_t n = -1;
	/* a byte a second would go on for ever where each byte buys time */
	for (int i = 0; i < 13 && n <= 0; i++) {
		(void)send(fd, "G", 1, MSG_NOSIGNAL);
		(void)sleep(1);
		n = recv(fd, b, sizeof(b) - 1, MSG_DONTWAIT);
	}
	assert_true(n > 0);
	assert_non_null(strstr(b, "HTTP/1.1 408 "));
	assert_in_range(time(NULL) - t, 9, 12);
	(void)close(fd);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_proof_is_given_to_who_asks_for_it),
		cmocka_unit_test(head_tells_the_length_and_sends_no_body),
		cmocka_unit_test(a_long_head_is_read_and_one_too_long_is_told),
		cmocka_unit_test(one_connection_serves_several_requests),
		cmocka_unit_test(sixty_three_who_say_nothing_hold_up_nobody),
		cmocka_unit_test(
		    where_all_places_are_taken_the_oldest_makes_room),
		cmocka_unit_test(a_dribble_ends_ten_seconds_after_it_began),
	};
	return cmocka_run_group_tests(tests, begin, finish);
}
