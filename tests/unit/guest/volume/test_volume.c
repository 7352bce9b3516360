/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "protocol/volume.h"

static const struct secret32 key = { { 7 } };

static struct volume_record
sample(void)
{
	struct volume_record r;
	memset(&r, 0, sizeof(r));
	memset(r.uuid, 0xaa, sizeof(r.uuid));
	memset(r.volume_id, 0xbb, sizeof(r.volume_id));
	r.generation = 3;
	r.device_bytes = 64u << 20;
	r.data_sectors = 100000;
	memset(r.integrity_sb, 0xcc, sizeof(r.integrity_sb));
	return r;
}

static void
a_record_comes_back_as_it_was(void **state)
{
	(void)state;
	struct volume_record r = sample(), got;
	uint8_t b[VOLUME_BLOCK], uuid[16];
	volume_encode(&r, &key, b);
	assert_true(volume_uuid(b, uuid));
	assert_memory_equal(uuid, r.uuid, 16);
	assert_int_equal(volume_decode(b, &key, &got), DSTACK_OK);
	assert_memory_equal(&got, &r, sizeof(r));
}

static void
every_changed_byte_and_another_key_are_rejected(void **state)
{
	(void)state;
	struct volume_record r = sample(), got;
	struct secret32 other = { { 8 } };
	uint8_t b[VOLUME_BLOCK];
	volume_encode(&r, &key, b);
	for (size_t i = 0; i < sizeof(b); i++) {
		b[i] ^= 1;
		assert_int_equal(
		    volume_decode(b, &key, &got), DSTACK_E_REJECTED);
		b[i] ^= 1;
	}
	assert_int_equal(volume_decode(b, &other, &got), DSTACK_E_REJECTED);
}

static void
impossible_sizes_are_refused_even_under_a_good_mac(void **state)
{
	(void)state;
	struct volume_record got, bad[4] = { sample(), sample(), sample(),
		sample() };
	uint8_t b[VOLUME_BLOCK];
	bad[0].generation = 0;
	bad[1].device_bytes = VOLUME_MIN_BYTES - VOLUME_BLOCK;
	bad[2].device_bytes += 1;
	bad[3].data_sectors = bad[3].device_bytes / 512;
	for (size_t i = 0; i < 4; i++) {
		volume_encode(&bad[i], &key, b);
		assert_int_equal(volume_decode(b, &key, &got), DSTACK_E_FORMAT);
	}
}

static struct volume_record
grown(uint64_t bytes, uint64_t sectors)
{
	struct volume_record r = sample();
	r.grown_bytes = bytes;
	r.grown_sectors = sectors;
	return r;
}

static void
a_volume_grows_to_its_disk_and_never_shrinks(void **state)
{
	(void)state;
	struct volume_record r = sample(), got;
	uint8_t b[VOLUME_BLOCK];
	const uint64_t mb = 1u << 20;
	assert_int_equal(volume_bytes(&r), 64 * mb);
	assert_int_equal(volume_sectors(&r), 100000);
	assert_int_equal(volume_grows(&r, 0), 0);
	assert_int_equal(volume_grows(&r, 63 * mb), 0);
	assert_int_equal(volume_grows(&r, 64 * mb), 0);
	assert_int_equal(volume_grows(&r, 65 * mb - 1), 0);
	assert_int_equal(volume_grows(&r, 65 * mb), 65 * mb);
	assert_int_equal(volume_grows(&r, 65 * mb + 4095), 65 * mb);
	/* what a host says that its disk has is no bound */
	assert_int_equal(volume_grows(&r, UINT64_MAX), VOLUME_MAX_BYTES);
	r = grown(128 * mb, 200000);
	assert_int_equal(volume_bytes(&r), 128 * mb);
	assert_int_equal(volume_sectors(&r), 200000);
	assert_int_equal(volume_grows(&r, 128 * mb), 0);
	assert_int_equal(volume_grows(&r, 64 * mb), 0);
	assert_int_equal(volume_grows(&r, 256 * mb), 256 * mb);
	volume_encode(&r, &key, b);
	assert_int_equal(volume_decode(b, &key, &got), DSTACK_OK);
	assert_memory_equal(&got, &r, sizeof(r));
	const struct volume_record bad[] = { grown(0, 200000),
		grown(128 * mb, 0), grown(128 * mb, 99999),
		grown(64 * mb, 200000), grown(32 * mb, 100000),
		grown(128 * mb + 512, 200000),
		grown(128 * mb, 128 * mb / 512) };
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		volume_encode(&bad[i], &key, b);
		assert_int_equal(volume_decode(b, &key, &got), DSTACK_E_FORMAT);
	}
}

static void
the_root_names_the_disk_and_not_its_generation(void **state)
{
	(void)state;
	struct volume_record a = sample(), b = sample();
	uint8_t ra[32], rb[32];
	b.generation = 9;
	volume_root(&a, ra);
	volume_root(&b, rb);
	assert_memory_equal(ra, rb, 32);
	/* nor how far it has grown: the anchor holds on */
	b = grown((uint64_t)1 << 30, 2000000);
	volume_root(&b, rb);
	assert_memory_equal(ra, rb, 32);
	b.uuid[0] ^= 1;
	volume_root(&b, rb);
	assert_memory_not_equal(ra, rb, 32);
}

static enum volume_verdict
judge(const struct volume_record *r, bool blank, uint64_t anchored,
    const uint8_t *root, uint64_t bytes)
{
	struct why why = { "" };
	uint8_t id[32], have[32];
	memset(id, 0xbb, sizeof(id));
	if (root == NULL) {
		struct volume_record s = sample();
		volume_root(&s, have);
		root = have;
	}
	enum volume_verdict v =
	    volume_judge(r, blank, id, anchored, root, bytes, &why);
	assert_true((v == VOLUME_REFUSE) == (why.text[0] != '\0'));
	return v;
}

static struct volume_hint
peek(const struct volume_record *r)
{
	struct volume_hint h;
	uint8_t b[VOLUME_BLOCK] = { 0 };
	if (r != NULL)
		volume_encode(r, &key, b);
	volume_peek(b, &h);
	return h;
}

static enum dstack_status
foresee(const struct volume_record *one, const struct volume_record *two,
    const uint8_t *id, uint64_t anchored, uint64_t epoch, const char *says)
{
	struct why why = { "" };
	const struct volume_hint h[2] = { peek(one), peek(two) };
	enum dstack_status st =
	    volume_foresee(h, id, anchored, epoch, 64u << 20, &why);
	assert_int_equal(st == DSTACK_OK, why.text[0] == '\0');
	if (says != NULL)
		assert_non_null(strstr(why.text, says));
	return st;
}

/*
 * Before there is a key: what would be refused for sure, and nothing else.
 * The rotation by the book: a disk of epoch 0, and epoch 1 about to be made.
 */
static void
a_disk_is_refused_before_the_secret_is_there(void **state)
{
	(void)state;
	struct volume_record r = sample();
	uint8_t id[32], other[32];
	struct volume_hint h[2];
	struct why why;
	memcpy(id, r.volume_id, 32);
	memset(other, 0x44, 32);
	r.epoch_plus_1 = 1;
	assert_int_equal(foresee(&r, NULL, id, 3, 0, NULL), DSTACK_OK);
	assert_int_equal(foresee(NULL, &r, id, 3, 0, NULL), DSTACK_OK);
	assert_int_equal(foresee(&r, NULL, id, 3, 1, "of epoch 0 and does not "
	    "open in epoch 1"), DSTACK_E_REJECTED);
	assert_int_equal(foresee(&r, NULL, NULL, 0, 1, "NODE_INDEX"),
	    DSTACK_E_REJECTED);
	assert_int_equal(foresee(&r, NULL, other, 0, 0, "NODE_KEY"),
	    DSTACK_E_REJECTED);
	assert_int_equal(foresee(&r, NULL, NULL, 0, 0, NULL), DSTACK_OK);
	r.epoch_plus_1 = 0; /* as they were written before: not said */
	assert_int_equal(foresee(&r, NULL, id, 3, 7, NULL), DSTACK_OK);
	assert_int_equal(foresee(NULL, NULL, id, 0, 1, NULL), DSTACK_OK);
	assert_int_equal(foresee(NULL, NULL, id, 2, 1, "put the right"),
	    DSTACK_E_REJECTED);
	h[0] = h[1] = (struct volume_hint){ .blank = false };
	assert_int_equal(volume_foresee(h, id, 0, 0, 64u << 20, &why),
	    DSTACK_E_REJECTED);
	assert_int_equal(volume_foresee(h, id, 0, 0, 4096, &why),
	    DSTACK_E_REJECTED);
	assert_non_null(strstr(why.text, "4096 bytes"));
}

static void
the_epoch_of_a_record_is_kept_and_named_by_its_root(void **state)
{
	(void)state;
	struct volume_record r = sample(), got;
	uint8_t b[VOLUME_BLOCK], ra[32], rb[32];
	r.epoch_plus_1 = 0x0102030405060708;
	volume_encode(&r, &key, b);
	assert_int_equal(volume_decode(b, &key, &got), DSTACK_OK);
	assert_true(got.epoch_plus_1 == r.epoch_plus_1);
	volume_root(&r, ra);
	r.epoch_plus_1 = 0;
	volume_root(&r, rb);
	assert_memory_not_equal(ra, rb, 32);
}

static void
format_only_where_the_chain_says_generation_zero(void **state)
{
	(void)state;
	const uint64_t size = 64u << 20;
	assert_int_equal(judge(NULL, true, 0, NULL, size), VOLUME_FORMAT);
	assert_int_equal(judge(NULL, true, 1, NULL, size), VOLUME_REFUSE);
	/* a planted file system is not overwritten and not opened */
	assert_int_equal(judge(NULL, false, 0, NULL, size), VOLUME_REFUSE);
	assert_int_equal(judge(NULL, false, 1, NULL, size), VOLUME_REFUSE);
	assert_int_equal(judge(NULL, true, 0, NULL, 4096), VOLUME_REFUSE);
}

static void
only_the_anchored_volume_at_its_generation_opens(void **state)
{
	(void)state;
	const uint64_t size = 64u << 20;
	struct volume_record r = sample();
	uint8_t other[32] = { 1 };
	assert_int_equal(judge(&r, false, 3, NULL, size), VOLUME_OPEN);
	assert_int_equal(judge(&r, false, 1, NULL, size), VOLUME_OPEN);
	assert_int_equal(judge(&r, false, 4, NULL, size), VOLUME_REFUSE);
	assert_int_equal(judge(&r, false, 3, other, size), VOLUME_REFUSE);
	assert_int_equal(judge(&r, false, 3, NULL, size / 2), VOLUME_REFUSE);
	assert_int_equal(judge(&r, false, 3, NULL, size * 2), VOLUME_OPEN);
	assert_int_equal(judge(&r, false, 0, NULL, size), VOLUME_REFUSE);
	r.generation = 1;
	assert_int_equal(judge(&r, false, 0, NULL, size), VOLUME_ANCHOR);
	r.volume_id[0] ^= 1;
	assert_int_equal(judge(&r, false, 0, NULL, size), VOLUME_REFUSE);
	assert_int_equal(judge(&r, false, 1, NULL, size), VOLUME_REFUSE);
}

static void
each_node_and_app_has_its_own_id(void **state)
{
	(void)state;
	uint8_t app[32] = { 1 }, sub[20] = { 2 }, a[32], b[32];
	volume_id(app, sub, 0, a);
	volume_id(app, sub, 1, b);
	assert_memory_not_equal(a, b, 32);
	app[31] = 9;
	volume_id(app, sub, 0, b);
	assert_memory_not_equal(a, b, 32);
	app[31] = 0;
	sub[19] = 9;
	volume_id(app, sub, 0, b);
	assert_memory_not_equal(a, b, 32);
}

/* Two VMs of one account and index, each with a blank disk of its own. */
static void
an_anchor_of_another_volume_is_not_taken_for_ours(void **state)
{
	(void)state;
	struct why why = { "" };
	struct volume_record ours = sample();
	struct volume_record theirs = sample();
	uint8_t root[32];
	ours.generation = theirs.generation = 1;
	theirs.uuid[0] ^= 1;
	volume_root(&ours, root);
	assert_int_equal(volume_anchored(&ours, 0, root, &why), DSTACK_E_BUSY);
	assert_int_equal(volume_anchored(&ours, 1, root, &why), DSTACK_OK);
	assert_int_equal(
	    volume_anchored(&theirs, 1, root, &why), DSTACK_E_REJECTED);
}

static void
a_restored_volume_is_above_all_copies_of_before(void **state)
{
	(void)state;
	const uint64_t line = (uint64_t)1 << 32;
	uint8_t b[VOLUME_BLOCK] = { 0 };
	assert_false(volume_marked(b));
	volume_mark(b);
	assert_true(volume_marked(b));
	for (size_t i = 0; i < sizeof(b); i++) {
		b[i] ^= 1;
		assert_false(volume_marked(b));
		b[i] ^= 1;
	}
	assert_int_equal(volume_next(3, 1, false), 4);
	assert_int_equal(volume_next(4, 1, true), line + 1);
	assert_int_equal(volume_next(3, 1, true), line);
	/* also where the backup is older than what is anchored */
	assert_int_equal(volume_next(6, line + 7, true), 2 * line + 1);
	assert_int_equal(volume_next(line, line, true), 2 * line + 1);
	assert_int_equal(volume_next(line + 1, line, false), line + 2);
	/* never over the newest copy, whatever came before */
	static const uint64_t g[] = { 1, 2, 77, 78, UINT32_MAX };
	for (size_t i = 0; i < sizeof(g) / sizeof(g[0]); i++) {
		assert_int_not_equal(volume_next(g[i], 1, true) % 2, g[i] % 2);
		assert_true(volume_next(g[i], 1, true) > g[i]);
	}
	/* the end of all lines: still up, one by one */
	assert_int_equal(volume_next(UINT64_MAX - 5, 1, true), UINT64_MAX - 4);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_disk_is_refused_before_the_secret_is_there),
		cmocka_unit_test(
		    the_epoch_of_a_record_is_kept_and_named_by_its_root),
		cmocka_unit_test(a_record_comes_back_as_it_was),
		cmocka_unit_test(every_changed_byte_and_another_key_are_rejected),
		cmocka_unit_test(
		    impossible_sizes_are_refused_even_under_a_good_mac),
		cmocka_unit_test(a_volume_grows_to_its_disk_and_never_shrinks),
		cmocka_unit_test(the_root_names_the_disk_and_not_its_generation),
		cmocka_unit_test(format_only_where_the_chain_says_generation_zero),
		cmocka_unit_test(only_the_anchored_volume_at_its_generation_opens),
		cmocka_unit_test(a_restored_volume_is_above_all_copies_of_before),
		cmocka_unit_test(each_node_and_app_has_its_own_id),
		cmocka_unit_test(
		    an_anchor_of_another_volume_is_not_taken_for_ours),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
