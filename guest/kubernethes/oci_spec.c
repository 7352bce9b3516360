/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The runtime's config (OCI runtime-spec 1.1) for an image's.
 *
 * From the image come the command, the environment, the folder to start in
 * and the user; a name of a user or a group is looked up in the image's own
 * /etc, as in a container of Docker's. All else is this project's: namespaces,
 * mounts, capabilities, masked paths, bounds, and the list of calls
 * (oci_seccomp.c). Nothing that an image says adds to those. What is wrong
 * with the image (no command, an unknown user) is refused here with its line.
 */
#include "guest/kubernethes/oci_spec.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "base/own.h"
#include "guest/kubernethes/unpack.h"
#include "protocol/appsecret.h"

#define MAX_ETC (1u << 20) /* bytes of /etc/passwd and /etc/group read */

/*
 * A file of the image's tree as text; "" if there is none. A link to it is
 * followed as the container would follow it; anything but a plain file of a
 * size that fits is no such file.
 */
static char *
etc_file(int root, const char *path)
{
	AUTO_CLOSE int fd = unpack_open_in_root(root, path, O_RDONLY | O_NONBLOCK);
	struct stat s;
	if (fd < 0 || fstat(fd, &s) != 0 || !S_ISREG(s.st_mode) ||
	    s.st_size > (off_t)MAX_ETC)
		return strdup("");
	AUTO_FREE char *p = malloc((size_t)s.st_size + 1);
	ssize_t n = p != NULL ? read(fd, p, (size_t)s.st_size) : -1;
	if (n < 0)
		return strdup("");
	p[n] = '\0';
	return take_ptr(&p);
}

static bool
number(const char *t, size_t n, uint32_t *out)
{
	uint32_t v = 0;
	if (n == 0 || n > 9)
		return false;
	for (size_t i = 0; i < n; i++) {
		if (t[i] < '0' || t[i] > '9')
			return false;
		v = v * 10 + (uint32_t)(t[i] - '0');
	}
	*out = v;
	return true;
}

/* Field i (from 0) of a line "a:b:c"; its length in *n. */
static const char *
field(const char *line, size_t len, unsigned i, size_t *n)
{
	const char *end = line + len;
	while (i-- > 0) {
		line = memchr(line, ':', (size_t)(end - line));
		if (line == NULL)
			return NULL;
		line++;
	}
	const char *stop = memchr(line, ':', (size_t)(end - line));
	*n = (size_t)((stop != NULL ? stop : end) - line);
	return line;
}

static bool
is(const char *line, size_t len, unsigned i, const char *want, size_t wlen)
{
	size_t n = 0;
	const char *f = field(line, len, i, &n);
	return f != NULL && n == wlen && memcmp(f, want, n) == 0;
}

/* The line of a passwd or group file whose name, or id, is want. */
static const char *
find(const char *text, const char *want, size_t wlen, size_t *len)
{
	uint32_t id = 0;
	bool numeric = number(want, wlen, &id);
	while (*text != '\0') {
		*len = strcspn(text, "\n");
		if (is(text, *len, numeric ? 2 : 0, want, wlen))
			return text;
		text += *len + (text[*len] == '\n' ? 1 : 0);
	}
	return NULL;
}

static bool
id_field(const char *line, size_t len, unsigned i, uint32_t *out)
{
	size_t n = 0;
	const char *f = line != NULL ? field(line, len, i, &n) : NULL;
	return f != NULL && number(f, n, out);
}

/* The groups whose member list has name. */
static void
more_groups(const char *text, const char *name, size_t nlen,
    struct spec_user *out)
{
	for (size_t len; *text != '\0'; text += len + (text[len] == '\n')) {
		len = strcspn(text, "\n");
		size_t n = 0;
		uint32_t gid = 0;
		const char *m = field(text, len, 3, &n);
		if (m == NULL || !id_field(text, len, 2, &gid) ||
		    gid > OCI_MAX_ID)
			continue;
		const char *end = m + n;
		while (m < end && out->ngroups < 32) {
			const char *c = memchr(m, ',', (size_t)(end - m));
			size_t k = (size_t)((c != NULL ? c : end) - m);
			if (k == nlen && memcmp(m, name, k) == 0)
				out->groups[out->ngroups++] = gid;
			m += k + 1;
		}
	}
}

enum dstack_status
spec_user(int root, const char *user, struct spec_user *out, struct why *why)
{
	AUTO_FREE char *passwd = etc_file(root, "etc/passwd");
	AUTO_FREE char *group = etc_file(root, "etc/group");
	struct spec_user u = { .home = "/" };
	if (passwd == NULL || group == NULL)
		return why_set(why, DSTACK_E_NOMEM, "image: no memory");
	/* USER[:GROUP], each a name or a number; none is root */
	size_t ulen = strcspn(user, ":");
	const char *g = user[ulen] == ':' ? user + ulen + 1 : "";
	const char *who = ulen != 0 ? user : "0";
	size_t wlen = ulen != 0 ? ulen : 1;
	size_t len = 0;
	const char *line = find(passwd, who, wlen, &len);
	/* a number needs no line, and then has group 0, as Docker has it */
	if (line == NULL && !number(who, wlen, &u.uid))
		return why_set(why, DSTACK_E_REJECTED,
		    "image: USER %.60s is not in its /etc/passwd", user);
	if (line != NULL) {
		size_t n = 0;
		const char *home = field(line, len, 5, &n);
		if (!id_field(line, len, 2, &u.uid) ||
		    !id_field(line, len, 3, &u.gid))
			return why_set(why, DSTACK_E_REJECTED,
			    "image: USER %.60s: its line in /etc/passwd is "
			    "broken", user);
		if (home != NULL && n != 0 && n < sizeof(u.home)) {
			memcpy(u.home, home, n);
			u.home[n] = '\0';
		}
		const char *name = field(line, len, 0, &n);
		if (g[0] == '\0' && name != NULL)
			more_groups(group, name, n, &u);
	}
	if (g[0] != '\0' && !number(g, strlen(g), &u.gid)) {
		const char *gl = find(group, g, strlen(g), &len);
		if (!id_field(gl, len, 2, &u.gid))
			return why_set(why, DSTACK_E_REJECTED,
			    "image: USER %.60s: no such group in its "
			    "/etc/group", user);
	}
	if (u.uid > OCI_MAX_ID || u.gid > OCI_MAX_ID)
		return why_set(why, DSTACK_E_REJECTED,
		    "image: USER %.60s: the last id is %d", user, OCI_MAX_ID);
	*out = u;
	return DSTACK_OK;
}

int
spec_stop_signal(const char *text)
{
	static const struct {
		const char *name;
		int sig;
	} names[] = { { "TERM", SIGTERM }, { "INT", SIGINT },
		{ "QUIT", SIGQUIT }, { "HUP", SIGHUP }, { "KILL", SIGKILL },
		{ "USR1", SIGUSR1 }, { "USR2", SIGUSR2 }, { "ABRT", SIGABRT },
		{ "ALRM", SIGALRM }, { "WINCH", SIGWINCH },
		{ "PWR", SIGPWR } };
	uint32_t v = 0;
	unsigned rt = 0;
	if (number(text, strlen(text), &v) && v >= 1 && v <= 64)
		return (int)v;
	if (strncasecmp(text, "SIG", 3) == 0)
		text += 3;
	if (sscanf(text, "RTMIN+%u", &rt) == 1 && rt <= 30)
		return 34 + (int)rt; /* as glibc and Docker count */
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (strcasecmp(text, names[i].name) == 0)
			return names[i].sig;
	}
	return SIGTERM;
}

static json_t *
mount_of(const char *to, const char *type, const char *from, const char *opts)
{
	json_t *o = json_array();
	while (*opts != '\0') {
		size_t n = strcspn(opts, ",");
		(void)json_array_append_new(o, json_stringn(opts, n));
		opts += n + (opts[n] == ',' ? 1 : 0);
	}
	return json_pack("{s:s, s:s, s:s, s:o}", "destination", to, "type",
	    type, "source", from, "options", o);
}

static void
bind_of(json_t *list, const struct spec *s, const char *from, const char *to,
    const char *opts)
{
	char path[512];
	(void)snprintf(path, sizeof(path), "%s%s%s",
	    from[0] == '/' ? "" : s->dir, from[0] == '/' ? "" : "/", from);
	(void)json_array_append_new(list, mount_of(to, "bind", path, opts));
}

/*
 * In this order, as a later one may lie in an earlier: the kernel's, then
 * memory, then the names of this host, then what lasts. All are nosuid, and
 * nodev but for /dev; where no app keeps programs they are noexec as well.
 */
static json_t *
mounts(const struct spec *s)
{
	static const struct {
		const char *to, *type, *opts;
	} fs[] = {
		{ "/proc", "proc", "nosuid,noexec,nodev" },
		{ "/dev", "tmpfs",
		    "nosuid,noexec,strictatime,mode=755,size=64k" },
		{ "/dev/pts", "devpts",
		    "nosuid,noexec,newinstance,ptmxmode=0666,mode=0620" },
		{ "/dev/shm", "tmpfs",
		    "nosuid,noexec,nodev,mode=1777,size=64m" },
		{ "/dev/mqueue", "mqueue", "nosuid,noexec,nodev" },
		{ "/sys", "sysfs", "nosuid,noexec,nodev,ro" },
	};
	static const char *const socks[] = { "/var/run/dstack.sock",
		"/run/dstack.sock", "/var/run/dstack/dstack.sock",
		"/run/dstack/dstack.sock", "/var/run/tappd.sock",
		"/run/tappd.sock", "/var/run/dstack/tappd.sock",
		"/run/dstack/tappd.sock" };
	json_t *l = json_array();
	for (size_t i = 0; i < sizeof(fs) / sizeof(fs[0]); i++) {
		const char *opts = fs[i].opts;
		char shm[80];
		(void)snprintf(shm, sizeof(shm),
		    "nosuid,noexec,nodev,mode=1777,size=%llu",
		    (unsigned long long)s->shm_size);
		if (s->shm_size != 0 && strcmp(fs[i].to, "/dev/shm") == 0)
			opts = shm;
		(void)json_array_append_new(l,
		    mount_of(fs[i].to, fs[i].type, fs[i].type, opts));
	}
	/* Runtimes of languages size themselves by what they read there. */
	if (s->cgroup)
		(void)json_array_append_new(l,
		    mount_of("/sys/fs/cgroup", "cgroup", "cgroup",
			"nosuid,noexec,nodev,ro"));
	if (s->no_tmp)
		(void)json_array_append_new(l,
		    mount_of("/tmp", "tmpfs", "tmpfs",
			"nosuid,nodev,mode=1777"));
	/* before what is this guest's: a VOLUME /etc must not hide its hosts */
	for (size_t i = 0; i < s->nbinds; i++) {
		const struct spec_bind *b = &s->binds[i];
		if (b->from[0] == '\0')
			(void)json_array_append_new(l,
			    mount_of(b->to, "tmpfs", "tmpfs",
				"nosuid,nodev,mode=1777"));
		else
			bind_of(l, s, b->from, b->to,
			    b->read_only ? "bind,nosuid,nodev,ro"
					 : "bind,nosuid,nodev");
	}
	bind_of(l, s, "hosts", "/etc/hosts", "bind,nosuid,nodev,noexec");
	bind_of(l, s, "hostname", "/etc/hostname", "bind,nosuid,nodev,noexec");
	bind_of(l, s, "resolv.conf", "/etc/resolv.conf",
	    "bind,nosuid,nodev,noexec");
	/* one socket, wherever an SDK of some age looks for it */
	for (size_t i = 0; i < sizeof(socks) / sizeof(socks[0]); i++)
		bind_of(l, s, "run/dstack.sock", socks[i],
		    "bind,nosuid,nodev,noexec");
	if (!s->no_host)
		bind_of(l, s, "host", "/mnt/host_volume",
		    "bind,nosuid,nodev,noexec");
	if (oci_label(s->config, APPSECRET_LABEL) != NULL)
		bind_of(l, s, "secrets", "/run/secrets",
		    "bind,ro,nosuid,nodev,noexec");
	if (s->data != NULL)
		bind_of(l, s, s->data, "/mnt/encrypted_data",
		    "bind,nosuid,nodev");
	return l;
}

/*
 * Namespaces, ids, and the parts of /proc and /sys that speak of the guest.
 * The user and the network namespace are there already, named by descriptor;
 * ports below 1024 and ping are for everybody in the container, as it has its
 * network for itself.
 */
static json_t *
linux_part(const struct spec *s)
{
	char user[40];
	char net[40];
	(void)snprintf(user, sizeof(user), "/proc/self/fd/%d", s->userns_fd);
	(void)snprintf(net, sizeof(net), "/proc/self/fd/%d", s->netns_fd);
	return json_pack(
	    "{s:[{s:s}, {s:s}, {s:s}, {s:s}, {s:s}, {s:s, s:s}, {s:s, s:s}],"
	    "s:[{s:i, s:I, s:I}], s:[{s:i, s:I, s:I}], s:{s:s, s:s},"
	    "s:[s, s, s, s, s, s, s, s, s, s], s:[s, s, s, s, s, s], s:s,"
	    "s:o}",
	    "namespaces", "type", "mount", "type", "pid", "type", "ipc", "type",
	    "uts", "type", "cgroup", "type", "user", "path", user, "type",
	    "network", "path", net,
	    "uidMappings", "containerID", 0, "hostID",
	    (json_int_t)SPEC_ID_BASE, "size", (json_int_t)SPEC_ID_COUNT,
	    "gidMappings", "containerID", 0, "hostID",
	    (json_int_t)SPEC_ID_BASE, "size", (json_int_t)SPEC_ID_COUNT,
	    "sysctl", "net.ipv4.ip_unprivileged_port_start", "0",
	    "net.ipv4.ping_group_range", "0 65535",
	    "maskedPaths", "/proc/acpi", "/proc/asound", "/proc/kcore",
	    "/proc/keys", "/proc/latency_stats", "/proc/timer_list",
	    "/proc/sched_debug", "/proc/scsi", "/sys/firmware",
	    "/sys/kernel",
	    "readonlyPaths", "/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys",
	    "/proc/sysrq-trigger", "/proc/tty", "rootfsPropagation", "private",
	    "seccomp", spec_seccomp());
}

static bool
env_has(const struct oci_config *c, const char *name)
{
	for (size_t i = 0; i < c->nenv; i++) {
		if (strncmp(c->env[i], name, strlen(name)) == 0)
			return true;
	}
	return false;
}

/*
 * Docker's default, less NET_RAW and MKNOD. They are of the container's own
 * user namespace and reach what its ids own, nothing else: an image that
 * starts as root can hand its folders to the user it then becomes. A USER
 * that is not root has none, and no-new-privileges keeps it so.
 */
static json_t *
capabilities(bool root)
{
	static const char *const names[] = { "CAP_CHOWN", "CAP_DAC_OVERRIDE",
		"CAP_FOWNER", "CAP_FSETID", "CAP_KILL", "CAP_SETGID",
		"CAP_SETUID", "CAP_SETPCAP", "CAP_NET_BIND_SERVICE",
		"CAP_SYS_CHROOT", "CAP_SETFCAP", "CAP_AUDIT_WRITE" };
	static const char *const sets[] = { "bounding", "effective",
		"permitted" };
	json_t *o = json_pack("{s:[], s:[]}", "inheritable", "ambient");

	for (size_t i = 0; i < sizeof(sets) / sizeof(sets[0]); i++) {
		json_t *l = json_array();
		for (size_t k = 0; root && k < sizeof(names) / sizeof(names[0]);
		     k++)
			(void)json_array_append_new(l, json_string(names[k]));
		(void)json_object_set_new(o, sets[i], l);
	}
	return o;
}

static void
append(json_t *list, char *const *v, size_t n)
{
	for (size_t i = 0; i < n; i++)
		(void)json_array_append_new(list, json_string(v[i]));
}

/* ENTRYPOINT and then CMD. */
static json_t *
command(const struct oci_config *c)
{
	json_t *args = json_array();
	append(args, c->entrypoint, c->nentrypoint);
	append(args, c->cmd, c->ncmd);
	return args;
}

/* What Healthcheck.Test says after its first word, by SHELL or as it is. */
static json_t *
check_command(const struct oci_config *c)
{
	json_t *args = json_array();
	append(args, c->shell, c->health.shell ? c->nshell : 0);
	if (c->health.shell && c->nshell == 0) {
		(void)json_array_append_new(args, json_string("/bin/sh"));
		(void)json_array_append_new(args, json_string("-c"));
	}
	append(args, c->health.test + 1, c->health.ntest - 1);
	return args;
}

/*
 * A process with these args (taken over): the image's environment, with the
 * three variables that Docker adds where the image does not name them.
 */
static json_t *
process(const struct spec *s, json_t *args)
{
	const struct oci_config *c = s->config;
	json_t *env = json_array();
	json_t *groups = json_array();
	if (!env_has(c, "PATH="))
		(void)json_array_append_new(env,
		    json_string("PATH=/usr/local/sbin:/usr/local/bin:"
				"/usr/sbin:/usr/bin:/sbin:/bin"));
	if (!env_has(c, "HOME="))
		(void)json_array_append_new(
		    env, json_sprintf("HOME=%s", s->user->home));
	if (!env_has(c, "HOSTNAME="))
		(void)json_array_append_new(
		    env, json_string("HOSTNAME=dstack-app"));
	for (size_t i = 0; i < c->nenv; i++)
		(void)json_array_append_new(env, json_string(c->env[i]));
	for (size_t i = 0; i < s->user->ngroups; i++)
		(void)json_array_append_new(groups,
		    json_integer((json_int_t)s->user->groups[i]));
	return json_pack("{s:b, s:{s:I, s:I, s:o}, s:o, s:o, s:s, s:b, s:i,"
			 "s:o}",
	    "terminal", 0, "user", "uid", (json_int_t)s->user->uid, "gid",
	    (json_int_t)s->user->gid, "additionalGids", groups, "args", args,
	    "env", env, "cwd", c->workdir[0] == '/' ? c->workdir : "/",
	    "noNewPrivileges", 1, "oomScoreAdj", 500, "capabilities",
	    capabilities(s->user->uid == 0));
}

enum dstack_status
spec_write(const struct spec *s, char **json, struct why *why)
{
	if (s->config->nentrypoint + s->config->ncmd == 0)
		return why_set(why, DSTACK_E_REJECTED,
		    "image: neither ENTRYPOINT nor CMD says what to run");
	/*
	 * Slashes on purpose: crun looks for the mount above the root in as
	 * many steps as the path has slashes, and one.
	 */
	json_t *j = json_pack("{s:s, s:s, s:o, s:{s:s, s:b}, s:o, s:o}",
	    "ociVersion", "1.0.0", "hostname", "dstack-app", "process",
	    process(s, command(s->config)), "root", "path", "./././././root", "readonly", 0, "mounts",
	    mounts(s), "linux", linux_part(s));
	*json = j != NULL ? json_dumps(j, JSON_COMPACT) : NULL;
	json_decref(j);
	return *json != NULL ? DSTACK_OK
			     : why_set(why, DSTACK_E_NOMEM,
				   "container: no memory, or a text of the "
				   "image that is not UTF-8");
}

enum dstack_status
spec_write_check(const struct spec *s, char **json, struct why *why)
{
	AUTO_FREE char *text = NULL;
	json_t *j = process(s, check_command(s->config));

	text = j != NULL ? json_dumps(j, JSON_COMPACT) : NULL;
	json_decref(j);
	*json = take_ptr(&text);
	return *json != NULL ? DSTACK_OK
			     : why_set(why, DSTACK_E_NOMEM,
				   "container: no memory, or a HEALTHCHECK "
				   "that is not UTF-8");
}
