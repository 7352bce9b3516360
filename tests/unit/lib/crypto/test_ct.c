/* SPDX-License-Identifier: Apache-2.0 */
/*
 * No branch and no address depends on a secret: the test runs itself under
 * valgrind with the secrets marked undefined, and memcheck then reports every
 * jump on one. Where valgrind is missing there is nothing to show.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#if defined(__has_include)
#if __has_include(<valgrind/memcheck.h>)
#include <valgrind/memcheck.h>
#define HAVE_MEMCHECK 1
#endif
#endif

#include "crypto/hash.h"
#include "protocol/keytree.h"

#define FOUND 99 /* valgrind's exit code where it found something */
#define VALGRIND "/usr/bin/valgrind"

#if defined(HAVE_MEMCHECK) && !defined(__SANITIZE_ADDRESS__)

static const uint8_t contract[20] = { 1 };

static void
derive(struct secret32 *s)
{
	struct keytree t;
	struct keytree app;
	struct secret32 k;
	struct secret64 xts;
	struct secret32 mac;
	uint8_t uuid[16] = { 2 };
	uint8_t id[32] = { 3 };
	VALGRIND_MAKE_MEM_UNDEFINED(s->b, sizeof(s->b));
	keytree_init(&t, 1, contract, 0, s);
	if (keytree_tls(&t, "a.test", &k) != DSTACK_OK ||
	    keytree_net_sign(&t, &k, NULL) != DSTACK_OK ||
	    keytree_volume(&t, id, uuid, &xts, &mac, &k) != DSTACK_OK ||
	    keytree_app(&t, id, &app) != DSTACK_OK ||
	    keytree_getkey(&app, "tag", &k) != DSTACK_OK)
		abort();
}

static void
compare(struct secret32 *s)
{
	uint8_t other[32] = { 7 };
	VALGRIND_MAKE_MEM_UNDEFINED(s->b, sizeof(s->b));
	bool same = ct_equal(s->b, other, sizeof(other));
	bool zero = ct_is_zero(s->b, sizeof(s->b));
	VALGRIND_MAKE_MEM_DEFINED(&same, sizeof(same));
	VALGRIND_MAKE_MEM_DEFINED(&zero, sizeof(zero));
	if (same && zero)
		abort();
}

/* The control: what must be reported. */
static void
leak(struct secret32 *s)
{
	VALGRIND_MAKE_MEM_UNDEFINED(s->b, sizeof(s->b));
	static volatile int sink;
	if (s->b[0] == 42)
		sink = sink + 1;
}

static int
inner(const char *what)
{
	struct secret32 s = { { 1, 2, 3 } };
	if (strcmp(what, "derive") == 0)
		derive(&s);
	else if (strcmp(what, "compare") == 0)
		compare(&s);
	else if (strcmp(what, "leak") == 0)
		leak(&s);
	else
		return 2;
	return 0;
}

/* Exit code of this program under valgrind, doing one thing. */
static int
under_valgrind(const char *what)
{
	char self[4096];
	char code[32];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	int status = -1;
	assert_true(n > 0);
	self[n] = '\0';
	(void)snprintf(code, sizeof(code), "--error-exitcode=%d", FOUND);
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		execl(VALGRIND, VALGRIND, "-q", code, self, what, (char *)NULL);
		_exit(127);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void
a_branch_on_a_secret_is_reported(void **state)
{
	(void)state;
	if (access(VALGRIND, X_OK) != 0)
		skip();
	assert_int_equal(under_valgrind("leak"), FOUND);
}

static void
deriving_keys_branches_on_no_secret(void **state)
{
	(void)state;
	if (access(VALGRIND, X_OK) != 0)
		skip();
	assert_int_equal(under_valgrind("derive"), 0);
}

static void
comparing_secrets_branches_on_no_secret(void **state)
{
	(void)state;
	if (access(VALGRIND, X_OK) != 0)
		skip();
	assert_int_equal(under_valgrind("compare"), 0);
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_branch_on_a_secret_is_reported),
		cmocka_unit_test(deriving_keys_branches_on_no_secret),
		cmocka_unit_test(comparing_secrets_branches_on_no_secret),
	};
	if (argc == 2)
		return inner(argv[1]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}

#else

static void
nothing_is_shown_without_valgrind(void **state)
{
	(void)state;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_is_shown_without_valgrind),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

#endif
