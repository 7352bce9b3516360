/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The facts of an app's life as one run of bytes between two roles. Numbers
 * first, in the order of the struct, then the texts, then its services. The reader refuses a
 * length or a flag that the writer cannot have written, and replaces what is
 * not printable: a reason may quote a name of the app's archive, and ends on
 * somebody's terminal.
 */
#include "guest/base/life.h"

#include <stdio.h>
#include <time.h>

uint64_t
life_now(void)
{
	struct timespec t = { 0 };

	(void)clock_gettime(CLOCK_BOOTTIME, &t);
	return (uint64_t)t.tv_sec;
}

static void
end_put(struct wr *w, const struct life_end *e)
{
	wr_u8(w, e->any);
	wr_u8(w, e->by_signal);
	wr_u8(w, e->memory);
	wr_u32be(w, e->code);
	wr_u64be(w, e->version);
	wr_u64be(w, e->at);
}

static void
service_put(struct wr *w, const struct life_service *s)
{
	wr_text(w, s->name);
	wr_u8(w, s->up);
	wr_u8(w, s->over);
	wr_u64be(w, s->since);
	wr_u32be(w, s->restarts);
	end_put(w, &s->end);
	wr_text(w, s->health);
}

void
life_put(struct wr *w, const struct life *l)
{
	wr_put(w, l->app_id, 32);
	wr_u64be(w, l->wanted);
	wr_u64be(w, l->serves);
	wr_u8(w, l->up);
	wr_u64be(w, l->since);
	wr_u32be(w, l->restarts);
	wr_u64be(w, l->used);
	wr_u64be(w, l->bound);
	end_put(w, &l->end);
	wr_u64be(w, l->refused.version);
	wr_u32be(w, l->refused.tries);
	wr_u8(w, l->refused.rests);
	wr_u64be(w, l->refused.again);
	wr_text(w, l->refused.why);
	wr_text(w, l->tail);
	wr_text(w, l->waits);
	wr_text(w, l->health);
	wr_u64be(w, l->services_of);
	wr_u32be(w, l->services);
	for (uint32_t i = 0; i < l->services; i++)
		service_put(w, &l->service[i]);
}

static enum dstack_status
flag(struct rd *r, bool *out)
{
	uint8_t v = 0;
	enum dstack_status st = rd_u8(r, &v);

	if (st == DSTACK_OK && v > 1)
		return DSTACK_E_FORMAT;
	*out = v != 0;
	return st;
}

static enum dstack_status
text(struct rd *r, char *out, size_t cap)
{
	enum dstack_status st = rd_text(r, out, cap);

	for (char *c = out; st == DSTACK_OK && *c != '\0'; c++)
		if ((*c < 0x20 || *c > 0x7e) && (*c != '\n' || cap != LIFE_TAIL))
			*c = '?';
	return st;
}

static enum dstack_status
end_get(struct rd *r, struct life_end *e)
{
	enum dstack_status st;

	if ((st = flag(r, &e->any)) != DSTACK_OK ||
	    (st = flag(r, &e->by_signal)) != DSTACK_OK ||
	    (st = flag(r, &e->memory)) != DSTACK_OK ||
	    (st = rd_u32be(r, &e->code)) != DSTACK_OK ||
	    (st = rd_u64be(r, &e->version)) != DSTACK_OK)
		return st;
	return rd_u64be(r, &e->at);
}

static enum dstack_status
service_get(struct rd *r, struct life_service *s)
{
	enum dstack_status st;

	if ((st = text(r, s->name, LIFE_NAME)) != DSTACK_OK ||
	    (st = flag(r, &s->up)) != DSTACK_OK ||
	    (st = flag(r, &s->over)) != DSTACK_OK ||
	    (st = rd_u64be(r, &s->since)) != DSTACK_OK ||
	    (st = rd_u32be(r, &s->restarts)) != DSTACK_OK ||
	    (st = end_get(r, &s->end)) != DSTACK_OK)
		return st;
	return text(r, s->health, LIFE_TEXT);
}

static enum dstack_status
services_get(struct rd *r, struct life *l)
{
	enum dstack_status st = rd_u64be(r, &l->services_of);

	if (st == DSTACK_OK)
		st = rd_u32be(r, &l->services);
	if (st == DSTACK_OK && l->services > LIFE_SERVICES)
		st = DSTACK_E_LIMIT;
	for (uint32_t i = 0; st == DSTACK_OK && i < l->services; i++)
		st = service_get(r, &l->service[i]);
	return st;
}

enum dstack_status
life_get(struct rd *r, struct life *l)
{
	enum dstack_status st;

	*l = (struct life){ 0 };
	if ((st = rd_copy(r, l->app_id, 32)) != DSTACK_OK ||
	    (st = rd_u64be(r, &l->wanted)) != DSTACK_OK ||
	    (st = rd_u64be(r, &l->serves)) != DSTACK_OK ||
	    (st = flag(r, &l->up)) != DSTACK_OK ||
	    (st = rd_u64be(r, &l->since)) != DSTACK_OK ||
	    (st = rd_u32be(r, &l->restarts)) != DSTACK_OK ||
	    (st = rd_u64be(r, &l->used)) != DSTACK_OK ||
	    (st = rd_u64be(r, &l->bound)) != DSTACK_OK ||
	    (st = end_get(r, &l->end)) != DSTACK_OK ||
	    (st = rd_u64be(r, &l->refused.version)) != DSTACK_OK ||
	    (st = rd_u32be(r, &l->refused.tries)) != DSTACK_OK ||
	    (st = flag(r, &l->refused.rests)) != DSTACK_OK ||
	    (st = rd_u64be(r, &l->refused.again)) != DSTACK_OK ||
	    (st = text(r, l->refused.why, LIFE_TEXT)) != DSTACK_OK ||
	    (st = text(r, l->tail, LIFE_TAIL)) != DSTACK_OK ||
	    (st = text(r, l->waits, LIFE_TEXT)) != DSTACK_OK ||
	    (st = text(r, l->health, LIFE_TEXT)) != DSTACK_OK)
		return st;
	return services_get(r, l);
}

void
life_end_text(const struct life_end *e, char out[static LIFE_END_TEXT])
{
	(void)snprintf(out, LIFE_END_TEXT, "%s %u%s",
	    e->by_signal ? "signal" : "exit", e->code,
	    e->memory ? ", killed as its memory was used up" : "");
}
