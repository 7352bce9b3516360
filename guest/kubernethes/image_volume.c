/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What of an app outlives its container. Docker gives each VOLUME of an image
 * a folder of its own, and fills it from the image when it is new; a database
 * in /var/lib/postgresql/data is where that matters. Here the folder is on the
 * encrypted volume, one per path, whatever version of the app declares it.
 *
 * It is made beside its place: the image's part of the tree is copied to
 * NAME.new, written to the disk, and only then renamed. A node that loses its
 * power in between begins that copy again, and an app never sees half of it.
 * What can go wrong is room: the copy is then removed and the image refused
 * for this node with the line that says so; what other folders hold is safe.
 *
 * Nothing of the app runs while this does, so names that were there a moment
 * ago still are; no symlink is followed all the same, for the tree is the
 * image's and the volume the earlier app's.
 */
#include "guest/kubernethes/image_volume.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/hex.h"
#include "base/own.h"
#include "crypto/hash.h"
#include "guest/kubernethes/unpack.h"
#include "oci/oci.h"

/* An app may have made its folders deeper than an image's may be. */
#define DEEPEST (4 * OCI_MAX_DEPTH)

/* Call on each entry of dir, which is closed; false and errno ends it. */
typedef bool each_fn(int dir, const char *name, const struct stat *s,
    int depth, void *ctx);

static bool
each(int dir, int depth, each_fn *fn, void *ctx)
{
	DIR *d = fdopendir(dir);
	bool ok = d != NULL;

	if (d == NULL) {
		(void)close(dir);
		return false;
	}
	for (;;) {
		struct stat s;
		errno = 0;
		const struct dirent *e = readdir(d);
		if (e == NULL) {
			ok = errno == 0;
			break;
		}
		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
			continue;
		ok = fstatat(dir, e->d_name, &s, AT_SYMLINK_NOFOLLOW) == 0 &&
		    fn(dir, e->d_name, &s, depth, ctx);
		if (!ok)
			break;
	}
	int err = errno;
	(void)closedir(d);
	errno = err;
	return ok;
}

static int
open_dir(int at, const char *name)
{
	return openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

static bool
copy_bytes(int from, int to)
{
	char buf[32768];

	for (;;) {
		ssize_t n = read(from, buf, sizeof(buf));
		if (n <= 0)
			return n == 0;
		for (ssize_t done = 0; done < n;) {
			ssize_t w = write(to, buf + done, (size_t)(n - done));
			if (w <= 0)
				return false;
			done += w;
		}
	}
}

/* Owner before mode: a change of owner takes bits of the mode away. */
static bool
like(int fd, const struct stat *s)
{
	const struct timespec t[2] = { s->st_mtim, s->st_mtim };

	return fchown(fd, s->st_uid, s->st_gid) == 0 &&
	    fchmod(fd, s->st_mode & 01777) == 0 && futimens(fd, t) == 0;
}

static bool copy_dir(int from, int to, const struct stat *s, int depth);

static bool
copy_file(int dir, const char *name, const struct stat *s, int into)
{
	AUTO_CLOSE int from =
	    openat(dir, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	AUTO_CLOSE int to = from < 0
	    ? -1
	    : openat(into, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	return to >= 0 && copy_bytes(from, to) && like(to, s);
}

static bool
copy_link(int dir, const char *name, const struct stat *s, int into)
{
	char target[4097];
	ssize_t n = readlinkat(dir, name, target, sizeof(target) - 1);

	if (n < 0)
		return false;
	target[n] = '\0';
	return symlinkat(target, into, name) == 0 &&
	    fchownat(into, name, s->st_uid, s->st_gid, AT_SYMLINK_NOFOLLOW) ==
	    0;
}

static bool
copy_one(
    int dir, const char *name, const struct stat *s, int depth, void *ctx)
{
	const int into = *(const int *)ctx;

	if (S_ISREG(s->st_mode))
		return copy_file(dir, name, s, into);
	if (S_ISLNK(s->st_mode))
		return copy_link(dir, name, s, into);
	if (S_ISFIFO(s->st_mode))
		return mkfifoat(into, name, 0600) == 0 &&
		    fchownat(into, name, s->st_uid, s->st_gid,
			AT_SYMLINK_NOFOLLOW) == 0 &&
		    fchmodat(into, name, s->st_mode & 0777, 0) == 0;
	if (!S_ISDIR(s->st_mode))
		return true; /* an image has no others */
	if (depth == 0) {
		errno = ENAMETOOLONG;
		return false;
	}
	AUTO_CLOSE int from = open_dir(dir, name);
	if (from < 0 || mkdirat(into, name, 0700) != 0)
		return false;
	AUTO_CLOSE int to = open_dir(into, name);
	return to >= 0 && copy_dir(take_fd(&from), to, s, depth - 1);
}

/* from is closed. Its own owner and time are set when its entries are there. */
static bool
copy_dir(int from, int to, const struct stat *s, int depth)
{
	return each(from, depth, copy_one, &to) && like(to, s);
}

static enum dstack_status
no_room(const char *path, struct why *why)
{
	const int err = errno;

	return why_set(why,
	    err == ENOSPC || err == EDQUOT ? DSTACK_E_REJECTED : DSTACK_E_SYS,
	    "VOLUME /%.100s of the image: %s%s", path, strerror(err),
	    err == ENOSPC ? ": the encrypted volume is full" : "");
}

enum dstack_status
image_volume(const char *base, const char *key, int root, const char *path,
    char dir[static IMAGE_VOLUME_PATH], struct why *why)
{
	uint8_t digest[32];
	char name[65];
	char fresh[72];
	struct stat s;

	sha256(key, strlen(key), digest);
	hex_encode(digest, sizeof(digest), name);
	(void)snprintf(fresh, sizeof(fresh), "%s.new", name);
	if (snprintf(dir, IMAGE_VOLUME_PATH, "%s/%s", base, name) >=
	    IMAGE_VOLUME_PATH)
		return why_set(why, DSTACK_E_SYS, "VOLUME: a path too long");
	if (mkdir(base, 0711) != 0 && errno != EEXIST)
		return no_room(path, why);
	AUTO_CLOSE int there = open_dir(AT_FDCWD, base);
	if (there < 0)
		return no_room(path, why);
	if (fstatat(there, name, &s, AT_SYMLINK_NOFOLLOW) == 0)
		return S_ISDIR(s.st_mode)
		    ? DSTACK_OK
		    : why_set(why, DSTACK_E_SYS,
			  "VOLUME /%.100s: no folder on the volume", path);
	AUTO_CLOSE int from =
	    unpack_open_in_root(root, path, O_RDONLY | O_DIRECTORY);
	if (from < 0 || fstat(from, &s) != 0)
		return no_room(path, why);
	bool ok = unpack_remove(there, fresh) == DSTACK_OK &&
	    mkdirat(there, fresh, 0700) == 0;
	AUTO_CLOSE int to = ok ? open_dir(there, fresh) : -1;
	ok = to >= 0 && copy_dir(take_fd(&from), to, &s, DEEPEST) &&
	    syncfs(to) == 0 && renameat(there, fresh, there, name) == 0 &&
	    fsync(there) == 0;
	if (ok)
		return DSTACK_OK;
	enum dstack_status st = no_room(path, why);
	if (unpack_remove(there, fresh) != DSTACK_OK)
		st = DSTACK_E_SYS;
	return st;
}

struct heir {
	uint32_t was_uid, was_gid;
	uint32_t uid, gid;
};

static bool
give(int dir, const char *name, const struct stat *s, int depth, void *ctx)
{
	const struct heir *h = ctx;
	const uint32_t uid = s->st_uid == h->was_uid ? h->uid : s->st_uid;
	const uint32_t gid = s->st_gid == h->was_gid ? h->gid : s->st_gid;

	if (S_ISDIR(s->st_mode)) {
		const int below = open_dir(dir, name);
		if (depth == 0)
			errno = ENAMETOOLONG;
		if (below >= 0 && depth == 0)
			(void)close(below);
		if (below < 0 || depth == 0 ||
		    !each(below, depth - 1, give, ctx))
			return false;
	}
	return (uid == s->st_uid && gid == s->st_gid) ||
	    fchownat(dir, name, uid, gid, AT_SYMLINK_NOFOLLOW) == 0;
}

enum dstack_status
image_hand_over(
    const char *dir, uint32_t uid, uint32_t gid, struct why *why)
{
	struct stat s;
	AUTO_CLOSE int fd = open_dir(AT_FDCWD, dir);

	if (fd < 0 || fstat(fd, &s) != 0)
		return why_set(why, DSTACK_E_SYS, "the app's folder: %s",
		    strerror(errno));
	if (s.st_uid == uid && s.st_gid == gid)
		return DSTACK_OK;
	struct heir h = { s.st_uid, s.st_gid, uid, gid };
	if (!each(fcntl(fd, F_DUPFD_CLOEXEC, 0), DEEPEST, give, &h) ||
	    fchown(fd, uid, gid) != 0)
		return why_set(why, DSTACK_E_SYS,
		    "the app's folder is not its new USER's: %s",
		    strerror(errno));
	return DSTACK_OK;
}
