/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A node's log, put together from the files that its host has. Each call reads
 * what the files have grown by, takes them apart into frames, sorts the frames
 * by start of the guest and by number, and shows them in that order.
 *
 * The host may have left out, altered, doubled or invented any of it. Of one
 * start, numbers must follow one another, and each text names the hash of the
 * frame before it: what is missing, what is there twice with different words
 * and what another frame stands in the place of is said, with its numbers.
 * Where the first frames are gone because the host has made room, that looks
 * like any gap at the beginning. A sealed frame that does not open is of
 * another key or altered. Whole starts that a host invents cannot be told from
 * real ones.
 */
#include "cli/app/logs.h"

#include <dirent.h>
#include <stdarg.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/hex.h"
#include "base/own.h"
#include "crypto/hash.h"
#include "host/base/files.h"
#include "host/base/logs.h"

/* A frame of this call, in memory until it is shown. */
struct found {
	uint8_t *p; /* owned */
	struct applog_frame f;
	size_t n;
	uint64_t start; /* of the earliest line of its start, this call */
	size_t order;
};

struct heap {
	struct found *v;
	size_t n;
};

static void
heap_free(struct heap *h)
{
	for (size_t i = 0; i < h->n; i++)
		free(h->v[i].p);
	free(h->v);
}
#define AUTO_HEAP OWN_CLEANUP(heap_free)

static void
fault(struct logs *l, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
static void
fault(struct logs *l, const char *fmt, ...)
{
	char text[256];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	l->wrong = true;
	l->fault(l->ctx, text);
}

static enum dstack_status
add(struct heap *h, const uint8_t *p, size_t n)
{
	struct found *v = h->n % 64 != 0
	    ? h->v
	    : reallocarray(h->v, h->n + 64, sizeof(*v));
	uint8_t *copy = malloc(n);

	if (v != NULL)
		h->v = v;
	if (v == NULL || copy == NULL) {
		free(copy);
		return DSTACK_E_NOMEM;
	}
	memcpy(copy, p, n);
	struct found *x = &h->v[h->n];
	*x = (struct found){ .p = copy, .n = n, .start = UINT64_MAX,
		.order = h->n };
	if (applog_frame_get(copy, n, &x->f) != DSTACK_OK) {
		free(copy);
		return DSTACK_E_FORMAT;
	}
	h->n++;
	return DSTACK_OK;
}

static struct logs_file *
file_of(struct logs *l, ino_t ino)
{
	for (size_t i = 0; i < l->files; i++)
		if (l->file[i].ino == ino)
			return &l->file[i];
	struct logs_file *v =
	    reallocarray(l->file, l->files + 1, sizeof(*v));
	if (v == NULL)
		return NULL;
	l->file = v;
	v[l->files] = (struct logs_file){ .ino = ino };
	return &v[l->files++];
}

/* What one file has grown by. A frame that is not whole yet is left. */
static enum dstack_status
read_file(struct logs *l, const char *name, struct heap *h)
{
	struct stat s;
	AUTO_CLOSE int fd = openat(l->dir, name,
	    O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);

	if (fd < 0 || fstat(fd, &s) != 0 || !S_ISREG(s.st_mode))
		return DSTACK_OK; /* it went, or is none of ours */
	struct logs_file *f = file_of(l, s.st_ino);
	if (f == NULL)
		return DSTACK_E_NOMEM;
	/* a host that makes up a huge file wants this program's memory */
	if (f->broken || s.st_size <= f->done ||
	    s.st_size > (off_t)(2 * LOGS_FILE_MAX))
		return DSTACK_OK;
	size_t n = (size_t)(s.st_size - f->done);
	AUTO_FREE uint8_t *p = malloc(n);
	if (p == NULL)
		return DSTACK_E_NOMEM;
	if (pread(fd, p, n, f->done) != (ssize_t)n)
		return DSTACK_OK; /* the next call */
	struct rd r = rd_over(p, n);
	while (rd_left(&r) != 0) {
		const uint8_t *frame = NULL;
		size_t len = 0;
		enum dstack_status st =
		    rd_blob(&r, APPLOG_FRAME_MAX, &frame, &len);
		if (st == DSTACK_E_TRUNCATED)
			break;
		if (st == DSTACK_OK)
			st = add(h, frame, len);
		if (st == DSTACK_E_NOMEM)
			return st;
		if (st != DSTACK_OK) {
			fault(l, "%s/%s is damaged from byte %lld on", l->path,
			    name, (long long)f->done);
			f->broken = true;
			break;
		}
		f->done += (off_t)(4 + len);
	}
	return DSTACK_OK;
}

static enum dstack_status
read_files(struct logs *l, struct heap *h, struct why *why)
{
	struct dirent *e;
	enum dstack_status st = DSTACK_OK;

	if (l->dir < 0)
		l->dir = open(l->path,
		    O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (l->dir < 0 && errno == ENOENT)
		return DSTACK_OK;
	int copy = l->dir < 0
	    ? -1
	    : openat(l->dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = copy >= 0 ? fdopendir(copy) : NULL;
	if (d == NULL) {
		if (copy >= 0)
			(void)close(copy);
		return why_set(
		    why, DSTACK_E_SYS, "%s: %s", l->path, strerror(errno));
	}
	while (st == DSTACK_OK && (e = readdir(d)) != NULL)
		if (files_name_ok(e->d_name))
			st = read_file(l, e->d_name, h);
	(void)closedir(d);
	return st == DSTACK_OK ? st : why_set(why, st, "no memory");
}

static int
by_boot_and_number(const void *a, const void *b)
{
	const struct found *x = a;
	const struct found *y = b;
	int c = memcmp(x->f.head.boot, y->f.head.boot, 16);

	if (x->start != y->start)
		return x->start < y->start ? -1 : 1;
	if (c != 0)
		return c;
	if (x->f.head.number != y->f.head.number)
		return x->f.head.number < y->f.head.number ? -1 : 1;
	return x->order < y->order ? -1 : 1;
}

/* When the first line of a frame was written; UINT64_MAX: it does not say. */
static uint64_t
first_ms(const struct logs *l, const struct applog_frame *f, uint8_t *text)
{
	struct applog_line line;
	uint8_t prev[32];
	size_t n = 0;

	if (applog_open(f, l->key, text, &n) != DSTACK_OK)
		return UINT64_MAX;
	struct rd r = rd_over(text, n);
	if (applog_prev_get(&r, prev) != DSTACK_OK ||
	    applog_line_get(&r, &line) != DSTACK_OK)
		return UINT64_MAX;
	return line.ms;
}

/* Starts in the order of their first lines. */
static void
sort(struct logs *l, struct heap *h, uint8_t *text)
{
	/* first by name, to find each start's first frame; then by its time */
	qsort(h->v, h->n, sizeof(*h->v), by_boot_and_number);
	for (size_t i = 0, k; i < h->n; i = k) {
		uint64_t ms = first_ms(l, &h->v[i].f, text);
		for (k = i; k < h->n && memcmp(h->v[k].f.head.boot,
		                            h->v[i].f.head.boot, 16) == 0; k++)
			h->v[k].start = ms;
	}
	qsort(h->v, h->n, sizeof(*h->v), by_boot_and_number);
}

static struct logs_boot *
boot_of(struct logs *l, const uint8_t id[static 16])
{
	for (size_t i = 0; i < l->boots; i++)
		if (memcmp(l->boot[i].boot, id, 16) == 0)
			return &l->boot[i];
	struct logs_boot *v =
	    reallocarray(l->boot, l->boots + 1, sizeof(*v));
	if (v == NULL)
		return NULL;
	l->boot = v;
	v[l->boots] = (struct logs_boot){ .next = 0 };
	memcpy(v[l->boots].boot, id, 16);
	return &v[l->boots++];
}

/* The lines of an opened text. False: it is none. */
static bool
show(struct logs *l, const struct applog_head *h, struct rd *r)
{
	while (rd_left(r) != 0) {
		struct applog_line line;
		char text[APPLOG_LINE_MAX + 1];
		if (applog_line_get(r, &line) != DSTACK_OK)
			return false;
		for (size_t i = 0; i < line.n; i++) {
			uint8_t c = line.p[i];
			/* not what could move somebody's cursor */
			text[i] = (char)((c < 0x20 && c != '\t') || c == 0x7f
			        ? '?' : c);
		}
		text[line.n] = '\0';
		l->line(l->ctx, line.ms, h->version, line.from, text);
	}
	return true;
}

/* Is it the one that comes next? Said where not. False: it is not shown. */
static bool
in_order(struct logs *l, const struct logs_boot *b, const struct found *x,
    const uint8_t *prev, const char *id)
{
	uint64_t n = x->f.head.number;
	uint8_t hash[32];

	if (n < b->next) {
		/* an answer that was lost: the guest gave the same again */
		sha256(x->p, x->n, hash);
		if (n + 1 != b->next || memcmp(hash, b->hash, 32) != 0)
			fault(l, "batch %" PRIu64 " of %s is there twice, or "
			    "comes too late", n, id);
		return false;
	}
	if (n > b->next && n - b->next == 1)
		fault(l, "batch %" PRIu64 " of %s is missing", b->next, id);
	else if (n > b->next)
		fault(l, "batches %" PRIu64 " to %" PRIu64 " of %s are missing",
		    b->next, n - 1, id);
	else if (prev != NULL && memcmp(prev, b->hash, 32) != 0)
		fault(l, "before batch %" PRIu64 " of %s stood another than is "
			 "here", n, id);
	return true;
}

static enum dstack_status
show_frame(struct logs *l, const struct found *x, uint8_t *text)
{
	struct logs_boot *b = boot_of(l, x->f.head.boot);
	uint8_t prev[32] = { 0 };
	char id[9];
	size_t n = 0;

	if (b == NULL)
		return DSTACK_E_NOMEM;
	hex_encode(x->f.head.boot, 4, id);
	enum dstack_status st = applog_open(&x->f, l->key, text, &n);
	struct rd r = rd_over(text, n);
	if (st == DSTACK_OK)
		st = applog_prev_get(&r, prev);
	if (!in_order(l, b, x, st == DSTACK_OK ? prev : NULL, id))
		return DSTACK_OK;
	if (st == DSTACK_E_MISSING)
		fault(l, "batch %" PRIu64 " of %s is sealed: --key FILE opens "
			 "it", x->f.head.number, id);
	else if (st != DSTACK_OK || !show(l, &x->f.head, &r))
		fault(l, "batch %" PRIu64 " of %s does not open: it is of "
			 "another key, or altered", x->f.head.number, id);
	/* also behind a fault: each is said once, and the rest goes on */
	b->next = x->f.head.number + 1;
	sha256(x->p, x->n, b->hash);
	return DSTACK_OK;
}

enum dstack_status
logs_read(struct logs *l, struct why *why)
{
	AUTO_HEAP struct heap h = { NULL, 0 };
	AUTO_FREE uint8_t *text = malloc(APPLOG_TEXT_MAX);
	enum dstack_status st = text == NULL ? DSTACK_E_NOMEM : DSTACK_OK;

	if (st == DSTACK_OK)
		st = read_files(l, &h, why);
	if (st == DSTACK_OK && h.n != 0)
		sort(l, &h, text);
	for (size_t i = 0; i < h.n && st == DSTACK_OK; i++)
		st = show_frame(l, &h.v[i], text);
	if (st == DSTACK_E_NOMEM)
		return why_set(why, st, "no memory");
	return st;
}

void
logs_free(struct logs *l)
{
	if (l->dir >= 0)
		(void)close(l->dir);
	free(l->boot);
	free(l->file);
	l->boot = NULL;
	l->file = NULL;
}
