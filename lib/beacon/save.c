/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A store as bytes, for the next life of a process that could not finish: two
 * heads, then the committees as the chain has them. No proof is in it, so it
 * counts only from memory that nobody else writes; its shape is checked all
 * the same.
 */
#include "beacon/store.h"

#include <string.h>

#include "base/rd.h"

#define VERSION 1

static void
put_head(struct wr *w, const struct beacon_head *h)
{
	wr_u64be(w, h->slot);
	wr_put(w, h->root, 32);
	wr_u8(w, h->has_execution);
	wr_put(w, h->execution_hash, 32);
}

static bool
get_head(struct rd *r, struct beacon_head *h)
{
	uint8_t has;

	if (rd_u64be(r, &h->slot) != DSTACK_OK ||
	    rd_copy(r, h->root, 32) != DSTACK_OK ||
	    rd_u8(r, &has) != DSTACK_OK || has > 1 ||
	    rd_copy(r, h->execution_hash, 32) != DSTACK_OK)
		return false;
	h->has_execution = has != 0;
	return true;
}

static void
put_members(struct wr *w, const struct members *m, uint32_t n)
{
	wr_u8(w, m->keys != NULL);
	if (m->keys == NULL)
		return;
	wr_put(w, m->root, 32);
	wr_put(w, bls_keys_raw(m->keys), BLS_KEY_LEN * ((size_t)n + 1));
}

static bool
get_members(struct rd *r, struct members *m, uint32_t n)
{
	const size_t len = BLS_KEY_LEN * (size_t)n;
	const uint8_t *keys, *sum;
	uint8_t has;

	if (rd_u8(r, &has) != DSTACK_OK || has > 1)
		return false;
	if (has == 0)
		return true;
	if (rd_copy(r, m->root, 32) != DSTACK_OK ||
	    rd_take(r, len, &keys) != DSTACK_OK ||
	    rd_take(r, BLS_KEY_LEN, &sum) != DSTACK_OK)
		return false;
	m->keys = bls_keys_new(keys, sum, n);
	return m->keys != NULL;
}

void
store_save(const struct beacon_store *s, struct wr *out)
{
	if (!s->begun)
		return;
	wr_u8(out, VERSION);
	wr_u32be(out, s->net.committee);
	put_head(out, &s->finalized);
	put_head(out, &s->attested);
	put_members(out, &s->current, s->net.committee);
	put_members(out, &s->next, s->net.committee);
}

bool
store_load(struct beacon_store *s, const void *p, size_t n)
{
	struct rd r = rd_over(p, n);
	struct beacon_store got = { .net = s->net, .begun = true };
	uint8_t version = 0;
	uint32_t committee = 0;

	bool ok = rd_u8(&r, &version) == DSTACK_OK && version == VERSION &&
	    rd_u32be(&r, &committee) == DSTACK_OK &&
	    committee == s->net.committee && get_head(&r, &got.finalized) &&
	    get_head(&r, &got.attested) &&
	    get_members(&r, &got.current, committee) &&
	    got.current.keys != NULL &&
	    get_members(&r, &got.next, committee) && rd_end(&r) == DSTACK_OK;
	if (!ok) {
		bls_keys_free(got.current.keys);
		bls_keys_free(got.next.keys);
		return false;
	}
	bls_keys_free(s->current.keys);
	bls_keys_free(s->next.keys);
	*s = got;
	return true;
}

bool
store_committee(
    const struct beacon_store *s, uint64_t period, uint8_t root[static 32])
{
	if (!s->begun)
		return false;
	const uint64_t ours = beacon_period(s);
	if (period != ours && (period != ours + 1 || s->next.keys == NULL))
		return false;
	memcpy(root, period == ours ? s->current.root : s->next.root, 32);
	return true;
}
