/* SPDX-License-Identifier: Apache-2.0 */
/* Images unpacked into a folder beside one that must stay untouched (T25). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "guest/kubernethes/unpack.h"
#include "tests/unit/lib/oci/tarmake.h"

#define SHIFT 100000u

struct place {
	char dir[64];
	int top;  /* holds "root" and "secret/key" */
	int root;
};

static int
setup(void **state)
{
	static struct place p;
	snprintf(p.dir, sizeof(p.dir), "/tmp/test_unpack.XXXXXX");
	if (geteuid() != 0 || mkdtemp(p.dir) == NULL)
		skip();
	p.top = open(p.dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(mkdirat(p.top, "root", 0700), 0);
	assert_int_equal(mkdirat(p.top, "secret", 0700), 0);
	int fd = openat(p.top, "secret/key", O_WRONLY | O_CREAT, 0600);
	assert_int_equal(write(fd, "key", 3), 3);
	close(fd);
	p.root = openat(p.top, "root", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	*state = &p;
	return 0;
}

static int
teardown(void **state)
{
	struct place *p = *state;
	struct stat s;
	if (p == NULL)
		return 0;
	int kept = fstatat(p->top, "secret/key", &s, 0) == 0 &&
	    s.st_size == 3 && s.st_nlink == 1 && (s.st_mode & 07777) == 0600 &&
	    s.st_uid == 0;
	close(p->root);
	(void)!unpack_remove(p->top, "root");
	(void)!unpack_remove(p->top, "secret");
	close(p->top);
	rmdir(p->dir);
	return kept ? 0 : -1;
}

static enum dstack_status
unpack(struct place *p, const struct wr *layers, size_t n,
    struct oci_tree *tree, struct why *why)
{
	AUTO_WR struct wr ar = wr_new(0);
	AUTO_OCI struct oci_image *img = NULL;
	uint8_t d[32];
	why->text[0] = '\0';
	make_image(&ar, LEGACY, layers, n, (struct wrong){ 0 }, d);
	assert_int_equal(
	    oci_open(ar.buf, ar.len, d, 1 << 20, &img, why), DSTACK_OK);
	return unpack_image(img, p->root, SHIFT, NULL, NULL, tree, why);
}

#define LAYER(name, ...) \
	AUTO_WR struct wr name = wr_new(0); \
	do { \
		const struct tarent v_[] = { __VA_ARGS__ }; \
		for (size_t i_ = 0; i_ < sizeof(v_) / sizeof(v_[0]); i_++) \
			tar_add(&name, v_[i_]); \
		tar_end(&name); \
	} while (0)

static bool
has(struct place *p, const char *path)
{
	struct stat s;
	return fstatat(p->root, path, &s, AT_SYMLINK_NOFOLLOW) == 0;
}

static void
modes_owners_times_and_links_are_kept(void **state)
{
	struct place *p = *state;
	struct why why;
	struct oci_tree tree;
	struct stat s;
	LAYER(a, { .name = "d/", .type = '5', .mode = 01770, .uid = 9 },
	    { .name = "d/f", .type = '0', .mode = 06751, .uid = 7,
		.data = "text" },
	    { .name = "d/hard", .type = '1', .link = "d/f" },
	    { .name = "soft", .type = '2', .link = "/etc/shadow", .uid = 5 },
	    { .name = "deep/er/x", .type = '0', .data = "y" },
	    { .name = "null", .type = '3' });
	assert_int_equal(unpack(p, &a, 1, &tree, &why), DSTACK_OK);
	assert_int_equal(tree.devices, 1);
	assert_int_equal(fstatat(p->root, "d", &s, 0), 0);
	assert_int_equal(s.st_mode & 07777, 01770);
	assert_int_equal(s.st_uid, SHIFT + 9);
	assert_int_equal(s.st_mtime, 1000);
	assert_int_equal(fstatat(p->root, "d/f", &s, 0), 0);
	assert_int_equal(s.st_mode & 07777, 0751); /* setuid, setgid: gone */
	assert_int_equal(s.st_uid, SHIFT + 7);
	assert_int_equal(s.st_gid, SHIFT + 7);
	assert_int_equal(s.st_size, 4);
	assert_int_equal(s.st_mtime, 1000);
	assert_int_equal(s.st_nlink, 2);
	assert_int_equal(
	    fstatat(p->root, "soft", &s, AT_SYMLINK_NOFOLLOW), 0);
	assert_true(S_ISLNK(s.st_mode));
	assert_int_equal(s.st_uid, SHIFT + 5);
	assert_int_equal(fstatat(p->root, "deep/er", &s, 0), 0);
	assert_int_equal(s.st_uid, SHIFT);
	assert_false(has(p, "null"));
}

static void
whiteouts_hide_lower_layers_alone(void **state)
{
	struct place *p = *state;
	struct why why;
	struct oci_tree n;
	LAYER(a, { .name = "d/x/1", .type = '0', .data = "1" },
	    { .name = "d/y", .type = '0', .data = "1" },
	    { .name = "o/old", .type = '0', .data = "1" },
	    { .name = "o/dir/old", .type = '0', .data = "1" },
	    { .name = "f", .type = '0', .data = "1" });
	LAYER(b, { .name = "o/new", .type = '0', .data = "2" },
	    { .name = "o/.wh..wh..opq", .type = '0' },
	    { .name = "d/.wh.x", .type = '0' },
	    { .name = "f", .type = '0', .data = "22" },
	    { .name = ".wh.f", .type = '0' },
	    { .name = ".wh.never", .type = '0' },
	    { .name = "no/.wh.such", .type = '0' });
	const struct wr layers[] = { a, b };
	assert_int_equal(unpack(p, layers, 2, &n, &why), DSTACK_OK);
	assert_true(has(p, "d/y"));
	assert_false(has(p, "d/x"));
	assert_false(has(p, "o/old"));
	assert_false(has(p, "o/dir"));
	assert_true(has(p, "o/new"));
	assert_true(has(p, "f"));
}

static void
a_later_entry_replaces_an_earlier_one(void **state)
{
	struct place *p = *state;
	struct why why;
	struct oci_tree n;
	struct stat s;
	LAYER(a, { .name = "d/x", .type = '0', .data = "1" },
	    { .name = "l", .type = '2', .link = "d" },
	    { .name = "f", .type = '0', .data = "1" });
	LAYER(b, { .name = "d", .type = '0', .data = "now a file" },
	    { .name = "l/", .type = '5', .mode = 0755 },
	    { .name = "l/in", .type = '0', .data = "1" },
	    { .name = "f", .type = '2', .link = "d" });
	const struct wr layers[] = { a, b };
	assert_int_equal(unpack(p, layers, 2, &n, &why), DSTACK_OK);
	assert_int_equal(fstatat(p->root, "d", &s, AT_SYMLINK_NOFOLLOW), 0);
	assert_true(S_ISREG(s.st_mode));
	assert_true(has(p, "l/in"));
	assert_int_equal(fstatat(p->root, "f", &s, AT_SYMLINK_NOFOLLOW), 0);
	assert_true(S_ISLNK(s.st_mode));
}

static void
refused(struct place *p, const struct wr *layers, size_t n)
{
	struct why why;
	struct oci_tree tree;
	enum dstack_status st = unpack(p, layers, n, &tree, &why);
	if (st != DSTACK_E_REJECTED)
		fail_msg("status %d: %s", st, why.text);
}

static void
nothing_is_written_through_a_symlink(void **state)
{
	struct place *p = *state;
	static const char *const to[] = { "../secret", "..", "/tmp", "/", "d",
		"self/../../secret" };
	for (size_t i = 0; i < sizeof(to) / sizeof(to[0]); i++) {
		LAYER(a, { .name = "d/", .type = '5', .mode = 0755 },
		    { .name = "esc", .type = '2', .link = to[i] },
		    { .name = "esc/key", .type = '0', .data = "pwned!" });
		refused(p, &a, 1);
	}
}

static void
a_symlink_in_a_lower_layer_is_not_followed_either(void **state)
{
	struct place *p = *state;
	LAYER(a, { .name = "esc", .type = '2', .link = "../secret" });
	LAYER(b, { .name = "esc/.wh.key", .type = '0' });
	LAYER(c, { .name = "esc/.wh..wh..opq", .type = '0' });
	LAYER(d, { .name = "esc/sub/", .type = '5', .mode = 0755 });
	LAYER(e, { .name = "x", .type = '1', .link = "esc/key" });
	const struct wr ab[] = { a, b };
	const struct wr ac[] = { a, c };
	const struct wr ad[] = { a, d };
	const struct wr ae[] = { a, e };
	refused(p, ab, 2);
	refused(p, ac, 2);
	refused(p, ad, 2);
	refused(p, ae, 2);
}

static void
a_file_over_a_symlink_replaces_the_link(void **state)
{
	struct place *p = *state;
	struct why why;
	struct oci_tree n;
	LAYER(a, { .name = "k", .type = '2', .link = "../secret/key" },
	    { .name = "k", .type = '0', .data = "pwned!", .mode = 0666 });
	assert_int_equal(unpack(p, &a, 1, &n, &why), DSTACK_OK);
}

static void
hardlinks_reach_files_of_the_image_alone(void **state)
{
	struct place *p = *state;
	LAYER(a, { .name = "x", .type = '1', .link = "secret/key" });
	LAYER(b, { .name = "s", .type = '2', .link = "../secret/key" },
	    { .name = "s2", .type = '1', .link = "s/" },
	    { .name = "s2/x", .type = '0', .data = "1" });
	LAYER(c, { .name = "d/", .type = '5', .mode = 0755 },
	    { .name = "x", .type = '1', .link = "d" });
	LAYER(d, { .name = "f", .type = '0', .data = "1" },
	    { .name = "f", .type = '1', .link = "f" });
	refused(p, &a, 1);
	refused(p, &b, 1);
	refused(p, &c, 1);
	refused(p, &d, 1);
}

static void
a_file_used_as_a_folder_is_refused(void **state)
{
	struct place *p = *state;
	LAYER(a, { .name = "f", .type = '0', .data = "1" },
	    { .name = "f/x", .type = '0', .data = "1" });
	refused(p, &a, 1);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

/*
 * An archive on the volume, where a host may put back what a sector had: after
 * it was checked a byte of a file is another.
 */
static void
what_has_changed_since_it_was_checked_is_not_stored(void **state)
{
	struct place *p = *state;
	struct why why = { "" };
	AUTO_WR struct wr ar = wr_new(0);
	AUTO_OCI struct oci_image *img = NULL;
	uint8_t d[32];
	LAYER(a, { .name = "f", .type = '0', .data = "the content" });
	make_image(&ar, LEGACY, &a, 1, (struct wrong){ 0 }, d);
	assert_int_equal(
	    oci_open(ar.buf, ar.len, d, 1 << 20, &img, &why), DSTACK_OK);
	if (unpack_stored(img, p->root, SHIFT, NULL, NULL, NULL, &why) !=
	    DSTACK_OK)
		fail_msg("%s", why.text);
	assert_true(has(p, "f"));
	uint8_t *at = memmem(ar.buf, ar.len, "the content", 11);
	assert_non_null(at);
	*at ^= 1;
	assert_int_equal(
	    unpack_stored(img, p->root, SHIFT, NULL, NULL, NULL, &why),
	    DSTACK_E_REJECTED);
	assert_non_null(strstr(why.text, "changed since it was checked"));
	*at ^= 1;
	/* also behind the tar's own end, in the last block of the layer */
	at[512 + 1000] ^= 1;
	assert_int_equal(
	    unpack_stored(img, p->root, SHIFT, NULL, NULL, NULL, &why),
	    DSTACK_E_REJECTED);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(modes_owners_times_and_links_are_kept),
		T(whiteouts_hide_lower_layers_alone),
		T(a_later_entry_replaces_an_earlier_one),
		T(nothing_is_written_through_a_symlink),
		T(a_symlink_in_a_lower_layer_is_not_followed_either),
		T(a_file_over_a_symlink_replaces_the_link),
		T(hardlinks_reach_files_of_the_image_alone),
		T(a_file_used_as_a_folder_is_refused),
		T(what_has_changed_since_it_was_checked_is_not_stored),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
