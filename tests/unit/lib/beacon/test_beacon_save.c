/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A store as bytes: what comes back goes on as the one that was saved would,
 * and what is cut or bent is taken up as a whole or not at all. Headers down
 * from a proven one: no bit of them can be another.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "beacon/store.h"
#include "beacon/walk.h"
#include "tests/unit/lib/beacon/beacon_bed.h"

static void
a_store_that_comes_back_goes_on_as_the_one_that_was_saved(void **state)
{
	(void)state;
	struct beacon_network n = mk_network(32);
	struct beacon_store *s = bed_begin(&n, 4 * MK_PERIOD + 8);
	struct beacon_store *t = beacon_store_new(&n);
	uint8_t root[32], again[32];
	AUTO_WR struct wr none = wr_new(0), w = wr_new(0), x = wr_new(0);
	store_save(t, &none); /* of one without a bootstrap */
	assert_int_equal(none.len, 0);
	for (uint64_t p = 0; p <= 5; p++)
		assert_false(store_committee(t, p, root));
	/* one that knows its own committee and not the next */
	assert_true(store_committee(s, 4, root));
	assert_false(store_committee(s, 5, root));
	mk_update(&m, &n, 4 * MK_PERIOD + 16, 4 * MK_PERIOD + 32,
	    4 * MK_PERIOD + 33);
	assert_int_equal(bed_feed(s, &m, false, 4000), BEACON_OK);
	store_save(s, &w);
	assert_int_equal(w.len, 5 + 2 * 73 + 2 * (33 + 33 * 48));
	assert_true(store_load(t, w.buf, w.len));
	struct beacon_head a, b;
	assert_true(beacon_finalized(s, &a) && beacon_finalized(t, &b));
	assert_memory_equal(&a, &b, sizeof(a));
	assert_true(beacon_attested(s, &a) && beacon_attested(t, &b));
	assert_memory_equal(&a, &b, sizeof(a));
	for (uint64_t p = 4; p <= 5; p++) {
		assert_true(store_committee(s, p, root));
		assert_true(store_committee(t, p, again));
		assert_memory_equal(root, again, 32);
	}
	assert_false(store_committee(t, 3, root));
	assert_false(store_committee(t, 6, root));
	/* signed by the next committee, and by nobody else */
	mk_update(&m, &n, 5 * MK_PERIOD + 16, 5 * MK_PERIOD + 32,
	    5 * MK_PERIOD + 33);
	m.sig[5] ^= 1;
	assert_int_not_equal(bed_feed(t, &m, false, 4000), BEACON_OK);
	m.sig[5] ^= 1;
	assert_int_equal(bed_feed(t, &m, false, 4000), BEACON_OK);
	assert_int_equal(beacon_period(t), 5);
	store_save(t, &x);
	assert_true(store_load(s, x.buf, x.len));
	assert_int_equal(beacon_period(s), 5);
	beacon_store_free(s);
	beacon_store_free(t);
}

static void
what_is_cut_or_of_another_shape_is_not_taken_up(void **state)
{
	(void)state;
	struct beacon_network n = mk_network(32), other = mk_network(64);
	struct beacon_store *s = bed_begin(&n, 4 * MK_PERIOD + 8);
	struct beacon_store *t = beacon_store_new(&n);
	struct beacon_store *u = beacon_store_new(&other);
	struct beacon_head h;
	AUTO_WR struct wr w = wr_new(0);
	store_save(s, &w);
	for (size_t len = 0; len < w.len; len++)
		assert_false(store_load(t, w.buf, len));
	assert_false(store_load(u, w.buf, w.len)); /* other committees */
	/* version, size, flags of both heads and of both committees */
	static const size_t at[] = { 0, 4, 5 + 40, 5 + 73 + 40, 5 + 2 * 73,
		5 + 2 * 73 + 33 + 33 * 48 };
	for (size_t i = 0; i < sizeof(at) / sizeof(at[0]); i++) {
		uint8_t was = w.buf[at[i]];
		w.buf[at[i]] = (uint8_t)(was + 2);
		assert_false(store_load(t, w.buf, w.len));
		w.buf[at[i]] = was;
	}
	/* nobody saves a store that has no committee */
	AUTO_WR struct wr bare = wr_new(0);
	wr_put(&bare, w.buf, 5 + 2 * 73);
	wr_u8(&bare, 0);
	wr_u8(&bare, 0);
	assert_false(store_load(t, bare.buf, bare.len));
	wr_u8(&w, 0);
	assert_false(store_load(t, w.buf, w.len));
	assert_false(beacon_finalized(t, &h));
	/* and one that had something has it still */
	assert_true(store_load(t, w.buf, w.len - 1));
	assert_false(store_load(t, w.buf, 7));
	assert_true(beacon_finalized(t, &h));
	assert_int_equal(h.slot, 4 * MK_PERIOD + 8);
	beacon_store_free(s);
	beacon_store_free(t);
	beacon_store_free(u);
}

static void
put_header(uint8_t *at, uint64_t slot, const uint8_t parent[static 32],
    uint8_t root[static 32])
{
	static const uint8_t some[32] = { 7 };
	struct block_header h = { slot, 3, parent, some, some };
	memset(at, 0, WALK_HEADER);
	mk_le(at, slot, 8);
	mk_le(at + 8, 3, 8);
	memcpy(at + 16, parent, 32);
	memcpy(at + 48, some, 32);
	memcpy(at + 80, some, 32);
	header_root(&h, root);
}

static void
headers_lead_down_to_an_ancestor_and_to_no_other(void **state)
{
	(void)state;
	uint8_t p[3 * WALK_HEADER], root[3][32], first[32] = { 9 };
	uint8_t head[32], next[32];
	/* slots 10, 12, 15 */
	put_header(p + 2 * WALK_HEADER, 10, first, root[2]);
	put_header(p + WALK_HEADER, 12, root[2], root[1]);
	put_header(p, 15, root[1], root[0]);
	memcpy(head, root[0], 32);
#define WALK(slot, want, n) \
	(memcpy(next, head, 32), headers_walk(p, n, slot, want, next))
	assert_int_equal(WALK(15, root[0], sizeof(p)), WALK_YES);
	/* cut behind the one that is asked for */
	assert_int_equal(WALK(15, root[0], sizeof(p) - 1), WALK_BAD);
	assert_int_equal(WALK(12, root[1], sizeof(p)), WALK_YES);
	assert_int_equal(WALK(10, root[2], sizeof(p)), WALK_YES);
	assert_int_equal(WALK(12, root[2], sizeof(p)), WALK_NO);
	/* slots without a block */
	assert_int_equal(WALK(14, root[1], sizeof(p)), WALK_NO);
	assert_int_equal(WALK(11, root[2], sizeof(p)), WALK_NO);
	/* further down, from where these end */
	assert_int_equal(WALK(9, first, sizeof(p)), WALK_ON);
	assert_memory_equal(next, first, 32);
	assert_int_equal(WALK(10, root[2], 2 * WALK_HEADER), WALK_ON);
	assert_memory_equal(next, root[2], 32);
	assert_int_equal(headers_walk(p + 2 * WALK_HEADER, WALK_HEADER, 10,
			     root[2], next), WALK_YES);
	/* none, cut, one left out */
	assert_int_equal(WALK(9, first, 0), WALK_BAD);
	assert_int_equal(WALK(9, first, sizeof(p) - 1), WALK_BAD);
	memmove(p + WALK_HEADER, p + 2 * WALK_HEADER, WALK_HEADER);
	assert_int_equal(WALK(9, first, 2 * WALK_HEADER), WALK_BAD);
	assert_memory_equal(next, head, 32);
	put_header(p + WALK_HEADER, 12, root[2], root[1]);
	for (size_t i = 0; i < 8 * sizeof(p); i++) {
		p[i / 8] ^= (uint8_t)(1u << i % 8);
		assert_int_equal(WALK(9, first, sizeof(p)), WALK_BAD);
		p[i / 8] ^= (uint8_t)(1u << i % 8);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    a_store_that_comes_back_goes_on_as_the_one_that_was_saved),
		cmocka_unit_test(
		    what_is_cut_or_of_another_shape_is_not_taken_up),
		cmocka_unit_test(
		    headers_lead_down_to_an_ancestor_and_to_no_other),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
