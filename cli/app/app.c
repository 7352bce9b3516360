/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dstack app: make archives that guests run, and look into them.
 *
 * build takes a folder as it lies there: files, folders and symlinks, in the
 * order of their names' bytes, so that two machines make the same archive of
 * the same tree. Names are bytes and are not judged; owners and times are not
 * taken over, as they differ from machine to machine. Sockets, FIFOs and
 * devices are refused. inspect reads an archive as a node does (archive.c)
 * and says what a node will make of it. push and rollback are in push.c.
 */
#include "cli/cmd.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/hex.h"
#include "base/own.h"
#include "cli/app/archive.h"
#include "cli/app/look.h"
#include "cli/demo/network.h"
#include "cli/usage.h"

#define MAX_FILES 100000

static const struct usage uses[] = {
	{ "app build",
	    "dstack app build DIR -o FILE [--config FILE] [--tag NAME:TAG]\n"
	    "           an archive as `docker save` makes it, from a folder that\n"
	    "           becomes the root; --config: JSON with Entrypoint, Cmd, Env,\n"
	    "           User, WorkingDir, ExposedPorts, StopSignal, Volumes,\n"
	    "           Labels",
	    "config tag", "o:" },
	{ "app inspect",
	    "dstack app inspect FILE [--digest HEX] [--json]\n"
	    "           check an archive whole and print the digest that the\n"
	    "           contract names",
	    "digest json", NULL },
	{ "app push",
	    "dstack app push [FILE] [--name NAME] [--config FILE]...\n"
	    "           [--key-file FILE] [--dir DIR] [--no-wait]\n"
	    "           [--timeout SECONDS] [--json]\n"
	    "           check the archive (default " APP_PUSH_FILE "),\n"
	    "           copy it into the host volume, propose it as the next\n"
	    "           version, and wait until every node that runs serves it",
	    NULL, NULL },
	{ "app rollback",
	    "dstack app rollback [--config FILE]... [--key-file FILE]\n"
	    "           [--dir DIR] [--no-wait] [--timeout SECONDS] [--json]\n"
	    "           propose what ran before as the next version, and wait",
	    "config key-file dir no-wait timeout json", NULL },
	{ "app status",
	    "dstack app status [--config FILE]... [--dir DIR] [--json]\n"
	    "           which version the contract wants, which one each node\n"
	    "           serves, and why not; exit 1 where one does not serve it",
	    "config dir json", NULL },
	{ NULL, NULL, NULL, NULL },
};

static const char push_options[] =
    "options of push, rollback and status:\n"
    "  --config FILE    a node's host.env; again for each further node\n"
    "  --key-file FILE  the contract owner's key (default PRIVKEY)\n"
    "  --dir DIR        a network kept by dstack demo, instead of --config\n"
    "  --no-wait        of push and rollback: the proposal is enough\n"
    "  --timeout SECS   to wait after the notice (default 900)\n"
    "  --json           what was proposed, as JSON\n"
    "With neither: the network of " DEMO_DIR " when it runs, else host.env.";

struct tree {
	struct oci_file *v;
	size_t n;
	struct why *why;
};

static void
tree_free(struct tree *t)
{
	for (size_t i = 0; i < t->n; i++) {
		free((void *)(uintptr_t)t->v[i].path);
		free((void *)(uintptr_t)t->v[i].target);
		free((void *)(uintptr_t)t->v[i].data);
	}
	free(t->v);
}
#define AUTO_TREE OWN_CLEANUP(tree_free)

static enum dstack_status
sys(struct why *why, const char *path)
{
	return why_set(why, DSTACK_E_SYS, "%.150s: %s", path, strerror(errno));
}

/* Whole file into memory; max 0: no bound. */
static enum dstack_status
slurp(int at, const char *name, void **out, size_t *n, struct why *why)
{
	AUTO_CLOSE int fd = openat(at, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	struct stat s;
	if (fd < 0 || fstat(fd, &s) != 0)
		return sys(why, name);
	AUTO_FREE char *p = malloc((size_t)s.st_size + 1);
	if (p == NULL)
		return why_set(why, DSTACK_E_NOMEM, "%.150s: no memory", name);
	size_t got = 0;
	while (got < (size_t)s.st_size) {
		ssize_t r = read(fd, p + got, (size_t)s.st_size - got);
		if (r < 0)
			return sys(why, name);
		if (r == 0)
			break;
		got += (size_t)r;
	}
	*n = got;
	*out = take_ptr(&p);
	return DSTACK_OK;
}

/*
 * One name of the folder as an entry of the archive. Of its mode only whether
 * it can be run is kept: the rest is the umask's of whoever made the folder,
 * and would make another digest. path is t's from here on, also on failure.
 */
static enum dstack_status
one(struct tree *t, int dir, const char *name, char *path)
{
	struct oci_file f = { .path = path };
	void *data = NULL;
	char *target = NULL;
	struct stat s;
	enum dstack_status st = DSTACK_OK;
	if (fstatat(dir, name, &s, AT_SYMLINK_NOFOLLOW) != 0)
		st = sys(t->why, path);
	else if (S_ISDIR(s.st_mode)) /* whatever the umask was here */
		f = (struct oci_file){ .path = path, .kind = OCI_DIR,
			.mode = 0755 };
	else if (S_ISREG(s.st_mode)) {
		f.kind = OCI_FILE;
		f.mode = (s.st_mode & 0100) != 0 ? 0755 : 0644;
		st = slurp(dir, name, &data, &f.size, t->why);
		f.data = data;
	} else if (S_ISLNK(s.st_mode)) {
		char to[OCI_MAX_PATH + 1];
		ssize_t n = readlinkat(dir, name, to, sizeof(to) - 1);
		to[n > 0 ? n : 0] = '\0';
		f.kind = OCI_SYMLINK;
		f.mode = 0777;
		target = strdup(to);
		f.target = target;
		if (target == NULL)
			st = why_set(t->why, DSTACK_E_NOMEM, "no memory");
	} else {
		st = why_set(t->why, DSTACK_E_REJECTED,
		    "%.150s: no file, folder or link", path);
	}
	if (st == DSTACK_OK && t->n % 256 == 0) {
		struct oci_file *v =
		    reallocarray(t->v, t->n + 256, sizeof(*v));
		if (v == NULL || t->n > MAX_FILES)
			st = why_set(t->why, DSTACK_E_LIMIT, "too many files");
		if (v != NULL)
			t->v = v;
	}
	if (st != DSTACK_OK) {
		free(path);
		free(target);
		free(data);
		return st;
	}
	t->v[t->n++] = f;
	return DSTACK_OK;
}

/* A folder's entries in byte order of their names, each before its own. */
static enum dstack_status
walk(struct tree *t, int dir, const char *prefix, int depth)
{
	struct dirent **names = NULL;
	char self[32];
	(void)snprintf(self, sizeof(self), "/proc/self/fd/%d", dir);
	int n = depth > OCI_MAX_DEPTH ? -1 : scandir(self, &names, NULL, NULL);
	if (n < 0)
		return sys(t->why, prefix);
	enum dstack_status st = DSTACK_OK;
	for (int i = 1; i < n; i++) { /* by bytes, whatever the locale says */
		struct dirent *x = names[i];
		int k = i;
		for (; k > 0 && strcmp(names[k - 1]->d_name, x->d_name) > 0; k--)
			names[k] = names[k - 1];
		names[k] = x;
	}
	for (int i = 0; i < n; i++) {
		const char *name = names[i]->d_name;
		char *path = NULL;
		if (st != DSTACK_OK || strcmp(name, ".") == 0 ||
		    strcmp(name, "..") == 0)
			continue;
		if (asprintf(&path, "%s%s%s", prefix,
			prefix[0] != '\0' ? "/" : "", name) < 0) {
			st = why_set(t->why, DSTACK_E_NOMEM, "no memory");
			continue;
		}
		st = one(t, dir, name, path);
		if (st != DSTACK_OK || t->v[t->n - 1].kind != OCI_DIR)
			continue;
		AUTO_CLOSE int sub = openat(
		    dir, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
		st = sub < 0 ? sys(t->why, path)
			     : walk(t, sub, path, depth + 1);
	}
	for (int i = 0; i < n; i++)
		free(names[i]);
	free(names);
	return st;
}

/* Whole or not at all: a node may look into the folder that it goes to. */
static enum dstack_status
write_file(const char *name, const struct wr *w, struct why *why)
{
	AUTO_FREE char *tmp = NULL;
	if (asprintf(&tmp, "%s.part", name) < 0)
		return why_set(why, DSTACK_E_NOMEM, "no memory");
	AUTO_CLOSE int fd =
	    open(tmp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	if (fd < 0)
		return sys(why, tmp);
	for (size_t done = 0; done < w->len;) {
		ssize_t n = write(fd, w->buf + done, w->len - done);
		if (n < 0)
			return sys(why, tmp);
		done += (size_t)n;
	}
	return rename(tmp, name) == 0 ? DSTACK_OK : sys(why, name);
}

static int
build(const char *dir, const char *out, const char *config, const char *tag)
{
	struct why why = { "" };
	AUTO_TREE struct tree t = { .why = &why };
	AUTO_WR struct wr w = wr_new(0);
	AUTO_FREE void *json = NULL;
	struct oci_config c;
	uint8_t digest[32];
	char hex[65];
	size_t n = 0;
	AUTO_CLOSE int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return cmd_fail("app build", sys(&why, dir), &why);
	enum dstack_status st = walk(&t, fd, "", 1);
	if (st == DSTACK_OK && config != NULL)
		st = slurp(AT_FDCWD, config, &json, &n, &why);
	if (st == DSTACK_OK)
		st = oci_config_parse(
		    json != NULL ? json : "{}", json != NULL ? n : 2, &c, &why);
	if (st != DSTACK_OK)
		return cmd_fail("app build", st, &why);
	st = oci_build(t.v, t.n, &c, tag, &w, digest, &why);
	oci_config_free(&c);
	if (st == DSTACK_OK)
		st = write_file(out, &w, &why);
	if (st != DSTACK_OK)
		return cmd_fail("app build", st, &why);
	hex_encode(digest, 32, hex);
	(void)printf("0x%s\n", hex);
	return EXIT_YES;
}

static json_t *
texts(char *const *v, size_t n)
{
	json_t *j = json_array();
	for (size_t i = 0; i < n; i++)
		(void)json_array_append_new(j, json_string(v[i]));
	return j;
}

/* What a node will make other than the image has it, a line each. */
static void
remarks(const struct oci_config *c, const struct oci_tree *t, json_t *out)
{
	if (c->port == 0)
		(void)json_array_append_new(out,
		    json_sprintf("the port is seen at the start: of %s that it "
				 "listens on, one that answers HTTP; the label "
				 "dstack.port names one", c->nexposed != 0
			? "the EXPOSEd ones" : "all"));
	if (t->devices != 0)
		(void)json_array_append_new(out,
		    json_sprintf("%zu device nodes are not made, the first is "
				 "%s", t->devices, t->device));
	if (t->strangers != 0)
		(void)json_array_append_new(out,
		    json_sprintf("%zu owners are over %d and become nobody "
				 "(%d), the first is %llu at %s", t->strangers,
			OCI_MAX_ID, OCI_NOBODY, (unsigned long long)t->id,
			t->stranger));
	if (t->leftovers != 0)
		(void)json_array_append_new(out,
		    json_sprintf("%zu leftovers of aufs (.wh..wh.*) are passed "
				 "over", t->leftovers));
}

/*
 * What inspect says of an archive: the digest that the contract is told, how
 * it will be run, what memory a node needs for it, and where a node makes
 * something else than the image has.
 */
static void
print(const struct archive *a, bool as_json)
{
	const struct oci_image *img = a->img;
	const struct oci_config *c = oci_config(img);
	json_t *notes = json_array();
	size_t n = 0;
	const struct oci_layer *l = oci_layers(img, &n);
	char hex[65];
	hex_encode(oci_digest(img), 32, hex);
	json_t *layers = json_array();
	remarks(c, &a->tree, notes);
	if (!as_json)
		(void)printf("digest      0x%s\n", hex);
	json_t *j = json_pack("{s:o, s:o, s:o, s:o, s:o, s:s, s:s, s:s, s:i,"
			      "s:o, s:I, s:I}",
	    "layers", layers, "entrypoint",
	    texts(c->entrypoint, c->nentrypoint), "cmd", texts(c->cmd, c->ncmd),
	    "env", texts(c->env, c->nenv), "volumes",
	    texts(c->volumes, c->nvolumes), "user", c->user, "workdir",
	    c->workdir, "stopsignal", c->stopsignal, "port", (int)c->port,
	    "notes", notes, "unpacked", (json_int_t)a->tree.bytes, "needs",
	    (json_int_t)a->tree.most);
	char id[67];
	(void)snprintf(id, sizeof(id), "0x%s", hex);
	(void)json_object_set_new(j, "digest", json_string(id));
	if (c->port == 0)
		(void)json_object_set_new(j, "port", json_null());
	json_t *exposed = json_array();
	for (size_t i = 0; i < c->nexposed; i++)
		(void)json_array_append_new(
		    exposed, json_integer(c->exposed[i]));
	(void)json_object_set_new(j, "exposed", exposed);
	(void)json_object_set_new(j, "healthcheck",
	    texts(c->health.test, c->health.ntest));
	json_t *labels = json_object();
	for (size_t i = 0; i < c->nlabels; i++)
		(void)json_object_set_new(labels, c->labels[i].key,
		    json_string(c->labels[i].value));
	(void)json_object_set_new(j, "labels", labels);
	for (size_t i = 0; i < n; i++) {
		hex_encode(l[i].diff_id, 32, hex);
		if (!as_json)
			(void)printf("layer       %s %llu bytes\n", hex,
			    (unsigned long long)l[i].size);
		(void)json_array_append_new(layers,
		    json_pack("{s:s, s:I}", "diff_id", hex, "size",
			(json_int_t)l[i].size));
	}
	if (as_json) {
		(void)json_dumpf(j, stdout, JSON_COMPACT | JSON_SORT_KEYS);
		(void)putchar('\n');
	} else {
		static const char *const keys[] = { "entrypoint", "cmd", "env",
			"volumes", "user", "workdir", "stopsignal", "port",
			"exposed", "healthcheck", "labels" };
		for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
			char *t = json_dumps(json_object_get(j, keys[i]),
			    JSON_COMPACT | JSON_ENCODE_ANY);
			(void)printf("%-11s %s\n", keys[i], t);
			free(t);
		}
		(void)printf("unpacked    %llu bytes of a node's memory, %llu "
			     "while it is unpacked\n",
		    (unsigned long long)a->tree.bytes,
		    (unsigned long long)a->tree.most);
		for (size_t i = 0; i < json_array_size(notes); i++)
			(void)printf("note        %s\n",
			    json_string_value(json_array_get(notes, i)));
	}
	json_decref(j);
}

static int
inspect(const char *file, const uint8_t *digest, bool as_json)
{
	struct why why = { "" };
	AUTO_ARCHIVE struct archive a = { .map = NULL };
	enum dstack_status st = archive_open(file, digest, &a, &why);
	if (st == DSTACK_OK)
		print(&a, as_json);
	if (st == DSTACK_OK)
		return EXIT_YES;
	(void)cmd_fail("app inspect", st, &why);
	/* A file that is no image, or another one, is a "no" of ours. */
	return st == DSTACK_E_SYS || st == DSTACK_E_NOMEM ? EXIT_UNDECIDED
							  : EXIT_NO;
}

int
cmd_app(int argc, char **argv)
{
	static const struct option lopt[] = { { "config", 1, NULL, 'c' },
		{ "tag", 1, NULL, 't' }, { "digest", 1, NULL, 'd' },
		{ "json", 0, NULL, 'j' }, { NULL, 0, NULL, 0 } };
	const char *out = NULL, *config = NULL, *tag = NULL;
	bool json = false, named = false;
	uint8_t digest[32];
	int c;
	const struct usage *u = usage_sub(uses, push_options, argc, argv);

	argc--;
	argv++;
	if (strcmp(argv[0], "status") == 0)
		return app_status(u, argc, argv);
	if (u - uses >= 2)
		return app_push(u, argc, argv);
	while ((c = usage_next(u, argc, argv, lopt)) != -1) {
		switch (c) {
		case 'o': out = optarg; break;
		case 'c': config = optarg; break;
		case 't': tag = optarg; break;
		case 'd':
			usage_hex(u, "--digest", optarg, digest, 32);
			named = true;
			break;
		default: json = true; break;
		}
	}
	usage_words(u, argc, argv, 1, 1, u == uses ? "DIR" : "FILE");
	if (u != uses)
		return inspect(argv[optind], named ? digest : NULL, json);
	if (out == NULL)
		usage_wrong(u, "where to? -o FILE is missing");
	return build(argv[optind], out, config, tag);
}
