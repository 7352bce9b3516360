/* SPDX-License-Identifier: Apache-2.0 */
/* What the store's tests share: feed a made container, expect a code. */
#ifndef TESTS_BEACON_BED_H
#define TESTS_BEACON_BED_H

#include "dstack/beacon.h"
#include "tests/unit/lib/beacon/lcmake.h"

/* A store that begins at slot of the network; the caller frees. */
__attribute__((unused)) static struct beacon_store *
bed_begin(const struct beacon_network *n, uint64_t slot)
{
	static struct mk m;
	uint8_t root[32], *p = malloc(MK_LEN);
	struct why why = { "" };
	struct beacon_store *s = beacon_store_new(n);
	assert_non_null(p);
	assert_non_null(s);
	mk_bootstrap(&m, n, slot, root);
	enum beacon_code c = beacon_bootstrap(
	    s, root, p, mk_ssz(&m, BEACON_KIND_BOOTSTRAP, p), &why);
	if (c != BEACON_OK)
		fail_msg("bootstrap: %s", why.text);
	free(p);
	return s;
}

/* The code for m as an update (or finality update) at time of slot now. */
__attribute__((unused)) static enum beacon_code
bed_feed(struct beacon_store *s, const struct mk *m, bool finality,
    uint64_t now)
{
	uint8_t *p = malloc(MK_LEN);
	struct why why = { "" };
	assert_non_null(p);
	size_t n = mk_ssz(
	    m, finality ? BEACON_KIND_FINALITY : BEACON_KIND_UPDATE, p);
	enum beacon_code c = finality
	    ? beacon_finality(s, p, n, mk_time(now), &why)
	    : beacon_update(s, p, n, mk_time(now), &why);
	/* a refusal has its line, and a yes leaves none */
	assert_int_equal(c == BEACON_OK, why.text[0] == '\0');
	free(p);
	return c;
}

__attribute__((unused)) static uint64_t
bed_slot(const struct beacon_store *s)
{
	struct beacon_head h = { 0 };
	assert_true(beacon_finalized(s, &h));
	return h.slot;
}

/* The chain of a test program, and the container that is being made. */
static struct beacon_network net;
static struct mk m;

/* Slot s of period p. */
#define AT(p, s) ((p)*MK_PERIOD + (s))
/* The store at slot 8 of period p, the next committee known or not. */
__attribute__((unused)) static struct beacon_store *
begin(unsigned p, bool next)
{
	struct beacon_store *s = bed_begin(&net, AT(p, 8));
	if (next) {
		mk_update(&m, &net, AT(p, 8), AT(p, 20), AT(p, 21));
		assert_int_equal(
		    bed_feed(s, &m, false, AT(p, 21)), BEACON_OK);
		assert_true(beacon_next_known(s));
	}
	return s;
}

/* m is refused with this code, as update, and nothing has changed. */
__attribute__((unused)) static void
refused(struct beacon_store *s, uint64_t now, enum beacon_code want)
{
	struct beacon_head before, after;
	bool next = beacon_next_known(s);
	memset(&before, 0, sizeof(before));
	memset(&after, 0, sizeof(after));
	assert_true(beacon_finalized(s, &before));
	assert_string_equal(beacon_code_text(bed_feed(s, &m, false, now)),
	    beacon_code_text(want));
	assert_true(beacon_finalized(s, &after));
	assert_memory_equal(&before, &after, sizeof(before));
	assert_int_equal(beacon_next_known(s), next);
}

/* A group's setup: the network of 32 keys that most tests use. */
__attribute__((unused)) static int
bed_setup(void **state)
{
	(void)state;
	net = mk_network(32);
	return 0;
}

#endif
