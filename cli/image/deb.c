/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Debian packages (deb(5)): an ar archive with two tars, read by libarchive in
 * memory. Nothing is ever unpacked to disk; members are found by name and given
 * to the caller one by one, bounded in size, since a package is a stranger's
 * until its hash is the locked one.
 */
#include "cli/image/deb.h"

#include <archive.h>
#include <archive_entry.h>
#include <string.h>

#define MEMBER_MAX (512u << 20)
#define TEXT_MAX (64u << 20)

enum dstack_status
archive_slurp(struct archive *a, size_t max, char **out, size_t *len,
    struct why *why)
{
	AUTO_FREE char *buf = NULL;
	size_t n = 0, cap = 0;

	for (;;) {
		/*
		 * One byte stays for a NUL, so that what is text may be read as
		 * text.
		 */
		if (cap - n < 2) {
			size_t more = cap == 0 ? 65536 : cap * 2;
			char *p = more > max + 65536 ? NULL
						     : realloc(buf, more);
			if (p == NULL)
				return why_set(why, DSTACK_E_LIMIT,
				    "over %zu bytes unpacked", max);
			buf = p;
			cap = more;
		}
		la_ssize_t got = archive_read_data(a, buf + n, cap - n - 1);
		if (got < 0)
			return why_set(why, DSTACK_E_FORMAT, "%s",
			    archive_error_string(a));
		if (got == 0)
			break;
		n += (size_t)got;
	}
	buf[n] = '\0';
	*len = n;
	*out = take_ptr(&buf);
	return DSTACK_OK;
}

enum dstack_status
unpack_bytes(const void *p, size_t n, size_t max, char **out, size_t *len,
    struct why *why)
{
	struct archive *a = archive_read_new();
	struct archive_entry *e;
	enum dstack_status st;

	(void)archive_read_support_filter_all(a);
	(void)archive_read_support_format_raw(a);
	if (archive_read_open_memory(a, p, n) != ARCHIVE_OK ||
	    archive_read_next_header(a, &e) != ARCHIVE_OK)
		st = why_set(why, DSTACK_E_FORMAT, "%s",
		    archive_error_string(a));
	else
		st = archive_slurp(a, max, out, len, why);
	(void)archive_read_free(a);
	return st;
}

static enum dstack_status
inner(char *tar, size_t n,
    enum dstack_status (*each)(
	void *arg, struct archive *a, struct archive_entry *e),
    void *arg, struct why *why)
{
	struct archive *a = archive_read_new();
	struct archive_entry *e;
	enum dstack_status st = DSTACK_OK;
	int r = ARCHIVE_OK;

	(void)archive_read_support_filter_all(a);
	(void)archive_read_support_format_tar(a);
	if (archive_read_open_memory(a, tar, n) != ARCHIVE_OK)
		r = ARCHIVE_FATAL;
	while (st == DSTACK_OK && r == ARCHIVE_OK &&
	    (r = archive_read_next_header(a, &e)) == ARCHIVE_OK)
		st = each(arg, a, e);
	if (st == DSTACK_OK && r != ARCHIVE_EOF)
		st = why_set(why, DSTACK_E_FORMAT, "%s",
		    archive_error_string(a));
	(void)archive_read_free(a);
	return st;
}

enum dstack_status
deb_each(const struct mapped *deb, const char *member,
    enum dstack_status (*each)(
	void *arg, struct archive *a, struct archive_entry *e),
    void *arg, struct why *why)
{
	struct archive *a = archive_read_new();
	struct archive_entry *e;
	enum dstack_status st =
	    why_set(why, DSTACK_E_FORMAT, "a package without %s", member);
	AUTO_FREE char *tar = NULL;
	size_t n = 0;

	(void)archive_read_support_format_ar(a);
	if (archive_read_open_memory(a, deb->p, deb->len) == ARCHIVE_OK)
		while (archive_read_next_header(a, &e) == ARCHIVE_OK) {
			const char *name = archive_entry_pathname(e);
			if (name == NULL ||
			    strncmp(name, member, strlen(member)) != 0)
				continue;
			st = archive_slurp(a, MEMBER_MAX, &tar, &n, why);
			break;
		}
	(void)archive_read_free(a);
	return st == DSTACK_OK ? inner(tar, n, each, arg, why) : st;
}

struct wanted {
	const char *path;
	char *out;
	size_t len;
	bool link;
	struct why *why;
};

/* DSTACK_E_BUSY ends the search: found. */
static enum dstack_status
want(void *arg, struct archive *a, struct archive_entry *e)
{
	struct wanted *w = arg;
	const char *name = archive_entry_pathname(e);

	if (name == NULL)
		return DSTACK_OK;
	/* dpkg writes names so; other tools leave it out. */
	name += strncmp(name, "./", 2) == 0 ? 2 : 0;
	if (strcmp(name, w->path) != 0)
		return DSTACK_OK;
	if (archive_entry_filetype(e) == AE_IFLNK) {
		w->link = true;
		w->out = strdup(archive_entry_symlink(e));
		return w->out != NULL ? DSTACK_E_BUSY : DSTACK_E_NOMEM;
	}
	enum dstack_status st =
	    archive_slurp(a, TEXT_MAX, &w->out, &w->len, w->why);
	return st == DSTACK_OK ? DSTACK_E_BUSY : st;
}

enum dstack_status
deb_text(const struct mapped *deb, const char *member, const char *path,
    char **out, size_t *len, struct why *why)
{
	struct wanted w = { .path = path, .why = why };
	enum dstack_status st = deb_each(deb, member, want, &w, why);

	*out = NULL;
	*len = 0;
	if (st == DSTACK_OK)
		return why_set(why, DSTACK_E_MISSING, "no %.200s in it", path);
	if (st != DSTACK_E_BUSY)
		return st;
	*out = w.out;
	*len = w.len;
	return w.link ? DSTACK_E_MISSING : DSTACK_OK;
}
