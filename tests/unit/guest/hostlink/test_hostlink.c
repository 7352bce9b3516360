/* SPDX-License-Identifier: Apache-2.0 */
/* The role hostlink in a process of its own, between roles and a host. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/own.h"
#include "base/rd.h"
#include "guest/hostlink/hostlink.h"
#include "guest/base/ipc.h"
#include "guest/base/link.h"
#include "guest/base/role.h"
#include "protocol/link.h"

struct bed {
	pid_t pid;
	int edge[ROLE_COUNT];
	int host;
};

static void
begin(struct bed *b)
{
	int theirs[ROLE_COUNT], link[2];
	for (int r = 0; r < ROLE_COUNT; r++) {
		int pair[2];
		assert_int_equal(
		    socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
		b->edge[r] = fcntl(pair[0], F_DUPFD_CLOEXEC, 64);
		theirs[r] = fcntl(pair[1], F_DUPFD_CLOEXEC, 64);
		(void)close(pair[0]);
		(void)close(pair[1]);
	}
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, link), 0);
	b->host = fcntl(link[0], F_DUPFD_CLOEXEC, 64);
	int port = fcntl(link[1], F_DUPFD_CLOEXEC, 64);
	(void)close(link[0]);
	(void)close(link[1]);
	b->pid = fork();
	assert_true(b->pid >= 0);
	if (b->pid == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (int r = 0; r < ROLE_COUNT; r++)
			(void)dup2(theirs[r], FD_EDGE + r);
		(void)dup2(port, FD_LINK);
		for (int fd = 64; fd < 256; fd++)
			(void)close(fd);
		_exit(hostlink_main());
	}
	for (int r = 0; r < ROLE_COUNT; r++)
		(void)close(theirs[r]);
	(void)close(port);
	uint8_t ready[64];
	assert_int_equal(
	    recv(b->edge[ROLE_INIT], ready, sizeof(ready), 0), 1);
	assert_int_equal(ready[0], 1);
}

static void
finish(struct bed *b)
{
	for (int r = 0; r < ROLE_COUNT; r++)
		(void)close(b->edge[r]);
	(void)close(b->host);
	if (b->pid > 0) {
		(void)kill(b->pid, SIGKILL);
		(void)waitpid(b->pid, NULL, 0);
	}
}

/* A role asks /rpc; the id that the host sees. */
static uint32_t
asks(struct bed *b, enum role r)
{
	AUTO_WR struct wr q = wr_new(0);
	uint8_t buf[64];
	struct link_frame f;
	size_t rest = 0;
	wr_u8(&q, HOSTLINK_CALL);
	wr_text(&q, "/rpc");
	wr_blob(&q, "?", 1);
	assert_int_equal(
	    send(b->edge[r], q.buf, q.len, 0), (ssize_t)q.len);
	assert_int_equal(
	    recv(b->host, buf, LINK_HEAD, MSG_WAITALL), LINK_HEAD);
	assert_int_equal(link_rest(buf, &rest), DSTACK_OK);
	assert_true(rest <= sizeof(buf));
	assert_int_equal(
	    recv(b->host, buf, rest, MSG_WAITALL), (ssize_t)rest);
	assert_int_equal(link_decode(buf, rest, &f), DSTACK_OK);
	assert_string_equal(f.path, "/rpc");
	return f.id;
}

static void
gives(struct bed *b, const struct wr *w)
{
	for (size_t at = 0; at < w->len;) {
		ssize_t k = send(b->host, w->buf + at, w->len - at, 0);
		assert_true(k > 0);
		at += (size_t)k;
	}
}

/* The answer's body has len bytes that are all c. */
static void
receives(struct bed *b, enum role r, size_t len, uint8_t c)
{
	static uint8_t buf[IPC_MAX];
	ssize_t n = recv(b->edge[r], buf, sizeof(buf), 0);
	assert_int_equal(n, 1 + 2 + 4 + (ssize_t)len);
	assert_int_equal(buf[0], IPC_YES);
	for (size_t i = 0; i < len; i++)
		assert_int_equal(buf[7 + i], c);
}

static void
each_answer_goes_to_whom_asked_however_it_comes(void **state)
{
	(void)state;
	static uint8_t body[LINK_MAX_BODY];
	struct bed b;
	AUTO_WR struct wr w = wr_new(0);
	begin(&b);
	uint32_t one = asks(&b, ROLE_VERIFIER);
	uint32_t two = asks(&b, ROLE_VOLUME);
	assert_int_not_equal(one, two);
	link_put_answer(&w, 999, 200, "stray", 5);
	link_put_answer(&w, two, 200, "22", 2);
	memset(body, '1', sizeof(body));
	link_put_answer(&w, one, 200, body, sizeof(body)); /* the longest */
	link_put_answer(&w, one, 200, "again", 5);
	gives(&b, &w);
	receives(&b, ROLE_VOLUME, 2, '2');
	receives(&b, ROLE_VERIFIER, sizeof(body), '1');
	/* a late one is not taken for the answer of the next request */
	uint32_t three = asks(&b, ROLE_VERIFIER);
	wr_free(&w);
	link_put_answer(&w, one, 200, "late", 4);
	link_put_answer(&w, three, 200, "333", 3);
	gives(&b, &w);
	receives(&b, ROLE_VERIFIER, 3, '3');
	finish(&b);
}

static void
a_frame_that_cannot_be_ends_the_role(void **state)
{
	(void)state;
	static const uint8_t huge[] = { 0x7f, 0xff, 0xff, 0xff, 1, 2, 3 };
	struct bed b;
	char text[300];
	int status = 0;
	begin(&b);
	assert_int_equal(send(b.host, huge, sizeof(huge), 0), sizeof(huge));
	ssize_t n = recv(b.edge[ROLE_INIT], text, sizeof(text) - 1, 0);
	assert_true(n > 1 && text[0] == 3);
	text[n] = '\0';
	assert_non_null(strstr(text, "impossible length"));
	assert_int_equal(waitpid(b.pid, &status, 0), b.pid);
	assert_int_equal(WEXITSTATUS(status), 1);
	b.pid = 0;
	finish(&b);
}

/*
 * One that starts anew on the same port may find answers there that the one
 * before it asked for: they are nobody's.
 */
static void
an_answer_for_the_one_before_is_nobodys(void **state)
{
	(void)state;
	struct bed before, b;
	AUTO_WR struct wr w = wr_new(0);
	begin(&before);
	uint32_t old = asks(&before, ROLE_VERIFIER);
	finish(&before);
	begin(&b);
	uint32_t id = asks(&b, ROLE_KUBERNETHES);
	assert_int_not_equal(id, old);
	link_put_answer(&w, old, 200, "old", 3);
	link_put_answer(&w, id, 200, "4444", 4);
	gives(&b, &w);
	receives(&b, ROLE_KUBERNETHES, 4, '4');
	finish(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_answer_for_the_one_before_is_nobodys),
		cmocka_unit_test(
		    each_answer_goes_to_whom_asked_however_it_comes),
		cmocka_unit_test(a_frame_that_cannot_be_ends_the_role),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
