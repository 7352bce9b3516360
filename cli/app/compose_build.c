/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dstack app build of a Compose file: one archive of all services.
 *
 * The file is read (compose.c); then each service's image is looked for, in
 * this order: what --image says of the service's name, what it says of the
 * image's name as it is written, and else that name as a path beside the
 * Compose file. A folder there becomes the root of an image, an archive is
 * opened and checked. Nothing is ever fetched: what goes into the archive is
 * on this machine already. "NAME@sha256:HEX" at the end of a path says which
 * image, where an archive holds several.
 *
 * The digests that were found complete the manifest, and the archive is
 * written beside its place. Before it gets its name it is read as a node
 * reads it, every layer and every tree, so that what a node would refuse is
 * refused here.
 */
#include "cli/app/build.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/hex.h"
#include "base/own.h"
#include "cli/app/archive.h"
#include "cli/app/compose.h"
#include "cli/cmd.h"
#include "host/base/files.h"

#define MAX_UNPACKED (16ull << 30)

/* One service's image and the bytes that it lies in. */
struct source {
	void *map; /* of a file; or NULL */
	size_t len;
	struct wr made; /* of a folder */
	struct oci_image *img;
};

struct making {
	const struct build_compose *b;
	struct compose c;
	int dir; /* that the Compose file is in */
	struct source src[MANIFEST_SERVICES];
	struct why *why;
};

static void
making_free(struct making *k)
{
	for (size_t i = 0; i < MANIFEST_SERVICES; i++) {
		struct source *s = &k->src[i];
		oci_free(s->img);
		if (s->map != NULL)
			(void)munmap(s->map, s->len);
		wr_free(&s->made);
	}
	compose_free(&k->c);
	if (k->dir >= 0)
		(void)close(k->dir);
}
#define AUTO_MAKING OWN_CLEANUP(making_free)

/* What --image says of a name; NULL: nothing. */
static const char *
told(const struct build_compose *b, const char *name)
{
	const size_t n = strlen(name);
	for (size_t i = 0; i < b->nimages; i++)
		if (strncmp(b->image[i], name, n) == 0 &&
		    b->image[i][n] == '=')
			return b->image[i] + n + 1;
	return NULL;
}

/* Paths of the Compose file are beside it, those of --image are not. */
static enum dstack_status
env_file(void *ctx, const char *path, void **text, size_t *n, struct why *why)
{
	const struct making *k = ctx;
	return build_read(k->dir, path, text, n, why);
}

static enum dstack_status
map_file(int at, const char *path, struct source *s, struct why *why)
{
	struct stat is;
	AUTO_CLOSE int fd = openat(at, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0 || fstat(fd, &is) != 0)
		return why_set(why, DSTACK_E_SYS, "%.150s: %s", path,
		    strerror(errno));
	if (!S_ISREG(is.st_mode) || is.st_size <= 0)
		return why_set(why, DSTACK_E_FORMAT,
		    "%.150s: empty, or no regular file", path);
	void *p = mmap(
	    NULL, (size_t)is.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (p == MAP_FAILED)
		return why_set(why, DSTACK_E_SYS, "%.150s: %s", path,
		    strerror(errno));
	s->map = p;
	s->len = (size_t)is.st_size;
	return DSTACK_OK;
}

/* A folder has no config; how it is run the Compose file says. */
static enum dstack_status
from_folder(int at, const char *path, struct source *s, struct why *why)
{
	char self[64];
	uint8_t digest[32];
	struct oci_config none;
	AUTO_CLOSE int fd = openat(at, path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return why_set(why, DSTACK_E_SYS, "%.150s: %s", path,
		    strerror(errno));
	(void)snprintf(self, sizeof(self), "/proc/self/fd/%d", fd);
	enum dstack_status st = oci_config_parse("{}", 2, &none, why);
	if (st != DSTACK_OK)
		return st;
	st = build_folder(self, &none, NULL, &s->made, digest, why);
	oci_config_free(&none);
	if (st == DSTACK_OK)
		st = oci_open(s->made.buf, s->made.len, digest, MAX_UNPACKED,
		    &s->img, why);
	return st;
}

/* "…@sha256:HEX" is cut off and read; false: there is a digest that is none. */
static bool
digest_of(char *path, uint8_t digest[static 32], bool *named)
{
	char *at = strstr(path, "@sha256:");
	*named = at != NULL;
	if (at == NULL)
		return true;
	*at = '\0';
	return strlen(at + 8) == 64 &&
	    hex_decode(at + 8, 64, digest, 32) == DSTACK_OK;
}

static enum dstack_status
find_image(struct making *k, unsigned i)
{
	struct manifest_service *m = &k->c.m.service[i];
	struct source *s = &k->src[i];
	uint8_t digest[32];
	bool named = false;
	struct stat is;
	int at = AT_FDCWD;
	const char *said = told(k->b, m->name);
	if (said == NULL && k->c.image[i] != NULL)
		said = told(k->b, k->c.image[i]);
	if (said == NULL) {
		at = k->dir;
		said = k->c.image[i];
	}
	AUTO_FREE char *path = said != NULL ? strdup(said) : NULL;
	if (path == NULL || !digest_of(path, digest, &named) ||
	    fstatat(at, path, &is, 0) != 0)
		return why_set(k->why, DSTACK_E_REJECTED,
		    "%.60s:%zu: service %s: no archive or folder %.60s; nothing "
		    "is fetched, name it with --image %s=FILE", k->b->file,
		    k->c.line[i], m->name, said != NULL ? said : "named",
		    m->name);
	enum dstack_status st;
	if (S_ISDIR(is.st_mode)) {
		st = from_folder(at, path, s, k->why);
	} else {
		st = map_file(at, path, s, k->why);
		if (st == DSTACK_OK)
			st = oci_open(s->map, s->len, named ? digest : NULL,
			    MAX_UNPACKED, &s->img, k->why);
	}
	if (st != DSTACK_OK)
		return why_wrap(k->why, st, "service %s: %.80s", m->name, path);
	memcpy(m->image, oci_digest(s->img), 32);
	return DSTACK_OK;
}

static enum dstack_status
to_file(void *ctx, const void *p, size_t n, struct why *why)
{
	const int *fd = ctx;
	return files_write(*fd, p, n) == DSTACK_OK
	    ? DSTACK_OK
	    : why_set(why, DSTACK_E_SYS, "the archive cannot be written: %s",
		  strerror(errno));
}

/* Into tmp, and then as a node would read it. */
static enum dstack_status
write_checked(struct making *k, const char *tmp, uint8_t digest[static 32])
{
	AUTO_FREE char *text = NULL;
	AUTO_ARCHIVE struct archive a = { .map = NULL };
	struct oci_image *image[MANIFEST_SERVICES];
	int fd = open(tmp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	if (fd < 0)
		return why_set(k->why, DSTACK_E_SYS, "%.150s: %s", tmp,
		    strerror(errno));
	for (size_t i = 0; i < MANIFEST_SERVICES; i++)
		image[i] = k->src[i].img;
	enum dstack_status st = manifest_write(&k->c.m, &text, k->why);
	if (st == DSTACK_OK)
		st = bundle_build(text, image, to_file, &fd, digest, k->why);
	if (close(fd) != 0 && st == DSTACK_OK)
		st = why_set(k->why, DSTACK_E_SYS, "%.150s: %s", tmp,
		    strerror(errno));
	return st == DSTACK_OK ? archive_open(tmp, digest, &a, k->why) : st;
}

/* The folder of the Compose file, and what the file says. */
static enum dstack_status
read_compose(struct making *k)
{
	AUTO_FREE void *text = NULL;
	AUTO_FREE char *dir = strdup(k->b->file);
	size_t n = 0;
	char *slash = dir != NULL ? strrchr(dir, '/') : NULL;
	if (dir == NULL)
		return why_set(k->why, DSTACK_E_NOMEM, "no memory");
	if (slash != NULL)
		slash[slash == dir ? 1 : 0] = '\0';
	k->dir = open(slash != NULL ? dir : ".",
	    O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (k->dir < 0)
		return why_set(k->why, DSTACK_E_SYS, "%.150s: %s", dir,
		    strerror(errno));
	enum dstack_status st =
	    build_read(AT_FDCWD, k->b->file, &text, &n, k->why);
	return st == DSTACK_OK
	    ? compose_parse(k->b->file, text, n, k->b->var, k->b->nvars,
		  env_file, k, &k->c, k->why)
	    : st;
}

int
app_build_compose(const struct build_compose *b)
{
	struct why why = { "" };
	AUTO_MAKING struct making k = { .b = b, .dir = -1, .why = &why };
	AUTO_FREE char *tmp = NULL;
	uint8_t digest[32];
	char hex[65];
	enum dstack_status st = read_compose(&k);
	for (unsigned i = 0; st == DSTACK_OK && i < k.c.m.nservices; i++)
		st = find_image(&k, i);
	if (st == DSTACK_OK && asprintf(&tmp, "%s.part", b->out) < 0)
		st = why_set(&why, DSTACK_E_NOMEM, "no memory");
	if (st == DSTACK_OK) {
		st = write_checked(&k, tmp, digest);
		if (st == DSTACK_OK && rename(tmp, b->out) != 0)
			st = why_set(&why, DSTACK_E_SYS, "%.150s: %s", b->out,
			    strerror(errno));
		if (st != DSTACK_OK)
			(void)unlink(tmp);
	}
	if (st != DSTACK_OK)
		return cmd_fail("app build", st, &why);
	hex_encode(digest, 32, hex);
	(void)printf("0x%s\n", hex);
	return EXIT_YES;
}
