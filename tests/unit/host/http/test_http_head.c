/* SPDX-License-Identifier: Apache-2.0 */
/* The request heads that our HTTP server takes, and those it refuses. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "host/http/head.h"

static struct http_head head;

static unsigned
parse_n(const char *text, size_t n)
{
	char copy[2048];

	assert_true(n < sizeof(copy));
	memcpy(copy, text, n);
	copy[n] = '\0';
	return http_head_parse(copy, n, &head);
}

static unsigned
parse(const char *text)
{
	return parse_n(text, strlen(text));
}

static void
a_request_is_method_path_and_length(void **state)
{
	(void)state;
	assert_int_equal(parse("POST /push HTTP/1.1\r\nHost: a\r\n"
			       "content-LENGTH: \t12 \r\n\r\n"),
	    0);
	assert_string_equal(head.method, "POST");
	assert_string_equal(head.path, "/push");
	assert_int_equal(head.body_len, 12);
}

static void
a_query_is_not_of_the_path(void **state)
{
	(void)state;
	assert_int_equal(parse("GET /a/b?c=/d HTTP/1.0\r\n\r\n"), 0);
	assert_string_equal(head.path, "/a/b");
	assert_int_equal(head.body_len, 0);
}

static void
a_connection_is_kept_as_version_and_header_say(void **state)
{
	(void)state;
	assert_int_equal(parse("GET / HTTP/1.1\r\n\r\n"), 0);
	assert_true(head.keep);
	assert_int_equal(parse("GET / HTTP/1.1\r\nConnection: Close\r\n\r\n"), 0);
	assert_false(head.keep);
	assert_int_equal(parse("GET / HTTP/1.0\r\n\r\n"), 0);
	assert_false(head.keep);
	assert_int_equal(
	    parse("GET / HTTP/1.0\r\nconnection: keep-alive\r\n\r\n"), 0);
	assert_true(head.keep);
}

static void
a_request_line_that_is_none_is_400(void **state)
{
	static const char *const bad[] = { "\r\n\r\n", "GET\r\n\r\n",
		"GET /\r\n\r\n", "GET / HTTP/2\r\n\r\n", "GET x HTTP/1.1\r\n\r\n",
		"GET http://a/ HTTP/1.1\r\n\r\n", " / HTTP/1.1\r\n\r\n",
		"GETGETGET / HTTP/1.1\r\n\r\n", "GET /\x01 HTTP/1.1\r\n\r\n",
		"GET /\x80 HTTP/1.1\r\n\r\n", "GET / HTTP/1.1 \r\n\r\n" };

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(parse(bad[i]), 400);
}

static void
a_zero_byte_is_400(void **state)
{
	static const char text[] = "GET / HTTP/1.1\r\nA: \0\r\n\r\n";

	(void)state;
	assert_int_equal(parse_n(text, sizeof(text) - 1), 400);
}

static void
a_header_without_a_name_is_400(void **state)
{
	(void)state;
	assert_int_equal(parse("GET / HTTP/1.1\r\n: x\r\n\r\n"), 400);
	assert_int_equal(parse("GET / HTTP/1.1\r\nx\r\n\r\n"), 400);
}

/* Two readings of one length are how requests are smuggled. */
static void
a_second_or_odd_length_is_400(void **state)
{
	static const char *const bad[] = { "Content-Length: 1\r\n"
					   "Content-Length: 1\r\n",
		"Content-Length: \r\n", "Content-Length: -1\r\n",
		"Content-Length: +1\r\n", "Content-Length: 1 2\r\n",
		"Content-Length: 0x1\r\n",
		"Content-Length: 1000000000000\r\n" };
	char text[200];

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		(void)snprintf(text, sizeof(text),
		    "POST / HTTP/1.1\r\n%s\r\n", bad[i]);
		assert_int_equal(parse(text), 400);
	}
}

static void
chunks_are_refused(void **state)
{
	(void)state;
	assert_int_equal(
	    parse("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"),
	    411);
}

static void
a_web_page_is_refused(void **state)
{
	(void)state;
	assert_int_equal(
	    parse("POST / HTTP/1.1\r\nOrigin: http://a\r\n\r\n"), 403);
}

static void
a_path_as_long_as_the_room_for_it_is_431(void **state)
{
	char text[700];
	char path[600];

	(void)state;
	memset(path, '/', sizeof(path));
	path[sizeof(head.path) - 1] = '\0';
	(void)snprintf(text, sizeof(text), "GET %s HTTP/1.1\r\n\r\n", path);
	assert_int_equal(parse(text), 0);
	assert_string_equal(head.path, path);
	path[sizeof(head.path) - 1] = '/';
	path[sizeof(head.path)] = '\0';
	(void)snprintf(text, sizeof(text), "GET %s HTTP/1.1\r\n\r\n", path);
	assert_int_equal(parse(text), 431);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_request_is_method_path_and_length),
		cmocka_unit_test(a_query_is_not_of_the_path),
		cmocka_unit_test(a_connection_is_kept_as_version_and_header_say),
		cmocka_unit_test(a_request_line_that_is_none_is_400),
		cmocka_unit_test(a_zero_byte_is_400),
		cmocka_unit_test(a_header_without_a_name_is_400),
		cmocka_unit_test(a_second_or_odd_length_is_400),
		cmocka_unit_test(chunks_are_refused),
		cmocka_unit_test(a_web_page_is_refused),
		cmocka_unit_test(a_path_as_long_as_the_room_for_it_is_431),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
