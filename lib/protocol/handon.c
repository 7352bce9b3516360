/* SPDX-License-Identifier: Apache-2.0 */
#include "protocol/handon.h"

#include <string.h>

#define VERSION 2 /* 1 had no view */

void
handon_view_put(struct wr *w, const struct handon_view *v)
{
	wr_u64be(w, v->slot);
	wr_put(w, v->root, 32);
	wr_put(w, v->committee, 32);
}

enum dstack_status
handon_view_get(struct rd *r, struct handon_view *v)
{
	struct handon_view got;
	enum dstack_status st = rd_u64be(r, &got.slot);

	if (st == DSTACK_OK)
		st = rd_copy(r, got.root, 32);
	if (st == DSTACK_OK)
		st = rd_copy(r, got.committee, 32);
	if (st == DSTACK_OK)
		*v = got;
	return st;
}

bool
handon_view_none(const struct handon_view *v)
{
	static const struct handon_view none = { 0 };
	return handon_view_equal(v, &none);
}

bool
handon_view_equal(const struct handon_view *a, const struct handon_view *b)
{
	return a->slot == b->slot && memcmp(a->root, b->root, 32) == 0 &&
	    memcmp(a->committee, b->committee, 32) == 0;
}

void
handon_pt_put(struct wr *w, uint64_t epoch, const struct secret32 *seed,
    const struct handon_view *v)
{
	wr_u8(w, VERSION);
	wr_u64be(w, epoch);
	wr_put(w, seed->b, sizeof(seed->b));
	handon_view_put(w, v);
}

enum dstack_status
handon_pt_get(const void *pt, size_t len, uint64_t *epoch,
    struct secret32 *seed, struct handon_view *v)
{
	struct rd r = rd_over(pt, len);
	AUTO_WIPE32 struct secret32 s = { { 0 } };
	struct handon_view got;
	uint64_t e;
	uint8_t version;

	if (rd_u8(&r, &version) != DSTACK_OK || version != VERSION ||
	    rd_u64be(&r, &e) != DSTACK_OK ||
	    rd_copy(&r, s.b, sizeof(s.b)) != DSTACK_OK ||
	    handon_view_get(&r, &got) != DSTACK_OK || rd_end(&r) != DSTACK_OK)
		return DSTACK_E_FORMAT;
	*epoch = e;
	*seed = s;
	*v = got;
	return DSTACK_OK;
}
