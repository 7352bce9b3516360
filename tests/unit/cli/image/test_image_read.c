/* SPDX-License-Identifier: Apache-2.0 */
/* What an audit reads: initramfs archives, frames, Debian's indexes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "cli/image/cpio.h"
#include "cli/image/debian.h"

/* --- cpio ----------------------------------------------------------------- */

struct made {
	char b[8192];
	size_t n;
};

static void
put(struct made *m, const char *name, unsigned mode, const char *data)
{
	size_t len = strlen(data);

	m->n += (size_t)snprintf(m->b + m->n, sizeof(m->b) - m->n,
	    "070701%08X%08X%08X%08X%08X%08X%08zX%08X%08X%08X%08X%08zX%08X%s",
	    1u, mode, 0u, 0u, 1u, 0u, len, 0u, 0u, 1u, 3u, strlen(name) + 1,
	    0u, name) + 1;
	while (m->n % 4 != 0)
		m->b[m->n++] = '\0';
	memcpy(m->b + m->n, data, len);
	m->n += len;
	while (m->n % 4 != 0)
		m->b[m->n++] = '\0';
}

static void
trailer(struct made *m)
{
	put(m, "TRAILER!!!", 0, "");
	while (m->n % 512 != 0)
		m->b[m->n++] = '\0';
}

struct seen {
	unsigned n;
	char last[CPIO_PATH_MAX];
	size_t len;
};

static enum dstack_status
each(void *arg, const struct cpio_entry *e)
{
	struct seen *s = arg;

	s->n++;
	(void)snprintf(s->last, sizeof(s->last), "%s", e->path);
	s->len = e->len;
	return DSTACK_OK;
}

static enum dstack_status
read_made(const struct made *m, size_t n, struct seen *s)
{
	struct why why = { "" };

	memset(s, 0, sizeof(*s));
	return cpio_read(m->b, n, each, s, &why);
}

static void
archives_one_behind_the_other_are_all_read(void **state)
{
	struct made m = { .n = 0 };
	struct seen s;

	(void)state;
	put(&m, "dir", S_IFDIR | 0755, "");
	put(&m, "dir/file", S_IFREG | 0644, "hello");
	trailer(&m);
	put(&m, "init", S_IFREG | 0755, "x");
	trailer(&m);
	assert_int_equal(read_made(&m, m.n, &s), DSTACK_OK);
	assert_int_equal(s.n, 3);
	assert_string_equal(s.last, "/init");
	assert_int_equal(s.len, 1);
}

static void
what_the_kernel_might_read_otherwise_is_refused(void **state)
{
	struct made m = { .n = 0 }, bad;
	struct seen s;

	(void)state;
	put(&m, "file", S_IFREG | 0644, "hello");
	trailer(&m);
	/* cut anywhere */
	for (size_t n = 1; n < m.n; n++)
		assert_int_not_equal(read_made(&m, n, &s), DSTACK_OK);
	/* bytes in the padding behind the last archive */
	bad = m;
	bad.b[m.n - 1] = 'x';
	assert_int_equal(read_made(&bad, m.n, &s), DSTACK_E_FORMAT);
	/* in the padding behind a name, another magic, a wrong digit */
	bad = m;
	bad.b[115] = 'x';
	assert_int_equal(read_made(&bad, m.n, &s), DSTACK_E_FORMAT);
	bad = m;
	bad.b[5] = '2';
	assert_int_equal(read_made(&bad, m.n, &s), DSTACK_E_FORMAT);
	bad = m;
	bad.b[10] = 'g';
	assert_int_equal(read_made(&bad, m.n, &s), DSTACK_E_FORMAT);
	/* more names for one file: the kernel would make links */
	bad = m;
	bad.b[6 + 8 * 4 + 7] = '2';
	assert_int_equal(read_made(&bad, m.n, &s), DSTACK_E_FORMAT);
	/* an absolute name, a name with NUL in it, data in a device */
	memset(&bad, 0, sizeof(bad));
	put(&bad, "/file", S_IFREG | 0644, "");
	trailer(&bad);
	assert_int_equal(read_made(&bad, bad.n, &s), DSTACK_E_FORMAT);
	/* a second name of one file: the kernel goes where it leads */
	static const char *const aliases[] = { "./file", "a/./file", "a//file",
		"a/../file", "..", "../file", "a/" };
	for (size_t i = 0; i < sizeof(aliases) / sizeof(aliases[0]); i++) {
		memset(&bad, 0, sizeof(bad));
		put(&bad, aliases[i], S_IFREG | 0644, "");
		trailer(&bad);
		assert_int_equal(read_made(&bad, bad.n, &s), DSTACK_E_FORMAT);
	}
	bad = m;
	bad.b[112] = '\0';
	assert_int_equal(read_made(&bad, m.n, &s), DSTACK_E_FORMAT);
	memset(&bad, 0, sizeof(bad));
	put(&bad, "null", S_IFCHR | 0666, "data");
	trailer(&bad);
	assert_int_equal(read_made(&bad, bad.n, &s), DSTACK_E_FORMAT);
}

static void
a_frame_ends_where_its_blocks_say(void **state)
{
	/* printf hello | zstd: raw block of 5 bytes, with a checksum */
	static const uint8_t f[] = { 0x28, 0xb5, 0x2f, 0xfd, 0x04, 0x58, 0x29,
		0x00, 0x00, 'h', 'e', 'l', 'l', 'o', 1, 2, 3, 4, 'e', 'v' };
	uint8_t g[sizeof(f)];
	size_t n = 0;

	(void)state;
	assert_int_equal(zstd_frame(f, sizeof(f), &n), DSTACK_OK);
	assert_int_equal(n, sizeof(f) - 2);
	for (size_t cut = 0; cut < sizeof(f) - 2; cut++)
		assert_int_not_equal(zstd_frame(f, cut, &n), DSTACK_OK);
	/* a skippable frame, a reserved bit, a reserved type of block */
	memcpy(g, f, sizeof(f));
	g[0] = 0x50;
	assert_int_equal(zstd_frame(g, sizeof(g), &n), DSTACK_E_FORMAT);
	memcpy(g, f, sizeof(f));
	g[4] |= 0x08;
	assert_int_equal(zstd_frame(g, sizeof(g), &n), DSTACK_E_FORMAT);
	memcpy(g, f, sizeof(f));
	g[6] |= 0x06;
	assert_int_equal(zstd_frame(g, sizeof(g), &n), DSTACK_E_FORMAT);
}

/* --- Debian ------------------------------------------------------------------ */

#define H "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"

static void
stanzas_are_read_one_by_one(void **state)
{
	static const char text[] =
	    "Package: a\nVersion: 1:2-3\nDescription: x\n Size: 9\n"
	    "Filename: pool/a.deb\nSize: 12\nSHA256: " H "\n\n\n"
	    "Package: b\nVersion: 2\n";
	struct debian_index in = { text, sizeof(text) - 1 };
	struct debian_package p;

	(void)state;
	assert_int_equal(debian_next(&in, &p), DSTACK_OK);
	assert_true(debian_is(p.name, "a"));
	assert_true(debian_is(p.version, "1:2-3"));
	assert_true(debian_is(p.filename, "pool/a.deb"));
	assert_true(debian_is(p.sha256, H));
	assert_int_equal(p.size, 12);
	assert_int_equal(debian_next(&in, &p), DSTACK_OK);
	assert_true(debian_is(p.name, "b"));
	assert_int_equal(p.sha256.n, 0);
	assert_int_equal(debian_next(&in, &p), DSTACK_E_MISSING);
}

static void
a_field_twice_or_no_field_is_refused(void **state)
{
	static const char *const bad[] = { "Package: a\nPackage: b\n",
		"Package: a\nnonsense\n", "Package: a\nSize: 1x\n",
		"Package: a\nSize: 9999999999999999999\n" };

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct debian_index in = { bad[i], strlen(bad[i]) };
		struct debian_package p;
		assert_int_equal(debian_next(&in, &p), DSTACK_E_FORMAT);
	}
}

static void
only_the_sha256_list_of_a_release_counts(void **state)
{
	static const char text[] =
	    "Codename: trixie\nMD5Sum:\n 00 1 x/md5only\n"
	    "SHA256:\n " H " 12 a/b\n " H " 13 a/twice\n " H " 13 a/twice\n"
	    "SHA512:\n " H " 1 x/later\n";
	char sum[65] = "", name[8];
	uint64_t size = 0;
	size_t n = sizeof(text) - 1;

	(void)state;
	assert_int_equal(
	    debian_release_sum(text, n, "a/b", sum, &size), DSTACK_OK);
	assert_string_equal(sum, H);
	assert_int_equal(size, 12);
	assert_int_equal(debian_release_sum(text, n, "x/md5only", sum, &size),
	    DSTACK_E_MISSING);
	assert_int_equal(debian_release_sum(text, n, "x/later", sum, &size),
	    DSTACK_E_MISSING);
	assert_int_equal(debian_release_sum(text, n, "a/twice", sum, &size),
	    DSTACK_E_FORMAT);
	assert_int_equal(
	    debian_field(text, n, "Codename", name, sizeof(name)), DSTACK_OK);
	assert_string_equal(name, "trixie");
	assert_int_equal(
	    debian_field(text, n, "Codename", name, 6), DSTACK_E_LIMIT);
	assert_int_equal(
	    debian_field(text, n, "Date", name, sizeof(name)),
	    DSTACK_E_MISSING);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(archives_one_behind_the_other_are_all_read),
		cmocka_unit_test(
		    what_the_kernel_might_read_otherwise_is_refused),
		cmocka_unit_test(a_frame_ends_where_its_blocks_say),
		cmocka_unit_test(stanzas_are_read_one_by_one),
		cmocka_unit_test(a_field_twice_or_no_field_is_refused),
		cmocka_unit_test(only_the_sha256_list_of_a_release_counts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
