/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An image archive on this machine. A file is mapped, read as a node reads it
 * (digests, then the tree with every rule of the unpacker, but no file made),
 * and only then copied into host volumes, under the name that nodes look for,
 * first as .part and then renamed, so that no node ever reads half of it.
 */
#include "cli/app/archive.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/hex.h"
#include "host/base/files.h"

#define MAX_UNPACKED (16ull << 30)
#define PATH_LEN 700
#define PIECE ((size_t)8 << 20)

static enum dstack_status
open_image(struct archive *a, const uint8_t *want, struct why *why)
{
	enum dstack_status st =
	    oci_open(a->map, a->len, want, MAX_UNPACKED, &a->img, why);
	if (st == DSTACK_OK)
		st = oci_walk(a->img, NULL, &a->tree, why);
	if (st == DSTACK_OK)
		memcpy(a->digest, oci_digest(a->img), 32);
	return st;
}

/* The same for each service, and for all of them together. */
static enum dstack_status
open_bundle(struct archive *a, const uint8_t *want, struct why *why)
{
	struct bundle *b = calloc(1, sizeof(*b));
	if (b == NULL)
		return why_set(why, DSTACK_E_NOMEM, "no memory");
	enum dstack_status st =
	    bundle_open(a->map, a->len, want, MAX_UNPACKED, b, why);
	if (st != DSTACK_OK) {
		free(b);
		return st;
	}
	a->bundle = b;
	memcpy(a->digest, b->digest, 32);
	return bundle_walk(b, a->each, &a->tree, why);
}

enum dstack_status
archive_open(const char *path, const uint8_t *want, struct archive *out,
    struct why *why)
{
	struct stat s;
	AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	memset(out, 0, sizeof(*out));
	if (fd < 0 || fstat(fd, &s) != 0)
		return why_set(why, DSTACK_E_SYS, "%.150s: %s", path,
		    strerror(errno));
	if (!S_ISREG(s.st_mode) || s.st_size <= 0)
		return why_set(why, DSTACK_E_FORMAT,
		    "%.150s: empty, or no regular file", path);
	void *p = mmap(
	    NULL, (size_t)s.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (p == MAP_FAILED)
		return why_set(why, DSTACK_E_SYS, "%.150s: %s", path,
		    strerror(errno));
	/* The digests bind the config and the layers; the walk finds what no
	   digest can tell, such as a path that leads out of the image. */
	out->map = p;
	out->len = (size_t)s.st_size;
	enum dstack_status st = bundle_there(p, out->len, want)
	    ? open_bundle(out, want, why)
	    : open_image(out, want, why);
	if (st == DSTACK_OK)
		return st;
	archive_close(out);
	return why_wrap(why, st, "%.150s", path);
}

void
archive_close(struct archive *a)
{
	oci_free(a->img);
	if (a->bundle != NULL)
		bundle_free(a->bundle);
	free(a->bundle);
	if (a->map != NULL)
		(void)munmap(a->map, a->len);
	memset(a, 0, sizeof(*a));
}

static void
own_name(const uint8_t *digest, const char *dir, char out[static PATH_LEN])
{
	char hex[17];

	hex_encode(digest, 8, hex);
	(void)snprintf(out, PATH_LEN, "%s/app-%s.tar", dir, hex);
}

/* Piece by piece, so that whoever waits sees it go on. */
static enum dstack_status
copy(int fd, const struct archive *a,
    void (*copied)(void *ctx, size_t done, size_t len), void *ctx)
{
	enum dstack_status st = DSTACK_OK;

	for (size_t at = 0; at < a->len && st == DSTACK_OK;) {
		size_t n = a->len - at < PIECE ? a->len - at : PIECE;
		st = files_write(fd, (const char *)a->map + at, n);
		at += n;
		copied(ctx, at, a->len);
	}
	return st;
}

enum dstack_status
archive_give(const struct archive *a, const char *dir,
    void (*copied)(void *ctx, size_t done, size_t len), void *ctx,
    struct why *why)
{
	char path[PATH_LEN];
	char part[PATH_LEN + 8];

	own_name(a->digest, dir, path);
	/* a node may look at any moment, and then must see all of it or none */
	(void)snprintf(part, sizeof(part), "%s.part", path);
	AUTO_CLOSE int fd = open(part,
	    O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);
	if (fd >= 0 && copy(fd, a, copied, ctx) == DSTACK_OK &&
	    rename(part, path) == 0)
		return DSTACK_OK;
	enum dstack_status st = why_set(
	    why, DSTACK_E_SYS, "%.200s: %s", part, strerror(errno));
	(void)unlink(part);
	return st;
}

enum dstack_status
archive_there(
    const char *dir, const uint8_t digest[static 32], struct why *why)
{
	char path[PATH_LEN];
	char hex[65];
	AUTO_ARCHIVE struct archive a = { .map = NULL };

	/* in the order in which nodes look */
	own_name(digest, dir, path);
	if (archive_open(path, digest, &a, NULL) == DSTACK_OK)
		return DSTACK_OK;
	(void)snprintf(path, sizeof(path), "%s/app-example.tar", dir);
	if (archive_open(path, digest, &a, NULL) == DSTACK_OK)
		return DSTACK_OK;
	hex_encode(digest, 32, hex);
	return why_set(why, DSTACK_E_MISSING,
	    "%.100s holds no archive of 0x%s; bring it with: dstack app push",
	    dir, hex);
}
