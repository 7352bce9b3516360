/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which packages have bytes in the image, and the same as CycloneDX 1.5
 * (ECMA-424). By the manifest: archives that the linker took from, files that
 * were copied; a package has a path when its md5sums names it.
 *
 * That the manifest tells the truth about where bytes come from is shown by
 * the rebuild, not here. Here it is asked whether each path it names belongs
 * to a package of the lock file; one that belongs to none is refused, since a
 * library from elsewhere would be just that. Licences are those that the
 * packages state in their machine-readable copyright files.
 */
#include <archive.h>
#include <archive_entry.h>
#include <stdio.h>
#include <string.h>

#include "cli/image/audit.h"
#include "cli/image/deb.h"

#define LICENSES_MAX 32

static const char *
text(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s != NULL ? s : "";
}

/* Is path (with a leading /) among the lines "MD5  PATH" of md5sums? */
static bool
owns(const char *md5sums, const char *path)
{
	static const char *const merged[] = { "", "usr/" };
	size_t want = strlen(path + 1);

	for (const char *p = md5sums; *p != '\0';) {
		size_t n = strcspn(p, "\n");
		for (size_t i = 0; i < 2 && n > 34; i++) {
			/* /lib is /usr/lib in the build root */
			size_t m = strlen(merged[i]);
			if (n - 34 + m == want &&
			    strncmp(path + 1, merged[i], m) == 0 &&
			    strncmp(path + 1 + m, p + 34, n - 34) == 0)
				return true;
		}
		p += n + (p[n] == '\n');
	}
	return false;
}

static const struct lock_row *
row_of(const struct audit *a, const char *name)
{
	for (size_t i = 0; i < a->lock.nrows; i++)
		if (strcmp(a->lock.rows[i].name, name) == 0)
			return &a->lock.rows[i];
	return NULL;
}

/* Short names of the "License:" lines, each once (copyright-format/1.0). */
static void
licenses_of(const char *copyright, json_t *out)
{
	char name[96];

	for (const char *p = copyright; *p != '\0';) {
		size_t n = strcspn(p, "\n"), k;
		if (strncmp(p, "License:", 8) == 0 && n > 8) {
			const char *s = p + 8 + strspn(p + 8, " \t");
			int len = (int)(p + n - s);
			json_t *o;
			bool known = len <= 0 || len >= (int)sizeof(name) ||
			    json_array_size(out) >= LICENSES_MAX;
			(void)snprintf(name, sizeof(name), "%.*s",
			    len > 0 ? len : 0, s);
			json_array_foreach (out, k, o)
				known = known ||
				    strcmp(json_string_value(o), name) == 0;
			if (!known)
				(void)json_array_append_new(
				    out, json_string(name));
		}
		p += n + (p[n] == '\n');
	}
}

/* usr/share/doc/NAME/copyright, also when the folder is another package's. */
static void
licenses(const struct audit *a, const struct lock_row *row, json_t *out)
{
	char path[256];
	struct why why = { "" };
	AUTO_MAP struct mapped deb = { NULL, 0 };
	AUTO_MAP struct mapped deb2 = { NULL, 0 };
	AUTO_FREE char *got = NULL;
	AUTO_FREE char *got2 = NULL;
	size_t n;

	if (store_open(row->name, row->sha256, &deb, &why) != DSTACK_OK)
		return;
	(void)snprintf(path, sizeof(path), "usr/share/doc/%.100s/copyright",
	    row->name);
	if (deb_text(&deb, "data.tar", path, &got, &n, &why) == DSTACK_OK) {
		licenses_of(got, out);
		return;
	}
	(void)snprintf(path, sizeof(path), "usr/share/doc/%.100s", row->name);
	const char *other = got;
	if (other == NULL &&
	    deb_text(&deb, "data.tar", path, &got2, &n, &why) ==
		DSTACK_E_MISSING)
		other = got2;
	if (other == NULL || strchr(other, '/') != NULL)
		return;
	const struct lock_row *r = row_of(a, other);
	char name[128];
	(void)snprintf(name, sizeof(name), "%.120s", other);
	(void)snprintf(path, sizeof(path), "usr/share/doc/%s/copyright", name);
	AUTO_FREE char *third = NULL;
	if (r != NULL &&
	    store_open(r->name, r->sha256, &deb2, &why) == DSTACK_OK &&
	    deb_text(&deb2, "data.tar", path, &third, &n, &why) == DSTACK_OK)
		licenses_of(third, out);
}

/* What the image took from this package: paths, and how. */
static void
taken(const json_t *manifest, const char *md5sums, json_t *files,
    const char **role)
{
	size_t i;
	json_t *o;

	json_array_foreach (json_object_get(manifest, "linked"), i, o) {
		const char *p = json_string_value(o);
		if (p == NULL || p[0] != '/' || !owns(md5sums, p))
			continue;
		(void)json_array_append(files, o);
		*role = "linked";
	}
	json_array_foreach (json_object_get(manifest, "files"), i, o) {
		const char *p = text(o, "from");
		if (p[0] != '/' || !owns(md5sums, p))
			continue;
		(void)json_array_append_new(files, json_string(p));
		*role = "shipped";
	}
}

json_t *
audit_software(struct audit *a, const json_t *manifest)
{
	json_t *out = json_array();
	struct why why = { "" };
	enum dstack_status st = DSTACK_OK;
	size_t i, want = json_array_size(json_object_get(manifest, "linked"));
	size_t have = 0;
	json_t *o;

	json_array_foreach (json_object_get(manifest, "files"), i, o)
		want += text(o, "from")[0] == '/';
	for (i = 0; i < a->lock.nrows && st == DSTACK_OK; i++) {
		const struct lock_row *r = &a->lock.rows[i];
		AUTO_MAP struct mapped deb = { NULL, 0 };
		AUTO_FREE char *md5sums = NULL;
		const char *role = NULL;
		json_t *files;
		size_t n;
		bool kernel = strcmp(r->use, "source") == 0;
		if (strcmp(r->use, "keys") == 0)
			continue;
		st = store_open(r->name, r->sha256, &deb, &why);
		if (st != DSTACK_OK)
			break;
		files = json_array();
		if (kernel)
			role = r->use;
		else if (deb_text(&deb, "control.tar", "md5sums", &md5sums, &n,
			     &why) == DSTACK_OK)
			taken(manifest, md5sums, files, &role);
		have += json_array_size(files);
		json_t *names = json_array();
		if (role != NULL && !kernel)
			licenses(a, r, names);
		else if (kernel)
			(void)json_array_append_new(
			    names, json_string("GPL-2.0"));
		if (role != NULL)
			(void)json_array_append_new(out,
			    json_pack("{sssssssssOsO}", "name", r->name,
				"version", r->version, "sha256", r->sha256,
				"role", role, "files", files, "licenses",
				names));
		json_decref(files);
		json_decref(names);
	}
	if (st != DSTACK_OK) /* check "store" says what is wrong with it */
		audit_say(a, "software", DSTACK_E_MISSING,
		    "not told: %s", why.text);
	else if (have < want)
		audit_say(a, "software", DSTACK_E_REJECTED,
		    "%zu of %zu files that the manifest names are in no "
		    "locked package", want - have, want);
	else
		audit_say(a, "software", DSTACK_OK,
		    "%zu packages have bytes in it, %zu files",
		    json_array_size(out), have);
	return out;
}

static json_t *
component(const char *type, const struct lock_row *r, const json_t *known)
{
	char purl[300];
	json_t *c;

	/* purl-spec: the version is percent-encoded where it has to be */
	(void)snprintf(purl, sizeof(purl),
	    "pkg:deb/debian/%s@%s?distro=%s", r->name, r->version, r->suite);
	for (char *p = strchr(purl, '@'); p != NULL && *p != '\0'; p++)
		if (*p == '+' && strlen(purl) + 3 < sizeof(purl)) {
			memmove(p + 3, p + 1, strlen(p));
			memcpy(p, "%2B", 3);
		}
	c = json_pack("{sssssssssss[{ssss}]}", "type", type, "bom-ref", purl,
	    "name", r->name, "version", r->version, "scope",
	    known != NULL ? "required" : "excluded", "hashes", "alg", "SHA-256",
	    "content", r->sha256);
	(void)json_object_set_new(c, "purl", json_string(purl));
	if (known == NULL)
		return c;
	json_t *l = json_array(), *props = json_array(), *o;
	size_t i;
	json_array_foreach (json_object_get(known, "licenses"), i, o)
		(void)json_array_append_new(
		    l, json_pack("{s{sO}}", "license", "name", o));
	if (json_array_size(l) > 0)
		(void)json_object_set(c, "licenses", l);
	json_decref(l);
	(void)json_array_append_new(props,
	    json_pack("{ssss}", "name", "dstack:role", "value",
		text(known, "role")));
	json_array_foreach (json_object_get(known, "files"), i, o)
		(void)json_array_append_new(props,
		    json_pack("{sssO}", "name", "dstack:file", "value", o));
	(void)json_object_set_new(c, "properties", props);
	return c;
}

/* No time and no serial number in it: one image, one document. */
json_t *
sbom_make(const struct audit *a, const json_t *manifest,
    const json_t *software)
{
	char name[64];
	json_t *list = json_array(), *hashes = json_array(), *o;
	size_t i;

	(void)snprintf(name, sizeof(name), "dstack-guest-%.20s",
	    text(manifest, "flavour"));
	json_array_foreach (json_object_get(manifest, "parts"), i, o)
		(void)json_array_append_new(hashes,
		    json_pack("{sssss[{ssss}{ssss}]}", "type", "file", "name",
			text(o, "name"), "hashes", "alg", "SHA-256", "content",
			text(o, "sha256"), "alg", "SHA-384", "content",
			text(o, "sha384")));
	for (i = 0; i < a->lock.nrows; i++) {
		const struct lock_row *r = &a->lock.rows[i];
		const json_t *known = NULL;
		size_t k;
		json_array_foreach (software, k, o)
			if (strcmp(text(o, "name"), r->name) == 0)
				known = o;
		(void)json_array_append_new(list,
		    component(strncmp(r->name, "linux-", 6) == 0 &&
				known != NULL
			    ? "operating-system"
			    : "library",
			r, known));
	}
	return json_pack("{sssssis{s{sssssssss[{s{ss}}]so}}so}", "bomFormat",
	    "CycloneDX", "specVersion", "1.5", "version", 1, "metadata",
	    "component", "type", "firmware", "bom-ref", "dstack", "name", name,
	    "version", text(manifest, "tree"), "licenses", "license", "id",
	    "Apache-2.0", "components", hashes, "components", list);
}
