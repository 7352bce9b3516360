/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tries and proofs made by the definition (yellow paper, appendix D), for
 * tests of the code that checks them. Keys as they are; hash them first for
 * Ethereum's tries. Include after cmocka.h.
 */
#ifndef TESTS_MKTRIE_H
#define TESTS_MKTRIE_H

#include <stdbool.h>
#include <string.h>

#include "base/wr.h"
#include "crypto/hash.h"
#include "eth/rlp.h"

#define MAX_PAIRS 64
#define MAX_NIBBLES 80
#define DEEP 40

struct pair {
	uint8_t key[32];
	size_t keylen;
	uint8_t value[128];
	size_t valuelen;
};

/* A trie's pairs, and the nodes on the way to one key, root first. */
struct trie {
	struct pair pair[MAX_PAIRS];
	size_t n;
	uint8_t root[32];
	const uint8_t *target;
	size_t targetlen;
	struct wr node[DEEP]; /* as found, deepest first */
	size_t nodes;
};

static unsigned
nib(const uint8_t *k, size_t i)
{
	return i % 2 == 0 ? k[i / 2] >> 4 : k[i / 2] & 15;
}

static void
trie_path(struct wr *w, const uint8_t *key, size_t from, size_t to, bool leaf)
{
	uint8_t b[MAX_NIBBLES];
	size_t n = 0;
	unsigned flag = leaf ? 2 : 0;
	if ((to - from) % 2 != 0)
		b[n++] = (uint8_t)((flag + 1) << 4 | nib(key, from++));
	else
		b[n++] = (uint8_t)(flag << 4);
	for (; from < to; from += 2)
		b[n++] = (uint8_t)(nib(key, from) << 4 | nib(key, from + 1));
	rlp_put_bytes(w, b, n);
}

static void trie_encode(struct trie *t, struct pair **set, size_t n,
    size_t depth, bool on_path, struct wr *out);

/* A child as its parent holds it: itself, or its hash. */
static void
trie_ref(struct trie *t, struct pair **set, size_t n, size_t depth,
    bool on_path, struct wr *w)
{
	AUTO_WR struct wr child = wr_new(0);
	trie_encode(t, set, n, depth, on_path, &child);
	if (child.len < 32) {
		wr_put(w, child.buf, child.len);
		return;
	}
	uint8_t h[32];
	keccak256(child.buf, child.len, h);
	rlp_put_bytes(w, h, 32);
	if (on_path) {
		t->node[t->nodes] = wr_new(0);
		wr_put(&t->node[t->nodes++], child.buf, child.len);
	}
}

/* Does the target go on along key's nibbles from .. to? */
static bool
trie_along(const struct trie *t, const uint8_t *key, size_t from, size_t to)
{
	for (size_t i = from; i < to; i++) {
		if (i >= t->targetlen * 2 || nib(t->target, i) != nib(key, i))
			return false;
	}
	return true;
}

/* Pairs that share their first depth nibbles, sorted, none twice. */
static void
trie_encode(struct trie *t, struct pair **set, size_t n, size_t depth,
    bool on_path, struct wr *out)
{
	AUTO_WR struct wr in = wr_new(0);
	size_t common = depth;
	const uint8_t *k = set[0]->key;
	if (n == 1) {
		trie_path(&in, k, depth, set[0]->keylen * 2, true);
		rlp_put_bytes(&in, set[0]->value, set[0]->valuelen);
		rlp_put_list(out, &in);
		return;
	}
	for (;; common++) {
		bool same = true;
		for (size_t i = 0; i < n; i++)
			same = same && common < set[i]->keylen * 2 &&
			    nib(set[i]->key, common) == nib(k, common);
		if (!same)
			break;
	}
	if (common > depth) {
		trie_path(&in, k, depth, common, false);
		trie_ref(t, set, n, common,
		    on_path && trie_along(t, k, depth, common), &in);
		rlp_put_list(out, &in);
		return;
	}
	struct pair *here = NULL;
	for (unsigned b = 0; b < 16; b++) {
		struct pair *sub[MAX_PAIRS];
		size_t m = 0;
		for (size_t i = 0; i < n; i++) {
			if (set[i]->keylen * 2 == depth)
				here = set[i];
			else if (nib(set[i]->key, depth) == b)
				sub[m++] = set[i];
		}
		if (m == 0)
			rlp_put_bytes(&in, "", 0);
		else
			trie_ref(t, sub, m, depth + 1, on_path &&
			    trie_along(t, sub[0]->key, depth, depth + 1), &in);
	}
	rlp_put_bytes(&in, here ? here->value : NULL, here ? here->valuelen : 0);
	rlp_put_list(out, &in);
}

static void
trie_free(struct trie *t)
{
	while (t->nodes > 0)
		wr_free(&t->node[--t->nodes]);
}

/* Root of the trie and the proof of key. */
static void
trie_prove(struct trie *t, const uint8_t *key, size_t keylen)
{
	struct pair *set[MAX_PAIRS];
	AUTO_WR struct wr w = wr_new(0);
	trie_free(t);
	t->target = key;
	t->targetlen = keylen;
	for (size_t i = 0; i < t->n; i++)
		set[i] = &t->pair[i];
	if (t->n == 0)
		rlp_put_bytes(&w, "", 0);
	else
		trie_encode(t, set, t->n, 0, true, &w);
	keccak256(w.buf, w.len, t->root);
	t->node[t->nodes] = wr_new(0);
	wr_put(&t->node[t->nodes++], w.buf, w.len);
}

static size_t
trie_pieces(const struct trie *t, struct piece *p)
{
	for (size_t i = 0; i < t->nodes; i++) {
		p[i].p = t->node[t->nodes - 1 - i].buf;
		p[i].n = t->node[t->nodes - 1 - i].len;
	}
	return t->nodes;
}

static struct pair *
trie_get(struct trie *t, const uint8_t *key, size_t keylen)
{
	for (size_t i = 0; i < t->n; i++) {
		if (t->pair[i].keylen == keylen &&
		    memcmp(t->pair[i].key, key, keylen) == 0)
			return &t->pair[i];
	}
	return NULL;
}

static void
trie_set(struct trie *t, const void *key, size_t keylen, const void *v, size_t n)
{
	struct pair *p = trie_get(t, key, keylen);
	if (n == 0) {
		if (p != NULL)
			*p = t->pair[--t->n];
		return;
	}
	if (p == NULL)
		p = &t->pair[t->n++];
	assert_true(t->n <= MAX_PAIRS);
	memcpy(p->key, key, keylen);
	p->keylen = keylen;
	memcpy(p->value, v, n);
	p->valuelen = n;
}

#endif
