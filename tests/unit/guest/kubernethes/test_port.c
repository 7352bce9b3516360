/* SPDX-License-Identifier: Apache-2.0 */
/* Which port clients reach: servers of several kinds on the loopback. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define TOLD_MS 100
#define ELSEWHERE_MS 300
#define SETTLE_MS 100
#define NO_HTTP_MS 600
#define ASK_MS 300
#include "guest/kubernethes/port.c"

static pid_t children[16];
static size_t nchildren;

/* Says this to each who has sent head and something; NULL: never anything. */
static uint16_t
serve_as(const char *head, size_t nhead, const char *text, size_t ntext)
{
	struct sockaddr_in a = { .sin_family = AF_INET };
	socklen_t n = sizeof(a);
	int l = socket(AF_INET, SOCK_STREAM, 0);
	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(bind(l, (struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(listen(l, 8), 0);
	assert_int_equal(getsockname(l, (struct sockaddr *)&a, &n), 0);
	pid_t pid = fork();
	if (pid == 0) {
		char buf[512];
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		(void)signal(SIGPIPE, SIG_IGN);
		for (;;) {
			int c = accept(l, NULL, NULL);
			if (text == NULL)
				continue;
			ssize_t got = read(c, buf, sizeof(buf));
			if (got < (ssize_t)nhead ||
			    memcmp(buf, head, nhead) != 0) {
				(void)close(c);
				continue;
			}
			do
				if (write(c, text, ntext) < 0)
					break;
			while (strcmp(text, "flood") == 0);
			(void)close(c);
		}
	}
	children[nchildren++] = pid;
	(void)close(l);
	return ntohs(a.sin_port);
}

static uint16_t
serve(const char *text)
{
	return serve_as("", 0, text, text != NULL ? strlen(text) : 0);
}

static int
end(void **state)
{
	(void)state;
	while (nchildren > 0) {
		(void)kill(children[--nchildren], SIGKILL);
		(void)waitpid(children[nchildren], NULL, 0);
	}
	return 0;
}

/* Until it is decided; 0: refused with why. */
static uint16_t
decide(const struct oci_config *c, const struct listens *s, struct why *why)
{
	struct port_look l;
	const int64_t until = kube_now() + 20000;
	port_begin(&l, c);
	while (kube_now() < until) {
		if (port_judge(&l, s, htonl(INADDR_LOOPBACK), why) !=
		    DSTACK_OK)
			return 0;
		if (listen_has(s->open, s->nopen, l.port))
			return l.port;
		usleep(20000);
	}
	fail_msg("not decided");
	return 0;
}

static void
config(const char *json, struct oci_config *c)
{
	struct why why = { "" };
	if (oci_config_parse(json, strlen(json), c, &why) != DSTACK_OK)
		fail_msg("%s", why.text);
}

static void
of_several_the_one_that_answers_http(void **state)
{
	(void)state;
	struct oci_config c = { .user = "" };
	struct why why = { "" };
	const uint16_t ssh = serve("SSH-2.0-x\r\n");
	const uint16_t tls = serve("HTTP/1.0 400 Bad Request\r\n\r\nClient "
				   "sent an HTTP request to an HTTPS server.");
	const uint16_t flood = serve("flood");
	const uint16_t mute = serve(NULL);
	const uint16_t web = serve("HTTP/1.1 302 Found\r\nLocation: /x\r\n\r\n");
	uint16_t exposed[] = { ssh, tls, flood, mute, web };
	c.exposed = exposed;
	c.nexposed = 5;
	struct listens s = { .open = { ssh, tls, flood, mute, web, 1 },
		.nopen = 6 };
	assert_int_equal(decide(&c, &s, &why), web);
	/* no matter in which order they are listed, or how many are not there */
	s = (struct listens){ .open = { web, mute, tls }, .nopen = 3 };
	assert_int_equal(decide(&c, &s, &why), web);
	/* none is EXPOSEd: any that it listens on */
	c.nexposed = 0;
	assert_int_equal(decide(&c, &s, &why), web);
	s = (struct listens){ .open = { ssh }, .nopen = 1 };
	assert_int_equal(decide(&c, &s, &why), ssh);
	/* no HTTP at all: one is taken when that has been waited for */
	c.nexposed = 5;
	s = (struct listens){ .open = { ssh, mute }, .nopen = 2 };
	int64_t start = kube_now();
	assert_int_equal(decide(&c, &s, &why), ssh < mute ? ssh : mute);
	assert_true(kube_now() - start >= NO_HTTP_MS);
	/* and before those, who at least speaks HTTP */
	s = (struct listens){ .open = { mute, tls }, .nopen = 2 };
	assert_int_equal(decide(&c, &s, &why), tls);
}

static void
answers_are_told_by_their_first_bytes(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		enum answers is;
	} c[] = { { "HTTP/1.1 200 OK", ANSWERS_HTTP },
		{ "HTTP/1.0 404 Not", ANSWERS_HTTP },
		{ "HTTP/1.1 400 Bad", ANSWERS_BAD },
		{ "HTTP/1.1 20", ANSWERS_ELSE }, { "", ANSWERS_ELSE },
		{ "HTTP/2.0 200 OK", ANSWERS_ELSE },
		{ "220 mail.example ESMTP", ANSWERS_ELSE } };
	for (size_t i = 0; i < sizeof(c) / sizeof(c[0]); i++)
		assert_int_equal(
		    ask_judge(c[i].text, strlen(c[i].text)), c[i].is);
	assert_true(ask_before(80, 22));
	assert_true(ask_before(80, 8080));
	assert_true(ask_before(3000, 22));
	assert_false(ask_before(2019, 80));
	assert_true(ask_before(443, 2019));
	/* nobody is there, and who says nothing does not hold it up */
	const uint16_t ports[] = { 1, serve(NULL), serve("HTTP/1.1 200 OK\r\n") };
	enum answers a[3];
	int64_t start = kube_now();
	ask_ports(htonl(INADDR_LOOPBACK), ports, 3, false, 300, a);
	assert_true(kube_now() - start < 5000);
	assert_int_equal(a[0], ANSWERS_NOT);
	assert_int_equal(a[1], ANSWERS_ELSE);
	assert_int_equal(a[2], ANSWERS_HTTP);
}

static void
http2_is_told_by_the_first_frame(void **state)
{
	(void)state;
	static const struct {
		const char *frame;
		bool yes;
	} v[] = { { "\0\0\6\4\0\0\0\0\0\0\3\0\0\0\144", true },
		{ "\0\0\0\4\0\0\0\0\0\0\0\0\0\0\0", true },
		{ "\0\0\5\4\0\0\0\0\0\0\3\0\0\0\144", false },
		{ "\0\0\6\7\0\0\0\0\0\0\3\0\0\0\144", false },
		{ "\0\0\6\4\1\0\0\0\0\0\3\0\0\0\144", false },
		{ "\0\0\6\4\0\0\0\0\1\0\3\0\0\0\144", false },
		{ "HTTP/1.1 400 Ba", false } };
	const uint32_t here = htonl(INADDR_LOOPBACK);
	static const char pri[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
	for (size_t i = 0; i < sizeof(v) / sizeof(v[0]); i++)
		assert_int_equal(ask_h2(here,
				     serve_as(pri, sizeof(pri) - 1,
					 v[i].frame, 15), false, 2000),
		    v[i].yes);
	/* cut off, mute, not there */
	assert_false(ask_h2(here, serve_as("", 0, v[0].frame, 8), false, 300));
	int64_t start = kube_now();
	assert_false(ask_h2(here, serve(NULL), false, 300));
	assert_true(kube_now() - start < 5000);
	assert_false(ask_h2(here, 1, false, 300));
	/* one that wants to hear who its client is hears that this is none */
	static const char who[] = "\r\n\r\n\0\r\nQUIT\n\x20\0\0\0PRI *";
	assert_true(ask_h2(here, serve_as(who, sizeof(who) - 1, v[0].frame,
				     15), true, 2000));
}

static void
who_listens_elsewhere_is_told_so_and_refused(void **state)
{
	(void)state;
	static const struct {
		const char *json;
		uint16_t open, local;
		const char *says;
	} c[] = {
		{ "{\"ExposedPorts\":{\"22/tcp\":{}}}", 3000, 0,
		    "app listens on port 3000, its image EXPOSEs 22: let it" },
		{ "{\"ExposedPorts\":{\"22/tcp\":{},\"23/tcp\":{}}}", 3000, 0,
		    "app listens on port 3000, its image EXPOSEs 22, 23: " },
		{ "{\"ExposedPorts\":{\"22/tcp\":{}},"
		  "\"Labels\":{\"dstack.port\":\"81\"}}", 22, 0,
		    "app listens on port 22, its label dstack.port says 81: " },
		{ "{}", 0, 3000, "app listens on 127.0.0.1 port 3000, no port "
				 "is EXPOSEd: " },
		{ "{\"ExposedPorts\":{\"22/tcp\":{},\"23/tcp\":{}}}", 0, 22,
		    "app listens on 127.0.0.1 port 22, its image EXPOSEs 22" },
		{ "{\"ExposedPorts\":{\"22/tcp\":{}}}", 0, 22,
		    "app listens on 127.0.0.1 port 22 only" },
	};
	for (size_t i = 0; i < sizeof(c) / sizeof(c[0]); i++) {
		struct oci_config cfg;
		struct why why = { "" };
		const struct listens s = { .open = { c[i].open },
			.nopen = c[i].open != 0, .local = { c[i].local },
			.nlocal = c[i].local != 0 };
		config(c[i].json, &cfg);
		const int64_t start = kube_now();
		assert_int_equal(decide(&cfg, &s, &why), 0);
		if (strncmp(why.text, c[i].says, strlen(c[i].says)) != 0)
			fail_msg("%s", why.text);
		assert_true(kube_now() - start < 5000);
		oci_config_free(&cfg);
	}
}

static void
a_start_period_is_waited_for(void **state)
{
	(void)state;
	struct oci_config cfg;
	struct why why = { "" };
	const struct listens s = { .open = { 3000 }, .nopen = 1 };
	config("{\"ExposedPorts\":{\"22/tcp\":{}},\"Healthcheck\":"
	       "{\"StartPeriod\":1000000000}}", &cfg);
	const int64_t start = kube_now();
	assert_int_equal(decide(&cfg, &s, &why), 0);
	assert_true(kube_now() - start >= 1000);
	oci_config_free(&cfg);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(
		    of_several_the_one_that_answers_http, end),
		cmocka_unit_test_teardown(
		    answers_are_told_by_their_first_bytes, end),
		cmocka_unit_test_teardown(
		    http2_is_told_by_the_first_frame, end),
		cmocka_unit_test(who_listens_elsewhere_is_told_so_and_refused),
		cmocka_unit_test(a_start_period_is_waited_for),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
