/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an app may not do (THREATS T38), tried from inside: built static and
 * run by test_container.c as the app of an image. A line an attempt,
 * "name=errno", 0 where it worked; then it serves port 8080 until SIGINT.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

static void
tell(const char *name, long result)
{
	printf("%s=%d\n", name, result < 0 ? errno : 0);
}

static int
sock(int family, int type, int protocol)
{
	int fd = socket(family, type, protocol);
	if (fd >= 0)
		close(fd);
	return fd;
}

static long
reach(const char *path)
{
	struct sockaddr_un u = { .sun_family = AF_UNIX };
	strncpy(u.sun_path, path, sizeof(u.sun_path) - 1);
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	return connect(fd, (struct sockaddr *)&u, sizeof(u));
}

static long
reach_tcp(unsigned ip, int port)
{
	struct sockaddr_in a = { .sin_family = AF_INET,
		.sin_port = htons((unsigned short)port) };
	a.sin_addr.s_addr = htonl(ip);
	struct timeval tv = { .tv_sec = 1 };
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv));
	return connect(fd, (struct sockaddr *)&a, sizeof(a));
}

static void
stop(int sig)
{
	(void)sig;
	(void)!write(1, "stopped\n", 8);
	_exit(3);
}

int
main(int argc, char **argv)
{
	union bpf_attr attr;
	char cwd[256];
	memset(&attr, 0, sizeof(attr));
	setvbuf(stdout, NULL, _IOLBF, 0);
	printf("args=%d %s\n", argc, argc > 1 ? argv[1] : "");
	printf("env=%s\n", getenv("GREET"));
	printf("user=%d:%d\n", (int)getuid(), (int)getgid());
	printf("cwd=%s\n", getcwd(cwd, sizeof(cwd)));
	printf("pid=%d\n", (int)getpid());
	printf("nnp=%d\n", prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0));
	printf("seccomp=%d\n", prctl(PR_GET_SECCOMP, 0, 0, 0, 0));
	int caps = 0;
	for (int c = 0; c < 41; c++)
		caps += prctl(PR_CAPBSET_READ, c, 0, 0, 0) == 1;
	printf("caps=%d\n", caps);

	tell("mount", mount("none", "/tmp", "tmpfs", 0, NULL));
	tell("umount", umount("/proc"));
	tell("mknod", mknod("/tmp/mem", S_IFCHR | 0600, 0x101));
	tell("devmem", open("/dev/mem", O_RDONLY));
	tell("devkmsg", open("/dev/kmsg", O_RDONLY));
	tell("bpf", syscall(SYS_bpf, BPF_MAP_CREATE, &attr, sizeof(attr)));
	tell("userns", unshare(CLONE_NEWUSER));
	tell("netns", unshare(CLONE_NEWNET));
	tell("clone", syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0));
	tell("clone3", syscall(SYS_clone3, NULL, 0));
	tell("setns", syscall(SYS_setns, 0, 0));
	tell("ptrace", ptrace(PTRACE_TRACEME, 0, NULL, NULL));
	tell("vsock", sock(40, SOCK_STREAM, 0));
	tell("packet", sock(AF_PACKET, SOCK_RAW, 0));
	tell("raw", sock(AF_INET, SOCK_RAW, IPPROTO_ICMP));
	tell("alg", sock(38, SOCK_SEQPACKET, 0));
	tell("keyctl", syscall(SYS_keyctl, 0, 0, 0, 0, 0));
	tell("perf", syscall(SYS_perf_event_open, NULL, 0, -1, -1, 0));
	tell("uring", syscall(SYS_io_uring_setup, 1, NULL));
	tell("kexec", syscall(SYS_kexec_load, 0, 0, NULL, 0));
	tell("module", syscall(SYS_init_module, NULL, 0, ""));
	tell("byhandle", syscall(SYS_open_by_handle_at, -1, NULL, 0));
	tell("pivot", syscall(SYS_pivot_root, "/", "/"));
	tell("chroot", chroot("/tmp"));
	tell("sysctl", open("/proc/sys/kernel/core_pattern", O_WRONLY));
	tell("sysrq", open("/proc/sysrq-trigger", O_WRONLY));
	tell("setuid0", setuid(0));
	tell("escape", open("/proc/1/root/run/dstack", O_RDONLY));
	tell("hosts", open("/etc/hosts", O_WRONLY));
	tell("data", open("/mnt/encrypted_data/f", O_WRONLY | O_CREAT, 0600));
	tell("host", open("/mnt/host_volume/f", O_WRONLY | O_CREAT, 0600));
	tell("tmp", open("/tmp/f", O_WRONLY | O_CREAT, 0600));
	tell("volume", open("/var/lib/x/f", O_WRONLY | O_CREAT, 0600));
	tell("sock", reach("/var/run/dstack.sock"));
	tell("guest0", reach_tcp(0x0a580001, 80));
	tell("guest1", reach_tcp(0x0a580101, 80));

	signal(SIGINT, stop);
	int one = 1;
	struct sockaddr_in a = { .sin_family = AF_INET,
		.sin_port = htons(argc > 2 ? 80 : 8080) };
	int l = socket(AF_INET, SOCK_STREAM, 0);
	setsockopt(l, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	tell("bind", bind(l, (struct sockaddr *)&a, sizeof(a)));
	listen(l, 8);
	printf("ready\n");
	for (;;)
		close(accept(l, NULL, NULL));
}
