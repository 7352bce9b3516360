/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The members of one service of a manifest, each by its own function.
 *
 * In: a service's JSON object, and the names of all services. Each member is
 * looked up in the table of those that there are, and its function judges
 * kind, bounds and spelling and puts it into the struct, which owns it from
 * then on, also when a later one is refused. An unknown member is a refusal.
 * The reason begins with the member, and the caller's with the service.
 */
#include "oci/manifest_part.h"

#include <stdio.h>
#include <string.h>

/* The commonest refusal: the member is there and is not what it must be. */
static enum dstack_status
kind(const struct part *p, const char *want)
{
	return why_set(
	    p->why, DSTACK_E_FORMAT, "%s is not %s", p->key, want);
}

/*
 * Names end up in file names of the volume, in /etc/hosts and in tags of keys:
 * this is what all three take, so that none of them needs an escape.
 */
bool
manifest_name_ok(const char *name)
{
	static const char first[] = "abcdefghijklmnopqrstuvwxyz0123456789";
	static const char all[] = "abcdefghijklmnopqrstuvwxyz0123456789_-";
	const size_t n = strlen(name);

	return n != 0 && n <= MANIFEST_NAME && strspn(name, first) != 0 &&
	    strspn(name, all) == n;
}

/* Secrets may have capitals, as variables have. */
static bool
secret_name_ok(const char *name)
{
	static const char all[] = "abcdefghijklmnopqrstuvwxyz0123456789_-."
				  "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
	const size_t n = strlen(name);

	return n != 0 && n <= MANIFEST_NAME * 2 && name[0] != '.' &&
	    strspn(name, all) == n;
}

/* No control characters but those of a text: the rest have many spellings. */
static bool
text_ok(const char *t)
{
	for (; *t != '\0'; t++) {
		if ((unsigned char)*t < 0x20 && strchr("\n\t\r", *t) == NULL)
			return false;
	}
	return true;
}

/*
 * Absolute, in the one spelling that it has, and not what a node mounts
 * itself: a volume over /proc or over the guest's own names is a mistake.
 */
static bool
path_ok(const char *path)
{
	static const char *const ours[] = { "proc", "sys", "dev",
		"mnt/encrypted_data", "mnt/host_volume", "etc/hosts",
		"etc/hostname", "etc/resolv.conf", "var/run/dstack.sock",
		"run/dstack.sock", "run/secrets" };
	char clean[OCI_MAX_PATH + 1];

	if (path[0] != '/' || path[1] == '\0' ||
	    oci_path(path, clean, NULL) != DSTACK_OK ||
	    strcmp(clean, path + 1) != 0)
		return false;
	for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++) {
		const size_t n = strlen(ours[i]);
		if (strncmp(clean, ours[i], n) == 0 &&
		    (clean[n] == '\0' || clean[n] == '/'))
			return false;
	}
	return true;
}

/* --- kinds of members --- */

/*
 * An empty text is refused, since for a node it would be the same as none, and
 * two manifests that mean the same should not both be canonical.
 */
static enum dstack_status
take_text(const struct part *p, char **out)
{
	const char *t = json_string_value(p->j);
	if (t == NULL || t[0] == '\0' || !text_ok(t))
		return kind(p, "a text");
	*out = strdup(t);
	return *out != NULL ? DSTACK_OK : DSTACK_E_NOMEM;
}

enum dstack_status
manifest_take_number(const struct part *p, uint64_t max, uint64_t *out)
{
	const json_int_t v = json_integer_value(p->j);
	if (!json_is_integer(p->j) || v < 1 || (uint64_t)v > max)
		return why_set(p->why, DSTACK_E_FORMAT,
		    "%s is not a number from 1 to %llu", p->key,
		    (unsigned long long)max);
	*out = (uint64_t)v;
	return DSTACK_OK;
}

static enum dstack_status
take_ms(const struct part *p, uint32_t max, uint32_t *out)
{
	uint64_t v = 0;
	enum dstack_status st = manifest_take_number(p, max, &v);
	if (st == DSTACK_OK)
		*out = (uint32_t)v;
	return st;
}

/* Memory for n texts; from here on manifest_free frees what is in it. */
static enum dstack_status
room(const struct part *p, size_t n, struct manifest_texts *out)
{
	if (n > MANIFEST_LIST)
		return why_set(p->why, DSTACK_E_LIMIT,
		    "%s has over %d entries", p->key, MANIFEST_LIST);
	out->v = calloc(n + 1, sizeof(*out->v));
	out->there = true;
	return out->v != NULL ? DSTACK_OK : DSTACK_E_NOMEM;
}

/* A list of texts. ok: NULL, or what each must be; sorted: and rising. */
enum dstack_status
manifest_take_list(const struct part *p, bool (*ok)(const char *), bool sorted,
    struct manifest_texts *out)
{
	if (!json_is_array(p->j))
		return kind(p, "a list");
	enum dstack_status st = room(p, json_array_size(p->j), out);
	for (size_t i = 0; st == DSTACK_OK && i < json_array_size(p->j); i++) {
		const char *t = json_string_value(json_array_get(p->j, i));
		if (t == NULL || !text_ok(t) || (ok != NULL && !ok(t)))
			return kind(p, "a list of what it may hold");
		if (sorted && i != 0 && strcmp(out->v[i - 1], t) >= 0)
			return kind(p, "sorted, or has a thing twice");
		out->v[i] = strdup(t);
		if (out->v[i] == NULL)
			return DSTACK_E_NOMEM;
		out->n++;
	}
	return st;
}

/* A map of texts, as "key=value" in the order of the keys. */
static enum dstack_status
take_map(const struct part *p, bool (*ok)(const char *),
    struct manifest_texts *out)
{
	const char *key;
	json_t *v;
	if (!json_is_object(p->j) || json_object_size(p->j) == 0)
		return kind(p, "a map");
	enum dstack_status st = room(p, json_object_size(p->j), out);
	if (st != DSTACK_OK)
		return st;
	json_object_foreach (p->j, key, v) {
		const char *t = json_string_value(v);
		if (t == NULL || !text_ok(t) || !ok(key))
			return why_set(p->why, DSTACK_E_FORMAT,
			    "%s: %.60s is no name with a text", p->key, key);
		if (asprintf(&out->v[out->n], "%s=%s", key, t) < 0) {
			out->v[out->n] = NULL;
			return DSTACK_E_NOMEM;
		}
		out->n++;
	}
	return DSTACK_OK;
}

/* --- members of a service --- */

/* In Docker's spelling of a digest, lower case, so that there is one. */
static enum dstack_status
get_image(struct part *p)
{
	return oci_digest_text(json_string_value(p->j), p->s->image)
	    ? DSTACK_OK
	    : kind(p, "sha256: and 64 hex digits");
}

/*
 * Words are anything: what a program makes of them is its own matter. That an
 * empty list is not the same as none is what "there" is for.
 */
static enum dstack_status
get_command(struct part *p)
{
	return manifest_take_list(p, NULL, false, &p->s->command);
}

static enum dstack_status
get_entrypoint(struct part *p)
{
	return manifest_take_list(p, NULL, false, &p->s->entrypoint);
}

/* Whatever a variable may be called, as long as its end can be told. */
static bool
variable_ok(const char *name)
{
	for (const char *c = name; *c != '\0'; c++) {
		if (*c <= ' ' || *c > '~' || *c == '=')
			return false;
	}
	return name[0] != '\0';
}

static enum dstack_status
get_environment(struct part *p)
{
	return take_map(p, variable_ok, &p->s->environment);
}

/*
 * Which labels there are, and with what values, label.c judges when they are
 * put over the image's; here they only must be of this project.
 */
static bool
label_ok(const char *name)
{
	static const char all[] = "abcdefghijklmnopqrstuvwxyz0123456789_-.";
	return strncmp(name, "dstack.", 7) == 0 && name[7] != '\0' &&
	    strspn(name, all) == strlen(name);
}

static enum dstack_status
get_labels(struct part *p)
{
	return take_map(p, label_ok, &p->s->labels);
}

static enum dstack_status
get_secrets(struct part *p)
{
	return manifest_take_list(p, secret_name_ok, true, &p->s->secrets);
}

/* Looked up in the image when it is there, like a USER of its own. */
static enum dstack_status
get_user(struct part *p)
{
	return take_text(p, &p->s->user);
}

static enum dstack_status
get_working_dir(struct part *p)
{
	enum dstack_status st = take_text(p, &p->s->working_dir);
	return st != DSTACK_OK || p->s->working_dir[0] == '/'
	    ? st
	    : kind(p, "an absolute path");
}

/* Names and numbers as in STOPSIGNAL; what is none of them is SIGTERM. */
static enum dstack_status
get_stop_signal(struct part *p)
{
	return take_text(p, &p->s->stop_signal);
}

/* Bounded, as the node itself has to be gone in its own time. */
static enum dstack_status
get_stop_grace(struct part *p)
{
	return take_ms(p, MANIFEST_MAX_GRACE_MS, &p->s->stop_grace);
}

static enum dstack_status
get_tmpfs(struct part *p)
{
	return manifest_take_list(p, path_ok, true, &p->s->tmpfs);
}

/* {"path":…,"volume":NAME}, and "read_only":true where it is so. */
static enum dstack_status
one_volume(struct part *p, json_t *j, struct manifest_mount *out)
{
	json_t *ro = json_object_get(j, "read_only");
	const struct part path = { .key = "path", .why = p->why,
		.j = json_object_get(j, "path") };
	const struct part name = { .key = "volume", .why = p->why,
		.j = json_object_get(j, "volume") };
	if (json_object_size(j) != (ro != NULL ? 3 : 2) ||
	    (ro != NULL && !json_is_true(ro)))
		return kind(p, "a list of path, volume and read_only");
	enum dstack_status st = take_text(&path, &out->path);
	if (st == DSTACK_OK)
		st = take_text(&name, &out->volume);
	if (st != DSTACK_OK)
		return st;
	out->read_only = ro != NULL;
	if (!path_ok(out->path))
		return why_set(p->why, DSTACK_E_REJECTED,
		    "volumes: %.100s is no place for one", out->path);
	return manifest_name_ok(out->volume)
	    ? DSTACK_OK
	    : why_set(p->why, DSTACK_E_FORMAT,
		  "volumes: %.40s is no name of one", out->volume);
}

/*
 * Sorted by path, which also finds a path that is there twice. One volume may
 * be at several places and in several services: that is how they share files.
 */
static enum dstack_status
get_volumes(struct part *p)
{
	struct manifest_service *s = p->s;
	const size_t n = json_array_size(p->j);
	if (!json_is_array(p->j) || n == 0 || n > MANIFEST_LIST)
		return kind(p, "a list");
	s->mounts = calloc(n, sizeof(*s->mounts));
	if (s->mounts == NULL)
		return DSTACK_E_NOMEM;
	for (size_t i = 0; i < n; i++) {
		struct manifest_mount *v = &s->mounts[s->nmounts++];
		enum dstack_status st =
		    one_volume(p, json_array_get(p->j, i), v);
		if (st != DSTACK_OK)
			return st;
		if (i != 0 && strcmp(v[-1].path, v->path) >= 0)
			return kind(p, "sorted, or has a path twice");
	}
	return DSTACK_OK;
}

/*
 * Needs are by index from here on, which is why all names are read before any
 * service is. A need of itself is a circle, and found as one.
 */
static enum dstack_status
get_depends_on(struct part *p)
{
	static const char *const words[] = { "started", "healthy",
		"completed" };
	const char *key;
	json_t *v;
	if (!json_is_object(p->j) || json_object_size(p->j) == 0 ||
	    json_object_size(p->j) > MANIFEST_SERVICES)
		return kind(p, "a map");
	p->s->needs = calloc(json_object_size(p->j), sizeof(*p->s->needs));
	if (p->s->needs == NULL)
		return DSTACK_E_NOMEM;
	json_object_foreach (p->j, key, v) {
		const char *t = json_string_value(v);
		unsigned c = 0;
		while (c < 3 && (t == NULL || strcmp(words[c], t) != 0))
			c++;
		if (c == 3)
			return kind(p, "a map to started, healthy, completed");
		const unsigned to = manifest_find(p->m, key);
		if (to == p->m->nservices)
			return why_set(p->why, DSTACK_E_REJECTED,
			    "depends_on: there is no service %.40s", key);
		p->s->needs[p->s->nneeds++] = (struct manifest_need){
			.service = to, .condition = (enum manifest_condition)c
		};
	}
	return DSTACK_OK;
}

/* What Docker takes: ["NONE"], ["CMD", WORD...] or ["CMD-SHELL", TEXT]. */
static bool
test_ok(const struct manifest_texts *t)
{
	if (t->n == 0)
		return false;
	if (strcmp(t->v[0], "NONE") == 0)
		return t->n == 1;
	if (strcmp(t->v[0], "CMD-SHELL") == 0)
		return t->n == 2;
	return strcmp(t->v[0], "CMD") == 0 && t->n >= 2;
}

/*
 * The image's check is replaced as a whole: a manifest that only changed its
 * times would mean another check with each image.
 */
static enum dstack_status
get_healthcheck(struct part *p)
{
	struct manifest_health *h = &p->s->health;
	struct part q = *p;
	if (!json_is_object(p->j))
		return kind(p, "a map");
	json_object_foreach (p->j, q.key, q.j) {
		enum dstack_status st;
		if (strcmp(q.key, "test") == 0)
			st = manifest_take_list(&q, NULL, false, &h->test);
		else if (strcmp(q.key, "interval") == 0)
			st = take_ms(&q, MANIFEST_MAX_MS, &h->interval);
		else if (strcmp(q.key, "timeout") == 0)
			st = take_ms(&q, MANIFEST_MAX_MS, &h->timeout);
		else if (strcmp(q.key, "start_period") == 0)
			st = take_ms(&q, MANIFEST_MAX_MS, &h->start_period);
		else if (strcmp(q.key, "start_interval") == 0)
			st = take_ms(&q, MANIFEST_MAX_MS, &h->start_interval);
		else if (strcmp(q.key, "retries") == 0)
			st = take_ms(&q, 1000, &h->retries);
		else
			st = why_set(p->why, DSTACK_E_FORMAT,
			    "%.40s is no member that is known", q.key);
		if (st != DSTACK_OK)
			return why_wrap(p->why, st, "healthcheck");
	}
	/* times alone would be for a check that somebody else may change */
	return h->test.there && test_ok(&h->test)
	    ? DSTACK_OK
	    : why_set(p->why, DSTACK_E_FORMAT,
		  "healthcheck: test is not NONE, CMD or CMD-SHELL");
}

/* "always" has a spelling here, but manifest_write leaves it out. */
static enum dstack_status
get_restart(struct part *p)
{
	static const char *const words[] = { "always", "on-failure", "no" };
	const char *t = json_string_value(p->j);
	for (unsigned i = 0; t != NULL && i < 3; i++) {
		if (strcmp(words[i], t) != 0)
			continue;
		p->s->restart = (enum manifest_restart)i;
		return DSTACK_OK;
	}
	return kind(p, "always, on-failure or no");
}

/* Nothing is opened or closed by it; it is told by inspect. */
static enum dstack_status
get_expose(struct part *p)
{
	struct manifest_service *s = p->s;
	const size_t n = json_array_size(p->j);
	if (!json_is_array(p->j) || n == 0 || n > MANIFEST_LIST)
		return kind(p, "a list");
	s->expose = calloc(n, sizeof(*s->expose));
	if (s->expose == NULL)
		return DSTACK_E_NOMEM;
	for (size_t i = 0; i < n; i++) {
		const struct part one = { .key = "expose", .why = p->why,
			.j = json_array_get(p->j, i) };
		uint64_t v = 0;
		enum dstack_status st = manifest_take_number(&one, 65535, &v);
		if (st != DSTACK_OK)
			return st;
		if (i != 0 && s->expose[i - 1] >= v)
			return kind(p, "sorted, or has a port twice");
		s->expose[s->nexpose++] = (uint16_t)v;
	}
	return DSTACK_OK;
}

static enum dstack_status
get_shm_size(struct part *p)
{
	return manifest_take_number(p, MANIFEST_MAX_BYTES, &p->s->shm_size);
}

static enum dstack_status
get_mem_limit(struct part *p)
{
	return manifest_take_number(p, MANIFEST_MAX_BYTES, &p->s->mem_limit);
}

/* All that a service may have; see docs/manifest.md. */
static const struct member {
	const char *key;
	enum dstack_status (*get)(struct part *p);
} members[] = {
	{ "command", get_command },
	{ "depends_on", get_depends_on },
	{ "entrypoint", get_entrypoint },
	{ "environment", get_environment },
	{ "expose", get_expose },
	{ "healthcheck", get_healthcheck },
	{ "image", get_image },
	{ "labels", get_labels },
	{ "mem_limit", get_mem_limit },
	{ "restart", get_restart },
	{ "secrets", get_secrets },
	{ "shm_size", get_shm_size },
	{ "stop_grace", get_stop_grace },
	{ "stop_signal", get_stop_signal },
	{ "tmpfs", get_tmpfs },
	{ "user", get_user },
	{ "volumes", get_volumes },
	{ "working_dir", get_working_dir },
};
#define MEMBERS (sizeof(members) / sizeof(members[0]))

enum dstack_status
manifest_take_service(struct manifest *m, unsigned i, json_t *j, struct why *why)
{
	struct part p = { .m = m, .s = &m->service[i], .why = why };
	enum dstack_status st = DSTACK_OK;
	if (!json_is_object(j) || json_object_get(j, "image") == NULL)
		st = why_set(why, DSTACK_E_FORMAT, "it has no image");
	for (void *it = json_object_iter(j); st == DSTACK_OK && it != NULL;
	     it = json_object_iter_next(j, it)) {
		size_t k = 0;
		p.key = json_object_iter_key(it);
		p.j = json_object_iter_value(it);
		while (k < MEMBERS && strcmp(members[k].key, p.key) != 0)
			k++;
		st = k < MEMBERS
		    ? members[k].get(&p)
		    : why_set(why, DSTACK_E_FORMAT,
			  "%.40s is no member that is known", p.key);
	}
	if (st == DSTACK_E_NOMEM)
		return why_set(why, st, "manifest: no memory");
	return st == DSTACK_OK ? st
			       : why_wrap(why, st, "manifest: service %s",
				     p.s->name);
}
