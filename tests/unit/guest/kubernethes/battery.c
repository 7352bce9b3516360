/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an app may not do (THREATS T38), tried from inside: built static and
 * run by test_container.c as the app of an image. A line an attempt,
 * "name=errno", 0 where it worked; then it serves port 8080 until SIGINT.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/bpf.h>
#include <linux/capability.h>
#include <linux/netlink.h>
#include <net/if.h>
#include <net/route.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/reboot.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/swap.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <sys/xattr.h>
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

/* In a process of its own: it would change what follows. */
static void
apart(const char *name, long (*fn)(void))
{
	int status = 0;
	pid_t pid = fork();
	if (pid == 0)
		_exit(fn() < 0 ? errno : 0);
	waitpid(pid, &status, 0);
	printf("%s=%d\n", name,
	    WIFEXITED(status) ? WEXITSTATUS(status) : 1000);
}

static long
root_elsewhere(void)
{
	return chroot("/tmp");
}

/* As an entrypoint does that starts as root. */
static long
become_web(void)
{
	gid_t g = 44;
	if (setgroups(1, &g) != 0 || setgid(44) != 0 || setuid(33) != 0)
		return -1;
	errno = EPERM;
	return setuid(0) == 0 ? -1 : 0;
}

static long
link_down(void)
{
	struct ifreq r = { .ifr_name = "eth0" };
	int s = socket(AF_INET, SOCK_DGRAM, 0);
	return ioctl(s, SIOCSIFFLAGS, &r);
}

static long
route(void)
{
	struct rtentry r = { .rt_flags = RTF_UP };
	struct sockaddr_in *a = (struct sockaddr_in *)&r.rt_dst;
	struct sockaddr_in *g = (struct sockaddr_in *)&r.rt_gateway;
	a->sin_family = g->sin_family = r.rt_genmask.sa_family = AF_INET;
	g->sin_addr.s_addr = htonl(0x0a580001);
	return ioctl(socket(AF_INET, SOCK_DGRAM, 0), SIOCADDRT, &r);
}

static long
v6(const char *to)
{
	struct sockaddr_in6 a = { .sin6_family = AF_INET6,
		.sin6_port = htons(81) };
	inet_pton(AF_INET6, to, &a.sin6_addr);
	int s = socket(AF_INET6, SOCK_STREAM, 0);
	long r = bind(s, (struct sockaddr *)&a, sizeof(a));
	close(s);
	return r;
}

/* 0: a file that would give CAP_SYS_ADMIN does not. */
static long
file_caps(void)
{
	static const struct vfs_cap_data d = { .magic_etc = VFS_CAP_REVISION_2 |
		    VFS_CAP_FLAGS_EFFECTIVE,
		.data = { { .permitted = 1u << 21 } } }; /* SYS_ADMIN */
	char *const argv[] = { "/battery", "mount", NULL };
	int status = 0;
	if (setxattr("/battery", "security.capability", &d, sizeof(d), 0) != 0)
		return 0; /* refused: as good */
	pid_t pid = fork();
	if (pid == 0) {
		execv("/battery", argv);
		_exit(0);
	}
	waitpid(pid, &status, 0);
	return WEXITSTATUS(status);
}

static long
option(int level, int name, const void *p, socklen_t n)
{
	int s = socket(AF_INET, SOCK_DGRAM, 0);
	long r = setsockopt(s, level, name, p, n);
	close(s);
	return r;
}

/* A datagram in the name of another, without a raw socket. */
static long
in_the_name_of(unsigned ip, unsigned to)
{
	struct sockaddr_in a = { .sin_family = AF_INET };
	struct sockaddr_in b = { .sin_family = AF_INET, .sin_port = htons(9) };
	int s = socket(AF_INET, SOCK_DGRAM, 0);
	int one = 1;
	a.sin_addr.s_addr = htonl(ip);
	b.sin_addr.s_addr = htonl(to);
	setsockopt(s, IPPROTO_IP, IP_FREEBIND, &one, sizeof(one));
	long r = bind(s, (struct sockaddr *)&a, sizeof(a));
	if (r == 0)
		r = sendto(s, "x", 1, 0, (struct sockaddr *)&b, sizeof(b));
	close(s);
	return r;
}

/* NFT_MSG_NEWTABLE "t", as guest/init/nft.c sends it: the kernel's answer. */
static long
filter(void)
{
	static const unsigned char batch[] = { 20, 0, 0, 0, 16, 0, 1, 0,
		0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 10, 28, 0, 0, 0, 0, 10, 5,
		4, 1, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 6, 0, 1, 0, 't', 0, 0,
		0, 20, 0, 0, 0, 17, 0, 1, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
		10 };
	struct {
		struct nlmsghdr h;
		struct nlmsgerr e;
		char more[256];
	} in = { .h = { 0 } };
	int s = socket(AF_NETLINK, SOCK_RAW, NETLINK_NETFILTER);
	struct timeval tv = { .tv_sec = 1 };
	setsockopt(s, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
	if (s < 0 || send(s, batch, sizeof(batch), 0) < 0 ||
	    recv(s, &in, sizeof(in), 0) < 0)
		return -1;
	close(s);
	errno = -in.e.error;
	return in.e.error;
}

static long
add_address(void)
{
	struct ifreq r = { .ifr_name = "eth0" };
	struct sockaddr_in *a = (struct sockaddr_in *)&r.ifr_addr;
	a->sin_family = AF_INET;
	a->sin_addr.s_addr = htonl(0x0a580102);
	return ioctl(socket(AF_INET, SOCK_DGRAM, 0), SIOCSIFADDR, &r);
}

/*
 * Where the network leads, and what it can be made to do. "=0" is a way that
 * is open; what has to be is the test's matter, which is run with a way out
 * (dstack.egress) and without.
 */
static void
network(void)
{
	static const struct {
		const char *name;
		unsigned ip;
		int port;
	} to[] = {
		{ "own plane", 0x0a580001, 80 },
		{ "own plane, another port", 0x0a580001, 443 },
		{ "plane of the other slot", 0x0a580101, 80 },
		{ "app of the other slot", 0x0a580102, 8080 },
		{ "control plane", 0x0a00020f, 80 },
		{ "front", 0x0a00020f, 443 },
		{ "QEMU's gateway, host link", 0x0a000202, 80 },
		{ "QEMU's resolver, host link", 0x0a000203, 80 },
		{ "this VM, way out", 0x0a00030f, 80 },
		{ "QEMU's gateway, way out", 0x0a000302, 80 },
		{ "QEMU's resolver, way out", 0x0a000303, 80 },
		{ "QEMU's resolver, for names", 0x0a000303, 53 },
		{ "way out itself", 0x0a590001, 80 },
		{ "way out, the other slot", 0x0a590101, 80 },
		{ "app of the other slot, way out", 0x0a590102, 8080 },
		{ "a LAN", 0xc0a80101, 80 },
		{ "a cloud's metadata", 0xa9fea9fe, 80 },
		{ "the Internet", 0xc0000250, 80 },
	};
	int one = 1;
	for (size_t i = 0; i < sizeof(to) / sizeof(to[0]); i++)
		tell(to[i].name, reach_tcp(to[i].ip, to[i].port));
	tell("raw socket", sock(AF_INET, SOCK_RAW, IPPROTO_RAW));
	tell("raw socket, TCP", sock(AF_INET, SOCK_RAW, IPPROTO_TCP));
	tell("raw socket, IPv6", sock(AF_INET6, SOCK_RAW, IPPROTO_UDP));
	tell("packet socket", sock(AF_PACKET, SOCK_DGRAM, 0));
	tell("own IP header",
	    option(IPPROTO_IP, IP_HDRINCL, &one, sizeof(one)));
	tell("transparent",
	    option(IPPROTO_IP, IP_TRANSPARENT, &one, sizeof(one)));
	tell("mark", option(SOL_SOCKET, SO_MARK, &one, sizeof(one)));
	tell("name of the other slot", in_the_name_of(0x0a580102, 0x0a580001));
	tell("name of the other slot, out",
	    in_the_name_of(0x0a590102, 0xc0000250));
	tell("name of the guest", in_the_name_of(0x0a00020f, 0xc0000250));
	tell("packet filter", filter());
	apart("a route", route);
	apart("an address", add_address);
	apart("link down", link_down);
	tell("forwarding", open("/proc/sys/net/ipv4/ip_forward", O_WRONLY));
}

static void
stop(int sig)
{
	(void)sig;
	(void)!write(1, "stopped\n", 8);
	_exit(3);
}

/*
 * As a health check (HEALTHCHECK CMD /battery check HOW): "well" is well while
 * there is no /tmp/ill, "fit" while there is a /fit, "hang" leaves a child that outlives it, and "who" says
 * what it is and may.
 */
static int
check(const char *how)
{
	char text[4096] = { 0 };
	if (strcmp(how, "well") == 0)
		return access("/tmp/ill", F_OK) == 0 ? 7 : 0;
	if (strcmp(how, "fit") == 0)
		return access("/fit", F_OK) == 0 ? 0 : 8;
	if (strcmp(how, "flood") == 0)
		while (write(1, text, sizeof(text)) > 0)
			;
	if (strcmp(how, "bomb") == 0)
		for (;;)
			(void)!fork();
	if (strcmp(how, "hang") == 0) {
		(void)!fork();
		signal(SIGTERM, SIG_IGN);
		for (;;)
			pause();
	}
	if (strcmp(how, "child") == 0) {
		if (fork() == 0) {
			setsid(); /* as one that would be a daemon */
			for (;;)
				pause();
		}
		return 0;
	}
	int caps = 0;
	for (int c = 0; c < 41; c++)
		caps += prctl(PR_CAPBSET_READ, c, 0, 0, 0) == 1;
	int fds = 0;
	for (int i = 3; i < 1024; i++)
		fds += fcntl(i, F_GETFD) >= 0;
	int fd = open("/proc/1/cmdline", O_RDONLY);
	char one[32] = "";
	(void)!read(fd, one, sizeof(one) - 1);
	printf("1=%s user=%d:%d nnp=%d seccomp=%d caps=%d fds=%d env=%s "
	       "mount=%d ptrace=%d net=%d\n", one, (int)getuid(),
	    (int)getgid(), prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0),
	    prctl(PR_GET_SECCOMP, 0, 0, 0, 0), caps, fds, getenv("GREET"),
	    mount("none", "/tmp", "tmpfs", 0, NULL) == 0,
	    ptrace(PTRACE_ATTACH, 1, NULL, NULL) == 0,
	    reach_tcp(INADDR_LOOPBACK, 8080) == 0);
	return 9;
}

/* As root of the machine, most of what follows would work, and stay. */
static bool
on_the_machine(void)
{
	unsigned long first = 0, outside = 0, n = 0;
	FILE *f = fopen("/proc/self/uid_map", "re");
	int got = f != NULL
	    ? fscanf(f, "%lu %lu %lu", &first, &outside, &n)
	    : 0;
	if (f != NULL)
		fclose(f);
	return got != 3 || (first == 0 && outside == 0);
}

int
main(int argc, char **argv)
{
	union bpf_attr attr;
	char cwd[256];
	if (on_the_machine()) {
		fprintf(stderr, "battery: only in a container\n");
		return 2;
	}
	if (argc == 3 && strcmp(argv[1], "check") == 0)
		return check(argv[2]);
	/* it mounts, kills and reboots: in a container of its own or not at all */
	if (getpid() != 1 && getppid() != 1)
		return 2;
	if (argc > 1 && strcmp(argv[1], "mount") == 0)
		return mount("none", "/tmp", "tmpfs", 0, NULL) == 0;
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
	apart("chroot", root_elsewhere);
	apart("become", become_web);
	apart("linkdown", link_down);
	apart("route", route);
	printf("filecaps=%ld\n", file_caps());
	tell("fifo", mknod("/tmp/fifo", S_IFIFO | 0600, 0));
	tell("block", mknod("/tmp/vda", S_IFBLK | 0600, 0xfe00));
	tell("chown", chown("/etc/mine", 33, 44));
	tell("attach", ptrace(PTRACE_ATTACH, 1, NULL, NULL));
	tell("hostname", sethostname("x", 1));
	tell("clock", settimeofday(&(struct timeval){ 0 }, NULL));
	tell("reboot", reboot(RB_AUTOBOOT));
	tell("swapon", swapon("/tmp/f", 0));
	tell("iopl", syscall(SYS_iopl, 3));
	tell("vmread", syscall(SYS_process_vm_readv, 1, 0, 0, 0, 0, 0));
	tell("fanotify", syscall(SYS_fanotify_init, 0, 0));
	tell("quotactl", syscall(SYS_quotactl, 0, 0, 0, 0));
	tell("bound", open("/sys/fs/cgroup/memory.max", O_WRONLY));
	tell("forward", open("/proc/sys/net/ipv4/ip_forward", O_WRONLY));
	tell("kcore", open("/proc/kcore", O_RDONLY) < 0 ? -1 : 0);
	tell("audit", sock(AF_NETLINK, SOCK_RAW, NETLINK_AUDIT));
	tell("names", open("/etc/resolv.conf", O_RDONLY));
	tell("hostfile", open("/etc/hostname", O_RDONLY));
	tell("v6any", v6("::"));
	tell("v6lo", v6("::1"));
	struct stat vol;
	printf("filled=%s\n", stat("/var/lib/y/etc/mine", &vol) != 0 ? "no" :
	    vol.st_uid == 33 && vol.st_gid == 33 ? "yes" : "wrong");
	tell("sysctl", open("/proc/sys/kernel/core_pattern", O_WRONLY));
	tell("sysrq", open("/proc/sysrq-trigger", O_WRONLY));
	tell("setuid0", setuid(0));
	tell("escape", open("/proc/1/root/run/dstack/app", O_RDONLY));
	tell("hosts", open("/etc/hosts", O_WRONLY));
	tell("data", open("/mnt/encrypted_data/f", O_WRONLY | O_CREAT, 0600));
	tell("host", open("/mnt/host_volume/f", O_WRONLY | O_CREAT, 0600));
	tell("tmp", open("/tmp/f", O_WRONLY | O_CREAT, 0600));
	tell("volume", open("/var/lib/x/f", O_WRONLY | O_CREAT, 0600));
	tell("sock", reach("/var/run/dstack.sock"));
	tell("guest0", reach_tcp(0x0a580001, 80));
	tell("guest1", reach_tcp(0x0a580101, 80));

	if (argc > 1 && strcmp(argv[1], "network") == 0)
		network();

	signal(SIGINT, stop);
	int one = 1;
	struct sockaddr_in a = { .sin_family = AF_INET,
		.sin_port = htons(argc > 2 ? 80 : 8080) };
	const char *mode = argc > 1 ? argv[1] : "";
	if (strcmp(mode, "ends") == 0)
		return 7;
	if (strcmp(mode, "never") == 0)
		for (;;)
			pause();
	if (strcmp(mode, "local") == 0)
		a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	int l = socket(AF_INET, SOCK_STREAM, 0);
	setsockopt(l, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	tell("bind", bind(l, (struct sockaddr *)&a, sizeof(a)));
	listen(l, 8);
	printf("ready\n");
	for (;;)
		close(accept(l, NULL, NULL));
}
