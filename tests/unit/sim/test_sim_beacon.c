/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The simulated beacon node without its socket: what it serves, lib/beacon
 * takes; each of its lies lib/beacon refuses for its own reason.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/hex.h"
#include "sim/beacon_serve.h"

#define GENESIS UINT64_C(1700000000)
#define GLOAS_EPOCH 20u /* slot 160 */

static struct beacon_node node;
static struct beacon_store *store;
static uint64_t slot; /* that is now */

/* The chain up to the slot before, an execution block a slot. */
static void
grow(uint64_t to)
{
	for (; slot < to; slot++) {
		struct chain_exec e = { .extra_len = slot % 33 };
		memset(e.fixed, (int)slot, sizeof(e.fixed));
		memset(e.extra, 0x65, e.extra_len);
		sha256(&slot, 8, e.hash);
		assert_int_equal(
		    chain_add(node.chain, slot, &e, node.finality),
		    DSTACK_OK);
	}
}

/* An answer into the store; its code, or FORMAT for what is no document. */
static enum beacon_code
take(enum beacon_kind kind, const char *path, const char *query, bool ssz)
{
	struct beacon_answer a;
	struct beacon_doc *d = NULL;
	enum beacon_code c = BEACON_OK;
	struct why why = { "" };
	node_get(&node, path, query, ssz, &a);
	assert_int_equal(a.code, 200);
	if (beacon_doc_open(chain_network(node.chain), kind, a.body.buf,
		a.body.len, &d, &c, &why) == DSTACK_OK)
		for (size_t i = 0; c == BEACON_OK && i < beacon_doc_count(d);
		     i++) {
			struct beacon_item it = beacon_doc_item(d, i);
			uint64_t now = GENESIS + slot;
			c = kind == BEACON_KIND_FINALITY
			    ? beacon_finality(store, it.ssz, it.len, now, &why)
			    : kind == BEACON_KIND_UPDATE
			    ? beacon_update(store, it.ssz, it.len, now, &why)
			    : beacon_bootstrap(store,
				  chain_first(node.chain)->root, it.ssz,
				  it.len, &why);
		}
	beacon_doc_free(d);
	wr_free(&a.body);
	return c;
}

static enum beacon_code
finality(void)
{
	return take(BEACON_KIND_FINALITY,
	    "/eth/v1/beacon/light_client/finality_update", NULL,
	    slot % 2 != 0);
}

static enum beacon_code
bootstrap(void)
{
	char path[128] = "/eth/v1/beacon/light_client/bootstrap/0x";
	hex_encode(chain_first(node.chain)->root, 32, path + strlen(path));
	return take(BEACON_KIND_BOOTSTRAP, path, NULL, slot % 2 != 0);
}

static enum beacon_code
updates(const char *query)
{
	return take(BEACON_KIND_UPDATE,
	    "/eth/v1/beacon/light_client/updates", query, slot % 2 != 0);
}

static uint64_t
final_slot(void)
{
	struct beacon_head h;
	assert_true(beacon_finalized(store, &h));
	/* what it says of execution is what the chain was given */
	uint64_t of = h.slot >= 8 * GLOAS_EPOCH ? h.slot - 1 : h.slot;
	uint8_t hash[32];
	sha256(&of, 8, hash);
	assert_memory_equal(hash, h.execution_hash, 32);
	return h.slot;
}

/* A node at slot to, and a store that has followed it there. */
static void
begin(uint64_t to)
{
	memset(&node, 0, sizeof(node));
	node.chain = chain_new(GENESIS, 1, GLOAS_EPOCH);
	node.finality = true;
	assert_non_null(node.chain);
	slot = 1;
	grow(to);
	store = beacon_store_new(chain_network(node.chain));
	assert_non_null(store);
	assert_int_equal(bootstrap(), BEACON_OK);
	assert_int_equal(updates("start_period=0&count=128"), BEACON_OK);
	assert_int_equal(finality(), BEACON_OK);
	assert_int_equal(final_slot(), to - 2);
}

static int
end(void **state)
{
	(void)state;
	beacon_store_free(store);
	chain_free(node.chain);
	chain_free(node.forged);
	store = NULL;
	return 0;
}

static void
every_slot_over_three_committees_and_a_fork_is_taken(void **state)
{
	(void)state;
	begin(6);
	for (uint64_t to = 7; to < 4 * 64; to++) {
		grow(to);
		if (to % 64 == 40) {
			char query[64];
			(void)snprintf(query, sizeof(query),
			    "count=1&start_period=%u", (unsigned)(to / 64));
			assert_int_equal(updates(query), BEACON_OK);
		}
		assert_int_equal(finality(), BEACON_OK);
		assert_int_equal(final_slot(), to - 2);
	}
	assert_int_equal(beacon_period(store), 3);
}

static void
a_late_client_comes_by_whole_periods(void **state)
{
	(void)state;
	begin(300);
	assert_int_equal(beacon_period(store), 4);
}

static void
without_finality_nothing_gets_final_and_then_it_does(void **state)
{
	(void)state;
	begin(90);
	node.finality = false;
	grow(100);
	assert_int_equal(finality(), BEACON_OK);
	/* the last one whose child finalized it */
	assert_int_equal(final_slot(), 88);
	node.finality = true;
	grow(101);
	assert_int_equal(finality(), BEACON_OK);
	assert_int_equal(final_slot(), 99);
}

static void
lie(const char *name, enum beacon_code want)
{
	uint64_t before = final_slot();
	assert_int_equal(node_lie(&node, name, true), DSTACK_OK);
	enum beacon_code got = finality();
	/* its lengths are wrong, or its word for the fork, by its form */
	if (strcmp(name, "mixed-forks") == 0 && got == BEACON_FORK)
		want = got;
	assert_string_equal(beacon_code_text(got), beacon_code_text(want));
	assert_int_equal(final_slot(), before);
	assert_int_equal(node_lie(&node, name, false), DSTACK_OK);
	assert_int_equal(finality(), BEACON_OK);
	assert_int_equal(final_slot(), slot - 2);
}

static void
each_lie_is_refused_for_its_reason(void **state)
{
	static const struct {
		const char *name;
		enum beacon_code code;
	} all[] = { { "old-committee", BEACON_SIGNATURE },
		{ "other-network", BEACON_SIGNATURE },
		{ "mixed-forks", BEACON_FORMAT },
		{ "few-signers", BEACON_FEW },
		{ "bad-signature", BEACON_SIGNATURE },
		{ "garbage", BEACON_FORMAT }, { "future", BEACON_FUTURE },
		{ "back", BEACON_OLD }, { "wrong-branch", BEACON_FINALITY },
		{ "wrong-execution", BEACON_EXECUTION } };
	(void)state;
	for (unsigned fork = 0; fork < 2; fork++) {
		begin(fork == 0 ? 80 : 170);
		for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
			grow(slot + 1);
			lie(all[i].name, all[i].code);
		}
		assert_int_equal(
		    node_lie(&node, "no-such", true), DSTACK_E_FORMAT);
		(void)end(NULL);
		memset(&node, 0, sizeof(node));
	}
}

static void
frozen_is_what_was_the_head_then(void **state)
{
	(void)state;
	begin(80);
	assert_int_equal(node_lie(&node, "freeze", true), DSTACK_OK);
	grow(85);
	/* it is the same as before: true, and nothing new */
	assert_int_equal(finality(), BEACON_OK);
	assert_int_equal(final_slot(), 78);
	assert_int_equal(node_lie(&node, "freeze", false), DSTACK_OK);
	assert_int_equal(finality(), BEACON_OK);
	assert_int_equal(final_slot(), 83);
}

/* It is what a new client of the checkpoint cannot tell, which is why a
 * checkpoint is handed on. */
static void
a_forged_chain_convinces_who_knows_only_the_checkpoint(void **state)
{
	struct beacon_head h;
	(void)state;
	begin(150);
	assert_int_equal(node_lie(&node, "old-committee", true), DSTACK_OK);
	assert_int_equal(finality(), BEACON_SIGNATURE);
	assert_int_equal(bootstrap(), BEACON_OK);
	assert_int_equal(updates("start_period=0&count=9"), BEACON_OK);
	assert_true(beacon_finalized(store, &h));
	assert_int_equal(finality(), BEACON_OK);
	assert_true(beacon_finalized(store, &h));
	assert_int_equal(h.slot, 148);
	assert_null(chain_by_root(node.chain, h.root));
}

/* One reader is lied to, the others are not. */
static void
a_lie_before_the_path_is_told_to_who_asks_so(void **state)
{
	static const char head[] = "/eth/v1/beacon/headers/head";
	char path[128];
	(void)state;
	begin(150);
	struct beacon_answer honest, a;
	node_get(&node, head, NULL, false, &honest);
	for (unsigned l = 0; l < LIES; l++) {
		(void)snprintf(path, sizeof(path), "/%s%s",
		    sim_beacon_lies[l], head);
		node_get(&node, path, NULL, false, &a);
		if (l == LIE_404)
			assert_int_equal(a.code, 404);
		/* those that another block, or no block, is the answer to */
		const bool differs = l == LIE_OLD_COMMITTEE ||
		    l == LIE_GARBAGE || l == LIE_BACK || l == LIE_404;
		assert_int_equal(differs, a.body.len != honest.body.len ||
			memcmp(a.body.buf, honest.body.buf, a.body.len) != 0);
		assert_int_equal(a.slow, l == LIE_SLOW);
		wr_free(&a.body);
		node_get(&node, head, NULL, false, &a);
		assert_int_equal(a.body.len, honest.body.len);
		assert_memory_equal(a.body.buf, honest.body.buf, a.body.len);
		assert_false(a.slow);
		wr_free(&a.body);
	}
	/* a chain that was believed once goes on for those readers */
	grow(160);
	node_get(&node, "/freeze/eth/v1/beacon/headers/head", NULL, false, &a);
	assert_memory_equal(a.body.buf, honest.body.buf, a.body.len);
	wr_free(&a.body);
	wr_free(&honest.body);
	assert_int_equal(finality(), BEACON_OK);
}

static void
the_network_text_is_what_the_library_reads(void **state)
{
	struct beacon_network n;
	struct why why = { "" };
	AUTO_WR struct wr w = wr_new(4096);
	(void)state;
	begin(6);
	network_text(chain_network(node.chain), &w);
	assert_int_equal(
	    beacon_network_parse(w.buf, w.len, &n, &why), DSTACK_OK);
	assert_memory_equal(n.fork, chain_network(node.chain)->fork,
	    sizeof(n.fork));
	assert_int_equal(n.genesis_time, GENESIS);
}

static void
what_is_not_there_is_404(void **state)
{
	static const char *const paths[] = { "/", "/eth/v1/beacon/headers/",
		"/eth/v1/beacon/headers/0xab", "/eth/v1/beacon/headers/999",
		"/eth/v1/beacon/light_client/bootstrap/0x",
		"/eth/v1/beacon/light_client/bootstrap/1",
		"/eth/v1/beacon/light_client/" };
	(void)state;
	begin(6);
	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		struct beacon_answer a;
		node_get(&node, paths[i], NULL, true, &a);
		assert_int_equal(a.code, 404);
		wr_free(&a.body);
	}
	assert_int_equal(node_lie(&node, "404", true), DSTACK_OK);
	struct beacon_answer a;
	node_get(&node, "/eth/v1/beacon/genesis", NULL, true, &a);
	assert_int_equal(a.code, 404);
	wr_free(&a.body);
}

int
main(void)
{
#define T(f) cmocka_unit_test_teardown(f, end)
	const struct CMUnitTest tests[] = {
		T(every_slot_over_three_committees_and_a_fork_is_taken),
		T(a_late_client_comes_by_whole_periods),
		T(without_finality_nothing_gets_final_and_then_it_does),
		T(each_lie_is_refused_for_its_reason),
		T(frozen_is_what_was_the_head_then),
		T(a_forged_chain_convinces_who_knows_only_the_checkpoint),
		T(a_lie_before_the_path_is_told_to_who_asks_so),
		T(the_network_text_is_what_the_library_reads),
		T(what_is_not_there_is_404),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
