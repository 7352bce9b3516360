/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Does KVM run a guest here? A firmware of five instructions writes to
 * isa-debug-exit; QEMU then exits with a status nothing else gives. A
 * /dev/kvm that is there but hangs runs into the deadline.
 */
#include "host/vm.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "base/own.h"

#define PROBE_MS 2000
#define FIRMWARE_SIZE 65536
#define RESET_VECTOR 0xfff0
#define PROBE_VALUE 0x10
#define PROBE_EXIT ((PROBE_VALUE << 1) | 1) /* isa-debug-exit's formula */

static int
firmware(void)
{
	/* mov al, 0x10; out 0xf4, al; hlt; jmp $-1 */
	static const uint8_t code[] = { 0xb0, PROBE_VALUE, 0xe6, 0xf4, 0xf4,
		0xeb, 0xfd };
	AUTO_CLOSE int fd = memfd_create("probe", 0);

	if (fd < 0 || ftruncate(fd, FIRMWARE_SIZE) != 0 ||
	    pwrite(fd, code, sizeof(code), RESET_VECTOR) !=
		(ssize_t)sizeof(code))
		return -1;
	return take_fd(&fd);
}

static void
run_probe(int fd)
{
	char opt[][40] = { "qemu-system-x86_64", "-nodefaults",
		"-no-user-config", "-display", "none", "-machine",
		"pc,accel=kvm", "-m", "16M", "-device",
		"isa-debug-exit,iobase=0xf4,iosize=0x04", "-bios", "" };
	enum { OPTS = sizeof(opt) / sizeof(opt[0]) };
	char *argv[OPTS + 1] = { NULL };
	int null = open("/dev/null", O_RDWR);

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (int i = 0; i < 3; i++)
		(void)dup2(null, i);
	(void)snprintf(opt[OPTS - 1], sizeof(opt[0]), "/proc/self/fd/%d", fd);
	for (int i = 0; i < OPTS; i++)
		argv[i] = opt[i];
	(void)execve("/usr/bin/qemu-system-x86_64", argv,
	    (char *const[]){ NULL });
	_exit(127);
}

static bool
probe(struct why *reason)
{
	if (access("/dev/kvm", R_OK | W_OK) != 0) {
		(void)why_set(reason, DSTACK_OK, "/dev/kvm: %s",
		    strerror(errno));
		return false;
	}
	AUTO_CLOSE int fw = firmware();
	pid_t pid = fw < 0 ? -1 : fork();
	if (pid == 0)
		run_probe(fw);
	AUTO_CLOSE int pidfd =
	    pid < 0 ? -1 : (int)syscall(SYS_pidfd_open, pid, 0);
	if (pidfd < 0) {
		(void)why_set(reason, DSTACK_OK, "the KVM probe did not "
		    "start: %s", strerror(errno));
		if (pid > 0) {
			(void)kill(pid, SIGKILL);
			(void)waitpid(pid, NULL, 0);
		}
		return false;
	}
	struct pollfd p = { .fd = pidfd, .events = POLLIN };
	int ready, status = 0;
	do
		ready = poll(&p, 1, PROBE_MS);
	while (ready < 0 && errno == EINTR);
	if (ready <= 0)
		(void)kill(pid, SIGKILL);
	(void)waitpid(pid, &status, 0);
	if (ready <= 0) {
		(void)why_set(reason, DSTACK_OK,
		    "/dev/kvm opens but its guest hung for %d ms", PROBE_MS);
		return false;
	}
	if (WIFEXITED(status) && WEXITSTATUS(status) == PROBE_EXIT)
		return true;
	(void)why_set(reason, DSTACK_OK,
	    "a guest under /dev/kvm did not run (status 0x%x)",
	    (unsigned)status);
	return false;
}

void
vm_probe_kvm(bool *usable, struct why *reason)
{
	static enum { UNKNOWN, YES, NO } known;
	static struct why said;

	if (known == UNKNOWN)
		known = probe(&said) ? YES : NO;
	*usable = known == YES;
	if (reason != NULL)
		*reason = said;
}
