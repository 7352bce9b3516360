/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A role calls this first, before it reads a byte that is not init's. For all
 * roles: no core file and no ptrace of it, since both would show its memory;
 * and a peer that hangs up is an error of one write. For the roles that
 * neither mount nor start programs nor drive a device, keyd among them: no new
 * privileges, and a filter of system calls.
 *
 * The filter names what is allowed, so that a call of a kernel to come is
 * refused too. Refused calls fail with EPERM: a library that tries its luck
 * goes on without. A few calls are nobody's duty and only an intruder's next
 * step (execve, ptrace, mount ...): those end the process. The rest of a
 * role's confinement, its uid, root and network, was settled before it
 * started (spawn.c). A step that fails is the end of the role: none runs
 * with less around it than this.
 */
#include "guest/init/sandbox.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <seccomp.h>

/* What every filtered role may do: its descriptors, its memory, its end. */
static const int base_calls[] = {
	SCMP_SYS(read), SCMP_SYS(write), SCMP_SYS(readv), SCMP_SYS(writev),
	SCMP_SYS(pread64), SCMP_SYS(lseek), SCMP_SYS(close), SCMP_SYS(dup),
	SCMP_SYS(dup2), SCMP_SYS(dup3),
	SCMP_SYS(recvmsg), SCMP_SYS(sendmsg), SCMP_SYS(recvfrom),
	SCMP_SYS(sendto), SCMP_SYS(shutdown), SCMP_SYS(poll), SCMP_SYS(ppoll),
	SCMP_SYS(fcntl), SCMP_SYS(fstat), SCMP_SYS(newfstatat),
	SCMP_SYS(mmap), SCMP_SYS(munmap), SCMP_SYS(mprotect),
	SCMP_SYS(mremap), SCMP_SYS(madvise), SCMP_SYS(brk), SCMP_SYS(mlock),
	SCMP_SYS(munlock), SCMP_SYS(futex), SCMP_SYS(getrandom),
	SCMP_SYS(clock_gettime), SCMP_SYS(gettimeofday), SCMP_SYS(time),
	SCMP_SYS(nanosleep), SCMP_SYS(clock_nanosleep), SCMP_SYS(getpid),
	SCMP_SYS(gettid), SCMP_SYS(getuid), SCMP_SYS(geteuid),
	SCMP_SYS(getgid), SCMP_SYS(getegid), SCMP_SYS(tgkill),
	SCMP_SYS(rt_sigaction), SCMP_SYS(rt_sigprocmask),
	SCMP_SYS(rt_sigreturn), SCMP_SYS(sigaltstack),
	SCMP_SYS(restart_syscall), SCMP_SYS(prctl), SCMP_SYS(exit),
	SCMP_SYS(exit_group), SCMP_SYS(sched_yield), SCMP_SYS(prlimit64),
	SCMP_SYS(rseq), SCMP_SYS(set_robust_list),
};

/* An event loop with sockets it was given, and outgoing ones (AF_INET). */
static const int loop_calls[] = {
	SCMP_SYS(epoll_create1), SCMP_SYS(epoll_ctl), SCMP_SYS(epoll_wait),
	SCMP_SYS(epoll_pwait), SCMP_SYS(epoll_pwait2), SCMP_SYS(eventfd2),
	SCMP_SYS(timerfd_create), SCMP_SYS(timerfd_settime),
	SCMP_SYS(pipe2), SCMP_SYS(socketpair), SCMP_SYS(accept4),
	SCMP_SYS(accept), SCMP_SYS(connect), SCMP_SYS(getsockopt),
	SCMP_SYS(setsockopt), SCMP_SYS(getsockname), SCMP_SYS(getpeername),
	SCMP_SYS(ioctl),
};

/* verifier judges in a child that holds nothing. */
static const int fork_calls[] = {
	SCMP_SYS(clone), SCMP_SYS(clone3), SCMP_SYS(fork), SCMP_SYS(wait4),
	SCMP_SYS(waitid), SCMP_SYS(kill), SCMP_SYS(pipe2),
	SCMP_SYS(set_tid_address), SCMP_SYS(setrlimit),
};

/* Nobody's duty: trying is a sign of a break-in, and ends the process. */
static const int deadly_calls[] = {
	SCMP_SYS(execve), SCMP_SYS(execveat), SCMP_SYS(ptrace), SCMP_SYS(bpf),
	SCMP_SYS(process_vm_readv), SCMP_SYS(process_vm_writev),
	SCMP_SYS(mount), SCMP_SYS(init_module), SCMP_SYS(finit_module),
	SCMP_SYS(kexec_load), SCMP_SYS(userfaultfd), SCMP_SYS(keyctl),
};

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static int
add(scmp_filter_ctx ctx, uint32_t action, const int *calls, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		int rc = seccomp_rule_add(ctx, action, calls[i], 0);
		/* a call this architecture does not have needs no rule */
		if (rc != 0 && rc != -EDOM && rc != -EEXIST)
			return rc;
	}
	return 0;
}

static enum dstack_status
filter(bool loop, bool forks, struct why *why)
{
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ERRNO(EPERM));
	if (ctx == NULL)
		return why_set(why, DSTACK_E_NOMEM, "seccomp filter");
	int rc = add(ctx, SCMP_ACT_ALLOW, base_calls, COUNT(base_calls));
	if (rc == 0 && loop)
		rc = add(ctx, SCMP_ACT_ALLOW, loop_calls, COUNT(loop_calls));
	if (rc == 0 && loop)
		rc = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(socket), 1,
		    SCMP_A0(SCMP_CMP_EQ, AF_INET));
	if (rc == 0 && forks)
		rc = add(ctx, SCMP_ACT_ALLOW, fork_calls, COUNT(fork_calls));
	if (rc == 0)
		rc = add(ctx, SCMP_ACT_KILL_PROCESS, deadly_calls,
		    COUNT(deadly_calls));
	if (rc == 0)
		rc = seccomp_load(ctx);
	seccomp_release(ctx);
	if (rc != 0)
		return why_set(why, DSTACK_E_SYS, "seccomp filter: %s",
		    strerror(-rc));
	return DSTACK_OK;
}

enum dstack_status
sandbox_enter(enum role role, struct why *why)
{
	const struct rlimit none = { 0, 0 };
	/* A peer that hangs up is an error of one write, not a role's end. */
	if (signal(SIGPIPE, SIG_IGN) == SIG_ERR)
		return why_set(why, DSTACK_E_SYS, "signal: %s",
		    strerror(errno));
	if (prctl(PR_SET_DUMPABLE, 0) != 0 || setrlimit(RLIMIT_CORE, &none) != 0)
		return why_set(why, DSTACK_E_SYS, "core dumps stay on: %s",
		    strerror(errno));
	switch (role) {
	case ROLE_KEYD:
	case ROLE_HOSTLINK:
	case ROLE_REPLICATOOR:
	case ROLE_VERIFIER:
	case ROLE_LIGHTCLIENT:
	case ROLE_GUEST_SERVICE:
	case ROLE_TLS:
		break;
	case ROLE_INIT:
	case ROLE_TEE:
	case ROLE_VOLUME:
	case ROLE_KUBERNETHES:
	case ROLE_COUNT:
	default:
		return DSTACK_OK;
	}
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
		return why_set(why, DSTACK_E_SYS, "no_new_privs: %s",
		    strerror(errno));
	return filter(role == ROLE_GUEST_SERVICE || role == ROLE_TLS,
	    role == ROLE_VERIFIER, why);
}
