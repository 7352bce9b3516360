/* SPDX-License-Identifier: Apache-2.0 */
/* Between the files that read a manifest: one member, and what takes it. */
#ifndef OCI_MANIFEST_PART_H
#define OCI_MANIFEST_PART_H

#include "oci/internal.h"
#include "oci/manifest.h"

/* What a member's function gets. */
struct part {
	const struct manifest *m;
	struct manifest_service *s;
	json_t *j;
	const char *key;
	struct why *why;
};

/* A number from 1 to max. DSTACK_E_FORMAT: it is none. */
DSTACK_CHECKED enum dstack_status manifest_take_number(
    const struct part *p, uint64_t max, uint64_t *out);
/* A list of texts. ok: NULL, or what each must be; sorted: and rising. */
DSTACK_CHECKED enum dstack_status manifest_take_list(const struct part *p,
    bool (*ok)(const char *), bool sorted, struct manifest_texts *out);
/* All members of service i. The names of all services are there already. */
DSTACK_CHECKED enum dstack_status manifest_take_service(
    struct manifest *m, unsigned i, json_t *j, struct why *why);

#endif
