/* SPDX-License-Identifier: Apache-2.0 */
/* ext4's superblock, as far as it is of use before a mount. */
#ifndef GUEST_VOLUME_SUPER_H
#define GUEST_VOLUME_SUPER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"

#define FS_SUPER 1024u /* bytes of ext4's superblock, and where it begins */
#define FS_BLOCK 4096u

/* What a superblock says (Documentation/filesystems/ext4/super.rst). */
struct fs_super {
	uint64_t blocks; /* of FS_BLOCK bytes */
	bool clean;      /* unmounted, and no error was ever seen */
};

/* DSTACK_E_FORMAT: not an ext4 of ours. */
DSTACK_CHECKED enum dstack_status fs_super_read(
    const uint8_t sb[static FS_SUPER], struct fs_super *out);

#endif
