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

#include "guest/flavour.h"
#include "guest/role.h"
#include "protocol/teeport.h"
#include "sim/teed.h"

static void
a_request_is_read_as_it_was_written(void **state)
{
	(void)state;
	uint8_t data[64];
	memset(data, 7, sizeof(data));
	for (int op = TEEPORT_QUOTE; op <= TEEPORT_REPORT; op++) {
		AUTO_WR struct wr w = wr_new(0);
		teeport_put_request(&w, (enum teeport_op)op, data);
		size_t n;
		struct teeport_request q;
		assert_int_equal(teeport_rest(w.buf, TEEPORT_MAX_REQUEST, &n),
		    DSTACK_OK);
		assert_int_equal(n, w.len - TEEPORT_HEAD);
		assert_int_equal(teeport_decode(w.buf + TEEPORT_HEAD, n, &q),
		    DSTACK_OK);
		assert_int_equal(q.op, op);
		for (size_t cut = 0; cut < n; cut++)
			assert_int_not_equal(teeport_decode(
			    w.buf + TEEPORT_HEAD, cut, &q), DSTACK_OK);
		wr_u8(&w, 0);
		assert_int_equal(teeport_decode(w.buf + TEEPORT_HEAD, n + 1,
		    &q), DSTACK_E_FORMAT);
	}
}

static void
lengths_of_zero_and_over_the_bound_are_refused(void **state)
{
	(void)state;
	size_t n;
	assert_int_equal(teeport_rest((const uint8_t *)"\0\0\0\0", 65, &n),
	    DSTACK_E_FORMAT);
	assert_int_equal(teeport_rest((const uint8_t *)"\0\0\0\102", 65, &n),
	    DSTACK_E_LIMIT);
	assert_int_equal(teeport_rest((const uint8_t *)"\0\0\0\101", 65, &n),
	    DSTACK_OK);
}

static void
registers_of_the_boot_cannot_be_extended(void **state)
{
	(void)state;
	uint8_t rest[50] = { TEEPORT_EXTEND };
	struct teeport_request q;
	for (uint8_t i = 0; i < 3; i++) {
		rest[1] = i;
		assert_int_equal(teeport_decode(rest, sizeof(rest), &q),
		    DSTACK_E_REJECTED);
	}
	rest[1] = 3;
	assert_int_equal(teeport_decode(rest, sizeof(rest), &q), DSTACK_OK);
}

/* A simulator in a child on the other end of FD_TEE. */
static pid_t
simulator(const struct sim_measurements *m)
{
	int sv[2];
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, sv), 0);
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		struct teed t;
		uint8_t head[4];
		uint8_t rest[TEEPORT_MAX_REQUEST];
		size_t n;
		(void)close(sv[0]);
		teed_init(&t, "test", m);
		while (recv(sv[1], head, 4, MSG_WAITALL) == 4 &&
		    teeport_rest(head, sizeof(rest), &n) == DSTACK_OK &&
		    recv(sv[1], rest, n, MSG_WAITALL) == (ssize_t)n) {
			AUTO_WR struct wr out = wr_new(0);
			if (teed_answer(&t, rest, n, &out) != DSTACK_OK ||
			    send(sv[1], out.buf, out.len, 0) < 0)
				break;
		}
		_exit(0);
	}
	(void)close(sv[1]);
	assert_int_equal(dup2(sv[0], FD_TEE), FD_TEE);
	(void)close(sv[0]);
	return pid;
}

static void
the_driver_sees_the_measurements_and_its_own_extends(void **state)
{
	(void)state;
	struct sim_boot b = { .cmdline = "quiet", .netcfg = "n", .netcfglen = 1,
		.vcpus = 1, .memory_mib = 256 };
	struct sim_measurements m;
	struct tee_report r;
	struct why why = { "" };
	uint8_t rtmr3[48];
	uint8_t want[48] = { 0 };
	uint8_t digest[48] = { 9 };
	uint8_t rd[64] = { 1, 2, 3 };
	sim_measure(&b, &m);
	pid_t pid = simulator(&m);
	assert_int_equal(tee_driver_sim.report(&r, &why), DSTACK_OK);
	assert_memory_equal(r.mrtd, m.mrtd, 48);
	assert_memory_equal(r.rtmr[2], m.rtmr[2], 48);
	assert_memory_equal(r.rtmr[3], want, 48);
	assert_memory_equal(r.mrconfigid, m.mrconfigid, 48);
	sim_extend(want, digest);
	assert_int_equal(tee_driver_sim.extend(digest, rtmr3, &why),
	    DSTACK_OK);
	assert_memory_equal(rtmr3, want, 48);
	AUTO_WR struct wr q = wr_new(0);
	assert_int_equal(tee_driver_sim.quote(rd, &q, &why), DSTACK_OK);
	assert_memory_equal(q.buf + 48 + 520, rd, 64);
	assert_memory_equal(q.buf + 48 + 136, m.mrtd, 48);
	assert_memory_equal(q.buf + 48 + 328 + 3 * 48, want, 48);
	(void)close(FD_TEE);
	int status;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(tee_driver_sim.report(&r, &why), DSTACK_E_SYS);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_request_is_read_as_it_was_written),
		cmocka_unit_test(
		    lengths_of_zero_and_over_the_bound_are_refused),
		cmocka_unit_test(registers_of_the_boot_cannot_be_extended),
		cmocka_unit_test(
		    the_driver_sees_the_measurements_and_its_own_extends),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
