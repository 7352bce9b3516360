/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Does KVM run a guest here? Two steps, each with a deadline, since a
 * /dev/kvm may open and then hang every guest. First a firmware of five
 * instructions that writes to isa-debug-exit. KVM may emulate those in real
 * mode without ever entering the guest properly, so the image's own kernel
 * comes second: with no root to mount it panics, reboots, and QEMU exits.
 */
#include "host/vm/vm.h"

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
#include "host/vm/vm_priv.h"

#define FIRMWARE_MS 2000
#define KERNEL_MS 5000
#define FIRMWARE_SIZE 65536
#define RESET_VECTOR 0xfff0
#define PROBE_VALUE 0x10
#define PROBE_EXIT ((PROBE_VALUE << 1) | 1) /* isa-debug-exit's formula */
#define OPTS 24
#define OPT_LEN 512

struct opts {
	char text[OPTS][OPT_LEN];
	char *argv[OPTS + 1];
	int n;
};

static void
opt(struct opts *o, const char *text)
{
	if (o->n >= OPTS)
		return;
	(void)snprintf(o->text[o->n], OPT_LEN, "%s", text);
	o->argv[o->n] = o->text[o->n];
	o->argv[++o->n] = NULL;
}

static void
common(struct opts *o)
{
	static const char *const fixed[] = { "qemu-system-x86_64",
		"-nodefaults", "-no-user-config", "-no-reboot", "-display",
		"none", "-machine", "q35,accel=kvm,usb=off,smm=off", "-cpu",
		"host", "-m", "256M" };

	o->n = 0;
	for (size_t i = 0; i < sizeof(fixed) / sizeof(fixed[0]); i++)
		opt(o, fixed[i]);
}

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
run_probe(const char *qemu, char **argv)
{
	int null = open("/dev/null", O_RDWR);

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (int i = 0; i < 3; i++)
		(void)dup2(null, i);
	(void)execv(qemu, argv);
	_exit(127);
}

/* *status of QEMU, false when it had to be killed or did not start. */
static bool
timed(const char *qemu, struct opts *o, int deadline_ms, int *status,
    struct why *reason)
{
	pid_t pid = fork();

	if (pid == 0)
		run_probe(qemu, o->argv);
	AUTO_CLOSE int pidfd =
	    pid < 0 ? -1 : (int)syscall(SYS_pidfd_open, pid, 0);
	struct pollfd p = { .fd = pidfd, .events = POLLIN };
	int ready = -1;
	while (pidfd >= 0 && (ready = poll(&p, 1, deadline_ms)) < 0 &&
	    errno == EINTR)
		;
	/* A hung guest ends with its QEMU. */
	if (pid > 0 && ready <= 0)
		(void)kill(pid, SIGKILL);
	if (pid > 0)
		(void)waitpid(pid, status, 0);
	if (ready > 0)
		return true;
	(void)why_set(reason, DSTACK_OK,
	    "/dev/kvm opens but a guest hung for %d ms", deadline_ms);
	return false;
}

bool
vm_probe_with(const char *qemu, const char *device, const char *kernel,
    struct why *reason)
{
	struct opts o;
	char bios[64];
	int status = 0;

	if (access(device, R_OK | W_OK) != 0) {
		(void)why_set(reason, DSTACK_OK, "%s: %s%s", device,
		    strerror(errno),
		    errno == EACCES ? "; join the group kvm" : "");
		return false;
	}
	AUTO_CLOSE int fw = firmware();
	(void)snprintf(bios, sizeof(bios), "/proc/self/fd/%d", fw);
	common(&o);
	opt(&o, "-bios");
	opt(&o, bios);
	opt(&o, "-device");
	opt(&o, "isa-debug-exit,iobase=0xf4,iosize=0x04");
	if (!timed(qemu, &o, FIRMWARE_MS, &status, reason))
		return false;
	if (WIFEXITED(status) && WEXITSTATUS(status) == PROBE_EXIT &&
	    kernel != NULL) {
		common(&o);
		opt(&o, "-kernel");
		opt(&o, kernel);
		opt(&o, "-append");
		opt(&o, "panic=-1 quiet");
		if (!timed(qemu, &o, KERNEL_MS, &status, reason))
			return false;
		if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
			return true;
	} else if (WIFEXITED(status) && WEXITSTATUS(status) == PROBE_EXIT) {
		return true;
	}
	(void)why_set(reason, DSTACK_OK,
	    "a guest under /dev/kvm did not run (QEMU ended with 0x%x)",
	    (unsigned)status);
	return false;
}

/*
 * Once a process: the answer does not change, and costs seconds where it is no.
 */
void
vm_probe_kvm(const char *kernel, bool *usable, struct why *reason)
{
	static enum { UNKNOWN, YES, NO } known;
	static struct why said;

	if (known == UNKNOWN)
		known = vm_probe_with(VM_QEMU, "/dev/kvm", kernel, &said) ? YES
								 : NO;
	*usable = known == YES;
	if (reason != NULL)
		*reason = said;
}

enum dstack_status
vm_probe_tdx(const char *tdx, struct why *why)
{
	char text[8] = "";
	size_t n = 0;

	if (vm_read_small(tdx, text, sizeof(text), &n, NULL) == DSTACK_OK &&
	    (text[0] == 'Y' || text[0] == '1'))
		return DSTACK_OK;
	return why_set(why, DSTACK_E_MISSING,
	    "this machine's KVM runs no trust domains (%s does not say Y): "
	    "enable TDX in BIOS and kernel (kvm_intel.tdx=1)", tdx);
}
