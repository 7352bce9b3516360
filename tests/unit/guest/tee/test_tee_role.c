/* SPDX-License-Identifier: Apache-2.0 */
/* The tee role as a process, with its edges and a simulator behind it. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "dstack/dcap.h"
#include "guest/tee/tee.h"
#include "protocol/events.h"
#include "protocol/statements.h"
#include "protocol/teeport.h"
#include "sim/teed.h"

const struct flavour dstack_flavour = { "sim", &tee_driver_sim,
	&trust_root_sim };

static const enum role peers[] = { ROLE_INIT, ROLE_REPLICATOOR,
	ROLE_GUEST_SERVICE, ROLE_KUBERNETHES };
static int edge[ROLE_COUNT]; /* the test's ends */
static pid_t role_pid, sim_pid;

static void
simulate(int fd)
{
	const struct sim_measurements m = { .mrconfigid = { 1, 2, 3 } };
	struct teed t;
	uint8_t head[4];
	uint8_t rest[TEEPORT_MAX_REQUEST];
	size_t n;
	teed_init(&t, "role", &m);
	while (recv(fd, head, 4, MSG_WAITALL) == 4 &&
	    teeport_rest(head, sizeof(rest), &n) == DSTACK_OK &&
	    recv(fd, rest, n, MSG_WAITALL) == (ssize_t)n) {
		AUTO_WR struct wr out = wr_new(0);
		if (teed_answer(&t, rest, n, &out) != DSTACK_OK ||
		    send(fd, out.buf, out.len, MSG_NOSIGNAL) < 0)
			break;
	}
	_exit(0);
}

static int
start(void **state)
{
	int port[2];
	int pair[4][2];
	(void)state;
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, port) != 0)
		return -1;
	sim_pid = fork();
	if (sim_pid == 0) {
		(void)close(port[0]);
		simulate(port[1]);
	}
	for (int i = 0; i < 4; i++)
		if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair[i]) != 0)
			return -1;
	role_pid = fork();
	if (role_pid == 0) {
		/* out of the way of the numbers they are to have */
		int high[5];
		for (int i = 0; i < 4; i++)
			high[i] = fcntl(pair[i][1], F_DUPFD, 64);
		high[4] = fcntl(port[0], F_DUPFD, 64);
		for (int fd = 3; fd < 64; fd++)
			(void)close(fd);
		for (int i = 0; i < 4; i++)
			(void)dup2(high[i], FD_EDGE + (int)peers[i]);
		(void)dup2(high[4], FD_TEE);
		for (int i = 0; i < 5; i++)
			(void)close(high[i]);
		_exit(tee_main());
	}
	(void)close(port[0]);
	(void)close(port[1]);
	for (int i = 0; i < 4; i++) {
		(void)close(pair[i][1]);
		edge[peers[i]] = pair[i][0];
	}
	return role_pid > 0 && sim_pid > 0 ? 0 : -1;
}

static enum dstack_status
extend(enum role from, const char *name, const void *p, size_t n,
    struct wr *out)
{
	struct why why = { "" };
	AUTO_WR struct wr w = wr_new(0);
	wr_text(&w, name);
	wr_blob(&w, p, n);
	return ipc_call(edge[from], TEE_EXTEND, &w, NULL, 0, out, &why);
}

static void
a_guest_boots_joins_and_runs_its_app_by_the_events(void **state)
{
	(void)state;
	static const uint8_t cfg[48] = { 1, 2, 3 };
	static const uint8_t zero[72] = { 0 };
	uint8_t digest[32] = { 9 };
	uint8_t want[64];
	uint8_t rtmr3[48];
	uint8_t b = 0;
	struct why why = { "" };
	AUTO_WR struct wr out = wr_new(0);
	AUTO_WR struct wr body = wr_new(0);
	AUTO_WR struct wr quote = wr_new(0);
	AUTO_WR struct wr info = wr_new(0);
	wr_put(&body, digest, 32);
	/* the first packet to init says that the role is ready */
	assert_int_equal(recv(edge[ROLE_INIT], &b, 1, 0), 1);
	assert_int_equal(b, 1);
	assert_int_equal(ipc_call(edge[ROLE_REPLICATOOR], TEE_QUOTE_REGISTER,
	    &body, NULL, 0, &quote, &why), DSTACK_E_BUSY);
	assert_int_equal(extend(ROLE_INIT, "netcfg", cfg, 48, &out),
	    DSTACK_OK);
	out.len = 0;
	assert_int_equal(extend(ROLE_INIT, "join-ready", "", 0, &out),
	    DSTACK_OK);
	event_join_rtmr3(cfg, rtmr3);
	assert_memory_equal(out.buf, rtmr3, 48);
	assert_int_equal(ipc_call(edge[ROLE_KUBERNETHES], TEE_QUOTE_REGISTER,
	    &body, NULL, 0, &quote, &why), DSTACK_E_REJECTED);
	assert_int_equal(ipc_call(edge[ROLE_REPLICATOOR], TEE_QUOTE_REGISTER,
	    &body, NULL, 0, &quote, &why), DSTACK_OK);
	struct rd r = rd_over(quote.buf, quote.len);
	const uint8_t *p;
	size_t n;
	struct dcap_quote q;
	enum dcap_code code;
	assert_int_equal(rd_blob(&r, IPC_MAX, &p, &n), DSTACK_OK);
	assert_int_equal(dcap_quote_parse(p, n, &q, &code, &why), DSTACK_OK);
	stmt_report_register(digest, want);
	assert_memory_equal(q.report_data, want, 64);
	assert_memory_equal(q.td.rtmr[3], rtmr3, 48);
	assert_memory_equal(q.td.mrconfigid, cfg, 48);
	assert_int_equal(extend(ROLE_KUBERNETHES, "app", zero, 72, &out),
	    DSTACK_E_BUSY);
	assert_int_equal(extend(ROLE_REPLICATOOR, "joined", zero, 28, &out),
	    DSTACK_OK);
	assert_int_equal(extend(ROLE_KUBERNETHES, "app", zero, 72, &out),
	    DSTACK_OK);
	assert_int_equal(extend(ROLE_KUBERNETHES, "app-start", "", 0, &out),
	    DSTACK_OK);
	assert_int_equal(ipc_call(edge[ROLE_REPLICATOOR], TEE_QUOTE_BOOTSTRAP,
	    &body, NULL, 0, &quote, &why), DSTACK_E_REJECTED);
	assert_int_equal(ipc_call(edge[ROLE_GUEST_SERVICE], TEE_INFO, NULL,
	    NULL, 0, &info, &why), DSTACK_OK);
	assert_int_equal(info.len, 7);
	assert_memory_equal(info.buf, "\0\0\0\3sim", 7);
}

static int
stop(void **state)
{
	int status = -1;
	(void)state;
	for (int i = 0; i < 4; i++)
		(void)close(edge[peers[i]]);
	/* with its peers gone the role ends, and with it the simulator */
	if (waitpid(role_pid, &status, 0) != role_pid || status != 0)
		return -1;
	return waitpid(sim_pid, &status, 0) == sim_pid ? 0 : -1;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
		    a_guest_boots_joins_and_runs_its_app_by_the_events, start,
		    stop),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
