/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A host that says nothing keeps nobody waiting but whose question it was: the
 * view serves in a process of its own, this one is its host and two of the
 * roles that ask it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "guest/lightclient/lightclient.h"
#include "guest/lightclient/view.h"
#include "tests/unit/lib/beacon/lcmake.h"

#define PATIENCE_MS 60000 /* a loaded machine; far less than a lost answer */

static int host, asker[2]; /* this process's ends */
static pid_t served;

static int
idle(void *ctx)
{
	struct view *v = ctx;
	return v->store != NULL ? view_beacon_idle(v) : -1;
}

/* A view with one head, or none, that serves replicatoor and verifier. */
static void
serve(bool beacon, bool any)
{
	static const enum role from[2] = { ROLE_REPLICATOOR, ROLE_VERIFIER };
	static struct netcfg cfg;
	static struct view v;
	struct why why;
	int link[2], p[2][2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, link), 0);
	for (int i = 0; i < 2; i++)
		assert_int_equal(
		    socketpair(AF_UNIX, SOCK_SEQPACKET, 0, p[i]), 0);
	host = link[0];
	asker[0] = p[0][0];
	asker[1] = p[1][0];
	served = fork();
	if (served != 0) {
		(void)close(link[1]);
		(void)close(p[0][1]);
		(void)close(p[1][1]);
		return;
	}
	for (int i = 0; i < 2; i++) {
		(void)dup2(p[i][1], FD_EDGE + (int)from[i]);
		(void)close(p[i][0]);
		(void)close(p[i][1]);
	}
	(void)close(link[0]);
	cfg.view = beacon ? NETCFG_VIEW_BEACON : NETCFG_VIEW_RPC;
	cfg.finality = NETCFG_FINALIZED;
	cfg.beacon = mk_network(32);
	if (view_open(&v, link[1], &cfg, -1, &why) != DSTACK_OK)
		_exit(1);
	v.kept.any = any;
	v.kept.head.number = 77;
	v.kept.head.time = v.kept.first = 1000;
	ipc_serve_meanwhile(
	    from, 2, view_serve, view_serve_at_once, idle, &v);
	_exit(0);
}

static void
end(void)
{
	(void)close(host);
	(void)close(asker[0]);
	(void)close(asker[1]);
	assert_int_equal(waitpid(served, NULL, 0), served);
}

static void
send_op(int fd, uint8_t op, const void *p, size_t n)
{
	uint8_t b[128] = { op };
	memcpy(b + 1, p, n);
	assert_int_equal(send(fd, b, n + 1, 0), n + 1);
}

/* The answer's first byte, its status; the rest to out. */
static int
answer(int fd, uint8_t out[static 256])
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	uint8_t b[257];
	if (poll(&p, 1, PATIENCE_MS) != 1)
		fail_msg("nobody answers while the host is silent");
	ssize_t n = recv(fd, b, sizeof(b), 0);
	assert_true(n >= 1);
	memset(out, 0, 256);
	memcpy(out, b + 1, (size_t)n - 1);
	return b[0];
}

/* The host has a question, and leaves it. */
static void
is_asked(void)
{
	static uint8_t q[IPC_MAX];
	struct pollfd p = { .fd = host, .events = POLLIN };
	assert_int_equal(poll(&p, 1, PATIENCE_MS), 1);
	assert_true(recv(host, q, sizeof(q), 0) > 0);
}

static void
by_beacon_all_are_answered_from_what_is_believed(void **state)
{
	static const uint8_t contains[72] = { 0 };
	uint8_t tie[16] = { 0 }, a[256];
	(void)state;
	serve(true, true);
	is_asked(); /* for the bootstrap, as there is no store */
	send_op(asker[1], LIGHTCLIENT_HEAD, "", 0);
	assert_int_equal(answer(asker[1], a), IPC_YES);
	assert_int_equal(a[7], 77);
	/* it would have to ask the host: not decided, and not yet */
	send_op(asker[0], LIGHTCLIENT_CONTAINS, contains, sizeof(contains));
	assert_int_equal(answer(asker[0], a), IPC_YES);
	assert_int_equal(a[0], LIGHTCLIENT_NOT_YET);
	tie[6] = 1000 >> 8;
	tie[7] = 1000 & 255;
	send_op(asker[0], LIGHTCLIENT_TIE, tie, sizeof(tie));
	assert_int_equal(answer(asker[0], a), IPC_YES);
	/* verifier may not, now as ever */
	send_op(asker[1], LIGHTCLIENT_TIE, tie, sizeof(tie));
	assert_int_equal(answer(asker[1], a), IPC_REFUSED);
	/* what the host is being asked for is not taken from under it */
	send_op(asker[0], LIGHTCLIENT_ANEW, "", 0);
	assert_int_equal(answer(asker[0], a), IPC_LATER);
	/* a role that ends meanwhile ends nobody else's answers */
	(void)close(asker[0]);
	send_op(asker[1], LIGHTCLIENT_HEAD, "", 0);
	assert_int_equal(answer(asker[1], a), IPC_YES);
	asker[0] = -1;
	end();
}

static void
by_rpc_who_comes_second_does_not_wait_for_the_first(void **state)
{
	uint8_t a[256];
	(void)state;
	for (int any = 0; any < 2; any++) {
		serve(false, any != 0);
		send_op(asker[0], LIGHTCLIENT_HEAD, "", 0);
		is_asked();
		send_op(asker[1], LIGHTCLIENT_HEAD, "", 0);
		assert_int_equal(answer(asker[1], a),
		    any != 0 ? IPC_YES : IPC_UNDECIDED);
		assert_int_equal(any != 0 ? a[7] : 77, 77);
		/* and the host's no is the first one's answer */
		assert_int_equal(send(host, "\3gone", 5, 0), 5);
		assert_int_equal(answer(asker[0], a), IPC_UNDECIDED);
		end();
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    by_beacon_all_are_answered_from_what_is_believed),
		cmocka_unit_test(
		    by_rpc_who_comes_second_does_not_wait_for_the_first),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
