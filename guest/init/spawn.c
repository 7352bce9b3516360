/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How a role comes to be. A role is this same program under another name, and
 * what it may do is what it is born with: descriptors at fixed numbers (one
 * edge to each role it may speak to, and its own device), a user id of its
 * own, an empty root and a network namespace without links where it needs no
 * more. init makes all of it between fork and exec, in an order that matters:
 * descriptors first, while /proc and /dev are in reach; limits while raising
 * them is still allowed; then namespaces and root; the user id last, since
 * nothing above can be done without root. Any step that fails ends the child
 * with 127 and a line, never a role with more than it should have.
 */
#include "guest/init/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <linux/capability.h>

#include "base/own.h"

#define FD_HIGH 64
#define EMPTY "/run/empty"

_Static_assert(FD_HIGH > FD_EDGE + ROLE_COUNT, "born descriptors overlap");

/*
 * Privileges by role. Roles that stay root keep few capabilities: those in
 * lost[] leave their bounding set for good.
 */
static const struct {
	bool root;
	bool net;
} rights[ROLE_COUNT] = {
	[ROLE_TEE] = { .root = true },
	[ROLE_VOLUME] = { .root = true },
	[ROLE_KUBERNETHES] = { .root = true, .net = true },
	[ROLE_GUEST_SERVICE] = { .net = true },
	[ROLE_TLS] = { .net = true },
};

static const unsigned lost[] = { CAP_SYS_MODULE, CAP_SYS_BOOT, CAP_SYS_RAWIO,
	CAP_SYS_TIME, CAP_SYS_PTRACE, CAP_SYSLOG, CAP_WAKE_ALARM,
	CAP_MAC_ADMIN, CAP_MAC_OVERRIDE, CAP_AUDIT_CONTROL, CAP_SYS_PACCT,
	CAP_LINUX_IMMUTABLE };

void
plan_init(struct plan *p)
{
	memset(p, 0, sizeof(*p));
	p->self = p->null = p->nonet = p->netcfg = p->view = -1;
	p->link = p->tee = p->disk = p->control = p->public = p->egress = -1;
	for (int a = 0; a < ROLE_COUNT; a++)
		for (int b = 0; b < ROLE_COUNT; b++)
			p->edge[a][b] = -1;
}

int
plan_high(int fd)
{
	int high = fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, FD_HIGH);

	if (fd >= 0)
		(void)close(fd);
	return high;
}

static void
shut(int *fd)
{
	if (*fd >= 0)
		(void)close(*fd);
	*fd = -1;
}

/* A new pair between a and b, where there is to be one. */
static enum dstack_status
make_edge(struct plan *p, int a, int b, struct why *why)
{
	int pair[2];

	if (!role_may_ask((enum role)a, (enum role)b) &&
	    !role_may_ask((enum role)b, (enum role)a))
		return DSTACK_OK;
	shut(&p->edge[a][b]);
	shut(&p->edge[b][a]);
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0)
		return why_set(
		    why, DSTACK_E_SYS, "edge: %s", strerror(errno));
	p->edge[a][b] = plan_high(pair[0]);
	p->edge[b][a] = plan_high(pair[1]);
	if (p->edge[a][b] < 0 || p->edge[b][a] < 0)
		return why_set(
		    why, DSTACK_E_SYS, "edge: %s", strerror(errno));
	return DSTACK_OK;
}

enum dstack_status
plan_edges(struct plan *p, unsigned roles, struct why *why)
{
	enum dstack_status st = DSTACK_OK;

	for (int a = 0; a < ROLE_COUNT; a++)
		for (int b = a + 1; b < ROLE_COUNT && st == DSTACK_OK; b++)
			if (((roles >> a | roles >> b) & 1u) != 0)
				st = make_edge(p, a, b, why);
	return st;
}

void
plan_close(struct plan *p)
{
	for (int a = 1; a < ROLE_COUNT; a++)
		for (int b = 0; b < ROLE_COUNT; b++)
			shut(&p->edge[a][b]);
}

/* A role's descriptor: to is free, since all of init's are above FD_HIGH. */
static bool
give(int from, int to)
{
	return from < 0 || dup2(from, to) == to;
}

static bool
descriptors(const struct plan *p, enum role r, int log)
{
	bool ok = give(p->null, 0) && give(log, 1) && give(log, 2) &&
	    give(p->netcfg, FD_NETCFG);

	if (r == ROLE_GUEST_SERVICE)
		ok = ok && give(p->control, FD_CONTROL);
	if (r == ROLE_TLS)
		ok = ok && give(p->public, FD_PUBLIC);
	if (r == ROLE_LIGHTCLIENT)
		ok = ok && give(p->view, FD_VIEW);
	if (r == ROLE_HOSTLINK)
		ok = ok && give(p->link, FD_LINK);
	if (r == ROLE_TEE)
		ok = ok && give(p->tee, FD_TEE);
	if (r == ROLE_VOLUME)
		ok = ok && give(p->disk, FD_DISK);
	if (r == ROLE_KUBERNETHES)
		ok = ok && give(p->egress, FD_EGRESS);
	for (int b = 0; b < ROLE_COUNT; b++)
		ok = ok && give(p->edge[r][b], FD_EDGE + b);
	return ok;
}

/* A host may forbid a larger lock limit; keyd says so if it cannot lock. */
static bool
limits(enum role r, bool no_vm)
{
	const struct rlimit core = { 0, 0 };
	const struct rlimit lock = { RLIM_INFINITY, RLIM_INFINITY };
	const struct rlimit files = { 4096, 4096 };

	return setrlimit(RLIMIT_CORE, &core) == 0 &&
	    setrlimit(RLIMIT_NOFILE, &files) == 0 &&
	    (r != ROLE_KEYD || setrlimit(RLIMIT_MEMLOCK, &lock) == 0 ||
		no_vm);
}

static bool
privileges(const struct plan *p, enum role r)
{
	uid_t id = SPAWN_UID + (uid_t)r;

	if (!rights[r].net && setns(p->nonet, CLONE_NEWNET) != 0)
		return false;
	if (rights[r].root) {
		for (size_t i = 0; i < sizeof(lost) / sizeof(lost[0]); i++)
			if (prctl(PR_CAPBSET_DROP, lost[i], 0, 0, 0) != 0 &&
			    errno != EINVAL)
				return false;
		return true;
	}
	/* outside a VM the program is linked to the host's libraries */
	if (!p->no_vm && (chroot(EMPTY) != 0 || chdir("/") != 0))
		return false;
	return setgroups(0, NULL) == 0 && setresgid(id, id, id) == 0 &&
	    setresuid(id, id, id) == 0;
}

static void
run(const struct plan *p, enum role r, int log)
{
	char name[32];
	char *argv[] = { name, NULL };
	char *envp[] = { NULL };
	sigset_t none;

	(void)snprintf(name, sizeof(name), "%s", role_name(r));
	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	(void)umask(0077);
	if (p->no_vm)
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (descriptors(p, r, log) && limits(r, p->no_vm) && privileges(p, r))
		(void)fexecve(p->self, argv, envp);
	(void)dprintf(2, "%s: not started: %s\n", name, strerror(errno));
	_exit(127);
}

enum dstack_status
spawn_role(const struct plan *p, enum role r, pid_t *pid, int *log,
    struct why *why)
{
	int io[2];

	*log = -1;
	if (pipe2(io, O_CLOEXEC) != 0)
		return why_set(why, DSTACK_E_SYS, "pipe: %s", strerror(errno));
	AUTO_CLOSE int in = plan_high(io[0]), out = plan_high(io[1]);
	if (in < 0 || out < 0 || fcntl(in, F_SETFL, O_NONBLOCK) != 0)
		return why_set(why, DSTACK_E_SYS, "pipe: %s", strerror(errno));
	*pid = fork();
	if (*pid < 0)
		return why_set(why, DSTACK_E_SYS, "%s: fork: %s",
		    role_name(r), strerror(errno));
	if (*pid == 0)
		run(p, r, out);
	*log = take_fd(&in);
	return DSTACK_OK;
}
