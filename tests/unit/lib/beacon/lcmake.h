/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A chain made for tests: a network whose period p is of fork p (64 slots,
 * 32 keys, Altair to Gloas, then one nobody knows), with committees that sign
 * by blst. States and bodies are sparse trees: leaves at the indices that
 * matter, hashes of a counter elsewhere. What a test wants wrong it changes
 * in struct mk before mk_sign, so that everything else stays right and
 * signed. Include after cmocka.h.
 */
#ifndef TESTS_LCMAKE_H
#define TESTS_LCMAKE_H

#include "sim/lcmake.h"

#define MK_GENESIS 1600000000u

__attribute__((unused)) static struct beacon_network
mk_network(uint32_t committee)
{
	struct beacon_network n = { .name = "made",
		.genesis_time = MK_GENESIS,
		.seconds_per_slot = 6,
		.slots_per_epoch = 8,
		.epochs_per_period = 8,
		.committee = committee,
		.end_name = "heze",
		.end_epoch = 8 * (uint64_t)BEACON_FORKS };
	memset(n.genesis_root, 0x47, 32);
	for (unsigned f = 0; f < BEACON_FORKS; f++) {
		n.fork[f].version[0] = (uint8_t)(f + 1);
		n.fork[f].version[3] = 0x77;
		n.fork[f].epoch = 8 * f;
	}
	return n;
}

/* Time at which a slot of the network begins. */
__attribute__((unused)) static uint64_t
mk_time(uint64_t slot)
{
	return MK_GENESIS + 6 * slot;
}

/* Made once for each period below 16, since most of a test's time goes here. */
static void
mk_committee(uint32_t n, uint64_t period, struct mk_committee *c)
{
	static struct {
		uint32_t n;
		struct mk_committee c;
	} made[16];
	if (period >= 16) {
		mk_committee_new(n, period, c);
		return;
	}
	if (made[period].n != n)
		mk_committee_new(n, period, &made[period].c);
	made[period].n = n;
	*c = made[period].c;
}

/* A test may name the execution block of one slot; it is a hash otherwise. */
static uint64_t mk_named_slot;
static uint8_t mk_named_hash[32];

/*
 * Execution part and body for a block of slot, as a container of form shows
 * it (form may be newer than the slot's fork).
 */
static void
mk_body(const struct beacon_network *n, struct mk_header *h,
    enum exec_form form)
{
	enum exec_form own = fork_shape(mk_fork(n, h->slot))->exec;
	struct mk_tree t = { .seed = h->slot };
	uint8_t root[32];
	memset(h->exec, 0, sizeof(h->exec));
	memset(h->hash, 0, 32);
	memset(h->exec_branch, 0, sizeof(h->exec_branch));
	h->extra_len = 0;
	mk_le(h->exec + MK_HASH_AT - 36,
	    form == EXEC_DENEB ? EXEC_DENEB_LEN : EXEC_CAPELLA_LEN, 4);
	if (own == EXEC_NONE) {
		mk_node(&t, 1, h->body);
		return;
	}
	if (h->slot != 0 && h->slot == mk_named_slot)
		memcpy(h->hash, mk_named_hash, 32);
	else
		sha256(&h->slot, 8, h->hash);
	if (own == EXEC_HASH) {
		mk_leaf(&t, 2856, h->hash);
		mk_branch(&t, 2856, 11, h->exec_branch);
		mk_node(&t, 1, h->body);
		return;
	}
	if (form == EXEC_HASH) {
		uint32_t g = own == EXEC_DENEB ? 812 : 412;
		mk_leaf(&t, g, h->hash);
		mk_branch(&t, g, 11, h->exec_branch);
		mk_node(&t, 1, h->body);
		return;
	}
	/* any bytes will do for the fields; the offset is left as it is */
	for (size_t i = 0; i < EXEC_CAPELLA_LEN; i++)
		if (i < MK_HASH_AT - 36 || i >= MK_HASH_AT - 32)
			h->exec[i] = (uint8_t)(i * 7 + h->slot);
	if (own == EXEC_DENEB)
		mk_le(h->exec + EXEC_CAPELLA_LEN, 131072, 8);
	memcpy(h->exec + MK_HASH_AT, h->hash, 32);
	h->extra_len = h->slot % 2 != 0 ? 5 : 32;
	memset(h->extra, 0x65, h->extra_len);
	struct lc_header as = { .exec = h->exec,
		.extra = h->extra,
		.extra_len = h->extra_len };
	exec_root(&as, own, root);
	mk_leaf(&t, 25, root);
	mk_branch(&t, 25, 4, h->exec_branch);
	mk_node(&t, 1, h->body);
}

/*
 * Put the state under the attested header: the finalized block's root and the
 * committee, as they are in m now, with their branches.
 */
__attribute__((unused)) static void
mk_state(struct mk *m, bool bootstrap)
{
	const struct fork_shape *s = fork_shape(m->fork);
	struct mk_tree t = { .seed = 1000 + m->attested.slot };
	struct committee c = { m->committee.keys, m->committee.aggregate };
	uint32_t g = bootstrap ? s->current_committee : s->next_committee;
	uint8_t v[32];
	committee_root(&m->n, &c, v);
	mk_leaf(&t, g, v);
	if (m->finalized.slot != 0)
		mk_header_root(&m->finalized, v);
	else
		memset(v, 0, 32);
	mk_leaf(&t, s->finalized_root, v);
	mk_branch(&t, g, gindex_depth(g), m->committee_branch);
	mk_branch(&t, s->finalized_root, gindex_depth(s->finalized_root),
	    m->finality_branch);
	mk_node(&t, 1, m->attested.state);
}

/* An update that is right in everything. finalized 0: without finality. */
__attribute__((unused)) static void
mk_update(struct mk *m, const struct beacon_network *n, uint64_t finalized,
    uint64_t attested, uint64_t signature_slot)
{
	memset(m, 0, sizeof(*m));
	m->n = *n;
	m->fork = mk_fork(n, attested);
	enum exec_form form = fork_shape(m->fork)->exec;
	m->signature_slot = signature_slot;
	m->signers_period = signature_slot / MK_PERIOD;
	m->signers = n->committee;
	m->finalized.slot = finalized;
	if (finalized != 0) {
		m->finalized.proposer = 7;
		memset(m->finalized.parent, 0x70, 32);
		memset(m->finalized.state, 0x71, 32);
		mk_body(n, &m->finalized, form);
	} else {
		mk_le(m->finalized.exec + MK_HASH_AT - 36,
		    form == EXEC_DENEB ? EXEC_DENEB_LEN : EXEC_CAPELLA_LEN, 4);
	}
	m->attested.slot = attested;
	m->attested.proposer = 8;
	memset(m->attested.parent, 0x72, 32);
	mk_body(n, &m->attested, form);
	mk_committee(n->committee, attested / MK_PERIOD + 1, &m->committee);
	mk_state(m, false);
	if (finalized == 0)
		memset(m->finality_branch, 0, sizeof(m->finality_branch));
	mk_sign(m);
}

__attribute__((unused)) static void
mk_bootstrap(struct mk *m, const struct beacon_network *n, uint64_t slot,
    uint8_t root[32])
{
	memset(m, 0, sizeof(*m));
	m->n = *n;
	m->fork = mk_fork(n, slot);
	m->attested.slot = slot;
	m->attested.proposer = 9;
	mk_body(n, &m->attested, fork_shape(m->fork)->exec);
	mk_committee(n->committee, slot / MK_PERIOD, &m->committee);
	mk_state(m, true);
	mk_header_root(&m->attested, root);
}

#endif
