/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A Compose file becomes a manifest.
 *
 * First the file as a whole: its top-level members are those that have a
 * meaning here, or say nothing. Then the names of the services, sorted, as
 * needs may name any; then each service (compose_service.c). Last what the
 * services have together: which one is the front, and that the volumes that
 * are mounted are those that are declared.
 *
 * The front is the service with the label dstack.front. Without one it is the
 * only service that publishes a port, since that is what publishing is for;
 * a second published port would be one that no client ever reaches.
 */
#include "cli/app/compose.h"

#include <stdio.h>
#include <string.h>

/* Nothing of ours: extensions, the name that Compose gives its containers. */
static bool
means_nothing(const char *key)
{
	return strncmp(key, "x-", 2) == 0 || strcmp(key, "name") == 0 ||
	    strcmp(key, "version") == 0 || strcmp(key, "services") == 0;
}

static int
by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/*
 * All names are judged before one is kept. They are kept sorted, as the
 * manifest has them: indices of services are the same in both.
 */
static enum dstack_status
names(struct compose_reading *r, const yaml_node_t *services)
{
	struct manifest *m = &r->out->m;
	char *v[MANIFEST_SERVICES];
	const size_t n = yaml_size(services);
	if (!yaml_is_map(services) || n == 0)
		return yaml_no(&r->y, services, "services is no map of them");
	if (n > MANIFEST_SERVICES)
		return yaml_no(&r->y, services, "%zu services, at most %d are "
						"supported", n,
		    MANIFEST_SERVICES);
	for (size_t i = 0; i < n; i++) {
		const char *name = yaml_key(&r->y, services, i);
		if (!manifest_name_ok(name))
			return yaml_no(&r->y, yaml_key_at(&r->y, services, i),
			    "service %.60s: a name is 1 to %d of a-z 0-9 _ -",
			    name, MANIFEST_NAME);
	}
	for (size_t i = 0; i < n; i++) {
		v[i] = strdup(yaml_key(&r->y, services, i));
		if (v[i] == NULL) {
			while (i-- > 0)
				free(v[i]);
			return why_set(r->why, DSTACK_E_NOMEM, "no memory");
		}
	}
	qsort(v, n, sizeof(v[0]), by_text);
	for (size_t i = 0; i < n; i++)
		m->service[i].name = v[i];
	m->nservices = n;
	return DSTACK_OK;
}

/* Names with nothing behind them, or with what says the same. */
static enum dstack_status
declared(struct compose_reading *r, const yaml_node_t *n, const char *what,
    const char *may, const char *reason)
{
	if (n == NULL)
		return DSTACK_OK;
	if (!yaml_is_map(n))
		return yaml_no(&r->y, n, "%s is no map", what);
	for (size_t i = 0; i < yaml_size(n); i++) {
		const yaml_node_t *v = yaml_at(&r->y, n, i);
		for (size_t k = 0; k < yaml_size(v); k++) {
			const char *key = yaml_is_map(v)
			    ? yaml_key(&r->y, v, k)
			    : "";
			if (may == NULL || strcmp(key, may) != 0)
				return yaml_no(&r->y, v, "%s: %.60s is not "
				    "supported: %s", what, key, reason);
		}
		if (!yaml_is_map(v) && !yaml_is_null(v))
			return yaml_no(&r->y, v, "%s: %.60s is no map", what,
			    yaml_key(&r->y, n, i));
	}
	return DSTACK_OK;
}

/* When every service has been read, all ports are known. */
static enum dstack_status
front(struct compose_reading *r, const yaml_node_t *services)
{
	struct manifest *m = &r->out->m;
	const struct compose_port *f = NULL;
	size_t labels = 0;
	for (size_t i = 0; i < r->nports; i++) {
		labels += r->port[i].label ? 1 : 0;
		if (r->port[i].label)
			f = &r->port[i];
	}
	if (labels > 1)
		return yaml_no(&r->y, f->at, "dstack.front a second time: there "
					     "is one front");
	if (labels == 0 && r->nports == 1)
		f = &r->port[0];
	if (f == NULL)
		return yaml_no(&r->y, services, "which service do HTTPS clients "
		    "reach? Give it the label dstack.front: \"PORT\"");
	for (size_t i = 0; i < r->nports; i++)
		if (r->port[i].service != f->service ||
		    r->port[i].port != f->port)
			return yaml_no(&r->y, r->port[i].at, "ports: only the "
			    "front's port is reached from outside, %s %u here",
			    m->service[f->service].name, f->port);
	m->front = f->service;
	m->front_port = f->port;
	return DSTACK_OK;
}

/* Compose wants each volume declared; one that nobody mounts is no harm. */
static enum dstack_status
volumes(struct compose_reading *r, const yaml_node_t *services,
    const yaml_node_t *top)
{
	struct manifest *m = &r->out->m;
	for (size_t i = 0; i < m->nservices; i++) {
		const struct manifest_service *s = &m->service[i];
		for (size_t k = 0; k < s->nmounts; k++) {
			const char *name = s->mounts[k].volume;
			bool there = false;
			if (top == NULL || yaml_get(&r->y, top, name) == NULL)
				return yaml_no(&r->y, services,
				    "service %s: volume %s is not declared "
				    "below the top-level volumes", s->name,
				    name);
			for (size_t v = 0; v < m->volumes.n; v++)
				there = there ||
				    strcmp(m->volumes.v[v], name) == 0;
			enum dstack_status st = there
			    ? DSTACK_OK
			    : compose_add(r, &m->volumes, strdup(name));
			if (st != DSTACK_OK)
				return st;
		}
	}
	return DSTACK_OK;
}

/* Unknown members of the top level first: a typo there changes all below. */
static enum dstack_status
whole(struct compose_reading *r)
{
	struct yaml *y = &r->y;
	const yaml_node_t *root = yaml_root(y);
	const yaml_node_t *services = yaml_get(y, root, "services");
	const yaml_node_t *vols = yaml_get(y, root, "volumes");
	r->secrets = yaml_get(y, root, "secrets");
	if (services == NULL)
		return yaml_no(y, root, "it has no services");
	for (size_t i = 0; i < yaml_size(root); i++) {
		const char *key = yaml_key(y, root, i);
		if (!means_nothing(key) && strcmp(key, "volumes") != 0 &&
		    strcmp(key, "secrets") != 0)
			return yaml_no(y, yaml_key_at(y, root, i),
			    "%.60s is not supported%s", key,
			    strcmp(key, "networks") == 0
				? ": services of an app share one network"
				: "");
	}
	enum dstack_status st = declared(r, vols, "volumes", NULL,
	    "each is a folder of the encrypted volume");
	if (st == DSTACK_OK)
		st = declared(r, r->secrets, "secrets", "external",
		    "a value in an archive is none; it is set on the network");
	if (st == DSTACK_OK)
		st = names(r, services);
	for (unsigned i = 0; st == DSTACK_OK && i < r->out->m.nservices; i++)
		st = compose_service(r, i,
		    yaml_get(y, services, r->out->m.service[i].name));
	if (st == DSTACK_OK)
		st = front(r, services);
	return st == DSTACK_OK ? volumes(r, services, vols) : st;
}

enum dstack_status
compose_parse(const char *file, const void *text, size_t n,
    char *const *vars, size_t nvars, compose_read *read, void *ctx,
    struct compose *out, struct why *why)
{
	AUTO_COMPOSE struct compose c;
	memset(&c, 0, sizeof(c));
	struct compose_reading r = { .out = &c, .read = read, .ctx = ctx,
		.why = why };
	enum dstack_status st =
	    yaml_open(&r.y, file, text, n, vars, nvars, why);
	if (st != DSTACK_OK)
		return st;
	st = whole(&r);
	yaml_close(&r.y);
	if (st == DSTACK_OK) {
		*out = c;
		memset(&c, 0, sizeof(c));
	}
	return st;
}

void
compose_free(struct compose *c)
{
	for (size_t i = 0; i < MANIFEST_SERVICES; i++)
		free(c->image[i]);
	manifest_free(&c->m);
	memset(c, 0, sizeof(*c));
}
