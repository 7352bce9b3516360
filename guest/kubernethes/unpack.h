/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A verified image becomes a tree of files (THREATS T25). Every path is
 * opened beneath the root by openat2 with no symlink on the way, so that
 * nothing in an image can name a file outside it, whatever came before.
 */
#ifndef GUEST_UNPACK_H
#define GUEST_UNPACK_H

#include <stdint.h>

#include "oci/oci.h"

/*
 * Unpack into the empty directory that root names. Owners are shifted by
 * shift (the container's user namespace). let_go, which may be NULL: as done
 * in struct oci_sink, so that the archive's memory is free as the tree grows.
 * out: what oci_walk has seen; may be NULL. Refusals are oci_walk's.
 */
DSTACK_CHECKED enum dstack_status unpack_image(const struct oci_image *img,
    int root, uint32_t shift,
    void (*let_go)(void *ctx, size_t from, size_t to), void *ctx,
    struct oci_tree *out, struct why *why);

/*
 * The same onto the volume, from an archive that may lie there: its layers are
 * hashed again as they come, and what is written goes to the disk in between,
 * so that it does not pile up in memory.
 */
DSTACK_CHECKED enum dstack_status unpack_stored(const struct oci_image *img,
    int root, uint32_t shift,
    void (*let_go)(void *ctx, size_t from, size_t to), void *ctx,
    struct oci_tree *out, struct why *why);

/* Descriptor of path beneath root, no symlink in it; -1 and errno. */
int unpack_open(int root, const char *path, int flags);
/* As a process in the container would: symlinks stay inside root. */
int unpack_open_in_root(int root, const char *path, int flags);
/* Directory path (form of struct oci_entry), made where missing; or -1. */
int unpack_make_dir(int root, const char *path, uint32_t owner);
/* Remove name in dir with all below it; that there is none is no error. */
DSTACK_CHECKED enum dstack_status unpack_remove(int dir, const char *name);

#endif
