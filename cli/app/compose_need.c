/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The members of a service that are more than texts: what lasts, what it
 * waits for, and how one sees that it is well. Each has a short and a long
 * form in Compose; of the long one every member is known here, or refused.
 */
#include "cli/app/compose_part.h"

#include <stdio.h>
#include <string.h>

/* A volume at a path; both are taken over. */
static enum dstack_status
add_mount(struct compose_part *p, const yaml_node_t *n, char *name, char *path,
    bool read_only)
{
	struct manifest_service *s = p->s;
	struct manifest_mount *v =
	    reallocarray(s->mounts, s->nmounts + 1, sizeof(*v));
	if (v == NULL || name == NULL || path == NULL) {
		free(name);
		free(path);
		s->mounts = v != NULL ? v : s->mounts;
		return why_set(p->r->why, DSTACK_E_NOMEM, "no memory");
	}
	s->mounts = v;
	v[s->nmounts++] = (struct manifest_mount){ .volume = name,
		.path = path, .read_only = read_only };
	if (!manifest_name_ok(name))
		return NO(p, n, "volumes: '%.60s' is no name of a volume; folders "
				"of this machine are not on a node", name);
	for (size_t i = 0; i + 1 < s->nmounts; i++)
		if (strcmp(v[i].path, path) == 0)
			return NO(p, n, "volumes: %.100s is there twice", path);
	return DSTACK_OK;
}

/* A path of this machine would be another thing on every node. */
/* NAME:PATH[:ro] */
static enum dstack_status
short_volume(struct compose_part *p, const yaml_node_t *n)
{
	AUTO_FREE char *t = NULL;
	enum dstack_status st = compose_text(p, n, &t);
	if (st != DSTACK_OK)
		return st;
	char *path = strchr(t, ':');
	if (path == NULL)
		return NO(p, n, "volumes: '%.60s' has no name: NAME:%.60s keeps "
				"what is in it", t, t);
	*path++ = '\0';
	char *mode = strchr(path, ':');
	if (mode != NULL)
		*mode++ = '\0';
	if (mode != NULL && strcmp(mode, "ro") != 0 && strcmp(mode, "rw") != 0)
		return NO(p, n, "volumes: '%.40s' is not supported, only ro and "
				"rw", mode);
	return add_mount(p, n, strdup(t), strdup(path),
	    mode != NULL && strcmp(mode, "ro") == 0);
}

/* type, source, target, read_only; type is volume or tmpfs. */
static enum dstack_status
long_volume(struct compose_part *p, const yaml_node_t *n)
{
	static const char *const known[] = { "type", "source", "target",
		"read_only" };
	struct yaml *y = &p->r->y;
	enum dstack_status st = DSTACK_OK;
	AUTO_FREE char *type = NULL;
	AUTO_FREE char *source = NULL;
	AUTO_FREE char *target = NULL;
	AUTO_FREE char *ro = NULL;
	char **const to[] = { &type, &source, &target, &ro };
	for (size_t i = 0; st == DSTACK_OK && i < yaml_size(n); i++) {
		size_t k = 0;
		while (k < 4 && strcmp(known[k], yaml_key(y, n, i)) != 0)
			k++;
		if (k == 4)
			return NO(p, yaml_key_at(y, n, i),
			    "volumes: %.60s is not supported",
			    yaml_key(y, n, i));
		st = compose_text(p, yaml_at(y, n, i), to[k]);
	}
	if (st != DSTACK_OK)
		return st;
	if (type == NULL || target == NULL)
		return NO(p, n, "volumes: no type or no target");
	if (strcmp(type, "tmpfs") == 0 && source == NULL && ro == NULL)
		return compose_add(p->r, &p->s->tmpfs, take_ptr(&target));
	if (strcmp(type, "volume") != 0 || source == NULL)
		return NO(p, n, "volumes: a %.20s here is not supported; a volume "
				"with a name is", type);
	if (ro != NULL && strcmp(ro, "true") != 0 && strcmp(ro, "false") != 0)
		return NO(p, n, "volumes: read_only is true or false");
	return add_mount(p, n, take_ptr(&source), take_ptr(&target),
	    ro != NULL && strcmp(ro, "true") == 0);
}

/* Each entry in its short form, a text, or its long one, a map. */
enum dstack_status
compose_volumes(struct compose_part *p)
{
	struct yaml *y = &p->r->y;
	enum dstack_status st = DSTACK_OK;
	if (!yaml_is_list(p->n))
		return NO(p, p->n, "volumes is no list");
	for (size_t i = 0; st == DSTACK_OK && i < yaml_size(p->n); i++) {
		const yaml_node_t *n = yaml_at(y, p->n, i);
		st = yaml_is_map(n) ? long_volume(p, n) : short_volume(p, n);
	}
	return st;
}

/* Of itself, or in a circle: the manifest's reader sees that. */
static enum dstack_status
need(struct compose_part *p, const yaml_node_t *at, const char *name,
    enum manifest_condition condition)
{
	struct manifest_service *s = p->s;
	const unsigned to = manifest_find(&p->r->out->m, name);
	if (to == p->r->out->m.nservices)
		return NO(p, at, "depends_on: there is no service %.60s", name);
	struct manifest_need *v =
	    reallocarray(s->needs, s->nneeds + 1, sizeof(*v));
	if (v == NULL)
		return why_set(p->r->why, DSTACK_E_NOMEM, "no memory");
	s->needs = v;
	v[s->nneeds++] = (struct manifest_need){ .service = to,
		.condition = condition };
	return DSTACK_OK;
}

/* {condition: service_...} */
static enum dstack_status
long_need(struct compose_part *p, const yaml_node_t *n, const char *name)
{
	static const char *const words[] = { "service_started",
		"service_healthy", "service_completed_successfully" };
	struct yaml *y = &p->r->y;
	const yaml_node_t *c = yaml_get(y, n, "condition");
	AUTO_FREE char *t = NULL;
	unsigned i = 0;
	if (c == NULL || yaml_size(n) != 1)
		return NO(p, n, "depends_on: of %.60s a condition, and nothing "
				"else, is supported", name);
	enum dstack_status st = compose_text(p, c, &t);
	if (st != DSTACK_OK)
		return st;
	while (i < 3 && strcmp(words[i], t) != 0)
		i++;
	if (i == 3)
		return NO(p, c, "depends_on: '%.60s' is no condition", t);
	return need(p, c, name, (enum manifest_condition)i);
}

/* The list means "started"; the map has a condition for each. */
enum dstack_status
compose_depends_on(struct compose_part *p)
{
	struct yaml *y = &p->r->y;
	enum dstack_status st = DSTACK_OK;
	if (!yaml_is_list(p->n) && !yaml_is_map(p->n))
		return NO(p, p->n, "depends_on is neither a list nor a map");
	for (size_t i = 0; st == DSTACK_OK && i < yaml_size(p->n); i++) {
		const yaml_node_t *n = yaml_at(y, p->n, i);
		AUTO_FREE char *t = NULL;
		if (yaml_is_map(p->n)) {
			st = long_need(p, n, yaml_key(y, p->n, i));
			continue;
		}
		st = compose_text(p, n, &t);
		if (st == DSTACK_OK)
			st = need(p, n, t, MANIFEST_STARTED);
	}
	return st;
}

/* A text is run by the container's own shell, as Docker does. */
static enum dstack_status
health_test(struct compose_part *p, const yaml_node_t *n, struct manifest_texts *t)
{
	struct compose_part q = *p;
	char *shell = strdup("CMD-SHELL");
	q.n = n;
	if (!yaml_is_list(n)) {
		enum dstack_status st = compose_add(p->r, t, shell);
		return st == DSTACK_OK ? compose_texts(&q, t) : st;
	}
	free(shell);
	return compose_texts(&q, t);
}

/*
 * Compose can take the image's test with other times; here a test must be
 * named, as what runs should be in the manifest and not in two places.
 */
enum dstack_status
compose_healthcheck(struct compose_part *p)
{
	struct yaml *y = &p->r->y;
	struct manifest_health *h = &p->s->health;
	enum dstack_status st = DSTACK_OK;
	if (!yaml_is_map(p->n))
		return NO(p, p->n, "healthcheck is no map");
	for (size_t i = 0; st == DSTACK_OK && i < yaml_size(p->n); i++) {
		const yaml_node_t *n = yaml_at(y, p->n, i);
		const char *key = yaml_key(y, p->n, i);
		AUTO_FREE char *t = NULL;
		if (strcmp(key, "test") == 0) {
			st = health_test(p, n, &h->test);
		} else if (strcmp(key, "interval") == 0) {
			st = compose_ms(p, n, MANIFEST_MAX_MS, &h->interval);
		} else if (strcmp(key, "timeout") == 0) {
			st = compose_ms(p, n, MANIFEST_MAX_MS, &h->timeout);
		} else if (strcmp(key, "start_period") == 0) {
			st = compose_ms(p, n, MANIFEST_MAX_MS, &h->start_period);
		} else if (strcmp(key, "start_interval") == 0) {
			st = compose_ms(
			    p, n, MANIFEST_MAX_MS, &h->start_interval);
		} else if (strcmp(key, "retries") == 0) {
			uint64_t v = 0;
			st = compose_text(p, n, &t);
			if (st == DSTACK_OK &&
			    (!compose_bytes(t, &v) || v > 1000))
				return NO(p, n, "healthcheck: retries is a "
						"number, 1 to 1000");
			h->retries = (uint32_t)v;
		} else if (strcmp(key, "disable") == 0) {
			st = compose_text(p, n, &t);
			if (st == DSTACK_OK && strcmp(t, "true") == 0)
				st = compose_add(
				    p->r, &h->test, strdup("NONE"));
		} else {
			return NO(p, yaml_key_at(y, p->n, i),
			    "healthcheck: %.60s is not supported", key);
		}
	}
	if (st == DSTACK_OK && !h->test.there)
		return NO(p, p->n, "healthcheck: it has no test");
	return st;
}
