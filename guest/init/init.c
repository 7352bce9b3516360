/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The first process of a guest. In a VM: mounts, command line, CPU, groups of
 * memory, modules, devices; outside one (--no-vm) namespaces stand for the
 * machine. From there on both are the same: netcfg is read from the host, the
 * tee role starts alone and says what this VM was measured with, and only if
 * that is this netcfg do the other roles start. So nothing of the host's is
 * believed by a role before the TEE has vouched for it. Then init watches
 * (supervise.c) until the end is asked for or cannot be helped, stops in
 * order (stop.c) and powers the machine off, with the reason as the last line.
 */
#include "guest/init/init.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/reboot.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "base/own.h"
#include "base/secret.h"
#include "crypto/hash.h"
#include "guest/init/boot.h"
#include "guest/init/cgroup.h"
#include "guest/base/flavour.h"
#include "guest/base/ipc.h"
#include "guest/init/netlink.h"
#include "guest/init/stop.h"
#include "guest/init/supervise.h"

#define TEE_EXTEND 4
#define TEE_REPORT 5
#define MRCONFIGID_AT (48 + 4 * 48) /* MRTD, RTMR0..3 come before it */
#define PORT_WAIT_MS 5000
#define TEE_WAIT_MS 60000
#define CONTROL "10.0.2.15:80"
#define PUBLIC "10.0.2.15:443"
#define DISK "/dev/vda"
#define DOOR "/proc/sys/kernel/modules_disabled"

struct init {
	struct plan plan;
	struct watch watch;
	int sigfd;
	char netcfg[NETCFG_MAX + 1];
	size_t netcfg_len;
};

struct no_vm {
	const char *link, *tee, *control, *https, *volume;
};

/* --- what a VM gives -------------------------------------------------- */

/* The host's way to ask for the end: the port says SIGIO when it has a byte. */
static int
stop_port(void)
{
	int fd = -1, flags;

	if (boot_port("dstack.stop", 0, &fd, NULL) != DSTACK_OK)
		return -1; /* such a host can only cut the power */
	fd = plan_high(fd);
	flags = fcntl(fd, F_GETFL);
	if (fcntl(fd, F_SETOWN, getpid()) != 0 ||
	    fcntl(fd, F_SETFL, flags | O_NONBLOCK | O_ASYNC) != 0)
		log_line("dstack.stop: %s", strerror(errno));
	return fd;
}

static enum dstack_status
vm_devices(struct plan *p, struct why *why)
{
	enum dstack_status st;
	int link = -1, tee = -1, control = -1, public = -1;

	st = boot_port("dstack.link", PORT_WAIT_MS, &link, why);
	p->link = plan_high(link);
	/* a TDX guest has no such port, and its tee role says what it needs */
	if (st == DSTACK_OK && boot_port("dstack.tee", 0, &tee, NULL) ==
	    DSTACK_OK)
		p->tee = plan_high(tee);
	if (st == DSTACK_OK)
		st = boot_network(why);
	if (st == DSTACK_OK)
		p->egress = plan_high(boot_egress());
	if (st == DSTACK_OK)
		st = boot_listen(CONTROL, BOOT_NIC, &control, why);
	if (st == DSTACK_OK)
		st = boot_listen(PUBLIC, BOOT_NIC, &public, why);
	p->control = plan_high(control);
	p->public = plan_high(public);
	p->disk = plan_high(open(DISK, O_RDWR | O_CLOEXEC));
	return st;
}

/* The kernel has no loader; one that had must not be asked either. */
static enum dstack_status
vm_no_modules(struct why *why)
{
	return access(DOOR, F_OK) != 0 || boot_write(DOOR, "1")
	    ? DSTACK_OK
	    : why_set(why, DSTACK_E_SYS, DOOR ": %s", strerror(errno));
}

static enum dstack_status
vm_boot(struct plan *p, struct why *why)
{
	enum dstack_status st = boot_mounts(why);

	if (st == DSTACK_OK)
		st = boot_cmdline(why);
	if (st == DSTACK_OK)
		st = boot_cpu(!dstack_flavour.root->simulated, why);
	if (st == DSTACK_OK)
		st = boot_clock(
		    BOOT_CLOCK, dstack_flavour.root->simulated, why);
	if (st != DSTACK_OK)
		return st;
	watch_phase("kernel"); /* from here on it is ours */
	(void)reboot(RB_DISABLE_CAD);
	boot_sysctls();
	st = cgroup_prepare(CGROUP_ROOT, why);
	/* without init or keyd the secret is gone, without an app an app is */
	if (st == DSTACK_OK && !cgroup_first_to_go(CGROUP_ROLE))
		st = why_set(why, DSTACK_E_SYS, "oom_score_adj: %s",
		    strerror(errno));
	if (st == DSTACK_OK)
		st = vm_no_modules(why);
	if (st != DSTACK_OK)
		return st;
	/* the tee role of a TDX flavour wants it */
	(void)mount("configfs", "/sys/kernel/config", "configfs",
	    MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL);
	return vm_devices(p, why);
}

/* --- what a host gives (--no-vm) --------------------------------------- */

static enum dstack_status
unix_connect(const char *path, int *out, struct why *why)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	AUTO_CLOSE int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (strlen(path) >= sizeof(sa.sun_path))
		return why_set(why, DSTACK_E_LIMIT, "%s: path too long", path);
	memcpy(sa.sun_path, path, strlen(path) + 1);
	if (fd < 0 ||
	    connect(fd, (struct sockaddr *)(void *)&sa, sizeof(sa)) != 0)
		return why_set(
		    why, DSTACK_E_SYS, "%s: %s", path, strerror(errno));
	*out = plan_high(take_fd(&fd));
	return DSTACK_OK;
}

static enum dstack_status
host_devices(struct plan *p, const struct no_vm *o, struct why *why)
{
	int fd = -1;
	enum dstack_status st = unix_connect(o->link, &p->link, why);

	if (st == DSTACK_OK)
		st = unix_connect(o->tee, &p->tee, why);
	if (st == DSTACK_OK)
		st = boot_listen(o->control, NULL, &fd, why);
	p->control = plan_high(fd);
	fd = -1;
	if (st == DSTACK_OK)
		st = boot_listen(o->https, NULL, &fd, why);
	p->public = plan_high(fd);
	return st;
}

static volatile pid_t inner;
static volatile sig_atomic_t asked;

/* Once: in order. Twice: at once, with all that run below it. */
static void
end_inner(int sig)
{
	(void)sig;
	if (inner > 0)
		(void)kill(inner, asked ? SIGKILL : SIGTERM);
	asked = 1;
}

/*
 * Into namespaces of our own. The outer process waits for the inner one,
 * which is pid 1 there: when it dies, every role and container dies too.
 * Returns in the inner process only; *status is the outer's exit status.
 */
static bool
enter_namespaces(int *status, struct why *why)
{
	struct sigaction sa = { .sa_handler = end_inner };
	sigset_t set;
	int s = 0;

	if (unshare(CLONE_NEWNET | CLONE_NEWNS | CLONE_NEWPID) != 0) {
		(void)why_set(why, DSTACK_E_SYS, "namespaces: %s; run as root",
		    strerror(errno));
		*status = 1;
		return false;
	}
	/*
	 * Blocked until there is somebody to pass it on to, who keeps it
	 * blocked until signals() takes it.
	 */
	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGTERM);
	(void)sigaddset(&set, SIGINT);
	(void)sigprocmask(SIG_BLOCK, &set, NULL);
	(void)sigaction(SIGTERM, &sa, NULL);
	(void)sigaction(SIGINT, &sa, NULL);
	inner = fork();
	if (inner == 0) {
		(void)signal(SIGINT, SIG_DFL);
		(void)signal(SIGTERM, SIG_DFL);
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		return true;
	}
	(void)sigprocmask(SIG_UNBLOCK, &set, NULL);
	while (inner > 0 && waitpid(inner, &s, 0) < 0 && errno == EINTR)
		;
	/* killed from outside is how a host ends it: no failure */
	*status = inner < 0 ? 1 : WIFEXITED(s) ? WEXITSTATUS(s) : 0;
	return false;
}

static enum dstack_status
host_boot(struct plan *p, const struct no_vm *o, struct why *why)
{
	AUTO_CLOSE int nl = -1;

	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
	    mount("proc", "/proc", "proc",
		MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) != 0)
		return why_set(why, DSTACK_E_SYS, "/proc: %s", strerror(errno));
	/* opened in here: a folder of another mount namespace cannot be bound */
	p->disk = plan_high(open(o->volume, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	if (p->disk < 0)
		return why_set(why, DSTACK_E_SYS, "%s: %s", o->volume,
		    strerror(errno));
	if (mount("dstack-run", "/run", "tmpfs", MS_NOSUID | MS_NODEV,
		"mode=0755") != 0)
		return why_set(why, DSTACK_E_SYS, "/run: %s", strerror(errno));
	enum dstack_status st = nl_open(&nl, why);
	if (st == DSTACK_OK)
		st = nl_link_up(nl, "lo", why);
	return st;
}

/* --- common ------------------------------------------------------------ */

/* A network namespace with no link up, for the roles without a network. */
static enum dstack_status
empty_network(struct plan *p, struct why *why)
{
	AUTO_CLOSE int home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);

	if (home < 0 || unshare(CLONE_NEWNET) != 0)
		return why_set(why, DSTACK_E_SYS, "network namespace: %s",
		    strerror(errno));
	p->nonet = plan_high(open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC));
	if (setns(home, CLONE_NEWNET) != 0 || p->nonet < 0)
		return why_set(why, DSTACK_E_SYS, "network namespace: %s",
		    strerror(errno));
	return DSTACK_OK;
}

static enum dstack_status
extend(int edge, const char *name, const void *data, size_t n,
    struct why *why)
{
	AUTO_WR struct wr body = wr_new(IPC_MAX), out = wr_new(IPC_MAX);

	wr_text(&body, name);
	wr_blob(&body, data, n);
	return ipc_call(edge, TEE_EXTEND, &body, NULL, 0, &out, why);
}

/*
 * The TEE measured the netcfg this VM was started for; the host handed us
 * one. They must be the same before any role sees it. The two RTMR3 events
 * then tie every later quote to it.
 */
static enum dstack_status
bind_netcfg(struct init *in, struct why *why)
{
	int edge = in->plan.edge[ROLE_INIT][ROLE_TEE];
	uint8_t want[48];
	AUTO_WR struct wr body = wr_new(IPC_MAX), out = wr_new(IPC_MAX);
	enum dstack_status st =
	    ipc_call(edge, TEE_REPORT, &body, NULL, 0, &out, why);

	if (st != DSTACK_OK)
		return st;
	if (out.len != MRCONFIGID_AT + sizeof(want))
		return why_set(why, DSTACK_E_FORMAT,
		    "tee: a report of %zu bytes", out.len);
	sha384(in->netcfg, in->netcfg_len, want);
	if (!ct_equal(want, out.buf + MRCONFIGID_AT, sizeof(want)))
		return why_set(why, DSTACK_E_REJECTED,
		    "netcfg is not the one this VM was measured with "
		    "(MRCONFIGID); restart it with the netcfg it gets");
	st = extend(edge, "netcfg", want, sizeof(want), why);
	if (st == DSTACK_OK)
		st = extend(edge, "join-ready", NULL, 0, why);
	return st;
}

/*
 * What lightclient has proven of the chain outlives it, so that who can end it
 * cannot have it begin anew with an older one.
 */
static enum dstack_status
keep_view(struct plan *p, struct why *why)
{
	AUTO_CLOSE int fd =
	    memfd_create("view", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd < 0 || ftruncate(fd, ROLE_VIEW_MEMORY) != 0 ||
	    fcntl(fd, F_ADD_SEALS,
		F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW) != 0)
		return why_set(why, DSTACK_E_SYS, "view: memfd: %s",
		    strerror(errno));
	p->view = plan_high(take_fd(&fd));
	return DSTACK_OK;
}

static enum dstack_status
start_roles(struct init *in, struct why *why)
{
	struct watch *w = &in->watch;
	enum dstack_status st;

	st = boot_netcfg(in->plan.link, in->netcfg, sizeof(in->netcfg),
	    &in->netcfg_len, why);
	if (st == DSTACK_OK) {
		int fd = -1;
		st = boot_seal(in->netcfg, in->netcfg_len, &fd, why);
		in->plan.netcfg = plan_high(fd);
	}
	if (st == DSTACK_OK)
		st = keep_view(&in->plan, why);
	if (st == DSTACK_OK)
		st = empty_network(&in->plan, why);
	if (st == DSTACK_OK)
		st = plan_edges(&in->plan, PLAN_ALL, why);
	if (st == DSTACK_OK)
		st = watch_start(w, ROLE_TEE, why);
	if (st == DSTACK_OK)
		st = watch_ready(w, ROLE_TEE, TEE_WAIT_MS, why);
	if (st == DSTACK_OK)
		st = bind_netcfg(in, why);
	if (st == DSTACK_OK)
		st = boot_view(in->netcfg, in->netcfg_len,
		    dstack_flavour.root->simulated, why);
	for (int r = 1; r < ROLE_COUNT && st == DSTACK_OK; r++)
		if (r != ROLE_TEE)
			st = watch_start(w, (enum role)r, why);
	plan_close(&in->plan);
	return st;
}

static enum dstack_status
signals(int *sigfd, struct why *why)
{
	sigset_t set;

	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGCHLD);
	(void)sigaddset(&set, SIGTERM);
	(void)sigaddset(&set, SIGIO);
	(void)sigprocmask(SIG_BLOCK, &set, NULL);
	*sigfd = plan_high(signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
	if (*sigfd < 0)
		return why_set(
		    why, DSTACK_E_SYS, "signals: %s", strerror(errno));
	return DSTACK_OK;
}

static enum dstack_status
run(struct init *in, struct why *why)
{
	enum dstack_status st = signals(&in->sigfd, why);

	if (st == DSTACK_OK)
		st = start_roles(in, why);
	if (st == DSTACK_OK && !in->plan.no_vm)
		in->watch.stop = stop_port();
	if (st == DSTACK_OK) {
		watch_phase("boot");
		st = supervise(&in->watch, in->sigfd, why);
	}
	/* whatever ended it: an app that runs is not to lose what it has */
	stop_in_order(&in->watch, in->sigfd, !in->plan.no_vm);
	return st;
}

static bool
options(int argc, char **argv, struct no_vm *o)
{
	static const struct option lopt[] = { { "no-vm", 0, NULL, 'n' },
		{ "link", 1, NULL, 'l' }, { "tee", 1, NULL, 't' },
		{ "control", 1, NULL, 'c' }, { "https", 1, NULL, 'h' },
		{ "volume", 1, NULL, 'v' }, { NULL, 0, NULL, 0 } };
	bool no_vm = false;
	int c;

	while ((c = getopt_long(argc, argv, "", lopt, NULL)) != -1) {
		switch (c) {
		case 'n': no_vm = true; break;
		case 'l': o->link = optarg; break;
		case 't': o->tee = optarg; break;
		case 'c': o->control = optarg; break;
		case 'h': o->https = optarg; break;
		case 'v': o->volume = optarg; break;
		default: return false;
		}
	}
	return no_vm && o->link != NULL && o->tee != NULL &&
	    o->control != NULL && o->https != NULL && o->volume != NULL;
}

/* The end of the machine; the one line that says why is the last one. */
static void __attribute__((noreturn))
power_off(const struct why *why)
{
	log_line("%s; powering off", why->text);
	sync();
	(void)reboot(RB_POWER_OFF);
	for (;;)
		(void)pause();
}

int
init_main(int argc, char **argv)
{
	static struct init in;
	struct why why = { "" };
	struct no_vm o = { NULL, NULL, NULL, NULL, NULL };
	bool vm = getpid() == 1;
	enum dstack_status st = DSTACK_OK;
	int status = 0;

	plan_init(&in.plan);
	in.watch.plan = &in.plan;
	in.watch.stop = -1;
	for (int r = 0; r < ROLE_COUNT; r++)
		in.watch.child[r].log = -1;
	in.plan.no_vm = !vm;
	if (vm) {
		st = vm_boot(&in.plan, &why);
	} else {
		/* "dstack-guest init --no-vm": the role's name may be argv[1] */
		if (argc > 1 && strcmp(argv[1], role_name(ROLE_INIT)) == 0) {
			argc--;
			argv++;
		}
		if (!options(argc, argv, &o)) {
			log_line("usage: init --no-vm --link SOCKET --tee "
				 "SOCKET --control A:P --https A:P --volume DIR");
			return 2;
		}
		st = host_devices(&in.plan, &o, &why);
		in.plan.self = plan_high(
		    open("/proc/self/exe", O_RDONLY | O_CLOEXEC));
		if (st == DSTACK_OK && !enter_namespaces(&status, &why)) {
			if (why.text[0] != '\0')
				log_line("%s", why.text);
			return status;
		}
		if (st == DSTACK_OK)
			st = host_boot(&in.plan, &o, &why);
	}
	if (in.plan.self < 0)
		in.plan.self = plan_high(
		    open("/proc/self/exe", O_RDONLY | O_CLOEXEC));
	in.plan.null = plan_high(open("/dev/null", O_RDWR | O_CLOEXEC));
	if (st == DSTACK_OK)
		st = run(&in, &why);
	if (vm)
		power_off(&why);
	log_line("%s", why.text);
	return st == DSTACK_OK ? 0 : 1;
}
