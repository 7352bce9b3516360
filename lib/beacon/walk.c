/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Each header commits to its parent's root, so that from one that is proven
 * all above which it stands are: whoever hands them out can stop, and cannot
 * name another. A slot without a block is stepped over by its child.
 */
#include "beacon/walk.h"

#include <string.h>

#include "base/rd.h"
#include "beacon/ssz.h"

enum walk
headers_walk(const void *p, size_t n, uint64_t slot,
    const uint8_t root[static 32], uint8_t next[static 32])
{
	struct rd r = rd_over(p, n);
	uint8_t want[32], have[32];

	if (n == 0 || n % WALK_HEADER != 0)
		return WALK_BAD;
	memcpy(want, next, 32);
	while (rd_left(&r) > 0) {
		struct block_header h;
		if (rd_u64le(&r, &h.slot) != DSTACK_OK ||
		    rd_u64le(&r, &h.proposer) != DSTACK_OK ||
		    rd_take(&r, 32, &h.parent) != DSTACK_OK ||
		    rd_take(&r, 32, &h.state) != DSTACK_OK ||
		    rd_take(&r, 32, &h.body) != DSTACK_OK)
			return WALK_BAD;
		header_root(&h, have);
		if (memcmp(have, want, 32) != 0)
			return WALK_BAD;
		if (h.slot == slot)
			return memcmp(have, root, 32) == 0 ? WALK_YES : WALK_NO;
		/* stepped over: that slot has no block in this chain */
		if (h.slot < slot)
			return WALK_NO;
		memcpy(want, h.parent, 32);
	}
	memcpy(next, want, 32);
	return WALK_ON;
}
