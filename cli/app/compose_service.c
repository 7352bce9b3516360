/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The members of one service of a Compose file, each by its own function. The
 * table of them is what is supported; a member of Compose that is not in it
 * is refused, some with the reason, since it would have changed how the app
 * runs. Forms that mean the same (list or map, text or list, short or long)
 * become one. What the values may be is judged again by the manifest's own
 * reader, but here the line is known, so what is likely to be wrong is told
 * here.
 */
#include "cli/app/compose_part.h"

#include <stdio.h>
#include <string.h>

/* Where it is found is the caller's matter, who may have been told. */
static enum dstack_status
get_image(struct compose_part *p)
{
	p->r->out->line[p->i] = p->n->start_mark.line + 1;
	return compose_text(p, p->n, &p->r->out->image[p->i]);
}

static enum dstack_status
get_command(struct compose_part *p)
{
	return compose_command(p, &p->s->command);
}

static enum dstack_status
get_entrypoint(struct compose_part *p)
{
	return compose_command(p, &p->s->entrypoint);
}

static enum dstack_status
get_user(struct compose_part *p)
{
	return compose_text(p, p->n, &p->s->user);
}

static enum dstack_status
get_working_dir(struct compose_part *p)
{
	return compose_text(p, p->n, &p->s->working_dir);
}

static enum dstack_status
get_stop_signal(struct compose_part *p)
{
	return compose_text(p, p->n, &p->s->stop_signal);
}

/* A node has to stop in its own time, so that of a service is bounded. */
static enum dstack_status
get_stop_grace(struct compose_part *p)
{
	return compose_ms(p, p->n, MANIFEST_MAX_GRACE_MS, &p->s->stop_grace);
}

static enum dstack_status
bytes(struct compose_part *p, uint64_t *out)
{
	AUTO_FREE char *t = NULL;
	enum dstack_status st = compose_text(p, p->n, &t);
	if (st == DSTACK_OK && !compose_bytes(t, out))
		return NO(p, p->n, "%s: '%.40s' is no size such as 64m",
		    p->key, t);
	return st;
}

static enum dstack_status
get_shm_size(struct compose_part *p)
{
	return bytes(p, &p->s->shm_size);
}

static enum dstack_status
get_mem_limit(struct compose_part *p)
{
	return bytes(p, &p->s->mem_limit);
}

/* Their bound is the app's memory; a size of their own there is none. */
static enum dstack_status
get_tmpfs(struct compose_part *p)
{
	enum dstack_status st = compose_texts(p, &p->s->tmpfs);
	for (size_t i = 0; st == DSTACK_OK && i < p->s->tmpfs.n; i++)
		if (strchr(p->s->tmpfs.v[i], ':') != NULL)
			return NO(p, p->n, "tmpfs: options are not supported; "
					   "name the folder alone");
	return st;
}

/* Nobody is inside to stop a service by hand, so the first two are one. */
static enum dstack_status
get_restart(struct compose_part *p)
{
	static const struct {
		const char *word;
		enum manifest_restart v;
	} words[] = { { "always", MANIFEST_ALWAYS },
		{ "unless-stopped", MANIFEST_ALWAYS },
		{ "on-failure", MANIFEST_ON_FAILURE }, { "no", MANIFEST_NO } };
	AUTO_FREE char *t = NULL;
	enum dstack_status st = compose_text(p, p->n, &t);
	for (size_t i = 0; st == DSTACK_OK && i < 4; i++) {
		if (strcmp(words[i].word, t) != 0)
			continue;
		p->s->restart = words[i].v;
		return DSTACK_OK;
	}
	return st != DSTACK_OK
	    ? st
	    : NO(p, p->n, "restart: '%.40s' is not always, unless-stopped, "
			  "on-failure or no", t);
}

/* No ranges: each port that is meant is written. */
static enum dstack_status
get_expose(struct compose_part *p)
{
	struct manifest_service *s = p->s;
	struct manifest_texts list = { .n = 0 };
	enum dstack_status st = compose_texts(p, &list);
	s->expose = calloc(list.n + 1, sizeof(*s->expose));
	if (st == DSTACK_OK && s->expose == NULL)
		st = why_set(p->r->why, DSTACK_E_NOMEM, "no memory");
	for (size_t i = 0; i < list.n; i++) {
		uint16_t v = 0;
		if (st == DSTACK_OK && !compose_port_of(list.v[i], &v))
			st = NO(p, p->n, "expose: '%.40s' is no TCP port",
			    list.v[i]);
		if (st == DSTACK_OK)
			s->expose[s->nexpose++] = v;
		free(list.v[i]);
	}
	free(list.v);
	return st;
}

/*
 * Kept with its place, for the line of a refusal later: a port is wrong or
 * right only beside those of the other services.
 */
static enum dstack_status
add_port(struct compose_part *p, const yaml_node_t *at, const char *t, bool label)
{
	struct compose_reading *r = p->r;
	uint16_t v = 0;
	if (!compose_port_of(t, &v))
		return NO(p, at, "%s: '%.40s' is no TCP port", p->key, t);
	if (r->nports == sizeof(r->port) / sizeof(r->port[0]))
		return NO(p, at, "ports: too many");
	r->port[r->nports++] = (struct compose_port){ .port = v,
		.service = p->i, .at = at, .label = label };
	return DSTACK_OK;
}

/* Which of them clients reach is found when all services are read. */
static enum dstack_status
get_ports(struct compose_part *p)
{
	struct yaml *y = &p->r->y;
	enum dstack_status st = DSTACK_OK;
	if (!yaml_is_list(p->n))
		return NO(p, p->n, "ports is no list");
	for (size_t i = 0; st == DSTACK_OK && i < yaml_size(p->n); i++) {
		const yaml_node_t *n = yaml_at(y, p->n, i);
		const yaml_node_t *target = yaml_get(y, n, "target");
		AUTO_FREE char *t = NULL;
		st = compose_text(p, target != NULL ? target : n, &t);
		if (st == DSTACK_OK)
			st = add_port(p, n, t, false);
	}
	return st;
}

/* dstack.front is for here; the others go into the manifest. */
static enum dstack_status
get_labels(struct compose_part *p)
{
	struct manifest_texts *t = &p->s->labels;
	enum dstack_status st = compose_pairs(p, t);
	size_t kept = 0;
	for (size_t i = 0; i < t->n; i++) {
		char *v = t->v[i];
		const bool front = strncmp(v, "dstack.front=", 13) == 0;
		if (st == DSTACK_OK && front)
			st = add_port(p, p->n, v + 13, true);
		else if (st == DSTACK_OK && strncmp(v, "dstack.", 7) != 0)
			st = NO(p, p->n, "labels: %.60s means nothing here; "
					 "those under dstack. are taken", v);
		if (front)
			free(v);
		else
			t->v[kept++] = v;
	}
	t->n = kept;
	return st;
}

/* Only names: a value never comes near the archive. */
static enum dstack_status
get_secrets(struct compose_part *p)
{
	struct yaml *y = &p->r->y;
	struct manifest_texts *t = &p->s->secrets;
	enum dstack_status st = compose_texts(p, t);
	for (size_t i = 0; st == DSTACK_OK && i < t->n; i++)
		if (p->r->secrets == NULL ||
		    yaml_get(y, p->r->secrets, t->v[i]) == NULL)
			return NO(p, p->n, "secrets: %.60s is not declared below "
					   "the top-level secrets", t->v[i]);
	return st;
}

static enum dstack_status
get_platform(struct compose_part *p)
{
	AUTO_FREE char *t = NULL;
	enum dstack_status st = compose_text(p, p->n, &t);
	return st != DSTACK_OK || strcmp(t, "linux/amd64") == 0
	    ? st
	    : NO(p, p->n, "platform: nodes are linux/amd64");
}

/* In the order of Compose's own reference; with a reason: why not. */
static const struct member {
	const char *key;
	enum dstack_status (*get)(struct compose_part *p);
	const char *reason;
} members[] = {
	{ "image", get_image, NULL },
	{ "command", get_command, NULL },
	{ "entrypoint", get_entrypoint, NULL },
	{ "environment", compose_environment, NULL },
	{ "env_file", compose_env_file, NULL },
	{ "user", get_user, NULL },
	{ "working_dir", get_working_dir, NULL },
	{ "volumes", compose_volumes, NULL },
	{ "tmpfs", get_tmpfs, NULL },
	{ "depends_on", compose_depends_on, NULL },
	{ "healthcheck", compose_healthcheck, NULL },
	{ "restart", get_restart, NULL },
	{ "stop_signal", get_stop_signal, NULL },
	{ "stop_grace_period", get_stop_grace, NULL },
	{ "expose", get_expose, NULL },
	{ "ports", get_ports, NULL },
	{ "shm_size", get_shm_size, NULL },
	{ "mem_limit", get_mem_limit, NULL },
	{ "labels", get_labels, NULL },
	{ "secrets", get_secrets, NULL },
	{ "platform", get_platform, NULL },
	{ "build", NULL, "build the image first and name its archive as image" },
	{ "networks", NULL, "services of an app share one network" },
	{ "network_mode", NULL, "services of an app share one network" },
	{ "container_name", NULL, "services find each other by their names" },
	{ "privileged", NULL, "no container is privileged on a node" },
	{ "devices", NULL, "nodes have no devices for apps" },
	{ "configs", NULL, "put the file into the image" },
	{ "deploy", NULL, "mem_limit bounds memory; every node runs the app once" },
};
#define MEMBERS (sizeof(members) / sizeof(members[0]))

/*
 * In the order in which they are written, which no member depends on. Of an
 * unknown one the key's own line is told, not that of its value.
 */
enum dstack_status
compose_service(struct compose_reading *r, unsigned i, const yaml_node_t *n)
{
	struct compose_part p = { .r = r, .s = &r->out->m.service[i], .i = i };
	enum dstack_status st = DSTACK_OK;
	r->out->line[i] = n->start_mark.line + 1;
	if (!yaml_is_map(n))
		return yaml_no(&r->y, n, "service %s is no map", p.s->name);
	for (size_t m = 0; st == DSTACK_OK && m < yaml_size(n); m++) {
		size_t k = 0;
		p.key = yaml_key(&r->y, n, m);
		p.n = yaml_at(&r->y, n, m);
		if (strncmp(p.key, "x-", 2) == 0)
			continue;
		while (k < MEMBERS && strcmp(members[k].key, p.key) != 0)
			k++;
		if (k < MEMBERS && members[k].get != NULL)
			st = members[k].get(&p);
		else
			st = NO(&p, yaml_key_at(&r->y, n, m),
			    "service %s: %.60s is not supported%s%s",
			    p.s->name, p.key, k < MEMBERS ? ": " : "",
			    k < MEMBERS ? members[k].reason : "");
	}
	return st;
}
