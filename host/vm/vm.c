/* SPDX-License-Identifier: Apache-2.0 */
/* Start, find and stop the QEMU process; see host/vm/vm.h. */
#include "host/vm/vm.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "base/log.h"
#include "base/own.h"
#include "host/vm/vm_priv.h"

#define START_MS 30000
#define STEP_MS 20

const char *
vm_accel_name(enum vm_accel a)
{
	static const char *const name[] = { "auto", "kvm", "tcg", "tdx" };

	return (size_t)a < sizeof(name) / sizeof(name[0]) ? name[a] : "?";
}

enum dstack_status
vm_paths(const char *run_dir, struct vm *vm, struct why *why)
{
	const struct {
		char *out;
		size_t cap;
		const char *name;
	} path[] = {
		{ vm->console, sizeof(vm->console), "console.log" },
		{ vm->qmp, sizeof(vm->qmp), "qmp.sock" },
		{ vm->stop, sizeof(vm->stop), "stop.sock" },
		{ vm->events, sizeof(vm->events), "events.sock" },
	};
	bool ok = true;

	for (size_t i = 0; i < sizeof(path) / sizeof(path[0]); i++) {
		int n = snprintf(path[i].out, path[i].cap, "%s/%s", run_dir,
		    path[i].name);
		ok = ok && n >= 0 && (size_t)n < path[i].cap;
	}
	if (!ok)
		return why_set(why, DSTACK_E_LIMIT,
		    "%s: path too long for sockets; use a shorter one",
		    run_dir);
	return DSTACK_OK;
}

static int
open_pidfd(pid_t pid)
{
	return (int)syscall(SYS_pidfd_open, pid, 0);
}

/* In the child: never returns. errfd tells the parent why exec failed. */
static void
run_qemu(char **argv, bool detach, int errfd)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	/* in a group of its own: Ctrl-C is the parent's to handle in order */
	if (detach)
		(void)setsid();
	else if (setpgid(0, 0) != 0 ||
	    prctl(PR_SET_PDEATHSIG, SIGKILL) != 0)
		_exit(127);
	(void)umask(0077);
	if (null >= 0 && dup2(null, 0) == 0 && dup2(null, 1) == 1)
		(void)execv(VM_QEMU, argv);
	int e = errno;
	(void)!write(errfd, &e, sizeof(e));
	_exit(127);
}

static enum dstack_status
choose_accel(struct vm_config *c, struct why *why)
{
	struct why no = { "" };
	bool kvm = false;
	char kernel[512];

	if (c->accel == VM_ACCEL_TDX)
		return vm_probe_tdx(VM_TDX_FLAG, why);
	if (c->accel == VM_ACCEL_TCG)
		return DSTACK_OK;
	(void)snprintf(kernel, sizeof(kernel), "%s/vmlinuz", c->image_dir);
	vm_probe_kvm(kernel, &kvm, &no);
	if (!kvm && c->accel == VM_ACCEL_KVM)
		return why_set(why, DSTACK_E_MISSING, "no KVM: %s", no.text);
	if (!kvm)
		log_line("no KVM (%s): using emulation (TCG)", no.text);
	c->accel = kvm ? VM_ACCEL_KVM : VM_ACCEL_TCG;
	return DSTACK_OK;
}

/* A QEMU error of the first moments (a port in use, ...) is told at once. */
static enum dstack_status
spawn(char **argv, bool detach, const char *log, struct vm *vm,
    struct why *why)
{
	int p[2], e = 0;

	if (pipe2(p, O_CLOEXEC) != 0)
		return why_set(why, DSTACK_E_SYS, "pipe: %s", strerror(errno));
	AUTO_CLOSE int rd = p[0], wr = p[1];
	AUTO_CLOSE int err = open(log, O_WRONLY | O_CREAT | O_TRUNC |
	    O_CLOEXEC | O_NOFOLLOW, 0600);
	pid_t pid = err < 0 ? -1 : fork();
	if (pid < 0)
		return why_set(
		    why, DSTACK_E_SYS, "%s: %s", log, strerror(errno));
	if (pid == 0) {
		(void)dup2(err, 2);
		run_qemu(argv, detach, wr);
	}
	(void)close(take_fd(&wr));
	if (read(rd, &e, sizeof(e)) == (ssize_t)sizeof(e)) {
		(void)waitpid(pid, NULL, 0);
		return why_set(why, DSTACK_E_SYS,
		    "%s: %s; install qemu-system-x86", VM_QEMU, strerror(e));
	}
	vm->pid = pid;
	vm->pidfd = open_pidfd(pid);
	return DSTACK_OK;
}

/* path: in an array as long as sun_path, as those of struct vm are. */
static bool
to_socket(const char *path, int *out)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	AUTO_CLOSE int fd =
	    socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	memcpy(sa.sun_path, path, sizeof(sa.sun_path));
	if (fd < 0 ||
	    connect(fd, (struct sockaddr *)(void *)&sa, sizeof(sa)) != 0)
		return false;
	if (out != NULL)
		*out = take_fd(&fd);
	return true;
}

/*
 * QEMU answers a command on the QMP socket once its main loop runs, that is
 * after every device and forwarded port was set up (its greeting comes
 * before that). False: it ended first, or took longer than START_MS.
 */
static bool
runs(const struct vm *v)
{
	static const char ask[] = "{\"execute\":\"qmp_capabilities\"}"
				  "{\"execute\":\"query-status\"}";
	char text[2048];
	size_t have = 0;
	AUTO_CLOSE int q = -1;

	for (int t = 0; t < START_MS; t += STEP_MS) {
		struct pollfd p[2] = { { .fd = v->pidfd, .events = POLLIN },
			{ .fd = q, .events = POLLIN } };
		if (poll(p, 2, STEP_MS) > 0 && p[0].revents != 0)
			return false;
		if (p[1].revents != 0) {
			ssize_t n = read(q, text + have, sizeof(text) - have);
			have += n > 0 ? (size_t)n : 0;
			/*
			 * The answer to query-status; the greeting comes before
			 * and says nothing of it.
			 */
			if (memmem(text, have, "\"running\"", 9) != NULL)
				return true;
			if (n <= 0)
				return false;
		}
		if (q < 0 && to_socket(v->qmp, &q))
			(void)!write(q, ask, sizeof(ask) - 1);
	}
	return false;
}

/*
 * What QEMU said first that is no warning, without its name and the option
 * it quotes.
 */
static void
complaint(const char *path, char *out, size_t cap)
{
	char text[1024];
	const char *say = text, *p;
	AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);

	text[n > 0 ? n : 0] = '\0';
	for (;;) {
		size_t end = strcspn(say, "\n");
		bool last = say[end] == '\0';
		text[(size_t)(say - text) + end] = '\0';
		if (last || strstr(say, "warning: ") == NULL)
			break;
		say += end + 1;
	}
	while ((p = strstr(say, ": ")) != NULL)
		say = p + 2;
	(void)snprintf(out, cap, "%.*s", (int)cap - 1,
	    say[0] != '\0' ? say : "no reason");
}

enum dstack_status
vm_start(const struct vm_config *config, bool detach, struct vm *vm,
    struct why *why)
{
	struct vm_config c = *config;
	struct vm v = { .pidfd = -1 };
	char **argv = NULL, log[256], pidfile[256], line[160];
	enum dstack_status st;

	memset(vm, 0, sizeof(*vm));
	vm->pidfd = -1;
	st = choose_accel(&c, why);
	if (st == DSTACK_OK)
		st = vm_paths(c.run_dir, &v, why);
	if (st != DSTACK_OK)
		return st;
	if (mkdir(c.run_dir, 0700) != 0 && errno != EEXIST)
		return why_set(why, DSTACK_E_SYS, "%s: %s", c.run_dir,
		    strerror(errno));
	(void)unlink(v.qmp);
	(void)unlink(v.stop);
	(void)unlink(v.events);
	/* Whoever waits for a phase must not see the last run's. */
	(void)unlink(v.console);
	st = vm_argv(&c, &argv, why);
	if (st != DSTACK_OK)
		return st;
	v.accel = c.accel;
	(void)snprintf(log, sizeof(log), "%s/qemu.log", c.run_dir);
	st = spawn(argv, detach, log, &v, why);
	vm_argv_free(argv);
	if (st != DSTACK_OK)
		return st;
	if (!runs(&v)) {
		vm_stop(&v, 0);
		complaint(log, line, sizeof(line));
		return why_set(
		    why, DSTACK_E_SYS, "QEMU did not start: %s", line);
	}
	(void)snprintf(pidfile, sizeof(pidfile), "%s/vm.pid", c.run_dir);
	AUTO_CLOSE int fd = open(pidfile,
	    O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd >= 0)
		(void)dprintf(fd, "%d\n", (int)v.pid);
	*vm = v;
	return DSTACK_OK;
}

bool
vm_ended(struct vm *vm, int *status)
{
	struct pollfd p = { .fd = vm->pidfd, .events = POLLIN };
	int s = 0;

	if (vm->pid <= 0)
		return true;
	if (poll(&p, 1, 0) <= 0)
		return false;
	if (waitpid(vm->pid, &s, WNOHANG) == 0)
		return false;
	if (status != NULL)
		*status = s;
	(void)close(vm->pidfd);
	vm->pidfd = -1;
	vm->pid = 0;
	return true;
}

int
vm_events(const struct vm *vm)
{
	int fd = -1;

	return vm->pid > 0 && to_socket(vm->events, &fd) ? fd : -1;
}

/* Whether the guest heeds it is seen by its end alone. */
bool
vm_ask_stop(const struct vm *vm)
{
	AUTO_CLOSE int fd = -1;

	/* what the byte is does not matter; QEMU keeps it for the guest */
	return vm->pid > 0 && to_socket(vm->stop, &fd) &&
	    send(fd, "s", 1, MSG_NOSIGNAL) == 1;
}

void
vm_stop(struct vm *vm, int wait_ms)
{
	static const char quit[] = "{\"execute\":\"qmp_capabilities\"}"
				   "{\"execute\":\"quit\"}";
	int q = -1;

	if (vm->pid <= 0)
		return;
	struct pollfd p = { .fd = vm->pidfd, .events = POLLIN };
	if (wait_ms > 0 && to_socket(vm->qmp, &q)) {
		(void)!write(q, quit, sizeof(quit) - 1);
		(void)poll(&p, 1, wait_ms);
		(void)close(q);
	}
	if (poll(&p, 1, 0) <= 0) {
		(void)syscall(SYS_pidfd_send_signal, vm->pidfd, SIGKILL,
		    NULL, 0);
		(void)poll(&p, 1, 5000);
	}
	(void)vm_ended(vm, NULL);
	if (vm->pidfd >= 0)
		(void)close(vm->pidfd);
	vm->pidfd = -1;
	vm->pid = 0;
	(void)unlink(vm->qmp);
	(void)unlink(vm->stop);
	(void)unlink(vm->events);
}

enum dstack_status
vm_find(const char *run_dir, struct vm *vm, struct why *why)
{
	char path[256], text[4096];
	long pid = 0;
	enum dstack_status st;

	memset(vm, 0, sizeof(*vm));
	vm->pidfd = -1;
	st = vm_paths(run_dir, vm, why);
	if (st != DSTACK_OK)
		return st;
	(void)snprintf(path, sizeof(path), "%s/vm.pid", run_dir);
	AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, 31);
	if (n > 0) {
		text[n] = '\0';
		pid = strtol(text, NULL, 10);
	}
	AUTO_CLOSE int pidfd = pid > 1 ? open_pidfd((pid_t)pid) : -1;
	/* the number may have gone to another process: ours names its QMP */
	(void)snprintf(path, sizeof(path), "/proc/%ld/cmdline", pid);
	AUTO_CLOSE int cl = pidfd < 0 ? -1 : open(path, O_RDONLY | O_CLOEXEC);
	n = cl < 0 ? -1 : read(cl, text, sizeof(text));
	if (n <= 0 || memmem(text, (size_t)n, vm->qmp, strlen(vm->qmp)) == NULL)
		return why_set(
		    why, DSTACK_E_MISSING, "no VM runs in %s", run_dir);
	vm->pid = (pid_t)pid;
	vm->pidfd = take_fd(&pidfd);
	return DSTACK_OK;
}
