/* SPDX-License-Identifier: Apache-2.0 */
/* Who answers a request, and who waits for how long (T40, hole D16). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "host/join/turn.h"

static uint64_t block;	/* the chain's newest */
static bool answers;	/* does the chain */
static unsigned asked;
static int rank;	/* of this node */
static uint64_t sees;	/* what the guests can know of */
static const uint8_t id[32] = { 1 };

static bool
newest(void *chain, uint64_t *out)
{
	assert_null(chain);
	asked++;
	*out = block;
	return answers;
}

static int
whose(void *arg, const uint8_t of[static 32])
{
	assert_ptr_equal(arg, &rank);
	assert_memory_equal(of, id, 32);
	return rank;
}

static bool
known(void *arg, uint64_t time)
{
	(void)arg;
	return sees >= time;
}

static struct turns
fresh(void)
{
	block = 100;
	answers = true;
	asked = 0;
	rank = 1;
	sees = 1000;
	return (struct turns){ .newest = newest,
		.rank = whose,
		.sees = known,
		.arg = &rank };
}

static void
the_first_asks_nobody(void **state)
{
	struct turns t = fresh();
	struct turn r = { .heard = 2000 }; /* the guest says when it can know */

	(void)state;
	rank = 0;
	assert_true(turn_is_ours(&t, id, &r, 1));
	assert_false(turn_seen(&t, &r));
	assert_int_equal(asked, 0);
	t.rank = NULL; /* and where nothing is known of others */
	assert_true(turn_is_ours(&t, id, &r, 1));
}

static void
the_next_waits_for_blocks_and_time(void **state)
{
	struct turns t = fresh();
	struct turn r = { .heard = 1000 };

	(void)state;
	for (rank = 1; rank <= 3; rank++) {
		const uint64_t n = (uint64_t)rank, b = block;
		uint64_t now = n * 1000000;
		memset(&r, 0, sizeof(r));
		assert_false(turn_is_ours(&t, id, &r, now));
		/* time alone is not enough */
		now += n * TURN_MS;
		assert_false(turn_is_ours(&t, id, &r, now));
		block = b + n * TURN_BLOCKS - 1;
		now += TURN_LOOK_MS;
		assert_false(turn_is_ours(&t, id, &r, now));
		block++;
		now += TURN_LOOK_MS;
		assert_true(turn_is_ours(&t, id, &r, now));
		/* nor are blocks, where they come fast */
		memset(&r, 0, sizeof(r));
		now += TURN_LOOK_MS;
		assert_false(turn_is_ours(&t, id, &r, now));
		block += 1000;
		now += n * TURN_MS - 1;
		assert_false(turn_is_ours(&t, id, &r, now));
		assert_true(turn_is_ours(&t, id, &r, now + 1));
	}
}

static void
turns_begin_when_guests_can_know(void **state)
{
	struct turns t = fresh();
	struct turn r = { .heard = 1001 };

	(void)state;
	assert_false(turn_is_ours(&t, id, &r, 1));
	block += 1000;
	assert_false(turn_is_ours(&t, id, &r, 1000000));
	assert_int_equal(asked, 0);
	sees = 1001;
	assert_false(turn_is_ours(&t, id, &r, 1000001));
	block += TURN_BLOCKS;
	assert_true(turn_is_ours(&t, id, &r, 1000001 + TURN_MS));
}

static void
who_cannot_answer_waits(void **state)
{
	struct turns t = fresh();
	struct turn r = { .heard = 1000 };

	(void)state;
	rank = -1;
	assert_false(turn_is_ours(&t, id, &r, 1));
	block += 1000;
	assert_false(turn_is_ours(&t, id, &r, 1000000));
	assert_int_equal(asked, 0);
	rank = 0; /* its guest has spoken */
	assert_true(turn_is_ours(&t, id, &r, 1000000));
}

static void
who_was_before_it_is_gone(void **state)
{
	struct turns t = fresh();
	struct turn r = { .heard = 1000 };

	(void)state;
	rank = 3;
	assert_false(turn_is_ours(&t, id, &r, 1));
	block += TURN_BLOCKS;
	assert_false(turn_is_ours(&t, id, &r, 1 + TURN_MS));
	rank = 1;
	assert_true(turn_is_ours(&t, id, &r, 1 + TURN_MS));
}

static void
a_chain_that_goes_back_or_is_silent_gives_no_turn(void **state)
{
	struct turns t = fresh();
	struct turn r = { .heard = 1000 };

	(void)state;
	answers = false;
	assert_false(turn_is_ours(&t, id, &r, 1));
	assert_false(r.counts);
	answers = true;
	assert_false(turn_is_ours(&t, id, &r, 2));
	block = 50;
	assert_false(turn_is_ours(&t, id, &r, 2 + TURN_MS));
	answers = false;
	block = 1000;
	assert_false(turn_is_ours(&t, id, &r, 2 + 2 * TURN_MS));
	answers = true;
	assert_true(turn_is_ours(&t, id, &r, 2 + 2 * TURN_MS));
}

static void
many_requests_are_one_question(void **state)
{
	struct turns t = fresh();

	(void)state;
	for (unsigned i = 0; i < 100; i++) {
		struct turn r = { .heard = 1000 };
		assert_false(turn_is_ours(&t, id, &r, 5000 + i));
	}
	assert_int_equal(asked, 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_first_asks_nobody),
		cmocka_unit_test(the_next_waits_for_blocks_and_time),
		cmocka_unit_test(turns_begin_when_guests_can_know),
		cmocka_unit_test(who_cannot_answer_waits),
		cmocka_unit_test(who_was_before_it_is_gone),
		cmocka_unit_test(
		    a_chain_that_goes_back_or_is_silent_gives_no_turn),
		cmocka_unit_test(many_requests_are_one_question),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
