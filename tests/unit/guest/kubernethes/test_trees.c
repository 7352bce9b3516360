/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Images of every odd kind: what dstack app inspect says of one and what a
 * node makes of it is the same, refused with the same words or the tree that
 * other tools make of it.
 *
 * Alone it is a unit test. For tests/net/oci_trees.sh, which compares with
 * umoci's trees, it is two tools:
 *   test_trees make DIR           DIR/NAME.tar of each; prints "NAME VERDICT"
 *   test_trees unpack FILE ROOT   as a node does it, without other owners
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/own.h"
#include "guest/kubernethes/unpack.h"
#include "tests/unit/lib/oci/tarmake.h"

#define MAX (64u << 20)
#define LAYERS 3

/* A tree that is to come out, or the words of the refusal. */
struct image {
	const char *name;
	const struct tarent *layer[LAYERS];
	const char *has;   /* "+PATH" is there, "-PATH" is not, blanks between */
	const char *no;    /* refused, and this is in the reason */
	struct wrong how;
	size_t cut;        /* bytes off the end of the last layer */
	bool twice;        /* the first layer again as the last one */
	/* tests/net/oci_trees.sh does not compare: umoci has none, or not so */
	bool ours;
};

#define L(...) (const struct tarent[]){ __VA_ARGS__, { .name = NULL } }
#define D(n) { .name = (n), .type = '5', .mode = 0755 }
#define F(n, d) { .name = (n), .type = '0', .data = (d) }
#define S(n, t) { .name = (n), .type = '2', .link = (t) }
#define H(n, t) { .name = (n), .type = '1', .link = (t) }
#define O(n, t) { .name = (n), .type = (t) }
#define W(n) { .name = (n), .type = '0' }
#define PAX(k, v) { .name = (k), .type = 'x', .link = (v) }
#define LONG(t, d) \
	{ .name = "././@LongLink", .type = (t), .data = (d), \
		.size = sizeof(d) }
#define B D("bin"), F("bin/x", "#!x\n")
#define USR B, D("usr"), D("usr/lib"), F("usr/lib/1", "1"), \
	S("lib", "usr/lib")
#define D10 "n/n/n/n/n/n/n/n/n/n/"
#define D40 D10 D10 D10 D10
#define W50 "0123456789abcdefghijklmnopqrstuvwxyz-0123456789.abc"
#define W200 W50 W50 W50 W50
/* e.g. of Debian's ca-certificates; and decomposed, as a Mac writes it */
#define NFC "NetLock_F\xc5\x91tan\xc3\xbas\xc3\xadtv\xc3\xa1ny.pem"
#define NFD "NetLock_Fo\xcc\x8btanu\xcc\x81si\xcc\x81tva\xcc\x81ny.pem"
#define LATIN "caf\xe9\xff"
#define DATA600 W200 W200 W200

static const struct image images[] = {
	{ "whiteout", { L(B, D("a"), F("a/1", "x"), F("a/2", "x")),
		L(W("a/.wh.1")) }, .has = "-a/1 +a/2" },
	{ "wh_folder", { L(B, D("a"), D("a/b"), F("a/b/1", "x")),
		L(W(".wh.a")) }, .has = "-a" },
	{ "wh_after_new", { L(B, D("a"), F("a/1", "old")),
		L(D("a"), F("a/1", "new"), W("a/.wh.1")) }, .has = "+a/1" },
	{ "wh_folder_after_new", { L(B, D("a"), F("a/1", "old")),
		L(D("a"), F("a/2", "new"), W(".wh.a")) },
	    .has = "-a/1 +a/2", .ours = true },
	{ "wh_then_new", { L(B, D("a"), F("a/1", "old")),
		L(W(".wh.a"), D("a"), F("a/2", "new")) },
	    .has = "-a/1 +a/2" },
	{ "wh_then_file", { L(B, D("a"), F("a/1", "old")),
		L(W(".wh.a"), F("a", "now a file")) }, .has = "+a -a/1" },
	{ "wh_of_none", { L(B), L(W("no/.wh.such"), W(".wh.none")) },
	    .has = "+bin/x" },
	{ "wh_lowest", { L(B, W(".wh.foo"), F("z", "x")) }, .has = "+z" },
	{ "opaque", { L(B, D("a"), F("a/1", "x"), D("a/s"), F("a/s/2", "x")),
		L(D("a"), W("a/.wh..wh..opq"), F("a/3", "x")) },
	    .has = "-a/1 -a/s +a/3" },
	{ "opaque_last", { L(B, D("a"), F("a/1", "x")),
		L(D("a"), F("a/3", "x"), W("a/.wh..wh..opq")) },
	    .has = "-a/1 +a/3" },
	{ "opaque_deep", { L(B, D("a"), D("a/b"), F("a/b/1", "x")),
		L(F("a/b/2", "x"), W("a/.wh..wh..opq")) },
	    .has = "-a/b/1 +a/b/2" },
	{ "opaque_root", { L(B, F("1", "x")), L(F("2", "x"),
		W(".wh..wh..opq")) }, .has = "-1 -bin +2" },
	{ "opaque_none", { L(B), L(W("no/.wh..wh..opq"), F("z", "x")) },
	    .has = "+z" },
	{ "opaque_twice", { L(B, D("a"), F("a/1", "x")),
		L(D("a"), W("a/.wh..wh..opq"), F("a/2", "x")),
		L(D("a"), W("a/.wh..wh..opq"), F("a/3", "x")) },
	    .has = "-a/1 -a/2 +a/3" },
	{ "opaque_over_file", { L(B, F("d", "file")),
		L(D("d"), W("d/.wh..wh..opq"), F("d/2", "x")) },
	    .has = "+d/2" },
	{ "opaque_over_link", { L(B, D("real"), F("real/1", "x"),
		S("d", "real")),
		L(D("d"), W("d/.wh..wh..opq"), F("d/2", "x")) },
	    .has = "+real/1 +d/2 -real/2" },
	{ "opaque_over_link_to_file", { L(B, F("f", "x"), S("d", "f")),
		L(D("d"), W("d/.wh..wh..opq"), F("d/2", "x")) },
	    .has = "+f +d/2" },
	{ "opaque_over_dangling_link", { L(B, S("d", "nowhere")),
		L(D("d"), W("d/.wh..wh..opq"), F("d/2", "x")) },
	    .has = "+d/2 -nowhere" },
	{ "opaque_over_fifo", { L(B, O("d", '6')),
		L(D("d"), W("d/.wh..wh..opq"), F("d/2", "x")) },
	    .has = "+d/2" },
	{ "opaque_first_over_file", { L(B, F("d", "file")),
		L(W("d/.wh..wh..opq"), D("d"), F("d/2", "x")) },
	    .has = "+d/2" },
	{ "opaque_over_file_alone", { L(B, F("d", "file")),
		L(W("d/.wh..wh..opq"), F("z", "x")) }, .has = "+z" },
	{ "opaque_below_file", { L(B, F("d", "file")),
		L(W("d/e/.wh..wh..opq"), F("z", "x")) }, .has = "+z" },
	{ "wh_below_file", { L(B, F("d", "file")),
		L(W("d/.wh.x"), F("z", "x")) }, .has = "+z" },
	{ "wh_below_link_to_file", { L(B, F("d", "file"), S("l", "d")),
		L(W("l/.wh.x"), F("z", "x")) }, .has = "+z" },
	{ "opaque_first_over_link", { L(B, D("real"), F("real/1", "x"),
		S("d", "real")),
		L(W("d/.wh..wh..opq"), D("d"), F("d/2", "x")) },
	    .has = "+d/2" },
	{ "opaque_through_link", { L(USR), L(W("lib/.wh..wh..opq"),
		F("lib/2", "x")) }, .has = "-usr/lib/1 +usr/lib/2" },
	{ "link_over_folder", { L(B, D("d"), F("d/1", "x"), D("e")),
		L(S("d", "e")) }, .has = "+d -e/1" },
	{ "folder_over_link", { L(B, D("real"), F("real/1", "x"),
		S("d", "real")), L(D("d"), F("d/2", "x")) },
	    .has = "+real/1 -real/2 +d/2" },
	{ "folder_over_file", { L(B, F("d", "file")),
		L(D("d"), F("d/2", "x")) }, .has = "+d/2" },
	{ "file_over_folder", { L(B, D("d"), F("d/1", "x")),
		L(F("d", "file")) }, .has = "+d -d/1" },
	{ "file_over_link", { L(B, F("a", "old"), S("l", "a")),
		L(F("l", "new")) }, .has = "+l +a" },
	{ "folder_again", { L(B, D("a"), F("a/1", "x")),
		L({ .name = "a", .type = '5', .mode = 0700, .uid = 5 }) },
	    .has = "+a/1" },
	{ "through_link", { L(USR), L(F("lib/2", "new")) },
	    .has = "+usr/lib/2" },
	{ "through_link_replace", { L(USR), L(F("lib/1", "new")) },
	    .has = "+usr/lib/1" },
	{ "through_links", { L(USR, S("lib64", "lib"), D("opt"),
		S("opt/l", "../lib64")), L(F("opt/l/2", "new"), D("opt/l/d"),
		S("opt/l/s", "x"), O("opt/l/p", '6')) },
	    .has = "+usr/lib/2 +usr/lib/d +usr/lib/s +usr/lib/p" },
	{ "through_absolute_link", { L(B, D("run"), S("var-run", "/run")),
		L(F("var-run/x", "p")) }, .has = "+run/x" },
	{ "through_dangling_link", { L(B, S("l", "not/there")),
		L(F("l/x", "p")) }, .has = "+not/there/x" },
	{ "through_link_of_middle_layer", { L(B, D("a")), L(S("l", "a")),
		L(F("l/x", "p")) }, .has = "+a/x" },
	{ "link_said_again", { L(USR), L(S("lib", "usr/lib"),
		F("lib/2", "new")) }, .has = "+usr/lib/2" },
	{ "wh_through_link", { L(USR), L(W("lib/.wh.1")) },
	    .has = "-usr/lib/1 +lib" },
	{ "wh_of_link", { L(USR), L(W(".wh.lib")) },
	    .has = "-lib +usr/lib/1" },
	{ "hard_across", { L(B, F("a", "data")), L(H("b", "a")) },
	    .has = "+a +b" },
	{ "hard_replaced", { L(B, F("a", "data"), H("b", "a")),
		L(F("b", "new")) }, .has = "+a +b" },
	{ "hard_replaces", { L(B, F("a", "data"), D("b"), F("b/1", "x")),
		L(H("b", "a")) }, .has = "+a +b -b/1" },
	{ "hard_to_link", { L(B, F("a", "data"), S("s", "a")),
		L(H("t", "s")) }, .has = "+t" },
	{ "hard_to_fifo", { L(B, O("p", '6'), H("q", "p")) },
	    .has = "+p +q" },
	{ "hard_through_link", { L(USR), L(H("b", "lib/1")) },
	    .has = "+b" },
	{ "hard_into_link", { L(USR), L(H("lib/y", "bin/x")) },
	    .has = "+usr/lib/y" },
	{ "hard_then_gone", { L(B, F("a", "data")), L(H("b", "a"),
		W(".wh.a")) }, .has = "+b -a" },
	{ "hard_to_device", { L(B, O("null", '3'), H("null2", "null")) },
	    .has = "-null -null2" },
	{ "device_then_file", { L(B, O("n", '3')), L(F("n", "x")) },
	    .has = "+n" },
	{ "file_then_device", { L(B, F("n", "x"), D("m"), F("m/1", "x")),
		L(O("n", '4'), O("m", '3')) }, .has = "-n -m" },
	{ "device_over_new", { L(B, F("n", "x"), O("n", '3')) },
	    .has = "-n" },
	{ "fifo", { L(B, O("pipe", '6')) }, .has = "+pipe" },
	{ "owners", { L(B, { .name = "a", .type = '0', .data = "x",
				.uid = 65535 },
		{ .name = "b", .type = '0', .data = "x", .uid = 65536 },
		{ .name = "c", .type = '5', .mode = 0755, .uid = 100000 },
		{ .name = "d", .type = '2', .link = "x", .uid = 2097151 }) },
	    .has = "+a +b +c +d" },
	{ "owner_of_mapped_ids", { L(B, PAX("uid", "172761424"),
		F("home", "x")) }, .has = "+home" },
	{ "group_of_mapped_ids", { L(B, PAX("gid", "1721234567"),
		F("home", "x")) }, .has = "+home" },
	{ "setuid", { L(B, { .name = "bin/su", .type = '0', .data = "s",
			       .mode = 06755 },
		{ .name = "tmp", .type = '5', .mode = 01777 }) },
	    .has = "+bin/su +tmp" },
	{ "depth_128", { L(B, PAX("path", D40 D40 D40 "n/n/n/n/n/n/n/n"),
		O("x", '5')) }, .has = "+" D40 D40 D40 "n/n/n/n/n/n/n/n" },
	{ "depth_129", { L(B, PAX("path", D40 D40 D40 "n/n/n/n/n/n/n/n/n"),
		O("x", '5')) }, .no = "deeper than 128" },
	{ "depth_by_links", { L(B, PAX("path", D40 "n"), O("x", '5'),
		S("l", D40)), L(PAX("path", "l/" D40 D40 D10), O("x", '5')) },
	    .no = "deeper than 128" },
	{ "link_loop", { L(B, S("a", "b"), S("b", "a")), L(F("a/x", "1")) },
	    .no = "over 40 symlinks" },
	{ "long_pax", { L(B, PAX("path", W200 "/" W200 "/" W50),
		F("x", "y"), PAX("linkpath", W200 "/" W200 "/" W50),
		S("s", "y")) }, .has = "+" W200 "/" W200 "/" W50 " +s" },
	{ "long_gnu", { L(B, LONG('L', W200 "/" W200 "/" W50), F("x", "y"),
		LONG('K', W200 "/" W200 "/" W50), H("h", "y"),
		LONG('K', W200), S("s", "y")) },
	    .has = "+" W200 "/" W200 "/" W50 " +h +s" },
	{ "utf8_pax", { L(B, PAX("path", NFC), F("x", "y"),
		PAX("linkpath", NFC), S("s", "y"), PAX("linkpath", NFC),
		H("h", "y")) }, .has = "+" NFC " +s +h" },
	{ "decomposed_pax", { L(B, PAX("path", NFD), F("x", "y"),
		PAX("linkpath", NFD), H("h", "y")) },
	    .has = "+" NFD " +h -" NFC },
	{ "bytes_ustar", { L(B, F(LATIN, "u"), H("h", LATIN),
		S("s", LATIN)) }, .has = "+" LATIN " +h +s" },
	/* Go takes no such pax record for a name, libarchive does */
	{ "bytes_pax", { L(B, PAX("path", LATIN), F("x", "u")) },
	    .has = "+" LATIN, .ours = true },
	{ "empty_layer", { L(B), L({ .name = NULL }), L(F("z", "x")) },
	    .has = "+z" },
	{ "layer_twice", { L(B), L(W("bin/.wh.x")) }, .has = "+bin/x",
	    .twice = true },
	{ "layer_twice_gzip", { L(B), L(W("bin/.wh.x")) }, .has = "+bin/x",
	    .twice = true, .how = { .gzip = true } },
	{ "dot_names", { L(D("./"), D("./bin"), F("./bin/x", "x")) },
	    .has = "+bin/x" },
	{ "absolute_names", { L(D("/bin"), F("/bin/x", "x")) },
	    .has = "+bin/x" },
	{ "no_parents", { L(F("a/b/c/d", "x")) }, .has = "+a/b/c/d" },
	{ "times", { L(B, PAX("mtime", "-5"), F("old", "x"),
		PAX("mtime", "1000.5"), F("frac", "x"),
		PAX("mtime", "5000000000"), F("far", "x")) },
	    .has = "+old +frac +far" },
	{ "gzip", { L(B), L(F("z", "x")) }, .has = "+z",
	    .how = { .gzip = true } },
	{ "zstd", { L(B), L(F("z", "x")) }, .has = "+z",
	    .how = { .zstd = true }, .ours = true },
	/* umoci asks for the one name there is and finds two */
	{ "attested", { L(B) }, .has = "+bin/x", .how = { .attested = true } },
	{ "for_many", { L(B) }, .has = "+bin/x", .how = { .foreign = true } },
	/* umoci shows them to the container */
	{ "aufs_plnk", { L(B, D(".wh..wh.plnk"), F(".wh..wh.plnk/1.2", "x")) },
	    .has = "+bin/x -.wh..wh.plnk", .ours = true },
	{ "aufs_more", { L(B, F(".wh..wh.aufs", "x"), D(".wh..wh.orph"),
		H(".wh..wh.plnk/17.4", "bin/x"), D("a/.wh..wh.tmp"),
		F("a/.wh..wh.tmp/b/c", "x")) },
	    .has = "+bin/x -.wh..wh.plnk -a", .ours = true },

	{ "up", { L(F("../x", "1")) }, .no = ".." },
	{ "up_later", { L(F("a/../../x", "1")) }, .no = ".." },
	{ "up_link", { L(B, S("e", "../secret")), L(F("e/key", "1")) },
	    .no = "out of the image" },
	{ "up_links", { L(B, S("e", "f/../.."), D("f")), L(F("e/key", "1")) },
	    .no = "out of the image" },
	{ "up_whiteout", { L(B, S("e", "../secret")), L(W("e/.wh.key")) },
	    .no = "out of the image" },
	{ "up_opaque", { L(B, S("e", "../secret")),
		L(W("e/.wh..wh..opq")) }, .no = "out of the image" },
	{ "up_hard", { L(B, S("e", "../secret")), L(H("x", "e/key")) },
	    .no = "out of the image" },
	{ "hard_up", { L(B, H("x", "../secret/key")) }, .no = ".." },
	{ "own_link", { L(B, S("e", "/tmp"), F("e/key", "1")) },
	    .no = "symlink of its own layer" },
	{ "own_link_said_anew", { L(USR), L(S("lib", "bin"),
		F("lib/key", "1")) }, .no = "symlink of its own layer" },
	{ "through_file", { L(B), L(F("bin/x/y", "1")) },
	    .no = "which is a file" },
	{ "through_link_to_file", { L(B, S("l", "bin/x")), L(F("l/y", "1")) },
	    .no = "which is a file" },
	{ "through_device", { L(B, O("n", '3')), L(F("n/y", "1")) },
	    .no = "which is a file" },
	{ "hard_to_none", { L(B, H("x", "y")) }, .no = "no file of it" },
	{ "hard_to_gone", { L(B, F("y", "1")), L(W(".wh.y"), H("x", "y")) },
	    .no = "no file of it" },
	{ "hard_to_self", { L(B, F("y", "1"), H("y", "y")) },
	    .no = "no file of it" },
	{ "hard_to_folder", { L(B, H("x", "bin")) }, .no = "no file of it" },
	{ "hard_over_its_folder", { L(B, H("bin", "bin/x")) },
	    .no = "no file of it" },
	{ "cut_short", { L(B, F("big", DATA600)) }, .no = "cut short",
	    .cut = 1024 + 512 },
	{ "cut_in_a_head", { L(B, F("big", DATA600)) }, .no = "broken",
	    .cut = 1024 + 1024 + 100 },
	{ "below_whiteout", { L(B, F(".wh.a/b", "1")) },
	    .no = "below a whiteout" },
	{ "sparse", { L(B, PAX("GNU.sparse.map", "0,1"), F("s", "abc")) },
	    .no = "sparse" },
};
#define COUNT (sizeof(images) / sizeof(images[0]))

static void
put_layer(const struct tarent *v, struct wr *w)
{
	for (; v->name != NULL; v++) {
		if (v->type == 'x')
			tar_pax(w, v->name, v->link);
		else
			tar_add(w, *v);
	}
	tar_end(w);
}

static void
put_image(const struct image *m, struct wr *out, uint8_t digest[32])
{
	struct wr l[LAYERS];
	size_t n = 0;
	for (size_t i = 0; i < LAYERS && m->layer[i] != NULL; i++) {
		l[n] = wr_new(0);
		put_layer(m->layer[i], &l[n++]);
	}
	l[n - 1].len -= m->cut;
	if (m->twice) {
		l[n] = wr_new(0);
		put_layer(m->layer[0], &l[n++]);
	}
	make_image(out, OCI, l, n, m->how, digest);
	while (n > 0)
		wr_free(&l[--n]);
}

/* --- the unit test --- */

struct place {
	char dir[64];
	int top;
	int root;
};

static void
place_make(struct place *p)
{
	(void)snprintf(p->dir, sizeof(p->dir), "/tmp/test_trees.XXXXXX");
	assert_non_null(mkdtemp(p->dir));
	p->top = open(p->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(mkdirat(p->top, "root", 0700), 0);
	assert_int_equal(mkdirat(p->top, "secret", 0700), 0);
	int fd = openat(p->top, "secret/key", O_WRONLY | O_CREAT, 0600);
	assert_int_equal(write(fd, "key", 3), 3);
	close(fd);
	p->root = openat(p->top, "root", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

/* What lies beside the root is as it was. */
static void
place_drop(struct place *p, const char *name)
{
	struct stat s;
	if (fstatat(p->top, "secret/key", &s, 0) != 0 || s.st_size != 3 ||
	    s.st_nlink != 1 || (s.st_mode & 07777) != 0600)
		fail_msg("%s: the file outside is another", name);
	close(p->root);
	assert_int_equal(unpack_remove(p->top, "root"), DSTACK_OK);
	assert_int_equal(unpack_remove(p->top, "secret"), DSTACK_OK);
	close(p->top);
	assert_int_equal(rmdir(p->dir), 0);
}

static void
expect_paths(const struct place *p, const struct image *m)
{
	char text[1200];
	char *at = text;
	(void)snprintf(text, sizeof(text), "%s", m->has);
	for (char *w; (w = strsep(&at, " ")) != NULL;) {
		struct stat s;
		bool is = fstatat(p->root, w + 1, &s,
			      AT_SYMLINK_NOFOLLOW) == 0;
		if (is != (w[0] == '+'))
			fail_msg("%s: %s is %sthere", m->name, w + 1,
			    is ? "" : "not ");
	}
}

/* What is said to be done is never looked at again: it is other bytes now. */
static void
spoil(void *ctx, size_t from, size_t to)
{
	struct wr *ar = ctx;
	assert_true(from <= to && to <= ar->len);
	memset(ar->buf + from, 0xa5, to - from);
}

static void
inspect_and_the_node_agree(void **state)
{
	(void)state;
	if (geteuid() != 0)
		skip();
	for (const struct image *m = images; m < images + COUNT; m++) {
		AUTO_WR struct wr ar = wr_new(0);
		AUTO_OCI struct oci_image *img = NULL;
		struct why looked = { "" };
		struct why made = { "" };
		struct oci_tree t[2];
		struct place p;
		uint8_t d[32];
		put_image(m, &ar, d);
		if (oci_open(ar.buf, ar.len, NULL, MAX, &img, &looked) !=
		    DSTACK_OK)
			fail_msg("%s: %s", m->name, looked.text);
		assert_memory_equal(oci_digest(img), d, 32);
		enum dstack_status st = oci_walk(img, NULL, &t[0], &looked);
		if (m->no == NULL ? st != DSTACK_OK
				  : strstr(looked.text, m->no) == NULL)
			fail_msg("%s: status %d, %s", m->name, st,
			    looked.text);
		place_make(&p);
		assert_int_equal(unpack_image(img, p.root, 0, spoil, &ar,
				     &t[1], &made), st);
		assert_string_equal(made.text, looked.text);
		if (st == DSTACK_OK) {
			assert_memory_equal(&t[0], &t[1], sizeof(t[0]));
			expect_paths(&p, m);
		}
		place_drop(&p, m->name);
	}
}

/* --- the tools --- */

static int
make_all(const char *dir)
{
	for (const struct image *m = images; m < images + COUNT; m++) {
		AUTO_WR struct wr ar = wr_new(0);
		char path[512];
		uint8_t d[32];
		put_image(m, &ar, d);
		(void)snprintf(path, sizeof(path), "%s/%s.tar", dir, m->name);
		AUTO_CLOSE int fd =
		    open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
		if (fd < 0 || write(fd, ar.buf, ar.len) != (ssize_t)ar.len)
			return 1;
		(void)printf("%s %s\n", m->name,
		    m->no != NULL ? "refused"
		        : m->ours ? "ours"
		                  : "tree");
	}
	return 0;
}

static int
unpack_one(const char *file, const char *to)
{
	AUTO_OCI struct oci_image *img = NULL;
	struct why why = { "" };
	struct stat s;
	AUTO_CLOSE int fd = open(file, O_RDONLY | O_CLOEXEC);
	AUTO_CLOSE int root = open(to, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || root < 0 || fstat(fd, &s) != 0)
		return 2;
	void *p = mmap(
	    NULL, (size_t)s.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (p == MAP_FAILED)
		return 2;
	enum dstack_status st = oci_open(
	    p, (size_t)s.st_size, NULL, 1ull << 30, &img, &why);
	if (st == DSTACK_OK)
		st = unpack_image(img, root, 0, NULL, NULL, NULL, &why);
	if (st == DSTACK_OK)
		return 0;
	(void)printf("%s\n", why.text);
	return 1;
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(inspect_and_the_node_agree),
	};
	if (argc == 3 && strcmp(argv[1], "make") == 0)
		return make_all(argv[2]);
	if (argc == 4 && strcmp(argv[1], "unpack") == 0)
		return unpack_one(argv[2], argv[3]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
