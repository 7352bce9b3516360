/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A small HTTP/1.1 server on an event loop, for what hosts offer: the host
 * service and the relay. One request a connection, body by Content-Length
 * alone. Everything a client can make grow has a limit (THREATS T41):
 * connections in all and from one address, bytes of head and body, time for
 * the request to arrive and for an answer to leave, bytes queued.
 */
#ifndef HOST_HTTP_SERVER_H
#define HOST_HTTP_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "host/base/config.h"

struct event_base;
struct http_server;
struct http_conn;

#define HTTP_HEAD_MAX 8192u

struct http_limits {
	size_t body_max;
	unsigned conns;        /* in all */
	unsigned conns_per_ip;
	unsigned request_ms;   /* from accept to the last byte of the body */
	unsigned stall_ms;     /* an answer of which nothing leaves */
};

struct http_in {
	const char *method;
	const char *path; /* without query */
	const uint8_t *body;
	size_t len;
	struct why client; /* "address:port", for log lines */
};

/*
 * Called once a request. The handler answers c now or later by exactly one
 * http_answer or http_stream; in is borrowed for the call.
 */
typedef void (*http_handler)(
    void *arg, struct http_conn *c, const struct http_in *in);

/* Listens on at; port 0 takes a free one. DSTACK_E_SYS: in use, or refused. */
DSTACK_CHECKED enum dstack_status http_server_new(struct event_base *base,
    const struct listen_addr *at, const struct http_limits *limits,
    http_handler handler, void *arg, struct http_server **out,
    struct why *why);
void http_server_free(struct http_server *s);
uint16_t http_server_port(const struct http_server *s);
/* Connections that are open. */
unsigned http_server_conns(const struct http_server *s);

/*
 * Send the whole answer and close. type NULL: text/plain. The connection is
 * not the caller's after this, and may be gone already.
 */
void http_answer(struct http_conn *c, unsigned status, const char *type,
    const void *body, size_t len);
void http_answer_text(struct http_conn *c, unsigned status, const char *text);

/*
 * Begin an answer without an end. room is called when what was queued has
 * left, gone when the connection ends (then c is invalid); both from the
 * loop. http_stream_put queues bytes.
 */
void http_stream(struct http_conn *c, const char *type,
    void (*room)(void *arg), void (*gone)(void *arg), void *arg);
void http_stream_put(struct http_conn *c, const void *p, size_t n);
size_t http_stream_queued(const struct http_conn *c);
void http_stream_drop(struct http_conn *c); /* calls gone */

#endif
