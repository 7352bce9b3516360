/* SPDX-License-Identifier: Apache-2.0 */
/* What of a guest goes on, and what starts anew; see guest/init/revive.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "guest/init/revive.h"
#include "guest/init/supervise.h"

#define BIT(r) (1u << (r))

static struct plan plan;
static struct watch w;

static pid_t
sleeper(void)
{
	pid_t pid = fork();

	if (pid == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;)
			(void)pause();
	}
	return pid;
}

/* A guest that holds the secret: keyd is there, the programs are not. */
static void
guest(void)
{
	memset(&w, 0, sizeof(w));
	plan_init(&plan);
	plan.no_vm = true;
	w.plan = &plan;
	w.stop = -1;
	w.holds = true;
	for (int r = 0; r < ROLE_COUNT; r++)
		w.child[r].log = -1;
	w.child[ROLE_KEYD].pid = sleeper();
}

/* In a process of its own, whose children revive may take for strays. */
static int
apart(int (*what)(void))
{
	int status = -1;
	pid_t pid = fork();

	if (pid == 0) {
		(void)alarm(30);
		guest();
		_exit(what());
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static int
without_descriptors(void)
{
	struct rlimit few, many;
	struct why why = { "" };

	if (getrlimit(RLIMIT_NOFILE, &many) != 0)
		return 1;
	few = many;
	few.rlim_cur = 40; /* init's are above that */
	w.down = BIT(ROLE_HOSTLINK);
	if (setrlimit(RLIMIT_NOFILE, &few) != 0 ||
	    revive(&w, -1, &why) != DSTACK_OK)
		return 2;
	if (w.revive_at <= watch_now() || (w.down & BIT(ROLE_HOSTLINK)) == 0)
		return 3;
	/* later there are some */
	if (setrlimit(RLIMIT_NOFILE, &many) != 0 ||
	    revive(&w, -1, &why) != DSTACK_OK)
		return 4;
	return w.revive_at == 0 && w.down == 0 &&
		w.child[ROLE_HOSTLINK].pid > 0 &&
		w.child[ROLE_KUBERNETHES].pid > 0
	    ? 0
	    : 5;
}

/* It would take the network's secret along. */
static void
a_start_that_fails_is_tried_again_and_does_not_end_the_guest(void **state)
{
	(void)state;
	assert_int_equal(apart(without_descriptors), 0);
}

static void
tell_and_end(int sig)
{
	const struct timespec t = { .tv_nsec = 300000000 };

	(void)sig;
	(void)kill(getppid(), SIGTERM);
	(void)nanosleep(&t, NULL);
	_exit(0);
}

static int
stopped_meanwhile(void)
{
	struct why why = { "" };
	sigset_t set;

	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGTERM);
	(void)sigaddset(&set, SIGCHLD);
	pid_t pid = fork();
	if (pid == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		(void)signal(SIGTERM, tell_and_end);
		for (;;)
			(void)pause();
	}
	(void)sigprocmask(SIG_BLOCK, &set, NULL);
	int fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	const struct timespec t = { .tv_nsec = 200000000 };
	(void)nanosleep(&t, NULL); /* it has its handler now */
	w.child[ROLE_KUBERNETHES].pid = pid;
	w.down = BIT(ROLE_HOSTLINK);
	w.revive_at = watch_now();
	return fd < 0 || supervise(&w, fd, &why) != DSTACK_OK ? 1
	    : strcmp(why.text, "stopped as the host asked") != 0;
}

/* The host asks once; an app that was not asked in turn would lose data. */
static void
a_stop_that_is_asked_for_during_a_new_start_is_heard(void **state)
{
	(void)state;
	assert_int_equal(apart(stopped_meanwhile), 0);
}

static int
keyd_is_gone(void)
{
	struct why why = { "" };

	(void)kill(w.child[ROLE_KEYD].pid, SIGKILL);
	(void)waitpid(w.child[ROLE_KEYD].pid, NULL, 0);
	w.child[ROLE_KEYD].pid = 0;
	w.down = BIT(ROLE_HOSTLINK);
	return revive(&w, -1, &why) == DSTACK_OK;
}

static void
without_keyd_there_is_nothing_to_start_for(void **state)
{
	(void)state;
	assert_int_equal(apart(keyd_is_gone), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    a_start_that_fails_is_tried_again_and_does_not_end_the_guest),
		cmocka_unit_test(
		    a_stop_that_is_asked_for_during_a_new_start_is_heard),
		cmocka_unit_test(without_keyd_there_is_nothing_to_start_for),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
