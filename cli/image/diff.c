/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dstack image diff: what differs between two built images, in packages,
 * files, kernel options, command line and measurements. By their manifests;
 * that those are true is what audit says. Of each kind there are two lists of
 * named things: what the first has, in its order, and the second lacks or has
 * otherwise, and then what only the second has. Exit 1 where anything differs,
 * so that a script can ask.
 */
#include "cli/cmd.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "base/hex.h"
#include "cli/image/image.h"
#include "cli/image/lock.h"
#include "cli/usage.h"
#include "sim/measure.h"

static json_t *
manifest(const char *dir, struct why *why)
{
	char path[PATH_LEN];
	json_error_t e;

	(void)snprintf(path, sizeof(path), "%.600s/manifest.json", dir);
	json_t *j = json_load_file(path, JSON_REJECT_DUPLICATES, &e);
	if (j == NULL)
		(void)why_set(why, DSTACK_E_MISSING,
		    "%.150s: %.80s; name the directory of one flavour", path,
		    e.text);
	return j;
}

static const char *
text(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s != NULL ? s : "";
}

static json_t *
find(const json_t *list, const char *key, const char *name)
{
	size_t i;
	json_t *o;

	json_array_foreach (list, i, o) {
		if (strcmp(text(o, key), name) == 0)
			return o;
	}
	return NULL;
}

/*
 * What a list of entries gained, lost and changed, as {"name","from","to"};
 * from or to is null where there is none.
 */
static json_t *
compare(const json_t *a, const json_t *b, const char *key)
{
	json_t *out = json_array();
	size_t i;
	json_t *o;

	json_array_foreach (a, i, o) {
		json_t *p = find(b, key, text(o, key));
		if (p == NULL || json_equal(o, p) == 0)
			(void)json_array_append_new(out,
			    json_pack("{sssOsO?}", "name", text(o, key), "from",
				o, "to", p));
	}
	json_array_foreach (b, i, o) {
		if (find(a, key, text(o, key)) == NULL)
			(void)json_array_append_new(out,
			    json_pack("{sssnsO}", "name", text(o, key), "from",
				"to", o));
	}
	return out;
}

/* --- kernel options and command line -------------------------------------- */

/* "CONFIG_X=value" lines to {"X": "value"}. */
static json_t *
options(const char *dir)
{
	char path[PATH_LEN], line[1024], value[512];
	json_t *out = json_object();

	(void)snprintf(path, sizeof(path), "%.600s/kernel.config", dir);
	FILE *f = fopen(path, "re");
	while (f != NULL && fgets(line, sizeof(line), f) != NULL) {
		char *eq = strchr(line, '=');
		if (strncmp(line, "CONFIG_", 7) != 0 || eq == NULL)
			continue;
		*eq = '\0';
		eq[1 + strcspn(eq + 1, "\n")] = '\0';
		(void)snprintf(value, sizeof(value), "%s", eq + 1);
		(void)json_object_set_new(out, line + 7, json_string(value));
	}
	if (f != NULL)
		(void)fclose(f);
	return out;
}

static json_t *
option_changes(const char *da, const char *db)
{
	json_t *a = options(da), *b = options(db), *out = json_array(), *v;
	const char *key;

	json_object_foreach (a, key, v) {
		json_t *w = json_object_get(b, key);
		if (w == NULL || json_equal(v, w) == 0)
			(void)json_array_append_new(out,
			    json_pack("{sssOsO?}", "name", key, "from", v, "to",
				w));
	}
	json_object_foreach (b, key, v) {
		if (json_object_get(a, key) == NULL)
			(void)json_array_append_new(out,
			    json_pack("{sssnsO}", "name", key, "from", "to", v));
	}
	json_decref(a);
	json_decref(b);
	return out;
}

static json_t *
words(const char *dir)
{
	char path[PATH_LEN], buf[4096] = "";
	json_t *out = json_array();

	(void)snprintf(path, sizeof(path), "%.600s/cmdline", dir);
	FILE *f = fopen(path, "re");
	if (f != NULL) {
		size_t n = fread(buf, 1, sizeof(buf) - 1, f);
		buf[n] = '\0';
		(void)fclose(f);
	}
	for (char *p = buf; *p != '\0';) {
		size_t n = strcspn(p, " \n");
		if (n > 0)
			(void)json_array_append_new(out,
			    json_pack("{ss#}", "word", p, (int)n));
		p += n + (p[n] != '\0');
	}
	return out;
}

static json_t *
word_changes(const char *da, const char *db)
{
	json_t *a = words(da), *b = words(db);
	json_t *out = compare(a, b, "word");

	json_decref(a);
	json_decref(b);
	return out;
}

/* --- measurements ---------------------------------------------------------- */

static void
add_hex(json_t *out, const char *name, const uint8_t h[static 48])
{
	char hex[97];

	hex_encode(h, 48, hex);
	(void)json_array_append_new(
	    out, json_pack("{ssss}", "name", name, "value", hex));
}

/*
 * The digests of the parts; of the sim flavour also the registers they are
 * in. A trust domain's registers need firmware and shape: image measure.
 */
static json_t *
measurements(const char *dir, const json_t *m)
{
	struct sim_boot b = { .vcpus = 1, .memory_mib = 1, .netcfg = "" };
	struct sim_measurements r;
	struct why why = { "" };
	char path[PATH_LEN], buf[4096];
	json_t *out = json_array(), *o;
	size_t i;

	json_array_foreach (json_object_get(m, "parts"), i, o)
		(void)json_array_append_new(out,
		    json_pack("{ssss}", "name", text(o, "name"), "value",
			text(o, "sha384")));
	if (strcmp(text(m, "flavour"), "sim") != 0)
		return out;
	(void)snprintf(path, sizeof(path), "%.600s/vmlinuz", dir);
	if (sim_hash_file(path, b.kernel, &why) != DSTACK_OK)
		return out;
	(void)snprintf(path, sizeof(path), "%.600s/initramfs.cpio.zst", dir);
	if (sim_hash_file(path, b.initramfs, &why) != DSTACK_OK)
		return out;
	(void)snprintf(path, sizeof(path), "%.600s/cmdline", dir);
	FILE *f = fopen(path, "re");
	size_t n = f != NULL ? fread(buf, 1, sizeof(buf) - 1, f) : 0;
	buf[n] = '\0';
	if (f != NULL)
		(void)fclose(f);
	b.cmdline = buf;
	sim_measure(&b, &r);
	add_hex(out, "rtmr1", r.rtmr[1]);
	add_hex(out, "rtmr2", r.rtmr[2]);
	return out;
}

static json_t *
measurement_changes(
    const char *da, const json_t *a, const char *db, const json_t *b)
{
	json_t *ma = measurements(da, a), *mb = measurements(db, b);
	json_t *out = compare(ma, mb, "name");

	json_decref(ma);
	json_decref(mb);
	return out;
}

/* --- printing ------------------------------------------------------------- */

/* One side of a change in a word or two. */
static void
side(const json_t *v, char out[static 160])
{
	if (json_is_string(v))
		(void)snprintf(out, 160, "%.150s", json_string_value(v));
	else if (text(v, "version")[0] != '\0')
		(void)snprintf(out, 160, "%.60s (%s)", text(v, "version"),
		    text(v, "use"));
	else if (text(v, "value")[0] != '\0')
		(void)snprintf(out, 160, "%.20s...", text(v, "value"));
	else if (strcmp(text(v, "type"), "file") == 0)
		(void)snprintf(out, 160, "%s %lld bytes %.12s", text(v, "mode"),
		    (long long)json_integer_value(json_object_get(v, "size")),
		    text(v, "sha256"));
	else
		(void)snprintf(out, 160, "%.20s %.10s%.100s%.20s",
		    text(v, "type"), text(v, "mode"), text(v, "target"),
		    text(v, "device"));
}

static void
show(const json_t *all, const char *key, const char *title)
{
	const json_t *list = json_object_get(all, key);
	char from[160], to[160];
	size_t i;
	json_t *o;

	if (json_array_size(list) == 0)
		return;
	printf("%s\n", title);
	json_array_foreach (list, i, o) {
		const json_t *a = json_object_get(o, "from");
		const json_t *b = json_object_get(o, "to");
		side(a, from);
		side(b, to);
		if (json_is_null(a))
			printf("  + %-36s %s\n", text(o, "name"), to);
		else if (json_is_null(b) || b == NULL)
			printf("  - %-36s %s\n", text(o, "name"), from);
		else
			printf("  ~ %-36s %s -> %s\n", text(o, "name"), from,
			    to);
	}
}

static int
diff(const char *da, const char *db, bool json)
{
	static const char *const keys[][2] = { { "packages", "packages" },
		{ "files", "files" }, { "options", "kernel options" },
		{ "cmdline", "command line" },
		{ "measurements", "measurements" } };
	struct why why = { "" };
	json_t *a = manifest(da, &why);
	json_t *b = a == NULL ? NULL : manifest(db, &why);
	size_t n = 0;

	if (b == NULL) {
		json_decref(a);
		return cmd_fail("image", DSTACK_E_MISSING, &why);
	}
	json_t *all = json_pack("{sososososo}", "packages",
	    compare(json_object_get(a, "packages"),
		json_object_get(b, "packages"), "name"),
	    "files",
	    compare(json_object_get(a, "files"), json_object_get(b, "files"),
		"path"),
	    "options", option_changes(da, db), "cmdline", word_changes(da, db),
	    "measurements", measurement_changes(da, a, db, b));
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		n += json_array_size(json_object_get(all, keys[i][0]));
		if (!json)
			show(all, keys[i][0], keys[i][1]);
	}
	if (json) {
		(void)json_object_set_new(all, "same", json_boolean(n == 0));
		(void)json_object_set_new(all, "from", json_string(da));
		(void)json_object_set_new(all, "to", json_string(db));
		(void)json_dumpf(all, stdout, JSON_INDENT(1));
		printf("\n");
	} else if (n == 0) {
		printf("the same\n");
	}
	json_decref(all);
	json_decref(a);
	json_decref(b);
	return n == 0 ? EXIT_YES : EXIT_NO;
}

int
image_diff(const struct usage *u, int argc, char **argv)
{
	static const struct option lopt[] = { { "json", 0, NULL, 'j' },
		{ NULL, 0, NULL, 0 } };
	bool json = false;

	while (usage_next(u, argc, argv, lopt) != -1)
		json = true;
	usage_words(u, argc, argv, 2, 2, "one of the two DIR");
	return diff(argv[optind], argv[optind + 1], json);
}
