/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a kernel would unpack from an initramfs: "newc" cpio archives one
 * after the other, as image/build makes them. Stricter than the kernel:
 * anything it might read otherwise (a second form of cpio, bytes between or
 * behind archives, links with more names, a path that is another's too) is
 * refused. That no path comes twice is the caller's to see.
 * Format: Documentation/driver-api/early-userspace/buffer-format.rst.
 */
#ifndef HOST_CPIO_H
#define HOST_CPIO_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

#define CPIO_PATH_MAX 256

struct cpio_entry {
	char path[CPIO_PATH_MAX]; /* begins with / */
	uint32_t mode;            /* type and permissions, as of stat */
	uint32_t uid, gid;
	uint32_t major, minor;
	const uint8_t *data; /* of a file, or a link's target; borrowed */
	size_t len;
};

/*
 * Calls each(arg, entry) in order; stops at the first that does not return
 * DSTACK_OK. DSTACK_E_FORMAT or DSTACK_E_TRUNCATED: why says where.
 */
DSTACK_CHECKED enum dstack_status cpio_read(const void *buf, size_t len,
    enum dstack_status (*each)(void *arg, const struct cpio_entry *e),
    void *arg, struct why *why);

/*
 * Length of the Zstandard frame at p (RFC 8878 section 3.1.1), by its blocks'
 * headers. The kernel goes on reading behind a frame: so must who audits.
 */
DSTACK_CHECKED enum dstack_status zstd_frame(
    const void *p, size_t len, size_t *frame);

#endif
