/* SPDX-License-Identifier: Apache-2.0 */
/* Any item that reads must write back to the same bytes. */
#include <stdlib.h>
#include <string.h>

#include "eth/rlp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

#define DEPTH 32

static int
copy(struct rd r, struct wr *w, int depth)
{
	while (rd_left(&r) != 0) {
		struct rd in;
		bool list;
		if (rlp_item(&r, &list, &in) != DSTACK_OK)
			return 0;
		if (!list) {
			rlp_put_bytes(w, in.buf, in.len);
			continue;
		}
		AUTO_WR struct wr items = wr_new(0);
		if (depth == 0 || !copy(in, &items, depth - 1))
			return 0;
		rlp_put_list(w, &items);
	}
	return 1;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	AUTO_WR struct wr w = wr_new(0);
	AUTO_WR struct wr num = wr_new(0);
	uint8_t v[32];
	uint64_t u;
	struct rd r = rd_over(data, n);
	if (copy(r, &w, DEPTH) &&
	    (w.len != n || (n != 0 && memcmp(w.buf, data, n) != 0)))
		abort();
	if (rlp_u256(&r, v) == DSTACK_OK) {
		rlp_put_u256(&num, v);
		if (num.len != r.pos || memcmp(num.buf, data, r.pos) != 0)
			abort();
	}
	r = rd_over(data, n);
	if (rlp_u64(&r, &u) == DSTACK_OK) {
		wr_free(&num);
		rlp_put_u64(&num, u);
		if (num.len != r.pos || memcmp(num.buf, data, r.pos) != 0)
			abort();
	}
	return 0;
}
