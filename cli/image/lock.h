/* SPDX-License-Identifier: Apache-2.0 */
/*
 * image/lock.json and the store of what it names, as image/lib.sh has them.
 * The form is strict, so that the build's scripts and this reader cannot see
 * different packages in one file.
 */
#ifndef CLI_IMAGE_LOCK_H
#define CLI_IMAGE_LOCK_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/own.h"
#include "base/status.h"

#define LOCK_PATH "image/lock.json"
/* made by image/build where the mirrors have forgotten the tree's */
#define LOCK_TODAY "build/relocked/lock.json"
#define KEYS_PATH "image/keys"
#define LOCK_ROWS_MAX 1024
#define LOCK_INDEXES_MAX 16
#define PATH_LEN 700

struct lock_row { /* strings belong to the lock */
	const char *name, *use, *version, *suite, *archive, *path, *sha256;
	uint64_t size;
	bool found; /* the audit's mark: a signed index has it */
};

struct lock_index {
	const char *archive, *suite, *date, *inrelease, *index, *sha256;
};

struct lock {
	json_t *json;
	char hash[65]; /* SHA-256 of the file */
	size_t nrows, nindexes;
	struct lock_row rows[LOCK_ROWS_MAX];
	struct lock_index indexes[LOCK_INDEXES_MAX];
};
#define AUTO_LOCK OWN_CLEANUP(lock_clear)

/*
 * Read a lock file; lock_clear frees what it holds, also after a failure.
 * DSTACK_E_MISSING: no such file. DSTACK_E_REJECTED: why names the row.
 */
DSTACK_CHECKED enum dstack_status lock_load(
    const char *path, struct lock *out, struct why *why);
void lock_clear(struct lock *lock);

/* The store: $DSTACK_STORE or ~/.cache/dstack/store. False: too long. */
bool store_dir(char out[static PATH_LEN]);
/* Where the store has the file of this hash, whether it is there or not. */
void store_path(const char *sha256, char out[static PATH_LEN]);

struct mapped {
	const uint8_t *p; /* "" when the file is empty */
	size_t len;
};
#define AUTO_MAP OWN_CLEANUP(map_close)
/* A regular file, read only. DSTACK_E_MISSING: it is not there. */
DSTACK_CHECKED enum dstack_status map_open(
    const char *path, struct mapped *out, struct why *why);
void map_close(struct mapped *m);
/* SHA-256 of what is mapped, as hex. */
void map_sum(const struct mapped *m, char out[static 65]);

/*
 * Map the store's file with this hash, having looked that its bytes have it.
 * DSTACK_E_MISSING not there, DSTACK_E_REJECTED other bytes; what: for why.
 */
DSTACK_CHECKED enum dstack_status store_open(const char *what,
    const char *sha256, struct mapped *out, struct why *why);

#endif
