/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Makes what light clients read: headers with what hangs on them, committees
 * that sign by blst, bootstraps and updates as SSZ. The simulated beacon chain
 * is made by it, and the tests' containers, which are wrong in one thing.
 * States and bodies are sparse trees: leaves at the indices that matter,
 * hashes of a counter elsewhere. Every secret is a public counter's: these
 * keys protect nothing.
 *
 * Epochs have 8 slots, periods 64. Functions of a header, since tests and
 * fuzzers take them without the simulator's objects.
 */
#ifndef SIM_LCMAKE_H
#define SIM_LCMAKE_H

#include <stdlib.h>
#include <string.h>

#include <blst.h>

#include "beacon/bls.h"
#include "beacon/fork.h"
#include "beacon/merkle.h"
#include "beacon/ssz.h"
#include "crypto/hash.h"

#define MK __attribute__((unused)) static
#define MK_PERIOD 64u /* slots */
#define MK_LEN 32768u

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

MK void
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

MK void
mk_branch(const struct mk_tree *t, uint32_t g, size_t nodes, uint8_t *out)
{
	size_t depth = gindex_depth(g);
	memset(out, 0, 32 * nodes);
	out += 32 * (nodes - depth);
	for (; g > 1; g /= 2, out += 32)
		mk_node(t, g ^ 1, out);
}

MK void
mk_leaf(struct mk_tree *t, uint32_t g, const uint8_t v[32])
{
	t->leaf[t->n].gindex = g;
	memcpy(t->leaf[t->n++].v, v, 32);
}

/* A committee of a period: secret keys by (period, index). */
MK void
mk_secret(uint64_t period, uint32_t i, blst_scalar *out)
{
	uint64_t ikm[4] = { 0x626561636f6e, period, i, 0 };
	blst_keygen(out, (const byte *)ikm, sizeof(ikm), NULL, 0);
}

struct mk_committee {
	uint8_t keys[BEACON_MAX_COMMITTEE * 48];
	uint8_t aggregate[48];
};

MK void
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

MK void
mk_le(uint8_t *at, uint64_t v, size_t n)
{
	for (size_t i = 0; i < n; i++)
		at[i] = (uint8_t)(v >> 8 * i);
}

#define MK_HASH_AT (32 + 20 + 32 + 32 + 256 + 32 + 32 + 4 + 32)

MK enum beacon_fork
mk_fork(const struct beacon_network *n, uint64_t slot)
{
	enum beacon_fork f = BEACON_ALTAIR;
	for (unsigned i = 0; i < BEACON_FORKS; i++)
		if (slot / 8 >= n->fork[i].epoch)
			f = (enum beacon_fork)i;
	return f;
}

/*
 * The payload header's leaves, and the branch of its block_hash in them: the
 * four nodes of the body, which are in exec_branch, go behind it.
 */
MK void
mk_hash_branch(struct mk_header *h, enum exec_form own)
{
	static const uint8_t size[] = { 32, 20, 32, 32, 0, 32, 8, 8, 8, 8, 0,
		32, 32, 32, 32, 8, 8 };
	size_t depth = own == EXEC_DENEB ? 5 : 4, fields = depth == 5 ? 17 : 15;
	uint8_t leaf[32][32] = { { 0 } }, bloom[8][32], body[4 * 32];
	const uint8_t *p = h->exec;
	uint8_t *out = h->exec_branch + 32 * (11 - 4 - depth);
	for (size_t i = 0; i < fields; i++) {
		size_t n = size[i];
		if (i == 4) {
			memcpy(bloom, p, n = 256);
			merkle_root(bloom, 8, leaf[i]);
		} else if (i == 10) {
			uint8_t len[32];
			memcpy(leaf[i], h->extra, h->extra_len);
			merkle_u64(h->extra_len, len);
			merkle_pair(leaf[i], len, leaf[i]);
			n = 4;
		} else {
			memcpy(leaf[i], p, n);
		}
		p += n;
	}
	memcpy(body, h->exec_branch, sizeof(body));
	memset(h->exec_branch, 0, sizeof(h->exec_branch));
	for (size_t width = (size_t)1 << depth, at = 12; width > 1;
	     width /= 2, at /= 2, out += 32) {
		memcpy(out, leaf[at ^ 1], 32);
		for (size_t i = 0; i < width / 2; i++)
			merkle_pair(leaf[2 * i], leaf[2 * i + 1], leaf[i]);
	}
	memcpy(out, body, sizeof(body));
}

/*
 * The root of a body and the branch that a container of form shows, from what
 * h says of execution: exec and extra, or the hash alone, by h's own fork
 * (form may be newer than it).
 */
MK void
mk_body_tree(const struct beacon_network *n, struct mk_header *h,
    enum exec_form form)
{
	enum exec_form own = fork_shape(mk_fork(n, h->slot))->exec;
	struct mk_tree t = { .seed = h->slot };
	memset(h->exec_branch, 0, sizeof(h->exec_branch));
	if (own == EXEC_HASH) {
		mk_leaf(&t, 2856, h->hash);
		mk_branch(&t, 2856, 11, h->exec_branch);
	} else if (own != EXEC_NONE) {
		struct lc_header as = { .exec = h->exec,
			.extra = h->extra,
			.extra_len = h->extra_len };
		uint8_t root[32];
		exec_root(&as, own, root);
		mk_leaf(&t, 25, root);
		mk_branch(&t, 25, 4, h->exec_branch);
		if (form == EXEC_HASH) /* deeper by the header's own tree */
			mk_hash_branch(h, own);
	}
	mk_node(&t, 1, h->body);
}

MK void
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

/* Sign the attested header as it is now, by the first m->signers keys. */
MK void
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

MK void
mk_sign(struct mk *m)
{
	mk_sign_as(m, mk_fork(&m->n, m->signature_slot - 1));
}

/* SSZ: bytes behind one another, offsets filled in as their parts come. */
struct mk_out {
	uint8_t *p;
	size_t n;
};

MK void
mk_put(struct mk_out *o, const void *p, size_t n)
{
	memcpy(o->p + o->n, p, n);
	o->n += n;
}

MK void
mk_put_u(struct mk_out *o, uint64_t v, size_t n)
{
	mk_le(o->p + o->n, v, n);
	o->n += n;
}

MK void
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
MK size_t
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
