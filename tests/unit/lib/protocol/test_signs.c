/* SPDX-License-Identifier: Apache-2.0 */
/* Signs of life: which of a host's list are believed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/secret.h"
#include "crypto/secp.h"
#include "protocol/signs.h"

static const struct secret32 net = { { 7 } };
static const struct secret32 other = { { 8 } };
static struct signs_of of;

static int
setup(void **state)
{
	(void)state;
	of.domain.chain_id = 31337;
	memset(of.domain.contract, 0x42, 20);
	of.epoch = 3;
	return secp_address(&net, of.xpub) == DSTACK_OK ? 0 : -1;
}

static struct msg_heartbeat
made(uint8_t node, uint64_t number, const struct secret32 *key,
    const struct eip712_domain *d)
{
	struct msg_heartbeat m = { .s = { .epoch = of.epoch,
				       .anchor_number = number } };
	uint8_t digest[32];
	memset(m.s.node, node, 20);
	memset(m.s.anchor_hash, (int)number, 32);
	stmt_heartbeat_digest(&m.s, d, digest);
	assert_int_equal(secp_sign(key, digest, NULL, m.sig), DSTACK_OK);
	return m;
}

static void
line(struct wr *w, const struct msg_heartbeat *m)
{
	msg_heartbeat_build(w, m);
	wr_str(w, "\n");
}

static void
only_what_the_epochs_key_signed_holds(void **state)
{
	struct msg_heartbeat m = made(1, 9, &net, &of.domain);
	struct eip712_domain fork = of.domain;
	struct signs_of next = of;

	(void)state;
	assert_true(sign_holds(&m, &of));
	next.epoch++;
	assert_false(sign_holds(&m, &next));
	m.s.anchor_number++;
	assert_false(sign_holds(&m, &of));
	m.s.anchor_number--;
	m.s.node[0] ^= 1;
	assert_false(sign_holds(&m, &of));
	m = made(1, 9, &other, &of.domain);
	assert_false(sign_holds(&m, &of));
	fork.chain_id++;
	m = made(1, 9, &net, &fork);
	assert_false(sign_holds(&m, &of));
	/* signed well, for an epoch that is not asked for */
	of.epoch++;
	m = made(1, 9, &net, &of.domain);
	of.epoch--;
	assert_false(sign_holds(&m, &of));
}

static void
of_a_list_each_node_counts_once_by_its_highest_block(void **state)
{
	struct msg_heartbeat out[4];
	const uint8_t self[20] = { 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5,
		5, 5, 5, 5, 5, 5 };
	struct msg_heartbeat m[] = { made(1, 9, &net, &of.domain),
		made(2, 5, &net, &of.domain), made(1, 11, &net, &of.domain),
		made(1, 10, &net, &of.domain), made(3, 8, &other, &of.domain),
		made(5, 9, &net, &of.domain) };
	AUTO_WR struct wr w = wr_new(0);

	(void)state;
	wr_str(&w, "\n{}\nnull\n");
	for (size_t i = 0; i < sizeof(m) / sizeof(m[0]); i++)
		line(&w, &m[i]);
	wr_str(&w, "{\"heartbeat\":");
	assert_int_equal(signs_take(w.buf, w.len, &of, self, out, 4), 2);
	assert_int_equal(out[0].s.node[0], 1);
	assert_int_equal(out[0].s.anchor_number, 11);
	assert_int_equal(out[1].s.node[0], 2);
	/* self is left out only for who asks for that */
	assert_int_equal(signs_take(w.buf, w.len, &of, NULL, out, 4), 3);
	assert_int_equal(signs_take(w.buf, w.len, &of, NULL, out, 1), 1);
	assert_int_equal(signs_take(w.buf, w.len, &of, NULL, out, 0), 0);
	assert_int_equal(signs_take(NULL, 0, &of, NULL, out, 4), 0);
	/* the last line needs no end */
	w.len = 0;
	msg_heartbeat_build(&w, &m[1]);
	assert_int_equal(signs_take(w.buf, w.len, &of, self, out, 4), 1);
}

static void
a_list_without_end_is_looked_at_up_to_a_bound(void **state)
{
	struct msg_heartbeat out[1];
	struct msg_heartbeat m = made(1, 9, &net, &of.domain);
	AUTO_WR struct wr w = wr_new(0);

	(void)state;
	for (unsigned i = 0; i + 1 < SIGNS_LINES; i++)
		wr_str(&w, "\n");
	line(&w, &m);
	assert_int_equal(signs_take(w.buf, w.len, &of, NULL, out, 1), 1);
	w.len = 0;
	for (unsigned i = 0; i < SIGNS_LINES; i++)
		wr_str(&w, "\n");
	line(&w, &m);
	assert_int_equal(signs_take(w.buf, w.len, &of, NULL, out, 1), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_what_the_epochs_key_signed_holds),
		cmocka_unit_test(
		    of_a_list_each_node_counts_once_by_its_highest_block),
		cmocka_unit_test(a_list_without_end_is_looked_at_up_to_a_bound),
	};
	return cmocka_run_group_tests(tests, setup, NULL);
}
