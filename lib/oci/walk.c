/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The tars of an image's layers, read entry by entry (OCI image-spec 1.1,
 * layer.md) and put to the tree (tree.c), which decides where they go.
 *
 * In: an image whose layers have been hashed. Each layer is decompressed
 * once, in the order of the config. Of an entry first the name is judged (no
 * "..", bounds), then whether it is a whiteout, then its owner, type and
 * size; the bytes of a file follow its entry at once. Names are bytes: what
 * no UTF-8 is, or no normal form of it, comes out as it went in.
 *
 * What can go wrong: a tar that ends too early, an entry of a kind that has
 * no place in a layer, more of anything than oci.h allows, and whatever the
 * tree or the sink refuse. The first of these ends the walk.
 */
#include "oci/internal.h"

#include <stdio.h>
#include <errno.h>
#include <string.h>

#include "base/own.h"
#include "base/secret.h"
#include "crypto/hash.h"

struct walk {
	const struct oci_image *img;
	const struct oci_sink *sink;
	struct tree *tree;
	struct stream stream;
	struct why *why;
	size_t layer;
	uint64_t gone; /* bytes of the archive that are done */
	struct hasher *hash; /* of this layer, where the sink wants it again */
	struct oci_tree sums;
};

/* The inner tar reads what comes out of the decompressor, block by block. */
static la_ssize_t
from_stream(struct archive *tar, void *ctx, const void **p)
{
	struct walk *w = ctx;
	size_t n = 0;
	if (stream_next(&w->stream, p, &n) != DSTACK_OK) {
		archive_set_error(tar, EIO, "unreadable layer");
		return -1;
	}
	if (w->hash != NULL)
		hasher_update(w->hash, *p, n);
	return (la_ssize_t)n;
}

/* What the tar has left of the layer, and the hash of all of it. */
static enum dstack_status
same_layer(struct walk *w)
{
	uint8_t d[32];
	const void *p = NULL;
	size_t n = 0;
	enum dstack_status st = DSTACK_OK;
	while ((st = stream_next(&w->stream, &p, &n)) == DSTACK_OK && n != 0)
		hasher_update(w->hash, p, n);
	hasher_final(w->hash, d);
	w->hash = NULL;
	if (st == DSTACK_OK &&
	    !ct_equal(d, w->img->layer[w->layer].diff_id, 32))
		st = why_set(w->why, DSTACK_E_REJECTED,
		    "layer %zu: its content has changed since it was checked",
		    w->layer);
	return st;
}

/*
 * A file's bytes, in order and all of them. A gap would be a sparse file, whose
 * size nothing in the archive bounds.
 */
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
		enum dstack_status st = tree_data(w->tree, p, n, w->why);
		if (st != DSTACK_OK)
			return st;
	}
	if (done != e->size)
		return why_set(w->why, DSTACK_E_FORMAT,
		    "layer %zu: %.120s: cut short", w->layer, e->path);
	return tree_end(w->tree, w->why);
}

/* What the tree refuses is told with its layer. */
static enum dstack_status
told(struct walk *w, enum dstack_status st)
{
	return st == DSTACK_E_REJECTED || st == DSTACK_E_LIMIT
	    ? why_wrap(w->why, st, "layer %zu", w->layer)
	    : st;
}

static enum dstack_status
give(struct walk *w, const struct oci_entry *e)
{
	return told(w, tree_put(w->tree, e, w->why));
}

/* A name beginning with ".wh.": path is cut to what it hides. */
static enum dstack_status
whiteout(struct walk *w, char *path, char *base)
{
	bool opaque = strcmp(base, ".wh..wh..opq") == 0;
	if (opaque) {
		if (base != path)
			base--;
		*base = '\0';
	} else {
		const char *name = base + 4;
		if (name[0] == '\0' || strcmp(name, ".") == 0 ||
		    strcmp(name, "..") == 0)
			return why_set(w->why, DSTACK_E_REJECTED,
			    "layer %zu: a whiteout of nothing", w->layer);
		memmove(base, name, strlen(name) + 1);
	}
	return told(w, tree_hide(w->tree, path, opaque, w->why));
}

/*
 * aufs kept its own books in the layer: ".wh..wh.plnk/17.4", ".wh..wh.aufs".
 * No container has ever seen them, here neither.
 */
static bool
leftover(const char *path, const char *base)
{
	const char *p = path;
	if (strcmp(base, ".wh..wh..opq") == 0)
		return false;
	for (; p != NULL; p = strchr(p, '/')) {
		p += *p == '/' ? 1 : 0;
		if (strncmp(p, ".wh..wh.", 8) == 0)
			return true;
	}
	return false;
}

/* A name for a person: cut, and with ? for what may be no letter. */
static void
shown(char out[static 64], const char *path)
{
	size_t i = 0;
	for (; i < 63 && path[i] != '\0'; i++)
		out[i] = path[i] > ' ' && path[i] <= '~' ? path[i] : '?';
	out[i] = '\0';
}

/*
 * The container has 65,536 ids; what lies above them cannot be anybody's in
 * it, and an image should not fail for it. It is counted, so that inspect can
 * say so.
 */
static uint32_t
id(struct walk *w, la_int64_t v, const struct oci_entry *e)
{
	if (v <= OCI_MAX_ID)
		return (uint32_t)v;
	if (w->sums.strangers == 0) {
		w->sums.id = (uint64_t)v;
		shown(w->sums.stranger, e->path);
	}
	return OCI_NOBODY;
}

static enum dstack_status
ids(struct walk *w, struct archive_entry *ae, struct oci_entry *e)
{
	la_int64_t uid = archive_entry_uid(ae);
	la_int64_t gid = archive_entry_gid(ae);
	if (uid < 0 || gid < 0)
		return why_set(w->why, DSTACK_E_REJECTED,
		    "layer %zu: %.120s: owner %lld:%lld", w->layer, e->path,
		    (long long)uid, (long long)gid);
	e->uid = id(w, uid, e);
	e->gid = id(w, gid, e);
	if (uid > OCI_MAX_ID || gid > OCI_MAX_ID)
		w->sums.strangers++;
	/* No setuid, no setgid: a container cannot gain by exec anyway. */
	e->mode = (uint32_t)archive_entry_mode(ae) & 01777;
	if (archive_entry_mtime_is_set(ae)) {
		long nsec = archive_entry_mtime_nsec(ae);
		e->mtime = archive_entry_mtime(ae);
		e->nsec = nsec > 0 && nsec < 1000000000 ? (uint32_t)nsec : 0;
	}
	return DSTACK_OK;
}

/* Not made, as no container may use it; but its name hides what was there. */
static enum dstack_status
device(struct walk *w, const char *path)
{
	if (w->sums.devices++ == 0)
		shown(w->sums.device, path);
	return told(w, tree_device(w->tree, path, w->why));
}

/*
 * One entry of a tar: name, whiteout, owner, then what it is. The order
 * matters: a whiteout has no owner worth judging, and nothing of an entry is
 * put to the tree before all that can be wrong with its head was looked at.
 */
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
	if (leftover(path, base)) {
		w->sums.leftovers++;
		return DSTACK_OK;
	}
	if (strncmp(base, ".wh.", 4) == 0)
		return whiteout(w, path, base);
	/* below a name that no tree can have */
	if (strstr(path, "/.wh.") != NULL || strncmp(path, ".wh.", 4) == 0)
		return why_set(w->why, DSTACK_E_REJECTED,
		    "layer %zu: %.120s: below a whiteout", w->layer, path);
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
	case AE_IFIFO:
		e.kind = OCI_FIFO;
		break;
	default:
		e.kind = OCI_REMOVE; /* stands for none */
		break;
	}
	if (path[0] == '\0')
		return why_set(w->why, DSTACK_E_REJECTED,
		    "layer %zu: the root is no directory", w->layer);
	if (e.kind == OCI_REMOVE)
		return device(w, path);
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
			    w->layer, w->sums.entries,
			    archive_error_string(a) != NULL
				? archive_error_string(a)
				: "no tar");
		if (++w->sums.entries > OCI_MAX_ENTRIES)
			return why_set(w->why, DSTACK_E_LIMIT,
			    "image: over %d entries", OCI_MAX_ENTRIES);
		enum dstack_status st = one(w, a, ae);
		if (st != DSTACK_OK)
			return st;
	}
}

/* Does no later layer have the same bytes? */
static bool
last_use(const struct walk *w)
{
	for (size_t i = w->layer + 1; i < w->img->nlayers; i++) {
		if (w->img->layer[i].at == w->img->layer[w->layer].at)
			return false;
	}
	return true;
}

/* So many stored bytes of this layer are done. */
static void
layer_done(void *ctx, uint64_t n)
{
	struct walk *w = ctx;
	const struct oci_image *img = w->img;
	size_t from = img->blobs.v[img->layer[w->layer].at].off;
	if (!last_use(w))
		return;
	if (w->sink != NULL && w->sink->done != NULL && n != 0)
		w->sink->done(w->sink->ctx, from, from + (size_t)n);
	tree_held(w->tree, img->blobs.len - w->gone - n);
}

static enum dstack_status
reading(struct walk *w)
{
	const struct oci_layer *l = &w->img->layer[w->layer];
	struct archive *a = archive_read_new();
	enum dstack_status st = DSTACK_E_NOMEM;
	tree_layer(w->tree, w->layer);
	if (a != NULL)
		st = stream_open(
		    &w->img->blobs, l->at, l->size, &w->stream, w->why);
	w->stream.done = layer_done;
	w->stream.ctx = w;
	if (st == DSTACK_OK && w->sink != NULL && w->sink->again &&
	    (w->hash = hasher_new(HASHER_SHA256)) == NULL)
		st = DSTACK_E_NOMEM;
	if (st == DSTACK_OK &&
	    (archive_read_support_format_tar(a) != ARCHIVE_OK ||
		archive_read_open(a, w, NULL, from_stream, NULL) !=
		    ARCHIVE_OK))
		st = why_set(w->why, DSTACK_E_FORMAT, "layer %zu: no tar",
		    w->layer);
	if (st == DSTACK_OK)
		st = entries(w, a);
	if (st == DSTACK_OK && w->hash != NULL)
		st = same_layer(w);
	if (w->hash != NULL) { /* an earlier reason ended it */
		uint8_t d[32];
		hasher_final(w->hash, d);
		w->hash = NULL;
	}
	if (a != NULL)
		(void)archive_read_free(a);
	if (st == DSTACK_OK) {
		layer_done(w, w->stream.in);
		w->gone += last_use(w) ? w->stream.in : 0;
	}
	stream_close(&w->stream);
	return st;
}

enum dstack_status
oci_walk(const struct oci_image *img, const struct oci_sink *sink,
    struct oci_tree *out, struct why *why)
{
	AUTO_OCI_TREE struct tree *tree = NULL;
	struct walk w = { .img = img, .sink = sink, .why = why };
	enum dstack_status st = tree_new(sink, img->blobs.len, &tree, why);
	w.tree = tree;
	for (; w.layer < img->nlayers && st == DSTACK_OK; w.layer++)
		st = reading(&w);
	if (st == DSTACK_OK)
		tree_sums(tree, &w.sums);
	if (st == DSTACK_OK && out != NULL)
		*out = w.sums;
	return st;
}
