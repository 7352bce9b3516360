/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A backup of a volume (docs/volume.md): the bytes of its disk that are not
 * zero, as the host has them, which is noise and a record. Integers big-endian:
 *   "dstack2/backup/1" 16 || disk bytes u64
 *   then pieces: offset u64 || length u32 || bytes
 *   the end: disk bytes u64 || 0 u32 || SHA-256 of all before it 32
 * Pieces come in the order of their offsets and do not overlap; offsets and
 * lengths are whole blocks. The first piece has both copies of the record. The
 * hash tells a damaged file from a whole one. Whether what is in it is
 * authentic is the guest's to tell.
 */
#ifndef PROTOCOL_BACKUP_H
#define PROTOCOL_BACKUP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"
#include "base/wr.h"

#define BACKUP_HEAD 24u          /* bytes at the start of the file */
#define BACKUP_PIECE 12u         /* bytes in front of each piece */
#define BACKUP_HASH 32u          /* bytes behind the last */
#define BACKUP_MOST (1u << 20)   /* bytes of one piece */

/* Where a reader, or a writer, of the file is. */
struct backup {
	uint64_t bytes; /* of the disk */
	uint64_t at;    /* where the next piece may begin */
};

/* DSTACK_E_FORMAT: not a backup, or of a disk of impossible size. */
DSTACK_CHECKED enum dstack_status backup_open(
    const uint8_t head[static BACKUP_HEAD], struct backup *out,
    struct why *why);

/*
 * The next piece: *length bytes of *offset follow; 0: the end, and the hash
 * follows. DSTACK_E_FORMAT: it lies where none may be.
 */
DSTACK_CHECKED enum dstack_status backup_next(struct backup *b,
    const uint8_t piece[static BACKUP_PIECE], uint64_t *offset,
    uint32_t *length, struct why *why);

/* The same, made: head; piece (length 0: the end, at the disk's end). */
void backup_head_put(struct wr *w, uint64_t disk_bytes);
void backup_piece_put(struct wr *w, uint64_t offset, uint32_t length);

#endif
