/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The folder that host and guest share (host_volume): plain files by plain
 * names. No links are followed, no subfolders, no devices or FIFOs.
 */
#ifndef HOST_FILES_H
#define HOST_FILES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "base/wr.h"

#define FILES_NAME_MAX 64u
#define FILES_LIST_MAX (128u * 1024)

/* [A-Za-z0-9._-]{1,64}, and not only dots. */
bool files_name_ok(const char *name);

/* A descriptor of the folder (it must be one, not a link). */
DSTACK_CHECKED enum dstack_status files_open(
    const char *path, int *dirfd, struct why *why);

/*
 * Append the size of the file (u64 big-endian) and its bytes from offset,
 * at most len of them. DSTACK_E_MISSING: no such file. DSTACK_E_REJECTED:
 * the name is not allowed, or it is no regular file.
 */
DSTACK_CHECKED enum dstack_status files_read(int dirfd, const char *name,
    uint64_t offset, size_t len, struct wr *out, struct why *why);

/*
 * Append a line "SIZE NAME" for each regular file that is not the host's own
 * (those files_put refuses); no more once FILES_LIST_MAX bytes are there.
 */
DSTACK_CHECKED enum dstack_status files_list(
    int dirfd, struct wr *out, struct why *why);

/* All n bytes at the descriptor's place, or DSTACK_E_SYS with errno. */
DSTACK_CHECKED enum dstack_status files_write(int fd, const void *p, size_t n);

/*
 * Write a whole file by a temporary one and rename. The names by which the
 * host feeds the guest (netcfg, certificate, archive) are refused.
 */
DSTACK_CHECKED enum dstack_status files_put(int dirfd, const char *name,
    const void *p, size_t n, struct why *why);

#endif
