/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Blocking HTTP(S) requests by libcurl, for worker threads and commands:
 * never called from an event loop. Thread-safe: each call has its own handle
 * (connections are kept per thread).
 *
 * Bounded in size and time, http and https alone, redirects only for who
 * asks, and never from https to http. Reasons name
 * scheme, host and port of the URL and no more, since a path may hold an API
 * key.
 */
#ifndef HOST_HTTP_CLIENT_H
#define HOST_HTTP_CLIENT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "base/wr.h"

struct http_request {
	const char *url;
	const char *method;       /* NULL: POST with a body, GET without */
	const void *body;         /* borrowed; NULL: none */
	size_t bodylen;
	const char *content_type; /* NULL: application/json */
	const char *const *headers; /* more lines "Name: value"; NULL-ended */
	const char *ca_file;      /* PEM to trust instead of the system's */
	const char *unix_socket;  /* path to connect to instead of the host */
	unsigned redirects;       /* followed at most; 0: a 30x is the answer */
	size_t max;               /* bytes of answer; 0: 1 MiB */
	unsigned timeout_ms;      /* whole exchange; 0: 20 s */
	const atomic_bool *stop;  /* set: gives up within a second; or NULL */
	/* gets the seconds that the answer asks to wait before the next
	 * request (Retry-After, RFC 9110 10.2.3; 0: none); or NULL */
	unsigned *retry_after;
	bool *untrusted; /* gets: its certificate was refused; or NULL */
};

/*
 * *status gets the HTTP status, out (appended to) the body, headers (may be
 * NULL) the answer's header lines, of the last answer where there were
 * several.
 * DSTACK_E_MISSING: no answer in time, or no connection. DSTACK_E_LIMIT: the
 * answer is larger than max. DSTACK_E_TRUNCATED: it ended before its own
 * Content-Length. Any HTTP status is DSTACK_OK.
 */
DSTACK_CHECKED enum dstack_status http_do(const struct http_request *q,
    unsigned *status, struct wr *out, struct wr *headers, struct why *why);

/*
 * GET url and hand on each line of the answer, without its end, as it comes,
 * until *stop (looked at about once a second) or the stream ends. A line
 * longer than max ends it: DSTACK_E_LIMIT. A server that is silent for
 * silent_s seconds counts as gone. Never DSTACK_OK but by *stop.
 * line may call http_do.
 * DSTACK_E_TRUNCATED: a stream that had begun; DSTACK_E_MISSING: none began.
 */
DSTACK_CHECKED enum dstack_status http_lines(const char *url, size_t max,
    unsigned silent_s, void (*line)(void *arg, const char *text, size_t len),
    void *arg, const atomic_bool *stop, struct why *why);

/* "scheme://host:port" of url for messages; never NULL. */
void http_origin(const char *url, char *out, size_t cap);

#endif
