/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A manifest's text becomes a struct, or one line that says why not.
 *
 * First the size, then the JSON (no doubled keys, no depth beyond what the
 * format has), then its own canonical form against the text: what differs
 * anywhere, in order, spaces or escapes, is refused before it is looked into.
 * Then the services' names, so that needs can name any of them; then each
 * member by a table of those that there are, which is what makes an unknown
 * one a refusal. Last what only the whole can tell: that the front is there,
 * that volumes are declared and used, that needs make no circle. That walk
 * also finds the order in which a node starts them.
 */
#include "oci/manifest_part.h"

#include <string.h>

#include "base/own.h"

/* Also of a list that was broken off: n counts what is there. */
static void
texts_free(struct manifest_texts *t)
{
	for (size_t i = 0; i < t->n; i++)
		free(t->v[i]);
	free(t->v);
}

void
manifest_free(struct manifest *m)
{
	for (size_t i = 0; i < MANIFEST_SERVICES; i++) {
		struct manifest_service *s = &m->service[i];
		texts_free(&s->command);
		texts_free(&s->entrypoint);
		texts_free(&s->environment);
		texts_free(&s->labels);
		texts_free(&s->secrets);
		texts_free(&s->tmpfs);
		texts_free(&s->health.test);
		for (size_t k = 0; k < s->nmounts; k++) {
			free(s->mounts[k].volume);
			free(s->mounts[k].path);
		}
		free(s->mounts);
		free(s->needs);
		free(s->expose);
		free(s->name);
		free(s->user);
		free(s->working_dir);
		free(s->stop_signal);
	}
	texts_free(&m->volumes);
	*m = (struct manifest){ .nservices = 0 };
}

unsigned
manifest_find(const struct manifest *m, const char *name)
{
	unsigned i = 0;
	while (i < m->nservices && strcmp(m->service[i].name, name) != 0)
		i++;
	return i;
}

static enum dstack_status
names(struct manifest *m, json_t *services, struct why *why)
{
	const char *key;
	json_t *v;
	const size_t n = json_object_size(services);
	if (n == 0 || n > MANIFEST_SERVICES)
		return why_set(why, DSTACK_E_LIMIT,
		    "manifest: %zu services, 1 to %d are taken", n,
		    MANIFEST_SERVICES);
	json_object_foreach (services, key, v) {
		if (!manifest_name_ok(key))
			return why_set(why, DSTACK_E_FORMAT,
			    "manifest: %.40s is no name of a service: 1 to %d "
			    "of a-z 0-9 _ -", key, MANIFEST_NAME);
		m->service[m->nservices].name = strdup(key);
		if (m->service[m->nservices].name == NULL)
			return why_set(why, DSTACK_E_NOMEM, "no memory");
		m->nservices++;
	}
	return DSTACK_OK;
}

/*
 * Which service, and on which port: the manifest says both, since an image's
 * EXPOSE is a guess as soon as there are two of them.
 */
static enum dstack_status
front(struct manifest *m, json_t *j, struct why *why)
{
	const struct part p = { .key = "front: port", .why = why,
		.j = json_object_get(j, "port") };
	const char *name = json_string_value(json_object_get(j, "service"));
	uint64_t port = 0;
	if (name == NULL || json_object_size(j) != 2)
		return why_set(why, DSTACK_E_FORMAT,
		    "manifest: front is not port and service");
	m->front = manifest_find(m, name);
	if (m->front == m->nservices)
		return why_set(why, DSTACK_E_REJECTED,
		    "manifest: front: there is no service %.40s", name);
	enum dstack_status st = manifest_take_number(&p, 65535, &port);
	m->front_port = (uint16_t)port;
	return st == DSTACK_OK ? st : why_wrap(why, st, "manifest");
}

/* Each that is mounted is declared, and each that is declared is mounted. */
static enum dstack_status
volumes(const struct manifest *m, struct why *why)
{
	bool used[MANIFEST_LIST] = { false };
	for (size_t i = 0; i < m->nservices; i++) {
		const struct manifest_service *s = &m->service[i];
		for (size_t k = 0; k < s->nmounts; k++) {
			size_t v = 0;
			while (v < m->volumes.n &&
			    strcmp(m->volumes.v[v], s->mounts[k].volume) != 0)
				v++;
			if (v == m->volumes.n)
				return why_set(why, DSTACK_E_REJECTED,
				    "manifest: service %s: volume %s is not "
				    "declared", s->name, s->mounts[k].volume);
			used[v] = true;
		}
	}
	for (size_t v = 0; v < m->volumes.n; v++) {
		if (!used[v])
			return why_set(why, DSTACK_E_REJECTED,
			    "manifest: volume %s is used by no service",
			    m->volumes.v[v]);
	}
	return DSTACK_OK;
}

/* Whoever needs nobody who is not placed yet is the next, by name. */
static enum dstack_status
order(struct manifest *m, struct why *why)
{
	bool placed[MANIFEST_SERVICES] = { false };
	for (size_t n = 0; n < m->nservices; n++) {
		unsigned i = 0;
		for (; i < m->nservices; i++) {
			const struct manifest_service *s = &m->service[i];
			bool ready = !placed[i];
			for (size_t k = 0; ready && k < s->nneeds; k++)
				ready = placed[s->needs[k].service];
			if (ready)
				break;
		}
		if (i == m->nservices)
			return why_set(why, DSTACK_E_REJECTED,
			    "manifest: depends_on goes in a circle");
		placed[i] = true;
		m->order[n] = i;
	}
	return DSTACK_OK;
}

/*
 * The order is that of what each part needs: names before anything that
 * names, services before volumes and order, which look at all of them.
 */
static enum dstack_status
whole(struct manifest *m, json_t *root, struct why *why)
{
	json_t *services = json_object_get(root, "services");
	json_t *vols = json_object_get(root, "volumes");
	const struct part p = { .key = "volumes", .why = why, .j = vols };
	const json_t *v = json_object_get(root, "manifest");
	/* four members, of which one may be absent, and no others */
	if (!json_is_integer(v) || json_integer_value(v) != 1)
		return why_set(why, DSTACK_E_FORMAT,
		    "manifest: not of version 1, the only one this reads");
	if (json_object_size(root) != (vols != NULL ? 4 : 3))
		return why_set(why, DSTACK_E_FORMAT,
		    "manifest: members other than front, manifest, services "
		    "and volumes");
	enum dstack_status st = names(m, services, why);
	if (st == DSTACK_OK)
		st = front(m, json_object_get(root, "front"), why);
	if (st == DSTACK_OK && vols != NULL) {
		st = manifest_take_list(&p, manifest_name_ok, true, &m->volumes);
		if (st != DSTACK_OK)
			return why_wrap(why, st, "manifest");
	}
	for (unsigned i = 0; st == DSTACK_OK && i < m->nservices; i++)
		st = manifest_take_service(m, i,
		    json_object_get(services, m->service[i].name), why);
	if (st == DSTACK_OK)
		st = volumes(m, why);
	if (st == DSTACK_OK)
		st = order(m, why);
	return st;
}

enum dstack_status
manifest_parse(const void *p, size_t n, struct manifest *out, struct why *why)
{
	AUTO_JSON json_t *root = NULL;
	AUTO_FREE char *text = NULL;
	AUTO_MANIFEST struct manifest m = { .nservices = 0 };
	if (n > MANIFEST_MAX)
		return why_set(why, DSTACK_E_LIMIT, "manifest: over %u bytes",
		    MANIFEST_MAX);
	enum dstack_status st = oci_json(p, n, "manifest", &root, why);
	if (st != DSTACK_OK)
		return st;
	text = json_dumps(root, JSON_COMPACT | JSON_SORT_KEYS);
	if (text == NULL || !json_is_object(root))
		return why_set(why, DSTACK_E_FORMAT, "manifest: no JSON object");
	if (strlen(text) != n || memcmp(text, p, n) != 0)
		return why_set(why, DSTACK_E_FORMAT,
		    "manifest: not in canonical form (RFC 8785); make it with "
		    "dstack app build");
	st = whole(&m, root, why);
	if (st == DSTACK_OK) {
		*out = m;
		m = (struct manifest){ .nservices = 0 };
	}
	return st;
}
