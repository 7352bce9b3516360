/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Five fields out of 1024 bytes, little-endian, at the places that
 * Documentation/filesystems/ext4/super.rst gives them. A block size other than
 * ours, no magic or no blocks at all is no file system that this guest made.
 */
#include "guest/volume/super.h"

#include "base/rd.h"

#define MAGIC 0xef53u
#define VALID 1u   /* s_state: it was unmounted */
#define ERRORS 2u  /* and the kernel met something that cannot be */
#define RECOVER 4u /* s_feature_incompat: its journal holds something */

enum dstack_status
fs_super_read(const uint8_t sb[static FS_SUPER], struct fs_super *out)
{
	struct rd r = rd_over(sb, FS_SUPER);
	uint32_t low = 0, high = 0, log_block = 0, incompat = 0;
	uint16_t magic = 0, state = 0;
	enum dstack_status st = rd_skip(&r, 4); /* now at 0x04 */
	if (st == DSTACK_OK)
		st = rd_u32le(&r, &low);
	if (st == DSTACK_OK)
		st = rd_skip(&r, 0x18 - 0x08);
	if (st == DSTACK_OK)
		st = rd_u32le(&r, &log_block);
	if (st == DSTACK_OK)
		st = rd_skip(&r, 0x38 - 0x1c);
	if (st == DSTACK_OK)
		st = rd_u16le(&r, &magic);
	if (st == DSTACK_OK)
		st = rd_u16le(&r, &state);
	if (st == DSTACK_OK)
		st = rd_skip(&r, 0x60 - 0x3c);
	if (st == DSTACK_OK)
		st = rd_u32le(&r, &incompat);
	if (st == DSTACK_OK)
		st = rd_skip(&r, 0x150 - 0x64);
	if (st == DSTACK_OK)
		st = rd_u32le(&r, &high);
	if (st != DSTACK_OK)
		return st;
	/* 1024 << 2 is FS_BLOCK */
	if (magic != MAGIC || log_block != 2 || (low == 0 && high == 0))
		return DSTACK_E_FORMAT;
	out->blocks = (uint64_t)high << 32 | low;
	out->clean = (state & (VALID | ERRORS)) == VALID &&
	    (incompat & RECOVER) == 0;
	return DSTACK_OK;
}
