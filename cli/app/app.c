/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dstack app: make archives that guests run, and look into them.
 *
 * build is in build.c for a folder and in compose_build.c for a Compose file,
 * push and rollback in push.c. inspect, here, reads an archive as a node does
 * (archive.c) and says what a node will make of it, for each service where it
 * has several.
 */
#include "cli/cmd.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/hex.h"
#include "base/own.h"
#include "cli/app/archive.h"
#include "cli/app/build.h"
#include "cli/app/logs.h"
#include "cli/app/look.h"
#include "cli/demo/network.h"
#include "cli/usage.h"

static const struct usage uses[] = {
	{ "app build",
	    "dstack app build DIR -o FILE [--config FILE] [--tag NAME:TAG]\n"
	    "           an archive as `docker save` makes it, from a folder that\n"
	    "           becomes the root; --config: JSON with Entrypoint, Cmd, Env,\n"
	    "           User, WorkingDir, ExposedPorts, StopSignal, Volumes,\n"
	    "           Labels\n"
	    "       dstack app build COMPOSE.yaml -o FILE [--image NAME=FILE]...\n"
	    "           [--env NAME=VALUE]...\n"
	    "           one archive of all services; --image: the archive or folder\n"
	    "           of a service's image, --env: what ${NAME} stands for",
	    "config tag image env", "o:" },
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
	{ "app logs",
	    "dstack app logs [--key FILE] [-f] [--node N] [--config FILE]...\n"
	    "           [--dir DIR]\n"
	    "           what the app has written, as its nodes' hosts have it;\n"
	    "           says what is missing or altered, and exits 1 then; -f:\n"
	    "           and what comes. The image's label dstack.logs chooses:\n"
	    "           none, host, or a public key, which --key FILE opens\n"
	    "       dstack app logs --new-key FILE\n"
	    "           a secret key into a new file, its label printed",
	    "key new-key follow node config dir", "f" },
	{ NULL, NULL, NULL, NULL },
};

static const char push_options[] =
    "options of push, rollback, status and logs:\n"
    "  --config FILE    a node's host.env; again for each further node\n"
    "  --key-file FILE  the contract owner's key (default PRIVKEY)\n"
    "  --dir DIR        a network kept by dstack demo, instead of --config\n"
    "  --no-wait        of push and rollback: the proposal is enough\n"
    "  --timeout SECS   to wait after the notice (default 900)\n"
    "  --json           what was proposed, as JSON\n"
    "With neither: the network of " DEMO_DIR " when it runs, else host.env.";

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
static json_t *
describe(const struct oci_image *img, const struct oci_tree *tree, bool as_json)
{
	const struct oci_config *c = oci_config(img);
	json_t *notes = json_array();
	size_t n = 0;
	const struct oci_layer *l = oci_layers(img, &n);
	char hex[65];
	hex_encode(oci_digest(img), 32, hex);
	json_t *layers = json_array();
	remarks(c, tree, notes);
	if (!as_json)
		(void)printf("digest      0x%s\n", hex);
	json_t *j = json_pack("{s:o, s:o, s:o, s:o, s:o, s:s, s:s, s:s, s:i,"
			      "s:o, s:I, s:I}",
	    "layers", layers, "entrypoint",
	    texts(c->entrypoint, c->nentrypoint), "cmd", texts(c->cmd, c->ncmd),
	    "env", texts(c->env, c->nenv), "volumes",
	    texts(c->volumes, c->nvolumes), "user", c->user, "workdir",
	    c->workdir, "stopsignal", c->stopsignal, "port", (int)c->port,
	    "notes", notes, "unpacked", (json_int_t)tree->bytes, "needs",
	    (json_int_t)tree->most);
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
	(void)json_object_set_new(
	    j, "egress", json_string(c->egress ? "open" : "none"));
	for (size_t i = 0; i < n; i++) {
		hex_encode(l[i].diff_id, 32, hex);
		if (!as_json)
			(void)printf("layer       %s %llu bytes\n", hex,
			    (unsigned long long)l[i].size);
		(void)json_array_append_new(layers,
		    json_pack("{s:s, s:I}", "diff_id", hex, "size",
			(json_int_t)l[i].size));
	}
	if (!as_json) {
		static const char *const keys[] = { "entrypoint", "cmd", "env",
			"volumes", "user", "workdir", "stopsignal", "port",
			"exposed", "egress", "healthcheck", "labels" };
		for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
			char *t = json_dumps(json_object_get(j, keys[i]),
			    JSON_COMPACT | JSON_ENCODE_ANY);
			(void)printf("%-11s %s\n", keys[i], t);
			free(t);
		}
		(void)printf("unpacked    %llu bytes of a node's memory, %llu "
			     "while it is unpacked\n",
		    (unsigned long long)tree->bytes,
		    (unsigned long long)tree->most);
		for (size_t i = 0; i < json_array_size(notes); i++)
			(void)printf("note        %s\n",
			    json_string_value(json_array_get(notes, i)));
	}
	return j;
}

/*
 * A manifest: its digest, then each service as a node will run it, and what
 * the manifest alone says of it.
 */
static json_t *
describe_all(const struct archive *a, bool as_json)
{
	const struct manifest *m = &a->bundle->m;
	const char *front = m->service[m->front].name;
	json_t *services = json_object();
	AUTO_FREE char *text = NULL;
	struct why why;
	char id[67] = "0x";
	hex_encode(a->digest, 32, id + 2);
	if (manifest_write(m, &text, &why) != DSTACK_OK)
		text = NULL;
	json_t *whole = json_loads(text != NULL ? text : "{}", 0, NULL);
	if (!as_json)
		(void)printf("digest      %s (manifest)\n"
			     "front       %s, port %u\n"
			     "unpacked    %llu bytes of a node's memory, %llu "
			     "while they are unpacked\n"
			     "on volume   %llu bytes (dstack.store)\n",
		    id, front, m->front_port,
		    (unsigned long long)a->tree.bytes,
		    (unsigned long long)a->tree.most,
		    (unsigned long long)a->tree.on_volume);
	for (size_t i = 0; i < m->nservices; i++) {
		const char *name = m->service[m->order[i]].name;
		if (!as_json)
			(void)printf("\nservice     %s\n", name);
		json_t *j = describe(a->bundle->image[m->order[i]],
		    &a->each[m->order[i]], as_json);
		json_t *says = json_object_get(
		    json_object_get(whole, "services"), name);
		AUTO_FREE char *line =
		    json_dumps(says, JSON_COMPACT | JSON_SORT_KEYS);
		if (!as_json)
			(void)printf("manifest    %s\n",
			    line != NULL ? line : "");
		(void)json_object_set(j, "manifest", says);
		(void)json_object_set_new(services, name, j);
	}
	json_decref(whole);
	return json_pack("{s:s, s:{s:s, s:i}, s:o, s:I, s:I, s:I}", "digest", id,
	    "front", "service", front, "port", (int)m->front_port, "services",
	    services, "unpacked", (json_int_t)a->tree.bytes, "needs",
	    (json_int_t)a->tree.most, "onVolume",
	    (json_int_t)a->tree.on_volume);
}

static int
inspect(const char *file, const uint8_t *digest, bool as_json)
{
	struct why why = { "" };
	AUTO_ARCHIVE struct archive a = { .map = NULL };
	enum dstack_status st = archive_open(file, digest, &a, &why);
	if (st == DSTACK_OK) {
		json_t *j = a.bundle != NULL
		    ? describe_all(&a, as_json)
		    : describe(a.img, &a.tree, as_json);
		if (as_json) {
			(void)json_dumpf(
			    j, stdout, JSON_COMPACT | JSON_SORT_KEYS);
			(void)putchar('\n');
		}
		json_decref(j);
		return EXIT_YES;
	}
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
		{ "image", 1, NULL, 'i' }, { "env", 1, NULL, 'e' },
		{ "json", 0, NULL, 'j' }, { NULL, 0, NULL, 0 } };
	const char *out = NULL, *config = NULL, *tag = NULL;
	struct build_compose b = { .file = NULL };
	bool json = false, named = false;
	uint8_t digest[32];
	int c;
	const struct usage *u = usage_sub(uses, push_options, argc, argv);

	argc--;
	argv++;
	if (strcmp(argv[0], "status") == 0)
		return app_status(u, argc, argv);
	if (strcmp(argv[0], "logs") == 0)
		return app_logs(u, argc, argv);
	if (u - uses >= 2)
		return app_push(u, argc, argv);
	while ((c = usage_next(u, argc, argv, lopt)) != -1) {
		switch (c) {
		case 'o': out = optarg; break;
		case 'c': config = optarg; break;
		case 't': tag = optarg; break;
		case 'i':
			if (strchr(optarg, '=') == NULL || b.nimages == 16)
				usage_wrong(u, "--image: NAME=FILE, 16 at most");
			b.image[b.nimages++] = optarg;
			break;
		case 'e':
			if (strchr(optarg, '=') == NULL || b.nvars == 64)
				usage_wrong(u, "--env: NAME=VALUE, 64 at most");
			b.var[b.nvars++] = optarg;
			break;
		case 'd':
			usage_hex(u, "--digest", optarg, digest, 32);
			named = true;
			break;
		default: json = true; break;
		}
	}
	usage_words(u, argc, argv, 1, 1, u == uses ? "DIR or COMPOSE.yaml" : "FILE");
	if (u != uses)
		return inspect(argv[optind], named ? digest : NULL, json);
	if (out == NULL)
		usage_wrong(u, "where to? -o FILE is missing");
	b.file = argv[optind];
	b.out = out;
	/* a folder is an image's root, and all else a Compose file */
	struct stat is;
	if (stat(b.file, &is) != 0 || S_ISDIR(is.st_mode)) {
		if (b.nimages + b.nvars != 0)
			usage_wrong(u, "--image and --env are for a Compose file");
		return app_build(b.file, out, config, tag);
	}
	if (config != NULL || tag != NULL)
		usage_wrong(u, "--config and --tag are for a folder");
	return app_build_compose(&b);
}
