/* SPDX-License-Identifier: Apache-2.0 */
/* Archives good and hostile, made here (THREATS T11, T25). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "oci/oci.h"
#include "tests/unit/lib/oci/plan.h"
#include "tests/unit/lib/oci/tarmake.h"

/* One layer of n entries in an archive; expects status and, in why, word. */
static void
expect_layer(const struct tarent *v, size_t n, enum dstack_status want,
    const char *word)
{
	AUTO_WR struct wr layer = wr_new(0);
	AUTO_WR struct wr ar = wr_new(0);
	uint8_t d[32];
	struct why why;
	for (size_t i = 0; i < n; i++)
		tar_add(&layer, v[i]);
	tar_end(&layer);
	make_image(&ar, LEGACY, &layer, 1, (struct wrong){ 0 }, d);
	enum dstack_status st = run(&ar, d, BIG, NULL, &why);
	if (st != want || (word != NULL && strstr(why.text, word) == NULL))
		fail_msg("status %d, reason: %s", st, why.text);
}
#define EXPECT(st, word, ...) \
	expect_layer((const struct tarent[]){ __VA_ARGS__ }, \
	    sizeof((const struct tarent[]){ __VA_ARGS__ }) / \
		sizeof(struct tarent), \
	    st, word)

static void
two_layers(struct wr l[static 2])
{
	l[0] = wr_new(0);
	l[1] = wr_new(0);
	tar_add(&l[0], (struct tarent){ .name = "./", .type = '5',
		.mode = 0755 });
	tar_add(&l[0], (struct tarent){ .name = "bin/", .type = '5',
		.mode = 0755 });
	tar_add(&l[0], (struct tarent){ .name = "bin/su", .type = '0',
		.mode = 06755, .uid = 7, .data = "hello" });
	tar_add(&l[0], (struct tarent){ .name = "bin/sh", .type = '2',
		.link = "/bin/su" });
	tar_add(&l[0], (struct tarent){ .name = "bin/ln", .type = '1',
		.link = "bin/su" });
	tar_end(&l[0]);
	tar_add(&l[1], (struct tarent){ .name = "bin/new", .type = '0',
		.data = "x" });
	tar_add(&l[1], (struct tarent){ .name = "bin/.wh.su", .type = '0' });
	tar_add(&l[1], (struct tarent){ .name = "etc/.wh..wh..opq",
		.type = '0' });
	tar_add(&l[1], (struct tarent){ .name = "dev/null", .type = '3' });
	tar_end(&l[1]);
}

static const char two_layers_plan[] =
    "0 dir  755 0\n0 dir bin 755 0\n0 file bin/su 755 7\n"
    "0 symlink bin/sh > /bin/su\n0 link bin/ln > bin/su\n"
    "1 file bin/new 644 0\n1 remove bin/su\n1 dir dev 755 0\n";

static void
every_layout_gives_the_same_digest_and_plan(void **state)
{
	(void)state;
	struct wr l[2];
	uint8_t first[32];
	struct why why;
	two_layers(l);
	for (int i = 0; i < 12; i++) {
		AUTO_WR struct wr ar = wr_new(0);
		uint8_t d[32];
		char *text = NULL;
		make_image(&ar, (enum layout)(i % 3), l, 2,
		    (struct wrong){ .gzip = i / 3 == 1, .zstd = i / 3 == 2,
			.symlink = i / 3 == 3 && i % 3 == 0 }, d);
		if (i == 0)
			memcpy(first, d, 32);
		assert_memory_equal(d, first, 32);
		if (run(&ar, first, BIG, &text, &why) != DSTACK_OK)
			fail_msg("layout %d: %s", i, why.text);
		assert_string_equal(text, two_layers_plan);
		free(text);
		assert_int_equal(run(&ar, NULL, BIG, NULL, &why), DSTACK_OK);
	}
	wr_free(&l[0]);
	wr_free(&l[1]);
}

static void
expect_wrong(enum layout lay, struct wrong x, const uint8_t *want,
    enum dstack_status st, const char *word)
{
	struct wr l[2];
	uint8_t d[32];
	struct why why;
	AUTO_WR struct wr ar = wr_new(0);
	two_layers(l);
	make_image(&ar, lay, l, 2, x, d);
	enum dstack_status got = run(&ar, want != NULL ? want : d, BIG, NULL, &why);
	wr_free(&l[0]);
	wr_free(&l[1]);
	if (got != st || strstr(why.text, word) == NULL)
		fail_msg("status %d, reason: %s", got, why.text);
}

static void
another_image_than_the_wanted_one_is_refused(void **state)
{
	(void)state;
	static const uint8_t other[32] = { 1 };
	for (int i = 0; i < 3; i++)
		expect_wrong((enum layout)i, (struct wrong){ 0 }, other,
		    DSTACK_E_MISSING, "none is the one wanted");
}

static void
a_layer_that_is_not_the_configs_is_refused(void **state)
{
	(void)state;
	for (int i = 0; i < 3; i++) {
		enum layout l = (enum layout)i;
		expect_wrong(l, (struct wrong){ .bad_diff = true }, NULL,
		    DSTACK_E_REJECTED, "not what the image's config names");
		expect_wrong(l, (struct wrong){ .shuffle = true }, NULL,
		    DSTACK_E_REJECTED, "not what the image's config names");
		expect_wrong(l, (struct wrong){ .drop_layer = true }, NULL,
		    DSTACK_E_REJECTED, "1 layers, its config says 2");
		expect_wrong(l, (struct wrong){ .no_blob = true }, NULL,
		    DSTACK_E_MISSING, "layer 1 is not in it");
		expect_wrong(l, (struct wrong){ .twice = true }, NULL,
		    DSTACK_E_REJECTED, "in it twice");
	}
}

static void
an_image_for_another_machine_is_refused(void **state)
{
	(void)state;
	expect_wrong(OCI, (struct wrong){ .arch = "arm64" }, NULL,
	    DSTACK_E_REJECTED, "arm64");
}

static void
broken_documents_are_refused(void **state)
{
	(void)state;
	static const char *const bad[] = { "[]", "{\"Cmd\":\"sh\"}",
		"{\"Env\":[1]}", "{\"User\":7}", "{\"Cmd\":[],\"Cmd\":[]}",
		"{\"Volumes\":[]}", "{", "{\"Cmd\":[\"a\\u0000b\"]}" };
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		expect_wrong(LEGACY, (struct wrong){ .config = bad[i] }, NULL,
		    DSTACK_E_FORMAT, "image config");
}

static void
what_the_config_says_is_taken(void **state)
{
	(void)state;
	static const char json[] =
	    "{\"Entrypoint\":[\"/e\",\"x\"],\"Cmd\":null,\"Env\":[\"A=b\"],"
	    "\"User\":\"7:8\",\"WorkingDir\":\"/w\",\"StopSignal\":\"SIGINT\","
	    "\"ExposedPorts\":{\"53/udp\":{},\"8080/tcp\":{},\"9/tcp\":{}},"
	    "\"Volumes\":{\"/v\":{}}}";
	struct oci_config c;
	struct why why = { "" };
	assert_int_equal(
	    oci_config_parse(json, strlen(json), &c, &why), DSTACK_OK);
	assert_int_equal(c.nentrypoint, 2);
	assert_string_equal(c.entrypoint[1], "x");
	assert_int_equal(c.ncmd, 0);
	assert_string_equal(c.env[0], "A=b");
	assert_string_equal(c.user, "7:8");
	assert_string_equal(c.workdir, "/w");
	assert_string_equal(c.stopsignal, "SIGINT");
	assert_string_equal(c.volumes[0], "/v");
	assert_int_equal(c.port, 0); /* of two, what it listens on */
	assert_int_equal(c.nexposed, 2);
	assert_int_equal(c.exposed[0], 9);
	assert_int_equal(c.exposed[1], 8080);
	oci_config_free(&c);
	static const char one[] = "{\"ExposedPorts\":{\"81/udp\":{},"
				  "\"81/tcp\":{},\"81\":{},\"0/tcp\":{}}}";
	assert_int_equal(
	    oci_config_parse(one, strlen(one), &c, &why), DSTACK_OK);
	assert_int_equal(c.port, 81);
	assert_int_equal(c.nexposed, 1);
	oci_config_free(&c);
	assert_int_equal(oci_config_parse("{}", 2, &c, &why), DSTACK_OK);
	assert_int_equal(c.port, 0);
	assert_int_equal(c.nexposed, 0);
	assert_string_equal(c.user, "");
	oci_config_free(&c);
}

static void
paths_that_leave_the_root_are_refused(void **state)
{
	(void)state;
	EXPECT(DSTACK_E_REJECTED, "..", { .name = "../x", .type = '0' });
	EXPECT(DSTACK_E_REJECTED, "..", { .name = "a/../../x", .type = '0' });
	EXPECT(DSTACK_E_REJECTED, "..", { .name = "/..", .type = '5' });
	EXPECT(DSTACK_E_REJECTED, "..", { .name = "a/..", .type = '2',
		.link = "b" });
	EXPECT(DSTACK_E_REJECTED, "..", { .name = "../.wh.x", .type = '0' });
	EXPECT(DSTACK_E_REJECTED, "..",
	    { .name = "../.wh..wh..opq", .type = '0' });
	EXPECT(DSTACK_E_REJECTED, "..", { .name = "x", .type = '1',
		.link = "../etc/shadow" });
	EXPECT(DSTACK_E_REJECTED, "..", { .name = "x", .type = '1',
		.link = "a/../../b" });
}

static void
an_absolute_path_is_one_below_the_root(void **state)
{
	(void)state;
	char out[OCI_MAX_PATH + 1];
	assert_int_equal(oci_path("/etc//./passwd/", out, NULL), DSTACK_OK);
	assert_string_equal(out, "etc/passwd");
	assert_int_equal(oci_path("././/", out, NULL), DSTACK_OK);
	assert_string_equal(out, "");
	assert_int_equal(oci_path("..a/...", out, NULL), DSTACK_OK);
	assert_string_equal(out, "..a/...");
}

static void
whiteouts_of_nothing_are_refused(void **state)
{
	(void)state;
	EXPECT(DSTACK_E_REJECTED, "whiteout", { .name = ".wh.", .type = '0' });
	EXPECT(DSTACK_E_REJECTED, "whiteout", { .name = ".wh..", .type = '0' });
	EXPECT(DSTACK_E_REJECTED, "whiteout",
	    { .name = "a/.wh...", .type = '0' });
	EXPECT(DSTACK_E_REJECTED, "below a whiteout",
	    { .name = ".wh.a/b", .type = '0' });
	EXPECT(DSTACK_E_REJECTED, "below a whiteout",
	    { .name = "x/.wh.a/b", .type = '0' });
	EXPECT(DSTACK_OK, NULL, { .name = ".wh..wh.plnk/", .type = '5' });
}

static void
odd_entries_are_refused(void **state)
{
	(void)state;
	EXPECT(DSTACK_E_REJECTED, "root", { .name = ".", .type = '0' });
	EXPECT(DSTACK_E_REJECTED, "root", { .name = "/", .type = '2',
		.link = "x" });
	EXPECT(DSTACK_E_REJECTED, "root", { .name = "x", .type = '1',
		.link = "/" });
	EXPECT(DSTACK_E_REJECTED, "symlink to nothing",
	    { .name = "x", .type = '2' });
	EXPECT(DSTACK_E_REJECTED, "larger than its layer", { .name = "x",
		.type = '0', .data = "abc", .claimed = 900000 });
	EXPECT(DSTACK_E_FORMAT, "cut short", { .name = "x", .type = '0',
		.data = "abc", .claimed = 2000 });
}

static void
devices_are_not_made_and_fifos_are(void **state)
{
	(void)state;
	for (const char *t = "346"; *t != '\0'; t++) {
		AUTO_WR struct wr layer = wr_new(0);
		AUTO_WR struct wr ar = wr_new(0);
		uint8_t d[32];
		struct why why;
		char *text = NULL;
		tar_add(&layer, (struct tarent){ .name = "dev/x", .type = *t });
		tar_end(&layer);
		make_image(&ar, OCI, &layer, 1, (struct wrong){ 0 }, d);
		assert_int_equal(run(&ar, d, BIG, &text, &why), DSTACK_OK);
		assert_string_equal(text, *t == '6'
			? "0 dir dev 755 0\n0 fifo dev/x\n"
			: "0 dir dev 755 0\n");
		free(text);
	}
}

/* A layer whose one file has this pax record before it. */
static enum dstack_status
with_pax(const char *key, const char *value, char **text, struct why *why)
{
	AUTO_WR struct wr layer = wr_new(0);
	AUTO_WR struct wr ar = wr_new(0);
	uint8_t d[32];
	tar_pax(&layer, key, value);
	tar_add(&layer, (struct tarent){ .name = "f", .type = '0',
		.data = "abc" });
	tar_end(&layer);
	make_image(&ar, LEGACY, &layer, 1, (struct wrong){ 0 }, d);
	return run(&ar, d, BIG, text, why);
}

static void
pax_records_are_held_to_the_same_rules(void **state)
{
	(void)state;
	struct why why;
	char *text = NULL;
	char deep[400];
	char wide[700];
	assert_int_equal(with_pax("path", "../../x", NULL, &why),
	    DSTACK_E_REJECTED);
	assert_int_equal(with_pax("size", "99999999999", NULL, &why),
	    DSTACK_E_REJECTED);
	assert_true(with_pax("size", "-1", NULL, &why) != DSTACK_OK);
	assert_int_equal(with_pax("uid", "-5", NULL, &why),
	    DSTACK_E_REJECTED);
	assert_int_equal(with_pax("GNU.sparse.map", "0,1", NULL, &why),
	    DSTACK_E_REJECTED);
	for (size_t i = 0; i + 1 < sizeof(deep); i += 2)
		memcpy(deep + i, "a/", 2);
	deep[sizeof(deep) - 1] = '\0';
	assert_int_equal(with_pax("path", deep, NULL, &why), DSTACK_E_LIMIT);
	memset(wide, 'w', sizeof(wide));
	wide[sizeof(wide) - 1] = '\0';
	assert_int_equal(with_pax("path", wide, NULL, &why), DSTACK_E_LIMIT);
	assert_int_equal(with_pax("path", "d/\xc3\xbc\xff", &text, &why),
	    DSTACK_OK);
	assert_string_equal(text, "0 dir d 755 0\n0 file d/\xc3\xbc\xff 644 0\n");
	free(text);
}

static void
a_bomb_is_stopped_at_the_bound(void **state)
{
	(void)state;
	AUTO_WR struct wr layer = wr_new(0);
	size_t big = 96u << 20;
	char *zeros = calloc(1, big);
	struct why why;
	uint8_t d[32];
	assert_non_null(zeros);
	tar_file(&layer, "zeros", zeros, big);
	tar_end(&layer);
	free(zeros);
	for (int zstd = 0; zstd < 2; zstd++) {
		AUTO_WR struct wr ar = wr_new(0);
		make_image(&ar, LEGACY, &layer, 1,
		    (struct wrong){ .gzip = true, .zstd = zstd != 0 }, d);
		assert_int_equal(run(&ar, d, BIG, NULL, &why), DSTACK_E_LIMIT);
		assert_non_null(strstr(why.text, "ratio"));
	}
	AUTO_WR struct wr ar = wr_new(0);
	make_image(&ar, LEGACY, &layer, 1, (struct wrong){ 0 }, d);
	assert_int_equal(run(&ar, d, BIG, NULL, &why), DSTACK_OK);
	assert_int_equal(run(&ar, d, 1 << 20, NULL, &why), DSTACK_E_LIMIT);
}

static void
the_bound_is_for_all_layers_together(void **state)
{
	(void)state;
	struct wr l[2];
	uint8_t d[32];
	struct why why;
	AUTO_WR struct wr ar = wr_new(0);
	two_layers(l);
	make_image(&ar, LEGACY, l, 2, (struct wrong){ 0 }, d);
	uint64_t sum = l[0].len + l[1].len;
	assert_int_equal(run(&ar, d, sum, NULL, &why), DSTACK_OK);
	assert_int_equal(run(&ar, d, sum - 1, NULL, &why), DSTACK_E_LIMIT);
	wr_free(&l[0]);
	wr_free(&l[1]);
}

static void
no_archive_at_all_is_refused(void **state)
{
	(void)state;
	struct why why;
	AUTO_WR struct wr empty = wr_new(0);
	AUTO_WR struct wr text = wr_new(0);
	AUTO_WR struct wr many = wr_new(0);
	tar_end(&empty);
	wr_str(&text, "<html>not found</html>");
	assert_int_equal(run(&empty, NULL, BIG, NULL, &why), DSTACK_E_FORMAT);
	assert_int_equal(run(&text, NULL, BIG, NULL, &why), DSTACK_E_FORMAT);
	for (int i = 0; i <= OCI_MAX_ARCHIVE_ENTRIES; i++) {
		char name[16];
		snprintf(name, sizeof(name), "%d", i);
		tar_file(&many, name, "x", 1);
	}
	tar_end(&many);
	assert_int_equal(run(&many, NULL, BIG, NULL, &why), DSTACK_E_LIMIT);
}

static void
an_archive_cut_or_changed_anywhere_is_refused_or_the_same(void **state)
{
	(void)state;
	struct wr l[2];
	uint8_t d[32];
	struct why why;
	AUTO_WR struct wr ar = wr_new(0);
	two_layers(l);
	make_image(&ar, HYBRID, l, 2, (struct wrong){ .gzip = true }, d);
	for (size_t n = 0; n < ar.len; n += 61) {
		struct wr cut = ar;
		cut.len = n;
		char *text = NULL;
		if (run(&cut, d, BIG, &text, &why) == DSTACK_OK)
			assert_string_equal(text, two_layers_plan);
		free(text);
		ar.buf[n] ^= 0x11;
		text = NULL;
		if (run(&ar, d, BIG, &text, &why) == DSTACK_OK)
			assert_string_equal(text, two_layers_plan);
		free(text);
		ar.buf[n] ^= 0x11;
	}
	wr_free(&l[0]);
	wr_free(&l[1]);
}

static uint32_t sum_of_data;

static enum dstack_status
sum_data(void *ctx, const void *data, size_t n, struct why *why)
{
	const uint8_t *p = data;
	(void)ctx;
	(void)why;
	for (size_t i = 0; i < n; i++)
		sum_of_data = sum_of_data * 31 + p[i];
	return DSTACK_OK;
}

static enum dstack_status
no_entry(void *ctx, const struct oci_entry *e, struct why *why)
{
	(void)ctx;
	(void)e;
	(void)why;
	return DSTACK_OK;
}

/* What is said to be done is never looked at again: it is other bytes now. */
static void
spoil(void *ctx, size_t from, size_t to)
{
	struct wr *ar = ctx;
	assert_true(from <= to && to <= ar->len);
	memset(ar->buf + from, 0xa5, to - from);
}

static uint32_t
sum(const struct oci_image *img, struct wr *ar, bool spoiled)
{
	const struct oci_sink sink = { ar, no_entry, sum_data, plan_end,
		spoiled ? spoil : NULL, false };
	struct why why = { "" };
	sum_of_data = 0;
	if (oci_walk(img, &sink, NULL, &why) != DSTACK_OK)
		fail_msg("%s", why.text);
	return sum_of_data;
}

/*
 * What a node must have to spare: the tree, and of the archive what is not
 * unpacked yet. A file that does not get smaller by packing needs its size
 * once, not twice; one that does needs what it grows to.
 */
static void
tree_and_archive_are_summed_as_they_come_and_go(void **state)
{
	(void)state;
	const size_t big = 8u << 20;
	uint8_t *bytes = malloc(big);
	struct why why = { "" };
	uint8_t d[32];
	struct wr l[3] = { wr_new(0), wr_new(0), wr_new(0) };
	struct oci_tree t[3];
	uint32_t x = 1;
	assert_non_null(bytes);
	for (size_t i = 0; i < big; i++)
		bytes[i] = (uint8_t)((x = x * 1664525 + 1013904223) >> 24);
	tar_file(&l[0], "big", bytes, big);
	tar_end(&l[0]);
	tar_add(&l[1], (struct tarent){ .name = "small", .type = '0',
		.data = "x" });
	tar_end(&l[1]);
	memset(bytes, 0, big);
	tar_file(&l[2], "zeros", bytes, big);
	tar_end(&l[2]);
	free(bytes);
	for (int i = 0; i < 3; i++) { /* big; big and small; small and zeros */
		AUTO_WR struct wr ar = wr_new(0);
		AUTO_OCI struct oci_image *img = NULL;
		make_image(&ar, OCI, &l[i == 2], i == 0 ? 1 : 2,
		    (struct wrong){ .gzip = true }, d);
		assert_int_equal(
		    oci_open(ar.buf, ar.len, d, BIG, &img, &why), DSTACK_OK);
		assert_int_equal(
		    oci_walk(img, NULL, &t[i], &why), DSTACK_OK);
		uint32_t before = sum(img, &ar, false);
		assert_int_equal(sum(img, &ar, true), before);
	}
	assert_in_range(t[0].bytes, big, big + 8192);
	assert_in_range(t[0].most, big, big + (1u << 20));
	assert_int_equal(t[1].bytes, t[0].bytes + 4096 + 1024);
	assert_in_range(t[2].bytes, big, big + 16384);
	assert_in_range(t[2].most, big, big + (1u << 20));
	for (int i = 0; i < 3; i++)
		wr_free(&l[i]);
}

/* 300 names of one manifest; nested, that would be 300 to the third. */
static void
indexes_that_multiply_are_refused(void **state)
{
	(void)state;
	static const char hex[] = "0123456789abcdef0123456789abcdef"
				  "0123456789abcdef0123456789abcdef";
	struct why why = { "" };
	char name[96];
	AUTO_OCI struct oci_image *img = NULL;
	AUTO_WR struct wr index = wr_new(0);
	AUTO_WR struct wr ar = wr_new(0);
	wr_str(&index, "{\"manifests\":[");
	for (int i = 0; i < 300; i++) {
		wr_str(&index, i != 0 ? ",{\"digest\":\"sha256:"
				      : "{\"digest\":\"sha256:");
		wr_str(&index, hex);
		wr_str(&index, "\"}");
	}
	wr_str(&index, "]}");
	snprintf(name, sizeof(name), "blobs/sha256/%s", hex);
	tar_file(&ar, "index.json", index.buf, index.len);
	tar_file(&ar, name, "{}", 2);
	tar_end(&ar);
	assert_int_equal(oci_open(ar.buf, ar.len, NULL, BIG, &img, &why),
	    DSTACK_E_LIMIT);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_layout_gives_the_same_digest_and_plan),
		cmocka_unit_test(indexes_that_multiply_are_refused),
		cmocka_unit_test(
		    tree_and_archive_are_summed_as_they_come_and_go),
		cmocka_unit_test(another_image_than_the_wanted_one_is_refused),
		cmocka_unit_test(a_layer_that_is_not_the_configs_is_refused),
		cmocka_unit_test(an_image_for_another_machine_is_refused),
		cmocka_unit_test(broken_documents_are_refused),
		cmocka_unit_test(what_the_config_says_is_taken),
		cmocka_unit_test(paths_that_leave_the_root_are_refused),
		cmocka_unit_test(an_absolute_path_is_one_below_the_root),
		cmocka_unit_test(whiteouts_of_nothing_are_refused),
		cmocka_unit_test(odd_entries_are_refused),
		cmocka_unit_test(devices_are_not_made_and_fifos_are),
		cmocka_unit_test(pax_records_are_held_to_the_same_rules),
		cmocka_unit_test(a_bomb_is_stopped_at_the_bound),
		cmocka_unit_test(the_bound_is_for_all_layers_together),
		cmocka_unit_test(no_archive_at_all_is_refused),
		cmocka_unit_test(
		    an_archive_cut_or_changed_anywhere_is_refused_or_the_same),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
