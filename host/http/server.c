/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A connection goes through its phases in one direction: READ_HEAD, READ_BODY,
 * HANDLED (the handler has it), then ANSWERED or STREAMING, then it is freed.
 *
 * Judged in this order: is there room, in all and for this address; does the
 * head end within its bound; does the parser take it; is the body's length one
 * we take; has the body come. One deadline from the accept covers all of it,
 * so a client that sends a byte at a time gains nothing by it. After the
 * answer nothing is read but to be thrown away.
 *
 * What can go wrong in the middle: the client goes while a handler still holds
 * the connection. It is then only detached (bev NULL), and freed when the
 * handler answers.
 */
#include "host/http/server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/listener.h>

#include "host/http/head.h"

enum phase { READ_HEAD, READ_BODY, HANDLED, ANSWERED, STREAMING };

struct http_conn {
	LIST_ENTRY(http_conn) link;
	struct http_server *server;
	struct bufferevent *bev; /* NULL: client gone while being handled */
	struct event *deadline;
	struct sockaddr_in from;
	enum phase phase;
	struct http_head head;
	void (*room)(void *arg);
	void (*gone)(void *arg);
	void *arg;
};

struct http_server {
	struct event_base *base;
	struct evconnlistener *listener;
	struct http_limits limits;
	http_handler handler;
	void *arg;
	unsigned conns;
	LIST_HEAD(http_conn_list, http_conn) list;
};

/* Let the socket go; the struct stays for who still points at it. */
static void
detach(struct http_conn *c)
{
	if (c->deadline != NULL)
		event_free(c->deadline);
	c->deadline = NULL;
	if (c->bev != NULL)
		bufferevent_free(c->bev);
	c->bev = NULL;
}

/*
 * The end of a connection. The list and the count come first and the callback
 * last, since it may free others or look at the count.
 */
static void
conn_free(struct http_conn *c)
{
	void (*gone)(void *) = c->phase == STREAMING ? c->gone : NULL;
	void *arg = c->arg;

	detach(c);
	LIST_REMOVE(c, link);
	c->server->conns--;
	free(c);
	if (gone != NULL)
		gone(arg);
}

/* The client went or is thrown out; a handler may still hold c. */
static void
conn_lost(struct http_conn *c)
{
	if (c->phase == HANDLED)
		detach(c);
	else
		conn_free(c);
}

static void
on_deadline(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	conn_lost(arg);
}

/* For people; programs read the number (RFC 9112 section 4). */
static const char *
reason_of(unsigned status)
{
	switch (status) {
	case 200: return "OK";
	case 204: return "No Content";
	case 400: return "Bad Request";
	case 403: return "Forbidden";
	case 404: return "Not Found";
	case 405: return "Method Not Allowed";
	case 409: return "Conflict";
	case 411: return "Length Required";
	case 413: return "Payload Too Large";
	case 431: return "Request Header Fields Too Large";
	case 502: return "Bad Gateway";
	case 503: return "Service Unavailable";
	default: return "Status";
	}
}

void
http_answer(struct http_conn *c, unsigned status, const char *type,
    const void *body, size_t len)
{
	if (c->bev == NULL) { /* nobody is there to read it */
		conn_free(c);
		return;
	}
	struct evbuffer *out = bufferevent_get_output(c->bev);
	struct timeval stall = {
		.tv_sec = (time_t)(c->server->limits.stall_ms / 1000),
		.tv_usec = (suseconds_t)(c->server->limits.stall_ms % 1000) *
		    1000
	};

	/* from here on the answer's own bound counts: bytes that do not move */
	c->phase = ANSWERED;
	if (c->deadline != NULL)
		event_free(c->deadline);
	c->deadline = NULL;
	bufferevent_set_timeouts(c->bev, &stall, &stall);
	(void)evbuffer_add_printf(out,
	    "HTTP/1.1 %u %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\n"
	    "Connection: close\r\n\r\n",
	    status, reason_of(status), type != NULL ? type : "text/plain",
	    status == 204 ? 0 : len);
	if (status != 204 && len > 0)
		(void)evbuffer_add(out, body, len);
	(void)bufferevent_enable(c->bev, EV_READ | EV_WRITE);
}

void
http_answer_text(struct http_conn *c, unsigned status, const char *text)
{
	char line[300];
	int n = snprintf(line, sizeof(line), "%s\n", text);

	http_answer(c, status, NULL, line,
	    n < 0 ? 0 : (size_t)n < sizeof(line) ? (size_t)n
						 : sizeof(line) - 1);
}

void
http_stream(struct http_conn *c, const char *type, void (*room)(void *arg),
    void (*gone)(void *arg), void *arg)
{
	if (c->bev == NULL) {
		conn_free(c);
		gone(arg);
		return;
	}
	struct timeval stall = {
		.tv_sec = (time_t)(c->server->limits.stall_ms / 1000),
		.tv_usec = (suseconds_t)(c->server->limits.stall_ms % 1000) *
		    1000
	};

	/* no bound on reading: a subscriber has nothing more to say */
	c->phase = STREAMING;
	c->room = room;
	c->gone = gone;
	c->arg = arg;
	if (c->deadline != NULL)
		event_free(c->deadline);
	c->deadline = NULL;
	bufferevent_set_timeouts(c->bev, NULL, &stall);
	(void)evbuffer_add_printf(bufferevent_get_output(c->bev),
	    "HTTP/1.1 200 OK\r\nContent-Type: %s\r\n"
	    "Cache-Control: no-store\r\nConnection: close\r\n\r\n",
	    type);
	(void)bufferevent_enable(c->bev, EV_READ | EV_WRITE);
}

void
http_stream_put(struct http_conn *c, const void *p, size_t n)
{
	(void)evbuffer_add(bufferevent_get_output(c->bev), p, n);
}

size_t
http_stream_queued(const struct http_conn *c)
{
	return evbuffer_get_length(bufferevent_get_output(c->bev));
}

void
http_stream_drop(struct http_conn *c)
{
	conn_free(c);
}

/* Refused before a handler saw it; the phase is as if one had. */
static void
refuse(struct http_conn *c, unsigned status, const char *text)
{
	c->phase = HANDLED;
	http_answer_text(c, status, text);
}

/* The request is whole: its body is one piece with a NUL behind it. */
static void
hand_over(struct http_conn *c)
{
	struct evbuffer *in = bufferevent_get_input(c->bev);
	struct http_in req = { .method = c->head.method,
		.path = c->head.path,
		.len = c->head.body_len };
	uint8_t *body = malloc(c->head.body_len + 1);
	char ip[INET_ADDRSTRLEN] = "?";

	if (body == NULL) {
		refuse(c, 503, "no memory");
		return;
	}
	(void)evbuffer_remove(in, body, c->head.body_len);
	body[c->head.body_len] = '\0';
	req.body = body;
	/* who it was, for log lines: after this the socket may be gone */
	(void)inet_ntop(AF_INET, &c->from.sin_addr, ip, sizeof(ip));
	(void)why_set(&req.client, DSTACK_OK, "%s:%u", ip,
	    ntohs(c->from.sin_port));
	c->phase = HANDLED;
	if (c->deadline != NULL)
		event_free(c->deadline);
	c->deadline = NULL;
	c->server->handler(c->server->arg, c, &req);
	free(body);
}

/* Head of n bytes is complete in the input. Returns 0 or a refusal. */
static unsigned
read_head(struct http_conn *c, struct evbuffer *in, size_t n)
{
	char text[HTTP_HEAD_MAX + 1];

	(void)evbuffer_remove(in, text, n);
	text[n] = '\0';
	unsigned no = http_head_parse(text, n, &c->head);
	return no == 0 && c->head.body_len > c->server->limits.body_max ? 413
									: no;
}

/* Each call goes as far as the bytes that are there allow. */
static void
on_read(struct bufferevent *bev, void *arg)
{
	struct http_conn *c = arg;
	struct evbuffer *in = bufferevent_get_input(bev);

	if (c->phase == READ_HEAD) {
		struct evbuffer_ptr end =
		    evbuffer_search(in, "\r\n\r\n", 4, NULL);
		size_t have = evbuffer_get_length(in);
		/* the bound counts with the empty line, however it arrives */
		if (end.pos < 0 && have < HTTP_HEAD_MAX)
			return;
		if (end.pos < 0 || (size_t)end.pos + 4 > HTTP_HEAD_MAX) {
			refuse(c, 431, "request head is too large");
			return;
		}
		unsigned no = read_head(c, in, (size_t)end.pos + 4);
		if (no != 0) {
			refuse(c, no,
			    no == 413 ? "body is too large" : "not accepted");
			return;
		}
		c->phase = READ_BODY;
		/* what comes beyond the body stays in the kernel's buffer */
		bufferevent_setwatermark(
		    bev, EV_READ, 0, c->head.body_len + HTTP_HEAD_MAX);
	}
	if (c->phase == READ_BODY) {
		if (evbuffer_get_length(in) >= c->head.body_len)
			hand_over(c);
		return;
	}
	/* nothing more is wanted: bytes after the request are dropped */
	(void)evbuffer_drain(in, evbuffer_get_length(in));
}

/* All of what was queued has left. */
static void
on_write(struct bufferevent *bev, void *arg)
{
	struct http_conn *c = arg;

	if (evbuffer_get_length(bufferevent_get_output(bev)) != 0)
		return;
	if (c->phase == ANSWERED) {
		(void)shutdown(bufferevent_getfd(bev), SHUT_WR);
		/* linger until the client closes or the stall time is over,
		 * so that an early refusal is read before a reset */
	} else if (c->phase == STREAMING) {
		c->room(c->arg);
	}
}

static void
on_event(struct bufferevent *bev, short what, void *arg)
{
	(void)bev;
	(void)what;
	conn_lost(arg);
}

/* Few enough to count one by one: limits.conns bounds the list. */
static unsigned
conns_of(const struct http_server *s, const struct sockaddr_in *from)
{
	unsigned n = 0;
	const struct http_conn *c;

	LIST_FOREACH (c, &s->list, link)
		if (c->from.sin_addr.s_addr == from->sin_addr.s_addr)
			n++;
	return n;
}

static void
on_accept(struct evconnlistener *l, evutil_socket_t fd, struct sockaddr *sa,
    int len, void *arg)
{
	struct http_server *s = arg;
	struct sockaddr_in from = { .sin_family = AF_INET };
	struct timeval limit = {
		.tv_sec = (time_t)(s->limits.request_ms / 1000),
		.tv_usec = (suseconds_t)(s->limits.request_ms % 1000) * 1000
	};

	(void)l;
	if ((size_t)len == sizeof(from))
		memcpy(&from, sa, sizeof(from));
	/* refused without a word: an answer would cost what is short */
	if (s->conns >= s->limits.conns ||
	    conns_of(s, &from) >= s->limits.conns_per_ip) {
		(void)close(fd);
		return;
	}
	struct http_conn *c = calloc(1, sizeof(*c));
	struct bufferevent *bev = c == NULL
	    ? NULL
	    : bufferevent_socket_new(s->base, fd, BEV_OPT_CLOSE_ON_FREE);
	if (bev == NULL) {
		free(c);
		(void)close(fd);
		return;
	}
	c->server = s;
	c->bev = bev;
	c->from = from;
	LIST_INSERT_HEAD(&s->list, c, link);
	s->conns++;
	bufferevent_setcb(bev, on_read, on_write, on_event, c);
	bufferevent_setwatermark(bev, EV_READ, 0, HTTP_HEAD_MAX);
	c->deadline = evtimer_new(s->base, on_deadline, c);
	if (c->deadline == NULL || evtimer_add(c->deadline, &limit) != 0 ||
	    bufferevent_enable(bev, EV_READ | EV_WRITE) != 0)
		conn_free(c);
}

enum dstack_status
http_server_new(struct event_base *base, const struct listen_addr *at,
    const struct http_limits *limits, http_handler handler, void *arg,
    struct http_server **out, struct why *why)
{
	struct sockaddr_in sin = { .sin_family = AF_INET,
		.sin_port = htons(at->port) };
	struct http_server *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return why_set(why, DSTACK_E_NOMEM, "no memory");
	s->base = base;
	s->limits = *limits;
	s->handler = handler;
	s->arg = arg;
	LIST_INIT(&s->list);
	if (inet_pton(AF_INET, at->host, &sin.sin_addr) != 1) {
		free(s);
		return why_set(why, DSTACK_E_FORMAT, "%s is no IPv4 address",
		    at->host);
	}
	/* REUSEADDR: a server that starts again finds its port at once */
	s->listener = evconnlistener_new_bind(base, on_accept, s,
	    LEV_OPT_CLOSE_ON_FREE | LEV_OPT_REUSEABLE | LEV_OPT_CLOSE_ON_EXEC,
	    1024, (const struct sockaddr *)&sin, sizeof(sin));
	if (s->listener == NULL) {
		int e = errno;
		free(s);
		return why_set(why, DSTACK_E_SYS,
		    "cannot listen on %s:%u: %s%s", at->host, at->port,
		    strerror(e),
		    e == EADDRINUSE ? "; stop what uses that port or choose "
				      "another"
				    : "");
	}
	*out = s;
	return DSTACK_OK;
}

void
http_server_free(struct http_server *s)
{
	struct http_conn *c;

	if (s == NULL)
		return;
	evconnlistener_free(s->listener);
	while ((c = LIST_FIRST(&s->list)) != NULL)
		conn_free(c);
	free(s);
}

uint16_t
http_server_port(const struct http_server *s)
{
	struct sockaddr_in sin = { .sin_port = 0 };
	socklen_t len = sizeof(sin);

	(void)getsockname(evconnlistener_get_fd(s->listener),
	    (struct sockaddr *)&sin, &len);
	return ntohs(sin.sin_port);
}

unsigned
http_server_conns(const struct http_server *s)
{
	return s->conns;
}
