/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The tree that an image unpacks to, as names in memory without any file.
 *
 * Entries come in as the tars of the layers have them, lowest layer first.
 * For each one the folder that it goes to is looked up here: a symlink of a
 * lower layer on the way is followed as a process in the container would
 * follow it, one of the entry's own layer is not, and none may lead above
 * the root. Folders that no layer names are made. Then what was there under
 * the name goes, and the entry takes its place.
 *
 * Out to the sink goes a path that has no symlink in it any more. So the one
 * who writes files needs no judgement of his own and can refuse to follow
 * links at all (guest/kubernethes/unpack.c), and who only looks gets the same
 * verdict from the same code.
 *
 * Whiteouts hide what lower layers have brought and never what their own
 * layer brings, in whatever order the tar has them: every name knows the
 * layer that it is of.
 *
 * On the way the bytes are summed that a tmpfs would take for it, together
 * with what is still held of the archive; the highest sum is what a machine
 * must have to spare. What can go wrong: a path through a file, out of the
 * root, or too deep; a hardlink to what is no file; too little memory.
 */
#include "oci/internal.h"

#include <search.h>
#include <stdio.h>
#include <string.h>

#include "base/own.h"

#define PAGE 4096u
#define INODE 1024u      /* memory of a name and its inode, about */
#define SHORT_LINK 128u  /* a longer symlink has a page of its own */
#define MAX_HOPS 40      /* symlinks on one way, as Linux has it */

enum kind { FILE_LIKE, DIR_LIKE, LINK_LIKE, DEVICE };

/* What several names may share. */
struct inode {
	enum kind kind;
	unsigned names;
	uint64_t bytes;  /* of a file */
	char *target;    /* of a symlink */
};

struct node {
	/* the key */
	const struct node *up;
	const char *name;
	/* what the directory up has beside it */
	struct node *next, *prev;
	struct node *first; /* of a directory: what is in it */
	struct inode *inode;
	unsigned said;      /* the first layer to say this symlink */
	unsigned newest;    /* the last one of it, or of anything in it */
	unsigned cleared;   /* the last layer that hid lower ones' content */
	unsigned depth, len; /* of its path */
	char text[];
};

struct tree {
	const struct oci_sink *sink;
	struct node *root;
	void *names; /* of tsearch: by up and name, so that a folder of many
	                names is no longer to look in than others */
	unsigned layer; /* from 1 on; 0: none */
	struct inode *open; /* the file that data comes for */
	uint64_t held;
	struct oci_tree sums;
	char path[OCI_MAX_PATH + 1]; /* of the last entry, till the next */
};

static int
by_name(const void *a, const void *b)
{
	const struct node *x = a;
	const struct node *y = b;
	if (x->up != y->up)
		return (uintptr_t)x->up < (uintptr_t)y->up ? -1 : 1;
	return strcmp(x->name, y->name);
}

static struct node *
child(const struct tree *t, const struct node *up, const char *name)
{
	const struct node key = { .up = up, .name = name };
	void *const *hit = tfind(&key, &t->names, by_name);
	return hit != NULL ? *hit : NULL;
}

/* --- sums --- */

static uint64_t
pages(uint64_t n)
{
	return (n + PAGE - 1) / PAGE * PAGE;
}

static uint64_t
weight(const struct inode *i)
{
	uint64_t link = i->target != NULL && strlen(i->target) >= SHORT_LINK
	    ? PAGE
	    : 0;
	return i->kind == DEVICE ? 0 : INODE + pages(i->bytes) + link;
}

static void
highest(struct tree *t)
{
	if (t->sums.bytes + t->held > t->sums.most)
		t->sums.most = t->sums.bytes + t->held;
}

void
tree_held(struct tree *t, uint64_t held)
{
	t->held = held;
	highest(t);
}

void
tree_sums(const struct tree *t, struct oci_tree *out)
{
	out->bytes = t->sums.bytes;
	out->most = t->sums.most;
}

/* --- names --- */

/* Const in the key alone. */
static struct node *
above(const struct node *n)
{
	return (struct node *)(uintptr_t)n->up;
}

static void
let_go(struct tree *t, struct inode *i)
{
	if (--i->names != 0)
		return;
	t->sums.bytes -= weight(i);
	if (t->open == i)
		t->open = NULL;
	free(i->target);
	free(i);
}

/* n and all in it; depth is bounded by OCI_MAX_DEPTH. */
static void
drop(struct tree *t, struct node *n)
{
	while (n->first != NULL)
		drop(t, n->first);
	if (n->prev != NULL)
		n->prev->next = n->next;
	else if (n->up != NULL)
		above(n)->first = n->next;
	if (n->next != NULL)
		n->next->prev = n->prev;
	(void)tdelete(n, &t->names, by_name);
	let_go(t, n->inode);
	free(n);
}

/* n is of this layer too, and with it all that it is in. */
static void
touch(const struct tree *t, struct node *n)
{
	for (; n != NULL && n->newest != t->layer; n = above(n))
		n->newest = t->layer;
}

/* A name for inode, or for a new one of that kind, in a folder without it. */
static struct node *
add(struct tree *t, struct node *up, const char *name, enum kind kind,
    struct inode *inode)
{
	size_t n = strlen(name);
	struct node *x = calloc(1, sizeof(*x) + n + 1);
	struct inode *own = NULL;
	if (x != NULL && inode == NULL)
		inode = own = calloc(1, sizeof(*own));
	if (inode == NULL || x == NULL) {
		free(x);
		return NULL;
	}
	memcpy(x->text, name, n + 1);
	x->name = x->text;
	x->up = up;
	if (tsearch(x, &t->names, by_name) == NULL) {
		free(own);
		free(x);
		return NULL;
	}
	x->inode = inode;
	x->said = x->newest = t->layer;
	x->depth = up != NULL ? up->depth + 1 : 0;
	x->len = up != NULL ? up->len + (unsigned)n + 1 : 0;
	x->next = up != NULL ? up->first : NULL;
	if (x->next != NULL)
		x->next->prev = x;
	if (up != NULL)
		up->first = x;
	touch(t, up);
	if (own != NULL) {
		own->kind = kind;
		t->sums.bytes += weight(own);
	}
	inode->names++;
	highest(t);
	return x;
}

/* The path of n; its length is bounded where names are added. */
static void
path_of(const struct node *n, char out[static OCI_MAX_PATH + 1])
{
	size_t at = n->len != 0 ? n->len - 1 : 0;
	out[at] = '\0';
	for (; n->up != NULL; n = n->up) {
		size_t k = strlen(n->name);
		at -= k;
		memcpy(out + at, n->name, k);
		if (at != 0)
			out[--at] = '/';
	}
}

static enum dstack_status
fits(const struct node *up, const char *name, const char *path,
    struct why *why)
{
	if (up->depth + 1 > OCI_MAX_DEPTH ||
	    up->len + strlen(name) > OCI_MAX_PATH)
		return why_set(why, DSTACK_E_LIMIT,
		    "%.120s: deeper than %d, or longer than %d bytes", path,
		    OCI_MAX_DEPTH, OCI_MAX_PATH);
	return DSTACK_OK;
}

static enum dstack_status
no_memory(struct why *why)
{
	return why_set(why, DSTACK_E_NOMEM, "image: no memory");
}

static enum dstack_status
give(struct tree *t, const struct oci_entry *e, struct why *why)
{
	return t->sink != NULL ? t->sink->entry(t->sink->ctx, e, why)
			       : DSTACK_OK;
}

/* A folder that no layer has named. */
static enum dstack_status
make_folder(struct tree *t, struct node *up, const char *name,
    const char *path, struct node **out, struct why *why)
{
	char full[OCI_MAX_PATH + 1];
	struct oci_entry e = { .kind = OCI_DIR, .path = full, .target = "",
		.mode = 0755, .layer = t->layer - 1 };
	enum dstack_status st = fits(up, name, path, why);
	if (st != DSTACK_OK)
		return st;
	*out = add(t, up, name, DIR_LIKE, NULL);
	if (*out == NULL)
		return no_memory(why);
	path_of(*out, full);
	return give(t, &e, why);
}

/* A way through the tree: where it is, and how it may go on. */
struct way {
	struct tree *t;
	struct node *at; /* NULL: at a name that is not there */
	const char *path; /* for reasons */
	bool make;
	int hops;
	struct why *why;
};

/* Along n bytes of text, a path or the target of a symlink. */
static enum dstack_status
go(struct way *w, const char *text, size_t n)
{
	const char *end = text + n;
	while (text < end && w->at != NULL) {
		char name[256];
		const char *stop = memchr(text, '/', (size_t)(end - text));
		size_t k = (size_t)((stop != NULL ? stop : end) - text);
		if (k >= sizeof(name))
			return why_set(w->why, DSTACK_E_LIMIT,
			    "%.120s: a name over 255 bytes on its way",
			    w->path);
		memcpy(name, text, k);
		name[k] = '\0';
		text = stop != NULL ? stop + 1 : end;
		if (k == 0 || strcmp(name, ".") == 0)
			continue;
		if (strcmp(name, "..") == 0) {
			if (w->at->up == NULL)
				return why_set(w->why, DSTACK_E_REJECTED,
				    "%.120s: its path goes through a symlink "
				    "that leads out of the image", w->path);
			w->at = above(w->at);
			continue;
		}
		struct node *c = child(w->t, w->at, name);
		/* below a file there is nothing to hide or to link to */
		if (!w->make && (c == NULL || (c->inode->kind != DIR_LIKE &&
						  c->inode->kind != LINK_LIKE))) {
			w->at = NULL;
			return DSTACK_OK;
		}
		enum dstack_status st = DSTACK_OK;
		if (c == NULL) {
			st = make_folder(
			    w->t, w->at, name, w->path, &w->at, w->why);
		} else if (c->inode->kind == DIR_LIKE) {
			w->at = c;
		} else if (c->inode->kind != LINK_LIKE) {
			return why_set(w->why, DSTACK_E_REJECTED,
			    "%.120s: its path goes through %.100s, which is "
			    "a file", w->path, name);
		} else if (c->said == w->t->layer) {
			/* No tool puts a file behind a link that it has just
			   packed; who does wants it somewhere else. */
			return why_set(w->why, DSTACK_E_REJECTED,
			    "%.120s: its path goes through %.100s, a symlink "
			    "of its own layer", w->path, name);
		} else if (++w->hops > MAX_HOPS) {
			return why_set(w->why, DSTACK_E_REJECTED,
			    "%.120s: over %d symlinks on its way", w->path,
			    MAX_HOPS);
		} else {
			const char *to = c->inode->target;
			if (to[0] == '/')
				w->at = w->t->root;
			st = go(w, to, strlen(to));
		}
		if (st != DSTACK_OK)
			return st;
	}
	return DSTACK_OK;
}

/* The folder that path is in (NULL: not there), and its last name. */
static enum dstack_status
folder(struct tree *t, const char *path, bool make, struct node **up,
    const char **name, struct why *why)
{
	const char *slash = strrchr(path, '/');
	struct way w = { .t = t, .at = t->root, .path = path, .make = make,
		.why = why };
	*name = slash != NULL ? slash + 1 : path;
	enum dstack_status st =
	    go(&w, path, slash != NULL ? (size_t)(slash - path) : 0);
	*up = w.at;
	return st;
}

/* --- entries --- */

/* The file that a hardlink shares; its path into out. */
static enum dstack_status
shared(struct tree *t, const struct oci_entry *e, const struct node *old,
    struct inode **inode, char *out, struct why *why)
{
	struct node *up = NULL;
	const char *base = NULL;
	enum dstack_status st =
	    folder(t, e->target, false, &up, &base, why);
	struct node *to = up != NULL ? child(t, up, base) : NULL;
	if (st != DSTACK_OK)
		return st;
	/* What it replaces is gone first, with all in it. */
	for (const struct node *x = to; x != NULL && old != NULL; x = x->up)
		to = x == old ? NULL : to;
	if (to == NULL || to->inode->kind == DIR_LIKE)
		return why_set(why, DSTACK_E_REJECTED,
		    "%.100s: a link to %.100s, which is no file of it",
		    e->path, e->target);
	*inode = to->inode;
	path_of(to, out);
	return DSTACK_OK;
}

/* What n names goes, and the sink is told. */
static enum dstack_status
removed(struct tree *t, const struct node *n, struct why *why)
{
	char path[OCI_MAX_PATH + 1];
	const struct oci_entry e = { .kind = OCI_REMOVE, .path = path,
		.target = "", .layer = t->layer - 1 };
	path_of(n, path);
	return give(t, &e, why);
}

/* Is the symlink that is there the one that comes? */
static bool
same_link(const struct node *old, const struct oci_entry *e)
{
	return e->kind == OCI_SYMLINK && old->inode->kind == LINK_LIKE &&
	    strcmp(old->inode->target, e->target) == 0;
}

static enum dstack_status
put_named(struct tree *t, struct oci_entry *e, enum kind kind,
    struct node *up, const char *name, struct why *why)
{
	char target[OCI_MAX_PATH + 1];
	struct inode *inode = NULL;
	struct node *n = child(t, up, name);
	enum dstack_status st = fits(up, name, e->path, why);
	if (st == DSTACK_OK && e->kind == OCI_HARDLINK)
		st = shared(t, e, n, &inode, target, why);
	if (st != DSTACK_OK)
		return st;
	/* a layer that says a link once more does not make it its own */
	unsigned said = t->layer;
	if (n != NULL && same_link(n, e))
		said = n->said;
	/* of a device, and of a link to one, there is a name here and no file */
	bool made = kind != DEVICE &&
	    (inode == NULL || inode->kind != DEVICE);
	if (!made && n != NULL && n->inode->kind != DEVICE)
		st = removed(t, n, why);
	if (st != DSTACK_OK)
		return st;
	/* a folder over a folder keeps what is in it; all else replaces */
	if (n != NULL && kind == DIR_LIKE && n->inode->kind == DIR_LIKE) {
		touch(t, n);
	} else {
		if (inode != NULL)
			inode->names++; /* it may be what goes now */
		if (n != NULL)
			drop(t, n);
		n = add(t, up, name, kind, inode);
		if (inode != NULL)
			let_go(t, inode);
	}
	if (n == NULL)
		return no_memory(why);
	n->said = said;
	if (e->kind == OCI_SYMLINK) {
		t->sums.bytes -= weight(n->inode);
		n->inode->target = strdup(e->target);
		if (n->inode->target == NULL)
			return no_memory(why);
		t->sums.bytes += weight(n->inode);
	}
	path_of(n, t->path);
	e->path = t->path;
	if (e->kind == OCI_HARDLINK)
		e->target = target;
	t->open = e->kind == OCI_FILE ? n->inode : NULL;
	highest(t);
	return made ? give(t, e, why) : DSTACK_OK;
}

static enum dstack_status
put_as(struct tree *t, const struct oci_entry *from, enum kind kind,
    struct why *why)
{
	struct oci_entry e = *from;
	struct node *up = NULL;
	const char *name = NULL;
	if (e.path[0] == '\0') { /* the root itself, a folder: walk.c looks */
		e.path = "";
		return give(t, &e, why);
	}
	enum dstack_status st = folder(t, e.path, true, &up, &name, why);
	return st == DSTACK_OK ? put_named(t, &e, kind, up, name, why) : st;
}

enum dstack_status
tree_put(struct tree *t, const struct oci_entry *e, struct why *why)
{
	return put_as(t, e,
	    e->kind == OCI_DIR           ? DIR_LIKE
	        : e->kind == OCI_SYMLINK ? LINK_LIKE
	                                 : FILE_LIKE,
	    why);
}

enum dstack_status
tree_device(struct tree *t, const char *path, struct why *why)
{
	const struct oci_entry e = { .kind = OCI_FILE, .path = path,
		.target = "", .layer = t->layer - 1 };
	return put_as(t, &e, DEVICE, why);
}

enum dstack_status
tree_data(struct tree *t, const void *p, size_t n, struct why *why)
{
	if (t->open != NULL) {
		t->sums.bytes += pages(t->open->bytes + n) -
		    pages(t->open->bytes);
		t->open->bytes += n;
		highest(t);
	}
	return t->sink != NULL ? t->sink->data(t->sink->ctx, p, n, why)
			       : DSTACK_OK;
}

enum dstack_status
tree_end(struct tree *t, struct why *why)
{
	t->open = NULL;
	return t->sink != NULL ? t->sink->end(t->sink->ctx, why) : DSTACK_OK;
}

/* --- whiteouts --- */

/* Out of n goes what is of lower layers; n itself, unless it is of this. */
static enum dstack_status
hide(struct tree *t, struct node *n, bool itself, struct why *why)
{
	enum dstack_status st = DSTACK_OK;
	if (itself && n->newest != t->layer) {
		if (n->inode->kind != DEVICE)
			st = removed(t, n, why);
		drop(t, n);
		return st;
	}
	if (n->cleared == t->layer)
		return DSTACK_OK;
	n->cleared = t->layer;
	for (struct node *c = n->first; c != NULL && st == DSTACK_OK;) {
		struct node *next = c->next;
		st = hide(t, c, true, why);
		c = next;
	}
	return st;
}

enum dstack_status
tree_hide(struct tree *t, const char *path, bool opaque, struct why *why)
{
	struct node *up = NULL;
	const char *name = NULL;
	enum dstack_status st = DSTACK_OK;
	if (opaque) {
		struct way w = { .t = t, .at = t->root, .path = path,
			.why = why };
		st = go(&w, path, strlen(path));
		return st == DSTACK_OK && w.at != NULL
		    ? hide(t, w.at, false, why)
		    : st;
	}
	st = folder(t, path, false, &up, &name, why);
	struct node *n = up != NULL ? child(t, up, name) : NULL;
	return st == DSTACK_OK && n != NULL ? hide(t, n, true, why) : st;
}

/* --- the whole --- */

void
tree_layer(struct tree *t, size_t layer)
{
	t->layer = (unsigned)layer + 1;
}

enum dstack_status
tree_new(const struct oci_sink *sink, uint64_t held, struct tree **out,
    struct why *why)
{
	struct tree *t = calloc(1, sizeof(*t));
	if (t == NULL)
		return no_memory(why);
	t->sink = sink;
	t->held = held;
	t->root = add(t, NULL, "", DIR_LIKE, NULL);
	if (t->root == NULL) {
		free(t);
		return no_memory(why);
	}
	*out = t;
	return DSTACK_OK;
}

void
tree_free(struct tree *t)
{
	if (t == NULL)
		return;
	drop(t, t->root);
	free(t);
}
