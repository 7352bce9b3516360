/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "guest/base/ipc.h"

static int pair[2];

static int
open_pair(void **state)
{
	(void)state;
	return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair);
}

static int
close_pair(void **state)
{
	(void)state;
	(void)close(pair[0]);
	(void)close(pair[1]);
	return 0;
}

/* A peer that answers until its edge closes: op 1 echoes, 2 says later twice,
 * 3 refuses, 4 is undecided, 5 writes to the descriptor it got. */
static pid_t
peer(void)
{
	pid_t pid = fork();
	if (pid != 0)
		return pid;
	(void)close(pair[0]);
	int later = 2;
	for (;;) {
		struct ipc_request q;
		bool eof;
		enum dstack_status st = ipc_receive(pair[1], &q, &eof);
		if (st == DSTACK_E_LIMIT)
			continue;
		if (st != DSTACK_OK || eof)
			_exit(st == DSTACK_OK ? 0 : 1);
		AUTO_WR struct wr w = wr_new(0);
		const uint8_t *p;
		size_t n = rd_left(&q.body);
		st = rd_take(&q.body, n, &p);
		if (st == DSTACK_OK && q.op == 1) {
			wr_put(&w, p, n);
			st = ipc_answer(pair[1], &w);
		} else if (q.op == 2 && later-- > 0) {
			st = ipc_answer_no(pair[1], IPC_LATER, "wait");
		} else if (q.op == 2) {
			st = ipc_answer(pair[1], NULL);
		} else if (q.op == 3) {
			struct why why;
			st = why_set(&why, DSTACK_E_REJECTED, "never");
			ipc_answer_why(pair[1], st, &why);
			st = DSTACK_OK;
		} else if (q.op == 4) {
			st = ipc_answer_no(pair[1], IPC_UNDECIDED, "no chain");
		} else if (q.op == 5) {
			if (q.fd[0] >= 0 && write(q.fd[0], "x", 1) == 1)
				st = ipc_answer(pair[1], NULL);
			else
				st = ipc_answer_no(
				    pair[1], IPC_REFUSED, "no fd");
		}
		ipc_request_free(&q);
		if (st != DSTACK_OK)
			_exit(2);
	}
}

static void
reap(pid_t pid)
{
	int status = 0;
	(void)shutdown(pair[0], SHUT_RDWR);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

static void
a_request_comes_back_and_every_no_has_its_own_code(void **state)
{
	(void)state;
	pid_t pid = peer();
	AUTO_WR struct wr q = wr_new(0);
	AUTO_WR struct wr a = wr_new(0);
	struct why why;
	wr_str(&q, "hello");
	assert_int_equal(
	    ipc_call(pair[0], 1, &q, NULL, 0, &a, &why), DSTACK_OK);
	assert_int_equal(a.len, 5);
	assert_memory_equal(a.buf, "hello", 5);
	assert_int_equal(
	    ipc_call(pair[0], 2, NULL, NULL, 0, NULL, &why), DSTACK_E_BUSY);
	assert_string_equal(why.text, "wait");
	assert_int_equal(
	    ipc_call_wait(pair[0], 2, NULL, NULL, &why), DSTACK_OK);
	assert_int_equal(
	    ipc_call(pair[0], 3, NULL, NULL, 0, NULL, &why), DSTACK_E_REJECTED);
	assert_string_equal(why.text, "never");
	assert_int_equal(
	    ipc_call(pair[0], 4, NULL, NULL, 0, NULL, &why), DSTACK_E_MISSING);
	reap(pid);
}

static void
the_longest_packet_passes_and_one_byte_more_does_not(void **state)
{
	(void)state;
	pid_t pid = peer();
	AUTO_WR struct wr q = wr_new(0);
	AUTO_WR struct wr a = wr_new(0);
	struct why why;
	wr_zero(&q, IPC_MAX - 1);
	assert_int_equal(
	    ipc_call(pair[0], 1, &q, NULL, 0, &a, &why), DSTACK_OK);
	assert_int_equal(a.len, IPC_MAX - 1);
	wr_u8(&q, 0);
	assert_int_equal(
	    ipc_call(pair[0], 1, &q, NULL, 0, &a, &why), DSTACK_E_LIMIT);
	/* and by hand, past the sender's own check */
	AUTO_WR struct wr raw = wr_new(0);
	wr_zero(&raw, IPC_MAX + 1);
	assert_int_equal(send(pair[0], raw.buf, raw.len, 0), raw.len);
	uint8_t no[256];
	assert_true(recv(pair[0], no, sizeof(no), 0) > 1);
	assert_int_equal(no[0], IPC_REFUSED);
	reap(pid);
}

static void
a_descriptor_travels_with_a_request(void **state)
{
	(void)state;
	pid_t pid = peer();
	int p[2];
	struct why why;
	assert_int_equal(pipe(p), 0);
	assert_int_equal(
	    ipc_call(pair[0], 5, NULL, &p[1], 1, NULL, &why), DSTACK_OK);
	char c = 0;
	assert_int_equal(read(p[0], &c, 1), 1);
	assert_int_equal(c, 'x');
	assert_int_equal(
	    ipc_call(pair[0], 5, NULL, NULL, 0, NULL, &why), DSTACK_E_REJECTED);
	(void)close(p[0]);
	(void)close(p[1]);
	reap(pid);
}

static void
a_peer_that_is_gone_is_a_system_error(void **state)
{
	(void)state;
	struct why why;
	assert_int_equal(shutdown(pair[1], SHUT_RDWR), 0);
	assert_int_equal(
	    ipc_call(pair[0], 1, NULL, NULL, 0, NULL, &why), DSTACK_E_SYS);
}

static void
say_yes(void *ctx, enum role from, int fd, struct ipc_request *q)
{
	(void)ctx;
	(void)from;
	(void)q;
	if (ipc_answer(fd, NULL) != DSTACK_OK)
		_exit(3);
}

/* init's end is pair[0], TLS's tls; ends when both are closed. */
static pid_t
server(int init, int tls, int parent_a, int parent_b)
{
	static const enum role from[] = { ROLE_INIT, ROLE_TLS };
	pid_t pid = fork();
	if (pid != 0)
		return pid;
	(void)close(parent_a);
	(void)close(parent_b);
	if (dup2(init, FD_EDGE + ROLE_INIT) < 0 ||
	    dup2(tls, FD_EDGE + ROLE_TLS) < 0)
		_exit(2);
	(void)close(init);
	(void)close(tls);
	ipc_serve(from, 2, say_yes, NULL);
	_exit(0);
}

/* A role that started anew speaks to a server that did not. */
static void
init_gives_a_server_a_new_edge(void **state)
{
	(void)state;
	int tls[2], again[2], other[2];
	struct why why;
	assert_int_equal(
	    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, tls), 0);
	pid_t pid = server(pair[1], tls[1], pair[0], tls[0]);
	/* after the fork: the server has no end of these by birth */
	assert_int_equal(
	    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, again), 0);
	assert_int_equal(
	    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, other), 0);
	(void)close(tls[1]);
	assert_int_equal(
	    ipc_call(tls[0], 1, NULL, NULL, 0, NULL, &why), DSTACK_OK);
	(void)close(tls[0]);
	assert_int_equal(ipc_new_edge(pair[0], ROLE_TLS, again[1]), DSTACK_OK);
	/* one for a role that it does not serve is dropped, so is a bare op */
	assert_int_equal(ipc_new_edge(pair[0], ROLE_KEYD, other[1]), DSTACK_OK);
	assert_int_equal(send(pair[0], "\xff", 1, 0), 1);
	(void)close(again[1]);
	(void)close(other[1]);
	assert_int_equal(
	    ipc_call(again[0], 1, NULL, NULL, 0, NULL, &why), DSTACK_OK);
	assert_int_equal(
	    ipc_call(other[0], 1, NULL, NULL, 0, NULL, &why), DSTACK_E_SYS);
	/* whatever else init may ask is answered as ever */
	assert_int_equal(
	    ipc_call(pair[0], 1, NULL, NULL, 0, NULL, &why), DSTACK_OK);
	/* no role but init may bring one */
	assert_int_equal(send(again[0], "\xff\x08", 2, 0), 2);
	uint8_t yes[8];
	assert_int_equal(recv(again[0], yes, sizeof(yes), 0), 1);
	(void)close(again[0]);
	(void)close(other[0]);
	reap(pid);
}

static void
only_the_edges_of_the_table_exist(void **state)
{
	(void)state;
	unsigned edges = 0;
	for (unsigned a = 0; a < ROLE_COUNT; a++) {
		assert_false(role_may_ask((enum role)a, (enum role)a));
		assert_false(role_may_ask((enum role)a, ROLE_INIT));
		for (unsigned b = 0; b < ROLE_COUNT; b++)
			edges += role_may_ask((enum role)a, (enum role)b);
	}
	assert_int_equal(edges, 10 + 5 + 3 + 3 + 5 + 2 + 5 + 1);
	assert_true(role_may_ask(ROLE_LIGHTCLIENT, ROLE_HOSTLINK));
	assert_false(role_may_ask(ROLE_LIGHTCLIENT, ROLE_KEYD));
	assert_false(role_may_ask(ROLE_KUBERNETHES, ROLE_KEYD));
	assert_false(role_may_ask(ROLE_HOSTLINK, ROLE_KEYD));
	assert_false(role_may_ask(ROLE_VERIFIER, ROLE_TEE));
	assert_true(role_may_ask(ROLE_VOLUME, ROLE_KEYD));
	assert_true(role_may_ask(ROLE_REPLICATOOR, ROLE_VOLUME));
	assert_false(role_may_ask(ROLE_VOLUME, ROLE_REPLICATOOR));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(
		a_request_comes_back_and_every_no_has_its_own_code, open_pair,
		close_pair),
	    cmocka_unit_test_setup_teardown(
		init_gives_a_server_a_new_edge, open_pair, close_pair),
	    cmocka_unit_test_setup_teardown(
		the_longest_packet_passes_and_one_byte_more_does_not, open_pair,
		close_pair),
	    cmocka_unit_test_setup_teardown(
		a_descriptor_travels_with_a_request, open_pair, close_pair),
	    cmocka_unit_test_setup_teardown(
		a_peer_that_is_gone_is_a_system_error, open_pair, close_pair),
	    cmocka_unit_test(only_the_edges_of_the_table_exist),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
