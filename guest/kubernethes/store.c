/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Images on the volume. What does not fit into memory is written to the
 * encrypted volume while it comes: first the archive, into a file that has no
 * name and so is gone after a crash, then its tree, into a folder
 * that is mounted where the tree in memory would be. While the tree grows the
 * archive is let go of, as in memory.
 *
 * The volume gives back what was written to it, or an error; but a host may
 * put an older state of a sector in its place (docs/volume.md). So the
 * archive's layers are hashed once more as they are unpacked. A tree that runs
 * has the guarantee that the app's own data has, no more.
 *
 * A tree is made anew for each start, as the one in memory is, since the app
 * may write to it: what is not in a VOLUME or in /mnt/encrypted_data does not
 * outlive the app. What an earlier boot has left is swept away first.
 */
#include "guest/kubernethes/store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/own.h"
#include "guest/base/paths.h"
#include "guest/kubernethes/kubernethes.h"
#include "guest/kubernethes/unpack.h"

#define SYSTEM PATH_VOLUME "/system"
#define TREES "trees"
#define MB ((uint64_t)1 << 20)
/* For the app's own data: an image may not fill the volume to its last. */
#define KEPT_PART 16

uint64_t
store_free(void)
{
	struct statvfs v;
	if (!kube_volume_there() || statvfs(PATH_VOLUME, &v) != 0)
		return 0;
	const uint64_t free = (uint64_t)v.f_bavail * v.f_frsize;
	const uint64_t kept = (uint64_t)v.f_blocks * v.f_frsize / KEPT_PART;
	return free > kept ? free - kept : 0;
}

enum dstack_status
store_room(const char *name, uint64_t bytes, struct why *why)
{
	if (!kube_volume_there())
		return why_set(why, DSTACK_E_BUSY,
		    "waiting for the encrypted volume");
	const uint64_t free = store_free();
	if (bytes <= free)
		return DSTACK_OK;
	return why_set(why, DSTACK_E_LIMIT,
	    "%.24s needs %llu MB of the volume, which has %llu MB free for it: "
	    "dstack volume grow", name,
	    (unsigned long long)((bytes + MB - 1) / MB),
	    (unsigned long long)(free / MB));
}

/* The folder of trees, made where it is missing; -1 and errno. */
static int
trees(void)
{
	AUTO_CLOSE int dir = -1;
	if (mkdir(SYSTEM, 0700) != 0 && errno != EEXIST)
		return -1;
	dir = open(SYSTEM, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (dir < 0 || (mkdirat(dir, TREES, 0711) != 0 && errno != EEXIST))
		return -1;
	return openat(
	    dir, TREES, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

enum dstack_status
store_file(int *fd, struct why *why)
{
	AUTO_CLOSE int dir = trees();
	AUTO_CLOSE int f = dir < 0
	    ? -1
	    : openat(dir, ".", O_RDWR | O_TMPFILE | O_CLOEXEC, 0600);
	if (f < 0)
		return why_set(why, DSTACK_E_SYS,
		    "the volume's room for images: %s", strerror(errno));
	*fd = take_fd(&f);
	return DSTACK_OK;
}

static void
name_of(unsigned place, char out[static 16])
{
	(void)snprintf(out, 16, "%u", place);
}

enum dstack_status
store_tree(unsigned place, const char *at, struct why *why)
{
	char name[16], from[64];
	name_of(place, name);
	AUTO_CLOSE int dir = trees();
	if (dir < 0 || unpack_remove(dir, name) != DSTACK_OK ||
	    mkdirat(dir, name, 0755) != 0)
		return why_set(why, DSTACK_E_SYS,
		    "the volume's room for images: %s", strerror(errno));
	(void)snprintf(from, sizeof(from), SYSTEM "/" TREES "/%s", name);
	/* as the tmpfs is that it is in the place of */
	if (mount(from, at, NULL, MS_BIND, NULL) != 0 ||
	    mount(NULL, at, NULL,
		MS_REMOUNT | MS_BIND | MS_NOSUID | MS_NODEV, NULL) != 0)
		return why_set(
		    why, DSTACK_E_SYS, "%s: %s", at, strerror(errno));
	return DSTACK_OK;
}

void
store_gone(unsigned place, const char *at)
{
	char name[16];
	name_of(place, name);
	(void)umount2(at, MNT_DETACH | UMOUNT_NOFOLLOW);
	AUTO_CLOSE int dir = trees();
	/* what cannot go now goes when the place is used again, or at boot */
	if (dir >= 0)
		(void)!unpack_remove(dir, name);
}

enum dstack_status
store_sweep(struct why *why)
{
	AUTO_CLOSE int dir = open(SYSTEM,
	    O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (dir < 0 || unpack_remove(dir, TREES) != DSTACK_OK)
		return why_set(why, DSTACK_E_SYS,
		    "the volume's room for images: %s", strerror(errno));
	return DSTACK_OK;
}
