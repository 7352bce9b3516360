/* SPDX-License-Identifier: Apache-2.0 */
/* dstack image diff: what differs between two built images. */
#include "cli/cmd.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "cli/image.h"
#include "cli/image_lock.h"

static json_t *
manifest(const char *dir, struct why *why)
{
	char path[PATH_LEN];
	json_error_t e;

	(void)snprintf(path, sizeof(path), "%s/manifest.json", dir);
	json_t *j = json_load_file(path, JSON_REJECT_DUPLICATES, &e);
	if (j == NULL)
		(void)why_set(why, DSTACK_E_MISSING, "%s: %s", path, e.text);
	return j;
}

static const char *
text(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s != NULL ? s : "";
}

static const json_t *
find(const json_t *list, const char *key, const char *name)
{
	size_t i;
	json_t *o;

	json_array_foreach(list, i, o) {
		if (strcmp(text(o, key), name) == 0)
			return o;
	}
	return NULL;
}

/* Prints what a list of entries gained, lost and changed; how many. */
static unsigned
compare(const json_t *a, const json_t *b, const char *key)
{
	unsigned n = 0;
	size_t i;
	json_t *o;

	json_array_foreach(a, i, o) {
		const json_t *p = find(b, key, text(o, key));
		if (p == NULL)
			printf("- %s\n", text(o, key));
		else if (strcmp(text(o, "sha256"), text(p, "sha256")) != 0)
			printf("~ %s  %lld -> %lld bytes\n", text(o, key),
			    (long long)json_integer_value(
				json_object_get(o, "size")),
			    (long long)json_integer_value(
				json_object_get(p, "size")));
		else if (strcmp(text(o, "mode"), text(p, "mode")) != 0)
			printf("~ %s  mode %s -> %s\n", text(o, key),
			    text(o, "mode"), text(p, "mode"));
		else
			continue;
		n++;
	}
	json_array_foreach(b, i, o) {
		if (find(a, key, text(o, key)) == NULL) {
			printf("+ %s\n", text(o, key));
			n++;
		}
	}
	return n;
}

int
image_diff(int argc, char **argv)
{
	if (argc != 3)
		return cmd_usage(image_usage);
	const char *a = argv[1], *b = argv[2];
	struct why why = { "" };
	json_t *ja = manifest(a, &why);
	json_t *jb = ja == NULL ? NULL : manifest(b, &why);
	unsigned n = 0;

	if (jb == NULL) {
		json_decref(ja);
		return cmd_fail("image", DSTACK_E_MISSING, &why);
	}
	if (strcmp(text(ja, "kernel"), text(jb, "kernel")) != 0)
		printf("~ kernel  %s -> %s\n", text(ja, "kernel"),
		    text(jb, "kernel"));
	n += compare(json_object_get(ja, "parts"), json_object_get(jb, "parts"),
	    "name");
	n += compare(json_object_get(ja, "files"), json_object_get(jb, "files"),
	    "path");
	json_decref(ja);
	json_decref(jb);
	if (n == 0)
		printf("the same\n");
	return n == 0 ? EXIT_YES : EXIT_NO;
}

