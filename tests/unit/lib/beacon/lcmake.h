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

#include <stdlib.h>
#include <string.h>

#include <blst.h>

#include "beacon/bls.h"
#include "beacon/fork.h"
#include "beacon/merkle.h"
#include "beacon/ssz.h"
#include "crypto/hash.h"

#define MK_PERIOD 64u /* slots */
#define MK_GENESIS 1600000000u
#define MK_LEN 32768u

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

/* A tree by its leaves: what is neither one nor above one is filler. */
struct mk_leaf {
	uint32_t gindex;
	uint8_t v[32];
};
struct mk_tree {
	struct mk_leaf leaf[4];
	size_t n;
	uint64_t seed;
};

static void
mk_node(const struct mk_tree *t, uint32_t g, uint8_t out[32])
{
	bool above = false;
	for (size_t i = 0; i < t->n; i++) {
		if (t->leaf[i].gindex == g) {
			memcpy(out, t->leaf[i].v, 32);
			return;
		}
		for (uint32_t up = t->leaf[i].gindex; up > 1; up /= 2)
			above = above || up / 2 == g;
	}
	if (!above) {
		uint64_t seed[2] = { t->seed, g };
		sha256(seed, sizeof(seed), out);
		return;
	}
	uint8_t l[32], r[32];
	mk_node(t, 2 * g, l);
	mk_node(t, 2 * g + 1, r);
	merkle_pair(l, r, out);
}

static void
mk_branch(const struct mk_tree *t, uint32_t g, size_t nodes, uint8_t *out)
{
	size_t depth = gindex_depth(g);
	memset(out, 0, 32 * nodes);
	out += 32 * (nodes - depth);
	for (; g > 1; g /= 2, out += 32)
		mk_node(t, g ^ 1, out);
}

static void
mk_leaf(struct mk_tree *t, uint32_t g, const uint8_t v[32])
{
	t->leaf[t->n].gindex = g;
	memcpy(t->leaf[t->n++].v, v, 32);
}

/* A committee of a period: secret keys by (period, index). */
static void
mk_secret(uint64_t period, uint32_t i, blst_scalar *out)
{
	uint64_t ikm[4] = { 0x626561636f6e, period, i, 0 };
	blst_keygen(out, (const byte *)ikm, sizeof(ikm), NULL, 0);
}

struct mk_committee {
	uint8_t keys[BEACON_MAX_COMMITTEE * 48];
	uint8_t aggregate[48];
};

static void
mk_committee_new(uint32_t n, uint64_t period, struct mk_committee *c)
{
	blst_p1 sum = { 0 };
	for (uint32_t i = 0; i < n; i++) {
		blst_scalar sk;
		blst_p1 pk;
		mk_secret(period, i, &sk);
		blst_sk_to_pk_in_g1(&pk, &sk);
		blst_p1_compress(c->keys + 48 * (size_t)i, &pk);
		blst_p1_add_or_double(&sum, &sum, &pk);
	}
	blst_p1_compress(c->aggregate, &sum);
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

/* A header with what hangs on it; raw is filled by mk_put_header. */
struct mk_header {
	uint64_t slot, proposer;
	uint8_t parent[32], state[32], body[32];
	uint8_t exec[EXEC_DENEB_LEN];
	uint8_t extra[EXEC_EXTRA_MAX];
	size_t extra_len;
	uint8_t hash[32]; /* of the execution block */
	uint8_t exec_branch[11 * 32];
};

static void
mk_le(uint8_t *at, uint64_t v, size_t n)
{
	for (size_t i = 0; i < n; i++)
		at[i] = (uint8_t)(v >> 8 * i);
}

#define MK_HASH_AT (32 + 20 + 32 + 32 + 256 + 32 + 32 + 4 + 32)

static enum beacon_fork
mk_fork(const struct beacon_network *n, uint64_t slot)
{
	enum beacon_fork f = BEACON_ALTAIR;
	for (unsigned i = 0; i < BEACON_FORKS; i++)
		if (slot / 8 >= n->fork[i].epoch)
			f = (enum beacon_fork)i;
	return f;
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

static void
mk_header_root(const struct mk_header *h, uint8_t out[32])
{
	struct block_header b = { h->slot, h->proposer, h->parent, h->state,
		h->body };
	header_root(&b, out);
}

/* Everything that goes into a bootstrap or an update. */
struct mk {
	struct beacon_network n;
	enum beacon_fork fork; /* of the container */
	struct mk_header attested, finalized; /* bootstrap: attested */
	struct mk_committee committee; /* next; bootstrap: current */
	uint8_t committee_branch[11 * 32], finality_branch[9 * 32];
	uint8_t bits[64], sig[96];
	uint64_t signature_slot;
	uint64_t signers_period; /* whose keys sign */
	uint32_t signers;
};

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

/* Sign the attested header as it is now, by the first m->signers keys. */
__attribute__((unused)) static void
mk_sign_as(struct mk *m, enum beacon_fork version)
{
	uint8_t domain[32] = { 7 }, data[32], root[32];
	blst_p2 h, sig = { 0 };
	blst_scalar all = { { 0 } }, one;
	fork_data_root(&m->n, version, data);
	memcpy(domain + 4, data, 28);
	mk_header_root(&m->attested, root);
	merkle_pair(root, domain, root);
	static const char dst[] =
	    "BLS_SIG_BLS12381G2_XMD:SHA-256_SSWU_RO_POP_";
	blst_hash_to_g2(
	    &h, root, 32, (const byte *)dst, sizeof(dst) - 1, NULL, 0);
	memset(m->bits, 0, sizeof(m->bits));
	/* the sum of their signatures is the signature by the sum of their
	 * keys, which is made faster */
	for (uint32_t i = 0; i < m->signers; i++) {
		mk_secret(m->signers_period, i, &one);
		if (i == 0)
			all = one;
		else if (!blst_sk_add_n_check(&all, &all, &one))
			abort();
		m->bits[i / 8] |= (uint8_t)(1u << i % 8);
	}
	if (m->signers != 0)
		blst_sign_pk_in_g1(&sig, &h, &all);
	blst_p2_compress(m->sig, &sig);
}

__attribute__((unused)) static void
mk_sign(struct mk *m)
{
	mk_sign_as(m, mk_fork(&m->n, m->signature_slot - 1));
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

/* SSZ: bytes behind one another, offsets filled in as their parts come. */
struct mk_out {
	uint8_t *p;
	size_t n;
};

static void
mk_put(struct mk_out *o, const void *p, size_t n)
{
	memcpy(o->p + o->n, p, n);
	o->n += n;
}

static void
mk_put_u(struct mk_out *o, uint64_t v, size_t n)
{
	mk_le(o->p + o->n, v, n);
	o->n += n;
}

static void
mk_put_header(struct mk_out *o, const struct mk_header *h,
    enum exec_form form)
{
	mk_put_u(o, h->slot, 8);
	mk_put_u(o, h->proposer, 8);
	mk_put(o, h->parent, 32);
	mk_put(o, h->state, 32);
	mk_put(o, h->body, 32);
	if (form == EXEC_NONE)
		return;
	if (form == EXEC_HASH) {
		mk_put(o, h->hash, 32);
		mk_put(o, h->exec_branch, 11 * 32);
		return;
	}
	mk_put_u(o, 112 + 4 + 4 * 32, 4);
	mk_put(o, h->exec_branch, 4 * 32);
	mk_put(o, h->exec,
	    form == EXEC_DENEB ? EXEC_DENEB_LEN : EXEC_CAPELLA_LEN);
	mk_put(o, h->extra, h->extra_len);
}

/* out: MK_LEN bytes. Returns how many it took. */
__attribute__((unused)) static size_t
mk_ssz(const struct mk *m, enum beacon_kind kind, uint8_t *out)
{
	struct mk_out o = { .p = out };
	const struct fork_shape *s = fork_shape(m->fork);
	bool late = s->exec == EXEC_CAPELLA || s->exec == EXEC_DENEB;
	size_t first = 0, second = 0;
	if (late)
		mk_put_u(&o, 0, 4);
	else
		mk_put_header(&o, &m->attested, s->exec);
	if (kind != BEACON_KIND_FINALITY) {
		uint32_t g = kind == BEACON_KIND_BOOTSTRAP
		    ? s->current_committee
		    : s->next_committee;
		mk_put(&o, m->committee.keys, 48 * (size_t)m->n.committee);
		mk_put(&o, m->committee.aggregate, 48);
		mk_put(&o, m->committee_branch, 32 * gindex_depth(g));
	}
	if (kind != BEACON_KIND_BOOTSTRAP) {
		second = o.n;
		if (late)
			mk_put_u(&o, 0, 4);
		else
			mk_put_header(&o, &m->finalized, s->exec);
		mk_put(&o, m->finality_branch,
		    32 * gindex_depth(s->finalized_root));
		mk_put(&o, m->bits, m->n.committee / 8);
		mk_put(&o, m->sig, 96);
		mk_put_u(&o, m->signature_slot, 8);
	}
	if (!late)
		return o.n;
	mk_le(out + first, o.n, 4);
	mk_put_header(&o, &m->attested, s->exec);
	if (kind != BEACON_KIND_BOOTSTRAP) {
		mk_le(out + second, o.n, 4);
		mk_put_header(&o, &m->finalized, s->exec);
	}
	return o.n;
}

#endif
