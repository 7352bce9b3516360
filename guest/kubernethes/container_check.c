/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One more process in a container that runs: its health check.
 *
 * The runtime enters the container's namespaces with it and waits for it.
 * Between the runtime and this role there is a keeper, a child that has the
 * run's clock, so that the role never waits, and that becomes the parent of
 * whatever the runtime leaves behind (a subreaper). When the check is over, or
 * its time is, or it is asked to end, the keeper kills what there still is and
 * takes note of each end, since a process that nobody waits for counts against
 * the app's bounds and holds up the end of its container. Then it ends as the
 * check did.
 *
 * The check's group kills everything in it at once, forks included. Without
 * groups (--no-vm) the session is killed that the runtime has put it in, while
 * its first process is there; what is left then stays until the app ends.
 */
#include "guest/kubernethes/container_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "guest/init/cgroup.h"
#include "guest/kubernethes/kubernethes.h"

#define REAPS 400 /* of 5 ms, for killed processes to end */

/*
 * The runtime, in a mount namespace of its own, since what is hidden there is
 * hidden from nobody else.
 */
static void
run(const struct container *c, int out)
{
	char state[64];
	char log[64];
	char pid[64];
	char file[64];
	char a0[] = "crun", a1[] = "--root", a2[] = "--log",
	     a3[] = "--cgroup-manager=disabled", a4[] = "exec",
	     a5[] = "--pid-file", a6[] = "--process", a7[] = "app";
	char *const argv[] = { a0, a1, state, a2, log, a3, a4, a5, pid, a6,
		file, a7, NULL };
	(void)snprintf(state, sizeof(state), "%s/state", c->dir);
	(void)snprintf(log, sizeof(log), "%s/check.log", c->dir);
	(void)snprintf(pid, sizeof(pid), "%s/check.pid", c->dir);
	(void)snprintf(file, sizeof(file), "%s/check.json", c->dir);
	container_before_runtime(c, out, true);
	/* it would take the process out of the group that it is in, into what
	   it holds for the container's: the one above all, without bounds */
	if (unshare(CLONE_NEWNS) != 0 ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
	    (cgroup_there(CGROUP_ROOT) &&
		mount("tmpfs", CGROUP_ROOT, "tmpfs", MS_RDONLY, "size=4k") != 0))
		_exit(CONTAINER_NO_ROOT);
	container_exec_runtime(argv);
}

static void
kill_all(const struct container *c)
{
	pid_t check = container_read_pid(c, "check.pid");
	pid_t group = check != 0 ? getpgid(check) : -1;

	if (cgroup_there(CGROUP_ROOT))
		(void)cgroup_kill_check(CGROUP_ROOT, c->slot, c->part);
	else if (group > 1 && group != getpgrp())
		(void)kill(-group, SIGKILL);
}

/*
 * Every child ends, and what has been killed; *status is the runtime's, if it
 * has not been seen yet.
 */
static void
reap_all(const struct container *c, pid_t runtime, int *status)
{
	const struct timespec step = { .tv_nsec = 5000000 };

	for (int i = 0; i < REAPS; i++) {
		int s = 0;
		pid_t p = waitpid(-1, &s, WNOHANG);
		if (p < 0 && (!cgroup_there(CGROUP_ROOT) ||
			cgroup_check_empty(CGROUP_ROOT, c->slot, c->part)))
			return;
		if (p == runtime)
			*status = s;
		if (p <= 0)
			(void)nanosleep(&step, NULL);
	}
}

/* Until the runtime has ended (true), its time is over, or SIGTERM comes. */
static bool
await(pid_t runtime, const sigset_t *set, int64_t ms, int *status)
{
	const int64_t end = kube_now() + ms;

	for (;;) {
		if (waitpid(runtime, status, WNOHANG) == runtime)
			return true;
		const int64_t left = end - kube_now();
		const struct timespec t = { .tv_sec = left / 1000,
			.tv_nsec = left % 1000 * 1000000L };
		if (left <= 0 || sigtimedwait(set, NULL, &t) == SIGTERM)
			return false;
	}
}

/* Of this role's descriptors the keeper has these four and no other. */
static bool
few(struct container *c, int *out)
{
	int *const keep[] = { out, &c->dirfd, &c->userns, &c->netns };
	const int n = (int)(sizeof(keep) / sizeof(keep[0]));

	for (int i = 0; i < n; i++) /* high first: 3 to 6 may be among them */
		*keep[i] = fcntl(*keep[i], F_DUPFD_CLOEXEC, 64);
	for (int i = 0; i < n; i++) {
		if (dup3(*keep[i], 3 + i, O_CLOEXEC) != 3 + i)
			return false;
		*keep[i] = 3 + i;
	}
	return syscall(SYS_close_range, 3u + (unsigned)n, ~0u, 0) == 0;
}

static _Noreturn void
keep(struct container c, int out, uint32_t ms)
{
	int status = 0;
	sigset_t set;

	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGCHLD);
	(void)sigaddset(&set, SIGTERM);
	(void)signal(SIGALRM, SIG_DFL);
	if (!few(&c, &out) || sigprocmask(SIG_SETMASK, &set, NULL) != 0 ||
	    prctl(PR_SET_CHILD_SUBREAPER, 1) != 0)
		_exit(126);
	pid_t runtime = fork();
	if (runtime == 0)
		run(&c, out);
	if (runtime < 0)
		_exit(126);
	bool ended = await(runtime, &set, ms, &status);
	kill_all(&c);
	if (!ended)
		(void)kill(runtime, SIGKILL);
	reap_all(&c, runtime, &status);
	if (!ended)
		(void)raise(SIGALRM);
	_exit(WIFEXITED(status) ? WEXITSTATUS(status)
				: 128 + WTERMSIG(status));
}

enum dstack_status
container_check(const struct container *c, int out, uint32_t ms, pid_t *pid,
    int *pidfd, struct why *why)
{
	(void)unlinkat(c->dirfd, "check.log", 0);
	(void)unlinkat(c->dirfd, "check.pid", 0);
	sigset_t set, before;
	/* not one moment may it take SIGTERM as this role does: for its own
	   end, which it would tell the role by the descriptor they share */
	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGTERM);
	(void)sigprocmask(SIG_BLOCK, &set, &before);
	pid_t p = fork();
	if (p == 0)
		keep(*c, out, ms);
	(void)sigprocmask(SIG_SETMASK, &before, NULL);
	int fd = p > 0 ? container_pidfd(p) : -1;
	if (fd < 0) {
		if (p > 0) { /* nobody could end it any more */
			(void)kill(p, SIGKILL);
			(void)waitpid(p, NULL, 0);
		}
		return why_set(why, DSTACK_E_SYS, "container %u: fork: %s",
		    c->slot, strerror(errno));
	}
	*pid = p;
	*pidfd = fd;
	return DSTACK_OK;
}
