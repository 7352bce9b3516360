/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The frame of a backup file, read piece after piece by whoever has the file:
 * nothing here holds more than a few numbers. A head says how large the disk
 * is; each piece has to lie behind the one before and on the disk, the first
 * one over the record. What is against that is no backup, as ours are written
 * in that order.
 */
#include "protocol/backup.h"

#include <string.h>

#include "base/rd.h"
#include "protocol/volume.h"

#define MAGIC "dstack2/backup/1"
#define MAGIC_LEN 16

enum dstack_status
backup_open(const uint8_t head[static BACKUP_HEAD], struct backup *out,
    struct why *why)
{
	struct rd r = rd_over(head, BACKUP_HEAD);
	struct backup b = { 0, 0 };
	if (memcmp(head, MAGIC, MAGIC_LEN) != 0)
		return why_set(why, DSTACK_E_FORMAT,
		    "no backup: dstack volume backup writes one");
	enum dstack_status st = rd_skip(&r, MAGIC_LEN);
	if (st == DSTACK_OK)
		st = rd_u64be(&r, &b.bytes);
	if (st != DSTACK_OK)
		return st;
	if (b.bytes < VOLUME_MIN_BYTES || b.bytes > VOLUME_MAX_BYTES ||
	    b.bytes % VOLUME_BLOCK != 0)
		return why_set(why, DSTACK_E_FORMAT,
		    "a backup of a disk of %llu bytes, which is none",
		    (unsigned long long)b.bytes);
	*out = b;
	return DSTACK_OK;
}

enum dstack_status
backup_next(struct backup *b, const uint8_t piece[static BACKUP_PIECE],
    uint64_t *offset, uint32_t *length, struct why *why)
{
	struct rd r = rd_over(piece, BACKUP_PIECE);
	uint64_t at = 0;
	uint32_t n = 0;
	enum dstack_status st = rd_u64be(&r, &at);
	if (st == DSTACK_OK)
		st = rd_u32be(&r, &n);
	if (st != DSTACK_OK)
		return st;
	/* The end only where the record was before. */
	const bool end = n == 0 && at == b->bytes && b->at != 0;
	const bool first = b->at == 0;
	if (!end &&
	    (n == 0 || n > BACKUP_MOST || n % VOLUME_BLOCK != 0 ||
		at % VOLUME_BLOCK != 0 || at < b->at || at > b->bytes ||
		n > b->bytes - at ||
		(first && (at != 0 || n < 2 * VOLUME_BLOCK))))
		return why_set(why, DSTACK_E_FORMAT,
		    "the backup has %u bytes for byte %llu, where none may be",
		    n, (unsigned long long)at);
	*offset = at;
	*length = n;
	b->at = at + n;
	return DSTACK_OK;
}

void
backup_head_put(struct wr *w, uint64_t disk_bytes)
{
	wr_put(w, MAGIC, MAGIC_LEN);
	wr_u64be(w, disk_bytes);
}

void
backup_piece_put(struct wr *w, uint64_t offset, uint32_t length)
{
	wr_u64be(w, offset);
	wr_u32be(w, length);
}
