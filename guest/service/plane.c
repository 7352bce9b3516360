/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A listener that serves so many connections at once and no more: the others
 * wait in the kernel's queue. Who fills a plane is in the way of himself
 * alone; the planes share the process and its descriptors.
 *
 * libevent's HTTP server tells nobody when it ends a connection. It reads
 * each by a bufferevent that it asks us for, shuts it down, and takes its
 * callbacks off when it is done with it. We keep a reference, look now and
 * then, and close the descriptor.
 */
#include "guest/service/service.h"

#include <stdlib.h>

#include <event2/bufferevent.h>
#include <event2/listener.h>

#define LOOK_MS 100 /* while there is a connection */

struct service_plane {
	struct evhttp *http;
	struct evconnlistener *listener;
	struct event *look;
	unsigned open;
	unsigned max;
	struct bufferevent *held[]; /* max of them */
};

static const struct timeval look_time = { 0, LOOK_MS * 1000 };

/* Let go of those that have ended. */
static void
sweep(struct service_plane *p)
{
	for (unsigned i = 0; i < p->open;) {
		bufferevent_event_cb on_event = NULL;
		bufferevent_getcb(p->held[i], NULL, NULL, &on_event, NULL);
		if (on_event != NULL) {
			i++;
			continue;
		}
		(void)bufferevent_decref(p->held[i]);
		p->held[i] = p->held[--p->open];
	}
}

static void
on_look(evutil_socket_t fd, short what, void *arg)
{
	struct service_plane *p = arg;

	(void)fd;
	(void)what;
	sweep(p);
	if (p->open < p->max)
		(void)evconnlistener_enable(p->listener);
	if (p->open > 0)
		(void)evtimer_add(p->look, &look_time);
}

/* A connection was accepted: what libevent is to read it by. */
static struct bufferevent *
on_connection(struct event_base *base, void *arg)
{
	struct service_plane *p = arg;

	sweep(p);
	struct bufferevent *b =
	    bufferevent_socket_new(base, -1, BEV_OPT_CLOSE_ON_FREE);
	if (b == NULL)
		return NULL; /* libevent tries the same, and gives up */
	if (p->open < p->max) {
		bufferevent_incref(b);
		p->held[p->open++] = b;
	}
	if (p->open >= p->max)
		(void)evconnlistener_disable(p->listener);
	if (!evtimer_pending(p->look, NULL))
		(void)evtimer_add(p->look, &look_time);
	return b;
}

struct service_plane *
service_plane_open(struct event_base *base, int fd, unsigned max,
    void (*on_request)(struct evhttp_request *req, void *arg), void *arg)
{
	struct service_plane *p =
	    calloc(1, sizeof(*p) + max * sizeof(p->held[0]));

	if (p == NULL)
		return NULL;
	p->max = max;
	p->look = evtimer_new(base, on_look, p);
	p->http = evhttp_new(base);
	struct evhttp_bound_socket *b = NULL;
	if (p->look != NULL && p->http != NULL &&
	    evutil_make_socket_nonblocking(fd) == 0)
		b = evhttp_accept_socket_with_handle(p->http, fd);
	if (b == NULL) {
		service_plane_close(p);
		return NULL;
	}
	p->listener = evhttp_bound_socket_get_listener(b);
	evhttp_set_gencb(p->http, on_request, arg);
	evhttp_set_max_headers_size(p->http, SERVICE_HEADERS_MAX);
	evhttp_set_bevcb(p->http, on_connection, p);
	return p;
}

struct evhttp *
service_plane_http(struct service_plane *p)
{
	return p->http;
}

void
service_plane_close(struct service_plane *p)
{
	if (p == NULL)
		return;
	if (p->http != NULL)
		evhttp_free(p->http); /* its connections too */
	sweep(p);
	if (p->look != NULL)
		event_free(p->look);
	free(p);
}
