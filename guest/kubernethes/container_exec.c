/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The processes behind a container.
 *
 * Its namespaces are made by a child that lives only as long as it takes to
 * send their descriptors here: the user namespace first, as the network
 * belongs to whoever made it. The runtime is run to its end with a clock
 * beside it, in a mount namespace of its own, with no descriptor of this role
 * but those that it joins; its words go to a file in the slot. What it leaves
 * behind is the app's first process, which was put into the slot's group
 * before it ran.
 */
#include "guest/kubernethes/container_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <sys/wait.h>

#include "base/own.h"
#include "guest/init/cgroup.h"

int
container_pidfd(pid_t pid)
{
	return (int)syscall(SYS_pidfd_open, pid, 0);
}

int
container_signal(int pidfd, int sig)
{
	return (int)syscall(SYS_pidfd_send_signal, pidfd, sig, NULL, 0);
}

/* Two descriptors over a socket. */
static bool
pass(int sock, int a, int b)
{
	union {
		struct cmsghdr h;
		char b[CMSG_SPACE(2 * sizeof(int))];
	} u = { 0 };
	char byte = 0;
	const int fds[2] = { a, b };
	struct iovec v = { &byte, 1 };
	struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1, .msg_control = &u,
		.msg_controllen = sizeof(u) };
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(fds));
	memcpy(CMSG_DATA(c), fds, sizeof(fds));
	return sendmsg(sock, &m, MSG_NOSIGNAL) == 1;
}

static bool
take(int sock, int *a, int *b)
{
	union {
		struct cmsghdr h;
		char b[CMSG_SPACE(2 * sizeof(int))];
	} u = { 0 };
	char byte = 0;
	int fds[2];
	struct iovec v = { &byte, 1 };
	struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1, .msg_control = &u,
		.msg_controllen = sizeof(u) };
	if (recvmsg(sock, &m, MSG_CMSG_CLOEXEC) != 1)
		return false;
	const struct cmsghdr *c = CMSG_FIRSTHDR(&m);
	if (c == NULL || c->cmsg_type != SCM_RIGHTS ||
	    c->cmsg_len != CMSG_LEN(sizeof(fds)))
		return false;
	memcpy(fds, CMSG_DATA(c), sizeof(fds));
	*a = fds[0];
	*b = fds[1];
	return true;
}

/*
 * In the child: make both, hand them over, end. The user namespace has no ids
 * until the parent has written the maps, which only the parent may do, so the
 * child lives until then.
 */
static void
make_namespaces(int sock)
{
	/* Else its own /proc entries are not its to open. */
	if (prctl(PR_SET_DUMPABLE, 1) != 0 ||
	    unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0)
		_exit(1);
	int u = open("/proc/self/ns/user", O_RDONLY | O_CLOEXEC);
	int n = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	char byte;
	if (u < 0 || n < 0 || !pass(sock, u, n))
		_exit(1);
	/* Stays until its parent has written the id maps. */
	(void)!read(sock, &byte, 1);
	_exit(0);
}

/* A whole range, so that any USER of an image has an id of its own here. */
static bool
map_ids(pid_t pid, const char *which)
{
	char path[48];
	char map[48];
	(void)snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, which);
	int n = snprintf(
	    map, sizeof(map), "0 %u %u\n", SPEC_ID_BASE, SPEC_ID_COUNT);
	AUTO_CLOSE int fd = open(path, O_WRONLY | O_CLOEXEC);
	return fd >= 0 && write(fd, map, (size_t)n) == n;
}

enum dstack_status
container_namespaces(int *user, int *net, struct why *why)
{
	int pair[2];
	int u = -1;
	int n = -1;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0)
		return why_set(why, DSTACK_E_SYS, "container: socketpair: %s",
		    strerror(errno));
	pid_t pid = fork();
	if (pid == 0) {
		(void)close(pair[0]);
		make_namespaces(pair[1]);
	}
	(void)close(pair[1]);
	bool ok = pid > 0 && take(pair[0], &u, &n) &&
	    map_ids(pid, "uid_map") && map_ids(pid, "gid_map");
	int err = errno;
	(void)close(pair[0]);
	if (pid > 0)
		(void)waitpid(pid, NULL, 0);
	if (!ok) {
		if (u >= 0)
			(void)close(u);
		if (n >= 0)
			(void)close(n);
		return why_set(why, DSTACK_E_SYS,
		    "container: no user and network namespace: %s (are user "
		    "namespaces switched off?)", strerror(err));
	}
	*user = u;
	*net = n;
	return DSTACK_OK;
}

/*
 * The other slots' trees go from the new mount namespace. The app lives in a
 * copy of it until its end, and whatever is mounted there stays in memory as
 * long: the version that this one replaces, whole.
 */
static void
let_go_of_others(const struct container *c)
{
	struct container other;

	for (unsigned i = 0; i < CONTAINER_SLOTS; i++) {
		container_init(&other, i);
		if (i != c->slot)
			container_uncover(&other);
	}
}

/*
 * A mount namespace for the runtime whose root it can pivot away from. The
 * image's root is the initramfs, which pivot_root(2) does not take; a bind
 * of it that is moved over it is a mount like any other.
 */
static bool
own_root(const struct container *c)
{
	char at[64];
	(void)snprintf(at, sizeof(at), "%s/newroot", c->dir);
	/* private first: what is unmounted below must stay with the guest */
	if (unshare(CLONE_NEWNS) != 0 ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0)
		return false;
	let_go_of_others(c);
	return mount("/", at, NULL, MS_BIND | MS_REC, NULL) == 0 &&
	    chdir(at) == 0 && mount(at, "/", NULL, MS_MOVE, NULL) == 0 &&
	    chroot(".") == 0 && chdir("/") == 0;
}

/*
 * The runtime asks what kind of cgroups there are even when it is told to
 * use none, and refuses mixtures of both kinds; it is shown none then.
 */
static void
hide_mixed_cgroups(void)
{
	struct statfs s;
	if (statfs("/sys/fs/cgroup", &s) == 0 && s.f_type == TMPFS_MAGIC)
		(void)!mount("tmpfs", "/sys/fs/cgroup", "tmpfs", MS_RDONLY,
		    "size=4k");
}

/* Set here, where raising is allowed; the container cannot raise them. */
static void
limits(void)
{
	const struct rlimit files = { 65536, 65536 };
	const struct rlimit processes = { 4096, 4096 };
	const struct rlimit core = { 0, 0 };
	(void)setrlimit(RLIMIT_NOFILE, &files);
	(void)setrlimit(RLIMIT_NPROC, &processes);
	(void)setrlimit(RLIMIT_CORE, &core);
}

void
container_before_runtime(const struct container *c, int out, bool check)
{
	sigset_t none;
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	/* High first: 10 and 11 may be in use by what is moved there. */
	int u = fcntl(c->userns, F_DUPFD_CLOEXEC, 64);
	int n = fcntl(c->netns, F_DUPFD_CLOEXEC, 64);
	int o = fcntl(out >= 0 ? out : null, F_DUPFD_CLOEXEC, 64);
	if (null < 0 || u < 0 || n < 0 || o < 0 || dup2(null, 0) < 0 ||
	    dup2(o, 1) < 0 || dup2(o, 2) < 0 ||
	    dup2(u, CONTAINER_FD_USER) < 0 || dup2(n, CONTAINER_FD_NET) < 0)
		_exit(126);
	if (syscall(SYS_close_range, 3u, CONTAINER_FD_USER - 1u, 0) != 0 ||
	    syscall(SYS_close_range, CONTAINER_FD_NET + 1u, ~0u, 0) != 0)
		_exit(126);
	(void)setsid();
	(void)umask(022);
	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	(void)signal(SIGPIPE, SIG_DFL);
	limits();
	cgroup_first_to_go(CGROUP_APP);
	if (cgroup_there(CGROUP_ROOT) &&
	    !(check	    ? cgroup_enter_check(CGROUP_ROOT, c->slot, c->part)
		: c->own_group ? cgroup_enter_part(
				     CGROUP_ROOT, c->slot, c->part)
			       : cgroup_enter(CGROUP_ROOT, c->slot)))
		_exit(CONTAINER_NO_GROUP);
}

void
container_exec_runtime(char *const argv[])
{
	char env[] = "PATH=/usr/sbin:/usr/bin:/sbin:/bin";
	char *const envp[] = { env, NULL };

	hide_mixed_cgroups();
	(void)execve(CONTAINER_RUNTIME, argv, envp);
	_exit(127);
}

/* In the child: the runtime makes the container, in a root of its own. */
static void
run_app(const struct container *c, int out)
{
	char state[64];
	char log[64];
	char pid[64];
	char dir[sizeof(c->dir)];
	char a0[] = "crun", a1[] = "--root", a2[] = "--log",
	     a3[] = "--cgroup-manager=disabled", a4[] = "run",
	     a5[] = "--detach", a6[] = "--pid-file", a7[] = "--bundle",
	     a8[] = "app";
	char *const argv[] = { a0, a1, state, a2, log, a3, a4, a5, a6, pid, a7,
		dir, a8, NULL };
	(void)snprintf(state, sizeof(state), "%s/state", c->dir);
	(void)snprintf(log, sizeof(log), "%s/crun.log", c->dir);
	(void)snprintf(pid, sizeof(pid), "%s/pid", c->dir);
	memcpy(dir, c->dir, sizeof(dir));
	container_before_runtime(c, out, false);
	if (!own_root(c))
		_exit(CONTAINER_NO_ROOT);
	container_exec_runtime(argv);
}

enum dstack_status
container_runtime(const struct container *c, int out, int wait_ms,
    int *status, struct why *why)
{
	/* The app's first process outlives the runtime and becomes our child. */
	if (prctl(PR_SET_CHILD_SUBREAPER, 1) != 0)
		return why_set(why, DSTACK_E_SYS, "container %u: subreaper: %s",
		    c->slot, strerror(errno));
	pid_t pid = fork();
	if (pid == 0)
		run_app(c, out);
	AUTO_CLOSE int fd = pid > 0 ? container_pidfd(pid) : -1;
	if (fd < 0)
		return why_set(why, DSTACK_E_SYS, "container %u: fork: %s",
		    c->slot, strerror(errno));
	struct pollfd p = { .fd = fd, .events = POLLIN };
	/* one that hangs must not hang the role; what it began is dropped */
	if (poll(&p, 1, wait_ms) != 1)
		(void)container_signal(fd, SIGKILL);
	if (waitpid(pid, status, 0) != pid)
		return why_set(why, DSTACK_E_SYS, "container %u: wait: %s",
		    c->slot, strerror(errno));
	return DSTACK_OK;
}
