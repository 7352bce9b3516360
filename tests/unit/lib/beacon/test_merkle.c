/* SPDX-License-Identifier: Apache-2.0 */
/* SSZ's trees against roots that every client of the beacon chain knows. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "beacon/merkle.h"
#include "tests/unit/lib/vec.h"

#define LEAVES 8 /* gindex 8 to 15 */

/* Roots of trees of zeros, as in the deposit contract's zero_hashes. */
static void
trees_of_zeros_have_their_known_roots(void **state)
{
	static const char *const known[] = {
		"0000000000000000000000000000000000000000000000000000000000000000",
		"f5a5fd42d16a20302798ef6ed309979b43003d2320d9f0e8ea9831a92759fb4b",
		"db56114e00fdd4c1f85c892bf35ac9a89289aaecb1ebd0a96cde606a748b5d71",
		"c78009fdf07fc56a11f122370658a353aaa542ed63e44c4bc15ff4cd105ab33c",
	};
	(void)state;
	for (size_t depth = 0; depth < 4; depth++) {
		uint8_t leaf[LEAVES][32] = { { 0 } };
		uint8_t root[32];
		merkle_root(leaf, (size_t)1 << depth, root);
		assert_hex(root, 32, known[depth]);
	}
}

static void
a_pair_may_be_written_over_either_half(void **state)
{
	uint8_t a[32] = { 0 };
	uint8_t b[32] = { 0 };
	uint8_t want[32];
	(void)state;
	b[31] = 1;
	merkle_pair(a, b, want);
	uint8_t left[32];
	uint8_t right[32];
	memcpy(left, a, 32);
	merkle_pair(left, b, left);
	assert_memory_equal(left, want, 32);
	memcpy(right, b, 32);
	merkle_pair(a, right, right);
	assert_memory_equal(right, want, 32);
	merkle_pair(b, a, left); /* sides are told apart */
	assert_memory_not_equal(left, want, 32);
}

static void
a_number_is_little_endian_with_zeros_behind(void **state)
{
	uint8_t out[32];
	(void)state;
	memset(out, 0xff, sizeof(out));
	merkle_u64(UINT64_C(0x0102030405060708), out);
	assert_hex(out, 32, "0807060504030201"
	    "000000000000000000000000000000000000000000000000");
	assert_true(all_zero(out + 8, 24));
	assert_false(all_zero(out + 7, 25));
	assert_true(all_zero(out, 0));
}

/* A tree of which every node is kept: node[g] is that of gindex g. */
static uint8_t node[2 * LEAVES][32];

static void
make_tree(void)
{
	for (unsigned g = LEAVES; g < 2 * LEAVES; g++)
		memset(node[g], (int)g, 32);
	for (unsigned g = LEAVES - 1; g > 0; g--)
		merkle_pair(node[2 * g], node[2 * g + 1], node[g]);
}

/* The siblings on the way up from gindex; how many. */
static size_t
branch_of(unsigned gindex, uint8_t *out)
{
	size_t n = 0;
	for (; gindex > 1; gindex /= 2)
		memcpy(out + 32 * n++, node[gindex ^ 1], 32);
	return n;
}

static void
every_node_has_a_branch_to_the_root_and_to_no_other_place(void **state)
{
	(void)state;
	make_tree();
	uint8_t copy[LEAVES][32];
	uint8_t root[32];
	memcpy(copy, node[LEAVES], sizeof(copy));
	merkle_root(copy, LEAVES, root);
	assert_memory_equal(root, node[1], 32);
	for (unsigned g = 1; g < 2 * LEAVES; g++) {
		uint8_t b[32 * 4] = { 0 };
		size_t n = branch_of(g, b);
		assert_true(merkle_branch(node[g], b, n, g, root));
		/* of the same depth, so that only the sides differ */
		for (unsigned other = 1; other < 2 * LEAVES; other++)
			if (other != g)
				assert_false(merkle_branch(
				    node[g], b, n, other, root));
		for (size_t bit = 0; bit < 8 * 32 * n; bit += 37) {
			b[bit / 8] ^= (uint8_t)(1u << bit % 8);
			assert_false(merkle_branch(node[g], b, n, g, root));
			b[bit / 8] ^= (uint8_t)(1u << bit % 8);
		}
		/* one short */
		if (n > 0)
			assert_false(merkle_branch(node[g], b, n - 1, g, root));
	}
}

static void
a_branch_made_longer_has_zeros_in_front_and_nothing_else(void **state)
{
	uint8_t b[32 * 5] = { 0 };
	(void)state;
	make_tree();
	size_t n = branch_of(11, b + 64);
	assert_true(merkle_branch(node[11], b, n + 2, 11, node[1]));
	for (size_t i = 0; i < 64; i++) {
		b[i] = 1;
		assert_false(merkle_branch(node[11], b, n + 2, 11, node[1]));
		b[i] = 0;
	}
	/* zeros behind are nodes, and wrong ones */
	memmove(b, b + 64, 32 * n);
	memset(b + 32 * n, 0, 64);
	assert_false(merkle_branch(node[11], b, n + 2, 11, node[1]));
}

int
main(void)
{
	const struct CMUnitTest t[] = {
		cmocka_unit_test(trees_of_zeros_have_their_known_roots),
		cmocka_unit_test(a_pair_may_be_written_over_either_half),
		cmocka_unit_test(a_number_is_little_endian_with_zeros_behind),
		cmocka_unit_test(
		    every_node_has_a_branch_to_the_root_and_to_no_other_place),
		cmocka_unit_test(
		    a_branch_made_longer_has_zeros_in_front_and_nothing_else),
	};
	return cmocka_run_group_tests(t, NULL, NULL);
}
