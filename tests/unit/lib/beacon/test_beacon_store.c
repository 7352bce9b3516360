/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The store over a made chain that crosses every fork: what moves its head and
 * its committees, and what does not. Each test tells where the store stands
 * before and after; what is refused for being false is in test_beacon_checks.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/lib/beacon/beacon_bed.h"

static void
every_fork_is_crossed(void **state)
{
	(void)state;
	struct beacon_store *s = bed_begin(&net, AT(0, 8));
	struct beacon_head h = { 0 };
	uint8_t root[32];
	for (unsigned p = 0; p < BEACON_FORKS; p++) {
		mk_update(&m, &net, AT(p, 16), AT(p, 30), AT(p, 31));
		if (bed_feed(s, &m, false, AT(p, 31)) != BEACON_OK)
			fail_msg("period %u", p);
		assert_true(beacon_finalized(s, &h));
		assert_int_equal(h.slot, AT(p, 16));
		assert_int_equal(beacon_period(s), p);
		mk_header_root(&m.finalized, root);
		assert_memory_equal(h.root, root, 32);
		assert_int_equal(h.has_execution, p >= BEACON_CAPELLA);
		if (h.has_execution)
			assert_memory_equal(
			    h.execution_hash, m.finalized.hash, 32);
		assert_true(beacon_attested(s, &h));
		assert_int_equal(h.slot, AT(p, 30));
		if (p + 1 == BEACON_FORKS)
			break;
		/* finalized before the fork, attested after it */
		mk_update(&m, &net, AT(p, 56), AT(p + 1, 3), AT(p + 1, 4));
		if (bed_feed(s, &m, true, AT(p + 1, 4)) != BEACON_OK)
			fail_msg("over the end of period %u", p);
		assert_int_equal(bed_slot(s), AT(p, 56));
		/* the last block of a fork, signed in the next one's first
		 * slot: by the fork of the slot before, and the committee of
		 * the slot itself */
		mk_update(&m, &net, AT(p, 57), AT(p, 63), AT(p + 1, 0));
		assert_int_equal(
		    bed_feed(s, &m, false, AT(p + 1, 0)), BEACON_OK);
		assert_int_equal(bed_slot(s), AT(p, 57));
	}
	beacon_store_free(s);
}

/* Capella's and Bellatrix' blocks in newer containers, two forks back. */
static void
a_finalized_block_two_forks_back_is_judged_by_its_own(void **state)
{
	(void)state;
	struct beacon_network n = net;
	/* all of it in one period, so that one committee signs */
	for (unsigned f = 0; f < BEACON_FORKS; f++)
		n.fork[f].epoch = f;
	n.end_epoch = 8;
	for (unsigned from = 0; from < BEACON_FORKS; from++)
		for (unsigned to = from; to < BEACON_FORKS; to++) {
			struct beacon_store *s = bed_begin(&n, 1);
			struct beacon_head h;
			mk_update(&m, &n, 8 * from + 3, 8 * to + 5, 8 * to + 6);
			if (bed_feed(s, &m, false, 63) != BEACON_OK)
				fail_msg("%u in %u", from, to);
			assert_true(beacon_finalized(s, &h));
			assert_int_equal(
			    h.has_execution, from >= BEACON_CAPELLA);
			beacon_store_free(s);
		}
}

static void
a_period_is_not_skipped(void **state)
{
	(void)state;
	struct beacon_store *s = begin(3, false);
	/* the next committee signs before the store knows it, and then it
	 * does: the same bytes are right after the update between */
	struct mk ahead;
	mk_update(&m, &net, AT(3, 60), AT(4, 4), AT(4, 5));
	ahead = m;
	refused(s, AT(4, 5), BEACON_PERIOD);
	mk_update(&m, &net, AT(3, 16), AT(3, 30), AT(3, 31));
	assert_int_equal(bed_feed(s, &m, false, AT(4, 5)), BEACON_OK);
	m = ahead;
	assert_int_equal(bed_feed(s, &m, false, AT(4, 5)), BEACON_OK);
	mk_update(&m, &net, AT(5, 8), AT(5, 20), AT(5, 21));
	refused(s, AT(5, 21), BEACON_PERIOD);
	mk_update(&m, &net, AT(2, 8), AT(2, 20), AT(2, 21));
	refused(s, AT(5, 21), BEACON_PERIOD);
	beacon_store_free(s);
}

static void
what_is_known_is_old(void **state)
{
	(void)state;
	struct beacon_store *s = begin(3, true);
	mk_update(&m, &net, AT(3, 30), AT(3, 44), AT(3, 45));
	assert_int_equal(bed_feed(s, &m, false, AT(3, 45)), BEACON_OK);
	/* an attested slot older than, and at, the finalized one */
	mk_update(&m, &net, AT(3, 8), AT(3, 29), AT(3, 31));
	refused(s, AT(3, 45), BEACON_OLD);
	mk_update(&m, &net, AT(3, 8), AT(3, 30), AT(3, 31));
	refused(s, AT(3, 45), BEACON_OLD);
	assert_int_equal(bed_feed(s, &m, true, AT(3, 45)), BEACON_OLD);
	/* older finality, newer attestation: nothing goes back */
	mk_update(&m, &net, AT(3, 24), AT(3, 46), AT(3, 47));
	assert_int_equal(bed_feed(s, &m, false, AT(3, 47)), BEACON_OK);
	assert_int_equal(bed_slot(s), AT(3, 30));
	beacon_store_free(s);
}

/* Before the next committee is known, an old update may still bring it. */
static void
an_old_update_brings_the_next_committee_alone(void **state)
{
	(void)state;
	struct beacon_store *s = bed_begin(&net, AT(3, 40));
	mk_update(&m, &net, AT(3, 8), AT(3, 20), AT(3, 21));
	assert_int_equal(bed_feed(s, &m, true, AT(3, 45)), BEACON_OLD);
	assert_int_equal(bed_feed(s, &m, false, AT(3, 45)), BEACON_OK);
	assert_true(beacon_next_known(s));
	assert_int_equal(bed_slot(s), AT(3, 40));
	beacon_store_free(s);
}

/* Before the first finality a state has a zero root, and a branch to it. */
static void
genesis_finality_is_an_empty_header_under_a_zero_root(void **state)
{
	(void)state;
	struct beacon_store *s = begin(0, false);
	mk_update(&m, &net, 0, AT(0, 30), AT(0, 31));
	mk_state(&m, false); /* with its branch */
	mk_sign(&m);
	assert_int_equal(bed_feed(s, &m, false, AT(0, 31)), BEACON_OK);
	assert_int_equal(bed_slot(s), AT(0, 8));
	m.finalized.state[3] = 1;
	refused(s, AT(0, 31), BEACON_FINALITY);
	beacon_store_free(s);
}

/* A second bootstrap begins anew: nothing of the first is left. */
static void
a_bootstrap_forgets_what_was(void **state)
{
	(void)state;
	struct beacon_store *s = begin(3, true);
	uint8_t root[32], *b = malloc(MK_LEN);
	mk_bootstrap(&m, &net, AT(2, 8), root);
	size_t n = mk_ssz(&m, BEACON_KIND_BOOTSTRAP, b);
	assert_int_equal(beacon_bootstrap(s, root, b, n, NULL), BEACON_OK);
	assert_false(beacon_next_known(s));
	assert_int_equal(bed_slot(s), AT(2, 8));
	assert_int_equal(beacon_period(s), 2);
	struct beacon_head h;
	assert_true(beacon_attested(s, &h));
	assert_int_equal(h.slot, AT(2, 8));
	free(b);
	beacon_store_free(s);
}

static void
without_a_bootstrap_nothing_is_judged(void **state)
{
	(void)state;
	struct beacon_store *s = beacon_store_new(&net);
	struct beacon_head h;
	mk_update(&m, &net, AT(3, 16), AT(3, 30), AT(3, 31));
	assert_int_equal(bed_feed(s, &m, false, AT(3, 31)), BEACON_EMPTY);
	assert_false(beacon_finalized(s, &h));
	assert_false(beacon_attested(s, &h));
	beacon_store_free(s);
}

/* A head enters a period without its committee: that is asked for next. */
static void
a_period_may_be_entered_without_the_committee_after_it(void **state)
{
	(void)state;
	struct beacon_store *s = begin(3, true);
	mk_update(&m, &net, AT(4, 8), AT(4, 20), AT(4, 21));
	assert_int_equal(bed_feed(s, &m, true, AT(4, 21)), BEACON_OK);
	assert_int_equal(beacon_period(s), 4);
	assert_false(beacon_next_known(s));
	mk_update(&m, &net, AT(5, 1), AT(5, 4), AT(5, 5));
	refused(s, AT(5, 5), BEACON_PERIOD);
	mk_update(&m, &net, AT(4, 8), AT(4, 20), AT(4, 21));
	assert_int_equal(bed_feed(s, &m, false, AT(5, 5)), BEACON_OK);
	assert_true(beacon_next_known(s));
	beacon_store_free(s);
}

/* Finalized in the last period, attested in this: its committee waits. */
static void
a_committee_counts_once_its_own_period_is_finalized(void **state)
{
	(void)state;
	struct beacon_store *s = begin(3, true);
	mk_update(&m, &net, AT(3, 60), AT(4, 10), AT(4, 11));
	assert_int_equal(bed_feed(s, &m, false, AT(4, 11)), BEACON_OK);
	assert_int_equal(beacon_period(s), 3);
	/* period 5's is not among what the store goes by */
	mk_update(&m, &net, AT(4, 60), AT(5, 4), AT(5, 5));
	refused(s, AT(5, 5), BEACON_PERIOD);
	beacon_store_free(s);
}

static void
a_fork_that_is_not_known_ends_it(void **state)
{
	(void)state;
	struct beacon_store *s = begin(BEACON_GLOAS, true);
	struct why why = { "" };
	uint8_t *p = malloc(MK_LEN);
	unsigned end = BEACON_FORKS;
	/* signed in its first slot for the last of ours: still known */
	mk_update(&m, &net, AT(end - 1, 16), AT(end - 1, 63), AT(end, 0));
	assert_int_equal(bed_feed(s, &m, false, AT(end, 0)), BEACON_OK);
	mk_update(&m, &net, AT(end - 1, 17), AT(end - 1, 63), AT(end, 1));
	refused(s, AT(end, 1), BEACON_FORK);
	mk_update(&m, &net, AT(end - 1, 17), AT(end, 0), AT(end, 1));
	refused(s, AT(end, 1), BEACON_FORK);
	assert_int_equal(
	    beacon_update(s, p, mk_ssz(&m, BEACON_KIND_UPDATE, p),
		mk_time(AT(end, 1)), &why),
	    BEACON_FORK);
	assert_non_null(strstr(why.text, "heze"));
	free(p);
	beacon_store_free(s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_fork_is_crossed),
		cmocka_unit_test(
		    a_finalized_block_two_forks_back_is_judged_by_its_own),
		cmocka_unit_test(a_period_is_not_skipped),
		cmocka_unit_test(what_is_known_is_old),
		cmocka_unit_test(an_old_update_brings_the_next_committee_alone),
		cmocka_unit_test(
		    genesis_finality_is_an_empty_header_under_a_zero_root),
		cmocka_unit_test(a_bootstrap_forgets_what_was),
		cmocka_unit_test(without_a_bootstrap_nothing_is_judged),
		cmocka_unit_test(
		    a_period_may_be_entered_without_the_committee_after_it),
		cmocka_unit_test(
		    a_committee_counts_once_its_own_period_is_finalized),
		cmocka_unit_test(a_fork_that_is_not_known_ends_it),
	};
	return cmocka_run_group_tests(tests, bed_setup, NULL);
}
