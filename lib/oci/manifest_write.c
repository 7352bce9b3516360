/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A manifest out of its struct, and what it changes of an image.
 *
 * Writing makes JSON of all that is there, sorts what the format has sorted,
 * prints it in canonical form and reads it again: so there is one judge of
 * what a manifest may be, and what comes out here every node takes. Members
 * that have their default are left out.
 *
 * Applying works on the JSON of the image's config, not on what was read of
 * it: the service's members go in the places of the image's, and the result
 * is read as an image's own config would be. So a member of the config that
 * some other part of this program looks at is covered as well.
 */
#include "oci/manifest_part.h"

#include <stdio.h>
#include <string.h>

#include "base/hex.h"
#include "base/own.h"
#include "base/secret.h"

/* Byte order, which for the names that are allowed is RFC 8785's as well. */
static int
by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/*
 * NULL without memory, or where a text is no UTF-8 and so no JSON string: a
 * list with a word less would be another command.
 */
static json_t *
list(const struct manifest_texts *t, bool sorted)
{
	json_t *j = json_array();
	AUTO_FREE char **v = calloc(t->n + 1, sizeof(*v));
	if (v == NULL) {
		json_decref(j);
		return NULL;
	}
	for (size_t i = 0; i < t->n; i++)
		v[i] = t->v[i];
	if (sorted)
		qsort(v, t->n, sizeof(*v), by_text);
	for (size_t i = 0; i < t->n; i++) {
		if (json_array_append_new(j, json_string(v[i])) != 0) {
			json_decref(j);
			return NULL;
		}
	}
	return j;
}

/* "key=value" texts as an object; of a key that comes twice the last counts. */
static json_t *
map(const struct manifest_texts *t)
{
	json_t *j = json_object();
	for (size_t i = 0; i < t->n; i++) {
		const char *eq = strchr(t->v[i], '=');
		AUTO_FREE char *key = eq != NULL
		    ? strndup(t->v[i], (size_t)(eq - t->v[i]))
		    : NULL;
		if (key == NULL ||
		    json_object_set_new(j, key, json_string(eq + 1)) != 0) {
			json_decref(j);
			return NULL;
		}
	}
	return j;
}

/* False sticks in *ok: no memory, or a text that is no UTF-8. */
static void
put(json_t *o, const char *key, json_t *v, bool *ok)
{
	if (json_object_set_new(o, key, v) != 0)
		*ok = false;
}

static void
put_text(json_t *o, const char *key, const char *t, bool *ok)
{
	if (t != NULL)
		put(o, key, json_string(t), ok);
}

static void
put_number(json_t *o, const char *key, uint64_t v, bool *ok)
{
	if (v != 0)
		put(o, key, json_integer((json_int_t)v), ok);
}

static int
by_path(const void *a, const void *b)
{
	const struct manifest_mount *const *x = a;
	const struct manifest_mount *const *y = b;
	return strcmp((*x)->path, (*y)->path);
}

/* Sorted by path, as the reader wants them; false only where it is true. */
static json_t *
mounts(const struct manifest_service *s, bool *ok)
{
	json_t *j = json_array();
	AUTO_FREE const struct manifest_mount **v =
	    calloc(s->nmounts + 1, sizeof(*v));
	for (size_t i = 0; v != NULL && i < s->nmounts; i++)
		v[i] = &s->mounts[i];
	if (v != NULL)
		qsort(v, s->nmounts, sizeof(*v), by_path);
	else
		*ok = false;
	for (size_t i = 0; v != NULL && i < s->nmounts; i++) {
		json_t *o = json_object();
		put_text(o, "path", v[i]->path, ok);
		put_text(o, "volume", v[i]->volume, ok);
		if (v[i]->read_only)
			put(o, "read_only", json_true(), ok);
		if (json_array_append_new(j, o) != 0)
			*ok = false;
	}
	return j;
}

static json_t *
needs(const struct manifest *m, const struct manifest_service *s, bool *ok)
{
	static const char *const words[] = { "started", "healthy",
		"completed" };
	json_t *j = json_object();
	for (size_t i = 0; i < s->nneeds; i++)
		put(j, m->service[s->needs[i].service].name,
		    json_string(words[s->needs[i].condition]), ok);
	return j;
}

static json_t *
health(const struct manifest_health *h, bool *ok)
{
	json_t *j = json_object();
	put(j, "test", list(&h->test, false), ok);
	put_number(j, "interval", h->interval, ok);
	put_number(j, "timeout", h->timeout, ok);
	put_number(j, "start_period", h->start_period, ok);
	put_number(j, "start_interval", h->start_interval, ok);
	put_number(j, "retries", h->retries, ok);
	return j;
}

static int
by_port(const void *a, const void *b)
{
	return (int)*(const uint16_t *)a - (int)*(const uint16_t *)b;
}

/* Rising, and each once: Compose takes a port twice. */
static json_t *
ports(const struct manifest_service *s, bool *ok)
{
	json_t *j = json_array();
	AUTO_FREE uint16_t *v = calloc(s->nexpose + 1, sizeof(*v));
	if (v == NULL) {
		*ok = false;
		return j;
	}
	memcpy(v, s->expose, s->nexpose * sizeof(*v));
	qsort(v, s->nexpose, sizeof(*v), by_port);
	for (size_t i = 0; i < s->nexpose; i++)
		if (i == 0 || v[i] != v[i - 1])
			(void)json_array_append_new(j, json_integer(v[i]));
	return j;
}

/*
 * What is at its default is left out, so that a manifest does not grow, and
 * change its digest, with every member that a later version of this adds.
 */
static json_t *
service(const struct manifest *m, const struct manifest_service *s, bool *ok)
{
	static const char *const restarts[] = { NULL, "on-failure", "no" };
	json_t *j = json_object();
	char image[72] = "sha256:";
	hex_encode(s->image, 32, image + 7);
	put_text(j, "image", image, ok);
	if (s->command.there)
		put(j, "command", list(&s->command, false), ok);
	if (s->entrypoint.there)
		put(j, "entrypoint", list(&s->entrypoint, false), ok);
	if (s->environment.n != 0)
		put(j, "environment", map(&s->environment), ok);
	if (s->labels.n != 0)
		put(j, "labels", map(&s->labels), ok);
	if (s->secrets.n != 0)
		put(j, "secrets", list(&s->secrets, true), ok);
	if (s->tmpfs.n != 0)
		put(j, "tmpfs", list(&s->tmpfs, true), ok);
	if (s->nmounts != 0)
		put(j, "volumes", mounts(s, ok), ok);
	if (s->nneeds != 0)
		put(j, "depends_on", needs(m, s, ok), ok);
	if (s->nexpose != 0)
		put(j, "expose", ports(s, ok), ok);
	if (s->health.test.there)
		put(j, "healthcheck", health(&s->health, ok), ok);
	put_text(j, "restart", restarts[s->restart], ok);
	put_text(j, "user", s->user, ok);
	put_text(j, "working_dir", s->working_dir, ok);
	put_text(j, "stop_signal", s->stop_signal, ok);
	put_number(j, "stop_grace", s->stop_grace, ok);
	put_number(j, "shm_size", s->shm_size, ok);
	put_number(j, "mem_limit", s->mem_limit, ok);
	return j;
}

enum dstack_status
manifest_write(const struct manifest *m, char **text, struct why *why)
{
	AUTO_JSON json_t *root = json_object();
	AUTO_MANIFEST struct manifest again = { .nservices = 0 };
	json_t *services = json_object();
	json_t *front = json_object();
	bool ok = root != NULL && m->front < m->nservices;
	put(root, "manifest", json_integer(1), &ok);
	put(root, "services", services, &ok);
	put(root, "front", front, &ok);
	for (size_t i = 0; i < m->nservices; i++)
		put(services, m->service[i].name,
		    service(m, &m->service[i], &ok), &ok);
	if (m->volumes.n != 0)
		put(root, "volumes", list(&m->volumes, true), &ok);
	if (m->front < m->nservices)
		put_text(front, "service", m->service[m->front].name, &ok);
	put_number(front, "port", m->front_port, &ok);
	AUTO_FREE char *out =
	    ok ? json_dumps(root, JSON_COMPACT | JSON_SORT_KEYS) : NULL;
	if (out == NULL)
		return why_set(why, DSTACK_E_FORMAT,
		    "manifest: no front, no memory, or a text that is not "
		    "UTF-8");
	enum dstack_status st = manifest_parse(out, strlen(out), &again, why);
	if (st == DSTACK_OK)
		*text = take_ptr(&out);
	return st;
}

/* --- what it changes of an image --- */

/* The image's list of variables with the manifest's over it. */
static json_t *
environment(json_t *config, const struct manifest_texts *t, bool *ok)
{
	json_t *had = json_object_get(config, "Env");
	json_t *out = json_array();
	for (size_t i = 0; i < json_array_size(had); i++) {
		json_t *e = json_array_get(had, i);
		const char *text = json_string_value(e);
		bool over = false;
		for (size_t k = 0; text != NULL && k < t->n; k++) {
			const size_t n = strcspn(t->v[k], "=") + 1;
			over = over || strncmp(t->v[k], text, n) == 0;
		}
		/* what is no text there the config's reader refuses */
		if (!over && json_array_append(out, e) != 0)
			*ok = false;
	}
	for (size_t k = 0; k < t->n; k++)
		if (json_array_append_new(out, json_string(t->v[k])) != 0)
			*ok = false;
	return out;
}

/* An object of the config, made where the image has none. */
static json_t *
object(json_t *config, const char *key, bool *ok)
{
	json_t *j = json_object_get(config, key);
	if (json_is_object(j))
		return j;
	put(config, key, json_object(), ok);
	return json_object_get(config, key);
}

/* Docker counts in nanoseconds. */
static void
put_ns(json_t *o, const char *key, uint32_t ms, bool *ok)
{
	put_number(o, key, (uint64_t)ms * 1000000u, ok);
}

static json_t *
docker_health(const struct manifest_health *h, bool *ok)
{
	json_t *j = json_object();
	put(j, "Test", list(&h->test, false), ok);
	put_ns(j, "Interval", h->interval, ok);
	put_ns(j, "Timeout", h->timeout, ok);
	put_ns(j, "StartPeriod", h->start_period, ok);
	put_ns(j, "StartInterval", h->start_interval, ok);
	put_number(j, "Retries", h->retries, ok);
	return j;
}

/* Only the front's port is a port that clients reach. */
static void
front_port(const struct manifest *m, json_t *config, bool *ok)
{
	char text[16];
	(void)snprintf(text, sizeof(text), "%u/tcp", m->front_port);
	put(config, "ExposedPorts", json_pack("{s:{}}", text), ok);
	text[strcspn(text, "/")] = '\0';
	put(object(config, "Labels", ok), "dstack.port", json_string(text),
	    ok);
}

/* The label's own form: names with commas between them. */
static json_t *
secrets(const struct manifest_texts *t)
{
	AUTO_WR struct wr w = wr_new(OCI_MAX_LABEL);
	for (size_t i = 0; i < t->n; i++)
		wr_fmt(&w, "%s%s", i != 0 ? "," : "", t->v[i]);
	return wr_status(&w) == DSTACK_OK
	    ? json_stringn((const char *)w.buf, w.len)
	    : NULL;
}

/*
 * Member by member. What is set to a list or text replaces; what is a map is
 * merged, as Compose does it.
 */
static void
overlay(const struct manifest *m, const struct manifest_service *s,
    json_t *config, bool *ok)
{
	if (s->entrypoint.there) {
		put(config, "Entrypoint", list(&s->entrypoint, false), ok);
		(void)json_object_del(config, "Cmd"); /* it was for the other */
	}
	if (s->command.there)
		put(config, "Cmd", list(&s->command, false), ok);
	if (s->environment.n != 0)
		put(config, "Env", environment(config, &s->environment, ok),
		    ok);
	put_text(config, "User", s->user, ok);
	put_text(config, "WorkingDir", s->working_dir, ok);
	put_text(config, "StopSignal", s->stop_signal, ok);
	for (size_t i = 0; i < s->nmounts; i++)
		put(object(config, "Volumes", ok), s->mounts[i].path,
		    json_object(), ok);
	for (size_t i = 0; i < s->labels.n; i++) {
		const char *eq = strchr(s->labels.v[i], '=');
		AUTO_FREE char *key =
		    strndup(s->labels.v[i], (size_t)(eq - s->labels.v[i]));
		put(object(config, "Labels", ok), key != NULL ? key : "",
		    json_string(eq + 1), ok);
	}
	if (s->secrets.n != 0)
		put(object(config, "Labels", ok), "dstack.secrets",
		    secrets(&s->secrets), ok);
	if (s->health.test.there)
		put(config, "Healthcheck", docker_health(&s->health, ok), ok);
	if (s == &m->service[m->front])
		front_port(m, config, ok);
}

enum dstack_status
manifest_apply(const struct manifest *m, unsigned i, struct oci_image *img,
    struct why *why)
{
	const struct manifest_service *s = &m->service[i];
	struct oci_config config;
	bool ok = true;
	if (!ct_equal(s->image, img->digest, 32))
		return why_set(why, DSTACK_E_REJECTED,
		    "manifest: service %s: this is not its image", s->name);
	AUTO_JSON json_t *run = json_is_object(img->run)
	    ? json_deep_copy(img->run)
	    : json_object();
	overlay(m, s, run, &ok);
	if (run == NULL || !ok)
		return why_set(why, DSTACK_E_NOMEM, "manifest: no memory");
	enum dstack_status st = oci_config_take(run, &config, why);
	if (st != DSTACK_OK)
		return why_wrap(why, st, "service %s", s->name);
	oci_config_free(&img->config);
	img->config = config;
	return config.nentrypoint + config.ncmd != 0
	    ? DSTACK_OK
	    : why_set(why, DSTACK_E_REJECTED,
		  "service %s: neither it nor its image has a command or an "
		  "entrypoint", s->name);
}
