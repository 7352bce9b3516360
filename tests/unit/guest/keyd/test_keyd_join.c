/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How a keyd takes S_e from another one, and what it does not take (THREATS
 * T04, T16). The onboarder of most tests is the test itself: it knows every
 * key and can lie well.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "tests/unit/guest/keyd/offer_bed.h"

/* A joiner with a request, and the offers it is to refuse. */
struct joiner {
	struct bed b;
	struct node n;
	struct net net;
	uint8_t id[32];
};

static void
joiner_start(struct joiner *j)
{
	bed_start(&j->b);
	bed_netcfg(&j->b);
	bed_node(&j->b, &j->n);
	net_of(&j->net, 0x51, EPOCH);
	bed_register(&j->b, &j->n, 1, j->id);
}

/* Refused, nothing is held, and whoever asks is still told to wait. */
static void
not_taken(struct joiner *j, const struct offer *o)
{
	AUTO_WR struct wr q = wr_new(0);
	offer_put(&q, o);
	refused(&j->b, ROLE_REPLICATOOR, KEYD_OP_OPEN, &q);
	wr_free(&q);
	wr_put(&q, o->chain.xpub, 20);
	wr_put(&q, o->chain.commit, 32);
	wr_put(&q, view_bytes, sizeof(view_bytes));
	refused(&j->b, ROLE_REPLICATOOR, KEYD_OP_ACTIVATE, &q);
	wr_free(&q);
	assert_int_equal(ask(&j->b, ROLE_TLS, KEYD_OP_TLS_KEY, &q, NULL),
	    DSTACK_E_BUSY);
}

/* Also that what was refused was refused for the thing that was bent. */
static void
taken(struct joiner *j, const struct offer *o)
{
	AUTO_WR struct wr q = wr_new(0);
	AUTO_WR struct wr a = wr_new(0);
	offer_put(&q, o);
	granted(&j->b, ROLE_REPLICATOOR, KEYD_OP_OPEN, &q, HANDON_VIEW_LEN,
	    &a);
	assert_memory_equal(a.buf, view_bytes, sizeof(view_bytes));
	refused(&j->b, ROLE_REPLICATOOR, KEYD_OP_OPEN, &q); /* key is gone */
	bed_activate_at(&j->b, &o->chain, &view);
}

static void
an_honest_offer_is_taken_once_and_serves_after_activation(void **state)
{
	(void)state;
	struct joiner j;
	struct keytree t;
	struct secret32 key;
	AUTO_WR struct wr q = wr_new(0);
	AUTO_WR struct wr a = wr_new(0);
	joiner_start(&j);
	struct offer o = honest(&j.net, &j.n, j.id);
	taken(&j, &o);
	keytree_init(&t, domain.chain_id, domain.contract, EPOCH, &j.net.seed);
	assert_int_equal(keytree_tls(&t, DOMAIN, &key), DSTACK_OK);
	assert_int_equal(ask(&j.b, ROLE_TLS, KEYD_OP_TLS_KEY, &q, &a),
	    DSTACK_OK);
	assert_memory_equal(a.buf, key.b, 32);
	bed_stop(&j.b);
}

static void
a_received_secret_signs_no_bootstrap(void **state)
{
	(void)state;
	struct joiner j;
	AUTO_WR struct wr q = wr_new(0);
	joiner_start(&j);
	struct record lost; /* a bootstrap that another node was faster with */
	bed_generate(&j.b, &lost);
	struct offer o = honest(&j.net, &j.n, j.id);
	offer_put(&q, &o);
	refused(&j.b, ROLE_REPLICATOOR, KEYD_OP_OPEN, &q);
	assert_int_equal(ask(&j.b, ROLE_REPLICATOOR, KEYD_OP_WIPE, NULL, NULL),
	    DSTACK_OK);
	assert_int_equal(ask(&j.b, ROLE_REPLICATOOR, KEYD_OP_OPEN, &q, NULL),
	    DSTACK_OK);
	struct stmt_register r = bed_register_fields(&j.n, 2);
	wr_free(&q);
	stmt_register_put(&q, &r); /* nor a request: the HPKE key is gone */
	refused(&j.b, ROLE_REPLICATOOR, KEYD_OP_SIGN_REGISTER, &q);
	struct stmt_bootstrap s = { .epoch = EPOCH };
	memcpy(s.xpub, j.net.rec.xpub, 20);
	memcpy(s.seed_commit, j.net.rec.commit, 32);
	wr_free(&q);
	stmt_bootstrap_put(&q, &s);
	refused(&j.b, ROLE_REPLICATOOR, KEYD_OP_SIGN_BOOTSTRAP, &q);
	bed_stop(&j.b);
}

/* THREATS T43: nobody uses it before somebody has asked whose chain it is of. */
static void
a_received_secret_serves_only_with_the_view_that_was_handed_on(void **state)
{
	(void)state;
	struct joiner j;
	AUTO_WR struct wr q = wr_new(0);
	AUTO_WR struct wr a = wr_new(0);
	joiner_start(&j);
	struct offer o = honest(&j.net, &j.n, j.id);
	offer_put(&q, &o);
	assert_int_equal(
	    ask(&j.b, ROLE_REPLICATOOR, KEYD_OP_OPEN, &q, &a), DSTACK_OK);
	/* nothing, or one bit of slot, root or committee is another */
	static const size_t bend[] = { 7, 8, 39, 40, 71 };
	for (size_t i = 0; i <= sizeof(bend) / sizeof(bend[0]); i++) {
		uint8_t v[HANDON_VIEW_LEN] = { 0 };
		if (i > 0) {
			memcpy(v, view_bytes, sizeof(v));
			v[bend[i - 1]] ^= 1;
		}
		wr_free(&q);
		wr_put(&q, j.net.rec.xpub, 20);
		wr_put(&q, j.net.rec.commit, 32);
		wr_put(&q, v, sizeof(v));
		refused(&j.b, ROLE_REPLICATOOR, KEYD_OP_ACTIVATE, &q);
		wr_free(&q);
		assert_int_equal(
		    ask(&j.b, ROLE_TLS, KEYD_OP_TLS_KEY, &q, NULL),
		    DSTACK_E_BUSY);
	}
	/* who starts anew in between learns what to ask for */
	wr_free(&q);
	assert_int_equal(
	    ask(&j.b, ROLE_REPLICATOOR, KEYD_OP_PENDING, &q, &a), DSTACK_OK);
	assert_int_equal(a.len, 8 + 20 + 32 + 8 + 1 + HANDON_VIEW_LEN);
	assert_int_equal(a.buf[68], 1); /* received */
	assert_memory_equal(a.buf + 69, view_bytes, sizeof(view_bytes));
	bed_activate_at(&j.b, &j.net.rec, &view);
	bed_stop(&j.b);
}

/* An onboarder of another chain: the next one is asked, by another request. */
static void
a_received_secret_that_is_wiped_leaves_a_new_hpke_key(void **state)
{
	(void)state;
	struct joiner j;
	struct node again;
	AUTO_WR struct wr q = wr_new(0);
	joiner_start(&j);
	struct offer o = honest(&j.net, &j.n, j.id);
	offer_put(&q, &o);
	assert_int_equal(
	    ask(&j.b, ROLE_REPLICATOOR, KEYD_OP_OPEN, &q, NULL), DSTACK_OK);
	assert_int_equal(ask(&j.b, ROLE_REPLICATOOR, KEYD_OP_WIPE, NULL, NULL),
	    DSTACK_OK);
	not_taken(&j, &o); /* the same again, and nothing was asked */
	wr_free(&q); /* the old request is void: its key is gone */
	wr_put(&q, j.id, 32);
	wr_zero(&q, 32);
	refused(&j.b, ROLE_REPLICATOOR, KEYD_OP_SIGN_REGISTER_TX, &q);
	bed_node(&j.b, &again);
	assert_memory_equal(again.addr, j.n.addr, 20);
	assert_memory_not_equal(again.enc_pub, j.n.enc_pub, 32);
	struct stmt_register old = bed_register_fields(&j.n, 2);
	wr_free(&q);
	stmt_register_put(&q, &old);
	refused(&j.b, ROLE_REPLICATOOR, KEYD_OP_SIGN_REGISTER, &q);
	bed_register(&j.b, &again, 3, j.id);
	o = honest(&j.net, &again, j.id);
	taken(&j, &o);
	bed_stop(&j.b);
}

static void
a_secret_that_is_not_the_recorded_one_is_wiped(void **state)
{
	(void)state;
	struct joiner j;
	struct net other;
	struct net before;
	joiner_start(&j);
	net_of(&other, 0x66, EPOCH);
	net_of(&before, 0x52, EPOCH - 1);
	const struct offer good = honest(&j.net, &j.n, j.id);
	struct offer o = good;
	memset(o.pt + 9, 0, 32); /* k = 0 */
	not_taken(&j, &o);
	memset(o.pt + 9, 0xff, 32); /* k above any group order */
	not_taken(&j, &o);
	memcpy(o.pt + 9, other.seed.b, 32);
	not_taken(&j, &o);
	memcpy(o.pt + 9, before.seed.b, 32);
	not_taken(&j, &o);
	o = good; /* the onboarder's own network, under the chain's commitment */
	o.chain.xpub[0] ^= 1;
	not_taken(&j, &o);
	o = honest(&other, &j.n, j.id);
	memcpy(o.chain.commit, j.net.rec.commit, 32);
	memcpy(o.onboard_commit, j.net.rec.commit, 32);
	memcpy(o.info_commit, j.net.rec.commit, 32);
	not_taken(&j, &o); /* xPub fits the secret, seedCommit does not */
	o = honest(&other, &j.n, j.id);
	memcpy(o.chain.xpub, j.net.rec.xpub, 20);
	o.signer = j.net.sign;
	not_taken(&j, &o); /* seedCommit fits the secret, xPub does not */
	taken(&j, &good);
	bed_stop(&j.b);
}

static void
a_ciphertext_that_was_swapped_or_made_for_another_is_refused(void **state)
{
	(void)state;
	struct joiner j;
	joiner_start(&j);
	const struct offer good = honest(&j.net, &j.n, j.id);
	struct offer o = good;
	o.foreign_ct = true;
	not_taken(&j, &o);
	o = good;
	o.ct_xor = 1;
	not_taken(&j, &o);
	o = good;
	o.enc_pub[0] ^= 0x40; /* for another node */
	not_taken(&j, &o);
	o = good;
	o.info_commit[0] ^= 1;
	not_taken(&j, &o);
	o = good;
	o.info_id[0] ^= 1;
	not_taken(&j, &o);
	o = good;
	o.aad[0] ^= 1;
	not_taken(&j, &o);
	o = good;
	o.pt_len--;
	not_taken(&j, &o);
	o = good;
	o.pt_len++;
	not_taken(&j, &o);
	o = good;
	o.pt[0] = 3; /* a version from the future */
	not_taken(&j, &o);
	o = good;
	o.pt[0] = 1; /* and of the past, which had no view */
	not_taken(&j, &o);
	o = good;
	o.pt[8]--; /* another epoch inside */
	not_taken(&j, &o);
	taken(&j, &good);
	bed_stop(&j.b);
}

static void
an_onboard_of_another_signer_chain_epoch_or_request_is_refused(void **state)
{
	(void)state;
	struct joiner j;
	struct net other;
	uint8_t old[32];
	joiner_start(&j);
	net_of(&other, 0x66, EPOCH);
	memcpy(old, j.id, 32);
	bed_register(&j.b, &j.n, 2, j.id); /* voids the one before */
	const struct offer good = honest(&j.net, &j.n, j.id);
	struct offer o = good;
	o.signer = other.sign;
	not_taken(&j, &o);
	o = good;
	o.sig_xor = 1; /* v */
	not_taken(&j, &o);
	o = good;
	o.domain.chain_id++;
	not_taken(&j, &o);
	o = good;
	o.domain.contract[19] ^= 1;
	not_taken(&j, &o);
	o = good;
	o.onboard_epoch++;
	not_taken(&j, &o);
	net_of(&other, 0x51, EPOCH - 1);
	o = honest(&other, &j.n, j.id); /* whole, but nobody asked for it */
	o.epoch = o.onboard_epoch = EPOCH - 1;
	o.pt[8]--;
	not_taken(&j, &o);
	o = good;
	o.onboard_commit[0] ^= 1;
	not_taken(&j, &o);
	o = honest(&j.net, &j.n, old);
	not_taken(&j, &o);
	o = good;
	memcpy(o.onboard_id, old, 32);
	not_taken(&j, &o);
	o = good;
	memcpy(o.request_id, old, 32);
	not_taken(&j, &o);
	taken(&j, &good);
	bed_stop(&j.b);
}

static void
an_offer_nobody_asked_for_is_refused(void **state)
{
	(void)state;
	struct joiner j;
	bed_start(&j.b);
	bed_netcfg(&j.b);
	bed_node(&j.b, &j.n);
	net_of(&j.net, 0x51, EPOCH);
	memset(j.id, 0, 32);
	struct offer o = honest(&j.net, &j.n, j.id);
	o.epoch = o.onboard_epoch = 0;
	o.pt[8] = 0;
	not_taken(&j, &o);
	bed_stop(&j.b);
}

static void
a_register_is_signed_for_this_node_and_its_own_hpke_key_alone(void **state)
{
	(void)state;
	struct joiner j;
	uint8_t digest[32];
	uint8_t old[32];
	static const uint8_t quote_hash[32] = { 0x77 };
	AUTO_WR struct wr q = wr_new(0);
	AUTO_WR struct wr a = wr_new(0);
	bed_start(&j.b);
	bed_node(&j.b, &j.n);
	struct stmt_register s = bed_register_fields(&j.n, 1);
	stmt_register_put(&q, &s);
	refused(&j.b, ROLE_REPLICATOOR, KEYD_OP_SIGN_REGISTER, &q);
	bed_netcfg(&j.b);
	s.node[0] ^= 1;
	wr_free(&q);
	stmt_register_put(&q, &s);
	refused(&j.b, ROLE_REPLICATOOR, KEYD_OP_SIGN_REGISTER, &q);
	s.node[0] ^= 1;
	s.enc_key_hash[31] ^= 1;
	wr_free(&q);
	stmt_register_put(&q, &s);
	refused(&j.b, ROLE_REPLICATOOR, KEYD_OP_SIGN_REGISTER, &q);

	wr_free(&q);
	wr_zero(&q, 32); /* no Register was made yet */
	wr_put(&q, quote_hash, 32);
	refused(&j.b, ROLE_REPLICATOOR, KEYD_OP_SIGN_REGISTER_TX, &q);
	bed_register(&j.b, &j.n, 1, old);
	bed_register(&j.b, &j.n, 2, j.id);
	wr_free(&q);
	wr_put(&q, old, 32);
	wr_put(&q, quote_hash, 32);
	refused(&j.b, ROLE_REPLICATOOR, KEYD_OP_SIGN_REGISTER_TX, &q);
	memcpy(q.buf, j.id, 32);
	granted(&j.b, ROLE_REPLICATOOR, KEYD_OP_SIGN_REGISTER_TX, &q, 65, &a);
	stmt_register_tx_digest(j.id, quote_hash, &domain, digest);
	signed_by(a.buf, digest, j.n.addr);
	bed_stop(&j.b);
}

/* In this process, where its memory can be seen. */
static enum dstack_status
local(struct keyd *k, unsigned op, const struct wr *q)
{
	AUTO_WR struct wr out = wr_new(0);
	struct why why = { "" };
	struct rd r = rd_over(q->buf, q->len);
	return keyd_handle(
	    k, ROLE_REPLICATOOR, (uint8_t)op, &r, &out, &why);
}

static void
local_begin(struct keyd *k, struct node *n)
{
	struct why why = { "" };
	AUTO_WR struct wr q = wr_new(0);
	assert_int_equal(keyd_begin(k, &why), DSTACK_OK);
	memcpy(n->addr, k->node, 20);
	memcpy(n->enc_pub, k->enc_pub, 32);
	wr_u64be(&q, domain.chain_id);
	wr_put(&q, domain.contract, 20);
	wr_text(&q, DOMAIN);
	assert_int_equal(local(k, KEYD_OP_NETCFG, &q), DSTACK_OK);
	struct stmt_register s = bed_register_fields(n, 1);
	wr_free(&q);
	stmt_register_put(&q, &s);
	assert_int_equal(local(k, KEYD_OP_SIGN_REGISTER, &q), DSTACK_OK);
}

static void
holds(const struct keyd *k, bool secret, bool hpke)
{
	assert_int_equal(ct_is_zero(k->seed.b, 32), !secret);
	assert_int_equal(ct_is_zero(k->net_sign.b, 32), !secret);
	assert_int_equal(ct_is_zero(k->tree.prk.b, 32), !secret);
	assert_int_equal(ct_is_zero(k->hpke_key.b, 32), !hpke);
}

static void
secrets_are_zero_bytes_once_they_are_wiped_or_used_up(void **state)
{
	(void)state;
	struct keyd k;
	struct node n;
	struct net net;
	AUTO_WR struct wr q = wr_new(0);
	AUTO_WR struct wr none = wr_new(0);
	AUTO_WR struct wr record = wr_new(0);
	net_of(&net, 0x51, EPOCH);
	local_begin(&k, &n);
	struct offer o = honest(&net, &n, k.request_id);
	o.pt[40] ^= 1;
	offer_put(&q, &o);
	assert_int_equal(local(&k, KEYD_OP_OPEN, &q), DSTACK_E_REJECTED);
	holds(&k, false, true);
	o.pt[40] ^= 1;
	offer_put(&q, &o);
	assert_int_equal(local(&k, KEYD_OP_OPEN, &q), DSTACK_OK);
	holds(&k, true, false);
	uint8_t enc[32];
	memcpy(enc, k.enc_pub, 32);
	assert_int_equal(local(&k, KEYD_OP_WIPE, &none), DSTACK_OK);
	/* a new HPKE key: what was sealed for the old one opens no more */
	holds(&k, false, true);
	assert_memory_not_equal(enc, k.enc_pub, 32);
	assert_int_equal(local(&k, KEYD_OP_OPEN, &q), DSTACK_E_REJECTED);

	local_begin(&k, &n);
	wr_free(&q);
	wr_u64be(&q, EPOCH);
	assert_int_equal(local(&k, KEYD_OP_GENERATE, &q), DSTACK_OK);
	holds(&k, true, true);
	wr_put(&record, net.rec.xpub, 20);
	wr_put(&record, net.rec.commit, 32);
	handon_view_put(&record, &no_view);
	assert_int_equal(
	    local(&k, KEYD_OP_ACTIVATE, &record), DSTACK_E_REJECTED);
	holds(&k, false, true);
	assert_int_equal(local(&k, KEYD_OP_GENERATE, &q), DSTACK_OK);
	wr_free(&record);
	wr_put(&record, k.xpub, 20);
	wr_put(&record, k.seed_commit, 32);
	handon_view_put(&record, &no_view);
	assert_int_equal(local(&k, KEYD_OP_ACTIVATE, &record), DSTACK_OK);
	holds(&k, true, false);
	struct stmt_register s = bed_register_fields(&n, 2);
	wr_free(&q);
	stmt_register_put(&q, &s);
	assert_int_equal(
	    local(&k, KEYD_OP_SIGN_REGISTER, &q), DSTACK_E_REJECTED);
}

static void
a_netcfg_without_chain_contract_or_domain_is_refused(void **state)
{
	(void)state;
	struct keyd k;
	struct why why = { "" };
	static const uint8_t none[20] = { 0 };
	assert_int_equal(keyd_begin(&k, &why), DSTACK_OK);
	for (int i = 0; i < 4; i++) {
		AUTO_WR struct wr q = wr_new(0);
		wr_u64be(&q, i == 0 ? 0 : domain.chain_id);
		wr_put(&q, i == 1 ? none : domain.contract, 20);
		wr_text(&q, i == 2 ? "" : DOMAIN);
		assert_int_equal(local(&k, KEYD_OP_NETCFG, &q),
		    i < 3 ? DSTACK_E_REJECTED : DSTACK_OK);
	}
}

static void
one_keyd_onboards_another_and_both_derive_the_same_keys(void **state)
{
	(void)state;
	struct bed first;
	struct bed second;
	struct record rec;
	struct node n1, n2;
	uint8_t id[32];
	uint8_t digest[32];
	AUTO_WR struct wr q = wr_new(0);
	AUTO_WR struct wr a = wr_new(0);
	AUTO_WR struct wr a2 = wr_new(0);
	bed_active(&first, &rec);
	bed_node(&first, &n1);
	bed_start(&second);
	bed_netcfg(&second);
	bed_node(&second, &n2);
	assert_memory_not_equal(n1.addr, n2.addr, 20);
	assert_memory_not_equal(n1.enc_pub, n2.enc_pub, 32);
	bed_register(&second, &n2, 1, id);

	wr_put(&q, id, 32);
	wr_u64be(&q, EPOCH);
	wr_put(&q, n2.enc_pub, 32);
	wr_u8(&q, SUITE_X25519);
	wr_zero(&q, 31);
	wr_u8(&q, 0xee); /* platformHash */
	wr_u8(&q, 4);
	wr_zero(&q, 19);
	wr_u8(&q, 0xcc); /* payee */
	handon_view_put(&q, &view);
	granted(&first, ROLE_VERIFIER, KEYD_OP_ONBOARD, &q, 157 + 65 + 4 + 161,
	    &a);
	struct stmt_onboard s;
	struct rd r = rd_over(a.buf, a.len);
	assert_int_equal(stmt_onboard_get(&r, &s), DSTACK_OK);
	assert_memory_equal(s.request_id, id, 32);
	assert_int_equal(s.platform_hash[31], 0xee);
	assert_int_equal(s.payee[19], 0xcc);
	assert_int_equal(s.tcb_status, 4);
	stmt_onboard_digest(&s, &domain, digest);
	signed_by(a.buf + 157, digest, rec.xpub);

	wr_free(&q);
	wr_put(&q, id, 32);
	wr_u64be(&q, EPOCH);
	wr_put(&q, rec.xpub, 20);
	wr_put(&q, rec.commit, 32);
	wr_put(&q, a.buf, a.len);
	granted(&second, ROLE_REPLICATOOR, KEYD_OP_OPEN, &q, HANDON_VIEW_LEN,
	    &a2);
	struct handon_view got;
	struct rd handed = rd_over(a2.buf, a2.len);
	assert_int_equal(handon_view_get(&handed, &got), DSTACK_OK);
	assert_true(handon_view_equal(&got, &view));
	bed_activate_at(&second, &rec, &got);

	wr_free(&q);
	assert_int_equal(ask(&first, ROLE_TLS, KEYD_OP_TLS_KEY, &q, &a),
	    DSTACK_OK);
	assert_int_equal(ask(&second, ROLE_TLS, KEYD_OP_TLS_KEY, &q, &a2),
	    DSTACK_OK);
	assert_memory_equal(a.buf, a2.buf, 32);
	wr_put(&q, id, 32);
	wr_text(&q, "db");
	assert_int_equal(ask(&first, ROLE_GUEST_SERVICE, KEYD_OP_GETKEY, &q,
	    &a), DSTACK_OK);
	assert_int_equal(ask(&second, ROLE_GUEST_SERVICE, KEYD_OP_GETKEY, &q,
	    &a2), DSTACK_OK);
	assert_memory_equal(a.buf, a2.buf, 32);
	bed_stop(&first);
	bed_stop(&second);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    an_honest_offer_is_taken_once_and_serves_after_activation),
		cmocka_unit_test(a_received_secret_signs_no_bootstrap),
		cmocka_unit_test(
		    a_received_secret_serves_only_with_the_view_that_was_handed_on),
		cmocka_unit_test(
		    a_received_secret_that_is_wiped_leaves_a_new_hpke_key),
		cmocka_unit_test(
		    a_secret_that_is_not_the_recorded_one_is_wiped),
		cmocka_unit_test(
		    a_ciphertext_that_was_swapped_or_made_for_another_is_refused),
		cmocka_unit_test(
		    an_onboard_of_another_signer_chain_epoch_or_request_is_refused),
		cmocka_unit_test(an_offer_nobody_asked_for_is_refused),
		cmocka_unit_test(
		    a_register_is_signed_for_this_node_and_its_own_hpke_key_alone),
		cmocka_unit_test(
		    secrets_are_zero_bytes_once_they_are_wiped_or_used_up),
		cmocka_unit_test(
		    a_netcfg_without_chain_contract_or_domain_is_refused),
		cmocka_unit_test(
		    one_keyd_onboards_another_and_both_derive_the_same_keys),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
