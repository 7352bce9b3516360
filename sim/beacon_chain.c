/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Each block holds its execution block and a state of three things: the block
 * that is final, this period's committee and the next one's. From Gloas on a
 * body names the execution block of its parent's bid. Blocks stand in a ring;
 * a period's last block that was finalized within it stays, with the block it
 * finalized, since light clients come by whole periods, however late.
 */
#include "sim/beacon_chain.h"

#include "sim/key.h"

#define FORGED ((uint64_t)1 << 32) /* period of keys nobody elected */

/* What chain_period needs: the pair, and the committee that it brings. */
struct chain_pin {
	bool is;
	struct chain_block attested, finalized;
	uint8_t keys[CHAIN_COMMITTEE * 48], aggregate[48];
};

struct chain {
	struct beacon_network n;
	uint64_t forged_after; /* period; BEACON_NEVER: an honest chain */
	struct chain_block first, *ring;
	struct chain_exec first_exec;
	uint64_t count;
	struct chain_pin *pin;
	size_t pins;
	/* the committees made last */
	struct {
		uint64_t of;
		struct mk_committee c;
	} made[2];
};

/*
 * Whose keys sign in a period. A forged chain's are its own from the period
 * after the one whose committee it has, and of a number no honest period has.
 */
static uint64_t
keys_of(const struct chain *c, uint64_t period)
{
	return period > c->forged_after ? period | FORGED : period;
}

/* Two are in use at a time, of neighbours; one costs some milliseconds. */
static const struct mk_committee *
committee_of(struct chain *c, uint64_t period)
{
	uint64_t of = keys_of(c, period);
	if (c->made[period % 2].of != of)
		mk_committee_new(
		    c->n.committee, of, &c->made[period % 2].c);
	c->made[period % 2].of = of;
	return &c->made[period % 2].c;
}

/*
 * Forks before Electra have been there from the beginning, so that slot 0 is
 * of Electra; the versions are of no other network, and neither is the root,
 * which differs from start to start: a client of an earlier chain refuses
 * what it is shown of this one.
 */
struct chain *
chain_new(uint64_t genesis_time, uint32_t seconds_per_slot, uint64_t gloas)
{
	struct chain *c = calloc(1, sizeof(*c));
	if (c == NULL)
		return NULL;
	c->n = (struct beacon_network){ .name = "sim",
		.genesis_time = genesis_time,
		.seconds_per_slot = seconds_per_slot,
		.slots_per_epoch = 8,
		.epochs_per_period = 8,
		.committee = CHAIN_COMMITTEE,
		.end_epoch = BEACON_NEVER };
	for (unsigned f = 0; f < BEACON_FORKS; f++) {
		c->n.fork[f].version[0] = (uint8_t)(f + 1);
		c->n.fork[f].version[3] = 0x51;
		c->n.fork[f].epoch = f < BEACON_FULU ? 0 : gloas;
	}
	uint8_t seed[40];
	sha256(sim_seed, strlen(sim_seed), seed);
	mk_le(seed + 32, genesis_time, 8);
	sha256(seed, sizeof(seed), c->n.genesis_root);
	/* nothing is made yet, and no period has this number */
	c->forged_after = BEACON_NEVER;
	c->made[0].of = c->made[1].of = BEACON_NEVER;
	c->ring = calloc(CHAIN_KEEP, sizeof(*c->ring));
	if (c->ring == NULL) {
		chain_free(c);
		return NULL;
	}
	return c;
}

void
chain_free(struct chain *c)
{
	if (c == NULL)
		return;
	free(c->ring);
	free(c->pin);
	free(c);
}

const struct beacon_network *
chain_network(const struct chain *c)
{
	return &c->n;
}

/* The i-th block ever added, as long as it is remembered. */
static const struct chain_block *
nth(const struct chain *c, uint64_t i)
{
	return &c->ring[i % CHAIN_KEEP];
}

static uint64_t
oldest(const struct chain *c)
{
	return c->count > CHAIN_KEEP ? c->count - CHAIN_KEEP : 0;
}

const struct chain_block *
chain_first(const struct chain *c)
{
	return c->count != 0 ? &c->first : NULL;
}

const struct chain_block *
chain_newest(const struct chain *c)
{
	return c->count != 0 ? nth(c, c->count - 1) : NULL;
}

/* From the newest on, since that is what most ask for. */
const struct chain_block *
chain_at(const struct chain *c, uint64_t slot)
{
	for (uint64_t i = c->count; i > oldest(c); i--)
		if (nth(c, i - 1)->h.slot == slot)
			return nth(c, i - 1);
	return c->count != 0 && c->first.h.slot == slot ? &c->first : NULL;
}

/* A pinned block is found though the ring has forgotten it. */
const struct chain_block *
chain_by_root(const struct chain *c, const uint8_t root[static 32])
{
	for (uint64_t i = c->count; i > oldest(c); i--)
		if (memcmp(nth(c, i - 1)->root, root, 32) == 0)
			return nth(c, i - 1);
	if (c->count != 0 && memcmp(c->first.root, root, 32) == 0)
		return &c->first;
	for (size_t p = 0; p < c->pins; p++)
		if (c->pin[p].is &&
		    memcmp(c->pin[p].finalized.root, root, 32) == 0)
			return &c->pin[p].finalized;
	return NULL;
}

/* The state under a block, which its slot and what it calls final decide. */
static struct mk_tree
state_of(struct chain *c, const struct chain_block *b)
{
	const struct fork_shape *s = fork_shape(mk_fork(&c->n, b->h.slot));
	struct mk_tree t = { .seed = 1000 + b->h.slot };
	uint64_t period = period_at(&c->n, b->h.slot);
	uint8_t root[32];
	mk_leaf(&t, s->finalized_root, b->final_root);
	for (uint64_t next = 0; next < 2; next++) {
		const struct mk_committee *m = committee_of(c, period + next);
		struct committee sum = { m->keys, m->aggregate };
		committee_root(&c->n, &sum, root);
		mk_leaf(&t, next ? s->next_committee : s->current_committee,
		    root);
	}
	return t;
}

/* The newest of each period that was finalized within it. */
static enum dstack_status
pin(struct chain *c, const struct chain_block *b,
    const struct chain_block *finalized)
{
	uint64_t p = period_at(&c->n, b->h.slot);
	/* an update counts where all three are of one period */
	if (period_at(&c->n, finalized->h.slot) != p ||
	    period_at(&c->n, b->h.slot + 1) != p)
		return DSTACK_OK;
	/* 64 at a time: an hour at one second a slot */
	if (p >= c->pins) {
		struct chain_pin *more =
		    realloc(c->pin, (p + 64) * sizeof(*more));
		if (more == NULL)
			return DSTACK_E_NOMEM;
		memset(more + c->pins, 0, (p + 64 - c->pins) * sizeof(*more));
		c->pin = more;
		c->pins = p + 64;
	}
	const struct mk_committee *m = committee_of(c, p + 1);
	c->pin[p].is = true;
	c->pin[p].attested = *b;
	c->pin[p].finalized = *finalized;
	memcpy(c->pin[p].keys, m->keys, sizeof(c->pin[p].keys));
	memcpy(c->pin[p].aggregate, m->aggregate, 48);
	return DSTACK_OK;
}

enum dstack_status
chain_add(struct chain *c, uint64_t slot, const struct chain_exec *exec,
    bool finalize)
{
	const struct chain_block *parent = chain_newest(c);
	struct chain_block b = { .final_slot = 0 };
	if (exec == NULL)
		exec = &c->first_exec;
	if (slot == 0 || (parent != NULL && slot <= parent->h.slot))
		return DSTACK_E_FORMAT;
	/* the fork of the block's own slot decides what its body has */
	enum exec_form form = fork_shape(mk_fork(&c->n, slot))->exec;
	b.h.slot = slot;
	b.h.proposer = slot % CHAIN_COMMITTEE;
	memcpy(b.bid, exec->hash, 32);
	memcpy(b.h.hash, exec->hash, 32);
	if (parent != NULL) {
		memcpy(b.h.parent, parent->root, 32);
		memcpy(b.final_root,
		    finalize ? parent->root : parent->final_root, 32);
		b.final_slot = finalize ? parent->h.slot : parent->final_slot;
	}
	/* Gloas: its bid is of this block, and names the one before */
	if (form == EXEC_HASH) {
		if (parent != NULL)
			memcpy(b.h.hash, parent->bid, 32);
	} else {
		memcpy(b.h.exec, exec->fixed, EXEC_DENEB_LEN);
		memcpy(b.h.exec + MK_HASH_AT, exec->hash, 32);
		mk_le(b.h.exec + MK_HASH_AT - 36, EXEC_DENEB_LEN, 4);
		memcpy(b.h.extra, exec->extra, exec->extra_len);
		b.h.extra_len = exec->extra_len;
	}
	/* from the leaves up: body, state, block */
	mk_body_tree(&c->n, &b.h, form);
	struct mk_tree t = state_of(c, &b);
	mk_node(&t, 1, b.h.state);
	mk_header_root(&b.h, b.root);
	/* before it is in the ring, so that no memory means no block */
	if (finalize && parent != NULL) {
		enum dstack_status st = pin(c, &b, parent);
		if (st != DSTACK_OK)
			return st;
	}
	if (c->count == 0) {
		c->first = b;
		c->first_exec = *exec;
	}
	c->ring[c->count++ % CHAIN_KEEP] = b;
	return DSTACK_OK;
}

struct chain *
chain_forge(const struct chain *c, uint64_t slot)
{
	struct chain *f = chain_new(c->n.genesis_time, c->n.seconds_per_slot,
	    c->n.fork[BEACON_GLOAS].epoch);
	if (f == NULL)
		return NULL;
	uint64_t at = c->first.h.slot, start = period_at(&c->n, at);
	f->forged_after = start;
	/* the first block's state names the committee that was elected, and
	 * its root is what clients trust: it is taken as it is */
	f->first = f->ring[0] = c->first;
	f->first_exec = c->first_exec;
	f->count = 1;
	enum dstack_status st = DSTACK_OK;
	/* three in a row: two final ones, and one that says so */
	for (uint64_t p = start; p * MK_PERIOD < slot; p++)
		for (uint64_t k = 20; k < 23 && st == DSTACK_OK; k++)
			if (p * MK_PERIOD + k > at &&
			    p * MK_PERIOD + k + 1 < slot)
				st = chain_add(f, p * MK_PERIOD + k,
				    NULL, true);
	/* and where the honest one is, so that its head is as new */
	for (uint64_t k = slot - 1; k <= slot && st == DSTACK_OK; k++)
		if (k > chain_newest(f)->h.slot)
			st = chain_add(f, k, NULL, true);
	if (st != DSTACK_OK) {
		chain_free(f);
		return NULL;
	}
	return f;
}

/* h as a container of the fork shows it. */
static void
show(const struct chain *c, struct mk_header *h, enum beacon_fork fork)
{
	mk_body_tree(&c->n, h, fork_shape(fork)->exec);
}

/* What bootstrap and update share: the block, in its own fork's container. */
static void
start(const struct chain *c, const struct chain_block *b, struct mk *out)
{
	memset(out, 0, sizeof(*out));
	out->n = c->n;
	out->fork = mk_fork(&c->n, b->h.slot);
	out->attested = b->h;
	out->signers = c->n.committee;
	show(c, &out->attested, out->fork);
}

/* c is changed in what it keeps of work only. */
static struct chain *
work(const struct chain *c)
{
	return (struct chain *)(uintptr_t)c;
}

bool
chain_bootstrap(
    const struct chain *c, const struct chain_block *b, struct mk *out)
{
	start(c, b, out);
	uint64_t period = period_at(&c->n, b->h.slot);
	uint32_t g = fork_shape(out->fork)->current_committee;
	struct mk_tree t = state_of(work(c), b);
	uint8_t root[32];
	/* a forged chain's first block is of a state that is not its own */
	mk_node(&t, 1, root);
	if (memcmp(root, b->h.state, 32) != 0)
		return false;
	mk_branch(&t, g, gindex_depth(g), out->committee_branch);
	out->committee = *committee_of(work(c), period);
	return true;
}

/* finalized NULL: without finality. */
static void
update(const struct chain *c, const struct chain_block *b,
    const struct chain_block *finalized, struct mk *out)
{
	const struct fork_shape *s;
	start(c, b, out);
	s = fork_shape(out->fork);
	struct mk_tree t = state_of(work(c), b);
	out->committee =
	    *committee_of(work(c), period_at(&c->n, b->h.slot) + 1);
	mk_branch(&t, s->next_committee, gindex_depth(s->next_committee),
	    out->committee_branch);
	/* an empty header still has its offset, as SSZ writes it */
	if (finalized != NULL) {
		out->finalized = finalized->h;
		show(c, &out->finalized, out->fork);
		mk_branch(&t, s->finalized_root,
		    gindex_depth(s->finalized_root), out->finality_branch);
	} else {
		mk_le(out->finalized.exec + MK_HASH_AT - 36, EXEC_DENEB_LEN,
		    4);
	}
	/* the very next slot signs, also where it has no block itself */
	out->signature_slot = b->h.slot + 1;
	out->signers_period =
	    keys_of(c, period_at(&c->n, out->signature_slot));
}

bool
chain_head(
    const struct chain *c, const struct chain_block *b, struct mk *out)
{
	const struct chain_block *f = NULL;
	if (b->final_slot != 0) {
		f = chain_at(c, b->final_slot);
		if (f == NULL)
			return false;
	}
	update(c, b, f, out);
	return true;
}

bool
chain_period(const struct chain *c, uint64_t period, struct mk *out)
{
	if (period >= c->pins || !c->pin[period].is)
		return false;
	const struct chain_pin *p = &c->pin[period];
	/* the committee is a known one, and need not be made again */
	struct chain *w = work(c);
	size_t at = (period + 1) % 2;
	if (w->made[at].of != keys_of(c, period + 1)) {
		w->made[at].of = keys_of(c, period + 1);
		memcpy(w->made[at].c.keys, p->keys, sizeof(p->keys));
		memcpy(w->made[at].c.aggregate, p->aggregate, 48);
	}
	update(c, &p->attested, &p->finalized, out);
	return true;
}
