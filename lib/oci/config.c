/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The image config (OCI image-spec 1.1, config.md). What comes in has been
 * hashed already when it is an image's; it is judged as JSON without doubled
 * keys first, then for what machine it is, then the layers' digests, then
 * each member that says how to run it. A member of the wrong type is a
 * refusal; one that is absent or null has its default.
 */
#include "oci/internal.h"

#include <limits.h>
#include <string.h>

#include "base/hex.h"
#include "base/own.h"

enum dstack_status
oci_json(const void *p, size_t n, const char *what, json_t **out,
    struct why *why)
{
	json_error_t err;
	if (n > OCI_MAX_JSON)
		return why_set(why, DSTACK_E_LIMIT, "%.100s: over %u bytes",
		    what, OCI_MAX_JSON);
	json_t *j = json_loadb(p, n, JSON_REJECT_DUPLICATES, &err);
	if (j == NULL)
		return why_set(why, DSTACK_E_FORMAT,
		    "%.100s: not the JSON it should be: %.100s", what,
		    err.text);
	*out = j;
	return DSTACK_OK;
}

bool
oci_digest_text(const char *text, uint8_t out[static 32])
{
	static const char hex[] = "0123456789abcdef";
	if (text == NULL || strncmp(text, "sha256:", 7) != 0 ||
	    strlen(text) != 71 || strspn(text + 7, hex) != 64)
		return false;
	return hex_decode(text + 7, 64, out, 32) == DSTACK_OK;
}

static void
list_free(char **v)
{
	for (size_t i = 0; v != NULL && v[i] != NULL; i++)
		free(v[i]);
	free(v);
}

void
oci_config_free(struct oci_config *c)
{
	char *const texts[] = { (char *)(uintptr_t)c->user,
		(char *)(uintptr_t)c->workdir,
		(char *)(uintptr_t)c->stopsignal };
	list_free(c->entrypoint);
	list_free(c->cmd);
	list_free(c->env);
	list_free(c->volumes);
	oci_labels_free(c);
	free(c->exposed);
	list_free(c->shell);
	list_free(c->health.test);
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		free(texts[i]);
	*c = (struct oci_config){ 0 };
}

enum dstack_status
oci_config_list(json_t *from, const char *key, bool keys, char ***out,
    size_t *n, struct why *why)
{
	json_t *j = json_object_get(from, key);
	size_t count = 0;
	if (j != NULL && !json_is_null(j)) {
		if (keys ? !json_is_object(j) : !json_is_array(j))
			return why_set(why, DSTACK_E_FORMAT,
			    "image config: %s has the wrong type", key);
		count = keys ? json_object_size(j) : json_array_size(j);
	}
	if (count > OCI_MAX_LIST)
		return why_set(why, DSTACK_E_LIMIT,
		    "image config: %s has over %d entries", key, OCI_MAX_LIST);
	char **v = calloc(count + 1, sizeof(*v));
	if (v == NULL)
		return why_set(why, DSTACK_E_NOMEM, "image config: no memory");
	*out = v; /* owned by the config from here, whatever follows */
	void *it = keys && count != 0 ? json_object_iter(j) : NULL;
	for (size_t i = 0; i < count; i++) {
		const char *t = keys ? json_object_iter_key(it)
				     : json_string_value(json_array_get(j, i));
		if (t == NULL)
			return why_set(why, DSTACK_E_FORMAT,
			    "image config: %s holds something that is no "
			    "text", key);
		v[i] = strdup(t);
		if (v[i] == NULL)
			return why_set(why, DSTACK_E_NOMEM,
			    "image config: no memory");
		it = keys ? json_object_iter_next(j, it) : NULL;
	}
	*n = count;
	return DSTACK_OK;
}

static enum dstack_status
take_text(json_t *from, const char *key, const char **out, struct why *why)
{
	json_t *j = json_object_get(from, key);
	const char *t = "";
	if (j != NULL && !json_is_null(j))
		t = json_string_value(j);
	if (t == NULL)
		return why_set(why, DSTACK_E_FORMAT,
		    "image config: %s is no text", key);
	if (strlen(t) > OCI_MAX_PATH)
		return why_set(why, DSTACK_E_LIMIT,
		    "image config: %s is too long", key);
	*out = strdup(t);
	return *out != NULL ? DSTACK_OK
			    : why_set(why, DSTACK_E_NOMEM,
				  "image config: no memory");
}

/* "8080/tcp" or "8080"; anything else is not our port. */
static uint16_t
port_of(const char *text)
{
	char *end = NULL;
	unsigned long v = 0;
	if (text[0] < '1' || text[0] > '9')
		return 0;
	v = strtoul(text, &end, 10);
	if (v > 65535 || (*end != '\0' && strcmp(end, "/tcp") != 0))
		return 0;
	return (uint16_t)v;
}

static int
by_number(const void *a, const void *b)
{
	const uint16_t x = *(const uint16_t *)a;
	const uint16_t y = *(const uint16_t *)b;

	return x < y ? -1 : x > y;
}

/* In whatever order the config's author had them: the text decides nothing. */
static enum dstack_status
take_ports(json_t *root, struct oci_config *out, struct why *why)
{
	char **names = NULL;
	size_t n = 0;
	enum dstack_status st =
	    oci_config_list(root, "ExposedPorts", true, &names, &n, why);
	out->exposed = calloc(n + 1, sizeof(*out->exposed));
	if (st == DSTACK_OK && out->exposed == NULL)
		st = why_set(why, DSTACK_E_NOMEM, "image config: no memory");
	for (size_t i = 0; i < n && st == DSTACK_OK; i++) {
		uint16_t p = port_of(names[i]);
		size_t k = 0;
		while (k < out->nexposed && out->exposed[k] != p)
			k++;
		if (p != 0 && k == out->nexposed)
			out->exposed[out->nexposed++] = p;
	}
	list_free(names);
	if (st == DSTACK_OK && out->nexposed == 1)
		out->port = out->exposed[0];
	if (st == DSTACK_OK)
		qsort(out->exposed, out->nexposed, sizeof(*out->exposed),
		    by_number);
	return st;
}

enum dstack_status
oci_config_take(json_t *root, struct oci_config *out, struct why *why)
{
	*out = (struct oci_config){ 0 };
	enum dstack_status st = oci_config_list(root, "Entrypoint", false,
	    &out->entrypoint, &out->nentrypoint, why);
	if (st == DSTACK_OK)
		st = oci_config_list(root, "Cmd", false, &out->cmd, &out->ncmd, why);
	if (st == DSTACK_OK)
		st = oci_config_list(root, "Env", false, &out->env, &out->nenv, why);
	if (st == DSTACK_OK)
		st = oci_config_list(root, "Volumes", true, &out->volumes,
		    &out->nvolumes, why);
	if (st == DSTACK_OK)
		st = oci_config_list(root, "Shell", false, &out->shell,
		    &out->nshell, why);
	if (st == DSTACK_OK)
		st = oci_health_take(root, &out->health, why);
	if (st == DSTACK_OK)
		st = take_text(root, "User", &out->user, why);
	if (st == DSTACK_OK)
		st = take_text(root, "WorkingDir", &out->workdir, why);
	if (st == DSTACK_OK)
		st = take_text(root, "StopSignal", &out->stopsignal, why);
	if (st == DSTACK_OK)
		st = take_ports(root, out, why);
	if (st == DSTACK_OK)
		st = oci_labels_take(root, out, why);
	if (st != DSTACK_OK)
		oci_config_free(out);
	return st;
}

enum dstack_status
oci_config_parse(
    const void *json, size_t n, struct oci_config *out, struct why *why)
{
	AUTO_JSON json_t *root = NULL;
	enum dstack_status st = oci_json(json, n, "image config", &root, why);
	if (st != DSTACK_OK)
		return st;
	if (!json_is_object(root))
		return why_set(why, DSTACK_E_FORMAT,
		    "image config: no JSON object");
	return oci_config_take(root, out, why);
}

static bool
is(json_t *root, const char *key, const char *value)
{
	const char *t = json_string_value(json_object_get(root, key));
	return t != NULL && strcmp(t, value) == 0;
}

bool
oci_config_ours(json_t *root)
{
	return is(root, "os", "linux") && is(root, "architecture", "amd64");
}

static enum dstack_status
must_be(json_t *root, const char *key, const char *value, struct why *why)
{
	const char *t = json_string_value(json_object_get(root, key));
	if (is(root, key, value))
		return DSTACK_OK;
	return why_set(why, DSTACK_E_REJECTED,
	    "image config: %s is %.40s, this runs %s only: build the image "
	    "for linux/amd64", key, t != NULL ? t : "missing", value);
}

enum dstack_status
oci_config_rootfs(json_t *root, struct oci_image *img, struct why *why)
{
	enum dstack_status st = must_be(root, "os", "linux", why);
	if (st == DSTACK_OK)
		st = must_be(root, "architecture", "amd64", why);
	if (st != DSTACK_OK)
		return st;
	json_t *rootfs = json_object_get(root, "rootfs");
	json_t *ids = json_object_get(rootfs, "diff_ids");
	const char *type = json_string_value(json_object_get(rootfs, "type"));
	if (!json_is_array(ids) || type == NULL || strcmp(type, "layers") != 0)
		return why_set(why, DSTACK_E_FORMAT,
		    "image config: no rootfs of layers");
	img->nlayers = json_array_size(ids);
	if (img->nlayers == 0 || img->nlayers > OCI_MAX_LAYERS) {
		size_t n = img->nlayers;
		img->nlayers = 0;
		return why_set(why, DSTACK_E_LIMIT,
		    "image config: %zu layers, 1 to %d are taken", n,
		    OCI_MAX_LAYERS);
	}
	for (size_t i = 0; i < img->nlayers; i++) {
		if (!oci_digest_text(
			json_string_value(json_array_get(ids, i)),
			img->layer[i].diff_id))
			return why_set(why, DSTACK_E_FORMAT,
			    "image config: diff_id %zu is no sha256", i);
	}
	json_t *c = json_object_get(root, "config");
	if (c != NULL && !json_is_object(c) && !json_is_null(c))
		return why_set(why, DSTACK_E_FORMAT,
		    "image config: member config is no object");
	img->run = json_incref(c);
	return oci_config_take(c, &img->config, why);
}
