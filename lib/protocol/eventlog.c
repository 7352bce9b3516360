/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A log is judged from its bytes up: bounded, one JSON list, each event an
 * object with its five members and no other, of a kind and name that guests
 * have, with a payload of that event's length. From name and payload follows
 * the digest, from the digests the register; only when that is the quote's is
 * anything told of what the events say. So a log can be left out, cut or
 * bettered by whoever carries it, and is then worth nothing.
 *
 * An app's own events are hashed with its id, which the log gives with the
 * event "app"; their names are free but for those of the guest's.
 */
#include "protocol/eventlog.h"

#include <string.h>

#include <jansson.h>

#include "base/hex.h"
#include "base/own.h"
#include "base/rd.h"
#include "base/wr.h"
#include "protocol/events.h"

static void
own_json(json_t **v)
{
	json_decref(*v);
}
#define AUTO_JSON OWN_CLEANUP(own_json)

static const struct {
	const char *name;
	size_t len;
} guest[] = {
	{ "netcfg", 48 },
	{ "join-ready", 0 },
	{ "joined", 8 + 20 },
	{ "app", 32 + 32 + 8 },
	{ "app-start", 0 },
};

struct event {
	const char *name;
	uint8_t payload[EVENT_APP_PAYLOAD_MAX];
	size_t len;
	uint8_t digest[48]; /* as the log has it */
	bool app;
};

/* The length of a guest's event, or -1. */
static int
guest_len(const char *name)
{
	for (size_t i = 0; i < sizeof(guest) / sizeof(guest[0]); i++)
		if (strcmp(guest[i].name, name) == 0)
			return (int)guest[i].len;
	return -1;
}

static enum dstack_status
read_event(const json_t *v, struct event *e, struct why *why)
{
	const json_t *type = json_object_get(v, "event_type");
	const json_t *digest = json_object_get(v, "digest");
	const json_t *payload = json_object_get(v, "event_payload");
	const size_t len = json_string_length(payload);
	e->name = json_string_value(json_object_get(v, "event"));
	e->len = 0;
	e->app = json_integer_value(type) == EVENTLOG_APP;
	if (json_object_size(v) != 5 || e->name == NULL ||
	    !json_is_string(payload) || !json_is_string(digest) ||
	    json_integer_value(json_object_get(v, "imr")) != 3 ||
	    (!e->app && json_integer_value(type) != EVENTLOG_GUEST) ||
	    hex_decode(json_string_value(digest), json_string_length(digest),
		e->digest, 48) != DSTACK_OK ||
	    (len > 0 &&
		hex_decode_var(json_string_value(payload), len, e->payload,
		    sizeof(e->payload), &e->len) != DSTACK_OK))
		return why_set(why, DSTACK_E_FORMAT,
		    "event log: not an event of a guest's RTMR3");
	const int want = guest_len(e->name);
	const size_t name = strlen(e->name);
	if (e->app ? want >= 0 || name == 0 || name > EVENT_APP_NAME_MAX
		   : want < 0 || (size_t)want != e->len)
		return why_set(why, DSTACK_E_FORMAT,
		    "event log: no guest has the event '%.64s' in that form",
		    e->name);
	return DSTACK_OK;
}

/* What the event's name and payload hash to. */
static enum dstack_status
digest_of(const struct event *e, const struct eventlog *log,
    uint8_t out[static 48], struct why *why)
{
	AUTO_WR struct wr w = wr_new(0);
	if (!e->app) {
		event_digest(e->name, e->payload, (uint32_t)e->len, out);
		return DSTACK_OK;
	}
	if (log->apps == 0)
		return why_set(why, DSTACK_E_FORMAT,
		    "event log: an app's event before there is an app");
	/* the id is the same in every version: the contract sees to it */
	wr_put(&w, log->app[0].app_id, 32);
	wr_text(&w, e->name);
	wr_blob(&w, e->payload, e->len);
	enum dstack_status st = wr_status(&w);
	if (st == DSTACK_OK)
		event_digest("app-event", w.buf, (uint32_t)w.len, out);
	return st;
}

static enum dstack_status
note(const struct event *e, struct eventlog *log)
{
	struct rd r = rd_over(e->payload, e->len);
	if (e->app)
		return DSTACK_OK;
	if (strcmp(e->name, "joined") == 0) {
		log->joined = true;
		enum dstack_status st = rd_u64be(&r, &log->epoch);
		return st == DSTACK_OK ? rd_copy(&r, log->xpub, 20) : st;
	}
	if (strcmp(e->name, "app") != 0)
		return DSTACK_OK;
	if (log->apps == EVENTLOG_APPS)
		return DSTACK_E_LIMIT;
	const size_t i = log->apps++;
	enum dstack_status st = rd_copy(&r, log->app[i].app_id, 32);
	if (st == DSTACK_OK)
		st = rd_copy(&r, log->app[i].digest, 32);
	return st == DSTACK_OK ? rd_u64be(&r, &log->app[i].version) : st;
}

enum dstack_status
eventlog_replay(const void *json, size_t n, const uint8_t rtmr3[static 48],
    struct eventlog *out, struct why *why)
{
	struct eventlog log = { .events = 0 };
	uint8_t rtmr[48] = { 0 };
	uint8_t digest[48];
	struct event e;
	if (n > EVENTLOG_MAX)
		return why_set(why, DSTACK_E_LIMIT,
		    "event log: more than %u bytes", EVENTLOG_MAX);
	AUTO_JSON json_t *list =
	    json_loadb(json, n, JSON_REJECT_DUPLICATES, NULL);
	if (!json_is_array(list))
		return why_set(why, DSTACK_E_FORMAT,
		    "event log: not a list in JSON");
	const size_t count = json_array_size(list);
	for (; log.events < count; log.events++) {
		enum dstack_status st = read_event(
		    json_array_get(list, log.events), &e, why);
		if (st == DSTACK_OK)
			st = digest_of(&e, &log, digest, why);
		if (st == DSTACK_OK && memcmp(digest, e.digest, 48) != 0)
			st = why_set(why, DSTACK_E_REJECTED,
			    "event log: event %zu has another digest than its "
			    "name and payload give", log.events + 1);
		if (st == DSTACK_OK && note(&e, &log) != DSTACK_OK)
			st = why_set(why, DSTACK_E_LIMIT,
			    "event log: more than %d app events",
			    EVENTLOG_APPS);
		if (st != DSTACK_OK)
			return st;
		event_extend(rtmr, digest);
	}
	if (memcmp(rtmr, rtmr3, 48) != 0)
		return why_set(why, DSTACK_E_REJECTED,
		    "event log: it does not replay to the quote's RTMR3");
	*out = log;
	return DSTACK_OK;
}
