/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The block-device half of the volume: the stack
 *
 *   host's disk + superblock in RAM → dm-integrity (HMAC-SHA-256 of every
 *   4 KiB sector and its number, journalled) → dm-crypt (AES-256-XTS) → ext4
 *
 * dm-integrity reads its superblock from RAM, where we put the authenticated
 * copy, and never from the disk: the kernel parses no metadata of the host's.
 */
#ifndef GUEST_VOLUME_DISK_H
#define GUEST_VOLUME_DISK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/secret.h"
#include "base/status.h"
#include "protocol/volume.h"

struct volume_keys {
	struct secret64 xts;
	struct secret32 mac;
	struct secret32 hdr;
};
static inline void
volume_keys_wipe(struct volume_keys *k)
{
	explicit_bzero(k, sizeof(*k));
}
#define AUTO_VOLUME_KEYS OWN_CLEANUP(volume_keys_wipe)

/*
 * Make a new volume on disk (path of the block device, r->device_bytes
 * long): fills r->data_sectors and r->integrity_sb, writes an empty ext4.
 * Everything that is on the disk behind the record is lost.
 */
DSTACK_CHECKED enum dstack_status volume_disk_format(const char *disk,
    const struct volume_keys *keys, struct volume_record *r, struct why *why);

/*
 * How many sectors the stack provides on to bytes of the same disk: fills
 * r->grown_bytes and r->grown_sectors. Nothing that is on the disk moves, as
 * dm-integrity lays its areas one behind the other; and the file system only
 * grows into the room when the record that says so is on the disk, at the next
 * volume_disk_open. r is left as it was on every failure.
 */
DSTACK_CHECKED enum dstack_status volume_disk_grow(const char *disk,
    const struct volume_keys *keys, struct volume_record *r, uint64_t to,
    struct why *why);

/*
 * Bring up the stack of an authenticated record and mount it at dir, the file
 * system made as large as the record says (guest/volume/fs.h).
 */
DSTACK_CHECKED enum dstack_status volume_disk_open(const char *disk,
    const struct volume_keys *keys, const struct volume_record *r,
    const char *dir, struct why *why);

/*
 * Take the stack down when nothing is mounted on it any more: dm-integrity
 * writes what its journal holds, and the kernel forgets the keys. False and
 * errno: a part of it stays.
 */
bool volume_disk_close(void);

#endif
