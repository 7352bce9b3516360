/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The gossip relay. POST /push takes one JSON value, bounded in length and
 * depth, and keeps it in a ring for a minute; GET /subscribe gives what is kept
 * and then what comes, a line each. The original kept nothing, so a request
 * that nobody heard was lost for ever (D16): here a node that comes back within
 * the minute hears it.
 *
 * It believes nobody and knows nobody: connections are bounded in all and by
 * address, slow senders have a deadline, and a subscriber that does not read is
 * dropped once its next message has left the ring, so that memory is bounded by
 * the ring and a small queue each. One thread; nothing on disk.
 */
#include "host/relay/pubsub.h"

#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <time.h>

#include <event2/event.h>
#include <jansson.h>

#include "host/http/server.h"

/* Bytes a subscriber may have queued before it gets more. */
#define QUEUE_LOW (64u * 1024)

struct message {
	TAILQ_ENTRY(message) link;
	uint64_t seq;
	uint64_t at_ms;
	size_t len;
	char *line; /* {"data":...}\n */
};

struct subscriber {
	LIST_ENTRY(subscriber) link;
	struct pubsub *p;
	struct http_conn *conn;
	uint64_t next; /* the message it gets next */
};

struct pubsub {
	struct pubsub_limits limits;
	struct http_server *http;
	struct event *tick;
	struct event *keepalive;
	TAILQ_HEAD(message_list, message) ring;
	size_t bytes;
	unsigned count;
	uint64_t seq; /* of the next message */
	LIST_HEAD(subscriber_list, subscriber) subs;
	unsigned nsubs;
};

struct pubsub_limits
pubsub_defaults(void)
{
	return (struct pubsub_limits){ .retained_bytes = 16u << 20,
		.retained = 1024,
		/*
		 * A guest's request is repeated after 15 s
		 * (host/service/route_join.c), well within.
		 */
		.retention_ms = 60000,
		.keepalive_ms = 30000,
		.subscribers = 256,
		.conns = 512,
		.conns_per_ip = 128,
		.request_ms = 10000,
		.stall_ms = 20000 };
}

static uint64_t
now_ms(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/*
 * Counted without a parser: brackets outside of strings. A text that lies about
 * its strings fails in the parser right after.
 */
bool
json_depth_within(const char *text, size_t len, unsigned max)
{
	unsigned depth = 0;
	bool string = false;

	for (size_t i = 0; i < len; i++) {
		char ch = text[i];
		if (string) {
			if (ch == '\\')
				i++;
			else if (ch == '"')
				string = false;
			continue;
		}
		if (ch == '"')
			string = true;
		else if ((ch == '{' || ch == '[') && ++depth > max)
			return false;
		else if ((ch == '}' || ch == ']') && depth > 0)
			depth--;
	}
	return true;
}

static void
drop_oldest(struct pubsub *p)
{
	struct message *m = TAILQ_FIRST(&p->ring);

	TAILQ_REMOVE(&p->ring, m, link);
	p->bytes -= m->len;
	p->count--;
	free(m->line);
	free(m);
}

/* Oldest first, whichever bound is passed. */
static void
trim(struct pubsub *p)
{
	uint64_t now = now_ms();
	struct message *m;

	while ((m = TAILQ_FIRST(&p->ring)) != NULL &&
	    (p->bytes > p->limits.retained_bytes ||
	        p->count > p->limits.retained ||
	        now - m->at_ms > p->limits.retention_ms))
		drop_oldest(p);
}

static void
on_gone(void *arg)
{
	struct subscriber *s = arg;

	LIST_REMOVE(s, link);
	s->p->nsubs--;
	free(s);
}

/*
 * Queue what s has not had, up to QUEUE_LOW. One whose next message is no
 * longer kept reads too slowly and is dropped; it may subscribe again.
 */
static void
feed(struct subscriber *s)
{
	struct pubsub *p = s->p;
	struct message *m = TAILQ_FIRST(&p->ring);

	if (s->next >= p->seq)
		return;
	/*
	 * Skipping what it missed in silence would be worse than starting over.
	 */
	if (m == NULL || m->seq > s->next) {
		http_stream_drop(s->conn);
		return;
	}
	/* mostly the newest: look from the end */
	m = TAILQ_LAST(&p->ring, message_list);
	while (m->seq > s->next)
		m = TAILQ_PREV(m, message_list, link);
	for (; m != NULL && http_stream_queued(s->conn) < QUEUE_LOW;
	     m = TAILQ_NEXT(m, link)) {
		http_stream_put(s->conn, m->line, m->len);
		s->next = m->seq + 1;
	}
}

static void
on_room(void *arg)
{
	feed(arg);
}

static void
subscribe(struct pubsub *p, struct http_conn *c)
{
	struct subscriber *s;

	if (p->nsubs >= p->limits.subscribers) {
		http_answer_text(c, 503, "too many subscribers");
		return;
	}
	s = calloc(1, sizeof(*s));
	if (s == NULL) {
		http_answer_text(c, 503, "no memory");
		return;
	}
	trim(p);
	s->p = p;
	s->conn = c;
	struct message *m = TAILQ_FIRST(&p->ring);
	/* From the oldest kept: repeats are cheap, a lost request is not. */
	s->next = m != NULL ? m->seq : p->seq;
	LIST_INSERT_HEAD(&p->subs, s, link);
	p->nsubs++;
	http_stream(c, "application/x-ndjson", on_room, on_gone, s);
	/* the head is queued: room is called when it has left */
}

/*
 * Parsed and written anew: subscribers get one JSON value a line, whatever
 * white space came in.
 */
static void
push(struct pubsub *p, struct http_conn *c, const struct http_in *in)
{
	const char *text = (const char *)in->body;
	struct message *m = NULL;
	json_t *v = NULL;
	json_t *line = NULL;
	char *out = NULL;

	if (!json_depth_within(text, in->len, PUBSUB_DEPTH_MAX)) {
		http_answer_text(c, 400, "JSON is nested too deep");
		return;
	}
	v = json_loadb(text, in->len,
	    JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, NULL);
	if (v == NULL) {
		http_answer_text(c, 400, "not one JSON value");
		return;
	}
	line = json_pack("{s:o}", "data", v);
	out = line != NULL ? json_dumps(line, JSON_COMPACT) : NULL;
	json_decref(line);
	m = calloc(1, sizeof(*m));
	if (out == NULL || m == NULL) {
		free(out);
		free(m);
		http_answer_text(c, 503, "no memory");
		return;
	}
	m->line = out;
	m->len = strlen(out);
	m->line[m->len++] = '\n'; /* in the place of the NUL */
	m->at_ms = now_ms();
	m->seq = p->seq++;
	TAILQ_INSERT_TAIL(&p->ring, m, link);
	p->bytes += m->len;
	p->count++;
	trim(p);
	struct subscriber *s;
	struct subscriber *next;
	for (s = LIST_FIRST(&p->subs); s != NULL; s = next) {
		/* feed may drop s, which takes it out of the list. */
		next = LIST_NEXT(s, link);
		/*
		 * A slow one is not fed now, unless it is so slow that it has
		 * to go.
		 */
		if (http_stream_queued(s->conn) < QUEUE_LOW ||
		    TAILQ_EMPTY(&p->ring) ||
		    TAILQ_FIRST(&p->ring)->seq > s->next)
			feed(s);
	}
	http_answer(c, 200, "application/json", "{\"status\":\"ok\"}\n", 16);
}

static void
on_request(void *arg, struct http_conn *c, const struct http_in *in)
{
	struct pubsub *p = arg;

	if (strcmp(in->path, "/push") == 0) {
		if (strcmp(in->method, "POST") != 0)
			http_answer_text(c, 405, "POST it");
		else
			push(p, c, in);
	} else if (strcmp(in->path, "/subscribe") == 0) {
		if (strcmp(in->method, "GET") != 0)
			http_answer_text(c, 405, "GET it");
		else
			subscribe(p, c);
	} else {
		http_answer_text(c, 404, "the relay has /push and /subscribe");
	}
}

static void
on_tick(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	trim(arg);
}

static void
on_keepalive(evutil_socket_t fd, short what, void *arg)
{
	struct pubsub *p = arg;
	struct subscriber *s;

	(void)fd;
	(void)what;
	LIST_FOREACH (s, &p->subs, link)
		/* Whose queue is not empty hears from us anyway. */
		if (http_stream_queued(s->conn) == 0)
			http_stream_put(s->conn, "\"\"\n", 3);
}

static struct event *
every(struct event_base *base, unsigned ms, event_callback_fn f, void *arg)
{
	struct timeval t = { .tv_sec = (time_t)(ms / 1000),
		.tv_usec = (suseconds_t)(ms % 1000) * 1000 };
	struct event *e = event_new(base, -1, EV_PERSIST, f, arg);

	if (e != NULL && event_add(e, &t) != 0) {
		event_free(e);
		return NULL;
	}
	return e;
}

enum dstack_status
pubsub_new(struct event_base *base, const struct listen_addr *at,
    const struct pubsub_limits *limits, struct pubsub **out, struct why *why)
{
	struct http_limits http = { .body_max = PUBSUB_MESSAGE_MAX,
		.conns = limits->conns,
		.conns_per_ip = limits->conns_per_ip,
		.request_ms = limits->request_ms,
		.stall_ms = limits->stall_ms };
	struct pubsub *p = calloc(1, sizeof(*p));

	if (p == NULL)
		return why_set(why, DSTACK_E_NOMEM, "no memory");
	p->limits = *limits;
	TAILQ_INIT(&p->ring);
	LIST_INIT(&p->subs);
	enum dstack_status st =
	    http_server_new(base, at, &http, on_request, p, &p->http, why);
	if (st == DSTACK_OK) {
		p->tick = every(base, 1000, on_tick, p);
		p->keepalive =
		    every(base, limits->keepalive_ms, on_keepalive, p);
		if (p->tick == NULL || p->keepalive == NULL)
			st = why_set(why, DSTACK_E_NOMEM, "no timer");
	}
	if (st != DSTACK_OK) {
		pubsub_free(p);
		return st;
	}
	*out = p;
	return DSTACK_OK;
}

void
pubsub_free(struct pubsub *p)
{
	if (p == NULL)
		return;
	http_server_free(p->http);
	if (p->tick != NULL)
		event_free(p->tick);
	if (p->keepalive != NULL)
		event_free(p->keepalive);
	while (TAILQ_FIRST(&p->ring) != NULL)
		drop_oldest(p);
	free(p);
}

uint16_t
pubsub_port(const struct pubsub *p)
{
	return http_server_port(p->http);
}

unsigned
pubsub_subscribers(const struct pubsub *p)
{
	return p->nsubs;
}
