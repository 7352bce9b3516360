/* SPDX-License-Identifier: Apache-2.0 */
/*
 * System calls an app may make. What is not listed fails with EPERM: among
 * them mount, bpf, ptrace, keyctl, unshare, setns, io_uring, userfaultfd,
 * perf_event_open, kexec, modules, open_by_handle_at, process_vm_*. Sockets
 * are of four families: no AF_VSOCK, no AF_PACKET, no AF_ALG.
 */
#include "guest/kubernethes/oci_spec.h"

#include <errno.h>
#include <string.h>

static const char allowed[] =
    "accept accept4 access alarm arch_prctl bind brk cachestat capget "
    "capset chdir chmod chown chroot clock_getres clock_gettime "
    "clock_nanosleep close close_range connect copy_file_range creat dup "
    "dup2 dup3 epoll_create epoll_create1 epoll_ctl epoll_pwait "
    "epoll_pwait2 epoll_wait eventfd eventfd2 execve execveat exit "
    "exit_group faccessat faccessat2 fadvise64 fallocate fchdir fchmod "
    "fchmodat fchmodat2 fchown fchownat fcntl fdatasync fgetxattr "
    "flistxattr flock fork fremovexattr fsetxattr fstat fstatfs fsync "
    "ftruncate futex futex_waitv futimesat get_mempolicy get_robust_list "
    "get_thread_area getcpu getcwd getdents getdents64 getegid geteuid "
    "getgid getgroups getitimer getpeername getpgid getpgrp getpid "
    "getppid getpriority getrandom getresgid getresuid getrlimit "
    "getrusage getsid getsockname getsockopt gettid gettimeofday getuid "
    "getxattr inotify_add_watch inotify_init inotify_init1 "
    "inotify_rm_watch io_cancel io_destroy io_getevents io_pgetevents "
    "io_setup io_submit ioctl ioprio_get ioprio_set kill "
    "landlock_add_rule landlock_create_ruleset landlock_restrict_self "
    "lchown lgetxattr link linkat listen listxattr llistxattr "
    "lremovexattr lseek lsetxattr lstat madvise mbind membarrier "
    "memfd_create mincore mkdir mkdirat mknod mknodat mlock mlock2 "
    "mlockall mmap mprotect mq_getsetattr mq_notify mq_open "
    "mq_timedreceive mq_timedsend mq_unlink mremap msgctl msgget msgrcv "
    "msgsnd msync munlock munlockall munmap name_to_handle_at nanosleep "
    "newfstatat open openat openat2 pause pidfd_open pidfd_send_signal "
    "pipe pipe2 pkey_alloc pkey_free pkey_mprotect poll ppoll prctl "
    "pread64 preadv preadv2 prlimit64 pselect6 pwrite64 "
    "pwritev pwritev2 read readahead readlink readlinkat readv recvfrom "
    "recvmmsg recvmsg removexattr rename renameat renameat2 "
    "restart_syscall rmdir rseq rt_sigaction rt_sigpending "
    "rt_sigprocmask rt_sigqueueinfo rt_sigreturn rt_sigsuspend "
    "rt_sigtimedwait rt_tgsigqueueinfo sched_get_priority_max "
    "sched_get_priority_min sched_getaffinity sched_getattr "
    "sched_getparam sched_getscheduler sched_rr_get_interval "
    "sched_setaffinity sched_setattr sched_setparam sched_setscheduler "
    "sched_yield seccomp select semctl semget semop semtimedop sendfile "
    "sendmmsg sendmsg sendto set_mempolicy set_robust_list "
    "set_tid_address setfsgid setfsuid setgid setgroups setitimer "
    "setpgid setpriority setregid setresgid setresuid setreuid setrlimit "
    "setsid setsockopt setuid setxattr shmat shmctl shmdt shmget "
    "shutdown sigaltstack signalfd signalfd4 socketpair splice stat "
    "statfs statx symlink symlinkat sync sync_file_range syncfs sysinfo "
    "tee tgkill time timer_create timer_delete timer_getoverrun "
    "timer_gettime timer_settime timerfd_create timerfd_gettime "
    "timerfd_settime times tkill truncate umask uname unlink unlinkat "
    "utime utimensat utimes vfork vmsplice wait4 waitid write writev";

/* clone with a flag that makes a namespace is not among them. */
#define CLONE_NAMESPACES 0x7E020000

static json_t *
name_list(const char *text)
{
	json_t *list = json_array();
	while (*text != '\0') {
		size_t n = strcspn(text, " ");
		(void)json_array_append_new(list, json_stringn(text, n));
		text += n + (text[n] == ' ' ? 1 : 0);
	}
	return list;
}

static void
rule(json_t *rules, const char *name, const char *op, json_int_t value,
    json_int_t two)
{
	(void)json_array_append_new(rules,
	    json_pack("{s:[s], s:s, s:[{s:i, s:I, s:I, s:s}]}", "names", name,
		"action", "SCMP_ACT_ALLOW", "args", "index", 0, "value", value,
		"valueTwo", two, "op", op));
}

json_t *
spec_seccomp(void)
{
	static const json_int_t families[] = { 1, 2, 10, 16 };
	static const json_int_t personas[] = { 0, 8, 0x20000, 0x20008,
		0xffffffff };
	json_t *rules = json_array();
	(void)json_array_append_new(rules,
	    json_pack("{s:o, s:s}", "names", name_list(allowed), "action",
		"SCMP_ACT_ALLOW"));
	/* unix, inet, inet6, netlink */
	for (size_t i = 0; i < sizeof(families) / sizeof(families[0]); i++)
		rule(rules, "socket", "SCMP_CMP_EQ", families[i], 0);
	for (size_t i = 0; i < sizeof(personas) / sizeof(personas[0]); i++)
		rule(rules, "personality", "SCMP_CMP_EQ", personas[i], 0);
	rule(rules, "clone", "SCMP_CMP_MASKED_EQ", CLONE_NAMESPACES, 0);
	/* Its flags are behind a pointer: libraries then fall back to clone. */
	(void)json_array_append_new(rules,
	    json_pack("{s:[s], s:s, s:i}", "names", "clone3", "action",
		"SCMP_ACT_ERRNO", "errnoRet", ENOSYS));
	return json_pack("{s:s, s:i, s:[s], s:o}", "defaultAction",
	    "SCMP_ACT_ERRNO", "defaultErrnoRet", EPERM, "architectures",
	    "SCMP_ARCH_X86_64", "syscalls", rules);
}
