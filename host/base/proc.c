/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Children of the host's programs: QEMU, the simulated TEE, the roles without a
 * VM, anvil and pebble in the demo. A child is told apart from a failed start
 * by a pipe that closes on exec: what comes through it is the reason. It gets
 * the parent's death as SIGTERM, its own process group (Ctrl-C is the parent's
 * to handle, in its order), default signals, and no descriptor but null and its
 * log. Stopping asks first and kills after the caller's patience; both are by
 * process id, never by name.
 */
#include "host/base/proc.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/own.h"

uint64_t
proc_now_ms(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

void
proc_pause_ms(unsigned ms)
{
	struct timespec t = { .tv_sec = (time_t)(ms / 1000),
		.tv_nsec = (long)(ms % 1000) * 1000000 };

	(void)nanosleep(&t, NULL);
}

static void __attribute__((noreturn))
child(char *const argv[], int logfd, int report, bool detach, pid_t parent)
{
	sigset_t none;
	struct sigaction dfl = { .sa_handler = SIG_DFL };
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	(void)sigemptyset(&none);
	for (int s = 1; s < 32; s++)
		(void)sigaction(s, &dfl, NULL);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	if (detach)
		(void)setsid();
	/*
	 * Ctrl-C is the parent's to handle. The parent may be gone before the
	 * request to hear of its end was made: so look whose child this is.
	 */
	else if (setpgid(0, 0) != 0 ||
	    prctl(PR_SET_PDEATHSIG, SIGTERM) != 0 || getppid() != parent)
		_exit(127);
	if (dup2(null, 0) < 0 || dup2(logfd >= 0 ? logfd : null, 1) < 0 ||
	    dup2(logfd >= 0 ? logfd : null, 2) < 0)
		_exit(127);
	(void)execv(argv[0], argv);
	int e = errno;
	/* Only a failed exec comes here: the pipe is still open. */
	(void)!write(report, &e, sizeof(e));
	_exit(127);
}

enum dstack_status
proc_start(
    char *const argv[], int logfd, bool detach, pid_t *pid, struct why *why)
{
	int p[2];
	int e = 0;
	pid_t parent = getpid();

	if (pipe2(p, O_CLOEXEC) != 0)
		return why_set(why, DSTACK_E_SYS, "pipe: %s", strerror(errno));
	pid_t got = fork();
	if (got == 0)
		child(argv, logfd, p[1], detach, parent);
	/* close below may set it anew. */
	int fork_errno = errno;
	(void)close(p[1]);
	ssize_t n = got > 0 ? read(p[0], &e, sizeof(e)) : 0;
	(void)close(p[0]);
	if (got < 0)
		return why_set(
		    why, DSTACK_E_SYS, "fork: %s", strerror(fork_errno));
	/* End of file instead: exec has closed it, so the program runs. */
	if (n == (ssize_t)sizeof(e)) {
		(void)waitpid(got, NULL, 0);
		return why_set(why, DSTACK_E_SYS, "%s does not start: %s",
		    argv[0], strerror(e));
	}
	*pid = got;
	return DSTACK_OK;
}

bool
proc_ended(pid_t *pid, int *status)
{
	int st = 0;

	if (*pid <= 0 || waitpid(*pid, &st, WNOHANG) != *pid)
		return false;
	*pid = 0;
	*status = st;
	return true;
}

/* Not our child: then whether the process exists is all there is to ask. */
static bool
gone(pid_t pid)
{
	int st = 0;
	pid_t got = waitpid(pid, &st, WNOHANG);

	if (got == pid)
		return true;
	return got < 0 && kill(pid, 0) != 0 && errno == ESRCH;
}

/*
 * Looked at every 10 ms rather than waited for: a child that ignores SIGTERM
 * must not hold up its parent for ever.
 */
void
proc_stop(pid_t *pid, unsigned wait_ms)
{
	if (*pid <= 0)
		return;
	uint64_t end = proc_now_ms() + wait_ms;
	(void)kill(*pid, SIGTERM);
	while (!gone(*pid)) {
		if (proc_now_ms() >= end) {
			(void)kill(*pid, SIGKILL);
			while (!gone(*pid))
				proc_pause_ms(10);
			break;
		}
		proc_pause_ms(10);
	}
	*pid = 0;
}

void
proc_fate(int status, struct why *out)
{
	if (WIFSIGNALED(status))
		(void)why_set(out, DSTACK_OK, "it was killed by signal %d",
		    WTERMSIG(status));
	else
		(void)why_set(out, DSTACK_OK, "it exited with status %d",
		    WEXITSTATUS(status));
}

/* Our programs lie in one folder; PATH is not asked for any of them. */
bool
proc_beside_self(const char *name, char *out, size_t cap)
{
	char self[512];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

	if (n <= 0 || (size_t)n >= sizeof(self) - 1)
		return false;
	self[n] = '\0';
	char *slash = strrchr(self, '/');
	if (slash == NULL)
		return false;
	slash[1] = '\0';
	int len = snprintf(out, cap, "%s%s", self, name);
	return len > 0 && (size_t)len < cap;
}

enum dstack_status
proc_port_free(const char *host, uint16_t port, struct why *why)
{
	struct sockaddr_in sin = { .sin_family = AF_INET,
		.sin_port = htons(port) };
	int one = 1;
	AUTO_CLOSE int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || inet_pton(AF_INET, host, &sin.sin_addr) != 1)
		return why_set(why, DSTACK_E_SYS, "%s: no IPv4 address", host);
	/* as QEMU and libevent do: a connection in TIME_WAIT does not count */
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, (const struct sockaddr *)&sin, sizeof(sin)) != 0 ||
	    listen(fd, 1) != 0)
		return why_set(why, DSTACK_E_SYS,
		    "port %u on %s: %s; stop what uses it or choose another",
		    port, host, strerror(errno));
	return DSTACK_OK;
}
