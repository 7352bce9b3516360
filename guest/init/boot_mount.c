/* SPDX-License-Identifier: Apache-2.0 */
/* Mounts and kernel settings of the guest. */
#include "guest/init/boot.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/own.h"

bool
boot_write(const char *path, const char *text)
{
	AUTO_CLOSE int fd = open(path, O_WRONLY | O_CLOEXEC);
	size_t n = strlen(text);

	return fd >= 0 && write(fd, text, n) == (ssize_t)n;
}

enum dstack_status
boot_mounts(struct why *why)
{
	/*
	 * Containers and the volume are mounted below /run and /mnt; the
	 * image itself is measured and stays as it was measured.
	 */
	static const struct {
		const char *type, *at, *data;
		unsigned long flags;
		mode_t mode; /* not 0: made first */
	} m[] = {
		/* No role sees another's process. */
		{ "proc", "/proc", "hidepid=invisible",
		    MS_NOSUID | MS_NODEV | MS_NOEXEC, 0 },
		{ "sysfs", "/sys", NULL, MS_NOSUID | MS_NODEV | MS_NOEXEC, 0 },
		{ "devtmpfs", "/dev", "mode=0755", MS_NOSUID, 0 },
		{ "devpts", "/dev/pts", "newinstance,ptmxmode=0666,mode=0600",
		    MS_NOSUID | MS_NOEXEC, 0755 },
		{ "tmpfs", "/dev/shm", "mode=1777",
		    MS_NOSUID | MS_NODEV | MS_NOEXEC, 01777 },
		{ "cgroup2", "/sys/fs/cgroup", NULL,
		    MS_NOSUID | MS_NODEV | MS_NOEXEC, 0 },
		{ "tmpfs", "/run", "mode=0755", MS_NOSUID | MS_NODEV, 0 },
		{ "tmpfs", "/tmp", "mode=1777", MS_NOSUID | MS_NODEV, 0 },
		{ "tmpfs", "/mnt", "mode=0755", MS_NOSUID | MS_NODEV, 0 },
	};

	for (size_t i = 0; i < sizeof(m) / sizeof(m[0]); i++) {
		if (m[i].mode != 0)
			(void)mkdir(m[i].at, m[i].mode);
		if (mount(m[i].type, m[i].at, m[i].type, m[i].flags,
			m[i].data) != 0)
			return why_set(why, DSTACK_E_SYS, "mount %s: %s",
			    m[i].at, strerror(errno));
	}
	if (mkdir("/run/empty", 0555) != 0 && errno != EEXIST)
		return why_set(why, DSTACK_E_SYS, "/run/empty: %s",
		    strerror(errno));
	/* Last: from here on nothing can be put beside the measured files. */
	if (mount(NULL, "/", NULL, MS_REMOUNT | MS_RDONLY | MS_NODEV, NULL) !=
	    0)
		return why_set(why, DSTACK_E_SYS, "root read-only: %s",
		    strerror(errno));
	return DSTACK_OK;
}

static void
write_all(const char *const (*s)[2], size_t count)
{
	char path[128] = "/proc/sys/";
	const size_t at = strlen(path);

	for (size_t i = 0; i < count; i++) {
		size_t n = strlen(s[i][0]);
		if (at + n >= sizeof(path))
			continue;
		memcpy(path + at, s[i][0], n + 1);
		/* one LF: an empty string cannot be written as nothing */
		(void)boot_write(path, s[i][1][0] != '\0' ? s[i][1] : "\n");
	}
}

/*
 * What the kernel does not know is passed over: every line takes something
 * away, and none is needed to run.
 */
void
boot_sysctls(void)
{
	static const char *const s[][2] = {
		{ "kernel/sysrq", "0" },
		{ "kernel/ctrl-alt-del", "0" },
		{ "kernel/kexec_load_disabled", "1" },
		{ "kernel/kptr_restrict", "2" },
		{ "kernel/dmesg_restrict", "1" },
		{ "kernel/unprivileged_bpf_disabled", "1" },
		{ "kernel/perf_event_paranoid", "3" },
		{ "kernel/core_pattern", "" },
		{ "kernel/modprobe", "" },
		{ "fs/suid_dumpable", "0" },
	};

	write_all(s, sizeof(s) / sizeof(s[0]));
	boot_net_sysctls();
}

void
boot_net_sysctls(void)
{
	static const char *const s[][2] = {
		{ "net/ipv6/conf/all/disable_ipv6", "1" },
		{ "net/ipv6/conf/default/disable_ipv6", "1" },
		{ "net/ipv4/ip_forward", "0" }, /* before what it resets */
		{ "net/ipv4/conf/all/accept_redirects", "0" },
		{ "net/ipv4/conf/all/accept_source_route", "0" },
		/* or the host could speak in a container's name */
		{ "net/ipv4/conf/all/rp_filter", "1" },
	};

	write_all(s, sizeof(s) / sizeof(s[0]));
}
