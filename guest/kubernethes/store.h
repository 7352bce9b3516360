/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Room for images on the opened volume: archives that memory has no room for,
 * and the trees of images that ask for it (label dstack.store=volume). Nothing
 * of it outlives the boot: an archive is a file without a name, and trees are
 * swept away before the first app.
 */
#ifndef GUEST_STORE_H
#define GUEST_STORE_H

#include <stdint.h>

#include "base/status.h"

/*
 * Is there room on the volume for bytes of name beside what the app may need?
 * DSTACK_E_LIMIT in one line, with both numbers; DSTACK_E_BUSY: there is no
 * volume yet.
 */
DSTACK_CHECKED enum dstack_status store_room(
    const char *name, uint64_t bytes, struct why *why);
/* Bytes that store_room would let in; 0: none, or no volume. */
uint64_t store_free(void);
/* A file without a name; the caller closes it, and with it it is gone. */
DSTACK_CHECKED enum dstack_status store_file(int *fd, struct why *why);

/*
 * An empty folder for the tree of a container, by its place
 * (container_place), mounted at the directory `at`.
 */
DSTACK_CHECKED enum dstack_status store_tree(
    unsigned place, const char *at, struct why *why);
/* It is unmounted, and all of it removed. */
void store_gone(unsigned place, const char *at);
/* Trees of an earlier boot, or of a role that was ended. */
DSTACK_CHECKED enum dstack_status store_sweep(struct why *why);

#endif
