/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading a container. SSZ does not say of which fork it is, so the shapes
 * that differ are tried, and the one is taken whose length and offsets are
 * all right and whose header's own slot is of a fork of that shape. At most
 * one can be: an offset has one right value in a shape, and the slot decides
 * among the rest. What comes out are pointers into the bytes; what they claim
 * is for the store to judge.
 */
#include "beacon/ssz.h"

#include <string.h>

#include "base/status.h"
#include "beacon/merkle.h"

/* One fork for each shape; Bellatrix and Fulu are read as these. */
static const enum beacon_fork kinds[] = { BEACON_GLOAS, BEACON_ELECTRA,
	BEACON_DENEB, BEACON_CAPELLA, BEACON_ALTAIR };
#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

/* Are containers of both forks laid out alike? */
static bool
same_shape(enum beacon_fork a, enum beacon_fork b)
{
	const struct fork_shape *x = fork_shape(a), *y = fork_shape(b);
	return x->exec == y->exec && x->finalized_root == y->finalized_root;
}

/* Depths of the branches that lead into a block's body (ExecutionBranch). */
static size_t
exec_branch_nodes(enum exec_form form)
{
	return form == EXEC_NONE ? 0 : form == EXEC_HASH ? 11 : 4;
}

static enum dstack_status
take_branch(struct rd *r, size_t nodes, struct branch *out)
{
	out->n = nodes;
	return rd_take(r, 32 * nodes, &out->p);
}

/* BeaconBlockHeader (phase0): five fields of fixed length. */
static enum dstack_status
take_block_header(struct rd *r, struct block_header *h)
{
	enum dstack_status st = rd_u64le(r, &h->slot);
	if (st == DSTACK_OK)
		st = rd_u64le(r, &h->proposer);
	if (st == DSTACK_OK)
		st = rd_take(r, 32, &h->parent);
	if (st == DSTACK_OK)
		st = rd_take(r, 32, &h->state);
	if (st == DSTACK_OK)
		st = rd_take(r, 32, &h->body);
	return st;
}

/* An offset has one right value: where the bytes before it end. */
static enum dstack_status
take_offset(struct rd *r, size_t want)
{
	uint32_t v = 0;
	enum dstack_status st = rd_u32le(r, &v);
	return st == DSTACK_OK && v != want ? DSTACK_E_FORMAT : st;
}

/* ExecutionPayloadHeader: fixed part, then extra_data to the end. */
static enum dstack_status
take_exec(struct rd *r, struct lc_header *h)
{
	size_t fixed = h->form == EXEC_DENEB ? EXEC_DENEB_LEN
					     : EXEC_CAPELLA_LEN;
	enum dstack_status st = rd_take(r, fixed, &h->exec);
	if (st != DSTACK_OK)
		return st;
	struct rd in = rd_over(h->exec, fixed);
	/* parent, fee recipient, two roots, bloom, randao, four numbers */
	st = rd_skip(&in, 32 + 20 + 32 + 32 + 256 + 32 + 32);
	if (st == DSTACK_OK)
		st = take_offset(&in, fixed);
	if (st == DSTACK_OK)
		st = rd_skip(&in, 32); /* base fee */
	if (st == DSTACK_OK)
		st = rd_take(&in, 32, &h->hash);
	if (st != DSTACK_OK)
		return st;
	/* ByteList[32]: what is left of the header, and no more than that */
	h->extra_len = rd_left(r);
	if (h->extra_len > EXEC_EXTRA_MAX)
		return DSTACK_E_LIMIT;
	return rd_take(r, h->extra_len, &h->extra);
}

/* A header that takes all of r. */
static enum dstack_status
take_header(struct rd *r, enum exec_form form, struct lc_header *h)
{
	memset(h, 0, sizeof(*h));
	h->form = form;
	enum dstack_status st = take_block_header(r, &h->beacon);
	if (st == DSTACK_OK && form == EXEC_HASH)
		st = rd_take(r, 32, &h->hash);
	bool payload = form == EXEC_CAPELLA || form == EXEC_DENEB;
	if (st == DSTACK_OK && payload)
		st = take_offset(r, BEACON_HEADER_LEN + 4 + 4 * 32);
	if (st == DSTACK_OK)
		st = take_branch(r, exec_branch_nodes(form), &h->exec_branch);
	if (st == DSTACK_OK && payload)
		st = take_exec(r, h);
	return st == DSTACK_OK ? rd_end(r) : st;
}

/* Length of a header in its container's fixed part. */
static size_t
header_fixed(enum exec_form form)
{
	switch (form) {
	case EXEC_NONE:
		return BEACON_HEADER_LEN;
	case EXEC_HASH:
		return BEACON_HEADER_LEN + 32 + 32 * exec_branch_nodes(form);
	case EXEC_CAPELLA:
	case EXEC_DENEB:
	default:
		return 4;
	}
}

/* Does the header stand behind the fixed part, and only its offset in it? */
static bool
variable(enum exec_form form)
{
	return header_fixed(form) == 4;
}

/* In the fixed part: the header itself, or its offset, which *at gets. */
static enum dstack_status
take_header_slot(struct rd *r, enum exec_form form, struct lc_header *h,
    uint32_t *at)
{
	struct rd in;
	if (variable(form))
		return rd_u32le(r, at);
	enum dstack_status st = rd_sub(r, header_fixed(form), &in);
	return st == DSTACK_OK ? take_header(&in, form, h) : st;
}

/* SyncCommittee: as many keys as the network says, then their sum. */
static enum dstack_status
take_committee(const struct beacon_network *n, struct rd *r,
    struct committee *c)
{
	enum dstack_status st =
	    rd_take(r, 48 * (size_t)n->committee, &c->keys);
	return st == DSTACK_OK ? rd_take(r, 48, &c->aggregate) : st;
}

/* p as a LightClientBootstrap of fork f; r is the caller's own copy. */
static enum dstack_status
bootstrap_as(const struct beacon_network *n, enum beacon_fork f, struct rd r,
    struct lc_bootstrap *b)
{
	const struct fork_shape *s = fork_shape(f);
	uint32_t at = 0;
	memset(b, 0, sizeof(*b));
	enum dstack_status st =
	    take_header_slot(&r, s->exec, &b->header, &at);
	if (st == DSTACK_OK)
		st = take_committee(n, &r, &b->current);
	if (st == DSTACK_OK)
		st = take_branch(&r, gindex_depth(s->current_committee),
		    &b->current_branch);
	if (st != DSTACK_OK || !variable(s->exec))
		return st == DSTACK_OK ? rd_end(&r) : st;
	/* the header is all that follows the fixed part */
	return at != r.pos ? DSTACK_E_FORMAT
			   : take_header(&r, s->exec, &b->header);
}

/* The two headers behind the fixed part, the first up to the second. */
static enum dstack_status
take_both(struct rd *r, enum exec_form form, uint32_t first, uint32_t second,
    struct lc_update *u)
{
	struct rd in;
	/* no gap before the first; the second ends it, wherever that is */
	if (first != r->pos || second < first)
		return DSTACK_E_FORMAT;
	enum dstack_status st = rd_sub(r, second - first, &in);
	if (st == DSTACK_OK)
		st = take_header(&in, form, &u->attested);
	return st == DSTACK_OK ? take_header(r, form, &u->finalized) : st;
}

/* The same for an update; a finality update has no committee in it. */
static enum dstack_status
update_as(const struct beacon_network *n, enum beacon_fork f,
    bool finality_only, struct rd r, struct lc_update *u)
{
	const struct fork_shape *s = fork_shape(f);
	uint32_t first = 0, second = 0;
	memset(u, 0, sizeof(*u));
	enum dstack_status st =
	    take_header_slot(&r, s->exec, &u->attested, &first);
	if (st == DSTACK_OK && !finality_only)
		st = take_committee(n, &r, &u->next);
	if (st == DSTACK_OK && !finality_only)
		st = take_branch(
		    &r, gindex_depth(s->next_committee), &u->next_branch);
	if (st == DSTACK_OK)
		st = take_header_slot(&r, s->exec, &u->finalized, &second);
	if (st == DSTACK_OK)
		st = take_branch(&r, gindex_depth(s->finalized_root),
		    &u->finality_branch);
	if (st == DSTACK_OK)
		st = rd_take(&r, n->committee / 8, &u->bits);
	if (st == DSTACK_OK)
		st = rd_take(&r, 96, &u->signature);
	if (st == DSTACK_OK)
		st = rd_u64le(&r, &u->signature_slot);
	if (st != DSTACK_OK)
		return st;
	return variable(s->exec) ? take_both(&r, s->exec, first, second, u)
				 : rd_end(&r);
}

/*
 * After none of the shapes fitted: say the most telling thing. A slot of a
 * fork that the table has not is one, when a shape had the length right.
 */
static enum beacon_code
no_shape(const struct beacon_network *n, const char *what, bool read,
    enum beacon_code code, struct why *why)
{
	if (read)
		return code;
	(void)why_set(why, DSTACK_E_FORMAT,
	    "no %s of any known fork with committees of %u keys; is it of "
	    "%s, and whole?",
	    what, n->committee, n->name);
	return BEACON_FORMAT;
}

/* Is the slot of a fork that has the shape of kind? *code, why: if not. */
static bool
slot_fits(const struct beacon_network *n, uint64_t slot,
    enum beacon_fork kind, enum beacon_fork *out, enum beacon_code *code,
    struct why *why)
{
	*code = fork_at(n, slot, out, why);
	if (*code != BEACON_OK)
		return false;
	if (same_shape(*out, kind))
		return true;
	(void)why_set(why, DSTACK_E_REJECTED,
	    "it has the form of %s, but its slot %llu is of %s on %s",
	    fork_name(kind), (unsigned long long)slot, fork_name(*out),
	    n->name);
	*code = BEACON_FORK;
	return false;
}

enum beacon_code
ssz_bootstrap(const struct beacon_network *n, const void *p, size_t len,
    struct lc_bootstrap *out, struct why *why)
{
	enum beacon_code code = BEACON_FORMAT;
	bool read = false;
	for (size_t i = 0; i < KINDS; i++) {
		struct lc_bootstrap b;
		if (bootstrap_as(n, kinds[i], rd_over(p, len), &b) !=
		    DSTACK_OK)
			continue;
		read = true;
		if (slot_fits(n, b.header.beacon.slot, kinds[i], &b.fork,
			&code, why)) {
			*out = b;
			return BEACON_OK;
		}
	}
	return no_shape(n, "bootstrap", read, code, why);
}

enum beacon_code
ssz_update(const struct beacon_network *n, bool finality_only, const void *p,
    size_t len, struct lc_update *out, struct why *why)
{
	enum beacon_code code = BEACON_FORMAT;
	bool read = false;
	for (size_t i = 0; i < KINDS; i++) {
		struct lc_update u;
		if (update_as(n, kinds[i], finality_only, rd_over(p, len),
			&u) != DSTACK_OK)
			continue;
		read = true;
		if (slot_fits(n, u.attested.beacon.slot, kinds[i], &u.fork,
			&code, why)) {
			*out = u;
			return BEACON_OK;
		}
	}
	return no_shape(
	    n, finality_only ? "finality update" : "update", read, code, why);
}
