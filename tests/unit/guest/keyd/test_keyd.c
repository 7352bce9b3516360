/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The role keyd in a process of its own: who may ask what, what it signs, and
 * a whole bootstrap. test_keyd_join.c has the joiner's side.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "crypto/hash.h"
#include "guest/tls/cert.h"
#include "tests/unit/guest/keyd/keyd_bed.h"
#include "protocol/volume.h"

#ifdef __SANITIZE_ADDRESS__
#define SANITIZED true /* it makes mlock do nothing */
#else
#define SANITIZED false
#endif

static const uint8_t app_a[32] = { 0xaa };
static const uint8_t app_b[32] = { 0xbb };

static bool
may_ask(enum role r, unsigned op)
{
	switch (r) {
	case ROLE_REPLICATOOR:
		return (op >= 1 && op <= 9) || op == 21;
	case ROLE_VERIFIER:
		return op == 10 || op == 14;
	case ROLE_GUEST_SERVICE:
		return (op >= 11 && op <= 14) ||
		    op == KEYD_OP_SECRET_KEY || op == KEYD_OP_SECRET_OPEN ||
		    (op >= KEYD_OP_SDK_KEY && op <= KEYD_OP_FRONT);
	case ROLE_TLS:
		return op == 15 || op == 19 || op == 20;
	case ROLE_VOLUME:
		return op == 17 || op == 18;
	default:
		return false;
	}
}

/* The requests behind ACTIVATE, whole; empty for any other op. */
static void
request(struct wr *q, unsigned op, const struct node *n)
{
	struct stmt_heartbeat beat = { .epoch = EPOCH, .anchor_number = 3 };
	struct stmt_volume_anchor anchor = { .epoch = EPOCH,
		.generation = 2 };
	static const uint8_t submitter[20] = { 9 }; /* keyd_bed.h's */
	wr_free(q);
	switch (op) {
	case KEYD_OP_ONBOARD:
		wr_put(q, app_b, 32); /* some requestId */
		wr_u64be(q, EPOCH);
		wr_put(q, n->enc_pub, 32);
		wr_u8(q, SUITE_X25519);
		wr_zero(q, 32);
		wr_u8(q, 1);
		wr_zero(q, 20);
		wr_zero(q, HANDON_VIEW_LEN);
		break;
	case KEYD_OP_GETKEY:
		wr_put(q, app_a, 32);
		wr_text(q, "db");
		break;
	case KEYD_OP_ATTEST:
		wr_put(q, app_a, 32);
		wr_text(q, "db");
		wr_blob(q, "data", 4);
		break;
	case KEYD_OP_HEARTBEAT:
		memcpy(beat.node, n->addr, 20);
		stmt_heartbeat_put(q, &beat);
		break;
	case KEYD_OP_VOLUME_KEYS:
		wr_put(q, app_a, 32);
		wr_zero(q, 16);
		break;
	case KEYD_OP_SIGN_ANCHOR:
		volume_id(app_a, submitter, 1, anchor.volume_id);
		stmt_volume_anchor_put(q, &anchor);
		wr_put(q, app_a, 32);
		wr_u64be(q, 1);
		wr_put(q, submitter, 20); /* the owner: it needs no word */
		wr_zero(q, 65);
		break;
	case KEYD_OP_TLS_BIND:
		wr_put(q, app_a, 32); /* some nonce */
		wr_put(q, app_b, 32);
		break;
	default: /* PUBLIC, TLS_KEY, TLS_ATTEST: empty */
		break;
	}
}

static void
every_op_is_refused_from_every_role_that_may_not_ask_it(void **state)
{
	(void)state;
	struct bed b;
	struct node n;
	struct record rec;
	AUTO_WR struct wr q = wr_new(0);
	bed_start(&b);
	bed_netcfg(&b);
	bed_node(&b, &n);
	for (int active = 0; active < 2; active++) {
		for (unsigned op = 0; op < 256; op++) {
			request(&q, op, &n); /* whole, so only the role is amiss */
			for (size_t i = 0; i < ASKERS; i++)
				if (!may_ask(askers[i], op))
					refused(&b, askers[i], op, &q);
		}
		if (!active) {
			bed_generate(&b, &rec);
			bed_activate(&b, &rec);
		}
	}
	bed_stop(&b);
}

static void
all_later(struct bed *b, const struct node *n)
{
	AUTO_WR struct wr q = wr_new(0);
	for (unsigned op = 10; op < 64; op++) {
		for (size_t i = 0; i < ASKERS; i++) {
			request(&q, op, n);
			if (op != KEYD_OP_PENDING && may_ask(askers[i], op))
				assert_int_equal(ask(b, askers[i], op, &q,
				    NULL), DSTACK_E_BUSY);
		}
	}
}

static void
nobody_is_served_before_the_chain_has_the_record(void **state)
{
	(void)state;
	struct bed b;
	struct node n;
	struct record rec;
	struct record other;
	AUTO_WR struct wr q = wr_new(0);
	bed_start(&b);
	bed_netcfg(&b);
	bed_node(&b, &n);
	all_later(&b, &n);
	wr_zero(&q, 52 + HANDON_VIEW_LEN);
	refused(&b, ROLE_REPLICATOOR, KEYD_OP_ACTIVATE, &q); /* nothing there */
	bed_generate(&b, &rec);
	all_later(&b, &n);

	/* another record wipes; then even the right one is of no use */
	for (int i = 0; i < 2; i++) {
		other = rec;
		if (i == 0)
			other.xpub[19] ^= 1;
		else
			other.commit[31] ^= 1;
		wr_free(&q);
		wr_put(&q, other.xpub, 20);
		wr_put(&q, other.commit, 32);
		wr_zero(&q, HANDON_VIEW_LEN);
		refused(&b, ROLE_REPLICATOOR, KEYD_OP_ACTIVATE, &q);
		wr_free(&q);
		wr_put(&q, rec.xpub, 20);
		wr_put(&q, rec.commit, 32);
		wr_zero(&q, HANDON_VIEW_LEN);
		refused(&b, ROLE_REPLICATOOR, KEYD_OP_ACTIVATE, &q);
		all_later(&b, &n);
		other = rec;
		bed_generate(&b, &rec); /* a fresh one */
		assert_memory_not_equal(rec.xpub, other.xpub, 20);
	}
	bed_activate(&b, &rec);
	request(&q, KEYD_OP_GETKEY, &n);
	assert_int_equal(ask(&b, ROLE_GUEST_SERVICE, KEYD_OP_GETKEY, &q, NULL),
	    DSTACK_OK);
	wr_free(&q);
	AUTO_WR struct wr a = wr_new(0);
	granted(&b, ROLE_REPLICATOOR, KEYD_OP_WIPE, &q, 0, &a);
	all_later(&b, &n);
	bed_stop(&b);
}

static void
a_bootstrap_signs_only_what_was_generated_here(void **state)
{
	(void)state;
	struct bed b;
	struct record rec;
	uint8_t digest[32];
	AUTO_WR struct wr q = wr_new(0);
	AUTO_WR struct wr a = wr_new(0);
	struct stmt_bootstrap s = { .epoch = EPOCH, .policy_hash = { 1 },
		.anchor_number = 8, .submitter = { 7 } };
	bed_start(&b);
	wr_u64be(&q, EPOCH);
	refused(&b, ROLE_REPLICATOOR, KEYD_OP_GENERATE, &q); /* no netcfg */
	bed_netcfg(&b);
	wr_free(&q);
	stmt_bootstrap_put(&q, &s);
	refused(&b, ROLE_REPLICATOOR, KEYD_OP_SIGN_BOOTSTRAP, &q);
	bed_generate(&b, &rec);
	memcpy(s.xpub, rec.xpub, 20);
	memcpy(s.seed_commit, rec.commit, 32);

	struct stmt_bootstrap bad[3] = { s, s, s };
	bad[0].epoch++;
	bad[1].xpub[0] ^= 1;
	bad[2].seed_commit[0] ^= 1;
	for (size_t i = 0; i < 3; i++) {
		wr_free(&q);
		stmt_bootstrap_put(&q, &bad[i]);
		refused(&b, ROLE_REPLICATOOR, KEYD_OP_SIGN_BOOTSTRAP, &q);
	}
	wr_free(&q);
	stmt_bootstrap_put(&q, &s);
	granted(&b, ROLE_REPLICATOOR, KEYD_OP_SIGN_BOOTSTRAP, &q, 65, &a);
	stmt_bootstrap_digest(&s, &domain, digest);
	signed_by(a.buf, digest, rec.xpub);

	/* once for an epoch: again is the same, and another has none */
	AUTO_WR struct wr epoch = wr_new(0);
	wr_u64be(&epoch, EPOCH);
	granted(&b, ROLE_REPLICATOOR, KEYD_OP_GENERATE, &epoch, 52, &a);
	assert_memory_equal(a.buf, rec.xpub, 20);
	assert_memory_equal(a.buf + 20, rec.commit, 32);
	wr_free(&epoch);
	wr_u64be(&epoch, EPOCH + 1);
	refused(&b, ROLE_REPLICATOOR, KEYD_OP_GENERATE, &epoch);
	bed_activate(&b, &rec);
	wr_free(&epoch);
	wr_u64be(&epoch, EPOCH);
	refused(&b, ROLE_REPLICATOOR, KEYD_OP_GENERATE, &epoch);
	refused(&b, ROLE_REPLICATOOR, KEYD_OP_SIGN_BOOTSTRAP, &q);
	bed_stop(&b);
}

static void
an_active_keyd_answers_each_role_and_signs_by_the_networks_key(void **state)
{
	(void)state;
	struct bed b;
	struct record rec;
	struct node n;
	uint8_t digest[32];
	AUTO_WR struct wr q = wr_new(0);
	AUTO_WR struct wr a = wr_new(0);
	bed_active(&b, &rec);
	bed_node(&b, &n);

	request(&q, KEYD_OP_PUBLIC, &n);
	granted(&b, ROLE_GUEST_SERVICE, KEYD_OP_PUBLIC, &q, 80, &a);
	assert_int_equal(a.buf[7], EPOCH);
	assert_memory_equal(a.buf + 8, rec.xpub, 20);
	assert_memory_equal(a.buf + 28, rec.commit, 32);
	assert_memory_equal(a.buf + 60, n.addr, 20);

	request(&q, KEYD_OP_GETKEY, &n);
	granted(&b, ROLE_GUEST_SERVICE, KEYD_OP_GETKEY, &q, 32, &a);

	uint8_t app_data[32];
	request(&q, KEYD_OP_ATTEST, &n);
	granted(&b, ROLE_GUEST_SERVICE, KEYD_OP_ATTEST, &q, 97, &a);
	stmt_app_data(&domain, app_a, EPOCH, "db", "data", 4, app_data);
	assert_memory_equal(a.buf, app_data, 32);
	stmt_attest_digest(app_data, digest);
	signed_by(a.buf + 32, digest, rec.xpub);

	struct stmt_heartbeat beat;
	request(&q, KEYD_OP_HEARTBEAT, &n);
	granted(&b, ROLE_GUEST_SERVICE, KEYD_OP_HEARTBEAT, &q, 65, &a);
	struct rd r = rd_over(q.buf, q.len);
	assert_int_equal(stmt_heartbeat_get(&r, &beat), DSTACK_OK);
	stmt_heartbeat_digest(&beat, &domain, digest);
	signed_by(a.buf, digest, rec.xpub);

	struct stmt_volume_anchor anchor;
	request(&q, KEYD_OP_SIGN_ANCHOR, &n);
	granted(&b, ROLE_VOLUME, KEYD_OP_SIGN_ANCHOR, &q, 65, &a);
	r = rd_over(q.buf, q.len);
	assert_int_equal(stmt_volume_anchor_get(&r, &anchor), DSTACK_OK);
	stmt_volume_anchor_digest(&anchor, &domain, digest);
	signed_by(a.buf, digest, rec.xpub);

	request(&q, KEYD_OP_VOLUME_KEYS, &n);
	granted(&b, ROLE_VOLUME, KEYD_OP_VOLUME_KEYS, &q, 128, &a);

	struct secret32 scalar;
	EVP_PKEY *key = NULL;
	uint8_t point[65];
	wr_free(&q);
	granted(&b, ROLE_TLS, KEYD_OP_TLS_KEY, &q, 32, &a);
	memcpy(scalar.b, a.buf, 32);
	assert_int_equal(cert_key(&scalar, &key), DSTACK_OK);
	assert_int_equal(cert_point(key, point), DSTACK_OK);
	struct stmt_tls_bind bind = { .role = 1, .epoch = EPOCH };
	memcpy(bind.nonce, app_a, 32);
	memcpy(bind.exporter, app_b, 32);
	assert_int_equal(cert_spki_hash(key, bind.spki_hash), DSTACK_OK);
	EVP_PKEY_free(key);
	request(&q, KEYD_OP_TLS_BIND, &n);
	granted(&b, ROLE_TLS, KEYD_OP_TLS_BIND, &q, 8 + 65, &a);
	stmt_tls_bind_digest(&bind, &domain, digest);
	signed_by(a.buf + 8, digest, rec.xpub);
	wr_free(&q);
	granted(&b, ROLE_TLS, KEYD_OP_TLS_ATTEST, &q, 97, &a);
	static const uint8_t system_app[32] = { 0 };
	stmt_app_data(&domain, system_app, EPOCH, "unstoppable_tls", point,
	    sizeof(point), app_data);
	assert_memory_equal(a.buf, app_data, 32);
	stmt_attest_digest(app_data, digest);
	signed_by(a.buf + 32, digest, rec.xpub);
	granted(&b, ROLE_GUEST_SERVICE, KEYD_OP_FRONT, &q, 65 + 97, &a);
	assert_memory_equal(a.buf, point, 65);
	assert_memory_equal(a.buf + 65, app_data, 32);
	signed_by(a.buf + 97, digest, rec.xpub);
	bed_stop(&b);
}

static void
statements_of_another_node_or_epoch_are_not_signed(void **state)
{
	(void)state;
	struct bed b;
	struct record rec;
	struct node n;
	AUTO_WR struct wr q = wr_new(0);
	AUTO_WR struct wr a = wr_new(0);
	bed_active(&b, &rec);
	bed_node(&b, &n);
	struct stmt_heartbeat beat = { .epoch = EPOCH };
	stmt_heartbeat_put(&q, &beat);
	refused(&b, ROLE_GUEST_SERVICE, KEYD_OP_HEARTBEAT, &q);
	memcpy(beat.node, n.addr, 20);
	beat.epoch--;
	wr_free(&q);
	stmt_heartbeat_put(&q, &beat);
	refused(&b, ROLE_GUEST_SERVICE, KEYD_OP_HEARTBEAT, &q);
	request(&q, KEYD_OP_SIGN_ANCHOR, &n);
	q.buf[32 + 8 + 32 + 7]++; /* epoch */
	refused(&b, ROLE_VOLUME, KEYD_OP_SIGN_ANCHOR, &q);
	/* THREATS T23: a host that says it is another node's host */
	static const uint8_t other[20] = { 8 };
	request(&q, KEYD_OP_SIGN_ANCHOR, &n);
	volume_id(app_a, other, 1, q.buf);
	refused(&b, ROLE_VOLUME, KEYD_OP_SIGN_ANCHOR, &q);
	/* and one that names the other as owner, without his word */
	memcpy(q.buf + q.len - 85, other, 20);
	refused(&b, ROLE_VOLUME, KEYD_OP_SIGN_ANCHOR, &q);

	request(&q, KEYD_OP_ONBOARD, &n);
	granted(&b, ROLE_VERIFIER, KEYD_OP_ONBOARD, &q, 157 + 65 + 4 + 161, &a);
	static const size_t at[] = { 39, 72, 105 }; /* epoch, suite, status */
	static const uint8_t to[] = { EPOCH + 1, 2, 6 };
	for (size_t i = 0; i < 3; i++) {
		uint8_t was = q.buf[at[i]];
		q.buf[at[i]] = to[i];
		refused(&b, ROLE_VERIFIER, KEYD_OP_ONBOARD, &q);
		q.buf[at[i]] = was;
	}
	memset(q.buf + 40, 0, 32); /* a point of low order */
	refused(&b, ROLE_VERIFIER, KEYD_OP_ONBOARD, &q);
	bed_stop(&b);
}

static void
no_role_gets_keys_or_statements_of_the_system_or_of_a_bad_tag(void **state)
{
	(void)state;
	static const char *const bad[] = { "", ".", "..", "A/b", "a/b/c", "a b", "\xc3",
		"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" };
	struct bed b;
	struct record rec;
	AUTO_WR struct wr q = wr_new(0);
	bed_active(&b, &rec);
	for (size_t i = 0; i <= sizeof(bad) / sizeof(bad[0]); i++) {
		bool system = i == sizeof(bad) / sizeof(bad[0]);
		wr_free(&q);
		if (system)
			wr_zero(&q, 32);
		else
			wr_put(&q, app_a, 32);
		wr_text(&q, system ? "unstoppable_tls" : bad[i]);
		refused(&b, ROLE_GUEST_SERVICE, KEYD_OP_GETKEY, &q);
		wr_blob(&q, "x", 1);
		refused(&b, ROLE_GUEST_SERVICE, KEYD_OP_ATTEST, &q);
	}
	bed_stop(&b);
}

static void
once_a_volume_is_open_its_app_is_the_only_one(void **state)
{
	(void)state;
	struct bed b;
	struct record rec;
	AUTO_WR struct wr q = wr_new(0);
	AUTO_WR struct wr a = wr_new(0);
	bed_active(&b, &rec);
	wr_zero(&q, 32 + 16);
	refused(&b, ROLE_VOLUME, KEYD_OP_VOLUME_KEYS, &q);
	wr_free(&q);
	wr_put(&q, app_a, 32);
	wr_zero(&q, 16);
	granted(&b, ROLE_VOLUME, KEYD_OP_VOLUME_KEYS, &q, 128, &a);
	for (size_t i = 0; i < 2; i++) {
		wr_free(&q);
		wr_put(&q, i == 0 ? app_a : app_b, 32);
		wr_text(&q, "db");
		if (i == 0)
			granted(&b, ROLE_GUEST_SERVICE, KEYD_OP_GETKEY, &q, 32,
			    &a);
		else
			refused(&b, ROLE_GUEST_SERVICE, KEYD_OP_GETKEY, &q);
	}
	wr_blob(&q, "x", 1);
	refused(&b, ROLE_GUEST_SERVICE, KEYD_OP_ATTEST, &q);
	wr_free(&q);
	wr_put(&q, app_b, 32);
	wr_zero(&q, 16);
	refused(&b, ROLE_VOLUME, KEYD_OP_VOLUME_KEYS, &q);
	bed_stop(&b);
}

static void
two_apps_and_two_tags_get_keys_that_all_differ(void **state)
{
	(void)state;
	struct bed b;
	struct record rec;
	struct wr a[4];
	bed_active(&b, &rec);
	for (size_t i = 0; i < 4; i++) {
		AUTO_WR struct wr q = wr_new(0);
		wr_put(&q, i < 2 ? app_a : app_b, 32);
		wr_text(&q, i % 2 == 0 ? "db" : "unstoppable_tls");
		a[i] = wr_new(0);
		assert_int_equal(ask(&b, ROLE_GUEST_SERVICE, KEYD_OP_GETKEY,
		    &q, &a[i]), DSTACK_OK);
		for (size_t j = 0; j < i; j++)
			assert_memory_not_equal(a[i].buf, a[j].buf, 32);
	}
	for (size_t i = 0; i < 4; i++)
		wr_free(&a[i]);
	bed_stop(&b);
}

static void
the_same_statement_never_has_the_same_signature(void **state)
{
	(void)state;
	struct bed b;
	struct record rec;
	struct node n;
	AUTO_WR struct wr q = wr_new(0);
	AUTO_WR struct wr one = wr_new(0);
	AUTO_WR struct wr two = wr_new(0);
	bed_active(&b, &rec);
	bed_node(&b, &n);
	request(&q, KEYD_OP_SIGN_ANCHOR, &n);
	assert_int_equal(ask(&b, ROLE_VOLUME, KEYD_OP_SIGN_ANCHOR, &q, &one),
	    DSTACK_OK);
	assert_int_equal(ask(&b, ROLE_VOLUME, KEYD_OP_SIGN_ANCHOR, &q, &two),
	    DSTACK_OK);
	assert_memory_not_equal(one.buf, two.buf, 65);
	request(&q, KEYD_OP_ONBOARD, &n); /* nor the same ephemeral key */
	assert_int_equal(ask(&b, ROLE_VERIFIER, KEYD_OP_ONBOARD, &q, &one),
	    DSTACK_OK);
	assert_int_equal(ask(&b, ROLE_VERIFIER, KEYD_OP_ONBOARD, &q, &two),
	    DSTACK_OK);
	assert_memory_not_equal(one.buf + 226, two.buf + 226, 32);
	bed_stop(&b);
}

static void
secrets_sit_in_a_page_that_is_locked_and_not_dumped_or_forked(void **state)
{
	(void)state;
	struct bed b;
	char line[256];
	bool found = false;
	bed_start(&b);
	(void)snprintf(line, sizeof(line), "/proc/%d/smaps", (int)b.pid);
	FILE *f = fopen(line, "r");
	bool seen = f != NULL;
	while (f != NULL && fgets(line, sizeof(line), f) != NULL)
		if (strncmp(line, "VmFlags:", 8) == 0 &&
		    (SANITIZED || strstr(line, " lo") != NULL) &&
		    strstr(line, " dc") != NULL && strstr(line, " dd") != NULL)
			found = true;
	if (f != NULL)
		(void)fclose(f);
	bed_stop(&b);
	if (!seen)
		skip(); /* only root may look */
	assert_true(found);
}

/*
 * A node that pays from another account than its volume was made with: the
 * old key's word, for this account, this network and this index, and no
 * other.
 */
static void
a_volume_is_anchored_for_an_account_that_its_owner_named(void **state)
{
	(void)state;
	struct bed b;
	struct record rec;
	struct node n;
	AUTO_WR struct wr q = wr_new(0);
	AUTO_WR struct wr a = wr_new(0);
	static const uint8_t submitter[20] = { 9 }; /* keyd_bed.h's */
	struct secret32 key;
	uint8_t owner[20], digest[32], extra[32] = { 1 };
	uint8_t *sig;
	memset(key.b, 0x61, sizeof(key.b));
	assert_int_equal(secp_address(&key, owner), DSTACK_OK);
	bed_active(&b, &rec);
	bed_node(&b, &n);
	request(&q, KEYD_OP_SIGN_ANCHOR, &n);
	volume_id(app_a, owner, 1, q.buf);
	memcpy(q.buf + q.len - 85, owner, 20);
	sig = q.buf + q.len - 65;
	volume_owner_digest(domain.chain_id, domain.contract, submitter, owner,
	    1, digest);
	assert_int_equal(secp_sign(&key, digest, extra, sig), DSTACK_OK);
	granted(&b, ROLE_VOLUME, KEYD_OP_SIGN_ANCHOR, &q, 65, &a);
	/* for another account, index, chain, contract: four words too many */
	static const uint8_t another[20] = { 8 };
	for (int i = 0; i < 5; i++) {
		uint8_t contract[20];
		memcpy(contract, domain.contract, 20);
		contract[0] ^= i == 3;
		volume_owner_digest(domain.chain_id + (i == 2), contract,
		    i == 0 ? another : submitter, i == 4 ? another : owner,
		    i == 1 ? 2 : 1, digest);
		assert_int_equal(
		    secp_sign(&key, digest, extra, sig), DSTACK_OK);
		refused(&b, ROLE_VOLUME, KEYD_OP_SIGN_ANCHOR, &q);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    a_volume_is_anchored_for_an_account_that_its_owner_named),
		cmocka_unit_test(
		    every_op_is_refused_from_every_role_that_may_not_ask_it),
		cmocka_unit_test(
		    nobody_is_served_before_the_chain_has_the_record),
		cmocka_unit_test(
		    a_bootstrap_signs_only_what_was_generated_here),
		cmocka_unit_test(
		    an_active_keyd_answers_each_role_and_signs_by_the_networks_key),
		cmocka_unit_test(
		    statements_of_another_node_or_epoch_are_not_signed),
		cmocka_unit_test(
		    no_role_gets_keys_or_statements_of_the_system_or_of_a_bad_tag),
		cmocka_unit_test(once_a_volume_is_open_its_app_is_the_only_one),
		cmocka_unit_test(
		    two_apps_and_two_tags_get_keys_that_all_differ),
		cmocka_unit_test(
		    the_same_statement_never_has_the_same_signature),
		cmocka_unit_test(
		    secrets_sit_in_a_page_that_is_locked_and_not_dumped_or_forked),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
