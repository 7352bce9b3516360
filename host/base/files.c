/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The shared folder, as guest and relay's messages may use it: files of plain
 * names, nothing below, no links. Each name is checked before it reaches the
 * kernel, each file is opened without following links and looked at by its
 * descriptor. What is written is whole or not there: a temporary file, on disk,
 * then its name. The host's own files cannot be written this way, since a guest
 * (or an app in it) could otherwise change what its host trusts.
 */
#include "host/base/files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>

/* One level, no hidden files, and neither "." nor "..". */
bool
files_name_ok(const char *name)
{
	static const char set[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				  "abcdefghijklmnopqrstuvwxyz0123456789._-";
	size_t n = strlen(name);

	return n >= 1 && n <= FILES_NAME_MAX && strspn(name, set) == n &&
	    strspn(name, ".") != n;
}

enum dstack_status
files_open(const char *path, int *dirfd, struct why *why)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return why_set(why, DSTACK_E_SYS, "shared folder %s: %s", path,
		    strerror(errno));
	*dirfd = fd;
	return DSTACK_OK;
}

enum dstack_status
files_read(int dirfd, const char *name, uint64_t offset, size_t len,
    struct wr *out, struct why *why)
{
	struct stat sb;

	if (!files_name_ok(name))
		return why_set(why, DSTACK_E_REJECTED, "no such file name");
	/* O_NONBLOCK: a FIFO must not hold us up before fstat sees it */
	AUTO_CLOSE int fd = openat(dirfd, name,
	    O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
	if (fd < 0 && errno == ENOENT)
		return why_set(why, DSTACK_E_MISSING, "no file %s", name);
	if (fd < 0 && (errno == ELOOP || errno == ENXIO))
		return why_set(
		    why, DSTACK_E_REJECTED, "%s is no regular file", name);
	if (fd < 0 || fstat(fd, &sb) != 0)
		return why_set(
		    why, DSTACK_E_SYS, "%s: %s", name, strerror(errno));
	if (!S_ISREG(sb.st_mode))
		return why_set(
		    why, DSTACK_E_REJECTED, "%s is no regular file", name);
	/*
	 * The size goes first, so that a reader knows from any piece how much
	 * there is.
	 */
	wr_u64be(out, (uint64_t)sb.st_size);
	if (offset >= (uint64_t)sb.st_size)
		return wr_status(out);
	if ((uint64_t)len > (uint64_t)sb.st_size - offset)
		len = (size_t)((uint64_t)sb.st_size - offset);
	AUTO_FREE uint8_t *buf = malloc(len > 0 ? len : 1);
	size_t n = 0;
	if (buf == NULL)
		return DSTACK_E_NOMEM;
	while (n < len) {
		ssize_t got = pread(fd, buf + n, len - n, (off_t)(offset + n));
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return why_set(why, DSTACK_E_SYS, "%s: %s", name,
			    strerror(errno));
		if (got == 0)
			break; /* it shrank: the reader sees the short part */
		n += (size_t)got;
	}
	wr_put(out, buf, n);
	return wr_status(out);
}

static bool
reserved(const char *name)
{
	static const char *const names[] = { "netcfg", "certificate.pem",
		"app-example.tar", "encrypted_container.img", "host.env" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(name, names[i]) == 0)
			return true;
	/* Temporary files begin so. */
	return name[0] == '.';
}

enum dstack_status
files_list(int dirfd, struct wr *out, struct why *why)
{
	/* closedir closes its descriptor, and ours stays. */
	int copy = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = copy >= 0 ? fdopendir(copy) : NULL;
	struct dirent *e;

	if (d == NULL) {
		if (copy >= 0)
			(void)close(copy);
		return why_set(why, DSTACK_E_SYS, "shared folder: %s",
		    strerror(errno));
	}
	/*
	 * A folder with more names than that is shown in part: a guest copies a
	 * few megabytes anyway.
	 */
	while ((e = readdir(d)) != NULL && out->len < FILES_LIST_MAX) {
		struct stat sb;
		if (files_name_ok(e->d_name) && !reserved(e->d_name) &&
		    fstatat(dirfd, e->d_name, &sb, AT_SYMLINK_NOFOLLOW) == 0 &&
		    S_ISREG(sb.st_mode))
			wr_fmt(out, "%lld %s\n", (long long)sb.st_size,
			    e->d_name);
	}
	(void)closedir(d);
	return wr_status(out);
}

enum dstack_status
files_write(int fd, const void *p, size_t n)
{
	const uint8_t *b = p;

	while (n > 0) {
		ssize_t w = write(fd, b, n);
		if (w < 0 && errno == EINTR)
			continue;
		if (w <= 0)
			return DSTACK_E_SYS;
		b += w;
		n -= (size_t)w;
	}
	return DSTACK_OK;
}

enum dstack_status
files_put(int dirfd, const char *name, const void *p, size_t n,
    struct why *why)
{
	uint64_t r = 0;
	char tmp[40];
	struct stat sb;

	if (!files_name_ok(name))
		return why_set(why, DSTACK_E_REJECTED, "no such file name");
	if (reserved(name))
		return why_set(why, DSTACK_E_REJECTED,
		    "%s is the host's own: not written", name);
	/*
	 * A folder or link of that name was put there by the operator: it is
	 * not replaced.
	 */
	if (fstatat(dirfd, name, &sb, AT_SYMLINK_NOFOLLOW) == 0 &&
	    !S_ISREG(sb.st_mode))
		return why_set(
		    why, DSTACK_E_REJECTED, "%s is no regular file", name);
	if (getrandom(&r, sizeof(r), 0) != (ssize_t)sizeof(r))
		return DSTACK_E_SYS;
	/*
	 * Random, so that two writers of one name do not meet in one temporary
	 * file.
	 */
	(void)snprintf(tmp, sizeof(tmp), ".put-%016llx",
	    (unsigned long long)r);
	AUTO_CLOSE int fd = openat(dirfd, tmp,
	    O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0644);
	if (fd < 0)
		return why_set(
		    why, DSTACK_E_SYS, "%s: %s", name, strerror(errno));
	/* or a power cut could leave a name with nothing in it */
	if (files_write(fd, p, n) != DSTACK_OK || fdatasync(fd) != 0 ||
	    renameat(dirfd, tmp, dirfd, name) != 0) {
		int e = errno;
		(void)unlinkat(dirfd, tmp, 0);
		return why_set(why, DSTACK_E_SYS, "%s not written: %s", name,
		    strerror(e));
	}
	return DSTACK_OK;
}
