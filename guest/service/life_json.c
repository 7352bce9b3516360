/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The app's life as /status shows it. Times go out as seconds from now, since
 * nobody outside has this VM's clock; what is not known has no member, so that
 * a reader need not know which number would mean "none".
 */
#include "guest/service/service.h"

#include <string.h>

#include <jansson.h>

static void
number(json_t *o, const char *key, uint64_t v)
{
	/* jansson's integers are signed; nothing here comes near */
	(void)json_object_set_new(o, key,
	    json_integer(v > INT64_MAX ? INT64_MAX : (json_int_t)v));
}

static uint64_t
apart(uint64_t a, uint64_t b)
{
	return a > b ? a - b : 0;
}

/* Each with its LF, an array of texts. */
static json_t *
lines_json(const char *tail)
{
	json_t *v = json_array();

	for (size_t n; (n = strcspn(tail, "\n")) != 0 || *tail == '\n';) {
		(void)json_array_append_new(v, json_stringn(tail, n));
		tail += n;
		tail += *tail == '\n';
	}
	return v;
}

static json_t *
end_json(const struct life_end *e, const char *tail, uint64_t now)
{
	json_t *o = json_object();

	number(o, "version", e->version);
	number(o, e->by_signal ? "signal" : "exit", e->code);
	(void)json_object_set_new(o, "memory", json_boolean(e->memory));
	number(o, "ago", apart(now, e->at));
	if (tail[0] != '\0')
		(void)json_object_set_new(o, "lines", lines_json(tail));
	return o;
}

static json_t *
refused_json(const struct life_refused *r, uint64_t now)
{
	json_t *o = json_object();

	number(o, "version", r->version);
	(void)json_object_set_new(o, "reason", json_string(r->why));
	number(o, "tries", r->tries);
	(void)json_object_set_new(o, "rests", json_boolean(r->rests));
	number(o, "again", apart(r->again, now));
	return o;
}

/* By name. One that is over and ended well has done its work. */
static json_t *
services_json(const struct life *l, uint64_t now)
{
	json_t *all = json_object();

	for (uint32_t i = 0; i < l->services; i++) {
		const struct life_service *s = &l->service[i];
		json_t *o = json_object();
		(void)json_object_set_new(o, "up", json_boolean(s->up));
		if (s->up)
			number(o, "since", apart(now, s->since));
		(void)json_object_set_new(o, "over", json_boolean(s->over));
		number(o, "restarts", s->restarts);
		if (s->health[0] != '\0')
			(void)json_object_set_new(
			    o, "health", json_string(s->health));
		if (s->end.any)
			(void)json_object_set_new(
			    o, "lastEnd", end_json(&s->end, "", now));
		(void)json_object_set_new(all, s->name, o);
	}
	return all;
}

void
service_life_json(json_t *o, const struct life *l, uint64_t now)
{
	if (l->wanted != 0)
		number(o, "wanted", l->wanted);
	if (l->serves != 0) {
		number(o, "serving", l->serves);
		(void)json_object_set_new(o, "up", json_boolean(l->up));
		if (l->up)
			number(o, "since", apart(now, l->since));
		number(o, "restarts", l->restarts);
	}
	if (l->bound != 0) {
		json_t *m = json_object();
		number(m, "used", l->used);
		number(m, "bound", l->bound);
		(void)json_object_set_new(o, "memory", m);
	}
	if (l->end.any)
		(void)json_object_set_new(
		    o, "lastEnd", end_json(&l->end, l->tail, now));
	if (l->refused.version != 0)
		(void)json_object_set_new(
		    o, "refused", refused_json(&l->refused, now));
	if (l->health[0] != '\0')
		(void)json_object_set_new(o, "health", json_string(l->health));
	if (l->waits[0] != '\0')
		(void)json_object_set_new(o, "waits", json_string(l->waits));
	if (l->services != 0) {
		number(o, "servicesOf", l->services_of);
		(void)json_object_set_new(
		    o, "services", services_json(l, now));
	}
}
