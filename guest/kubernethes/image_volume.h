/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Folders of an app that outlive its container: the VOLUMEs its image
 * declares, and its /mnt/encrypted_data. Both are on the opened volume.
 */
#ifndef GUEST_IMAGE_VOLUME_H
#define GUEST_IMAGE_VOLUME_H

#include <stdint.h>

#include "base/status.h"

/* BASE, "/", 64 hex digits and NUL. */
#define IMAGE_VOLUME_PATH 160

/*
 * The folder that holds the data of the VOLUME at path (form of struct
 * oci_entry): base/SHA-256 of the key, in *dir. Where it is missing it is
 * filled with what the tree at root has there, owners and modes as they are,
 * and appears under its name when it is whole and on the disk.
 * DSTACK_E_REJECTED: it does not fit on the disk; DSTACK_E_SYS: else.
 */
DSTACK_CHECKED enum dstack_status image_volume(const char *base,
    const char *key, int root, const char *path, char dir[static IMAGE_VOLUME_PATH], struct why *why);

/*
 * Give dir to uid and gid (as the guest counts). If it was somebody's before,
 * who ran an earlier version, all that is his below it goes along. dir's own
 * owner changes last, so that what was broken off is done again.
 */
DSTACK_CHECKED enum dstack_status image_hand_over(
    const char *dir, uint32_t uid, uint32_t gid, struct why *why);

#endif
