/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "guest/init/sandbox.h"

/* Run f in a sandboxed child; its exit status, or minus the signal. */
static int
inside(enum role role, int (*f)(void))
{
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		struct why why = { "" };
		if (sandbox_enter(role, &why) != DSTACK_OK)
			_exit(99);
		_exit(f());
	}
	int st;
	assert_int_equal(waitpid(pid, &st, 0), pid);
	return WIFSIGNALED(st) ? -WTERMSIG(st) : WEXITSTATUS(st);
}

static int
useful_work(void)
{
	uint8_t b[8];
	int p[2];
	if (getrandom(b, sizeof(b), 0) != (ssize_t)sizeof(b))
		return 1;
	return fcntl(1, F_GETFD) < 0 && pipe(p) == 0;
}

static int nobody; /* a pipe that nobody reads */

static int
write_to_nobody(void)
{
	return write(nobody, "x", 1) == -1 && errno == EPIPE ? 0 : 1;
}

static int
open_a_file(void)
{
	return open("/etc/passwd", O_RDONLY) >= 0 || errno != EPERM;
}

static int
inet_socket(void)
{
	return socket(AF_INET, SOCK_STREAM, 0) >= 0 ? 7 : 8;
}

static int
vsock_socket(void)
{
	return socket(AF_VSOCK, SOCK_STREAM, 0) >= 0 || errno != EPERM;
}

static int
run_a_program(void)
{
	char name[] = "/bin/true";
	char *const argv[] = { name, NULL };
	(void)execv(argv[0], argv);
	return 0;
}

static int
fork_a_child(void)
{
	pid_t pid = fork();
	if (pid == 0)
		_exit(0);
	return pid > 0 ? 7 : 8;
}

static int
core_limit(void)
{
	struct rlimit r;
	return getrlimit(RLIMIT_CORE, &r) != 0 || r.rlim_max != 0;
}

static const enum role filtered[] = { ROLE_KEYD, ROLE_HOSTLINK,
	ROLE_REPLICATOOR, ROLE_VERIFIER, ROLE_LIGHTCLIENT, ROLE_GUEST_SERVICE,
	ROLE_TLS };
#define EACH(r)                                                              \
	for (size_t i = 0; i < sizeof(filtered) / sizeof(filtered[0]); i++)  \
		for (enum role r = filtered[i], once_ = ROLE_COUNT;           \
		     once_ == ROLE_COUNT; once_ = ROLE_INIT)

static void
a_filtered_role_still_works_and_dumps_no_core(void **state)
{
	(void)state;
	EACH(r)
	{
		assert_int_equal(inside(r, useful_work), 0);
		assert_int_equal(inside(r, core_limit), 0);
	}
}

/* Or any client of the TLS front could power the machine off. */
static void
a_peer_that_hangs_up_ends_no_role(void **state)
{
	(void)state;
	int p[2];
	assert_int_equal(pipe(p), 0);
	close(p[0]);
	nobody = p[1];
	for (int r = ROLE_INIT + 1; r < ROLE_COUNT; r++)
		assert_int_equal(inside((enum role)r, write_to_nobody), 0);
	close(nobody);
}

static void
no_filtered_role_opens_files(void **state)
{
	(void)state;
	EACH(r) assert_int_equal(inside(r, open_a_file), 0);
}

static void
trying_to_run_a_program_ends_the_role(void **state)
{
	(void)state;
	EACH(r) assert_int_equal(inside(r, run_a_program), -SIGSYS);
}

static void
only_the_two_fronts_get_an_inet_socket(void **state)
{
	(void)state;
	EACH(r)
	{
		bool front = r == ROLE_GUEST_SERVICE || r == ROLE_TLS;
		assert_int_equal(inside(r, inet_socket), front ? 7 : 8);
		assert_int_equal(inside(r, vsock_socket), 0);
	}
}

static void
only_the_verifier_forks(void **state)
{
	(void)state;
	EACH(r) assert_int_equal(
	    inside(r, fork_a_child), r == ROLE_VERIFIER ? 7 : 8);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_filtered_role_still_works_and_dumps_no_core),
		cmocka_unit_test(a_peer_that_hangs_up_ends_no_role),
		cmocka_unit_test(no_filtered_role_opens_files),
		cmocka_unit_test(trying_to_run_a_program_ends_the_role),
		cmocka_unit_test(only_the_two_fronts_get_an_inet_socket),
		cmocka_unit_test(only_the_verifier_forks),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
