/* SPDX-License-Identifier: Apache-2.0 */
/* A secret that waits for the chain's record; see guest/keyd/join.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/guest/keyd/keyd_bed.h"

/* init's end: is there a word, and which? -1: none. */
static int
told(struct bed *b)
{
	uint8_t p[8];
	ssize_t n = recv(b->edge[ROLE_INIT], p, sizeof(p), MSG_DONTWAIT);
	return n == 1 ? p[0] : -1;
}

static void
pending_is(struct bed *b, const struct record *rec, uint64_t anchor)
{
	AUTO_WR struct wr q = wr_new(0);
	AUTO_WR struct wr a = wr_new(0);
	AUTO_WR struct wr want = wr_new(0);
	wr_u64be(&want, EPOCH);
	wr_put(&want, rec->xpub, 20);
	wr_put(&want, rec->commit, 32);
	wr_u64be(&want, anchor);
	wr_u8(&want, 0); /* made here */
	handon_view_put(&want, &no_view);
	granted(b, ROLE_REPLICATOOR, KEYD_OP_PENDING, &q, want.len, &a);
	assert_memory_equal(a.buf, want.buf, want.len);
}

static void
a_secret_that_waits_for_the_chain_is_told_to_init_and_to_a_successor(
    void **state)
{
	(void)state;
	struct bed b;
	struct record rec;
	AUTO_WR struct wr q = wr_new(0);
	AUTO_WR struct wr a = wr_new(0);
	struct stmt_bootstrap s = { .epoch = EPOCH, .anchor_number = 8 };
	bed_start(&b);
	bed_netcfg(&b);
	granted(&b, ROLE_REPLICATOOR, KEYD_OP_PENDING, &q, 0, &a);
	wr_u64be(&q, EPOCH);
	assert_int_equal(told(&b), -1);
	granted(&b, ROLE_REPLICATOOR, KEYD_OP_GENERATE, &q, 52, &a);
	assert_int_equal(told(&b), 5); /* before the answer was there */
	assert_int_equal(told(&b), -1);
	memcpy(rec.xpub, a.buf, 20);
	memcpy(rec.commit, a.buf + 20, 32);
	pending_is(&b, &rec, 0);
	memcpy(s.xpub, rec.xpub, 20);
	memcpy(s.seed_commit, rec.commit, 32);
	wr_free(&q);
	stmt_bootstrap_put(&q, &s);
	granted(&b, ROLE_REPLICATOOR, KEYD_OP_SIGN_BOOTSTRAP, &q, 65, &a);
	pending_is(&b, &rec, 8);
	assert_int_equal(told(&b), -1);
	assert_int_equal(ask(&b, ROLE_REPLICATOOR, KEYD_OP_WIPE, NULL, NULL),
	    DSTACK_OK);
	assert_int_equal(told(&b), 6);
	wr_free(&q);
	granted(&b, ROLE_REPLICATOOR, KEYD_OP_PENDING, &q, 0, &a);
	bed_generate(&b, &rec);
	assert_int_equal(told(&b), 5);
	bed_activate(&b, &rec);
	assert_int_equal(told(&b), -1);
	/* in use: there is nothing to wait for */
	granted(&b, ROLE_REPLICATOOR, KEYD_OP_PENDING, &q, 0, &a);
	bed_stop(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    a_secret_that_waits_for_the_chain_is_told_to_init_and_to_a_successor),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
