/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An archive with a manifest and the images that it names: one file for the
 * host volume, each layer in it once. It is what `docker save` writes for
 * several images, so that image tools read it, and MANIFEST_FILE beside them.
 */
#ifndef OCI_BUNDLE_H
#define OCI_BUNDLE_H

#include "oci/manifest.h"

struct bundle {
	uint8_t digest[32]; /* SHA-256 of the manifest's text */
	struct manifest m;
	/* By service; oci_config of each is what the service runs with. */
	struct oci_image *image[MANIFEST_SERVICES];
};

/*
 * The manifest of an archive and all that it names, each image checked whole
 * (oci_open). buf: borrowed until bundle_free. want: digest that the manifest
 * must have, or NULL. max_unpacked: of all images together.
 * DSTACK_E_MISSING: no manifest in it, or not the one wanted, so that it may
 * still be an image's archive (bundle_there), or an image is not in it.
 * Else as of manifest_parse, oci_open and manifest_apply.
 */
DSTACK_CHECKED enum dstack_status bundle_open(const void *buf, size_t len,
    const uint8_t *want, uint64_t max_unpacked, struct bundle *out,
    struct why *why);
void bundle_free(struct bundle *b);
#define AUTO_BUNDLE OWN_CLEANUP(bundle_free)

/*
 * Is a manifest what it is about: is one in it, and (want not NULL) the one
 * wanted? What cannot be read as an archive has none.
 */
bool bundle_there(const void *buf, size_t len, const uint8_t *want);

/*
 * The tree that each service's image unpacks to, by oci_walk, in the order of
 * the services. each: NULL, or an entry for each. all: entries of all
 * together; bytes of those in memory, on_volume of those that are not; most:
 * what the former take at their highest with the archive, of which a layer
 * goes when the last image that has it is unpacked.
 */
DSTACK_CHECKED enum dstack_status bundle_walk(const struct bundle *b,
    struct oci_tree *each, struct oci_tree *all, struct why *why);
/* Has any service the label dstack.store=volume; dstack.egress=open? */
bool bundle_on_volume(const struct bundle *b);
bool bundle_egress(const struct bundle *b);
/*
 * While service i is unpacked, in the order of the services: are the bytes of
 * the archive from there on (as oci_sink's done names a layer) another's yet
 * to be unpacked?
 */
bool bundle_keeps(const struct bundle *b, unsigned i, size_t from);

/* --- making one --- */

/*
 * The archive, in pieces to out. text: a manifest (manifest_write) whose
 * services' images image[] are, opened by oci_open; one may be there twice.
 * The same input gives the same bytes.
 */
DSTACK_CHECKED enum dstack_status bundle_build(const char *text,
    struct oci_image *const *image,
    enum dstack_status (*out)(
	void *ctx, const void *p, size_t n, struct why *why),
    void *ctx, uint8_t digest[static 32], struct why *why);

#endif
