/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Kernel modules of the image. The build writes the load order, group by
 * group, to /lib/modules/order: "group file" a line. init loads "boot"
 * before anything else, the other groups while the node waits to be
 * onboarded, and then closes the door for good (kernel.modules_disabled).
 */
#ifndef GUEST_MODULES_H
#define GUEST_MODULES_H

#include <stdbool.h>

#include "base/status.h"

/* Does the image have any? A kernel with all built in has none. */
bool modules_any(void);

/* Load every module of a group, in order; one that is loaded is fine. */
DSTACK_CHECKED enum dstack_status modules_load(
    const char *group, struct why *why);
/* Say that a group is there, for modules_wait. init only. */
DSTACK_CHECKED enum dstack_status modules_mark(
    const char *group, struct why *why);

/*
 * For a role that needs group ("volume", "container"): wait until init has
 * loaded it. At once without modules or without an image (--no-vm).
 * DSTACK_E_MISSING: it is not there after a minute.
 */
DSTACK_CHECKED enum dstack_status modules_wait(
    const char *group, struct why *why);

#endif
