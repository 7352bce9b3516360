/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The app's log where its guest hands it to this host: host_volume/logs, a
 * file for each start of the guest's runner, named by its 32 hex digits. A file
 * is frames (protocol/applog.h), each behind its length as u32 big-endian. One
 * that is full is renamed to BOOT-NUMBER.log, NUMBER being that of the first
 * batch after it; the oldest files go.
 */
#ifndef HOST_LOGS_H
#define HOST_LOGS_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

#define LOGS_DIR "logs"
#define LOGS_FILE_MAX (8u << 20) /* bytes, about */
#define LOGS_FILES 16            /* at most */

/*
 * Append a batch. dirfd: of host_volume. DSTACK_E_FORMAT: it is no frame;
 * DSTACK_E_REJECTED: logs is no folder; DSTACK_E_SYS.
 */
DSTACK_CHECKED enum dstack_status logs_keep(
    int dirfd, const void *frame, size_t n, struct why *why);

#endif
