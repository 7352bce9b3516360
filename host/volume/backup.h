/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A volume's disk into a backup file (protocol/backup.h) and back. The host
 * can read neither; what it checks is that the file is whole, and whose volume
 * it says it is, so that a guest does not have to refuse it later.
 */
#ifndef HOST_VOLUME_BACKUP_H
#define HOST_VOLUME_BACKUP_H

#include <stdint.h>

#include "base/status.h"

/* What the newer copy of a record says of itself; nothing vouches for it. */
struct volume_said {
	uint64_t bytes; /* of the disk */
	uint8_t volume_id[32];
	uint64_t generation;
	uint64_t epoch_plus_1;
};

/*
 * Nobody else runs a node in that STATE_DIR while *fd is open.
 * DSTACK_E_BUSY: one runs.
 */
DSTACK_CHECKED enum dstack_status host_volume_lock(
    const char *state, int *fd, struct why *why);

/*
 * disk into a new file. DSTACK_E_REJECTED: file is there already, or the disk
 * has no volume. What was written of it is removed on every failure.
 */
DSTACK_CHECKED enum dstack_status host_backup_write(const char *disk,
    const char *file, struct volume_said *out, uint64_t *written,
    struct why *why);

/* What is at the front of a disk. DSTACK_E_REJECTED: no volume. */
DSTACK_CHECKED enum dstack_status host_disk_peek(
    const char *disk, struct volume_said *out, struct why *why);

/* What is at the front of a backup. DSTACK_E_FORMAT: it is none. */
DSTACK_CHECKED enum dstack_status host_backup_peek(
    const char *file, struct volume_said *out, struct why *why);

/* DSTACK_E_REJECTED: there is a disk, which no backup takes the place of. */
DSTACK_CHECKED enum dstack_status host_disk_absent(
    const char *disk, struct why *why);

/*
 * A backup into a new disk, marked as restored. It has its name when all of it
 * was read and its hash is right. DSTACK_E_REJECTED: there is a disk already.
 * DSTACK_E_FORMAT: the file is damaged.
 */
DSTACK_CHECKED enum dstack_status host_backup_restore(
    const char *file, const char *disk, struct why *why);

/*
 * May this backup be restored for the node whose volume is id, in epoch, with
 * that generation anchored? DSTACK_E_REJECTED: no, and what to do.
 */
DSTACK_CHECKED enum dstack_status host_backup_judge(
    const struct volume_said *said, const uint8_t id[static 32],
    uint64_t epoch, uint64_t anchored, struct why *why);

#endif
