/* SPDX-License-Identifier: Apache-2.0 */
/* A manifest and its images in one archive: made, read back, and spoilt. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "oci/bundle.h"
#include "tests/unit/lib/oci/plan.h"
#include "tests/unit/lib/oci/tarmake.h"

/* Three images: a and b share their only layer, c has another. */
struct bed {
	struct wr ar[3];
	struct oci_image *img[3];
	char *text; /* the manifest */
	struct wr out;
	uint8_t digest[32];
};

static enum dstack_status
take(void *ctx, const void *p, size_t n, struct why *why)
{
	struct wr *w = ctx;
	(void)why;
	wr_put(w, p, n);
	return wr_status(w);
}

static void
make_bed(struct bed *b, const char *front)
{
	static struct manifest_need need = { .service = 1,
		.condition = MANIFEST_HEALTHY };
	static char out_label[] = "dstack.egress=open";
	static char *labels[] = { out_label };
	static char store_label[] = "dstack.store=volume";
	static char *stores[] = { store_label };
	static const char *const config[] = { "{\"User\":\"1\",\"Cmd\":[\"x\"]}",
		"{\"User\":\"2\",\"Cmd\":[\"x\"]}", "{\"Cmd\":[\"x\"]}" };
	struct manifest m = { .nservices = 3, .front_port = 80 };
	struct why why;
	memset(b, 0, sizeof(*b));
	for (int i = 0; i < 3; i++) {
		const struct oci_file f = { .path = i < 2 ? "same" : "other",
			.mode = 0644, .data = "0123456789", .size = 10 };
		struct oci_config c;
		uint8_t d[32];
		b->ar[i] = wr_new(0);
		assert_int_equal(oci_config_parse(config[i],
				     strlen(config[i]), &c, &why),
		    DSTACK_OK);
		assert_int_equal(
		    oci_build(&f, 1, &c, NULL, &b->ar[i], d, &why), DSTACK_OK);
		oci_config_free(&c);
		assert_int_equal(oci_open(b->ar[i].buf, b->ar[i].len, d,
				     1 << 20, &b->img[i], &why),
		    DSTACK_OK);
		memcpy(m.service[i].image, d, 32);
	}
	m.service[0].name = (char[]){ "a" };
	m.service[1].name = (char[]){ "b" };
	m.service[2].name = (char[]){ "c" };
	m.front = strcmp(front, "c") == 0 ? 2 : 0;
	if (strcmp(front, "needs") == 0) {
		m.service[0].needs = &need;
		m.service[0].nneeds = 1;
	}
	if (strcmp(front, "b out") == 0)
		m.service[1].labels =
		    (struct manifest_texts){ labels, 1, true };
	if (strcmp(front, "b stored") == 0)
		m.service[1].labels =
		    (struct manifest_texts){ stores, 1, true };
	assert_int_equal(manifest_write(&m, &b->text, &why), DSTACK_OK);
	b->out = wr_new(0);
	if (bundle_build(b->text, b->img, take, &b->out, b->digest, &why) !=
	    DSTACK_OK)
		fail_msg("%s", why.text);
}

static void
drop_bed(struct bed *b)
{
	for (int i = 0; i < 3; i++) {
		oci_free(b->img[i]);
		wr_free(&b->ar[i]);
	}
	free(b->text);
	wr_free(&b->out);
}

static size_t
count(const struct wr *w, const char *needle)
{
	const uint8_t *p = w->buf;
	const uint8_t *end = w->buf + w->len;
	size_t n = 0;
	while ((p = memmem(p, (size_t)(end - p), needle, strlen(needle))) !=
	    NULL) {
		n++;
		p++;
	}
	return n;
}

static void
all_images_are_in_it_and_each_layer_once(void **state)
{
	struct bed b;
	AUTO_BUNDLE struct bundle o = { .image = { NULL } };
	struct why why;
	(void)state;
	make_bed(&b, "c");
	/* the two files' bytes, each in one layer */
	assert_int_equal(count(&b.out, "0123456789"), 2);
	assert_true(bundle_there(b.out.buf, b.out.len, b.digest));
	assert_true(bundle_there(b.out.buf, b.out.len, NULL));
	assert_false(bundle_there(b.ar[0].buf, b.ar[0].len, NULL));
	if (bundle_open(b.out.buf, b.out.len, b.digest, 1 << 20, &o, &why) !=
	    DSTACK_OK)
		fail_msg("%s", why.text);
	assert_int_equal(o.m.nservices, 3);
	assert_memory_equal(o.digest, b.digest, 32);
	assert_string_equal(oci_config(o.image[1])->user, "2");
	for (int i = 0; i < 3; i++) {
		/* and each alone, as an image tool would have it */
		AUTO_OCI struct oci_image *img = NULL;
		assert_int_equal(oci_open(b.out.buf, b.out.len,
				     oci_digest(b.img[i]), 1 << 20, &img, &why),
		    DSTACK_OK);
	}
	drop_bed(&b);
}

static void
a_layer_is_kept_until_its_last_image_is_unpacked(void **state)
{
	struct bed b;
	AUTO_BUNDLE struct bundle o = { .image = { NULL } };
	struct oci_tree each[MANIFEST_SERVICES];
	struct oci_tree all;
	struct why why;
	size_t from = 0;
	(void)state;
	make_bed(&b, "a");
	assert_int_equal(bundle_open(b.out.buf, b.out.len, NULL, 1 << 20, &o,
			     &why),
	    DSTACK_OK);
	const uint8_t *p = memmem(b.out.buf, b.out.len, "same", 4);
	assert_non_null(p);
	from = (size_t)(p - b.out.buf); /* a tar begins with its first name */
	assert_true(bundle_keeps(&o, 0, from));
	assert_false(bundle_keeps(&o, 1, from));
	assert_false(bundle_keeps(&o, 2, from));
	assert_int_equal(bundle_walk(&o, each, &all, &why), DSTACK_OK);
	assert_int_equal(all.bytes,
	    each[0].bytes + each[1].bytes + each[2].bytes);
	assert_int_equal(all.entries, 3);
	assert_int_equal(all.on_volume, 0);
	assert_false(bundle_on_volume(&o));
	/* the archive whole, and two trees of the three at least */
	assert_true(all.most >= b.out.len + each[0].bytes);
	assert_true(all.most <= b.out.len + all.bytes);
	drop_bed(&b);
}

static void
a_tree_for_the_volume_is_counted_apart(void **state)
{
	struct bed b;
	AUTO_BUNDLE struct bundle o = { .image = { NULL } };
	struct oci_tree each[MANIFEST_SERVICES];
	struct oci_tree all;
	struct why why;
	(void)state;
	make_bed(&b, "b stored");
	if (bundle_open(b.out.buf, b.out.len, NULL, 1 << 20, &o, &why) !=
	    DSTACK_OK)
		fail_msg("%s", why.text);
	assert_true(bundle_on_volume(&o));
	assert_int_equal(bundle_walk(&o, each, &all, &why), DSTACK_OK);
	assert_true(each[1].bytes != 0);
	assert_int_equal(all.on_volume, each[1].bytes);
	assert_int_equal(all.bytes, each[0].bytes + each[2].bytes);
	/* the archive whole, and the first tree; never the one on the volume */
	assert_true(all.most >= b.out.len + each[0].bytes);
	assert_true(all.most <= b.out.len + all.bytes);
	drop_bed(&b);
}

static void
a_way_out_of_one_service_is_the_apps(void **state)
{
	struct bed b;
	AUTO_BUNDLE struct bundle o = { .image = { NULL } };
	AUTO_BUNDLE struct bundle none = { .image = { NULL } };
	struct why why;
	(void)state;
	make_bed(&b, "b out");
	if (bundle_open(b.out.buf, b.out.len, NULL, 1 << 20, &o, &why) !=
	    DSTACK_OK)
		fail_msg("%s", why.text);
	assert_true(bundle_egress(&o));
	assert_false(oci_config(o.image[0])->egress);
	assert_true(oci_config(o.image[1])->egress);
	drop_bed(&b);
	make_bed(&b, "a");
	assert_int_equal(bundle_open(b.out.buf, b.out.len, NULL, 1 << 20,
			     &none, &why),
	    DSTACK_OK);
	assert_false(bundle_egress(&none));
	drop_bed(&b);
}

static void
the_same_input_gives_the_same_bytes(void **state)
{
	struct bed a;
	struct bed b;
	(void)state;
	make_bed(&a, "a");
	make_bed(&b, "a");
	assert_int_equal(a.out.len, b.out.len);
	assert_memory_equal(a.out.buf, b.out.buf, a.out.len);
	drop_bed(&a);
	drop_bed(&b);
}

static void
what_is_not_the_manifests_is_refused(void **state)
{
	struct bed b;
	struct bundle o;
	struct why why;
	(void)state;
	make_bed(&b, "a");
	/* another manifest than the one asked for */
	assert_int_equal(bundle_open(b.out.buf, b.out.len, oci_digest(b.img[0]),
			     1 << 20, &o, &why),
	    DSTACK_E_MISSING);
	assert_non_null(strstr(why.text, "not the one wanted"));
	/* no room for all, though each has it */
	assert_int_equal(bundle_open(b.out.buf, b.out.len, b.digest, 3000, &o,
			     &why),
	    DSTACK_E_LIMIT);
	assert_non_null(strstr(why.text, "service "));
	/* a changed layer: of service a, and told so */
	uint8_t *p = memmem(b.out.buf, b.out.len, "0123456789", 10);
	p[3] ^= 1;
	assert_int_equal(bundle_open(b.out.buf, b.out.len, b.digest, 1 << 20,
			     &o, &why),
	    DSTACK_E_REJECTED);
	assert_non_null(strstr(why.text, "service a: layer 0"));
	p[3] ^= 1;
	/* a changed manifest is another one */
	p = memmem(b.out.buf, b.out.len, "\"port\":80", 9);
	p[8] = '1';
	assert_int_equal(bundle_open(b.out.buf, b.out.len, b.digest, 1 << 20,
			     &o, &why),
	    DSTACK_E_MISSING);
	assert_false(bundle_there(b.out.buf, b.out.len, b.digest));
	p[8] = '0';
	/* an archive with the manifest alone */
	AUTO_WR struct wr bare = wr_new(0);
	tar_add(&bare, (struct tarent){ .name = MANIFEST_FILE, .type = '0',
		.data = b.text });
	tar_add(&bare, (struct tarent){ .name = "manifest.json", .type = '0',
		.data = "[]" });
	tar_end(&bare);
	assert_int_equal(bundle_open(bare.buf, bare.len, b.digest, 1 << 20, &o,
			     &why),
	    DSTACK_E_MISSING);
	assert_non_null(strstr(why.text, "service a: archive: 0 images"));
	drop_bed(&b);
}

static void
what_only_the_whole_can_tell_is_refused(void **state)
{
	struct bed b;
	struct bundle o;
	struct why why;
	(void)state;
	make_bed(&b, "needs");
	assert_int_equal(bundle_open(b.out.buf, b.out.len, NULL, 1 << 20, &o,
			     &why),
	    DSTACK_E_REJECTED);
	assert_string_equal(why.text, "service a waits until b is healthy, "
				      "which has no healthcheck");
	drop_bed(&b);
}

static void
images_and_manifest_must_fit_when_it_is_made(void **state)
{
	struct bed b;
	AUTO_WR struct wr w = wr_new(0);
	struct why why;
	uint8_t d[32];
	(void)state;
	make_bed(&b, "a");
	struct oci_image *const wrong[] = { b.img[1], b.img[0], b.img[2] };
	assert_int_equal(bundle_build(b.text, wrong, take, &w, d, &why),
	    DSTACK_E_REJECTED);
	assert_non_null(strstr(why.text, "service a: this is not its image"));
	/* nowhere to put it: the reason is the taker's, not the tar's */
	AUTO_WR struct wr small = wr_new(1000);
	assert_int_equal(bundle_build(b.text, b.img, take, &small, d, &why),
	    DSTACK_E_LIMIT);
	drop_bed(&b);
}

int
main(void)
{
	const struct CMUnitTest t[] = {
		cmocka_unit_test(all_images_are_in_it_and_each_layer_once),
		cmocka_unit_test(
		    a_layer_is_kept_until_its_last_image_is_unpacked),
		cmocka_unit_test(a_tree_for_the_volume_is_counted_apart),
		cmocka_unit_test(a_way_out_of_one_service_is_the_apps),
		cmocka_unit_test(the_same_input_gives_the_same_bytes),
		cmocka_unit_test(what_is_not_the_manifests_is_refused),
		cmocka_unit_test(what_only_the_whole_can_tell_is_refused),
		cmocka_unit_test(images_and_manifest_must_fit_when_it_is_made),
	};
	return cmocka_run_group_tests(t, NULL, NULL);
}
