/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is in an image, by its own bytes, against what its manifest says: the
 * parts, and every entry that the kernel would unpack from the initramfs.
 *
 * The manifest only claims. Its hashes of lock file and sources say which
 * inputs to hold the image against; then each part is hashed; then the
 * initramfs is taken apart frame by frame and archive by archive as the
 * kernel does it. Each entry has to be one of the manifest's, with its mode,
 * size and hash, and each of the manifest's has to come once. What is behind
 * the last archive, a second entry of one name, or a frame that the kernel
 * would read and a tool would skip, is where something could hide, and is
 * refused. Modes are judged at the same time:
 * all is root's, nothing setuid, only sticky folders are open to all.
 */
#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/hex.h"
#include "cli/image/audit.h"
#include "cli/image/deb.h"
#include "crypto/hash.h"
#include "cli/image/cpio.h"

#define UNPACKED_MAX (512u << 20)

static const char *
text(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s != NULL ? s : "";
}

/* --- the tree ------------------------------------------------------------- */

struct tree {
	char *paths[AUDIT_FILES_MAX];
	size_t n;
};
static struct tree *walk_into; /* nftw hands no argument on */

static int
walk(const char *path, const struct stat *sb, int type, struct FTW *at)
{
	(void)sb;
	(void)at;
	if (type != FTW_F)
		return 0;
	if (walk_into->n == AUDIT_FILES_MAX ||
	    (walk_into->paths[walk_into->n] = strdup(path)) == NULL)
		return 1;
	walk_into->n++;
	return 0;
}

static int
by_path(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/*
 * SHA-256 over "HASH  PATH" lines, sorted, of the files that the build copies
 * into its root: what image/inside writes as "tree". Without the lock file,
 * which may be one of another day and has its own line.
 */
static enum dstack_status
tree_hash(char out[static 65], struct why *why)
{
	static const char *const dirs[] = { "Makefile", "Makefile.beacon",
		"guest", "image", "include", "lib", "tools/blst",
		"tools/fetch-blst" };
	struct tree *t = calloc(1, sizeof(*t));
	struct hasher *h = hasher_new(HASHER_SHA256);
	uint8_t digest[32];
	enum dstack_status st = t != NULL ? DSTACK_OK : DSTACK_E_NOMEM;

	walk_into = t;
	for (size_t i = 0;
	     st == DSTACK_OK && i < sizeof(dirs) / sizeof(dirs[0]); i++)
		if (nftw(dirs[i], walk, 16, FTW_PHYS) != 0)
			st = why_set(why, DSTACK_E_MISSING,
			    "%s: not there, or too many files; run it at the "
			    "top of the source tree (tools/fetch-blst fetches "
			    "tools/blst)", dirs[i]);
	if (st == DSTACK_OK)
		qsort(t->paths, t->n, sizeof(t->paths[0]), by_path);
	for (size_t i = 0; t != NULL && i < t->n; i++) {
		char line[PATH_LEN + 80], sum[65];
		AUTO_MAP struct mapped m = { NULL, 0 };
		const bool counts = strcmp(t->paths[i], LOCK_PATH) != 0;
		if (st == DSTACK_OK && counts)
			st = map_open(t->paths[i], &m, why);
		if (st == DSTACK_OK && counts) {
			map_sum(&m, sum);
			int n = snprintf(line, sizeof(line), "%s  %.*s\n", sum,
			    PATH_LEN, t->paths[i]);
			hasher_update(h, line, (size_t)n);
		}
		free(t->paths[i]);
	}
	hasher_final(h, digest);
	hex_encode(digest, 32, out);
	free(t);
	return st;
}

/*
 * Lock file and sources of the tree that the auditor stands in: an image of
 * another commit is told as that, before anything is compared.
 */
static void
check_inputs(struct audit *a, const json_t *manifest)
{
	struct why why = { "" };
	char tree[65];
	enum dstack_status st = tree_hash(tree, &why);

	if (st != DSTACK_OK)
		audit_say(a, "inputs", st, "%s", why.text);
	else if (text(manifest, "relocked")[0] != '\0' && !a->relocked)
		audit_say(a, "inputs", DSTACK_E_REJECTED,
		    "relocked: made from packages of %.8s, not from this "
		    "tree's lock file; --relocked holds it against " LOCK_TODAY,
		    text(manifest, "relocked"));
	else if (strcmp(text(manifest, "lock"), a->lock.hash) != 0)
		audit_say(a, "inputs", DSTACK_E_REJECTED,
		    "made from the lock file %.16s, this tree has %.16s",
		    text(manifest, "lock"), a->lock.hash);
	else if (strcmp(text(manifest, "tree"), tree) != 0)
		audit_say(a, "inputs", DSTACK_E_REJECTED,
		    "made from the sources %.16s, this tree is %.16s",
		    text(manifest, "tree"), tree);
	else
		audit_say(a, "inputs", DSTACK_OK,
		    "it claims lock file %.16s and sources %.16s: this tree",
		    a->lock.hash, tree);
}

/* --- parts ---------------------------------------------------------------- */

static enum dstack_status
part(const char *dir, const json_t *o, const char *name, struct why *why)
{
	char path[PATH_LEN], sum[65], sum384[97];
	uint8_t h[48];
	AUTO_MAP struct mapped m = { NULL, 0 };

	if (strcmp(text(o, "name"), name) != 0)
		return why_set(why, DSTACK_E_REJECTED,
		    "manifest.json does not name %s in its place", name);
	(void)snprintf(path, sizeof(path), "%.600s/%s", dir, name);
	enum dstack_status st = map_open(path, &m, why);
	if (st != DSTACK_OK)
		return st;
	map_sum(&m, sum);
	sha384(m.p, m.len, h);
	hex_encode(h, 48, sum384);
	if (strcmp(sum, text(o, "sha256")) != 0 ||
	    strcmp(sum384, text(o, "sha384")) != 0 ||
	    json_integer_value(json_object_get(o, "size")) !=
		(json_int_t)m.len)
		return why_set(why, DSTACK_E_REJECTED,
		    "%s is not the file that manifest.json names", name);
	return DSTACK_OK;
}

/*
 * Hashes of the files as they are: the manifest is a claim, and this is what it
 * is held against.
 */
static void
check_parts(struct audit *a, const char *dir, const json_t *manifest)
{
	static const char *const names[] = { "vmlinuz", "initramfs.cpio.zst",
		"cmdline" };
	const json_t *parts = json_object_get(manifest, "parts");
	struct why why = { "" };
	enum dstack_status st = json_array_size(parts) == 3
	    ? DSTACK_OK
	    : why_set(&why, DSTACK_E_REJECTED,
		  "manifest.json does not name three parts");

	for (size_t i = 0; st == DSTACK_OK && i < 3; i++)
		st = part(dir, json_array_get(parts, i), names[i], &why);
	if (st == DSTACK_OK)
		st = part(dir, json_object_get(manifest, "config"),
		    "kernel.config", &why);
	if (st != DSTACK_OK)
		audit_say(a, "parts", st, "%s", why.text);
	else
		audit_say(a, "parts", st,
		    "kernel, initramfs, command line and kernel.config are "
		    "those of the manifest");
}

/* --- the initramfs -------------------------------------------------------- */

struct contents {
	const json_t *files; /* of the manifest */
	bool seen[AUDIT_FILES_MAX];
	size_t entries, executables;
	json_t *executable, *setuid, *writable, *devices;
	struct why why;   /* first that the manifest does not have so */
	struct why mode;  /* first that may not be so */
};

static bool
same(const json_t *o, const struct cpio_entry *e)
{
	char mode[8], sum[65], device[32];
	uint8_t h[32];
	const char *type = text(o, "type");

	(void)snprintf(mode, sizeof(mode), "%04o", e->mode & 07777);
	(void)snprintf(
	    device, sizeof(device), "%u:%u", e->major, e->minor);
	if (S_ISLNK(e->mode))
		return strcmp(type, "link") == 0 &&
		    strlen(text(o, "target")) == e->len &&
		    memcmp(text(o, "target"), e->data, e->len) == 0;
	if (strcmp(text(o, "mode"), mode) != 0)
		return false;
	if (S_ISDIR(e->mode))
		return strcmp(type, "dir") == 0;
	if (S_ISCHR(e->mode))
		return strcmp(type, "char") == 0 &&
		    strcmp(text(o, "device"), device) == 0;
	sha256(e->data, e->len, h);
	hex_encode(h, 32, sum);
	return S_ISREG(e->mode) && strcmp(type, "file") == 0 &&
	    json_integer_value(json_object_get(o, "size")) ==
	    (json_int_t)e->len &&
	    strcmp(text(o, "sha256"), sum) == 0;
}

static void
list(json_t *to, const struct cpio_entry *e)
{
	char line[CPIO_PATH_MAX + 40];

	if (S_ISREG(e->mode))
		(void)snprintf(line, sizeof(line), "%04o %9zu %s",
		    e->mode & 07777, e->len, e->path);
	else
		(void)snprintf(
		    line, sizeof(line), "%04o %s", e->mode & 07777, e->path);
	(void)json_array_append_new(to, json_string(line));
}

/* Who may do what with it. */
static void
inventory(struct contents *c, const struct cpio_entry *e)
{
	bool dir = S_ISDIR(e->mode);

	if (e->uid != 0 || e->gid != 0)
		(void)why_set(&c->mode, DSTACK_E_REJECTED,
		    "%s belongs to %u:%u, not to root", e->path, e->uid,
		    e->gid);
	if (S_ISCHR(e->mode) || S_ISBLK(e->mode)) {
		list(c->devices, e);
		return;
	}
	if (S_ISLNK(e->mode))
		return;
	if (!dir && ((e->mode & 0111) != 0 ||
			(e->len > 4 && memcmp(e->data, "\177ELF", 4) == 0)))
		list(c->executable, e);
	if ((e->mode & (S_ISUID | S_ISGID)) != 0) {
		list(c->setuid, e);
		(void)why_set(&c->mode, DSTACK_E_REJECTED,
		    "%s is setuid or setgid", e->path);
	}
	if ((e->mode & 0022) != 0) {
		list(c->writable, e);
		if (!dir || (e->mode & S_ISVTX) == 0)
			(void)why_set(&c->mode, DSTACK_E_REJECTED,
			    "%s can be written by others than root", e->path);
	}
}

static enum dstack_status
entry(void *arg, const struct cpio_entry *e)
{
	struct contents *c = arg;
	size_t i;
	json_t *o;

	c->entries++;
	inventory(c, e);
	json_array_foreach (c->files, i, o) {
		if (i >= AUDIT_FILES_MAX || strcmp(text(o, "path"), e->path) != 0)
			continue;
		/* The kernel takes the last, a reader the first. */
		if (c->seen[i])
			return why_set(&c->why, DSTACK_E_REJECTED,
			    "%s is in the initramfs twice", e->path);
		c->seen[i] = true;
		if (!same(o, e))
			return why_set(&c->why, DSTACK_E_REJECTED,
			    "%s in the initramfs is not the file that "
			    "manifest.json names", e->path);
		return DSTACK_OK;
	}
	return why_set(&c->why, DSTACK_E_REJECTED,
	    "%s is in the initramfs and not in manifest.json", e->path);
}

/* Frame by frame, as the kernel goes through them. */
static enum dstack_status
initramfs(const struct mapped *m, struct contents *c)
{
	size_t pos = 0;

	while (pos < m->len) {
		AUTO_FREE char *cpio = NULL;
		size_t frame = 0, n = 0;
		enum dstack_status st =
		    zstd_frame(m->p + pos, m->len - pos, &frame);
		if (st != DSTACK_OK)
			return why_set(&c->why, DSTACK_E_REJECTED,
			    "initramfs.cpio.zst: no Zstandard frame at byte "
			    "%zu", pos);
		st = unpack_bytes(
		    m->p + pos, frame, UNPACKED_MAX, &cpio, &n, &c->why);
		if (st == DSTACK_OK)
			st = cpio_read(cpio, n, entry, c, &c->why);
		if (st != DSTACK_OK)
			return DSTACK_E_REJECTED;
		pos += frame;
	}
	return DSTACK_OK;
}

static void
check_files(struct audit *a, const char *dir, const json_t *manifest,
    struct contents *c)
{
	char path[PATH_LEN];
	AUTO_MAP struct mapped m = { NULL, 0 };
	size_t i;
	json_t *o;

	c->files = json_object_get(manifest, "files");
	(void)snprintf(path, sizeof(path), "%.600s/initramfs.cpio.zst", dir);
	enum dstack_status st = map_open(path, &m, &c->why);
	if (st == DSTACK_OK)
		st = initramfs(&m, c);
	json_array_foreach (c->files, i, o) {
		if (st != DSTACK_OK)
			break;
		if (i >= AUDIT_FILES_MAX || !c->seen[i])
			st = why_set(&c->why, DSTACK_E_REJECTED,
			    "%s is in manifest.json and not in the initramfs",
			    text(o, "path"));
	}
	if (st != DSTACK_OK)
		audit_say(a, "files", st, "%s", c->why.text);
	else
		audit_say(a, "files", st,
		    "the initramfs has the %zu entries of the manifest",
		    c->entries);
	if (c->mode.text[0] != '\0')
		audit_say(a, "modes", DSTACK_E_REJECTED, "%s", c->mode.text);
	else if (st == DSTACK_OK)
		audit_say(a, "modes", st,
		    "%zu executables, no setuid; writable by others: %zu, all "
		    "sticky directories; %zu devices",
		    json_array_size(c->executable),
		    json_array_size(c->writable), json_array_size(c->devices));
}

void
audit_contents(struct audit *a, const char *dir, json_t **manifest,
    json_t *about)
{
	char path[PATH_LEN];
	json_error_t e;
	struct contents *c = calloc(1, sizeof(*c));

	(void)snprintf(path, sizeof(path), "%.600s/manifest.json", dir);
	*manifest = json_load_file(path, JSON_REJECT_DUPLICATES, &e);
	if (*manifest == NULL || c == NULL ||
	    json_integer_value(json_object_get(*manifest, "manifest")) != 2) {
		audit_say(a, "parts", DSTACK_E_REJECTED,
		    "%.200s: no manifest of this version", path);
		free(c);
		json_decref(*manifest);
		*manifest = NULL;
		return;
	}
	(void)json_object_set_new(
	    about, "executable", c->executable = json_array());
	(void)json_object_set_new(about, "setuid", c->setuid = json_array());
	(void)json_object_set_new(
	    about, "writable", c->writable = json_array());
	(void)json_object_set_new(about, "devices", c->devices = json_array());
	check_inputs(a, *manifest);
	check_parts(a, dir, *manifest);
	check_files(a, dir, *manifest, c);
	free(c);
}

/* --- rebuild ------------------------------------------------------------- */

/* The first entry that two manifests do not have alike. */
static void
point_at(const char *dir, const char *other, struct why *out)
{
	char pa[PATH_LEN], pb[PATH_LEN];

	(void)snprintf(pa, sizeof(pa), "%.600s/manifest.json", dir);
	(void)snprintf(pb, sizeof(pb), "%.600s/manifest.json", other);
	json_t *ja = json_load_file(pa, 0, NULL);
	json_t *jb = json_load_file(pb, 0, NULL);
	const json_t *a = json_object_get(ja, "files");
	const json_t *b = json_object_get(jb, "files");
	size_t i;
	json_t *o;

	json_array_foreach (a, i, o) {
		const json_t *p = NULL;
		for (size_t k = 0; k < json_array_size(b) && p == NULL; k++)
			if (strcmp(text(json_array_get(b, k), "path"),
				text(o, "path")) == 0)
				p = json_array_get(b, k);
		if (p == NULL || json_equal(p, o) == 0) {
			(void)why_set(out, DSTACK_OK, ", first %s%s",
			    text(o, "path"),
			    p == NULL ? ", which these sources do not make"
				      : "");
			break;
		}
	}
	json_decref(ja);
	json_decref(jb);
}

void
audit_rebuild(struct audit *a, const char *dir, const char *rebuilt,
    const char *flavour)
{
	static const char *const names[] = { "vmlinuz", "initramfs.cpio.zst",
		"cmdline", "kernel.config", "manifest.json" };
	char other[PATH_LEN], pa[PATH_LEN], pb[PATH_LEN];
	struct why why = { "" };

	(void)snprintf(other, sizeof(other), "%.500s/%.20s", rebuilt, flavour);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		AUTO_MAP struct mapped ma = { NULL, 0 };
		AUTO_MAP struct mapped mb = { NULL, 0 };
		(void)snprintf(pa, sizeof(pa), "%.600s/%s", dir, names[i]);
		(void)snprintf(pb, sizeof(pb), "%.600s/%s", other, names[i]);
		enum dstack_status st = map_open(pb, &mb, &why);
		if (st == DSTACK_OK)
			st = map_open(pa, &ma, &why);
		if (st != DSTACK_OK) {
			audit_say(a, "rebuild", st, "%s", why.text);
			return;
		}
		if (ma.len == mb.len && memcmp(ma.p, mb.p, ma.len) == 0)
			continue;
		point_at(dir, other, &why);
		audit_say(a, "rebuild", DSTACK_E_REJECTED,
		    "the inputs that %s/%s claims make another %s%s", flavour,
		    "manifest.json", names[i], why.text);
		return;
	}
	audit_say(a, "rebuild", DSTACK_OK,
	    "built anew from the locked inputs alone: the same bytes");
}
