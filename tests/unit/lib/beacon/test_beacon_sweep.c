/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One bit changed anywhere in a container that is right: refused, and the
 * store is as it was, so that the container itself is taken afterwards. The
 * slots are chosen so that there is no bit whose change is as true: signed in
 * the slot after the attested one, which is now.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/lib/beacon/beacon_bed.h"

static enum beacon_code
judge(struct beacon_store *s, enum beacon_kind kind, const uint8_t *root,
    const uint8_t *p, size_t n, uint64_t now)
{
	if (kind == BEACON_KIND_BOOTSTRAP)
		return beacon_bootstrap(s, root, p, n, NULL);
	return kind == BEACON_KIND_UPDATE
	    ? beacon_update(s, p, n, mk_time(now), NULL)
	    : beacon_finality(s, p, n, mk_time(now), NULL);
}

/* The mutation test asks hundreds of times, and has the other suites. */
static size_t
coarse(void)
{
	return getenv("SWEEP") != NULL ? 9 : 1;
}

/* Every step-th bit of a container of fork f, from the from-th on. */
static void
sweep(enum beacon_kind kind, unsigned f, size_t from, size_t step)
{
	struct beacon_store *s = begin(f, true);
	uint8_t root[32], *p = malloc(MK_LEN);
	const uint64_t now = AT(f, 31);
	if (kind == BEACON_KIND_BOOTSTRAP)
		mk_bootstrap(&m, &net, AT(f, 9), root);
	else
		mk_update(&m, &net, AT(f, 16), AT(f, 30), now);
	size_t n = mk_ssz(&m, kind, p);
	for (size_t bit = from; bit < 8 * n; bit += step) {
		p[bit / 8] ^= (uint8_t)(1u << bit % 8);
		if (judge(s, kind, root, p, n, now) == BEACON_OK)
			fail_msg("fork %u, bit %zu of byte %zu", f, bit % 8,
			    bit / 8);
		p[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	assert_int_equal(bed_slot(s), AT(f, 8));
	assert_int_equal(judge(s, kind, root, p, n, now), BEACON_OK);
	assert_int_equal(bed_slot(s),
	    kind == BEACON_KIND_BOOTSTRAP ? AT(f, 9) : AT(f, 16));
	free(p);
	beacon_store_free(s);
}

static void
each_bit_of_an_update_counts(void **state)
{
	(void)state;
	sweep(BEACON_KIND_UPDATE, BEACON_ELECTRA, 0, 9 * coarse() - 8);
}

/* A bit of each byte, another one in each fork. */
static void
each_byte_of_every_container_counts(void **state)
{
	(void)state;
	for (unsigned f = 0; f < BEACON_FORKS; f++) {
		sweep(BEACON_KIND_BOOTSTRAP, f, f, 8 * coarse());
		sweep(BEACON_KIND_UPDATE, f, f, 8 * coarse());
		sweep(BEACON_KIND_FINALITY, f, f, 8 * coarse());
	}
}

/* A byte more or less at the end, and nothing at all. */
static void
each_length_counts(void **state)
{
	(void)state;
	for (unsigned f = 0; f < BEACON_FORKS; f++) {
		struct beacon_store *s = begin(f, true);
		uint8_t *p = malloc(MK_LEN);
		mk_update(&m, &net, AT(f, 16), AT(f, 30), AT(f, 31));
		size_t n = mk_ssz(&m, BEACON_KIND_UPDATE, p);
		p[n] = 0;
		size_t wrong[] = { 0, 1, n - 1, n + 1, 2 * n };
		for (size_t i = 0; i < 5; i++)
			assert_int_not_equal(judge(s, BEACON_KIND_UPDATE, NULL,
						 p, wrong[i], AT(f, 31)),
			    BEACON_OK);
		free(p);
		beacon_store_free(s);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_bit_of_an_update_counts),
		cmocka_unit_test(each_byte_of_every_container_counts),
		cmocka_unit_test(each_length_counts),
	};
	return cmocka_run_group_tests(tests, bed_setup, NULL);
}
