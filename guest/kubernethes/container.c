/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One container, from nothing to gone.
 *
 * container_make: what an earlier one left in the slot is taken away, then
 * come a tmpfs for the tree, a user and a network namespace that live as long
 * as their descriptors, and a link between the guest and that network.
 * container_bound: the group that tree and processes will be charged to.
 * container_start, which may be called again when the app has ended: the
 * runtime's config is written beside the tree, the runtime sets the first
 * process up, hands it over and is gone; this role becomes its parent (a
 * subreaper), has its pid, and waits by a pidfd. container_drop: all of it
 * goes, the tree with the last mount of it.
 *
 * What can go wrong is the kernel's or the runtime's: then the slot is dropped
 * as a whole, and nothing of a half-made container stays. The app itself is
 * foreign: what it may do is bounded by what oci_spec.c writes.
 */
#include "guest/kubernethes/container.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "base/own.h"
#include "guest/init/cgroup.h"
#include "guest/init/egress.h"
#include "guest/kubernethes/container_priv.h"
#include "guest/kubernethes/image_volume.h"
#include "guest/init/netlink.h"
#include "guest/kubernethes/store.h"
#include "guest/kubernethes/unpack.h"

#define START_MS 120000 /* the runtime's own time, on a slow machine */

static enum dstack_status
sys(const struct container *c, const char *what, struct why *why)
{
	int err = errno;
	enum dstack_status st = why_set(why, DSTACK_E_SYS,
	    "container %u: %s: %s", c->slot, what, strerror(err));
	errno = err;
	return st;
}

void
container_init(struct container *c, unsigned slot)
{
	*c = (struct container){ .slot = slot, .dirfd = -1, .userns = -1,
		.netns = -1, .egress = -1, .log = -1, .pidfd = -1, .stop_signal = SIGTERM };
	(void)snprintf(c->dir, sizeof(c->dir), CONTAINER_BASE "/%u", slot);
}

static void
shut(int *fd)
{
	if (*fd >= 0)
		(void)close(*fd);
	*fd = -1;
}

static enum dstack_status
mount_tmpfs(const char *dir, uint64_t bytes, unsigned mode, uint32_t owner,
    unsigned long flags)
{
	char opts[128];
	(void)snprintf(opts, sizeof(opts),
	    "size=%llu,nr_inodes=%d,mode=%o,uid=%u,gid=%u",
	    (unsigned long long)bytes, OCI_MAX_ENTRIES + 4096, mode, owner,
	    owner);
	return mount("tmpfs", dir, "tmpfs", MS_NOSUID | MS_NODEV | flags,
		   opts) == 0
	    ? DSTACK_OK
	    : DSTACK_E_SYS;
}

static enum dstack_status
write_text(int dir, const char *name, const char *text)
{
	AUTO_CLOSE int fd = openat(dir, name,
	    O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);
	size_t n = strlen(text);
	/* the app reads hosts, whatever this role's umask is */
	return fd >= 0 && fchmod(fd, 0644) == 0 &&
		write(fd, text, n) == (ssize_t)n
	    ? DSTACK_OK
	    : DSTACK_E_SYS;
}

/* A file that its root may write, as in Docker: only it reads it again. */
enum dstack_status
container_write_its(int dir, const char *name, const char *text)
{
	return write_text(dir, name, text) == DSTACK_OK &&
		fchownat(dir, name, SPEC_ID_BASE, SPEC_ID_BASE,
		    AT_SYMLINK_NOFOLLOW) == 0
	    ? DSTACK_OK
	    : DSTACK_E_SYS;
}

enum dstack_status
container_resolver(const struct container *c)
{
	return container_write_its(c->dirfd, "resolv.conf",
	    c->egress >= 0 ? "nameserver " EGRESS_RESOLVER "\n"
			   : "# no way out, so nobody answers for names\n");
}

static enum dstack_status
make_dirs(struct container *c, uint64_t bytes, struct why *why)
{
	char host[64];
	char hosts[128];
	(void)mkdir("/run/dstack", 0755);
	(void)mkdir(CONTAINER_BASE, 0711);
	(void)mkdir(c->dir, 0711);
	if (mount_tmpfs(c->dir, bytes, 0711, 0, 0) != DSTACK_OK)
		return sys(c, "tmpfs", why);
	c->made = true;
	c->dirfd = open(c->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	(void)snprintf(host, sizeof(host), "%s/host", c->dir);
	(void)snprintf(hosts, sizeof(hosts),
	    "127.0.0.1 localhost dstack-app\n10.88.%u.1 dstack-guest\n",
	    c->slot);
	if (c->dirfd < 0 || mkdirat(c->dirfd, "root", 0755) != 0 ||
	    mkdirat(c->dirfd, "run", 0755) != 0 ||
	    mkdirat(c->dirfd, "host", 0755) != 0 ||
	    mkdirat(c->dirfd, "newroot", 0700) != 0 ||
	    mount_tmpfs(host, CONTAINER_HOST_BYTES, 0755, SPEC_ID_BASE,
		MS_NOEXEC) != DSTACK_OK ||
	    container_write_its(c->dirfd, "hosts", hosts) != DSTACK_OK ||
	    container_write_its(c->dirfd, "hostname", "dstack-app\n") != DSTACK_OK ||
	    container_resolver(c) != DSTACK_OK)
		return sys(c, "its folders", why);
	return DSTACK_OK;
}

enum dstack_status
container_link(struct container *c, struct why *why)
{
	const uint8_t guest[4] = { 10, 88, (uint8_t)container_place(c), 1 };
	const uint8_t app[4] = { 10, 88, (uint8_t)container_place(c), 2 };
	char name[16];
	AUTO_CLOSE int here = -1;
	AUTO_CLOSE int in = -1;
	(void)snprintf(name, sizeof(name), "app%u", container_place(c));
	enum dstack_status st = nl_open(&here, why);
	if (st == DSTACK_OK)
		st = nl_open_in(c->netns, &in, why);
	if (st == DSTACK_OK)
		st = nl_link_del(here, name, why);
	if (st == DSTACK_OK)
		st = nl_veth_add(here, name, "eth0", c->netns, why);
	if (st != DSTACK_OK)
		return st;
	/* The app plane is IPv4 alone; inside, [::] and ::1 are its own. */
	st = nl_no_ipv6(-1, name, why);
	if (st == DSTACK_OK)
		st = nl_no_ipv6(c->netns, "eth0", why);
	if (st == DSTACK_OK)
		st = nl_addr_add(here, name, guest, 30, why);
	if (st == DSTACK_OK)
		st = nl_link_up(here, name, why);
	if (st == DSTACK_OK)
		st = nl_addr_add(in, "eth0", app, 30, why);
	if (st == DSTACK_OK)
		st = nl_link_up(in, "eth0", why);
	if (st == DSTACK_OK)
		st = nl_link_up(in, "lo", why);
	/*
	 * No route: beside the app plane there is nothing it may reach, unless
	 * it has a way out, which is of another link and another namespace.
	 */
	if (st == DSTACK_OK && c->egress >= 0)
		st = egress_join(
		    c->egress, c->netns, container_place(c), why);
	return st;
}

void
container_uncover(const struct container *c)
{
	char host[64];

	(void)snprintf(host, sizeof(host), "%s/host", c->dir);
	while (umount2(host, MNT_DETACH) == 0)
		;
	while (umount2(c->dir, MNT_DETACH) == 0)
		;
}

enum dstack_status
container_make(struct container *c, uint64_t bytes, struct why *why)
{
	/* of an earlier container, or of a role that was ended over one */
	container_drop(c);
	container_uncover(c);
	if (cgroup_there(CGROUP_ROOT))
		cgroup_no_parts(CGROUP_ROOT, c->slot);
	enum dstack_status st = make_dirs(c, bytes, why);
	if (st == DSTACK_OK)
		st = container_namespaces(&c->userns, &c->netns, why);
	if (st == DSTACK_OK)
		st = container_link(c, why);
	if (st != DSTACK_OK)
		container_drop(c);
	return st;
}

enum dstack_status
container_store(struct container *c, struct why *why)
{
	char root[64];

	(void)snprintf(root, sizeof(root), "%s/root", c->dir);
	c->stored = true; /* also half done: container_drop takes it away */
	return store_tree(container_place(c), root, why);
}

int
container_root(const struct container *c)
{
	return openat(c->dirfd, "root", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

enum dstack_status
container_listen(
    const struct container *c, int *tcp, int *local, struct why *why)
{
	struct sockaddr_in in = { .sin_family = AF_INET,
		.sin_port = htons(80) };
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	char name[16];
	const int one = 1;
	in.sin_addr.s_addr = htonl(0x0a580001u | container_place(c) << 8);
	(void)snprintf(name, sizeof(name), "app%u", container_place(c));
	(void)snprintf(un.sun_path, sizeof(un.sun_path), "%s/run/dstack.sock",
	    c->dir);
	AUTO_CLOSE int t = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	/*
	 * Bound to the link: the other slot cannot reach it by its address.
	 * And no answer gets further than one hop, the container.
	 */
	if (t < 0 ||
	    setsockopt(t, IPPROTO_IP, IP_TTL, &one, sizeof(one)) != 0 ||
	    setsockopt(t, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) != 0 ||
	    setsockopt(t, SOL_SOCKET, SO_BINDTODEVICE, name,
		(socklen_t)strlen(name)) != 0 ||
	    bind(t, (const struct sockaddr *)&in, sizeof(in)) != 0 ||
	    listen(t, 64) != 0)
		return sys(c, "listening at dstack-guest:80", why);
	AUTO_CLOSE int u = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	/* in a folder of the slot that is mounted into the container; whoever
	   runs in there may connect, whatever the image's USER is */
	(void)unlink(un.sun_path);
	if (u < 0 ||
	    bind(u, (const struct sockaddr *)&un, sizeof(un)) != 0 ||
	    chmod(un.sun_path, 0666) != 0 || listen(u, 64) != 0)
		return sys(c, "listening at dstack.sock", why);
	*tcp = take_fd(&t);
	*local = take_fd(&u);
	return DSTACK_OK;
}

/* WORKDIR and VOLUMEs that the image has not made. */
static enum dstack_status
image_dirs(struct container *c, const struct oci_config *cfg,
    const struct spec_user *user, struct why *why)
{
	AUTO_CLOSE int root = container_root(c);
	if (root < 0)
		return sys(c, "root", why);
	for (size_t i = 0; i <= cfg->nvolumes; i++) {
		char path[OCI_MAX_PATH + 1];
		const char *want =
		    i < cfg->nvolumes ? cfg->volumes[i] : cfg->workdir;
		enum dstack_status st = oci_path(want, path, why);
		if (st != DSTACK_OK)
			return st;
		AUTO_CLOSE int there = unpack_open_in_root(
		    root, path, O_PATH | O_DIRECTORY);
		if (there >= 0)
			continue;
		AUTO_CLOSE int dir =
		    unpack_make_dir(root, path, SPEC_ID_BASE + user->uid);
		if (dir < 0)
			return sys(c, "WORKDIR or VOLUME of the image", why);
	}
	return DSTACK_OK;
}

static bool
has_tmp(const struct container *c)
{
	AUTO_CLOSE int root = container_root(c);
	AUTO_CLOSE int tmp = root < 0
	    ? -1
	    : unpack_open_in_root(root, "tmp", O_PATH | O_DIRECTORY);

	return tmp >= 0;
}

/* The runtime's first line of complaint. */
static void
runtime_says(struct container *c, int status, struct why *why)
{
	char text[200];
	AUTO_CLOSE int fd = openat(
	    c->dirfd, "crun.log", O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	ssize_t n = fd >= 0 ? read(fd, text, sizeof(text) - 1) : -1;
	text[n > 0 ? n : 0] = '\0';
	text[strcspn(text, "\n")] = '\0';
	if (WIFSIGNALED(status))
		(void)why_set(why, DSTACK_E_SYS,
		    "container %u: the runtime was ended by signal %d", c->slot,
		    WTERMSIG(status));
	else if (WEXITSTATUS(status) == CONTAINER_NO_ROOT)
		(void)why_set(why, DSTACK_E_SYS,
		    "container %u: no mount namespace for the runtime",
		    c->slot);
	else if (WEXITSTATUS(status) == CONTAINER_NO_GROUP)
		(void)why_set(why, DSTACK_E_SYS,
		    "container %u: it cannot be put into its bounds",
		    c->slot);
	else
		(void)why_set(why, DSTACK_E_SYS,
		    "container %u: the runtime refuses to start it: %s",
		    c->slot, n > 0 ? text : CONTAINER_RUNTIME " is missing?");
}

pid_t
container_read_pid(const struct container *c, const char *name)
{
	char text[32] = "";
	AUTO_CLOSE int fd =
	    openat(c->dirfd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	ssize_t n = fd >= 0 ? read(fd, text, sizeof(text) - 1) : -1;
	long pid = n > 0 ? strtol(text, NULL, 10) : 0;
	return pid > 1 && pid <= INT32_MAX ? (pid_t)pid : 0;
}

static enum dstack_status
first_process(struct container *c, struct why *why)
{
	pid_t pid = container_read_pid(c, "pid");
	if (pid == 0)
		return why_set(why, DSTACK_E_SYS,
		    "container %u: the runtime left no process id", c->slot);
	c->pidfd = container_pidfd(pid);
	if (c->pidfd < 0)
		return sys(c, "its process", why);
	c->pid = pid;
	return DSTACK_OK;
}

enum dstack_status
container_bound(const struct container *c, uint64_t free, struct why *why)
{
	return cgroup_there(CGROUP_ROOT)
	    ? cgroup_slot(CGROUP_ROOT, c->slot, free, why)
	    : DSTACK_OK;
}

enum dstack_status
container_start(struct container *c, const struct oci_config *config,
    const char *volume, bool want_log, uint64_t free, struct why *why)
{
	AUTO_FREE char *json = NULL;
	AUTO_FREE struct spec_bind *binds = NULL;
	AUTO_CLOSE int out = -1;
	char data[80];
	struct spec_user user;
	struct spec s = { .config = config, .user = &user, .dir = c->dir,
		/* of several containers only the front has these two */
		.data = volume != NULL && c->part == 0 ? data : NULL,
		.no_host = c->part != 0,
		.shm_size = c->service != NULL ? c->service->shm_size : 0,
		.no_tmp = !has_tmp(c), .cgroup = cgroup_there(CGROUP_ROOT),
		.userns_fd = CONTAINER_FD_USER,
		.netns_fd = CONTAINER_FD_NET };
	(void)snprintf(
	    data, sizeof(data), "%s/app", volume != NULL ? volume : "");
	AUTO_CLOSE int root = container_root(c);
	enum dstack_status st = spec_user(root, config->user, &user, why);
	if (st == DSTACK_OK)
		st = image_dirs(c, config, &user, why);
	if (st == DSTACK_OK && volume != NULL)
		st = container_volumes(c, config, volume, &s, &binds, why);
	if (st == DSTACK_OK)
		st = spec_write(&s, &json, why);
	if (st != DSTACK_OK)
		return st;
	/* Both folders are the user's, as a named volume would be. */
	char host[64];
	(void)snprintf(host, sizeof(host), "%s/host", c->dir);
	st = image_hand_over(
	    host, SPEC_ID_BASE + user.uid, SPEC_ID_BASE + user.gid, why);
	if (st == DSTACK_OK && s.data != NULL)
		st = image_hand_over(data, SPEC_ID_BASE + user.uid,
		    SPEC_ID_BASE + user.gid, why);
	if (st != DSTACK_OK)
		return st;
	AUTO_FREE char *check = NULL;
	if (config->health.ntest != 0)
		st = spec_write_check(&s, &check, why);
	if (st != DSTACK_OK)
		return st;
	if (write_text(c->dirfd, "config.json", json) != DSTACK_OK ||
	    (check != NULL &&
		write_text(c->dirfd, "check.json", check) != DSTACK_OK) ||
	    unpack_remove(c->dirfd, "state") != DSTACK_OK ||
	    unpack_remove(c->dirfd, "crun.log") != DSTACK_OK ||
	    unpack_remove(c->dirfd, "pid") != DSTACK_OK)
		return sys(c, "its bundle", why);
	shut(&c->log);
	if (want_log) {
		int p[2];
		if (pipe2(p, O_CLOEXEC) != 0)
			return sys(c, "log pipe", why);
		c->log = p[0];
		out = p[1];
		if (fcntl(c->log, F_SETFL, O_NONBLOCK) != 0)
			return sys(c, "log pipe", why);
	}
	st = container_bound(c, free, why);
	if (st != DSTACK_OK)
		return st;
	c->stop_signal = spec_stop_signal(config->stopsignal);
	/* one that was found stays: what serves is started again as it was */
	if (config->port != 0)
		c->port = config->port;
	int status = 0;
	st = container_runtime(c, out, START_MS, &status, why);
	if (st != DSTACK_OK)
		return st;
	if (status != 0) {
		runtime_says(c, status, why);
		return DSTACK_E_SYS;
	}
	return first_process(c, why);
}

bool
container_ended(struct container *c, int *status)
{
	if (c->pid == 0)
		return false;
	struct pollfd p = { .fd = c->pidfd, .events = POLLIN };
	if (poll(&p, 1, 0) != 1)
		return false;
	*status = 0;
	(void)waitpid(c->pid, status, WNOHANG);
	shut(&c->pidfd);
	c->pid = 0;
	return true;
}

uint32_t
container_address(const struct container *c)
{
	return htonl(0x0a580002u | container_place(c) << 8);
}

bool
container_answers(const struct container *c, int wait_ms)
{
	struct sockaddr_in to = { .sin_family = AF_INET,
		.sin_port = htons(c->port) };
	to.sin_addr.s_addr = container_address(c);
	AUTO_CLOSE int fd = socket(
	    AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return false;
	if (connect(fd, (const struct sockaddr *)&to, sizeof(to)) == 0)
		return true;
	struct pollfd p = { .fd = fd, .events = POLLOUT };
	int err = 0;
	socklen_t n = sizeof(err);
	return errno == EINPROGRESS && poll(&p, 1, wait_ms) == 1 &&
	    getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &n) == 0 && err == 0;
}

void
container_ask(const struct container *c)
{
	if (c->pid != 0)
		(void)container_signal(c->pidfd, c->stop_signal);
}

void
container_stop(struct container *c, int grace_ms)
{
	int status;
	if (c->pid == 0)
		return;
	struct pollfd p = { .fd = c->pidfd, .events = POLLIN };
	/* asked and killed at once, what it still does would be chance */
	if (grace_ms == 0 ||
	    container_signal(c->pidfd, c->stop_signal) != 0 ||
	    poll(&p, 1, grace_ms) != 1) {
		(void)container_signal(c->pidfd, SIGKILL);
		(void)poll(&p, 1, 10000);
	}
	(void)container_ended(c, &status);
}

void
container_drop(struct container *c)
{
	char name[16];
	AUTO_CLOSE int nl = -1;
	(void)snprintf(name, sizeof(name), "app%u", container_place(c));
	container_stop(c, 0);
	shut(&c->log);
	shut(&c->dirfd);
	shut(&c->userns);
	shut(&c->netns);
	if (c->egress >= 0)
		egress_leave(c->egress, container_place(c));
	/* A link that cannot go now is in the way of the next one, who says so. */
	if (nl_open(&nl, NULL) == DSTACK_OK)
		(void)!nl_link_del(nl, name, NULL);
	char host[64];
	(void)snprintf(host, sizeof(host), "%s/root", c->dir);
	if (c->stored)
		store_gone(container_place(c), host);
	c->stored = false;
	if (c->made) {
		(void)snprintf(host, sizeof(host), "%s/host", c->dir);
		(void)umount2(host, MNT_DETACH);
		(void)umount2(c->dir, MNT_DETACH);
	}
	c->made = c->own_group = false;
	c->service = NULL;
}
