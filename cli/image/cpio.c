/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An initramfs as the kernel unpacks it
 * (Documentation/driver-api/early-userspace/buffer-format.rst), read by an
 * auditor who wants to have seen every byte. The kernel is lenient: it takes
 * garbage between archives, names that climb, hardlinks, and skips what it does
 * not know. So anything that it would read in another way than this program, or
 * that a builder of ours never writes, is refused: padding that is not zero,
 * names that are absolute or have another way to be written, links with a
 * count, data behind a name that is no file.
 * Several archives, and several Zstandard frames (RFC 8878), may follow each
 * other, and each is told where it ends by its own headers, not by searching.
 */
#include "cli/image/cpio.h"

#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>

#include "base/rd.h"

#define FIELDS 13
enum field { INO, MODE, UID, GID, NLINK, MTIME, SIZE, DEVMAJOR, DEVMINOR,
	RMAJOR, RMINOR, NAMESIZE, CHECK };

static bool
hex8(const uint8_t *p, uint32_t *out)
{
	uint32_t v = 0;

	for (size_t i = 0; i < 8; i++) {
		uint8_t c = p[i];
		uint32_t d = c >= '0' && c <= '9' ? (uint32_t)(c - '0')
		    : c >= 'A' && c <= 'F'	  ? (uint32_t)(c - 'A' + 10)
		    : c >= 'a' && c <= 'f'	  ? (uint32_t)(c - 'a' + 10)
						  : 16;
		if (d == 16)
			return false;
		v = v << 4 | d;
	}
	*out = v;
	return true;
}

/* Bytes up to a multiple of `to` from the archive's start, all zero. */
static enum dstack_status
pad(struct rd *r, size_t start, size_t to)
{
	size_t n = (to - (r->pos - start) % to) % to;
	const uint8_t *p;
	enum dstack_status st = rd_take(r, n, &p);

	for (size_t i = 0; st == DSTACK_OK && i < n; i++)
		if (p[i] != 0)
			st = DSTACK_E_FORMAT;
	return st;
}

/*
 * A name with no other way to write it. The kernel goes where "a/../init"
 * leads, so that two names that differ could be one file.
 */
static bool
plain(const char *name)
{
	for (;;) {
		size_t n = strcspn(name, "/");
		if (n == 0 || (name[0] == '.' &&
				  (n == 1 || (n == 2 && name[1] == '.'))))
			return false;
		if (name[n] == '\0')
			return true;
		name += n + 1;
	}
}

static enum dstack_status
entry(struct rd *r, size_t start, struct cpio_entry *e, bool *last)
{
	uint32_t f[FIELDS];
	const uint8_t *p;
	enum dstack_status st = rd_take(r, 6 + 8 * FIELDS, &p);

	if (st != DSTACK_OK)
		return st;
	if (memcmp(p, "070701", 6) != 0)
		return DSTACK_E_FORMAT;
	for (size_t i = 0; i < FIELDS; i++)
		if (!hex8(p + 6 + 8 * i, &f[i]))
			return DSTACK_E_FORMAT;
	/* With its NUL: one character at least. */
	if (f[NAMESIZE] < 2 || f[NAMESIZE] >= CPIO_PATH_MAX)
		return DSTACK_E_LIMIT;
	st = rd_take(r, f[NAMESIZE], &p);
	if (st != DSTACK_OK)
		return st;
	if (p[f[NAMESIZE] - 1] != '\0' ||
	    memchr(p, '\0', f[NAMESIZE] - 1) != NULL ||
	    !plain((const char *)p))
		return DSTACK_E_FORMAT;
	*last = strcmp((const char *)p, "TRAILER!!!") == 0;
	e->path[0] = '/';
	memcpy(e->path + 1, p, f[NAMESIZE]);
	e->mode = f[MODE];
	e->uid = f[UID];
	e->gid = f[GID];
	e->major = f[RMAJOR];
	e->minor = f[RMINOR];
	e->len = f[SIZE];
	if (*last ? f[SIZE] != 0
		  : (!S_ISDIR(f[MODE]) && f[NLINK] != 1) ||
		(!S_ISREG(f[MODE]) && !S_ISLNK(f[MODE]) && f[SIZE] != 0))
		return DSTACK_E_FORMAT;
	st = pad(r, start, 4);
	if (st == DSTACK_OK)
		st = rd_take(r, f[SIZE], &e->data);
	return st == DSTACK_OK ? pad(r, start, 4) : st;
}

enum dstack_status
cpio_read(const void *buf, size_t len,
    enum dstack_status (*each)(void *arg, const struct cpio_entry *e),
    void *arg, struct why *why)
{
	struct rd r = rd_over(buf, len);
	enum dstack_status st = DSTACK_OK;

	while (rd_left(&r) > 0) {
		size_t start = r.pos, at = 0;
		bool last = false;
		while (st == DSTACK_OK && !last) {
			struct cpio_entry e = { .len = 0 };
			at = r.pos;
			st = entry(&r, start, &e, &last);
			if (st != DSTACK_OK)
				break;
			if (!last)
				st = each(arg, &e);
			if (st != DSTACK_OK)
				return st; /* the caller knows why */
		}
		/* an archive ends at a multiple of 512 */
		if (st == DSTACK_OK)
			st = pad(&r, start, 512);
		if (st != DSTACK_OK)
			return why_set(why, st,
			    "no archive that the kernel would read as made, "
			    "at byte %zu", at);
	}
	return DSTACK_OK;
}

enum dstack_status
zstd_frame(const void *buf, size_t len, size_t *frame)
{
	static const size_t dict_size[] = { 0, 1, 2, 4 };
	static const size_t content_size[] = { 0, 2, 4, 8 };
	struct rd r = rd_over(buf, len);
	uint32_t magic;
	uint8_t d, b[3];
	enum dstack_status st = rd_u32le(&r, &magic);

	if (st == DSTACK_OK)
		st = rd_u8(&r, &d);
	if (st != DSTACK_OK)
		return st;
	/*
	 * No skippable frames, and the reserved bit is zero: the kernel stops
	 * at both.
	 */
	if (magic != 0xFD2FB528u || (d & 0x08) != 0)
		return DSTACK_E_FORMAT;
	bool single = (d & 0x20) != 0;
	size_t skip = (single ? 0u : 1u) + dict_size[d & 3] +
	    (d >> 6 == 0 && single ? 1 : content_size[d >> 6]);
	st = rd_skip(&r, skip);
	while (st == DSTACK_OK) {
		st = rd_copy(&r, b, 3);
		if (st != DSTACK_OK)
			break;
		uint32_t h = b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16;
		uint32_t type = h >> 1 & 3;
		/* Reserved. */
		if (type == 3)
			return DSTACK_E_FORMAT;
		st = rd_skip(&r, type == 1 ? 1 : h >> 3);
		if ((h & 1) != 0)
			break;
	}
	if (st == DSTACK_OK && (d & 0x04) != 0)
		st = rd_skip(&r, 4);
	if (st == DSTACK_OK)
		*frame = r.pos;
	return st;
}
