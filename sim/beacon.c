/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dstack sim beacon: a beacon node, whole, in one thread. At the beginning of
 * each slot the block of the slot before is made, around the execution block
 * that is the newest now, and is signed in this slot: clients see a
 * transaction as attested within a slot and as final within two. Where the
 * RPC does not answer the slot has no block. Genesis lies four slots back, or
 * more, so that a chain has a final block when it begins; its files are
 * written then.
 *
 * Nothing outlives the process: another start is another chain.
 */
#include "sim/beacon.h"

#include <arpa/inet.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include <event2/buffer.h>
#include <event2/event.h>
#include <event2/http.h>

#include "base/log.h"
#include "sim/beacon_serve.h"

#define SLOW_S 20
#define START_TRIES 10 /* seconds in which the RPC has to be there */

struct sim {
	const struct sim_beacon_options *o;
	struct beacon_node node;
	struct event_base *base;
	struct event *tick;
	bool down; /* the RPC did not answer, and that was told */
	char *forged; /* RPC of a forged chain; NULL: its blocks are empty */
};

static void
own_json(json_t **j)
{
	json_decref(*j);
}

/* The time of day, since a chain's slots are cut out of it. */
static uint64_t
now_ms(void)
{
	struct timespec t;
	(void)clock_gettime(CLOCK_REALTIME, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static enum dstack_status
newest(struct sim *s, const char *url, struct chain_exec *e, struct why *why)
{
	OWN_CLEANUP(own_json) json_t *block = NULL;
	enum dstack_status st = s->o->newest(s->o->ctx, url, &block, why);
	return st == DSTACK_OK ? exec_from_json(block, e, why) : st;
}

/* The newest execution block into the chain, as the blocks from..slot. */
static enum dstack_status
add(struct sim *s, uint64_t from, uint64_t slot, struct why *why)
{
	struct chain_exec e;
	enum dstack_status st = newest(s, NULL, &e, why);
	/* what lies behind is final, whatever is switched now */
	for (; st == DSTACK_OK && from < slot; from++)
		st = chain_add(s->node.chain, from, &e, true);
	if (st == DSTACK_OK && chain_add(s->node.chain, slot, &e,
		s->node.finality) != DSTACK_OK)
		st = why_set(why, DSTACK_E_NOMEM, "no memory");
	/* a forged chain goes on beside the true one */
	if (st == DSTACK_OK && s->node.forged != NULL &&
	    chain_newest(s->node.forged)->h.slot < slot) {
		const bool own = s->forged != NULL &&
		    newest(s, s->forged, &e, why) == DSTACK_OK;
		st = chain_add(s->node.forged, slot, own ? &e : NULL, true);
	}
	return st;
}

/*
 * At the beginning of each slot. Slots that went by while the process did not
 * run, or the RPC did not answer, stay empty; one line says so, not one a
 * slot.
 */
static void
on_tick(evutil_socket_t fd, short events, void *ctx)
{
	struct sim *s = ctx;
	const struct beacon_network *n = chain_network(s->node.chain);
	uint64_t slot_ms = (uint64_t)n->seconds_per_slot * 1000;
	uint64_t since = now_ms() - n->genesis_time * 1000;
	uint64_t slot = since / slot_ms;
	struct why why = { "" };
	(void)fd;
	(void)events;
	if (slot - 1 > chain_newest(s->node.chain)->h.slot) {
		enum dstack_status st = add(s, slot - 1, slot - 1, &why);
		if (st != DSTACK_OK && !s->down)
			log_line("slot %llu has no block: %s",
			    (unsigned long long)(slot - 1), why.text);
		s->down = st != DSTACK_OK;
	}
	/* anew: the RPC took its time */
	since = now_ms() - n->genesis_time * 1000;
	uint64_t wait = slot_ms - since % slot_ms;
	struct timeval t = { .tv_sec = (time_t)(wait / 1000),
		.tv_usec = (suseconds_t)(wait % 1000 * 1000 + 1000) };
	(void)event_add(s->tick, &t);
}

/* An answer that is held back, or sent at once. */
struct later {
	struct evhttp_request *req;
	struct event *timer;
	int code;
	struct evbuffer *body;
};

static void
send_now(struct later *l)
{
	evhttp_send_reply(l->req, l->code, NULL, l->body);
	evbuffer_free(l->body);
	if (l->timer != NULL)
		event_free(l->timer);
	free(l);
}

static void
on_later(evutil_socket_t fd, short events, void *ctx)
{
	(void)fd;
	(void)events;
	send_now(ctx);
}

/* The body is copied: what is held back outlives the request's answer. */
static void
reply(struct sim *s, struct evhttp_request *req, const struct beacon_answer *a)
{
	struct evkeyvalq *h = evhttp_request_get_output_headers(req);
	struct later *l = calloc(1, sizeof(*l));
	if (l != NULL)
		l->body = evbuffer_new();
	if (l == NULL || l->body == NULL ||
	    evbuffer_add(l->body, a->body.buf, a->body.len) != 0) {
		if (l != NULL && l->body != NULL)
			evbuffer_free(l->body);
		free(l);
		evhttp_send_error(req, HTTP_INTERNAL, NULL);
		return;
	}
	(void)evhttp_add_header(h, "Content-Type",
	    a->ssz ? "application/octet-stream" : "application/json");
	if (a->version != NULL)
		(void)evhttp_add_header(
		    h, "Eth-Consensus-Version", a->version);
	l->req = req;
	l->code = a->code;
	if (a->slow)
		l->timer = evtimer_new(s->base, on_later, l);
	struct timeval t = { .tv_sec = SLOW_S };
	if (l->timer == NULL || event_add(l->timer, &t) != 0)
		send_now(l);
}

/* The execution chain that a forged chain is of from now on. */
static bool
forge_of(struct sim *s, const char *url)
{
	char *copy = url != NULL ? strdup(url) : NULL;
	if (copy == NULL)
		return false;
	free(s->forged);
	s->forged = copy;
	log_line("a forged chain is of %s", url);
	return true;
}

/*
 * {"name":...,"on":...} at /sim/lie, {"on":...} at /sim/finality,
 * {"rpc":URL} at /sim/forged.
 */
static int
control(struct sim *s, const char *path, struct evbuffer *in)
{
	size_t n = evbuffer_get_length(in);
	const char *text = (const char *)evbuffer_pullup(in, -1);
	OWN_CLEANUP(own_json)
	json_t *j = n != 0 && text != NULL ? json_loadb(text, n, 0, NULL)
					   : NULL;
	const json_t *on = json_object_get(j, "on");
	const char *name = json_string_value(json_object_get(j, "name"));
	bool finality = strcmp(path, "/sim/finality") == 0;
	if (strcmp(path, "/sim/forged") == 0)
		return forge_of(s, json_string_value(json_object_get(j, "rpc")))
		    ? HTTP_OK
		    : HTTP_BADREQUEST;
	if (!finality && strcmp(path, "/sim/lie") != 0)
		return HTTP_NOTFOUND;
	if (!json_is_boolean(on) ||
	    (!finality && (name == NULL || node_lie(&s->node, name,
		json_is_true(on)) != DSTACK_OK)))
		return HTTP_BADREQUEST;
	/* told in the log, for whoever reads a test's afterwards */
	if (finality)
		s->node.finality = json_is_true(on);
	log_line("%s %s", finality ? "finality" : name,
	    json_is_true(on) ? "on" : "off");
	return HTTP_OK;
}

/* Reading is the Beacon API, writing is what makes it a simulation. */
static void
on_request(struct evhttp_request *req, void *ctx)
{
	struct sim *s = ctx;
	const struct evhttp_uri *uri = evhttp_request_get_evhttp_uri(req);
	const char *path = uri != NULL ? evhttp_uri_get_path(uri) : NULL;
	const char *accept = evhttp_find_header(
	    evhttp_request_get_input_headers(req), "Accept");
	if (path == NULL) {
		evhttp_send_error(req, HTTP_BADREQUEST, NULL);
		return;
	}
	if (evhttp_request_get_command(req) == EVHTTP_REQ_POST) {
		int code = control(
		    s, path, evhttp_request_get_input_buffer(req));
		evhttp_send_reply(req, code, NULL, NULL);
		return;
	}
	struct beacon_answer a;
	node_get(&s->node, path, evhttp_uri_get_query(uri),
	    accept != NULL &&
		strstr(accept, "application/octet-stream") != NULL,
	    &a);
	reply(s, req, &a);
	wr_free(&a.body);
}

static void
on_stop(evutil_socket_t sig, short events, void *base)
{
	(void)sig;
	(void)events;
	(void)event_base_loopbreak(base);
}

/* Whole or not at all: somebody waits for it. */
static enum dstack_status
write_whole(const char *path, const struct wr *w, struct why *why)
{
	char tmp[4200];
	(void)snprintf(tmp, sizeof(tmp), "%s.new", path);
	FILE *f = fopen(tmp, "we");
	bool ok = f != NULL && wr_status(w) == DSTACK_OK &&
	    fwrite(w->buf, 1, w->len, f) == w->len;
	ok = f != NULL && fclose(f) == 0 && ok;
	if (!ok || rename(tmp, path) != 0)
		return why_set(
		    why, DSTACK_E_SYS, "%s: %s", path, strerror(errno));
	return DSTACK_OK;
}

/* FILE.root first: whoever sees FILE finds both. */
static enum dstack_status
write_files(const struct sim *s, struct why *why)
{
	AUTO_WR struct wr text = wr_new(4096), root = wr_new(128);
	char path[4100];
	if (s->o->network == NULL)
		return DSTACK_OK;
	if (strlen(s->o->network) > 4000)
		return why_set(why, DSTACK_E_LIMIT, "--network-out: too long");
	network_text(chain_network(s->node.chain), &text);
	wr_str(&root, "0x");
	wr_hex(&root, chain_first(s->node.chain)->root, 32);
	wr_str(&root, "\n");
	(void)snprintf(path, sizeof(path), "%s.root", s->o->network);
	enum dstack_status st = write_whole(path, &root, why);
	return st == DSTACK_OK ? write_whole(s->o->network, &text, why) : st;
}

/* Slots up to the one before now's at once: all but the last are final. */
static enum dstack_status
begin(struct sim *s, struct why *why)
{
	uint64_t slots = s->o->before + 4;
	uint64_t now = now_ms() / 1000;
	s->node.finality = true;
	s->node.chain = chain_new(now - slots * s->o->seconds_per_slot,
	    s->o->seconds_per_slot, s->o->gloas);
	if (s->node.chain == NULL)
		return why_set(why, DSTACK_E_NOMEM, "no memory");
	enum dstack_status st = add(s, 1, slots - 1, why);
	for (int i = 0; i < START_TRIES && st == DSTACK_E_MISSING; i++) {
		(void)sleep(1);
		st = add(s, 1, slots - 1, why);
	}
	/* lies that began before there was a head are of this one */
	for (unsigned l = 0; l < LIES && st == DSTACK_OK; l++)
		if ((s->o->lies >> l & 1u) != 0)
			st = node_lie(&s->node, sim_beacon_lies[l], true);
	return st;
}

/* "127.0.0.1:8080" into its two parts. */
static bool
split(const char *address, char host[INET_ADDRSTRLEN], uint16_t *port)
{
	const char *colon = strrchr(address, ':');
	struct in_addr any;
	char *end = NULL;
	if (colon == NULL || colon == address || colon[1] < '0' ||
	    colon[1] > '9' || (size_t)(colon - address) >= INET_ADDRSTRLEN)
		return false;
	memcpy(host, address, (size_t)(colon - address));
	host[colon - address] = '\0';
	unsigned long v = strtoul(colon + 1, &end, 10);
	*port = (uint16_t)v;
	return *end == '\0' && v <= 65535 && inet_pton(AF_INET, host, &any) == 1;
}

/* The port is taken first, so that a busy one costs no chain. */
static enum dstack_status
serve(struct sim *s, struct evhttp *http, const char *host, uint16_t port,
    struct why *why)
{
	struct sockaddr_in a = { 0 };
	socklen_t len = sizeof(a);
	struct evhttp_bound_socket *bound =
	    evhttp_bind_socket_with_handle(http, host, port);
	if (bound == NULL)
		return why_set(why, DSTACK_E_SYS,
		    "%s:%u: %s; is the port taken?", host, port,
		    strerror(errno));
	(void)getsockname(evhttp_bound_socket_get_fd(bound),
	    (struct sockaddr *)&a, &len);
	enum dstack_status st = begin(s, why);
	if (st == DSTACK_OK)
		st = write_files(s, why);
	if (st != DSTACK_OK)
		return st;
	/* from here on connections that waited are answered */
	log_line("beacon node (simulated) on http://%s:%u", host,
	    ntohs(a.sin_port));
	struct event *term = evsignal_new(s->base, SIGTERM, on_stop, s->base);
	struct event *intr = evsignal_new(s->base, SIGINT, on_stop, s->base);
	s->tick = evtimer_new(s->base, on_tick, s);
	struct timeval at_once = { 0 };
	if (term == NULL || intr == NULL || s->tick == NULL ||
	    event_add(term, NULL) != 0 || event_add(intr, NULL) != 0 ||
	    event_add(s->tick, &at_once) != 0 ||
	    event_base_dispatch(s->base) < 0)
		st = why_set(
		    why, DSTACK_E_SYS, "event loop: %s", strerror(errno));
	if (s->tick != NULL)
		event_free(s->tick);
	if (term != NULL)
		event_free(term);
	if (intr != NULL)
		event_free(intr);
	return st;
}

enum dstack_status
sim_beacon_run(const struct sim_beacon_options *o, struct why *why)
{
	char host[INET_ADDRSTRLEN];
	uint16_t port = 0;
	struct sim s = { .o = o };
	if (!split(o->listen, host, &port))
		return why_set(why, DSTACK_E_FORMAT,
		    "'%s' is not ADDRESS:PORT", o->listen);
	s.base = event_base_new();
	struct evhttp *http = s.base != NULL ? evhttp_new(s.base) : NULL;
	enum dstack_status st = DSTACK_E_NOMEM;
	if (http != NULL) {
		evhttp_set_max_body_size(http, 4096);
		evhttp_set_max_headers_size(http, 8192);
		evhttp_set_timeout(http, 2 * SLOW_S);
		evhttp_set_allowed_methods(
		    http, EVHTTP_REQ_GET | EVHTTP_REQ_POST);
		evhttp_set_gencb(http, on_request, &s);
		st = serve(&s, http, host, port, why);
		evhttp_free(http);
	} else {
		(void)why_set(why, st, "sim beacon: no memory");
	}
	if (s.base != NULL)
		event_base_free(s.base);
	chain_free(s.node.chain);
	chain_free(s.node.forged);
	free(s.forged);
	return st;
}
