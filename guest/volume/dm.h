/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Device-mapper by its ioctl interface (linux/dm-ioctl.h, version 4): create
 * a mapped device of one table, and remove it. No udev: the device node is
 * found by number under /dev. Buffers that held keys are wiped, and the
 * kernel is told that they are secret (DM_SECURE_DATA_FLAG).
 */
#ifndef GUEST_DM_H
#define GUEST_DM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

#define DM_PATH_MAX 32

struct dm_segment {
	uint64_t start;  /* sectors of 512 bytes */
	uint64_t length;
	const char *type;   /* target, e.g. "crypt" */
	const char *params; /* its text; may hold keys */
};

/*
 * Make and activate device `name` with count segments; path gets its node
 * ("/dev/dm-N"). DSTACK_E_SYS: the kernel refused; nothing is left behind.
 */
DSTACK_CHECKED enum dstack_status dm_create(const char *name,
    const struct dm_segment *seg, size_t count, char path[static DM_PATH_MAX],
    struct why *why);
/* Remove it. False and errno: it is in use, or (ENXIO) not there. */
bool dm_remove(const char *name);

#endif
