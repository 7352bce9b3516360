/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "guest/base/flavour.h"
#include "guest/base/role.h"
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

/* The late rest of one answer is no answer to the next request. */
static void
after_a_broken_answer_the_port_is_asked_no_more(void **state)
{
	(void)state;
	static const uint8_t broken[4] = { 0xff, 0xff, 0xff, 0xff };
	/* length 49, status yes, a register: well-formed, but too late */
	static const uint8_t late[4 + 1 + 48] = { 0, 0, 0, 49 };
	pid_t pid = fork(); /* the driver of a process is spoilt by this */
	assert_true(pid >= 0);
	if (pid == 0) {
		struct why why = { "" };
		uint8_t rtmr3[48];
		uint8_t digest[48] = { 9 };
		int sv[2];
		uint8_t asked[512];
		if (socketpair(AF_UNIX, SOCK_STREAM, 0, sv) != 0 ||
		    dup2(sv[0], FD_TEE) != FD_TEE)
			_exit(3);
		/* what comes before the first request is nobody's answer */
		if (fork() == 0)
			_exit(read(sv[1], asked, sizeof(asked)) > 0 &&
				    write(sv[1], broken, 4) == 4
				? 0
				: 1);
		if (tee_driver_sim.extend(digest, rtmr3, &why) !=
			DSTACK_E_FORMAT ||
		    write(sv[1], late, sizeof(late)) != sizeof(late))
			_exit(2);
		_exit(tee_driver_sim.extend(digest, rtmr3, &why) ==
			DSTACK_E_SYS ? 0 : 1);
	}
	int status = -1;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static int
ask(int fd, const void *frame, size_t n, uint8_t *answer, size_t want)
{
	if (send(fd, frame, n, MSG_NOSIGNAL) != (ssize_t)n)
		return -1;
	return (int)recv(fd, answer, want, MSG_WAITALL);
}

/* Connected to the path as soon as it is there; -1 with time up. */
static int
dial(const char *path)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	memcpy(a.sun_path, path, strlen(path));
	for (int i = 0; i < 1000; i++) {
		int fd = socket(AF_UNIX, SOCK_STREAM, 0);
		if (connect(fd, (const struct sockaddr *)&a, sizeof(a)) == 0)
			return fd;
		(void)close(fd);
		(void)poll(NULL, 0, 10);
	}
	return -1;
}

static void
write_file(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");
	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

static void
a_connection_that_comes_back_finds_rtmr3_as_it_was(void **state)
{
	(void)state;
	char dir[] = "/tmp/teeport.XXXXXX";
	assert_non_null(mkdtemp(dir));
	assert_int_equal(chdir(dir), 0);
	write_file("kernel", "k");
	write_file("cmdline", "quiet\n");
	write_file("netcfg", "a=b\n");
	pid_t pid = fork();
	if (pid == 0) {
		const struct teed_options o = { .kernel = "kernel",
			.cmdline_file = "cmdline", .netcfg = "netcfg",
			.platform = "p", .listen = "sock", .vcpus = 1,
			.memory_mib = 256,
			.set = { "td-attributes=0100000000000000" },
			.nset = 1 };
		struct why why = { "" };
		_exit(teed_run(&o, &why) == DSTACK_OK ? 0 : 1);
	}
	int fd = dial("sock");
	struct stat sb;
	assert_int_equal(stat("sock", &sb), 0);
	assert_int_equal(sb.st_mode & 0777, 0600);
	uint8_t extend[54] = { 0, 0, 0, 50, TEEPORT_EXTEND, 3, 1, 2 };
	uint8_t a[5 + 288];
	uint8_t rtmr3[48];
	assert_int_equal(ask(fd, extend, 54, a, 5 + 48), 5 + 48);
	memcpy(rtmr3, a + 5, 48);
	(void)close(fd);
	fd = dial("sock"); /* nonsense costs the connection, not the state */
	assert_int_equal(ask(fd, "\xff\xff\xff\xff", 4, a, 1), 0);
	(void)close(fd);
	fd = dial("sock");
	/* in two parts, the second with the next request behind it */
	assert_int_equal(send(fd, "\0\0", 2, 0), 2);
	assert_int_equal(ask(fd, "\0\1\3\0\0\0\1\3", 8, a, sizeof(a)),
	    sizeof(a));
	assert_memory_equal(a + 5 + 4 * 48, rtmr3, 48);
	assert_int_equal(recv(fd, a, sizeof(a), MSG_WAITALL), sizeof(a));
	uint8_t quote[69] = { 0, 0, 0, 65, TEEPORT_QUOTE };
	uint8_t q[5 + 48 + 128];
	assert_int_equal(ask(fd, quote, 69, q, sizeof(q)), sizeof(q));
	assert_int_equal(q[5 + 48 + 120], 1); /* the attributes set above */
	(void)close(fd);
	assert_int_equal(kill(pid, SIGTERM), 0);
	int status = -1;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_int_not_equal(access("sock", F_OK), 0);
	assert_int_equal(unlink("kernel") | unlink("cmdline") |
	    unlink("netcfg"), 0);
	assert_int_equal(rmdir(dir), 0);
}

static void
a_field_to_set_must_exist_and_fit(void **state)
{
	(void)state;
	struct sim_measurements m = { .mrtd = { 0 } };
	struct teed t;
	struct why why = { "" };
	teed_init(&t, "p", &m);
	assert_int_equal(teed_set(&t, "xfam=0102030405060708", &why),
	    DSTACK_OK);
	assert_int_equal(t.world.quote.td.xfam[7], 8);
	static const char *const bad[] = { "xfam", "xfam=", "xfam=01",
		"=00", "rtmr3=00", "xfa=0102030405060708",
		"xfam=010203040506070g" };
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(teed_set(&t, bad[i], &why), DSTACK_E_FORMAT);
}

static void
files_that_cannot_be_measured_are_named(void **state)
{
	(void)state;
	struct teed_options o = { .kernel = "/nonexistent/kernel",
		.cmdline_file = "/dev/null", .netcfg = "/dev/null",
		.vcpus = 1, .memory_mib = 1 };
	struct sim_measurements m;
	struct why why = { "" };
	assert_int_equal(teed_measure(&o, &m, &why), DSTACK_E_MISSING);
	assert_non_null(strstr(why.text, "/nonexistent/kernel"));
	o.kernel = "/dev";
	assert_int_equal(teed_measure(&o, &m, &why), DSTACK_E_MISSING);
	o.kernel = "/proc/self/exe";
	assert_int_equal(teed_measure(&o, &m, &why), DSTACK_OK);
	o.netcfg = "/dev/zero";
	assert_int_equal(teed_measure(&o, &m, &why), DSTACK_E_LIMIT);
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
		    after_a_broken_answer_the_port_is_asked_no_more),
		cmocka_unit_test(
		    the_driver_sees_the_measurements_and_its_own_extends),
		cmocka_unit_test(
		    a_connection_that_comes_back_finds_rtmr3_as_it_was),
		cmocka_unit_test(a_field_to_set_must_exist_and_fit),
		cmocka_unit_test(files_that_cannot_be_measured_are_named),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
