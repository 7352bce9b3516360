/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dstack image audit: what its parts share. Each check has a name, and says
 * once how it ended; the verdict is the worst of them.
 */
#ifndef CLI_IMAGE_AUDIT_H
#define CLI_IMAGE_AUDIT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "cli/image/report.h"
#include "cli/image/lock.h"

#define AUDIT_FILES_MAX 4096

/* Checks keys, signature, index, lock, store. */
void audit_chain(struct audit *a);

/*
 * Checks inputs, parts, files and modes of the image in dir. manifest: what
 * it says of itself, owned by the caller; NULL when it cannot be read.
 * about: gets "executable", "setuid", "writable", "devices".
 */
void audit_contents(struct audit *a, const char *dir, json_t **manifest,
    json_t *about);

/* Check kernel: image/kernel.policy against the built configuration. */
void audit_kernel(struct audit *a, const char *dir, json_t *about);

/* Check rebuild: dir against what image/build makes of this tree now. */
void audit_rebuild(struct audit *a, const char *dir, const char *rebuilt,
    const char *flavour);

/*
 * The packages whose bytes are in the image, by the manifest: an array of
 * {"name","version","sha256","role","files","licenses"}. Check: software.
 */
json_t *audit_software(struct audit *a, const json_t *manifest);
/* CycloneDX 1.5 of it. */
json_t *sbom_make(const struct audit *a, const json_t *manifest,
    const json_t *software);

#endif
