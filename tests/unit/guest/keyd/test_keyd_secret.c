/* SPDX-License-Identifier: Apache-2.0 */
/* keyd and the values that an app's owner seals to the app. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "crypto/hash.h"
#include "crypto/hpke.h"
#include "protocol/appsecret.h"
#include "tests/unit/guest/keyd/keyd_bed.h"

static const uint8_t app_a[32] = { 0xaa };
static const uint8_t app_b[32] = { 0xbb };
static const struct secret32 ephemeral = { { 1, 2, 3 } };
static const struct secret32 hop = { { 4, 5, 6 } };

/* The app's key, with the network's word for it judged. */
static void
key_of(struct bed *b, const struct record *rec, const uint8_t *app,
    uint8_t pub[static 32])
{
	static const uint8_t nobody[32] = { 0 };
	AUTO_WR struct wr q = wr_new(0);
	AUTO_WR struct wr a = wr_new(0);
	uint8_t data[64], app_data[32], digest[32], signer[20];

	wr_put(&q, app, 32);
	granted(b, ROLE_GUEST_SERVICE, KEYD_OP_SECRET_KEY, &q, 32 + 32 + 65,
	    &a);
	memcpy(pub, a.buf, 32);
	memcpy(data, app, 32);
	memcpy(data + 32, pub, 32);
	stmt_app_data(
	    &domain, nobody, EPOCH, "app_secret", data, 64, app_data);
	assert_memory_equal(a.buf + 32, app_data, 32);
	stmt_attest_digest(app_data, digest);
	assert_int_equal(secp_recover(digest, a.buf + 64, signer), DSTACK_OK);
	assert_memory_equal(signer, rec->xpub, 20);
}

static void
seal(struct wr *q, const uint8_t *app, uint64_t epoch, const uint8_t *pub)
{
	struct appsecret s = { .epoch = epoch, .version = 3, .name = "DB" };
	AUTO_WR struct wr file = wr_new(0);
	uint8_t to[32];

	memcpy(s.app_id, app, 32);
	assert_int_equal(appsecret_put(&file, &s, pub, &ephemeral, "hunter2",
			     7), DSTACK_OK);
	assert_int_equal(x25519_public(&hop, to), DSTACK_OK);
	wr_free(q);
	wr_put(q, to, 32);
	wr_blob(q, file.buf, file.len);
}

static void
a_value_is_opened_and_sealed_on_for_the_asker(void **state)
{
	(void)state;
	struct bed b;
	struct record rec;
	struct rd r;
	struct appsecret s = { .epoch = EPOCH, .version = 3, .name = "DB" };
	const uint8_t *ct = NULL;
	uint8_t pub[32], value[7];
	size_t n = 0;
	AUTO_WR struct wr q = wr_new(0);
	AUTO_WR struct wr a = wr_new(0);
	AUTO_WR struct wr head = wr_new(0);

	bed_active(&b, &rec);
	key_of(&b, &rec, app_a, pub);
	seal(&q, app_a, EPOCH, pub);
	granted(&b, ROLE_GUEST_SERVICE, KEYD_OP_SECRET_OPEN, &q,
	    4 + 7 + HPKE_OVERHEAD, &a);
	assert_null(memmem(a.buf, a.len, "hunter2", 7));
	r = rd_over(a.buf, a.len);
	assert_int_equal(rd_blob(&r, 1000, &ct, &n), DSTACK_OK);
	memcpy(s.app_id, app_a, 32);
	appsecret_head_put(&head, &s);
	assert_int_equal(hpke_open(&hop, APPSECRET_HOP_INFO,
			     sizeof(APPSECRET_HOP_INFO) - 1, head.buf, head.len,
			     ct, n, value), DSTACK_OK);
	assert_memory_equal(value, "hunter2", 7);
	/* others may not even ask */
	refused(&b, ROLE_TLS, KEYD_OP_SECRET_OPEN, &q);
	refused(&b, ROLE_VOLUME, KEYD_OP_SECRET_OPEN, &q);
	refused(&b, ROLE_VERIFIER, KEYD_OP_SECRET_OPEN, &q);
	bed_stop(&b);
}

static void
another_apps_and_another_epochs_value_is_not_opened(void **state)
{
	(void)state;
	struct bed b;
	struct record rec;
	uint8_t pub_a[32], pub_b[32];
	AUTO_WR struct wr q = wr_new(0);
	AUTO_WR struct wr a = wr_new(0);

	bed_active(&b, &rec);
	key_of(&b, &rec, app_a, pub_a);
	key_of(&b, &rec, app_b, pub_b);
	assert_memory_not_equal(pub_a, pub_b, 32);
	/* sealed to one app, said to be the other's */
	seal(&q, app_a, EPOCH, pub_b);
	refused(&b, ROLE_GUEST_SERVICE, KEYD_OP_SECRET_OPEN, &q);
	seal(&q, app_a, EPOCH + 1, pub_a);
	refused(&b, ROLE_GUEST_SERVICE, KEYD_OP_SECRET_OPEN, &q);
	/* the system has no such key, and once a volume is open nor has b */
	wr_free(&q);
	wr_zero(&q, 32);
	refused(&b, ROLE_GUEST_SERVICE, KEYD_OP_SECRET_KEY, &q);
	wr_free(&q);
	wr_put(&q, app_a, 32);
	wr_zero(&q, 16);
	granted(&b, ROLE_VOLUME, KEYD_OP_VOLUME_KEYS, &q, 128, &a);
	seal(&q, app_b, EPOCH, pub_b);
	refused(&b, ROLE_GUEST_SERVICE, KEYD_OP_SECRET_OPEN, &q);
	wr_free(&q);
	wr_put(&q, app_b, 32);
	refused(&b, ROLE_GUEST_SERVICE, KEYD_OP_SECRET_KEY, &q);
	bed_stop(&b);
}

/* The statement of the key is the system's: no app can have it made. */
static void
no_app_gets_the_statement_of_a_key(void **state)
{
	(void)state;
	struct bed b;
	struct record rec;
	uint8_t nobody[32] = { 0 }, data[64] = { 0xaa };
	AUTO_WR struct wr q = wr_new(0);

	bed_active(&b, &rec);
	wr_put(&q, nobody, 32);
	wr_text(&q, APPSECRET_TAG);
	wr_blob(&q, data, sizeof(data));
	refused(&b, ROLE_GUEST_SERVICE, KEYD_OP_ATTEST, &q);
	bed_stop(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_value_is_opened_and_sealed_on_for_the_asker),
		cmocka_unit_test(
		    another_apps_and_another_epochs_value_is_not_opened),
		cmocka_unit_test(no_app_gets_the_statement_of_a_key),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
