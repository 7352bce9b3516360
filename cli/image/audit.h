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

#include "cli/image/lock.h"

#define AUDIT_FILES_MAX 4096

struct audit {
	struct lock lock;
	bool json;       /* say nothing until the end */
	bool relocked;   /* hold it against LOCK_TODAY */
	char work[64];   /* a directory of this run; removed at its end */
	json_t *checks;  /* [{"check","result","text"}] */
	json_t *images;  /* one object a flavour: what is in it */
	bool refused, undecided;
	struct why first; /* of the worst kind so far: "check: text" */
};

/*
 * How a check ended: DSTACK_OK, DSTACK_E_REJECTED, or any other status, which
 * is "could not decide".
 */
void audit_say(struct audit *a, const char *check, enum dstack_status st,
    const char *fmt, ...) __attribute__((format(printf, 4, 5)));

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
