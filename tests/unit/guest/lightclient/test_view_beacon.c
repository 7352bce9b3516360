/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The view by light client against a host that lies (THREATS T07, T35, T43):
 * a made beacon chain whose periods are of Electra, Fulu and Gloas, execution
 * blocks whose hashes it names, and a process behind the edge that serves what
 * it is told, right or wrong. Each lie is refused, moves nothing, and costs
 * no more than the time until the truth is served again.
 */
#include "tests/unit/guest/lightclient/view_bed.h"

#include <time.h>

/* --- the tests --- */

static void
a_head_is_proven_from_the_checkpoint_period_by_period(void **state)
{
	(void)state;
	at_head(20);
	assert_int_equal(v.kept.head.slot, 6 * MK_PERIOD + 8);
	assert_int_equal(v.kept.head.time, mk_time(6 * MK_PERIOD + 8));
	/* of the proven hash, and no period's update is asked for twice */
	assert_memory_equal(v.kept.head.hash, mk_named_hash, 32);
	assert_non_null(strstr(host->paths,
	    "/beacon/updates/4 /beacon/updates/5 /beacon/updates/6 "
	    "/beacon/finality"));
	uint8_t root[32];
	static struct mk_committee c;
	mk_committee(KEYS, 6, &c);
	struct committee k = { c.keys, c.aggregate };
	committee_root(&cfg.beacon, &k, root);
	assert_memory_equal(v.kept.head.committee, root, 32);
	goes_on(6 * MK_PERIOD + 16, 21);
}

/* Years may lie between: the checkpoint's own block is no head. */
static void
what_the_checkpoint_names_is_no_head_before_finality_is_judged(void **state)
{
	(void)state;
	assert_int_not_equal(steps(), DSTACK_OK);
	update_of(4);
	assert_int_not_equal(steps(), DSTACK_OK);
	assert_false(v.kept.any);
	assert_false(v.caught_up);
}

/* helios#388: the finality update of a committee that is to be learnt first. */
static void
a_signature_of_an_unknown_period_asks_for_the_updates_between(void **state)
{
	(void)state;
	static struct mk m;
	/* the host has no update yet: only finality, two periods on */
	finalized(&m, 6 * MK_PERIOD + 8, 20);
	put_finality(&m);
	for (int i = 0; i < 4; i++)
		(void)steps();
	assert_false(v.kept.any);
	assert_true(v.behind);
	assert_int_equal(v.refused, BEACON_OK);
	update_of(4);
	update_of(5);
	for (int i = 0; i < 4 && steps() != DSTACK_OK; i++)
		;
	assert_int_equal(v.kept.head.number, 20);
}

static void
other_checkpoints_are_refused(void **state)
{
	(void)state;
	cfg.checkpoint[0] ^= 1;
	v.cfg = cfg;
	/* the host hands out what it likes under that name */
	char path[128] = "/beacon/bootstrap/0x";
	hex_encode(cfg.checkpoint, 32, path + strlen(path));
	size_t i = 0;
	while (strncmp(host->doc[i].path, "/beacon/boot", 12) != 0)
		i++;
	put(path, 200, host->doc[i].body, host->doc[i].len);
	assert_int_equal(steps(), DSTACK_E_FORMAT);
	assert_int_equal(v.refused, BEACON_CHECKPOINT);
	assert_int_equal(steps(), DSTACK_E_FORMAT);
	assert_string_equal(host->refused, "checkpoint");
}

/* Lies about a finality update: each is bent, then signed where it can be. */
static void
few_signers(struct mk *m)
{
	m->signers = KEYS * 2 / 3; /* 341 of 512 */
	mk_sign(m);
}
static void
no_signers(struct mk *m)
{
	m->signers = 0;
	mk_sign(m);
}
static void
bad_signature(struct mk *m)
{
	m->attested.proposer ^= 1;
}
static void
infinite_signature(struct mk *m)
{
	memset(m->sig, 0, sizeof(m->sig));
	m->sig[0] = 0xc0;
}
static void
old_committee(struct mk *m)
{
	m->signers_period = 4; /* the checkpoint's, whose keys have leaked */
	mk_sign(m);
}
static void
other_network(struct mk *m)
{
	m->n.genesis_root[0] ^= 1;
	mk_sign(m);
}
static void
other_fork(struct mk *m)
{
	mk_sign_as(m, BEACON_FULU);
}
static void
wrong_finality_branch(struct mk *m)
{
	m->finality_branch[40] ^= 1;
}
static void
wrong_execution(struct mk *m)
{
	m->finalized.hash[0] ^= 1;
}
static void
wrong_execution_branch(struct mk *m)
{
	m->attested.exec_branch[0] ^= 1;
}
static void
slots_out_of_order(struct mk *m)
{
	m->signature_slot = m->attested.slot;
	mk_sign(m);
}
static void
of_the_future(struct mk *m)
{
	/* in this period, a block that will be there in a minute */
	m->signature_slot += 11;
	mk_sign(m);
}

static const struct {
	const char *name;
	void (*lie)(struct mk *m);
	enum beacon_code code;
} lies[] = {
	{ "few signers", few_signers, BEACON_FEW },
	{ "no signers", no_signers, BEACON_FEW },
	{ "bad signature", bad_signature, BEACON_SIGNATURE },
	{ "infinity", infinite_signature, BEACON_SIGNATURE },
	{ "old committee", old_committee, BEACON_SIGNATURE },
	{ "other network", other_network, BEACON_SIGNATURE },
	{ "other fork", other_fork, BEACON_SIGNATURE },
	{ "wrong branch", wrong_finality_branch, BEACON_FINALITY },
	{ "wrong execution", wrong_execution, BEACON_EXECUTION },
	{ "execution branch", wrong_execution_branch, BEACON_EXECUTION },
	{ "slots", slots_out_of_order, BEACON_SLOTS },
	{ "future", of_the_future, BEACON_FUTURE },
};

/* A VM's clock loses seconds at its start; it is the host's word anyway. */
static void
before_a_tie_a_clock_that_is_some_seconds_behind_is_no_trouble(void **state)
{
	static struct mk m;
	(void)state;
	uint64_t head = 6 * MK_PERIOD + 8;
	/* what is signed 17 slots of 6 s later begins 20 s from now */
	cfg.beacon.genesis_time = (uint64_t)time(NULL) + 20 - 6 * (head + 17);
	view_close(&v);
	assert_int_equal(view_open(&v, edge, &cfg, -1, &why), DSTACK_OK);
	at_head(20);
	finalized(&m, head + 16, 21);
	put_finality(&m);
	assert_int_not_equal(steps(), DSTACK_OK);
	assert_non_null(strstr(why.text, "is the clock right?"));
	assert_int_equal(v.kept.head.slot, head);
}

static void
each_lie_is_refused_and_told_moves_nothing_and_passes(void **state)
{
	(void)state;
	static struct mk m;
	at_head(20);
	uint64_t slot = 6 * MK_PERIOD + 8, number = 20;
	for (size_t i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
		/* tied: now is when the truth is signed, and no later */
		v.kept.tied = true;
		v.kept.tie_at = (uint64_t)(view_ms() / 1000);
		v.kept.tie_time = mk_time(slot + 1 + 17);
		const struct view_kept was = v.kept;
		finalized(&m, slot + 1, number + 1);
		lies[i].lie(&m);
		put_finality(&m);
		if (steps() != DSTACK_E_FORMAT || v.refused != lies[i].code)
			fail_msg("%s: %s, %s", lies[i].name,
			    beacon_code_text(v.refused), why.text);
		assert_memory_equal(&v.kept, &was, sizeof(was));
		v.kept.tied = false;
		goes_on(++slot, ++number);
	}
}

/* As who was shown a made up chain at first, and now is shown the truth. */
static void
strangers(unsigned n)
{
	static struct mk m;
	finalized(&m, 6 * MK_PERIOD + 9, 21);
	m.signers_period += 1u << 20;
	mk_sign(&m);
	put_finality(&m);
	for (unsigned i = 0; i < n; i++) {
		assert_int_equal(steps(), DSTACK_E_FORMAT);
		assert_int_equal(v.refused, BEACON_SIGNATURE);
	}
}

static void
a_view_that_nobody_signs_for_begins_anew_while_nothing_hangs_on_it(void **state)
{
	(void)state;
	at_head(20);
	/* now and then one is nothing */
	strangers(2);
	goes_on(6 * MK_PERIOD + 10, 22);
	strangers(2);
	goes_on(6 * MK_PERIOD + 11, 23);
	/* this boot was seen in a block: never back, whatever is shown */
	v.kept.tied = true;
	v.kept.tie_at = (uint64_t)(view_ms() / 1000);
	v.kept.tie_time = mk_time(6 * MK_PERIOD + 30);
	strangers(40);
	assert_true(v.kept.any);
	assert_int_equal(v.kept.head.number, 23);
	v.kept.tied = false;
	/* and else it is as at the start */
	(void)steps();
	assert_false(v.kept.any);
	assert_true(v.strangers <= 1);
	assert_non_null(strstr(v.said, "begins anew"));
	goes_on(6 * MK_PERIOD + 12, 24);
}

static void
a_view_that_began_anew_has_neither_head_nor_tie(void **state)
{
	(void)state;
	at_head(20);
	v.kept.tied = true;
	assert_int_equal(view_anew(&v, &why), DSTACK_OK);
	assert_false(v.kept.any);
	assert_false(v.kept.tied);
	/* what was signed before is of no other chain now */
	goes_on(6 * MK_PERIOD + 8, 20);
}

static void
what_is_no_answer_moves_nothing_and_passes(void **state)
{
	(void)state;
	static struct mk m;
	static uint8_t ssz[MK_LEN];
	at_head(20);
	const uint64_t slot = 6 * MK_PERIOD + 8;
	finalized(&m, slot + 1, 21);
	size_t n = mk_ssz(&m, BEACON_KIND_FINALITY, ssz);
	put("/beacon/finality", 200, "garbage", 7);
	assert_int_equal(steps(), DSTACK_E_FORMAT);
	assert_int_equal(v.refused, BEACON_FORMAT);
	put("/beacon/finality", 200, "", 0);
	assert_int_equal(steps(), DSTACK_E_FORMAT);
	put("/beacon/finality", 200, ssz, n - 1);
	assert_int_equal(steps(), DSTACK_E_FORMAT);
	put("/beacon/finality", 404, "not here", 8);
	assert_int_equal(steps(), DSTACK_E_MISSING);
	assert_non_null(strstr(why.text, "404"));
	put("/beacon/finality", 503, "down", 4);
	assert_int_equal(steps(), DSTACK_E_MISSING);
	/* an update that brings a committee, in a finality update's place */
	put("/beacon/finality", 200, ssz, mk_ssz(&m, BEACON_KIND_UPDATE, ssz));
	assert_int_equal(steps(), DSTACK_E_FORMAT);
	assert_int_equal(v.kept.head.number, 20);
	goes_on(slot + 1, 21);
}

/* Frozen, or turned back by a node that is behind: no trouble, and no way back. */
static void
an_older_finality_update_moves_nothing(void **state)
{
	(void)state;
	static struct mk older;
	finalized(&older, 6 * MK_PERIOD + 8, 20);
	at_head(20);
	goes_on(6 * MK_PERIOD + 32, 25);
	put_finality(&older);
	assert_int_equal(steps(), DSTACK_OK);
	assert_int_equal(v.kept.head.number, 25);
	goes_on(6 * MK_PERIOD + 33, 26);
}

static void
a_fork_that_is_not_known_is_named_and_ends_nothing(void **state)
{
	(void)state;
	static struct mk m;
	static uint8_t ssz[MK_LEN];
	at_head(20);
	update_of(6);
	finalized(&m, 6 * MK_PERIOD + 16, 21);
	/* attested past the last fork that the table has */
	size_t n = mk_ssz(&m, BEACON_KIND_FINALITY, ssz);
	mk_le(ssz, 7 * MK_PERIOD + 1, 8);
	put("/beacon/finality", 200, ssz, n);
	assert_int_equal(steps(), DSTACK_E_FORMAT);
	assert_int_equal(v.refused, BEACON_FORK);
	assert_non_null(strstr(why.text, "heze"));
	assert_int_equal(v.kept.head.number, 20);
	goes_on(6 * MK_PERIOD + 16, 21);
}

static void
the_execution_block_is_the_one_that_was_proven_or_none(void **state)
{
	(void)state;
	static struct mk m;
	at_head(20);
	const uint64_t slot = 6 * MK_PERIOD + 8;
	finalized(&m, slot + 1, 21);
	put_finality(&m);
	size_t i = find("/rpc", mk_named_hash);
	/* another block under that hash: right in itself */
	size_t other = 0;
	while (strcmp(host->doc[other].path, "/rpc") != 0 || other == i)
		other++;
	char *was = strndup((const char *)host->doc[i].body, host->doc[i].len);
	memcpy(host->doc[i].body, host->doc[other].body, host->doc[other].len);
	host->doc[i].len = host->doc[other].len;
	assert_int_not_equal(steps(), DSTACK_OK);
	assert_non_null(strstr(why.text, "not the block that was asked for"));
	assert_int_equal(v.kept.head.number, 20);
	/* the RPC has it not: a light chain, or one that is behind */
	host->doc[i].hash[0] ^= 1;
	for (int k = 0; k < 3; k++)
		if (steps() == DSTACK_E_MISSING)
			break;
	assert_non_null(strstr(why.text, "does not have the execution block"));
	assert_int_equal(v.kept.head.number, 20);
	host->doc[i].hash[0] ^= 1;
	memcpy(host->doc[i].body, was, strlen(was));
	host->doc[i].len = strlen(was);
	free(was);
	for (int k = 0; k < 3 && v.kept.head.number != 21; k++)
		(void)steps();
	assert_int_equal(v.kept.head.number, 21);
}

/* Who can end the role gains no older chain, and no bootstrap anew. */
static void
the_next_life_goes_on_from_the_proven_store(void **state)
{
	(void)state;
	static struct mk older;
	int fd = memfd_create("view", 0);
	assert_int_equal(ftruncate(fd, KEEP_SIZE), 0);
	view_close(&v);
	assert_int_equal(view_open(&v, edge, &cfg, fd, &why), DSTACK_OK);
	finalized(&older, 6 * MK_PERIOD + 8, 20);
	at_head(20);
	goes_on(6 * MK_PERIOD + 32, 25);
	view_save(&v);
	const struct view_kept was = v.kept;
	view_close(&v);
	memset(host->paths, 0, sizeof(host->paths));
	assert_int_equal(view_open(&v, edge, &cfg, fd, &why), DSTACK_OK);
	assert_memory_equal(&v.kept, &was, sizeof(was));
	put_finality(&older);
	(void)steps();
	(void)steps();
	assert_int_equal(v.kept.head.number, 25);
	goes_on(6 * MK_PERIOD + 33, 26);
	assert_null(strstr(host->paths, "bootstrap"));
	assert_null(strstr(host->paths, "updates/4"));
	(void)close(fd);
}

/* --- CONTAINS --- */

/* Headers from slot down to `low`, one a slot, but for 3 of 10. */
static size_t
headers(uint64_t low, uint64_t high, uint8_t *out, uint8_t roots[][32],
    const uint8_t *before)
{
	uint8_t parent[32];
	size_t n = 0;
	memcpy(parent, before, 32);
	for (uint64_t s = low; s <= high; s++) {
		static const uint8_t zero[32];
		struct block_header h = { s, 1, parent, zero, zero };
		if (s % 10 == 3 && s != high) {
			memset(roots[s - low], 0, 32);
			continue;
		}
		uint8_t *at = out + (high - s) * 112;
		mk_le(at, s, 8);
		mk_le(at + 8, 1, 8);
		memcpy(at + 16, parent, 32);
		memset(at + 48, 0, 64);
		header_root(&h, roots[s - low]);
		memcpy(parent, roots[s - low], 32);
	}
	/* without the gaps, newest first */
	for (uint64_t s = high + 1; s-- > low;) {
		static const uint8_t zero[32];
		if (memcmp(roots[s - low], zero, 32) == 0)
			continue;
		memmove(out + n, out + (high - s) * 112, 112);
		n += 112;
	}
	return n;
}

static uint8_t
contains(uint64_t slot, const uint8_t root[static 32],
    const uint8_t committee[static 32])
{
	uint8_t out = 9;
	if (view_beacon_contains(&v, slot, root, committee, &out, &why) !=
	    DSTACK_OK)
		return 7;
	return out;
}

static void
a_block_is_in_the_chain_that_the_head_stands_on(void **state)
{
	(void)state;
	static struct mk m;
	static uint8_t some[64 * 112];
	static uint8_t roots[64][32];
	uint8_t c[32], other[32] = { 1 };
	const uint64_t low = 6 * MK_PERIOD + 1, head = 6 * MK_PERIOD + 24;
	at_head(20);
	size_t n = headers(low, head - 1, some, roots, other);
	finalized(&m, head, 21);
	memcpy(m.finalized.parent, roots[head - 1 - low], 32);
	mk_state(&m, false);
	mk_sign(&m);
	put_finality(&m);
	assert_int_equal(steps(), DSTACK_OK);
	assert_int_equal(v.kept.head.slot, head);
	memcpy(c, v.kept.head.committee, 32);
	assert_int_equal(contains(head, v.kept.head.root, c), LIGHTCLIENT_YES);
	assert_int_equal(contains(head, other, c), LIGHTCLIENT_NO);
	assert_int_equal(contains(head + 1, other, c), LIGHTCLIENT_NOT_YET);
	/* the head's own header, then the first half: further down it goes */
	char path[128];
	char hex[65];
	hex_encode(v.kept.head.root, 32, hex);
	(void)snprintf(path, sizeof(path), "/beacon/headers/0x%s/256", hex);
	static uint8_t doc[64 * 112];
	mk_le(doc, head, 8);
	mk_le(doc + 8, m.finalized.proposer, 8);
	memcpy(doc + 16, m.finalized.parent, 32);
	memcpy(doc + 48, m.finalized.state, 32);
	memcpy(doc + 80, m.finalized.body, 32);
	memcpy(doc + 112, some, 5 * 112);
	put(path, 200, doc, 6 * 112);
	const uint64_t five = head - 4, deep = low + 1;
	assert_int_equal(
	    contains(five, roots[five - low], c), LIGHTCLIENT_YES);
	assert_int_equal(contains(five, other, c), LIGHTCLIENT_NO);
	assert_int_equal(
	    contains(deep, roots[deep - low], c), LIGHTCLIENT_NOT_YET);
	/* there the host has nothing yet: that is no answer */
	assert_int_equal(contains(deep, roots[deep - low], c), 7);
	char rest[128];
	hex_encode(v.walk.next, 32, hex);
	(void)snprintf(rest, sizeof(rest), "/beacon/headers/0x%s/256", hex);
	put(rest, 200, some, n); /* others than those that were asked for */
	assert_int_equal(contains(deep, roots[deep - low], c), 7);
	assert_int_equal(v.refused, BEACON_FORMAT);
	put(rest, 200, some + 5 * 112, n - 5 * 112);
	assert_int_equal(
	    contains(deep, roots[deep - low], c), LIGHTCLIENT_YES);
	/* a slot that has no block in this chain is in another's */
	uint64_t gap = 6 * MK_PERIOD + 9;
	while (gap % 10 != 3)
		gap++;
	for (int i = 0; i < 3; i++)
		if (contains(gap, other, c) == LIGHTCLIENT_NO)
			break;
	assert_int_equal(contains(gap, other, c) == LIGHTCLIENT_YES, 0);
	/* cut, or a bit of it is another: nothing is decided by it */
	put(path, 200, doc, 6 * 112 - 1);
	assert_int_equal(contains(five, roots[five - low], c), 7);
	doc[112 + 20] ^= 1;
	put(path, 200, doc, 6 * 112);
	assert_int_equal(contains(five, roots[five - low], c), 7);
	doc[112 + 20] ^= 1;
	put(path, 200, doc, 6 * 112);
	/* on top of the true block, and with a committee of its own */
	assert_int_equal(contains(five, roots[five - low], other),
	    LIGHTCLIENT_NO);
	/* of the period before the committee is known, of older ones not */
	uint8_t past[32];
	static struct mk_committee made;
	mk_committee(KEYS, 5, &made);
	struct committee k = { made.keys, made.aggregate };
	committee_root(&cfg.beacon, &k, past);
	assert_int_equal(contains(5 * MK_PERIOD + 1, other, past),
	    LIGHTCLIENT_NOT_YET);
	assert_int_equal(
	    contains(4 * MK_PERIOD + 9, other, past), LIGHTCLIENT_NO);
}

/* Pauses grow, requests are answered in between, and the first success ends it. */
static void
a_host_that_fails_is_asked_ever_more_slowly_and_at_once_after(void **state)
{
	(void)state;
	int64_t last = 0;
	host->doc[0].status = 503;
	for (int i = 0; i < 8; i++) {
		v.step_at = 0;
		int ms = view_beacon_idle(&v);
		assert_true(ms > 0 && ms <= 32000 && ms >= last - 50);
		last = ms;
	}
	assert_true(last > 31000);
	assert_true(v.said[0] != '\0');
	unsigned asked = host->asked;
	assert_true(view_beacon_idle(&v) > 0); /* not due: nobody is asked */
	assert_int_equal(host->asked, asked);
	host->doc[0].status = 200;
	static struct mk m;
	update_of(4);
	update_of(5);
	finalized(&m, 6 * MK_PERIOD + 8, 20);
	put_finality(&m);
	v.step_at = 0;
	for (int i = 0; i < 20 && !v.kept.any; i++)
		if (view_beacon_idle(&v) > 0)
			v.step_at = 0;
	assert_int_equal(v.kept.head.number, 20);
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, up, down)
	const struct CMUnitTest tests[] = {
		T(a_head_is_proven_from_the_checkpoint_period_by_period),
		T(what_the_checkpoint_names_is_no_head_before_finality_is_judged),
		T(a_signature_of_an_unknown_period_asks_for_the_updates_between),
		T(other_checkpoints_are_refused),
		T(before_a_tie_a_clock_that_is_some_seconds_behind_is_no_trouble),
		T(each_lie_is_refused_and_told_moves_nothing_and_passes),
		T(
		    a_view_that_nobody_signs_for_begins_anew_while_nothing_hangs_on_it),
		T(a_view_that_began_anew_has_neither_head_nor_tie),
		T(what_is_no_answer_moves_nothing_and_passes),
		T(an_older_finality_update_moves_nothing),
		T(a_fork_that_is_not_known_is_named_and_ends_nothing),
		T(the_execution_block_is_the_one_that_was_proven_or_none),
		T(the_next_life_goes_on_from_the_proven_store),
		T(a_block_is_in_the_chain_that_the_head_stands_on),
		T(a_host_that_fails_is_asked_ever_more_slowly_and_at_once_after),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
