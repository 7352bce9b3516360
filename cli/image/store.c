/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dstack image export, import: what one lock file needs, as one archive: a
 * tar of lock.json, keys (the pinned fingerprints), sha256/HASH for each
 * package and index, and, when asked for, kernel/KEY/... as built. Sorted by
 * name, no times, no owners: the same bytes wherever it is made.
 *
 * On the way in nothing of the archive is believed for its name: names must be
 * of those forms, with no path in them that leads elsewhere, and a package's
 * bytes are hashed as they are read and only then moved to the name that they
 * hash to. Lock file and keys are read and not kept: the tree's own count. A
 * kernel alone has no hash to be held against, so it is taken only where there
 * is none, and is believed as far as whoever sent the archive; what it is made
 * of is shown by audit, which compiles it again. An archive that was cut short
 * has brought the files before the cut, each whole.
 */
#include "cli/cmd.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/hex.h"
#include "cli/image/image.h"
#include "cli/image/lock.h"
#include "cli/usage.h"
#include "crypto/hash.h"
#include "host/base/proc.h"

#define NAMES_MAX (LOCK_ROWS_MAX + 2 * LOCK_INDEXES_MAX + 64)
#define ENTRY_MAX (2ull << 30)
#define ENTRIES_MAX 4096

/* --- export -------------------------------------------------------------- */

struct item {
	char name[200]; /* in the archive */
	char path[PATH_LEN];
	const char *sha256; /* NULL: taken as it is */
	const char *what;
};

struct items {
	struct item *v;
	size_t n;
};

static int
by_name(const void *a, const void *b)
{
	return strcmp(((const struct item *)a)->name,
	    ((const struct item *)b)->name);
}

static void
add(struct items *l, const char *sha256, const char *what)
{
	struct item *i = &l->v[l->n];

	(void)snprintf(i->name, sizeof(i->name), "sha256/%s", sha256);
	store_path(sha256, i->path);
	i->sha256 = sha256;
	i->what = what;
	for (size_t k = 0; k < l->n; k++)
		if (strcmp(l->v[k].name, i->name) == 0)
			return;
	l->n++;
}

static void
add_file(struct items *l, const char *name, const char *path)
{
	struct item *i = &l->v[l->n++];

	(void)snprintf(i->name, sizeof(i->name), "%s", name);
	(void)snprintf(i->path, sizeof(i->path), "%s", path);
	i->sha256 = NULL;
	i->what = path;
}

/* The files of a built kernel: nftw has no argument to hand on. */
static struct items *walk_into;
static size_t walk_prefix;

static int
walk(const char *path, const struct stat *sb, int type, struct FTW *at)
{
	(void)sb;
	(void)at;
	if (type != FTW_F)
		return 0;
	if (walk_into->n == NAMES_MAX)
		return 1;
	add_file(walk_into, path + walk_prefix, path);
	return 0;
}

/* Where image/kernel says that this tree's kernel is. */
static enum dstack_status
kernel_dir(char out[static PATH_LEN], struct why *why)
{
	char log[] = "/tmp/dstack-export.XXXXXX";
	char *argv[] = { (char[]){ "image/kernel" }, (char[]){ "--where" },
		NULL };
	pid_t pid = 0;
	int fate = -1;
	AUTO_CLOSE int fd = mkostemp(log, O_CLOEXEC);

	if (fd < 0)
		return why_set(
		    why, DSTACK_E_SYS, "%s: %s", log, strerror(errno));
	(void)unlink(log);
	enum dstack_status st = proc_start(argv, fd, false, &pid, why);
	while (st == DSTACK_OK && waitpid(pid, &fate, 0) < 0 && errno == EINTR)
		;
	ssize_t n = st == DSTACK_OK ? pread(fd, out, PATH_LEN - 1, 0) : -1;
	if (n <= 0)
		return why_wrap(why, DSTACK_E_MISSING, "image/kernel");
	out[n] = '\0';
	out[strcspn(out, "\n")] = '\0';
	return fate == 0 ? DSTACK_OK
			 : why_set(why, DSTACK_E_MISSING, "%.200s", out);
}

static enum dstack_status
add_kernel(struct items *l, struct why *why)
{
	char dir[PATH_LEN], path[PATH_LEN];
	size_t before = l->n;

	if (!store_dir(dir))
		return why_set(why, DSTACK_E_LIMIT, "the store's path is long");
	enum dstack_status st = kernel_dir(path, why);
	if (st != DSTACK_OK)
		return st;
	walk_into = l;
	walk_prefix = strlen(dir) + 1;
	if (strncmp(path, dir, walk_prefix - 1) != 0 ||
	    nftw(path, walk, 8, FTW_PHYS) != 0 || l->n == before)
		return why_set(why, DSTACK_E_MISSING,
		    "%.200s: no built kernel there", path);
	return DSTACK_OK;
}

static enum dstack_status
write_item(struct archive *a, const struct item *i, struct why *why)
{
	AUTO_MAP struct mapped m = { NULL, 0 };
	enum dstack_status st = i->sha256 != NULL
	    ? store_open(i->what, i->sha256, &m, why)
	    : map_open(i->path, &m, why);
	if (st != DSTACK_OK)
		return st;
	struct archive_entry *e = archive_entry_new();
	if (e == NULL)
		return DSTACK_E_NOMEM;
	archive_entry_set_pathname(e, i->name);
	archive_entry_set_filetype(e, AE_IFREG);
	archive_entry_set_perm(e, 0644);
	archive_entry_set_size(e, (la_int64_t)m.len);
	archive_entry_set_mtime(e, 0, 0);
	bool ok = archive_write_header(a, e) == ARCHIVE_OK &&
	    archive_write_data(a, m.p, m.len) == (la_ssize_t)m.len;
	archive_entry_free(e);
	return ok ? DSTACK_OK
		  : why_set(why, DSTACK_E_SYS, "%s: %s", i->name,
			archive_error_string(a));
}

static enum dstack_status
write_all(const char *path, const struct items *l, struct why *why)
{
	char part[PATH_LEN];
	struct archive *a = archive_write_new();
	enum dstack_status st = DSTACK_OK;

	if ((size_t)snprintf(part, sizeof(part), "%s.part", path) >=
	    sizeof(part))
		st = why_set(why, DSTACK_E_LIMIT, "%.100s: too long", path);
	if (st == DSTACK_OK &&
	    (archive_write_set_format_ustar(a) != ARCHIVE_OK ||
		archive_write_open_filename(a, part) != ARCHIVE_OK))
		st = why_set(why, DSTACK_E_SYS, "%.300s: %s", part,
		    archive_error_string(a));
	for (size_t i = 0; i < l->n && st == DSTACK_OK; i++)
		st = write_item(a, &l->v[i], why);
	if (archive_write_close(a) != ARCHIVE_OK && st == DSTACK_OK)
		st = why_set(why, DSTACK_E_SYS, "%.300s: %s", part,
		    archive_error_string(a));
	(void)archive_write_free(a);
	if (st == DSTACK_OK && rename(part, path) != 0)
		st = why_set(why, DSTACK_E_SYS, "%.300s: %s", path,
		    strerror(errno));
	if (st != DSTACK_OK)
		(void)unlink(part);
	return st;
}

int
image_export(const struct usage *u, int argc, char **argv)
{
	static const struct option lopt[] = { { "with-kernel", 0, NULL, 'k' },
		{ NULL, 0, NULL, 0 } };
	AUTO_LOCK struct lock lock = { .json = NULL };
	struct items l = { NULL, 0 };
	struct why why = { "" };
	bool kernel = false;

	while (usage_next(u, argc, argv, lopt) != -1)
		kernel = true;
	usage_words(u, argc, argv, 1, 1, "FILE");
	enum dstack_status st = lock_load(LOCK_PATH, &lock, &why);
	l.v = calloc(NAMES_MAX, sizeof(*l.v));
	if (st == DSTACK_OK && l.v == NULL)
		st = DSTACK_E_NOMEM;
	if (st == DSTACK_OK) {
		add_file(&l, "keys", KEYS_PATH);
		add_file(&l, "lock.json", LOCK_PATH);
		for (size_t i = 0; i < lock.nrows; i++)
			add(&l, lock.rows[i].sha256, lock.rows[i].name);
		for (size_t i = 0; i < lock.nindexes; i++) {
			add(&l, lock.indexes[i].inrelease,
			    lock.indexes[i].suite);
			add(&l, lock.indexes[i].sha256, lock.indexes[i].suite);
		}
		if (kernel)
			st = add_kernel(&l, &why);
	}
	if (st == DSTACK_OK) {
		qsort(l.v, l.n, sizeof(*l.v), by_name);
		st = write_all(argv[optind], &l, &why);
	}
	size_t n = l.n;
	free(l.v);
	if (st != DSTACK_OK)
		return cmd_fail("image", st, &why);
	printf("%s: %zu files, for the lock file %.16s...\n", argv[optind], n,
	    lock.hash);
	return EXIT_YES;
}

/* --- import -------------------------------------------------------------- */

/* "kernel/KEY/VERSION/FILE": three plain names below kernel/. */
static bool
kernel_name(const char *name)
{
	unsigned parts = 0;

	if (strncmp(name, "kernel/", 7) != 0 || strlen(name) > 150)
		return false;
	for (const char *p = name + 7;; parts++) {
		size_t n = strcspn(p, "/");
		if (n == 0 || p[0] == '.' ||
		    strspn(p, "0123456789abcdefghijklmnopqrstuvwxyz"
			      "ABCDEFGHIJKLMNOPQRSTUVWXYZ._+~-") < n)
			return false;
		if (p[n] == '\0')
			return parts == 2;
		p += n + 1;
	}
}

static bool
store_name(const char *name)
{
	return strncmp(name, "sha256/", 7) == 0 && strlen(name) == 71 &&
	    strspn(name + 7, "0123456789abcdef") == 64;
}

/* mkdir -p of the folders of path. */
static bool
folders(char *path)
{
	for (char *p = path + 1; (p = strchr(p, '/')) != NULL; p++) {
		*p = '\0';
		bool ok = mkdir(path, 0755) == 0 || errno == EEXIST;
		*p = '/';
		if (!ok)
			return false;
	}
	return true;
}

static enum dstack_status
pour(struct archive *a, const char *name, int fd, char sum[static 65],
    struct why *why)
{
	struct hasher *h = hasher_new(HASHER_SHA256);
	uint64_t total = 0;
	uint8_t digest[32];
	const void *p;
	size_t n;
	la_int64_t at;
	int r;

	while ((r = archive_read_data_block(a, &p, &n, &at)) == ARCHIVE_OK) {
		if ((uint64_t)at != total || n > ENTRY_MAX - total)
			break; /* a hole, or too much */
		hasher_update(h, p, n);
		total += n;
		const uint8_t *q = p;
		while (n > 0) {
			ssize_t w = write(fd, q, n);
			if (w < 0 && errno == EINTR)
				continue;
			if (w <= 0) {
				hasher_final(h, digest);
				return why_set(why, DSTACK_E_SYS,
				    "the store: %s", strerror(errno));
			}
			q += w;
			n -= (size_t)w;
		}
	}
	hasher_final(h, digest);
	hex_encode(digest, 32, sum);
	if (r != ARCHIVE_EOF)
		return why_set(why, DSTACK_E_REJECTED,
		    "%.100s: sparse, cut short or too large", name);
	return DSTACK_OK;
}

static enum dstack_status
take(struct archive *a, const char *name, const char *dir, char sum[static 65],
    struct why *why)
{
	char path[PATH_LEN + 200], part[PATH_LEN + 220];

	(void)snprintf(path, sizeof(path), "%s/%s", dir, name);
	(void)snprintf(part, sizeof(part), "%s/.import.%d", dir, getpid());
	AUTO_CLOSE int fd = folders(path)
	    ? open(part, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW,
		  0644)
	    : -1;
	if (fd < 0)
		return why_set(why, DSTACK_E_SYS, "%.300s: %s", part,
		    strerror(errno));
	enum dstack_status st = pour(a, name, fd, sum, why);
	if (st == DSTACK_OK && store_name(name) && strcmp(sum, name + 7) != 0)
		st = why_set(why, DSTACK_E_REJECTED,
		    "%s has the hash %.16s...: nothing of it is kept", name,
		    sum);
	/* link(2) leaves what is there as it is, and rename(2) does not */
	if (st == DSTACK_OK &&
	    ((store_name(name) && rename(part, path) != 0) ||
		(kernel_name(name) && link(part, path) != 0 &&
		    errno != EEXIST)))
		st = why_set(why, DSTACK_E_SYS, "%.300s: %s", path,
		    strerror(errno));
	(void)unlink(part);
	return st;
}

static enum dstack_status
import(const char *file, char lock[static 65], unsigned *files,
    struct why *why)
{
	char dir[PATH_LEN], sum[65];
	struct archive *a = archive_read_new();
	struct archive_entry *e;
	enum dstack_status st = DSTACK_OK;
	int r = ARCHIVE_FATAL;

	if (!store_dir(dir))
		st = why_set(why, DSTACK_E_LIMIT, "the store's path is long");
	else if (archive_read_support_format_tar(a) != ARCHIVE_OK ||
	    archive_read_open_filename(a, file, 1 << 16) != ARCHIVE_OK)
		st = why_set(why, DSTACK_E_MISSING, "%.200s: %s", file,
		    archive_error_string(a));
	while (st == DSTACK_OK &&
	    (r = archive_read_next_header(a, &e)) == ARCHIVE_OK) {
		const char *name = archive_entry_pathname(e);
		bool note = name != NULL && (strcmp(name, "keys") == 0 ||
						strcmp(name, "lock.json") == 0);
		if (name == NULL || archive_entry_filetype(e) != AE_IFREG ||
		    archive_entry_hardlink(e) != NULL ||
		    ++*files > ENTRIES_MAX ||
		    (!note && !store_name(name) && !kernel_name(name)))
			st = why_set(why, DSTACK_E_REJECTED,
			    "%.200s: %.100s has no place in a store", file,
			    name != NULL ? name : "a name");
		else
			st = take(a, name, dir, sum, why);
		if (st == DSTACK_OK && strcmp(name, "lock.json") == 0)
			memcpy(lock, sum, 65);
	}
	if (st == DSTACK_OK && (r != ARCHIVE_EOF || *files == 0))
		st = why_set(why, DSTACK_E_REJECTED,
		    "%.200s: not a whole archive of a store", file);
	(void)archive_read_free(a);
	return st;
}

enum dstack_status
image_import_file(const char *file, struct why *why)
{
	AUTO_LOCK struct lock l = { .json = NULL };
	char lock[65] = "";
	unsigned files = 0;
	struct why no = { "" };
	enum dstack_status st = import(file, lock, &files, why);

	if (st != DSTACK_OK)
		return st;
	printf("%s: %u files, every hash is right\n", file, files);
	if (lock[0] != '\0' && lock_load(LOCK_PATH, &l, &no) == DSTACK_OK &&
	    strcmp(l.hash, lock) != 0)
		printf("it was made for another lock file than " LOCK_PATH
		       " (%.16s...)\n", lock);
	return DSTACK_OK;
}

int
image_import(const struct usage *u, int argc, char **argv)
{
	static const struct option none[] = { { NULL, 0, NULL, 0 } };
	struct why why = { "" };

	(void)usage_next(u, argc, argv, none);
	usage_words(u, argc, argv, 1, 1, "FILE");
	enum dstack_status st = image_import_file(argv[optind], &why);
	return st == DSTACK_OK ? EXIT_YES : cmd_fail("image", st, &why);
}
