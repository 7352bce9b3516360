/* SPDX-License-Identifier: Apache-2.0 */
/* dstack app build: an archive from a folder, or from a Compose file. */
#ifndef CLI_BUILD_H
#define CLI_BUILD_H

#include "base/status.h"
#include "base/wr.h"
#include "oci/oci.h"

/* A file whole into memory, which the caller frees. at: as of openat. */
DSTACK_CHECKED enum dstack_status build_read(
    int at, const char *name, void **out, size_t *n, struct why *why);
/* Whole or not at all: a node may look into the folder that it goes to. */
DSTACK_CHECKED enum dstack_status build_write(
    const char *name, const struct wr *w, struct why *why);
/* An archive of one image whose root the folder is (oci_build). */
DSTACK_CHECKED enum dstack_status build_folder(const char *dir,
    const struct oci_config *c, const char *tag, struct wr *out,
    uint8_t digest[static 32], struct why *why);

/* The verbs; they print the digest, and return the exit status. */

/* config, tag: NULL for none. */
int app_build(const char *dir, const char *out, const char *config,
    const char *tag);

struct build_compose {
	const char *file; /* the Compose file */
	const char *out;
	/* "NAME=FILE": the archive, or folder, of a service or image name */
	const char *image[16];
	size_t nimages;
	char *var[64]; /* "NAME=value", for ${NAME} */
	size_t nvars;
};
int app_build_compose(const struct build_compose *b);

#endif
