/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The archive as a set of named files.
 *
 * In comes a piece of memory with a plain tar. It is read once, header by
 * header, for the names and where the bytes of each file lie in that memory;
 * a name that comes twice is refused, and so is a file whose bytes are not
 * all there. From then on a file is found by name and read where it lies.
 * libarchive reads tar, gzip and zstd; a stream is its "raw" format (whatever
 * bytes come out of the decompressor), fed in pieces, so that its reader can
 * tell which bytes are not needed any more.
 */
#include "oci/internal.h"

#include <errno.h>
#include <string.h>

#include "base/own.h"

#define PIECE (256u << 10) /* of a file, to the decompressor */

static void
reader_free(struct archive **a)
{
	if (*a != NULL)
		(void)archive_read_free(*a);
}
#define AUTO_READER OWN_CLEANUP(reader_free)

static const char *
reader_error(struct archive *a)
{
	const char *t = archive_error_string(a);
	return t != NULL ? t : "unreadable";
}

/* The outer tar: never compressed, so that its size bounds what it holds. */
static enum dstack_status
outer_open(const void *buf, size_t len, struct archive **out, struct why *why)
{
	AUTO_READER struct archive *a = archive_read_new();
	if (a == NULL)
		return why_set(why, DSTACK_E_NOMEM, "archive: out of memory");
	if (archive_read_support_format_tar(a) != ARCHIVE_OK ||
	    archive_read_open_memory(a, buf, len) != ARCHIVE_OK)
		return why_set(why, DSTACK_E_FORMAT,
		    "archive is no plain tar (a compressed one must be "
		    "unpacked first): %s", reader_error(a));
	*out = take_ptr(&a);
	return DSTACK_OK;
}

static int
by_name(const void *a, const void *b)
{
	const struct blob *x = a;
	const struct blob *y = b;
	return strcmp(x->name, y->name);
}

/* Where a symlink of the archive points: only `docker save` has them. */
static char *
link_name(const char *from, const char *to)
{
	char joined[2 * OCI_MAX_PATH + 2];
	char clean[OCI_MAX_PATH + 1];
	const char *slash = strrchr(from, '/');
	size_t dir = slash != NULL ? (size_t)(slash - from) : 0;
	while (strncmp(to, "../", 3) == 0 && dir != 0) {
		to += 3;
		while (dir != 0 && from[dir - 1] != '/')
			dir--;
		if (dir != 0)
			dir--;
	}
	if (strlen(to) > OCI_MAX_PATH)
		return NULL;
	memcpy(joined, from, dir);
	joined[dir] = '/';
	memcpy(joined + dir + 1, to, strlen(to) + 1);
	if (oci_path(joined, clean, NULL) != DSTACK_OK)
		return NULL;
	return strdup(clean);
}

/* Where the bytes of the regular file whose header was read lie. */
static enum dstack_status
place(struct archive *a, const struct blobs *b, struct blob *x,
    struct why *why)
{
	const void *p = NULL;
	size_t n = 0;
	la_int64_t off = 0;
	if (x->size > b->len)
		return why_set(why, DSTACK_E_REJECTED,
		    "archive: %.100s claims more bytes than the archive has",
		    x->name);
	if (x->size == 0)
		return DSTACK_OK;
	int r = archive_read_data_block(a, &p, &n, &off);
	uintptr_t at = (uintptr_t)p - (uintptr_t)b->buf;
	if (r != ARCHIVE_OK || n == 0 || off != 0 ||
	    (uintptr_t)p < (uintptr_t)b->buf || at > b->len ||
	    x->size > b->len - at)
		return why_set(why, DSTACK_E_FORMAT,
		    "archive is cut short: %.100s is not all there", x->name);
	x->off = at;
	return DSTACK_OK;
}

static enum dstack_status
index_one(struct archive *a, struct blobs *b, struct archive_entry *e,
    struct why *why)
{
	char name[OCI_MAX_PATH + 1];
	const char *raw = archive_entry_pathname(e);
	if (raw == NULL)
		return why_set(why, DSTACK_E_FORMAT,
		    "archive: an entry without a name");
	enum dstack_status st = oci_path(raw, name, why);
	if (st != DSTACK_OK)
		return why_wrap(why, st, "archive");
	if (b->n % 64 == 0) {
		struct blob *v =
		    reallocarray(b->v, b->n + 64, sizeof(b->v[0]));
		if (v == NULL)
			return why_set(why, DSTACK_E_NOMEM,
			    "archive: out of memory");
		b->v = v;
	}
	struct blob *x = &b->v[b->n];
	*x = (struct blob){ .name = strdup(name) };
	if (x->name == NULL)
		return why_set(why, DSTACK_E_NOMEM, "archive: out of memory");
	b->n++;
	if (archive_entry_hardlink(e) != NULL)
		return DSTACK_OK; /* never read: found as neither */
	if (archive_entry_filetype(e) == AE_IFLNK &&
	    archive_entry_symlink(e) != NULL)
		x->link = link_name(name, archive_entry_symlink(e));
	if (archive_entry_filetype(e) != AE_IFREG ||
	    archive_entry_size(e) < 0 || archive_entry_sparse_count(e) != 0)
		return DSTACK_OK;
	x->size = (uint64_t)archive_entry_size(e);
	return place(a, b, x, why);
}

/*
 * The names in the order of the archive; at most one of each, since a
 * second one under a name is how a checked file is swapped for another.
 */
static enum dstack_status
no_doubles(const struct blobs *b, struct why *why)
{
	AUTO_FREE struct blob *v = calloc(b->n, sizeof(*v));
	if (v == NULL)
		return why_set(why, DSTACK_E_NOMEM, "archive: out of memory");
	memcpy(v, b->v, b->n * sizeof(*v));
	qsort(v, b->n, sizeof(*v), by_name);
	for (size_t i = 1; i < b->n; i++) {
		/* "." of a tar of a directory, and its directories, may repeat */
		if (strcmp(v[i].name, v[i - 1].name) == 0 &&
		    (v[i].size != 0 || v[i - 1].size != 0 ||
			v[i].link != NULL || v[i - 1].link != NULL))
			return why_set(why, DSTACK_E_REJECTED,
			    "archive: %.100s is in it twice", v[i].name);
	}
	return DSTACK_OK;
}

enum dstack_status
blobs_index(const void *buf, size_t len, struct blobs *b, struct why *why)
{
	AUTO_READER struct archive *a = NULL;
	enum dstack_status st = outer_open(buf, len, &a, why);
	if (st != DSTACK_OK)
		return st;
	*b = (struct blobs){ .buf = buf, .len = len };
	for (;;) {
		struct archive_entry *e = NULL;
		int r = archive_read_next_header(a, &e);
		if (r == ARCHIVE_EOF)
			break;
		if (r != ARCHIVE_OK && r != ARCHIVE_WARN)
			return why_set(why, DSTACK_E_FORMAT,
			    "archive is broken or cut short after %zu "
			    "entries: %s", b->n, reader_error(a));
		if (b->n == OCI_MAX_ARCHIVE_ENTRIES)
			return why_set(why, DSTACK_E_LIMIT,
			    "archive: over %d entries", OCI_MAX_ARCHIVE_ENTRIES);
		st = index_one(a, b, e, why);
		if (st != DSTACK_OK)
			return st;
	}
	if (b->n == 0)
		return why_set(why, DSTACK_E_FORMAT, "archive is empty");
	return no_doubles(b, why);
}

void
blobs_free(struct blobs *b)
{
	for (size_t i = 0; i < b->n; i++) {
		free(b->v[i].name);
		free(b->v[i].link);
	}
	free(b->v);
	*b = (struct blobs){ 0 };
}

bool
blobs_find(const struct blobs *b, const char *name, size_t *at)
{
	for (int hop = 0; hop < 2; hop++) {
		size_t i = 0;
		while (i < b->n && strcmp(b->v[i].name, name) != 0)
			i++;
		if (i == b->n)
			return false;
		if (b->v[i].link == NULL) {
			*at = i;
			return b->v[i].size != 0;
		}
		name = b->v[i].link;
	}
	return false;
}

enum dstack_status
blobs_read(const struct blobs *b, size_t at, size_t max, uint8_t **out,
    size_t *n, struct why *why)
{
	const struct blob *x = &b->v[at];
	if (x->size > max)
		return why_set(why, DSTACK_E_LIMIT,
		    "%.100s: %llu bytes, over %zu", x->name,
		    (unsigned long long)x->size, max);
	AUTO_FREE uint8_t *p = malloc((size_t)x->size + 1);
	if (p == NULL)
		return why_set(why, DSTACK_E_NOMEM, "archive: out of memory");
	memcpy(p, b->buf + x->off, (size_t)x->size);
	p[x->size] = 0;
	*n = (size_t)x->size;
	*out = take_ptr(&p);
	return DSTACK_OK;
}

/* libarchive comes for the next piece when it has done with the last. */
static la_ssize_t
next_piece(struct archive *raw, void *ctx, const void **p)
{
	struct stream *s = ctx;
	uint64_t n = s->in - s->given;
	(void)raw;
	if (s->done != NULL)
		s->done(s->ctx, s->given);
	if (n > PIECE)
		n = PIECE;
	*p = s->from + s->given;
	s->given += n;
	return (la_ssize_t)n;
}

enum dstack_status
stream_open(const struct blobs *b, size_t at, uint64_t max, struct stream *s,
    struct why *why)
{
	const struct blob *x = &b->v[at];
	struct archive_entry *e = NULL;
	*s = (struct stream){ .from = b->buf + x->off,
		.in = x->size,
		.max = max,
		.name = x->name,
		.why = why };
	s->raw = archive_read_new();
	/* ARCHIVE_WARN would mean that it runs a program for it: refuse. */
	if (s->raw == NULL ||
	    archive_read_support_format_raw(s->raw) != ARCHIVE_OK ||
	    archive_read_support_filter_gzip(s->raw) != ARCHIVE_OK ||
	    archive_read_support_filter_zstd(s->raw) != ARCHIVE_OK)
		return s->st = why_set(why, DSTACK_E_NOMEM,
			   "archive: no decompressor");
	if (archive_read_open(s->raw, s, NULL, next_piece, NULL) !=
		ARCHIVE_OK ||
	    archive_read_next_header(s->raw, &e) != ARCHIVE_OK)
		return s->st = why_set(why, DSTACK_E_FORMAT, "%.100s: %s",
			   s->name, reader_error(s->raw));
	return DSTACK_OK;
}

enum dstack_status
stream_next(struct stream *s, const void **p, size_t *n)
{
	*n = 0;
	if (s->st != DSTACK_OK)
		return s->st;
	la_int64_t off = 0;
	int r = archive_read_data_block(s->raw, p, n, &off);
	if (r == ARCHIVE_EOF) {
		*n = 0;
		return DSTACK_OK;
	}
	if (r != ARCHIVE_OK)
		return s->st = why_set(s->why, DSTACK_E_FORMAT, "%.100s: %s",
			   s->name, reader_error(s->raw));
	s->out += *n;
	if (s->out > s->max ||
	    s->out > s->in * OCI_MAX_RATIO + OCI_FREE_GROWTH)
		return s->st = why_set(s->why, DSTACK_E_LIMIT,
			   "%.100s: unpacks to more than is allowed (%llu of "
			   "%llu bytes, ratio %d)", s->name,
			   (unsigned long long)s->out,
			   (unsigned long long)s->max, OCI_MAX_RATIO);
	return DSTACK_OK;
}

void
stream_close(struct stream *s)
{
	if (s->raw != NULL)
		(void)archive_read_free(s->raw);
	s->raw = NULL;
}
