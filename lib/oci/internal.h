/* SPDX-License-Identifier: Apache-2.0 */
/* Between the files of lib/oci: the archive's index and its blobs. */
#ifndef OCI_INTERNAL_H
#define OCI_INTERNAL_H

#include <archive.h>
#include <archive_entry.h>
#include <jansson.h>

#include "oci/oci.h"

/* One name of the archive. */
struct blob {
	char *name;
	char *link; /* symlink: the name it points to; else NULL */
	uint64_t size;
	size_t off; /* of its bytes in the archive */
};

struct blobs {
	const uint8_t *buf;
	size_t len;
	struct blob *v;
	size_t n;
};

enum dstack_status blobs_index(
    const void *buf, size_t len, struct blobs *b, struct why *why);
void blobs_free(struct blobs *b);
/* Index of a regular file of that name, one symlink followed. */
bool blobs_find(const struct blobs *b, const char *name, size_t *at);
/* The bytes of a small file; the caller frees. NUL follows them. */
enum dstack_status blobs_read(const struct blobs *b, size_t at, size_t max,
    uint8_t **out, size_t *n, struct why *why);

/* A file as a stream, decompressed if it is gzip or zstd. */
struct stream {
	struct archive *raw;
	const uint8_t *from; /* stored bytes */
	uint64_t in;         /* how many */
	uint64_t given;      /* of them, to the decompressor */
	uint64_t out;        /* bytes delivered so far */
	uint64_t max;        /* bound on out */
	/* The first n stored bytes are not needed any more; may be NULL. */
	void (*done)(void *ctx, uint64_t n);
	void *ctx;
	enum dstack_status st; /* sticks */
	const char *name;
	struct why *why;
};

enum dstack_status stream_open(const struct blobs *b, size_t at, uint64_t max,
    struct stream *s, struct why *why);
/* Next piece, borrowed until the next call; *n = 0 at the end. */
enum dstack_status stream_next(struct stream *s, const void **p, size_t *n);
void stream_close(struct stream *s);

/* Parse one JSON document; refuses doubled keys and trailing bytes. */
enum dstack_status oci_json(const void *p, size_t n, const char *what,
    json_t **out, struct why *why);
/* "sha256:" and 64 lower-case hex digits. */
bool oci_digest_text(const char *text, uint8_t out[static 32]);

struct oci_image {
	struct blobs blobs;
	uint8_t digest[32];
	size_t config_at; /* in blobs */
	json_t *run; /* the config's member "config", as it is; or NULL */
	struct oci_config config;
	struct oci_layer layer[OCI_MAX_LAYERS];
	size_t nlayers;
};

/* --- tree.c: what the entries so far have made --- */

struct tree;

/* sink may be NULL; held: bytes of the archive. */
enum dstack_status tree_new(const struct oci_sink *sink, uint64_t held,
    struct tree **out, struct why *why);
void tree_free(struct tree *t);
#define AUTO_OCI_TREE OWN_CLEANUP(tree_autofree)
static inline void
tree_autofree(struct tree **t)
{
	tree_free(*t);
}

void tree_layer(struct tree *t, size_t layer); /* the next entries' */
/* An entry; path and target as in the tar, of oci_path's form. */
enum dstack_status tree_put(
    struct tree *t, const struct oci_entry *e, struct why *why);
/* A device node, of which there is but the name. */
enum dstack_status tree_device(
    struct tree *t, const char *path, struct why *why);
/* Whiteout of path; opaque: of all that is in the folder path. */
enum dstack_status tree_hide(
    struct tree *t, const char *path, bool opaque, struct why *why);
/* Bytes of the last OCI_FILE, and its end. */
enum dstack_status tree_data(
    struct tree *t, const void *p, size_t n, struct why *why);
enum dstack_status tree_end(struct tree *t, struct why *why);
/* So much of the archive is still in memory. */
void tree_held(struct tree *t, uint64_t held);
void tree_sums(const struct tree *t, struct oci_tree *out);

/*
 * build.c: a tar of the files, in order, times and owners zero; the same
 * bytes for the same files. A piece at a time to out, whose no ends it.
 */
enum dstack_status oci_tar(const struct oci_file *files, size_t n,
    enum dstack_status (*out)(
	void *ctx, const void *p, size_t n, struct why *why),
    void *ctx, struct why *why);

/* rootfs.diff_ids, os and architecture of a config document. */
enum dstack_status oci_config_rootfs(
    json_t *root, struct oci_image *img, struct why *why);
/* Does it say that it is for this kind of machine? */
bool oci_config_ours(json_t *root);
/* label.c: the config's member Labels, judged; owned by out from here on. */
enum dstack_status oci_labels_take(
    json_t *root, struct oci_config *out, struct why *why);
void oci_labels_free(struct oci_config *c);
enum dstack_status oci_config_take(
    json_t *root, struct oci_config *out, struct why *why);
/*
 * A list of texts, or (keys) the keys of an object; absent or null: none. What
 * *out becomes is the caller's to free, also after a failure.
 */
enum dstack_status oci_config_list(json_t *from, const char *key, bool keys,
    char ***out, size_t *n, struct why *why);

/* --- health.c --- */

enum dstack_status oci_health_take(
    json_t *config, struct oci_health *h, struct why *why);
json_t *oci_health_json(const struct oci_health *h);

#define AUTO_JSON OWN_CLEANUP(json_autofree)
static inline void
json_autofree(json_t **j)
{
	json_decref(*j);
}

#endif
