/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Proofs of tries that the test builds itself, by the definition, from the
 * pairs of the public vectors and from made-up ones.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "eth/trie.h"
#include "tests/unit/lib/eth/mktrie.h"
#include "tests/unit/lib/vec.h"

static enum dstack_status
verify(const struct trie *t, const struct piece *p, size_t n, bool *found,
    const uint8_t **v, size_t *len)
{
	return trie_verify(
	    t->root, t->target, t->targetlen, p, n, found, v, len);
}

/* The proof of key says what the trie holds, and no weakened one passes. */
static void
check_key(struct trie *t, const uint8_t *key, size_t keylen)
{
	struct piece p[DEEP + 1];
	bool found;
	const uint8_t *v = NULL;
	size_t len = 0;
	trie_prove(t, key, keylen);
	size_t n = trie_pieces(t, p);
	const struct pair *want = trie_get(t, key, keylen);
	assert_int_equal(verify(t, p, n, &found, &v, &len), DSTACK_OK);
	assert_int_equal(found, want != NULL);
	if (found) {
		assert_int_equal(len, want->valuelen);
		assert_memory_equal(v, want->value, len);
	}
	if (t->n == 0)
		return;
	/* a node short */
	assert_int_not_equal(
	    verify(t, p, n - 1, &found, &v, &len), DSTACK_OK);
	assert_int_not_equal(
	    verify(t, p + 1, n - 1, &found, &v, &len), DSTACK_OK);
	/* a node too many */
	p[n] = p[n - 1];
	assert_int_equal(
	    verify(t, p, n + 1, &found, &v, &len), DSTACK_E_REJECTED);
	/* a changed node */
	for (size_t i = 0; i < n; i++) {
		uint8_t *b = t->node[i].buf;
		size_t at = (i * 7 + 3) % t->node[i].len;
		b[at] ^= 1;
		assert_int_equal(
		    verify(t, p, n, &found, &v, &len), DSTACK_E_REJECTED);
		b[at] ^= 1;
	}
}

static void
every_key_of_a_trie_proves_its_value_and_others_their_absence(void **state)
{
	(void)state;
	static struct trie t;
	uint8_t h[32];
	for (size_t n = 0; n <= 48; n = n * 2 + 1) {
		memset(&t, 0, sizeof(t));
		for (size_t i = 0; i < n; i++) {
			keccak256(&i, sizeof(i), h);
			/* short values make embedded nodes where keys collide */
			trie_set(&t, h, 32, h, 1 + i % 40);
		}
		for (size_t i = 0; i < 2 * n + 2; i++) {
			keccak256(&i, sizeof(i), h);
			check_key(&t, h, 32);
		}
		trie_free(&t);
	}
}

static void
short_keys_with_shared_beginnings_prove_too(void **state)
{
	(void)state;
	static struct trie t;
	memset(&t, 0, sizeof(t));
	/* embedded nodes, extensions, values in branches */
	const char *keys[] = { "do", "dog", "doge", "horse", "dogs", "e", "eh",
		"\x01\x23\x45", "\x01\x23\x46", "\x01\x23\x45\x67" };
	for (size_t i = 0; i < 10; i++) {
		trie_set(&t, keys[i], strlen(keys[i]), "value of many bytes"
		    "; longer than a hash, at times", i % 3 == 0 ? 2 : 45);
		for (size_t j = 0; j < 10; j++)
			check_key(&t, (const uint8_t *)keys[j],
			    strlen(keys[j]));
		check_key(&t, (const uint8_t *)"dot", 3);
		check_key(&t, (const uint8_t *)"", 0);
	}
	trie_free(&t);
}

static void
the_empty_trie_is_proven_by_no_node_or_the_empty_one(void **state)
{
	(void)state;
	static struct trie t;
	memset(&t, 0, sizeof(t));
	uint8_t key[32] = { 0 };
	bool found = true;
	const uint8_t *v;
	size_t n;
	const uint8_t none = 0x80;
	const uint8_t other = 0xc0;
	struct piece p[] = { { &none, 1 }, { &none, 1 } };
	trie_prove(&t, key, 32);
	assert_int_equal(verify(&t, p, 0, &found, &v, &n), DSTACK_OK);
	assert_false(found);
	assert_int_equal(verify(&t, p, 1, &found, &v, &n), DSTACK_OK);
	assert_int_equal(verify(&t, p, 2, &found, &v, &n), DSTACK_E_REJECTED);
	p[0].p = &other;
	assert_int_equal(verify(&t, p, 1, &found, &v, &n), DSTACK_E_REJECTED);
	t.root[0] ^= 1;
	assert_int_equal(verify(&t, p, 0, &found, &v, &n), DSTACK_E_REJECTED);
	trie_free(&t);
}

/* One node by its bytes, as the root of a proof for key 0x12. */
static enum dstack_status
lone(const char *hex)
{
	size_t len;
	uint8_t *b = unhex(hex, &len);
	const uint8_t key[1] = { 0x12 };
	uint8_t root[32];
	struct piece p = { b, len };
	bool found;
	const uint8_t *v;
	size_t n;
	keccak256(b, len, root);
	enum dstack_status st = trie_verify(root, key, 1, &p, 1, &found, &v, &n);
	free(b);
	return st;
}

static void
nodes_that_are_not_canonical_are_refused(void **state)
{
	(void)state;
	assert_int_equal(lone("c482201205"), DSTACK_OK);
	assert_int_equal(lone("c482211205"), DSTACK_E_FORMAT); /* pad nibble */
	assert_int_equal(lone("c482401205"), DSTACK_E_FORMAT); /* flag */
	assert_int_equal(lone("c482601205"), DSTACK_E_FORMAT); /* leaf-like */
	assert_int_equal(lone("c482201280"), DSTACK_E_FORMAT); /* empty value */
	assert_int_equal(lone("c4822012c0"), DSTACK_E_FORMAT); /* list value */
	assert_int_equal(lone("c28005"), DSTACK_E_FORMAT);     /* no path */
	assert_int_equal(lone("c20005"), DSTACK_E_FORMAT); /* bare extension */
	assert_int_equal(lone("c21105"), DSTACK_E_FORMAT); /* short reference */
	assert_int_equal(lone("c120"), DSTACK_E_FORMAT);   /* one item */
	assert_int_equal(lone("c3202005"), DSTACK_E_FORMAT); /* three items */
	assert_int_equal(lone("c48220120500"), DSTACK_E_FORMAT); /* tail */
	assert_int_equal(lone("820102"), DSTACK_E_FORMAT);
	/* an extension right under an extension */
	assert_int_equal(lone("c611c412c22005"), DSTACK_E_FORMAT);
	/* an extension of no nibbles, above a branch */
	assert_int_equal(
	    lone("d300d18080808080808080808080808080808080"), DSTACK_E_FORMAT);
	/* a branch whose value is a list */
	assert_int_equal(
	    lone("d180808080808080808080808080808080c0"), DSTACK_E_FORMAT);
	/* eighteen items */
	assert_int_equal(
	    lone("d2808080808080808080808080808080808080"), DSTACK_E_FORMAT);
	/* a branch with a child that is neither hash nor node */
	assert_int_equal(
	    lone("d18080058080808080808080808080808080"), DSTACK_E_FORMAT);
	assert_int_equal(
	    lone("d18080808080808080808080808080808080"), DSTACK_OK);
}

/* A branch that holds child at nibble 1, and child's own bytes where hashed. */
static enum dstack_status
under_branch(const struct wr *child, bool hashed)
{
	AUTO_WR struct wr in = wr_new(0);
	AUTO_WR struct wr w = wr_new(0);
	const uint8_t key[1] = { 0x12 };
	uint8_t h[32];
	bool found;
	const uint8_t *v;
	size_t n;
	keccak256(child->buf, child->len, h);
	wr_u8(&in, 0x80);
	if (hashed)
		rlp_put_bytes(&in, h, 32);
	else
		wr_put(&in, child->buf, child->len);
	for (size_t i = 2; i < 17; i++)
		wr_u8(&in, 0x80);
	rlp_put_list(&w, &in);
	struct piece p[] = { { w.buf, w.len }, { child->buf, child->len } };
	keccak256(w.buf, w.len, h);
	return trie_verify(h, key, 1, p, hashed ? 2 : 1, &found, &v, &n);
}

static void
short_nodes_are_embedded_and_long_ones_hashed(void **state)
{
	(void)state;
	for (size_t n = 1; n < 50; n++) {
		AUTO_WR struct wr in = wr_new(0);
		AUTO_WR struct wr leaf = wr_new(0);
		uint8_t value[50];
		memset(value, 0xee, sizeof(value));
		rlp_put_bytes(&in, "\x32", 1); /* leaf, nibble 2 */
		rlp_put_bytes(&in, value, n);
		rlp_put_list(&leaf, &in);
		bool small = leaf.len < 32;
		assert_int_equal(under_branch(&leaf, false),
		    small ? DSTACK_OK : DSTACK_E_FORMAT);
		assert_int_equal(under_branch(&leaf, true),
		    small ? DSTACK_E_REJECTED : DSTACK_OK);
	}
}

static void
sizes_are_bounded(void **state)
{
	(void)state;
	static uint8_t big[TRIE_MAX_NODE + 1];
	static struct piece many[TRIE_MAX_NODES + 1];
	uint8_t root[32];
	bool found;
	const uint8_t *v;
	size_t n;
	struct piece p = { big, sizeof(big) };
	keccak256(big, sizeof(big), root);
	assert_int_equal(trie_verify(root, big, 32, &p, 1, &found, &v, &n),
	    DSTACK_E_LIMIT);
	assert_int_equal(trie_verify(root, big, 32, many, TRIE_MAX_NODES + 1,
	    &found, &v, &n), DSTACK_E_LIMIT);
	assert_int_equal(trie_verify(root, big, TRIE_MAX_KEY + 1, many, 1,
	    &found, &v, &n), DSTACK_E_LIMIT);
}

/* Text, or bytes where it begins with 0x. */
static size_t
text(const char *s, uint8_t *out, size_t cap)
{
	size_t n = s == NULL ? 0 : strlen(s);
	if (n > 1 && s[0] == '0' && s[1] == 'x') {
		assert_int_equal(hex_decode_var(s, n, out, cap, &n), DSTACK_OK);
		return n;
	}
	assert_true(n <= cap);
	if (n != 0)
		memcpy(out, s, n);
	return n;
}

static void
put_vector(struct trie *t, const char *k, const char *v, bool secure)
{
	uint8_t key[64];
	uint8_t value[64];
	uint8_t h[32];
	size_t n = text(k, key, sizeof(key));
	size_t vn = text(v, value, sizeof(value));
	if (secure) {
		keccak256(key, n, h);
		memcpy(key, h, 32);
		n = 32;
	}
	trie_set(t, key, n, value, vn);
}

static void
run_vectors(const char *path, bool secure)
{
	static struct trie t;
	json_t *all = vec_json(path);
	const char *name;
	const char *k;
	json_t *c;
	json_t *v;
	size_t i;
	json_object_foreach (all, name, c) {
		json_t *in = json_object_get(c, "in");
		memset(&t, 0, sizeof(t));
		json_array_foreach (in, i, v)
			put_vector(&t, json_string_value(json_array_get(v, 0)),
			    json_string_value(json_array_get(v, 1)), secure);
		json_object_foreach (in, k, v)
			put_vector(&t, k, json_string_value(v), secure);
		for (i = 0; i < t.n; i++)
			check_key(&t, t.pair[i].key, t.pair[i].keylen);
		check_key(&t, (const uint8_t *)"\x12\x34", 2);
		assert_hex(t.root, 32,
		    json_string_value(json_object_get(c, "root")));
		trie_free(&t);
	}
	json_decref(all);
}

static void
roots_of_the_public_vectors_match_and_prove(void **state)
{
	(void)state;
	run_vectors("eth/trie/trieanyorder.json", false);
	run_vectors("eth/trie/trietest.json", false);
	run_vectors("eth/trie/trietest_secureTrie.json", true);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    every_key_of_a_trie_proves_its_value_and_others_their_absence),
		cmocka_unit_test(short_keys_with_shared_beginnings_prove_too),
		cmocka_unit_test(
		    the_empty_trie_is_proven_by_no_node_or_the_empty_one),
		cmocka_unit_test(nodes_that_are_not_canonical_are_refused),
		cmocka_unit_test(short_nodes_are_embedded_and_long_ones_hashed),
		cmocka_unit_test(sizes_are_bounded),
		cmocka_unit_test(roots_of_the_public_vectors_match_and_prove),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
