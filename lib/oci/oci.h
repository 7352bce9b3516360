/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Image archives: bytes in, verified image and root-tree plan out.
 *
 * Read are `docker save` (the old layout and the newer one with blobs/) and
 * OCI archives (podman, skopeo), as plain tar with layers plain, gzip or
 * zstd (OCI image-spec 1.1, Docker image-spec 1.2). An image's digest is the
 * SHA-256 of its config JSON's bytes, the same in every layout; the config's
 * rootfs.diff_ids bind the layers. Names, tags and manifests are the
 * archive's word and decide nothing.
 *
 * No I/O: the archive is borrowed memory that must not change while the
 * image lives (a sealed memfd's mapping, for one).
 */
#ifndef OCI_OCI_H
#define OCI_OCI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/own.h"
#include "base/status.h"
#include "base/wr.h"

#define OCI_MAX_LAYERS 128
#define OCI_MAX_ENTRIES 200000      /* of all layers together */
#define OCI_MAX_ARCHIVE_ENTRIES 4096 /* of the archive itself */
#define OCI_MAX_PATH 4095           /* bytes; a component: 255 */
#define OCI_MAX_DEPTH 128           /* components of a path */
#define OCI_MAX_JSON (1u << 20)     /* bytes of one JSON document */
#define OCI_MAX_LIST 1024           /* entries of a list in the config */
#define OCI_MAX_LABEL 4096          /* bytes of a label's value */
#define OCI_MAX_ID 65535            /* uid and gid; above it: OCI_NOBODY */
#define OCI_NOBODY 65534
/* A layer may grow to RATIO times its stored size and the FREE bytes. */
#define OCI_MAX_RATIO 100
#define OCI_FREE_GROWTH (64u << 20)

struct oci_label {
	char *key, *value;
};

/* HEALTHCHECK; milliseconds, with Docker's defaults where it has none. */
struct oci_health {
	char **test;  /* as the config has it, its first word with it */
	size_t ntest; /* 0: nothing is checked */
	bool shell;   /* the rest is for the image's SHELL */
	uint32_t interval, timeout, start, start_interval;
	unsigned retries; /* failures in a row that make it unhealthy */
};

/* What the config says about running it. Texts are never NULL. */
struct oci_config {
	/* each ends with NULL; shell: SHELL, empty where it is Docker's */
	char **entrypoint, **cmd, **env, **volumes, **shell;
	size_t nentrypoint, ncmd, nenv, nvolumes, nshell;
	struct oci_health health;
	const char *user, *workdir, *stopsignal; /* "" where absent */
	/* the label dstack.port, else the TCP port that is EXPOSEd, if there
	   is one; 0: of several, or of none, what it listens on decides */
	uint16_t port;
	uint16_t *exposed; /* TCP ports, ascending, each once */
	size_t nexposed;
	bool proxy; /* dstack.proxy=v2: connections begin with that header */
	/* dstack.h2=yes|no: does it speak HTTP/2 without TLS on its port? */
	enum oci_h2 { OCI_H2_ASK, OCI_H2_YES, OCI_H2_NO } h2;
	bool egress; /* the label dstack.egress is "open" */
	bool on_volume; /* the label dstack.store=volume: its tree is to be on
	                   the encrypted volume and not in memory */
	struct oci_label *labels; /* by key, in strcmp's order */
	size_t nlabels;
};

/* Value of a label, borrowed; NULL where the image has none of that key. */
const char *oci_label(const struct oci_config *c, const char *key);

struct oci_layer {
	uint8_t diff_id[32]; /* SHA-256 of the uncompressed tar */
	uint64_t size;       /* bytes of the uncompressed tar */
	char *name;          /* in the archive */
	size_t at;           /* index of that name */
};

struct oci_image;

/*
 * Find the image whose config hashes to want (32 bytes; NULL: the archive
 * must hold exactly one) and check it whole: config, count of layers and
 * each layer's diff_id. buf: borrowed until oci_free. max_unpacked: bound on
 * the bytes of all layers' tars together.
 * DSTACK_E_FORMAT    no such archive, or a broken document in it
 * DSTACK_E_LIMIT     over a bound stated above
 * DSTACK_E_REJECTED  content that does not match, or not for linux/amd64
 * DSTACK_E_MISSING   the archive does not hold the image wanted
 */
DSTACK_CHECKED enum dstack_status oci_open(const void *buf, size_t len,
    const uint8_t *want, uint64_t max_unpacked, struct oci_image **out,
    struct why *why);
void oci_free(struct oci_image *img);
void oci_autofree(struct oci_image **img);
#define AUTO_OCI OWN_CLEANUP(oci_autofree)

/* All borrowed from the image. */
const uint8_t *oci_digest(const struct oci_image *img);
const struct oci_config *oci_config(const struct oci_image *img);
const struct oci_layer *oci_layers(const struct oci_image *img, size_t *n);

enum oci_kind {
	OCI_FILE,
	OCI_DIR,
	OCI_SYMLINK,
	OCI_HARDLINK,
	OCI_FIFO,
	OCI_REMOVE, /* path goes, with all below it */
};

struct oci_entry {
	enum oci_kind kind;
	const char *path;   /* relative, no "." "..", no empty component, no
	                       symlink on the way; "" is the root itself
	                       (OCI_DIR only). Of an OCI_FILE: till its end */
	const char *target; /* symlink: as written; hardlink: as path */
	uint32_t mode;      /* permissions and sticky; no setuid, no setgid */
	uint32_t uid, gid;
	int64_t mtime;
	uint32_t nsec;
	uint64_t size;      /* bytes of an OCI_FILE */
	size_t layer;
};

/* Takes the tree's entries in order. Any status but DSTACK_OK ends it. */
struct oci_sink {
	void *ctx;
	enum dstack_status (*entry)(
	    void *ctx, const struct oci_entry *e, struct why *why);
	/* Bytes of the last OCI_FILE, in order, e->size in all. */
	enum dstack_status (*data)(
	    void *ctx, const void *p, size_t n, struct why *why);
	/* The last OCI_FILE is complete. */
	enum dstack_status (*end)(void *ctx, struct why *why);
	/*
	 * Those bytes of the archive are not looked at again by this walk, so
	 * that memory need not hold them longer. May be NULL. The image can
	 * not be walked again once its user has let go of them.
	 */
	void (*done)(void *ctx, size_t from, size_t to);
	/*
	 * The archive's bytes may have changed since oci_open, as they lie on a
	 * disk: each layer is hashed once more while it is walked, and another
	 * content than that of its diff_id is DSTACK_E_REJECTED at its end.
	 */
	bool again;
};

/* What a walk has seen. */
struct oci_tree {
	size_t entries;   /* of all layers */
	uint64_t bytes;   /* memory that the finished tree takes */
	uint64_t on_volume; /* of several images: the same of those that have
	                       the label dstack.store=volume, and are in
	                       neither bytes nor most */
	uint64_t most;    /* tree and what is not done of the archive, at their
	                     highest together */
	size_t devices;   /* device nodes: not made */
	size_t strangers; /* owners over OCI_MAX_ID: OCI_NOBODY's now */
	size_t leftovers; /* of aufs (".wh..wh.plnk", ...): passed over */
	char device[64], stranger[64]; /* path of the first, cut, in ASCII */
	uint64_t id;      /* the first stranger's */
};

/*
 * The tree that the image unpacks to, an entry at a time, lowest layer first.
 * What a layer hides of lower ones comes as OCI_REMOVE, folders that no layer
 * names as OCI_DIR, and paths through a lower layer's symlink with the folder
 * that it leads to, so that the sink never follows one. The same walk with
 * the same verdict serves who only looks (sink NULL: dstack app inspect and
 * push) and who makes the tree (a node). out may be NULL.
 * DSTACK_E_REJECTED: a path that leaves the root, that goes through a file
 * or a symlink of its own layer, a hardlink without a target, a sparse file.
 * DSTACK_E_FORMAT: a layer that is no tar, or ends too early.
 */
DSTACK_CHECKED enum dstack_status oci_walk(const struct oci_image *img,
    const struct oci_sink *sink, struct oci_tree *out, struct why *why);

/*
 * Bring a path of an archive to the form of struct oci_entry. out holds
 * OCI_MAX_PATH + 1 bytes. DSTACK_E_REJECTED: ".." in it; DSTACK_E_LIMIT.
 */
DSTACK_CHECKED enum dstack_status oci_path(
    const char *in, char *out, struct why *why);

/* --- making archives (`dstack app build`) --- */

struct oci_file {
	const char *path;   /* form of struct oci_entry */
	enum oci_kind kind; /* OCI_FILE, OCI_DIR or OCI_SYMLINK */
	uint32_t mode;
	const char *target; /* of a symlink */
	const void *data;
	size_t size;
};

/*
 * An archive in the old layout of `docker save` with one layer. The same
 * files, in the same order, with the same config give the same bytes: times
 * and owners are zero. tag: "name:tag" for `docker load`, may be NULL.
 */
DSTACK_CHECKED enum dstack_status oci_build(const struct oci_file *files,
    size_t n, const struct oci_config *config, const char *tag, struct wr *out,
    uint8_t digest[static 32], struct why *why);

/*
 * The config's members that say how to run the image, from the JSON of a
 * Docker config ("Entrypoint", "Env", ...). Free with oci_config_free.
 */
DSTACK_CHECKED enum dstack_status oci_config_parse(const void *json, size_t n,
    struct oci_config *out, struct why *why);
void oci_config_free(struct oci_config *c);

#endif
