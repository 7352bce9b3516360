/* SPDX-License-Identifier: Apache-2.0 */
/*
 * For each check of the store a container that it alone refuses: everything
 * else in it is right, and signed again where the change lies under the
 * signature. After each refusal the store is as it was (refused() looks).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/lib/beacon/beacon_bed.h"

static void
fewer_than_two_thirds_are_refused(void **state)
{
	(void)state;
	struct beacon_store *s = begin(3, false);
	mk_update(&m, &net, AT(3, 16), AT(3, 30), AT(3, 31));
	m.signers = 0;
	mk_sign(&m);
	refused(s, AT(3, 31), BEACON_FEW);
	m.signers = 21;
	mk_sign(&m);
	refused(s, AT(3, 31), BEACON_FEW);
	m.signers = 22;
	mk_sign(&m);
	assert_int_equal(bed_feed(s, &m, false, AT(3, 31)), BEACON_OK);
	beacon_store_free(s);
}

static void
of_512_keys_341_are_too_few_and_342_enough(void **state)
{
	(void)state;
	struct beacon_network n = mk_network(512);
	struct beacon_store *s = bed_begin(&n, AT(5, 8));
	mk_update(&m, &n, AT(5, 16), AT(5, 30), AT(5, 31));
	m.signers = 341;
	mk_sign(&m);
	refused(s, AT(5, 31), BEACON_FEW);
	m.signers = 342;
	mk_sign(&m);
	assert_int_equal(bed_feed(s, &m, false, AT(5, 31)), BEACON_OK);
	assert_int_equal(bed_slot(s), AT(5, 16));
	beacon_store_free(s);
}

static void
a_signature_of_the_future_is_refused(void **state)
{
	(void)state;
	struct beacon_store *s = begin(3, false);
	mk_update(&m, &net, AT(3, 16), AT(3, 30), AT(3, 31));
	refused(s, AT(3, 30), BEACON_FUTURE);
	uint8_t *p = malloc(MK_LEN);
	size_t len = mk_ssz(&m, BEACON_KIND_UPDATE, p);
	/* a second before its slot, before genesis, and at its slot */
	assert_int_equal(beacon_update(s, p, len, mk_time(AT(3, 31)) - 1, NULL),
	    BEACON_FUTURE);
	assert_int_equal(
	    beacon_update(s, p, len, MK_GENESIS - 1, NULL), BEACON_FUTURE);
	assert_int_equal(
	    beacon_update(s, p, len, mk_time(AT(3, 31)), NULL), BEACON_OK);
	free(p);
	beacon_store_free(s);
}

static void
slots_must_fall(void **state)
{
	(void)state;
	struct beacon_store *s = begin(3, false);
	mk_update(&m, &net, AT(3, 16), AT(3, 30), AT(3, 30));
	refused(s, AT(3, 31), BEACON_SLOTS);
	mk_update(&m, &net, AT(3, 16), AT(3, 30), AT(3, 29));
	refused(s, AT(3, 31), BEACON_SLOTS);
	mk_update(&m, &net, AT(3, 31), AT(3, 30), AT(3, 32));
	refused(s, AT(3, 40), BEACON_SLOTS);
	/* a block may be the finalized one of its own state */
	mk_update(&m, &net, AT(3, 30), AT(3, 30), AT(3, 31));
	assert_int_equal(bed_feed(s, &m, false, AT(3, 31)), BEACON_OK);
	beacon_store_free(s);
}

static void
execution_must_be_in_the_block(void **state)
{
	(void)state;
	/* one bit of the execution part, which nothing but its branch holds */
	for (unsigned p = BEACON_CAPELLA; p < BEACON_FORKS; p++) {
		struct beacon_store *s = begin(p, false);
		mk_update(&m, &net, AT(p, 16), AT(p, 30), AT(p, 31));
		m.attested.hash[0] ^= 1;
		m.attested.exec[MK_HASH_AT] ^= 1;
		refused(s, AT(p, 31), BEACON_EXECUTION);
		mk_update(&m, &net, AT(p, 16), AT(p, 30), AT(p, 31));
		m.finalized.hash[0] ^= 1;
		m.finalized.exec[MK_HASH_AT] ^= 1;
		refused(s, AT(p, 31), BEACON_EXECUTION);
		beacon_store_free(s);
	}
}

/* A network where everything is one committee's: forks an epoch apart. */
static struct beacon_network
dense(void)
{
	struct beacon_network n = net;
	for (unsigned f = 0; f < BEACON_FORKS; f++)
		n.fork[f].epoch = f;
	n.end_epoch = 8;
	return n;
}

static void
execution_of_an_older_block_says_no_more_than_it_had(void **state)
{
	(void)state;
	struct beacon_network n = dense();
	struct beacon_store *s = bed_begin(&n, 1);
	/* Altair's block in a container of Capella, Deneb and Gloas */
	static const unsigned later[] = { BEACON_CAPELLA, BEACON_DENEB,
		BEACON_GLOAS };
	for (unsigned i = 0; i < 3; i++) {
		unsigned to = later[i];
		uint8_t *places[] = { &m.finalized.exec[3],
			&m.finalized.exec[EXEC_CAPELLA_LEN - 1],
			&m.finalized.exec_branch[5] };
		for (unsigned k = 0; k < 3; k++) {
			mk_update(&m, &n, 3, 8 * to + 5, 8 * to + 6);
			*places[k] = 1;
			if (to == BEACON_GLOAS && k < 2)
				m.finalized.hash[k] = 1;
			refused(s, 63, BEACON_EXECUTION);
		}
		if (to == BEACON_GLOAS)
			continue;
		mk_update(&m, &n, 3, 8 * to + 5, 8 * to + 6);
		m.finalized.extra_len = 1;
		refused(s, 63, BEACON_EXECUTION);
	}
	/* a Capella block in Deneb's form: the two new fields are zero */
	mk_update(&m, &n, 19, 8 * BEACON_DENEB + 5, 8 * BEACON_DENEB + 6);
	m.finalized.exec[EXEC_CAPELLA_LEN] = 1;
	refused(s, 63, BEACON_EXECUTION);
	/* in Gloas' form: what stands before a shorter branch is zero */
	mk_update(&m, &n, 27, 8 * BEACON_GLOAS + 5, 8 * BEACON_GLOAS + 6);
	m.finalized.exec_branch[0] = 1;
	refused(s, 63, BEACON_EXECUTION);
	beacon_store_free(s);
}

static void
finality_must_be_in_the_state(void **state)
{
	(void)state;
	for (unsigned p = 0; p < BEACON_FORKS; p++) {
		struct beacon_store *s = begin(p, false);
		mk_update(&m, &net, AT(p, 16), AT(p, 30), AT(p, 31));
		m.finalized.proposer++;
		refused(s, AT(p, 31), BEACON_FINALITY);
		mk_update(&m, &net, AT(p, 16), AT(p, 30), AT(p, 31));
		m.finality_branch[40] ^= 1;
		refused(s, AT(p, 31), BEACON_FINALITY);
		/* named, and no branch at all */
		mk_update(&m, &net, AT(p, 16), AT(p, 30), AT(p, 31));
		memset(m.finality_branch, 0, sizeof(m.finality_branch));
		refused(s, AT(p, 31), BEACON_FINALITY);
		/* each field of an empty header, which has to be empty */
		uint8_t *places[] = { (uint8_t *)&m.finalized.proposer,
			m.finalized.parent, m.finalized.state,
			m.finalized.body, m.finalized.exec_branch + 4,
			m.finalized.exec + EXEC_CAPELLA_LEN - 1 };
		for (unsigned k = 0; k < 6; k++) {
			mk_update(&m, &net, 0, AT(p, 30), AT(p, 31));
			*places[k] = 1;
			if (k == 5)
				m.finalized.hash[1] = 1;
			if (k >= 4 && p < BEACON_CAPELLA)
				continue;
			refused(s, AT(p, 31), BEACON_FINALITY);
		}
		mk_update(&m, &net, 0, AT(p, 30), AT(p, 31));
		m.finalized.slot = 1;
		refused(s, AT(p, 31), BEACON_FINALITY);
		/* no finality is legal, and moves no head */
		mk_update(&m, &net, 0, AT(p, 30), AT(p, 31));
		assert_int_equal(
		    bed_feed(s, &m, false, AT(p, 31)), BEACON_OK);
		assert_int_equal(bed_slot(s), AT(p, 8));
		assert_false(beacon_next_known(s));
		beacon_store_free(s);
	}
}

static void
the_next_committee_must_be_in_the_state(void **state)
{
	(void)state;
	for (unsigned p = 0; p < BEACON_FORKS; p++) {
		struct beacon_store *s = begin(p, false);
		mk_update(&m, &net, AT(p, 16), AT(p, 30), AT(p, 31));
		mk_committee(32, 77, &m.committee);
		refused(s, AT(p, 31), BEACON_COMMITTEE);
		mk_update(&m, &net, AT(p, 16), AT(p, 30), AT(p, 31));
		m.committee.aggregate[47] ^= 1;
		refused(s, AT(p, 31), BEACON_COMMITTEE);
		mk_update(&m, &net, AT(p, 16), AT(p, 30), AT(p, 31));
		m.committee_branch[0] ^= 1;
		refused(s, AT(p, 31), BEACON_COMMITTEE);
		/* named and not proven: keys, or their sum */
		mk_update(&m, &net, AT(p, 16), AT(p, 30), AT(p, 31));
		memset(m.committee_branch, 0, sizeof(m.committee_branch));
		refused(s, AT(p, 31), BEACON_COMMITTEE);
		memset(m.committee.keys, 0, sizeof(m.committee.keys));
		refused(s, AT(p, 31), BEACON_COMMITTEE);
		memset(m.committee.aggregate, 0, 48);
		assert_int_equal(
		    bed_feed(s, &m, false, AT(p, 31)), BEACON_OK);
		assert_int_equal(bed_slot(s), AT(p, 16));
		assert_false(beacon_next_known(s));
		beacon_store_free(s);
	}
}

/* Two states of one period cannot name two next committees. */
static void
another_next_committee_is_refused(void **state)
{
	(void)state;
	struct beacon_store *s = begin(3, true);
	mk_update(&m, &net, AT(3, 16), AT(3, 30), AT(3, 31));
	mk_committee(32, 77, &m.committee);
	mk_state(&m, false);
	mk_sign(&m);
	refused(s, AT(3, 31), BEACON_COMMITTEE);
	beacon_store_free(s);
}

/*
 * A committee that the state has, with a key that is no point, or infinity:
 * what that key signs is refused, what the others sign is not.
 */
static void
a_key_that_is_no_point_signs_nothing(void **state)
{
	(void)state;
	for (unsigned k = 0; k < 2; k++) {
		struct beacon_store *s = beacon_store_new(&net);
		uint8_t root[32], *p = malloc(MK_LEN);
		mk_bootstrap(&m, &net, AT(3, 8), root);
		memset(m.committee.keys + 48 * 31, k == 0 ? 0xff : 0, 48);
		if (k == 1)
			m.committee.keys[48 * 31] = 0xc0;
		/* nor may the sum of all help it */
		m.committee.aggregate[47] ^= 1;
		mk_state(&m, true);
		mk_header_root(&m.attested, root);
		assert_int_equal(
		    beacon_bootstrap(s, root, p,
			mk_ssz(&m, BEACON_KIND_BOOTSTRAP, p), NULL),
		    BEACON_OK);
		mk_update(&m, &net, AT(3, 16), AT(3, 30), AT(3, 31));
		m.signers = 31;
		mk_sign(&m);
		m.bits[3] |= 0x80;
		refused(s, AT(3, 31), BEACON_SIGNATURE);
		mk_sign(&m);
		assert_int_equal(
		    bed_feed(s, &m, false, AT(3, 31)), BEACON_OK);
		free(p);
		beacon_store_free(s);
	}
}

/* x = k of E2 for the first k that is on the curve: not in the subgroup. */
static void
outside_g2(uint8_t sig[96])
{
	blst_p2_affine a;
	memset(sig, 0, 96);
	sig[0] = 0x80;
	do
		sig[95]++;
	while (blst_p2_uncompress(&a, sig) != BLST_SUCCESS);
	assert_false(blst_p2_affine_in_g2(&a));
}

static void
the_signature_must_be_theirs(void **state)
{
	(void)state;
	struct beacon_store *s = begin(3, true);
	mk_update(&m, &net, AT(3, 16), AT(3, 30), AT(3, 31));
	m.signers_period = 4; /* the next committee, a period early */
	mk_sign(&m);
	refused(s, AT(3, 31), BEACON_SIGNATURE);
	mk_update(&m, &net, AT(3, 16), AT(4, 3), AT(4, 4));
	m.signers_period = 3; /* the current one, a period late */
	mk_sign(&m);
	refused(s, AT(4, 4), BEACON_SIGNATURE);
	/* one bit more than there are signers, and one less */
	mk_update(&m, &net, AT(3, 16), AT(3, 30), AT(3, 31));
	m.bits[0] ^= 4;
	refused(s, AT(3, 31), BEACON_SIGNATURE);
	m.signers = 30;
	mk_sign(&m);
	m.bits[3] |= 0x80;
	refused(s, AT(3, 31), BEACON_SIGNATURE);
	/* the attested header itself */
	mk_update(&m, &net, AT(3, 16), AT(3, 30), AT(3, 31));
	m.attested.parent[9] ^= 1;
	refused(s, AT(3, 31), BEACON_SIGNATURE);
	/* no point, infinity, a point outside the subgroup */
	mk_update(&m, &net, AT(3, 16), AT(3, 30), AT(3, 31));
	memset(m.sig, 0xff, 96);
	refused(s, AT(3, 31), BEACON_SIGNATURE);
	memset(m.sig, 0, 96);
	m.sig[0] = 0xc0;
	refused(s, AT(3, 31), BEACON_SIGNATURE);
	outside_g2(m.sig);
	refused(s, AT(3, 31), BEACON_SIGNATURE);
	beacon_store_free(s);
}

static void
the_domain_is_of_this_network_and_the_slot_before(void **state)
{
	(void)state;
	struct beacon_store *s = begin(3, true);
	mk_update(&m, &net, AT(3, 16), AT(3, 30), AT(3, 31));
	m.n.genesis_root[0] ^= 1;
	mk_sign(&m);
	refused(s, AT(3, 31), BEACON_SIGNATURE);
	/* signed in a fork's first slot: the version is the one before */
	mk_update(&m, &net, AT(3, 16), AT(3, 63), AT(4, 0));
	mk_sign_as(&m, BEACON_ELECTRA);
	refused(s, AT(4, 0), BEACON_SIGNATURE);
	mk_sign_as(&m, BEACON_DENEB);
	assert_int_equal(bed_feed(s, &m, false, AT(4, 0)), BEACON_OK);
	/* and in the second slot it is the new one */
	mk_update(&m, &net, AT(3, 17), AT(3, 63), AT(4, 1));
	mk_sign_as(&m, BEACON_DENEB);
	refused(s, AT(4, 1), BEACON_SIGNATURE);
	mk_sign_as(&m, BEACON_ELECTRA);
	assert_int_equal(bed_feed(s, &m, false, AT(4, 1)), BEACON_OK);
	beacon_store_free(s);
}

static void
a_bootstrap_is_for_its_root(void **state)
{
	(void)state;
	for (unsigned p = 0; p < BEACON_FORKS; p++) {
		struct beacon_store *s = bed_begin(&net, AT(p, 5));
		uint8_t root[32], *b = malloc(MK_LEN);
		mk_bootstrap(&m, &net, AT(p, 8), root);
		size_t n = mk_ssz(&m, BEACON_KIND_BOOTSTRAP, b);
		root[31] ^= 1;
		assert_int_equal(
		    beacon_bootstrap(s, root, b, n, NULL), BEACON_CHECKPOINT);
		mk_bootstrap(&m, &net, AT(p, 8), root);
		m.committee.keys[5] ^= 1;
		n = mk_ssz(&m, BEACON_KIND_BOOTSTRAP, b);
		assert_int_equal(
		    beacon_bootstrap(s, root, b, n, NULL), BEACON_COMMITTEE);
		mk_bootstrap(&m, &net, AT(p, 8), root);
		m.committee_branch[33] ^= 1;
		n = mk_ssz(&m, BEACON_KIND_BOOTSTRAP, b);
		assert_int_equal(
		    beacon_bootstrap(s, root, b, n, NULL), BEACON_COMMITTEE);
		if (p >= BEACON_CAPELLA) {
			mk_bootstrap(&m, &net, AT(p, 8), root);
			m.attested.exec_branch[33] ^= 1;
			n = mk_ssz(&m, BEACON_KIND_BOOTSTRAP, b);
			assert_int_equal(beacon_bootstrap(s, root, b, n, NULL),
			    BEACON_EXECUTION);
		}
		assert_int_equal(bed_slot(s), AT(p, 5));
		free(b);
		beacon_store_free(s);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fewer_than_two_thirds_are_refused),
		cmocka_unit_test(of_512_keys_341_are_too_few_and_342_enough),
		cmocka_unit_test(a_signature_of_the_future_is_refused),
		cmocka_unit_test(slots_must_fall),
		cmocka_unit_test(execution_must_be_in_the_block),
		cmocka_unit_test(
		    execution_of_an_older_block_says_no_more_than_it_had),
		cmocka_unit_test(finality_must_be_in_the_state),
		cmocka_unit_test(the_next_committee_must_be_in_the_state),
		cmocka_unit_test(another_next_committee_is_refused),
		cmocka_unit_test(a_key_that_is_no_point_signs_nothing),
		cmocka_unit_test(the_signature_must_be_theirs),
		cmocka_unit_test(the_domain_is_of_this_network_and_the_slot_before),
		cmocka_unit_test(a_bootstrap_is_for_its_root),
	};
	return cmocka_run_group_tests(tests, bed_setup, NULL);
}
