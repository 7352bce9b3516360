/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Making the file of a volume, and making it longer. Both are one ftruncate,
 * which is done or not done when the power fails, and neither writes a byte of
 * what is there. Shortening is not offered: the guest refuses a disk that was
 * cut, and what was cut off is gone.
 */
#include "host/volume/disk.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/own.h"
#include "protocol/volume.h"

_Static_assert((uint64_t)HOST_DISK_LEAST_MB << 20 == VOLUME_MIN_BYTES &&
	(uint64_t)HOST_DISK_MOST_MB << 20 == VOLUME_MAX_BYTES,
    "the guest's bounds");

/* A regular file: a guest's disk is never a device or a link of this machine. */
static enum dstack_status
open_disk(const char *path, int flags, int *fd, struct stat *sb,
    struct why *why)
{
	AUTO_CLOSE int f =
	    open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW | flags, 0600);

	if (f < 0 && errno == ENOENT)
		return why_set(why, DSTACK_E_MISSING,
		    "%s is not there: this node has no volume yet", path);
	if (f < 0 || fstat(f, sb) != 0)
		return why_set(
		    why, DSTACK_E_SYS, "%s: %s", path, strerror(errno));
	if (!S_ISREG(sb->st_mode))
		return why_set(
		    why, DSTACK_E_REJECTED, "%s is no regular file", path);
	*fd = take_fd(&f);
	return DSTACK_OK;
}

enum dstack_status
host_disk_make(const char *path, uint32_t mb, struct why *why)
{
	struct stat sb;
	AUTO_CLOSE int fd = -1;
	enum dstack_status st = open_disk(path, O_CREAT, &fd, &sb, why);

	if (st == DSTACK_OK && sb.st_size == 0 &&
	    ftruncate(fd, (off_t)mb << 20) != 0)
		st = why_set(
		    why, DSTACK_E_SYS, "%s: %s", path, strerror(errno));
	return st;
}

enum dstack_status
host_disk_grow(
    const char *path, uint32_t mb, uint64_t *from, struct why *why)
{
	struct stat sb;
	AUTO_CLOSE int fd = -1;
	const uint64_t to = (uint64_t)mb << 20;
	enum dstack_status st = open_disk(path, 0, &fd, &sb, why);

	if (st != DSTACK_OK)
		return st;
	if ((uint64_t)sb.st_size + VOLUME_GROW_LEAST > to)
		return why_set(why, DSTACK_E_REJECTED,
		    "%s has %llu MB: say more, a volume only grows", path,
		    (unsigned long long)sb.st_size >> 20);
	if (ftruncate(fd, (off_t)to) != 0 || fsync(fd) != 0)
		return why_set(
		    why, DSTACK_E_SYS, "%s: %s", path, strerror(errno));
	*from = (uint64_t)sb.st_size;
	return DSTACK_OK;
}
