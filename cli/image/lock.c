/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The lock file and the store behind it. A lock file is JSON for people and
 * one row a line for the build's scripts, and both must see the same packages
 * in it. So the form is closed: five members, rows with just the members that
 * the scripts' pattern names, texts without a blank, quote or line's end that
 * a pattern could be led astray by, paths below pool/, digests of 64 digits.
 * What is written otherwise is refused by number of row, not guessed at.
 *
 * The store is a cache in a home directory, so nothing in it is believed for
 * its name: what store_open hands out was hashed as it was opened. A file that
 * is another than its name says is refused, and not fetched over, since who
 * put it there is a question for its owner.
 */
#include "cli/image/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/hex.h"
#include "crypto/hash.h"

enum dstack_status
map_open(const char *path, struct mapped *out, struct why *why)
{
	struct stat sb;
	/* O_NONBLOCK: a FIFO in the place of a file must not hold the audit */
	AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	out->p = (const uint8_t *)"";
	out->len = 0;
	if (fd < 0 || fstat(fd, &sb) != 0)
		return why_set(why,
		    errno == ENOENT ? DSTACK_E_MISSING : DSTACK_E_SYS,
		    "%.300s: %s", path, strerror(errno));
	if (!S_ISREG(sb.st_mode))
		return why_set(why, DSTACK_E_FORMAT,
		    "%.300s: not a regular file", path);
	if (sb.st_size == 0)
		return DSTACK_OK;
	void *p = mmap(
	    NULL, (size_t)sb.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (p == MAP_FAILED)
		return why_set(why, DSTACK_E_SYS, "%.300s: %s", path,
		    strerror(errno));
	out->p = p;
	out->len = (size_t)sb.st_size;
	return DSTACK_OK;
}

void
map_close(struct mapped *m)
{
	if (m->len > 0)
		(void)munmap((void *)(uintptr_t)m->p, m->len);
	m->p = NULL;
	m->len = 0;
}

void
map_sum(const struct mapped *m, char out[static 65])
{
	uint8_t h[32];

	sha256(m->p, m->len, h);
	hex_encode(h, 32, out);
}

bool
store_dir(char out[static PATH_LEN])
{
	const char *s = getenv("DSTACK_STORE");
	const char *home = getenv("HOME");
	int n = s != NULL && s[0] != '\0'
	    ? snprintf(out, PATH_LEN, "%s", s)
	    : snprintf(out, PATH_LEN, "%s/.cache/dstack/store",
		  home != NULL ? home : "/root");

	return n > 0 && n < PATH_LEN - 100;
}

void
store_path(const char *sha256, char out[static PATH_LEN])
{
	char dir[PATH_LEN];

	if (!store_dir(dir))
		dir[0] = '\0'; /* then nothing is there */
	(void)snprintf(out, PATH_LEN, "%.600s/sha256/%.64s", dir, sha256);
}

enum dstack_status
store_open(const char *what, const char *sha256, struct mapped *out,
    struct why *why)
{
	char path[PATH_LEN], sum[65];

	store_path(sha256, path);
	enum dstack_status st = map_open(path, out, why);
	if (st == DSTACK_E_MISSING)
		return why_set(why, st,
		    "%.100s is not in the store (sha256/%.16s...); "
		    "dstack image build fetches it, image import brings it",
		    what, sha256);
	if (st != DSTACK_OK)
		return st;
	map_sum(out, sum);
	if (strcmp(sum, sha256) == 0)
		return DSTACK_OK;
	map_close(out);
	return why_set(why, DSTACK_E_REJECTED,
	    "%.100s in the store is not the locked file: sha256/%.16s... "
	    "has the hash %.16s...", what, sha256, sum);
}

static bool
is_hash(const char *s)
{
	return strlen(s) == 64 && strspn(s, "0123456789abcdef") == 64;
}

/* Text members of an object, all of them and in any order; NULL ends. */
static bool
members(const json_t *o, size_t extra, ...)
{
	va_list ap;
	size_t n = 0;
	bool ok = json_is_object(o);

	va_start(ap, extra);
	for (;;) {
		const char *key = va_arg(ap, const char *);
		if (key == NULL)
			break;
		const char **out = va_arg(ap, const char **);
		*out = json_string_value(json_object_get(o, key));
		/* the scripts split at blanks; dates alone may hold them */
		ok = ok && *out != NULL && (*out)[0] != '\0' &&
		    strlen(*out) < 300 && strpbrk(*out, "\"\\\n\t") == NULL &&
		    (strcmp(key, "date") == 0 || strchr(*out, ' ') == NULL);
		n++;
	}
	va_end(ap);
	return ok && json_object_size(o) == n + extra;
}

static bool
row_read(const json_t *o, struct lock_row *r)
{
	const json_t *size = json_object_get(o, "size");

	if (!members(o, 1, "name", &r->name, "use", &r->use, "version",
		&r->version, "suite", &r->suite, "archive", &r->archive,
		"path", &r->path, "sha256", &r->sha256, (const char *)NULL) ||
	    !json_is_integer(size) || json_integer_value(size) <= 0)
		return false;
	r->size = (uint64_t)json_integer_value(size);
	r->found = false;
	return is_hash(r->sha256) && strncmp(r->path, "pool/", 5) == 0 &&
	    strstr(r->path, "..") == NULL;
}

static bool
index_read(const json_t *o, struct lock_index *x)
{
	return members(o, 0, "archive", &x->archive, "suite", &x->suite, "date",
		   &x->date, "inrelease", &x->inrelease, "index", &x->index,
		   "sha256", &x->sha256, (const char *)NULL) &&
	    is_hash(x->inrelease) && is_hash(x->sha256);
}

enum dstack_status
lock_load(const char *path, struct lock *out, struct why *why)
{
	AUTO_MAP struct mapped m = { NULL, 0 };
	json_error_t e;
	json_t *o;
	size_t i;

	memset(out, 0, sizeof(*out));
	enum dstack_status st = map_open(path, &m, why);
	if (st != DSTACK_OK)
		return st;
	map_sum(&m, out->hash);
	out->json = json_loadb(
	    (const char *)m.p, m.len, JSON_REJECT_DUPLICATES, &e);
	const json_t *rows = json_object_get(out->json, "packages");
	const json_t *indexes = json_object_get(out->json, "indexes");
	if (out->json == NULL || json_object_size(out->json) != 5 ||
	    json_integer_value(json_object_get(out->json, "lock")) != 1 ||
	    !json_is_string(json_object_get(out->json, "release")) ||
	    !json_is_string(json_object_get(out->json, "kernel")) ||
	    json_array_size(rows) == 0 ||
	    json_array_size(rows) > LOCK_ROWS_MAX ||
	    json_array_size(indexes) == 0 ||
	    json_array_size(indexes) > LOCK_INDEXES_MAX)
		return why_set(why, DSTACK_E_REJECTED,
		    "%.200s: not a lock file%s%.100s", path,
		    out->json == NULL ? ": " : "",
		    out->json == NULL ? e.text : "");
	json_array_foreach (rows, i, o) {
		if (!row_read(o, &out->rows[out->nrows++]))
			return why_set(why, DSTACK_E_REJECTED,
			    "%.200s: package %zu is not in the form of a row",
			    path, i);
	}
	json_array_foreach (indexes, i, o) {
		if (!index_read(o, &out->indexes[out->nindexes++]))
			return why_set(why, DSTACK_E_REJECTED,
			    "%.200s: index %zu is not in the form of a row",
			    path, i);
	}
	return DSTACK_OK;
}

void
lock_clear(struct lock *lock)
{
	json_decref(lock->json);
	lock->json = NULL;
}
