/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reorganisations under finality=attested (THREATS T35): two thirds of a
 * committee sign a block, and then another in its place. The view has one
 * block at a time, whole.
 */
#include "tests/unit/guest/lightclient/view_bed.h"

/* finality=attested: what two thirds signed, without waiting for the rest. */
static void
an_attested_head_counts_where_netcfg_says_so(void **state)
{
	(void)state;
	static struct mk m;
	cfg.finality = v.cfg.finality = NETCFG_ATTESTED;
	update_of(4);
	update_of(5);
	execution_block(30, mk_named_hash);
	mk_named_slot = 6 * MK_PERIOD + 24;
	mk_update(&m, &cfg.beacon, 6 * MK_PERIOD + 8, 6 * MK_PERIOD + 24,
	    6 * MK_PERIOD + 25);
	mk_named_slot = 0;
	put_finality(&m);
	(void)steps();
	assert_int_equal(v.kept.head.number, 30);
	assert_int_equal(v.kept.head.slot, 6 * MK_PERIOD + 24);
}

/* An attested head of slot, whose execution block is number, of another state. */
static void
attested(uint64_t slot, uint64_t number, const char *state_root)
{
	static struct mk m;
	(void)json_object_set_new(block, "stateRoot", json_string(state_root));
	execution_block(number, mk_named_hash);
	mk_named_slot = slot;
	mk_update(&m, &cfg.beacon, 6 * MK_PERIOD + 8, slot, slot + 1);
	mk_named_slot = 0;
	put_finality(&m);
	/* past the step that is refused, too: a pause would come in between */
	for (int i = 0; i < 12; i++)
		(void)steps();
}

/*
 * A reorganisation under finality=attested: two thirds sign a block, and then
 * another in its place. What was believed stays whole until a block past it
 * comes, and then that is believed whole: number, hash, state root, beacon
 * root and slot are of one block at any time, and with them each proof.
 */
static void
of_two_attested_blocks_of_one_number_the_first_stands_whole(void **state)
{
	static const char one[] = "0x11111111111111111111111111111111"
				  "11111111111111111111111111111111";
	static const char two[] = "0x22222222222222222222222222222222"
				  "22222222222222222222222222222222";
	const uint64_t slot = 6 * MK_PERIOD + 24;
	struct beacon_head b;
	(void)state;
	cfg.finality = v.cfg.finality = NETCFG_ATTESTED;
	update_of(4);
	update_of(5);
	attested(slot, 30, one);
	assert_int_equal(v.kept.head.number, 30);
	assert_int_equal(v.kept.head.state_root[0], 0x11);
	const struct view_kept was = v.kept;
	/* in its place: signed as well, and in a later slot */
	attested(slot + 1, 30, two);
	assert_true(beacon_attested(v.store, &b));
	assert_int_equal(b.slot, slot + 1); /* proven; believed it is not */
	assert_memory_equal(&v.kept, &was, sizeof(was));
	/* the other branch is behind the first one's height */
	attested(slot + 2, 29, two);
	assert_memory_equal(&v.kept, &was, sizeof(was));
	attested(slot + 3, 31, two);
	assert_true(beacon_attested(v.store, &b));
	assert_int_equal(v.kept.head.number, 31);
	assert_int_equal(v.kept.head.slot, slot + 3);
	assert_int_equal(v.kept.head.state_root[0], 0x22);
	assert_memory_equal(v.kept.head.hash, b.execution_hash, 32);
	assert_memory_equal(v.kept.head.root, b.root, 32);
}

#define T(f) cmocka_unit_test_setup_teardown(f, up, down)
int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(an_attested_head_counts_where_netcfg_says_so),
		T(of_two_attested_blocks_of_one_number_the_first_stands_whole),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
