/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The tree's entries, layer by layer (OCI image-spec 1.1, layer.md). A layer
 * with lower ones below it is read twice: whiteouts first, because they hide
 * what lower layers have and never what their own layer brings, in
 * whatever order the tar has them.
 */
#include "oci/internal.h"

#include <stdio.h>
#include <errno.h>
#include <string.h>

#include "base/own.h"

struct walk {
	const struct oci_sink *sink;
	struct stream stream;
	struct why *why;
	size_t layer;
	size_t entries;
	bool removing; /* first reading: whiteouts alone */
};

static la_ssize_t
from_stream(struct archive *tar, void *ctx, const void **p)
{
	struct stream *s = ctx;
	size_t n = 0;
	if (stream_next(s, p, &n) != DSTACK_OK) {
		archive_set_error(tar, EIO, "unreadable layer");
		return -1;
	}
	return (la_ssize_t)n;
}

static enum dstack_status
copy_data(struct walk *w, struct archive *a, const struct oci_entry *e)
{
	uint64_t done = 0;
	for (;;) {
		const void *p = NULL;
		size_t n = 0;
		la_int64_t off = 0;
		int r = archive_read_data_block(a, &p, &n, &off);
		if (r == ARCHIVE_EOF)
			break;
		if (r != ARCHIVE_OK)
			return why_set(w->why, DSTACK_E_FORMAT,
			    "layer %zu: %.120s: cut short", w->layer, e->path);
		if (off < 0 || (uint64_t)off != done || n > e->size - done)
			return why_set(w->why, DSTACK_E_REJECTED,
			    "layer %zu: %.120s: a sparse file or a false "
			    "size", w->layer, e->path);
		done += n;
		enum dstack_status st = w->sink->data(w->sink->ctx, p, n, w->why);
		if (st != DSTACK_OK)
			return st;
	}
	if (done != e->size)
		return why_set(w->why, DSTACK_E_FORMAT,
		    "layer %zu: %.120s: cut short", w->layer, e->path);
	return w->sink->end(w->sink->ctx, w->why);
}

static enum dstack_status
give(struct walk *w, const struct oci_entry *e)
{
	return w->sink->entry(w->sink->ctx, e, w->why);
}

/* A name beginning with ".wh.": path is cut to what it hides. */
static enum dstack_status
whiteout(struct walk *w, char *path, char *base, struct oci_entry *e)
{
	if (strcmp(base, ".wh..wh..opq") == 0) {
		e->kind = OCI_CLEAR;
		if (base != path)
			base--;
		*base = '\0';
	} else if (strncmp(base, ".wh..wh.", 8) == 0) {
		return DSTACK_OK; /* AUFS's own bookkeeping */
	} else {
		const char *name = base + 4;
		if (name[0] == '\0' || strcmp(name, ".") == 0 ||
		    strcmp(name, "..") == 0)
			return why_set(w->why, DSTACK_E_REJECTED,
			    "layer %zu: a whiteout of nothing", w->layer);
		e->kind = OCI_REMOVE;
		memmove(base, name, strlen(name) + 1);
	}
	return w->removing ? give(w, e) : DSTACK_OK;
}

static enum dstack_status
ids(struct walk *w, struct archive_entry *ae, struct oci_entry *e)
{
	la_int64_t uid = archive_entry_uid(ae);
	la_int64_t gid = archive_entry_gid(ae);
	if (uid < 0 || uid > OCI_MAX_ID || gid < 0 || gid > OCI_MAX_ID)
		return why_set(w->why, DSTACK_E_REJECTED,
		    "layer %zu: %.120s: owner %lld:%lld, the last id is %d",
		    w->layer, e->path, (long long)uid, (long long)gid,
		    OCI_MAX_ID);
	e->uid = (uint32_t)uid;
	e->gid = (uint32_t)gid;
	/* No setuid, no setgid: a container cannot gain by exec anyway. */
	e->mode = (uint32_t)archive_entry_mode(ae) & 01777;
	e->mtime = archive_entry_mtime_is_set(ae) ? archive_entry_mtime(ae) : 0;
	if (e->mtime < 0)
		e->mtime = 0;
	return DSTACK_OK;
}

static enum dstack_status
one(struct walk *w, struct archive *a, struct archive_entry *ae)
{
	char path[OCI_MAX_PATH + 1];
	char target[OCI_MAX_PATH + 1];
	const char *raw = archive_entry_pathname(ae);
	const char *hard = archive_entry_hardlink(ae);
	const char *sym = archive_entry_symlink(ae);
	struct oci_entry e = { .layer = w->layer, .path = path, .target = "" };
	if (raw == NULL)
		return why_set(w->why, DSTACK_E_FORMAT,
		    "layer %zu: an entry without a name", w->layer);
	enum dstack_status st = oci_path(raw, path, w->why);
	if (st != DSTACK_OK)
		return why_wrap(w->why, st, "layer %zu", w->layer);
	char *base = strrchr(path, '/');
	base = base != NULL ? base + 1 : path;
	if (strncmp(base, ".wh.", 4) == 0)
		return whiteout(w, path, base, &e);
	if (strstr(path, "/.wh.") != NULL || strncmp(path, ".wh.", 4) == 0)
		return why_set(w->why, DSTACK_E_REJECTED,
		    "layer %zu: %.120s: below a whiteout", w->layer, path);
	if (w->removing)
		return DSTACK_OK;
	st = ids(w, ae, &e);
	if (st != DSTACK_OK)
		return st;
	if (hard != NULL) {
		e.kind = OCI_HARDLINK;
		st = oci_path(hard, target, w->why);
		if (st != DSTACK_OK)
			return why_wrap(w->why, st, "layer %zu: link", w->layer);
		e.target = target;
		if (path[0] == '\0' || target[0] == '\0')
			return why_set(w->why, DSTACK_E_REJECTED,
			    "layer %zu: a link from or to the root", w->layer);
		return give(w, &e);
	}
	switch (archive_entry_filetype(ae)) {
	case AE_IFDIR:
		e.kind = OCI_DIR;
		return give(w, &e);
	case AE_IFREG:
		e.kind = OCI_FILE;
		break;
	case AE_IFLNK:
		e.kind = OCI_SYMLINK;
		if (sym == NULL || sym[0] == '\0' || strlen(sym) > OCI_MAX_PATH)
			return why_set(w->why, DSTACK_E_REJECTED,
			    "layer %zu: %.120s: a symlink to nothing",
			    w->layer, path);
		e.target = sym;
		break;
	default:
		e.kind = OCI_SKIPPED;
		break;
	}
	if (path[0] == '\0')
		return why_set(w->why, DSTACK_E_REJECTED,
		    "layer %zu: the root is no directory", w->layer);
	if (e.kind != OCI_FILE)
		return give(w, &e);
	if (archive_entry_sparse_count(ae) != 0 || archive_entry_size(ae) < 0)
		return why_set(w->why, DSTACK_E_REJECTED,
		    "layer %zu: %.120s: a sparse file", w->layer, path);
	e.size = (uint64_t)archive_entry_size(ae);
	if (e.size > w->stream.max)
		return why_set(w->why, DSTACK_E_REJECTED,
		    "layer %zu: %.120s: larger than its layer", w->layer,
		    path);
	st = give(w, &e);
	return st == DSTACK_OK ? copy_data(w, a, &e) : st;
}

static enum dstack_status
entries(struct walk *w, struct archive *a)
{
	for (;;) {
		struct archive_entry *ae = NULL;
		int r = archive_read_next_header(a, &ae);
		if (r == ARCHIVE_EOF)
			return DSTACK_OK;
		if (w->stream.st != DSTACK_OK)
			return w->stream.st;
		if (r != ARCHIVE_OK && r != ARCHIVE_WARN)
			return why_set(w->why, DSTACK_E_FORMAT,
			    "layer %zu: broken after %zu entries: %s",
			    w->layer, w->entries,
			    archive_error_string(a) != NULL
				? archive_error_string(a)
				: "no tar");
		if (++w->entries > OCI_MAX_ENTRIES)
			return why_set(w->why, DSTACK_E_LIMIT,
			    "image: over %d entries", OCI_MAX_ENTRIES);
		enum dstack_status st = one(w, a, ae);
		if (st != DSTACK_OK)
			return st;
	}
}

static enum dstack_status
reading(struct walk *w, const struct oci_image *img)
{
	const struct oci_layer *l = &img->layer[w->layer];
	struct archive *a = archive_read_new();
	enum dstack_status st = DSTACK_E_NOMEM;
	if (a != NULL)
		st = stream_open(
		    &img->blobs, l->at, l->size, &w->stream, w->why);
	if (st == DSTACK_OK &&
	    (archive_read_support_format_tar(a) != ARCHIVE_OK ||
		archive_read_open(a, &w->stream, NULL, from_stream, NULL) !=
		    ARCHIVE_OK))
		st = why_set(w->why, DSTACK_E_FORMAT, "layer %zu: no tar",
		    w->layer);
	if (st == DSTACK_OK)
		st = entries(w, a);
	if (a != NULL)
		(void)archive_read_free(a);
	stream_close(&w->stream);
	return st;
}

enum dstack_status
oci_walk(const struct oci_image *img, const struct oci_sink *sink,
    struct why *why)
{
	struct walk w = { .sink = sink, .why = why };
	for (w.layer = 0; w.layer < img->nlayers; w.layer++) {
		enum dstack_status st = DSTACK_OK;
		size_t before = w.entries;
		w.removing = true;
		if (w.layer != 0)
			st = reading(&w, img);
		w.entries = before;
		w.removing = false;
		if (st == DSTACK_OK)
			st = reading(&w, img);
		if (st != DSTACK_OK)
			return st;
	}
	return DSTACK_OK;
}
