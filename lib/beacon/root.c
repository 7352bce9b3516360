/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Roots of the containers, and whether a header's execution part is true. The
 * fields come from borrowed bytes whose lengths ssz.c has held; here they are
 * set as leaves in the order of their type and hashed up.
 */
#include <string.h>

#include "base/rd.h"
#include "beacon/merkle.h"
#include "beacon/ssz.h"

#define GINDEX_PAYLOAD 25u	     /* execution_payload in the body */
#define GINDEX_HASH_CAPELLA 412u     /* its block_hash, 16 leaves */
#define GINDEX_HASH_DENEB 812u	     /* the same, 32 leaves */
#define GINDEX_PARENT_HASH_GLOAS 2856u /* the bid's parent_block_hash */

void
header_root(const struct block_header *h, uint8_t out[static 32])
{
	uint8_t leaf[8][32] = { { 0 } };
	merkle_u64(h->slot, leaf[0]);
	merkle_u64(h->proposer, leaf[1]);
	memcpy(leaf[2], h->parent, 32);
	memcpy(leaf[3], h->state, 32);
	memcpy(leaf[4], h->body, 32);
	merkle_root(leaf, 8, out);
}

/* A public key is 48 bytes (Bytes48): a leaf and half of one. */
static void
key_root(const uint8_t *key, uint8_t out[static 32])
{
	uint8_t rest[32] = { 0 };
	memcpy(rest, key + 32, 16);
	merkle_pair(key, rest, out);
}

/* SyncCommittee: a vector of keys beside their sum. */
void
committee_root(const struct beacon_network *n, const struct committee *c,
    uint8_t out[static 32])
{
	uint8_t leaf[BEACON_MAX_COMMITTEE][32]; /* 16 kB */
	uint8_t aggregate[32];
	for (uint32_t i = 0; i < n->committee; i++)
		key_root(c->keys + 48 * (size_t)i, leaf[i]);
	merkle_root(leaf, n->committee, out);
	key_root(c->aggregate, aggregate);
	merkle_pair(out, aggregate, out);
}

/* ByteList[32]: one leaf, and its length beside it. */
static void
extra_root(const struct lc_header *h, uint8_t out[static 32])
{
	uint8_t text[32] = { 0 }, length[32];
	if (h->extra_len != 0)
		memcpy(text, h->extra, h->extra_len);
	merkle_u64(h->extra_len, length);
	merkle_pair(text, length, out);
}

/* The fields in their order: what is longer than a leaf has a tree. */
void
exec_root(const struct lc_header *h, enum exec_form form,
    uint8_t out[static 32])
{
	static const uint8_t size[] = { 32, 20, 32, 32, 0, 32, 8, 8, 8, 8, 0,
		32, 32, 32, 32, 8, 8 };
	uint8_t leaf[32][32] = { { 0 } }, bloom[8][32];
	size_t fields = form == EXEC_DENEB ? 17 : 15;
	const uint8_t *p = h->exec;
	for (size_t i = 0; i < fields; i++) {
		size_t n = size[i];
		if (i == 4) { /* logs_bloom: 256 bytes */
			memcpy(bloom, p, n = 256);
			merkle_root(bloom, 8, leaf[i]);
		} else if (i == 10) { /* extra_data: its offset is here */
			extra_root(h, leaf[i]);
			n = 4;
		} else {
			memcpy(leaf[i], p, n);
		}
		p += n;
	}
	merkle_root(leaf, form == EXEC_DENEB ? 32 : 16, out);
}

/* Is nothing said of execution? Offsets are there even then. */
static bool
exec_empty(const struct lc_header *h)
{
	size_t at = 32 + 20 + 32 + 32 + 256 + 32 + 32; /* offset of extra */
	size_t fixed =
	    h->form == EXEC_DENEB ? EXEC_DENEB_LEN : EXEC_CAPELLA_LEN;
	if (h->form == EXEC_NONE)
		return true;
	if (!all_zero(h->exec_branch.p, 32 * h->exec_branch.n))
		return false;
	if (h->form == EXEC_HASH)
		return all_zero(h->hash, 32);
	return h->extra_len == 0 && all_zero(h->exec, at) &&
	    all_zero(h->exec + at + 4, fixed - at - 4);
}

bool
header_empty(const struct lc_header *h)
{
	const struct block_header *b = &h->beacon;
	return b->slot == 0 && b->proposer == 0 && all_zero(b->parent, 32) &&
	    all_zero(b->state, 32) && all_zero(b->body, 32) && exec_empty(h);
}

/* Payload headers: their root is in the body, and of their own fork. */
static bool
payload_holds(const struct lc_header *h, enum exec_form own)
{
	uint8_t root[32];
	/* Deneb's form around a Capella block: its two new fields are zero */
	if (h->form == EXEC_DENEB && own == EXEC_CAPELLA &&
	    !all_zero(h->exec + EXEC_CAPELLA_LEN,
		EXEC_DENEB_LEN - EXEC_CAPELLA_LEN))
		return false;
	exec_root(h, own, root);
	return merkle_branch(root, h->exec_branch.p, h->exec_branch.n,
	    GINDEX_PAYLOAD, h->beacon.body);
}

bool
header_execution_holds(const struct beacon_network *n,
    const struct lc_header *h)
{
	enum beacon_fork f;
	/* its own slot decides, not the container it stands in */
	if (fork_at(n, h->beacon.slot, &f, NULL) != BEACON_OK)
		return false;
	enum exec_form own = fork_shape(f)->exec;
	if (own == EXEC_NONE)
		return exec_empty(h); /* there was nothing to say */
	if (own > h->form)
		return false; /* newer than its container */
	if (h->form != EXEC_HASH)
		return payload_holds(h, own);
	/* Gloas' form: the hash alone, at the place of the block's own fork */
	uint32_t gindex = own == EXEC_CAPELLA ? GINDEX_HASH_CAPELLA
	    : own == EXEC_DENEB		      ? GINDEX_HASH_DENEB
					      : GINDEX_PARENT_HASH_GLOAS;
	return merkle_branch(h->hash, h->exec_branch.p, h->exec_branch.n,
	    gindex, h->beacon.body);
}
