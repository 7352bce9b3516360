/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A Merkle proof in Ethereum's state trie (yellow paper, appendix D): given a
 * root that is believed and a list of nodes that is not, what does the trie
 * hold under this key? The walk begins at the root and takes one node after the
 * other; each must hash to what the node before it names. The key decides the
 * way, half a byte at a time: a branch has sixteen ways and a value, an
 * extension a piece of path that all keys below share, a leaf the rest of one
 * key and its value.
 *
 * The answer is a value or its absence, and absence is proven as well: the way
 * ends at a branch without that child, or at a path that is another key's. A
 * proof that stops short, has a node left over or a node that no trie would
 * hold proves nothing and is refused; there is no third answer.
 *
 * Every step uses up at least half a byte of the key, and no node is used
 * twice, so the walk ends whatever the nodes say.
 */
#include "eth/trie.h"

#include <string.h>

#include "base/rd.h"
#include "eth/rlp.h"

#define EMBED_MAX 30 /* content of a node shorter than a hash, header off */
#define BRANCH_ITEMS 17

/* keccak256(rlp("")): the root of a trie that holds nothing. */
static const uint8_t empty_root[32] = { 0x56, 0xe8, 0x1f, 0x17, 0x1b, 0xcc,
	0x55, 0xa6, 0xff, 0x83, 0x45, 0xe6, 0x92, 0xc0, 0xf8, 0x6e, 0x5b, 0x48,
	0xe0, 0x1b, 0x99, 0x6c, 0xad, 0xc0, 0x01, 0x62, 0x2f, 0xb5, 0xe3, 0x63,
	0xb4, 0x21 };

struct walk {
	const uint8_t *key;
	size_t nibbles; /* of the whole key */
	size_t pos;     /* nibbles used up */
	const struct piece *nodes;
	size_t count;
	size_t used;
	const uint8_t *want; /* hash of the next node */
	struct rd node;      /* content of the node we are at */
	bool after_ext;
	bool done;
	bool found;
	const uint8_t *value;
	size_t valuelen;
};

struct item {
	bool list;
	struct rd in;
};

static unsigned
nibble(const uint8_t *p, size_t i)
{
	return i % 2 == 0 ? p[i / 2] >> 4 : p[i / 2] & 15;
}

/* The next node of the proof, whose hash must be want. */
static enum dstack_status
load(struct walk *w)
{
	uint8_t h[32];
	if (w->used == w->count) /* the proof stops short */
		return DSTACK_E_REJECTED;
	const struct piece *p = &w->nodes[w->used];
	if (p->n > TRIE_MAX_NODE)
		return DSTACK_E_LIMIT;
	/*
	 * The root is hashed whatever its length; below it, what is shorter
	 * than a hash is embedded and never hashed.
	 */
	if (w->used != 0 && p->n < 32)
		return DSTACK_E_REJECTED;
	keccak256(p->p, p->n, h);
	/* the one comparison that makes a proof of a list of bytes */
	if (memcmp(h, w->want, 32) != 0)
		return DSTACK_E_REJECTED;
	struct rd r = rd_over(p->p, p->n);
	enum dstack_status st = rlp_list(&r, &w->node);
	if (st == DSTACK_OK)
		st = rd_end(&r);
	w->used++;
	return st;
}

static void
absent(struct walk *w)
{
	w->done = true;
	w->found = false;
}

static enum dstack_status
present(struct walk *w, const struct item *value)
{
	/*
	 * A trie holds strings, and an empty one is what "not there" looks like
	 * in a branch: a leaf that holds it is no trie's.
	 */
	if (value->list || value->in.len == 0)
		return DSTACK_E_FORMAT;
	w->done = true;
	w->found = true;
	w->value = value->in.buf;
	w->valuelen = value->in.len;
	return DSTACK_OK;
}

/* A reference is a hash or a whole node shorter than one. */
static bool
is_ref(const struct item *c)
{
	return c->list ? c->in.len <= EMBED_MAX : c->in.len == 32;
}

static enum dstack_status
follow(struct walk *w, const struct item *c)
{
	/* it is inside the node that was hashed already */
	if (c->list) {
		w->node = c->in;
		return DSTACK_OK;
	}
	w->want = c->in.buf;
	return load(w);
}

static enum dstack_status
branch(struct walk *w, const struct item item[static BRANCH_ITEMS])
{
	/*
	 * also the children that are not on the way: a node that no trie would
	 * hold is not to prove anything
	 */
	for (size_t i = 0; i < BRANCH_ITEMS - 1; i++) {
		bool none = !item[i].list && item[i].in.len == 0;
		if (!none && !is_ref(&item[i]))
			return DSTACK_E_FORMAT;
	}
	const struct item *value = &item[BRANCH_ITEMS - 1];
	if (value->list)
		return DSTACK_E_FORMAT;
	/* the key ends here: the value is the branch's own */
	if (w->pos == w->nibbles) {
		if (value->in.len != 0)
			return present(w, value);
		absent(w);
		return DSTACK_OK;
	}
	const struct item *c = &item[nibble(w->key, w->pos)];
	if (!c->list && c->in.len == 0) {
		absent(w);
		return DSTACK_OK;
	}
	w->pos++;
	w->after_ext = false;
	return follow(w, c);
}

/* Leaf or extension: a path in hex-prefix form, then value or reference. */
static enum dstack_status
path_node(struct walk *w, const struct item item[static 2])
{
	const struct item *path = &item[0];
	if (path->list || path->in.len == 0)
		return DSTACK_E_FORMAT;
	/*
	 * Hex-prefix: bit 1 says leaf, bit 0 that the path is of odd length and
	 * begins right behind; else half a byte of zero fills up.
	 */
	unsigned flag = nibble(path->in.buf, 0);
	bool leaf = (flag & 2) != 0;
	size_t skip = (flag & 1) != 0 ? 1 : 2;
	if (flag > 3 || (skip == 2 && nibble(path->in.buf, 1) != 0))
		return DSTACK_E_FORMAT;
	size_t n = path->in.len * 2 - skip;
	/* an extension without a path would be the node it names */
	if (!leaf && (n == 0 || !is_ref(&item[1])))
		return DSTACK_E_FORMAT;
	if (w->after_ext) /* two paths in a row would be one path */
		return DSTACK_E_FORMAT;
	size_t left = w->nibbles - w->pos;
	/* a leaf must end the key; an extension may not go beyond its end */
	bool match = leaf ? n == left : n <= left;
	for (size_t i = 0; match && i < n; i++)
		match = nibble(path->in.buf, skip + i) ==
		    nibble(w->key, w->pos + i);
	/* the only key that goes on from here is another one */
	if (!match) {
		absent(w);
		return DSTACK_OK;
	}
	if (leaf)
		return present(w, &item[1]);
	w->pos += n;
	w->after_ext = true;
	return follow(w, &item[1]);
}

/* One node: ends the walk or moves to the next, at least a nibble on. */
static enum dstack_status
step(struct walk *w)
{
	struct item item[BRANCH_ITEMS];
	size_t n = 0;
	struct rd r = w->node;
	/* two items or seventeen; nothing else is a node */
	while (rd_left(&r) != 0) {
		if (n == BRANCH_ITEMS)
			return DSTACK_E_FORMAT;
		enum dstack_status st =
		    rlp_item(&r, &item[n].list, &item[n].in);
		if (st != DSTACK_OK)
			return st;
		n++;
	}
	if (n == BRANCH_ITEMS)
		return branch(w, item);
	return n == 2 ? path_node(w, item) : DSTACK_E_FORMAT;
}

enum dstack_status
trie_verify(const uint8_t root[static 32], const uint8_t *key, size_t keylen,
    const struct piece *nodes, size_t count, bool *found,
    const uint8_t **value, size_t *valuelen)
{
	if (count > TRIE_MAX_NODES || keylen > TRIE_MAX_KEY)
		return DSTACK_E_LIMIT;
	/* nothing has the empty trie's hash but the empty trie */
	if (memcmp(root, empty_root, 32) == 0) {
		/* no node, or the empty one spelled out */
		if (count > 1 || (count == 1 && (nodes[0].n != 1 ||
		        *(const uint8_t *)nodes[0].p != 0x80)))
			return DSTACK_E_REJECTED;
		*found = false;
		return DSTACK_OK;
	}
	struct walk w = { .key = key, .nibbles = keylen * 2, .nodes = nodes,
		.count = count, .want = root };
	enum dstack_status st = load(&w);
	while (st == DSTACK_OK && !w.done)
		st = step(&w);
	if (st != DSTACK_OK)
		return st;
	if (w.used != w.count) /* nodes that prove nothing */
		return DSTACK_E_REJECTED;
	*found = w.found;
	if (w.found) {
		*value = w.value;
		*valuelen = w.valuelen;
	}
	return DSTACK_OK;
}
