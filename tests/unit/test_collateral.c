/* SPDX-License-Identifier: Apache-2.0 */
/* Collateral from a PCS (played here), its cache, and the simulator's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <jansson.h>

#include "host/collateral.h"
#include "host/proc.h"

static char dir[64];

enum play { GOOD, NO_HEADER, ERROR_500, NOT_JSON, HUGE_BODY };

/* One answer by path; the issuer chains are percent-encoded headers. */
static void
reply(int fd, const char *path, enum play play)
{
	static const char chain[] = "%2D%2D%2DBEGIN%0ACHAIN";
	static char out[200000];
	const char *header = "X";
	const char *body = "\x30\x01\x02"; /* a CRL as DER, more or less */
	int status = play == ERROR_500 ? 500 : 200;

	if (strstr(path, "/tdx/certification/v4/tcb?fmspc=00806f050000")) {
		header = "TCB-Info-Issuer-Chain";
		body = "{\"tcbInfo\":{\"b\": 1,\"s\":\"}{\\\"\"},"
		       "\"signature\":\"aabb\"}";
	} else if (strstr(path, "/tdx/certification/v4/qe/identity")) {
		header = "sgx-enclave-identity-issuer-chain";
		body = "{\"enclaveIdentity\":{\"id\":\"TD_QE\"},"
		       "\"signature\":\"ccdd\"}";
	} else if (strstr(path, "/sgx/certification/v4/pckcrl?ca=platform")) {
		header = "SGX-PCK-CRL-Issuer-Chain";
	} else if (strstr(path, "/sgx/certification/v4/rootcacrl")) {
		body = "3001ff";
	} else {
		status = 404;
	}
	if (play == NO_HEADER)
		header = "X";
	if (play == NOT_JSON)
		body = "<html>";
	int n = snprintf(out, sizeof(out),
	    "HTTP/1.1 %d X\r\n%s: %s\r\nConnection: close\r\n\r\n%s", status,
	    header, chain, body);
	if (play == HUGE_BODY) {
		memset(out + n, 'x', sizeof(out) - (size_t)n);
		n = (int)sizeof(out);
	}
	(void)!send(fd, out, (size_t)n, MSG_NOSIGNAL);
}

static pid_t
pcs(enum play play, char *url, size_t cap)
{
	struct sockaddr_in sin = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(sin);
	int l = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(
	    bind(l, (const struct sockaddr *)&sin, sizeof(sin)), 0);
	assert_int_equal(listen(l, 8), 0);
	assert_int_equal(getsockname(l, (struct sockaddr *)&sin, &len), 0);
	(void)snprintf(
	    url, cap, "http://127.0.0.1:%u", ntohs(sin.sin_port));
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;) {
			char q[4096];
			int fd = accept(l, NULL, NULL);
			ssize_t n = recv(fd, q, sizeof(q) - 1, 0);
			q[n > 0 ? n : 0] = '\0';
			q[strcspn(q, "\r\n")] = '\0';
			reply(fd, q, play);
			(void)close(fd);
		}
	}
	(void)close(l);
	return pid;
}

static enum dstack_status
get(const char *url, unsigned fresh, struct wr *out, struct why *why)
{
	struct collateral_source s = {
		.url = url, .cache_dir = dir, .fresh_s = fresh
	};

	memset(why, 0, sizeof(*why));
	return collateral_get(&s, "00806f050000", "platform", out, why);
}

static void
pcs_answers_become_one_document_and_are_cached(void **state)
{
	char url[64];
	struct why why;
	AUTO_WR struct wr out = wr_new(0);
	AUTO_WR struct wr again = wr_new(0);
	pid_t pid = pcs(GOOD, url, sizeof(url));

	(void)state;
	if (get(url, 0, &out, &why) != DSTACK_OK)
		fail_msg("%s", why.text);
	json_t *o = json_loadb(
	    (const char *)out.buf, out.len, JSON_REJECT_DUPLICATES, NULL);
	assert_non_null(o);
#define IS(key, text) \
	assert_string_equal(json_string_value(json_object_get(o, key)), text)
	/* signed texts are byte for byte what came */
	IS("tcb_info", "{\"b\": 1,\"s\":\"}{\\\"\"}");
	IS("tcb_info_signature", "aabb");
	IS("qe_identity", "{\"id\":\"TD_QE\"}");
	IS("qe_identity_signature", "ccdd");
	IS("tcb_info_issuer_chain", "---BEGIN\nCHAIN");
	IS("pck_crl", "300102");
	IS("root_ca_crl", "3001ff");
	json_decref(o);
	proc_stop(&pid, 0);
	/* the service is away: what is cached is still handed out */
	assert_int_equal(get(url, 0, &again, &why), DSTACK_OK);
	assert_int_equal(again.len, out.len);
	AUTO_WR struct wr stale = wr_new(0);
	proc_pause_ms(1100);
	assert_int_equal(get(url, 1, &stale, &why), DSTACK_OK);
	assert_memory_equal(stale.buf, out.buf, out.len);
}

static void
bad_answers_are_refused_with_a_line(void **state)
{
	static const struct {
		enum play play;
		const char *words;
	} cases[] = { { NO_HEADER, "left out header" },
		{ ERROR_500, "HTTP 500" }, { NOT_JSON, "malformed" },
		{ HUGE_BODY, "more than" } };
	char url[64];
	char path[120];
	struct why why;

	(void)state;
	(void)snprintf(path, sizeof(path),
	    "%s/collateral-00806f050000-platform.json", dir);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		AUTO_WR struct wr out = wr_new(0);
		pid_t pid = pcs(cases[i].play, url, sizeof(url));
		(void)unlink(path);
		assert_int_not_equal(get(url, 0, &out, &why), DSTACK_OK);
		if (strstr(why.text, cases[i].words) == NULL)
			fail_msg("'%s' lacks '%s'", why.text, cases[i].words);
		assert_int_equal(out.len, 0);
		assert_int_not_equal(access(path, F_OK), 0);
		proc_stop(&pid, 0);
	}
}

static void
service_away_and_nothing_cached_is_undecided(void **state)
{
	struct why why;
	AUTO_WR struct wr out = wr_new(0);

	(void)state;
	assert_int_equal(
	    get("http://127.0.0.1:1", 0, &out, &why), DSTACK_E_MISSING);
	assert_non_null(strstr(why.text, "collateral service"));
}

static void
simulator_makes_its_own(void **state)
{
	struct collateral_source s = { .sim = true };
	AUTO_WR struct wr out = wr_new(0);

	(void)state;
	assert_int_equal(collateral_get(&s, "00806f050000", "platform", &out,
	                     NULL),
	    DSTACK_OK);
	assert_true(out.len > 4000);
	assert_int_equal(
	    collateral_get(&s, "../../x/y/z0", "platform", &out, NULL),
	    DSTACK_E_FORMAT);
}

static int
setup(void **state)
{
	(void)state;
	(void)signal(SIGPIPE, SIG_IGN);
	(void)snprintf(dir, sizeof(dir), "build/test-coll-%d", (int)getpid());
	return mkdir(dir, 0700);
}

static int
teardown(void **state)
{
	char path[120];

	(void)state;
	(void)snprintf(path, sizeof(path),
	    "%s/collateral-00806f050000-platform.json", dir);
	(void)unlink(path);
	return rmdir(dir);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    pcs_answers_become_one_document_and_are_cached),
		cmocka_unit_test(bad_answers_are_refused_with_a_line),
		cmocka_unit_test(service_away_and_nothing_cached_is_undecided),
		cmocka_unit_test(simulator_makes_its_own),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
