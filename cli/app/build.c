/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dstack app build of a folder, which becomes the root of an image.
 *
 * It is taken as it lies there: files, folders and symlinks, in the order of
 * their names' bytes, so that two machines make the same archive of the same
 * tree. Names are bytes and are not judged; owners and times are not taken
 * over, as they differ from machine to machine. Sockets, FIFOs and devices
 * are refused. What is written appears under its name when it is whole.
 */
#include "cli/app/build.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/hex.h"
#include "base/own.h"
#include "cli/cmd.h"

#define MAX_FILES 100000

struct tree {
	struct oci_file *v;
	size_t n;
	struct why *why;
};

static void
tree_free(struct tree *t)
{
	for (size_t i = 0; i < t->n; i++) {
		free((void *)(uintptr_t)t->v[i].path);
		free((void *)(uintptr_t)t->v[i].target);
		free((void *)(uintptr_t)t->v[i].data);
	}
	free(t->v);
}
#define AUTO_TREE OWN_CLEANUP(tree_free)

static enum dstack_status
sys(struct why *why, const char *path)
{
	return why_set(why, DSTACK_E_SYS, "%.150s: %s", path, strerror(errno));
}

enum dstack_status
build_read(int at, const char *name, void **out, size_t *n, struct why *why)
{
	AUTO_CLOSE int fd = openat(at, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	struct stat s;
	if (fd < 0 || fstat(fd, &s) != 0)
		return sys(why, name);
	AUTO_FREE char *p = malloc((size_t)s.st_size + 1);
	if (p == NULL)
		return why_set(why, DSTACK_E_NOMEM, "%.150s: no memory", name);
	size_t got = 0;
	while (got < (size_t)s.st_size) {
		ssize_t r = read(fd, p + got, (size_t)s.st_size - got);
		if (r < 0)
			return sys(why, name);
		if (r == 0)
			break;
		got += (size_t)r;
	}
	*n = got;
	*out = take_ptr(&p);
	return DSTACK_OK;
}

/*
 * One name of the folder as an entry of the archive. Of its mode only whether
 * it can be run is kept: the rest is the umask's of whoever made the folder,
 * and would make another digest. path is t's from here on, also on failure.
 */
static enum dstack_status
one(struct tree *t, int dir, const char *name, char *path)
{
	struct oci_file f = { .path = path };
	void *data = NULL;
	char *target = NULL;
	struct stat s;
	enum dstack_status st = DSTACK_OK;
	if (fstatat(dir, name, &s, AT_SYMLINK_NOFOLLOW) != 0)
		st = sys(t->why, path);
	else if (S_ISDIR(s.st_mode)) /* whatever the umask was here */
		f = (struct oci_file){ .path = path, .kind = OCI_DIR,
			.mode = 0755 };
	else if (S_ISREG(s.st_mode)) {
		f.kind = OCI_FILE;
		f.mode = (s.st_mode & 0100) != 0 ? 0755 : 0644;
		st = build_read(dir, name, &data, &f.size, t->why);
		f.data = data;
	} else if (S_ISLNK(s.st_mode)) {
		char to[OCI_MAX_PATH + 1];
		ssize_t n = readlinkat(dir, name, to, sizeof(to) - 1);
		to[n > 0 ? n : 0] = '\0';
		f.kind = OCI_SYMLINK;
		f.mode = 0777;
		target = strdup(to);
		f.target = target;
		if (target == NULL)
			st = why_set(t->why, DSTACK_E_NOMEM, "no memory");
	} else {
		st = why_set(t->why, DSTACK_E_REJECTED,
		    "%.150s: no file, folder or link", path);
	}
	if (st == DSTACK_OK && t->n % 256 == 0) {
		struct oci_file *v =
		    reallocarray(t->v, t->n + 256, sizeof(*v));
		if (v == NULL || t->n > MAX_FILES)
			st = why_set(t->why, DSTACK_E_LIMIT, "too many files");
		if (v != NULL)
			t->v = v;
	}
	if (st != DSTACK_OK) {
		free(path);
		free(target);
		free(data);
		return st;
	}
	t->v[t->n++] = f;
	return DSTACK_OK;
}

/* A folder's entries in byte order of their names, each before its own. */
static enum dstack_status
walk(struct tree *t, int dir, const char *prefix, int depth)
{
	struct dirent **names = NULL;
	char self[32];
	(void)snprintf(self, sizeof(self), "/proc/self/fd/%d", dir);
	int n = depth > OCI_MAX_DEPTH ? -1 : scandir(self, &names, NULL, NULL);
	if (n < 0)
		return sys(t->why, prefix);
	enum dstack_status st = DSTACK_OK;
	for (int i = 1; i < n; i++) { /* by bytes, whatever the locale says */
		struct dirent *x = names[i];
		int k = i;
		for (; k > 0 && strcmp(names[k - 1]->d_name, x->d_name) > 0; k--)
			names[k] = names[k - 1];
		names[k] = x;
	}
	for (int i = 0; i < n; i++) {
		const char *name = names[i]->d_name;
		char *path = NULL;
		if (st != DSTACK_OK || strcmp(name, ".") == 0 ||
		    strcmp(name, "..") == 0)
			continue;
		if (asprintf(&path, "%s%s%s", prefix,
			prefix[0] != '\0' ? "/" : "", name) < 0) {
			st = why_set(t->why, DSTACK_E_NOMEM, "no memory");
			continue;
		}
		st = one(t, dir, name, path);
		if (st != DSTACK_OK || t->v[t->n - 1].kind != OCI_DIR)
			continue;
		AUTO_CLOSE int sub = openat(
		    dir, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
		st = sub < 0 ? sys(t->why, path)
			     : walk(t, sub, path, depth + 1);
	}
	for (int i = 0; i < n; i++)
		free(names[i]);
	free(names);
	return st;
}

/* Whole or not at all: a node may look into the folder that it goes to. */
enum dstack_status
build_write(const char *name, const struct wr *w, struct why *why)
{
	AUTO_FREE char *tmp = NULL;
	if (asprintf(&tmp, "%s.part", name) < 0)
		return why_set(why, DSTACK_E_NOMEM, "no memory");
	AUTO_CLOSE int fd =
	    open(tmp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	if (fd < 0)
		return sys(why, tmp);
	for (size_t done = 0; done < w->len;) {
		ssize_t n = write(fd, w->buf + done, w->len - done);
		if (n < 0)
			return sys(why, tmp);
		done += (size_t)n;
	}
	return rename(tmp, name) == 0 ? DSTACK_OK : sys(why, name);
}

enum dstack_status
build_folder(const char *dir, const struct oci_config *c, const char *tag,
    struct wr *out, uint8_t digest[static 32], struct why *why)
{
	AUTO_TREE struct tree t = { .why = why };
	AUTO_CLOSE int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return sys(why, dir);
	enum dstack_status st = walk(&t, fd, "", 1);
	return st == DSTACK_OK
	    ? oci_build(t.v, t.n, c, tag, out, digest, why)
	    : st;
}

int
app_build(const char *dir, const char *out, const char *config,
    const char *tag)
{
	struct why why = { "" };
	AUTO_WR struct wr w = wr_new(0);
	AUTO_FREE void *json = NULL;
	struct oci_config c;
	uint8_t digest[32];
	char hex[65];
	size_t n = 0;
	enum dstack_status st = DSTACK_OK;
	if (config != NULL)
		st = build_read(AT_FDCWD, config, &json, &n, &why);
	if (st == DSTACK_OK)
		st = oci_config_parse(
		    json != NULL ? json : "{}", json != NULL ? n : 2, &c, &why);
	if (st != DSTACK_OK)
		return cmd_fail("app build", st, &why);
	st = build_folder(dir, &c, tag, &w, digest, &why);
	oci_config_free(&c);
	if (st == DSTACK_OK)
		st = build_write(out, &w, &why);
	if (st != DSTACK_OK)
		return cmd_fail("app build", st, &why);
	hex_encode(digest, 32, hex);
	(void)printf("0x%s\n", hex);
	return EXIT_YES;
}
