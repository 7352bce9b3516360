/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a checked image to files (THREATS T25).
 *
 * Entries come from oci_walk, which has judged them and has followed what
 * links there were: each is a plain instruction, a path without a symlink in
 * it. Here every path is opened beneath the root all the same, with no link
 * followed and no other filesystem entered, so that a mistake there would be
 * a refusal here and not a file elsewhere. An entry replaces what has its
 * name; owner, mode and time are set when it is complete, a folder's time
 * when nothing is put into it any more. What can go wrong is the memory.
 */
#include "guest/kubernethes/unpack.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "base/own.h"

#define WRITE_OUT (8u << 20)

/* A directory's time is set when nothing is put into it any more. */
struct dir_time {
	char *path;
	struct timespec mtime;
};

struct unpacker {
	int root;
	uint32_t shift;
	int file;        /* the OCI_FILE being written */
	struct oci_entry cur;
	char *parent;    /* path of dir, for the next entry beside this one */
	int dir;
	struct dir_time *times;
	size_t ntimes;
	bool stored;     /* on the volume: dirty bytes are written out */
	size_t dirty;
	void (*done)(void *ctx, size_t from, size_t to);
	void *ctx;
};

/* The kernel keeps the way inside root, whatever is mounted or linked there. */
static int
open2(int root, const char *path, int flags, uint64_t resolve)
{
	struct open_how how = { .flags = (unsigned)(flags | O_CLOEXEC),
		.resolve = resolve | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV };
	return (int)syscall(SYS_openat2, root, path[0] != '\0' ? path : ".",
	    &how, sizeof(how));
}

int
unpack_open(int root, const char *path, int flags)
{
	return open2(
	    root, path, flags, RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS);
}

int
unpack_open_in_root(int root, const char *path, int flags)
{
	return open2(root, path, flags, RESOLVE_IN_ROOT);
}

/*
 * All in a directory goes; dir is closed. By descriptors and without links
 * followed, as what is removed was written by an image or by an app; and no
 * deeper than depth, which bounds the stack and the open descriptors.
 */
static enum dstack_status
clear_dir(int dir, int depth)
{
	DIR *d = fdopendir(dir);
	if (d == NULL) {
		(void)close(dir);
		return DSTACK_E_SYS;
	}
	enum dstack_status st = DSTACK_OK;
	for (;;) {
		struct dirent *e = readdir(d);
		if (e == NULL || st != DSTACK_OK)
			break;
		if (strcmp(e->d_name, ".") == 0 ||
		    strcmp(e->d_name, "..") == 0 ||
		    unlinkat(dir, e->d_name, 0) == 0)
			continue;
		int sub = openat(dir, e->d_name,
		    O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (sub >= 0 && depth != 0)
			st = clear_dir(sub, depth - 1);
		else
			st = DSTACK_E_SYS;
		if (sub >= 0 && depth == 0)
			(void)close(sub);
		if (st == DSTACK_OK &&
		    unlinkat(dir, e->d_name, AT_REMOVEDIR) != 0)
			st = DSTACK_E_SYS;
	}
	(void)closedir(d);
	return st;
}

enum dstack_status
unpack_remove(int dir, const char *name)
{
	if (unlinkat(dir, name, 0) == 0 || errno == ENOENT)
		return DSTACK_OK;
	int sub = openat(
	    dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (sub < 0)
		return DSTACK_E_SYS;
	/* A container may have made its tree deeper than an image may be. */
	if (clear_dir(sub, 4 * OCI_MAX_DEPTH) != DSTACK_OK)
		return DSTACK_E_SYS;
	return unlinkat(dir, name, AT_REMOVEDIR) == 0 ? DSTACK_OK
						      : DSTACK_E_SYS;
}

int
unpack_make_dir(int root, const char *path, uint32_t owner)
{
	AUTO_CLOSE int at = unpack_open(root, "", O_PATH | O_DIRECTORY);
	char name[256];
	while (at >= 0 && *path != '\0') {
		const char *end = strchrnul(path, '/');
		size_t n = (size_t)(end - path);
		if (n >= sizeof(name)) {
			errno = ENAMETOOLONG;
			return -1;
		}
		memcpy(name, path, n);
		name[n] = '\0';
		if (mkdirat(at, name, 0755) == 0) {
			if (fchownat(at, name, owner, owner,
				AT_SYMLINK_NOFOLLOW) != 0)
				return -1;
		} else if (errno != EEXIST) {
			return -1;
		}
		int next = unpack_open(at, name, O_PATH | O_DIRECTORY);
		(void)close(at);
		at = next;
		path = *end == '/' ? end + 1 : end;
	}
	return take_fd(&at);
}

static enum dstack_status
sys(const struct oci_entry *e, const char *what, struct why *why)
{
	int err = errno;
	enum dstack_status st = DSTACK_E_SYS;
	if (err == ELOOP || err == EXDEV || err == ENOTDIR) {
		st = DSTACK_E_REJECTED;
		(void)why_set(why, st,
		    "image: %.120s: its path goes through a symlink or a file",
		    e->path); /* oci_walk has seen none: a mistake of ours */
	} else if (err == ENOSPC || err == EDQUOT) {
		(void)why_set(why, st,
		    "image: %.120s: the tree does not fit in this VM's memory, "
		    "or on its volume",
		    e->path);
	} else {
		(void)why_set(why, st, "image: %.120s: %s: %s", e->path, what,
		    strerror(err));
	}
	errno = err;
	return st;
}

static void
forget_parent(struct unpacker *u)
{
	if (u->dir >= 0)
		(void)close(u->dir);
	u->dir = -1;
	free(u->parent);
	u->parent = NULL;
}

/* Directory that path's last name is in; *base: that name, in path. */
static enum dstack_status
parent(struct unpacker *u, const struct oci_entry *e, const char **base,
    struct why *why)
{
	const char *slash = strrchr(e->path, '/');
	size_t n = slash != NULL ? (size_t)(slash - e->path) : 0;
	*base = slash != NULL ? slash + 1 : e->path;
	if (u->dir >= 0 && strlen(u->parent) == n &&
	    memcmp(u->parent, e->path, n) == 0)
		return DSTACK_OK;
	/* entries come folder by folder, so that this is seldom */
	forget_parent(u);
	u->parent = strndup(e->path, n);
	if (u->parent == NULL)
		return why_set(why, DSTACK_E_NOMEM, "image: no memory");
	u->dir = unpack_open(u->root, u->parent, O_PATH | O_DIRECTORY);
	if (u->dir < 0)
		return sys(e, "its folder", why);
	return DSTACK_OK;
}

static enum dstack_status
finish(struct unpacker *u, const struct oci_entry *e, int fd, struct why *why)
{
	const struct timespec at = { e->mtime, e->nsec };
	const struct timespec t[2] = { at, at };
	/* the owner first: a change of it may take bits of the mode away */
	if (fchown(fd, u->shift + e->uid, u->shift + e->gid) != 0 ||
	    fchmod(fd, e->mode) != 0)
		return sys(e, "owner", why);
	if (e->kind == OCI_FILE)
		return futimens(fd, t) == 0 ? DSTACK_OK : sys(e, "time", why);
	if (u->ntimes % 256 == 0) {
		struct dir_time *v = reallocarray(
		    u->times, u->ntimes + 256, sizeof(u->times[0]));
		if (v == NULL)
			return why_set(why, DSTACK_E_NOMEM, "image: no memory");
		u->times = v;
	}
	u->times[u->ntimes] =
	    (struct dir_time){ .path = strdup(e->path), .mtime = at };
	if (u->times[u->ntimes].path == NULL)
		return why_set(why, DSTACK_E_NOMEM, "image: no memory");
	u->ntimes++;
	return DSTACK_OK;
}

static enum dstack_status
make_dir(struct unpacker *u, const struct oci_entry *e, const char *base,
    struct why *why)
{
	const char *name = e->path[0] != '\0' ? base : ".";
	int at = e->path[0] != '\0' ? u->dir : u->root;
	AUTO_CLOSE int fd = openat(
	    at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0) { /* absent, or something else that it replaces */
		if (unpack_remove(at, name) != DSTACK_OK ||
		    mkdirat(at, name, 0700) != 0)
			return sys(e, "folder", why);
		fd = openat(at, name,
		    O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	}
	return fd >= 0 ? finish(u, e, fd, why) : sys(e, "folder", why);
}

static enum dstack_status
make_link(struct unpacker *u, const struct oci_entry *e, const char *base,
    struct why *why)
{
	char dirname[OCI_MAX_PATH + 1];
	const char *slash = strrchr(e->target, '/');
	size_t n = slash != NULL ? (size_t)(slash - e->target) : 0;
	const char *name = slash != NULL ? slash + 1 : e->target;
	struct stat s;
	memcpy(dirname, e->target, n);
	dirname[n] = '\0';
	/* looked at before what it replaces goes: that could be the target */
	AUTO_CLOSE int dir = unpack_open(u->root, dirname, O_PATH | O_DIRECTORY);
	if (dir < 0 || fstatat(dir, name, &s, AT_SYMLINK_NOFOLLOW) != 0 ||
	    S_ISDIR(s.st_mode) || strcmp(e->path, e->target) == 0)
		return why_set(why, DSTACK_E_REJECTED,
		    "image: %.100s: a link to %.100s, which is no file of it",
		    e->path, e->target);
	if (unpack_remove(u->dir, base) != DSTACK_OK ||
	    linkat(dir, name, u->dir, base, 0) != 0)
		return sys(e, "link", why);
	return DSTACK_OK;
}

static enum dstack_status
make_symlink(struct unpacker *u, const struct oci_entry *e, const char *base,
    struct why *why)
{
	const struct timespec at = { e->mtime, e->nsec };
	const struct timespec t[2] = { at, at };
	if (unpack_remove(u->dir, base) != DSTACK_OK ||
	    symlinkat(e->target, u->dir, base) != 0 ||
	    fchownat(u->dir, base, u->shift + e->uid, u->shift + e->gid,
		AT_SYMLINK_NOFOLLOW) != 0 ||
	    utimensat(u->dir, base, t, AT_SYMLINK_NOFOLLOW) != 0)
		return sys(e, "symlink", why);
	return DSTACK_OK;
}

static enum dstack_status
make_fifo(struct unpacker *u, const struct oci_entry *e, const char *base,
    struct why *why)
{
	const struct timespec at = { e->mtime, e->nsec };
	const struct timespec t[2] = { at, at };
	if (unpack_remove(u->dir, base) != DSTACK_OK ||
	    mkfifoat(u->dir, base, 0600) != 0 ||
	    fchownat(u->dir, base, u->shift + e->uid, u->shift + e->gid,
		AT_SYMLINK_NOFOLLOW) != 0 ||
	    fchmodat(u->dir, base, e->mode, 0) != 0 ||
	    utimensat(u->dir, base, t, AT_SYMLINK_NOFOLLOW) != 0)
		return sys(e, "FIFO", why);
	return DSTACK_OK;
}

/* Hidden by a higher layer, or replaced by what is not made. */
static enum dstack_status
remove_it(struct unpacker *u, const struct oci_entry *e, struct why *why)
{
	const char *base = NULL;
	enum dstack_status st = parent(u, e, &base, why);
	if (st == DSTACK_OK && unpack_remove(u->dir, base) != DSTACK_OK)
		st = sys(e, "remove", why);
	forget_parent(u); /* it may have been what goes */
	return st;
}

static enum dstack_status
entry(void *ctx, const struct oci_entry *e, struct why *why)
{
	struct unpacker *u = ctx;
	const char *base = NULL;
	if (e->kind == OCI_REMOVE)
		return remove_it(u, e, why);
	enum dstack_status st = parent(u, e, &base, why);
	if (st != DSTACK_OK)
		return st;
	if (e->kind == OCI_DIR)
		return make_dir(u, e, base, why);
	if (e->kind == OCI_HARDLINK)
		return make_link(u, e, base, why);
	if (e->kind == OCI_SYMLINK)
		return make_symlink(u, e, base, why);
	if (e->kind == OCI_FIFO)
		return make_fifo(u, e, base, why);
	u->cur = *e;
	if (unpack_remove(u->dir, base) != DSTACK_OK)
		return sys(e, "replace", why);
	u->file = openat(u->dir, base,
	    O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	return u->file >= 0 ? DSTACK_OK : sys(e, "create", why);
}

static enum dstack_status
data(void *ctx, const void *p, size_t n, struct why *why)
{
	struct unpacker *u = ctx;
	const char *c = p;
	while (n != 0) {
		ssize_t w = write(u->file, c, n);
		if (w < 0 && errno == EINTR)
			continue;
		if (w < 0)
			return sys(&u->cur, "write", why);
		c += w;
		n -= (size_t)w;
		u->dirty += (size_t)w;
	}
	if (u->stored && u->dirty >= WRITE_OUT) {
		(void)sync_file_range(u->file, 0, 0,
		    SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE |
			SYNC_FILE_RANGE_WAIT_AFTER);
		u->dirty = 0;
	}
	return DSTACK_OK;
}

static enum dstack_status
end(void *ctx, struct why *why)
{
	struct unpacker *u = ctx;
	enum dstack_status st = finish(u, &u->cur, u->file, why);
	(void)close(u->file);
	u->file = -1;
	return st;
}

static void
done(void *ctx, size_t from, size_t to)
{
	const struct unpacker *u = ctx;
	if (u->done != NULL)
		u->done(u->ctx, from, to);
}

static enum dstack_status
unpack(const struct oci_image *img, int root, uint32_t shift, bool stored,
    void (*let_go)(void *ctx, size_t from, size_t to), void *ctx,
    struct oci_tree *out, struct why *why)
{
	struct unpacker u = { .root = root, .shift = shift, .file = -1,
		.dir = -1, .stored = stored, .done = let_go, .ctx = ctx };
	const struct oci_sink sink = { &u, entry, data, end, done, stored };
	enum dstack_status st = DSTACK_OK;
	if (fchown(root, shift, shift) != 0 || fchmod(root, 0755) != 0)
		st = why_set(why, DSTACK_E_SYS, "image: root: %s",
		    strerror(errno));
	if (st == DSTACK_OK)
		st = oci_walk(img, &sink, out, why);
	if (u.file >= 0)
		(void)close(u.file);
	forget_parent(&u);
	for (size_t i = 0; i < u.ntimes; i++) { /* the highest layer's last */
		const struct timespec t[2] = { u.times[i].mtime,
			u.times[i].mtime };
		AUTO_CLOSE int fd = unpack_open(
		    root, u.times[i].path, O_RDONLY | O_DIRECTORY);
		if (fd >= 0) /* a higher layer may have removed it */
			(void)futimens(fd, t);
		free(u.times[i].path);
	}
	free(u.times);
	return st;
}

enum dstack_status
unpack_image(const struct oci_image *img, int root, uint32_t shift,
    void (*let_go)(void *ctx, size_t from, size_t to), void *ctx,
    struct oci_tree *out, struct why *why)
{
	return unpack(img, root, shift, false, let_go, ctx, out, why);
}

enum dstack_status
unpack_stored(const struct oci_image *img, int root, uint32_t shift,
    void (*let_go)(void *ctx, size_t from, size_t to), void *ctx,
    struct oci_tree *out, struct why *why)
{
	return unpack(img, root, shift, true, let_go, ctx, out, why);
}
