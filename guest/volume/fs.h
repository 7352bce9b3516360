/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The file system on an opened volume: is it whole, is it as large as the
 * volume is? Its bytes are authentic, each sector by itself; but a host may
 * have put back older sectors, and a crash may have come at any time, so that
 * they are judged all the same.
 */
#ifndef GUEST_VOLUME_FS_H
#define GUEST_VOLUME_FS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"

/*
 * Before the mount, on the block device at path that has so many blocks. One
 * that was not unmounted is checked by e2fsck, which mends what is safe to
 * mend; the log tells how that went. *smaller: it is not as large as the
 * device. DSTACK_E_REJECTED: it cannot be mended, or is larger than the device;
 * it stays as it is. DSTACK_E_SYS: could not be looked at.
 */
DSTACK_CHECKED enum dstack_status fs_ready(
    const char *path, uint64_t blocks, bool *smaller, struct why *why);

/*
 * A smaller one, mounted at dir: grown to so many blocks, by the kernel, group
 * after group, each a transaction of its journal. Where that ends early a line
 * tells, the file system is whole, and the next mount goes on.
 */
void fs_grow(const char *dir, uint64_t blocks);

#endif
