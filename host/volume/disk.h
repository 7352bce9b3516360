/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The file that a node's volume is in, HOST_VOLUME/encrypted_container.img, as
 * its host sees it: so and so long, and noise. What is in it is the guest's to
 * judge (docs/volume.md).
 */
#ifndef HOST_VOLUME_DISK_H
#define HOST_VOLUME_DISK_H

#include <stdint.h>

#include "base/status.h"

#define HOST_DISK_NAME "encrypted_container.img"
#define HOST_DISK_LEAST_MB 16u          /* VOLUME_MIN_BYTES */
#define HOST_DISK_MOST_MB (1u << 20)    /* VOLUME_MAX_BYTES */

/*
 * Where there is none, or an empty file: one of so many MiB, of which only
 * what is written takes room. One that is there is never shortened or grown.
 */
DSTACK_CHECKED enum dstack_status host_disk_make(
    const char *path, uint32_t mb, struct why *why);

/*
 * Make it larger, to mb MiB; a guest grows into it at its next start. It may
 * be in use. *from: what it had, in bytes. DSTACK_E_MISSING: there is none.
 * DSTACK_E_REJECTED: it is as large already.
 */
DSTACK_CHECKED enum dstack_status host_disk_grow(
    const char *path, uint32_t mb, uint64_t *from, struct why *why);

#endif
