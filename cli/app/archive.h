/* SPDX-License-Identifier: Apache-2.0 */
/* An image archive on this machine: checked whole, named, handed to guests. */
#ifndef CLI_ARCHIVE_H
#define CLI_ARCHIVE_H

#include <stddef.h>
#include <stdint.h>

#include "base/own.h"
#include "base/status.h"
#include "oci/bundle.h"

struct archive {
	void *map;
	size_t len;
	uint8_t digest[32];    /* what the contract names */
	/* one of the two; it lives as long as the mapping */
	struct oci_image *img;
	struct bundle *bundle;
	struct oci_tree tree;  /* what a node will make of it, of all services */
	struct oci_tree each[MANIFEST_SERVICES]; /* of a bundle, by service */
};

/*
 * Map and check the file, with the tree that a node would unpack (oci_walk):
 * what is taken here no node refuses for what it is. want: the digest it must
 * have, or NULL: then a manifest goes before the images that it names.
 * DSTACK_E_SYS: it cannot be read; else what oci_open, bundle_open and
 * oci_walk say.
 */
DSTACK_CHECKED enum dstack_status archive_open(const char *path,
    const uint8_t *want, struct archive *out, struct why *why);
void archive_close(struct archive *a);
#define AUTO_ARCHIVE OWN_CLEANUP(archive_close)

/*
 * Put it where guests look for it first: DIR/app-DIGEST16.tar. copied is
 * called as it goes on, with bytes done and in all.
 */
DSTACK_CHECKED enum dstack_status archive_give(const struct archive *a,
    const char *dir, void (*copied)(void *ctx, size_t done, size_t len),
    void *ctx, struct why *why);
/* Does DIR hold the archive of this digest, under a name guests look for? */
DSTACK_CHECKED enum dstack_status archive_there(
    const char *dir, const uint8_t digest[static 32], struct why *why);

#define APP_PUSH_FILE "host_volume/app-example.tar" /* where none is named */
struct usage;
/* dstack app push and rollback; argv[0] is the verb. */
int app_push(const struct usage *u, int argc, char **argv);

#endif
