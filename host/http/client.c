/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A request: a handle of the thread's own (curl keeps its connections), every
 * option set anew, then one blocking call. What comes back is judged in this
 * order: larger than allowed, cut or not there, and only then the HTTP status,
 * which is the caller's to judge. Bodies and header lines go into bounded
 * buffers of our own; the caller gets them whole or not at all.
 *
 * Lines (server-sent gossip) come through a second handle, since the function
 * that gets a line may make requests in the same thread. Silence is the only
 * sign of a peer that is gone, so the last byte's time is kept.
 */
#include "host/http/client.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <curl/curl.h>

#define DEFAULT_MAX (1u << 20)
#define DEFAULT_TIMEOUT_MS 20000u
#define CONNECT_TIMEOUT_MS 5000L
#define HEADERS_MAX (64u * 1024)
#define RETRY_AFTER_MAX (24u * 3600) /* seconds; longer is the same to us */

static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_key_t handle_key;
static bool usable;

static void
handle_free(void *p)
{
	curl_easy_cleanup(p);
}

static void
global_init(void)
{
	usable = curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK &&
	    pthread_key_create(&handle_key, handle_free) == 0;
}

/* Of this thread; NULL: libcurl does not start. */
static CURL *
handle(void)
{
	if (pthread_once(&once, global_init) != 0 || !usable)
		return NULL;
	CURL *c = pthread_getspecific(handle_key);
	if (c != NULL) {
		curl_easy_reset(c); /* keeps the connections */
		return c;
	}
	c = curl_easy_init();
	if (c != NULL && pthread_setspecific(handle_key, c) != 0) {
		curl_easy_cleanup(c);
		return NULL;
	}
	return c;
}

/* Over the bound: curl is told that less was taken, and gives up. */
static size_t
take_body(char *p, size_t size, size_t n, void *arg)
{
	struct wr *w = arg;

	wr_put(w, p, size * n);
	return wr_status(w) == DSTACK_OK ? size * n : 0;
}

void
http_origin(const char *url, char *out, size_t cap)
{
	const char *host = strstr(url, "://");
	size_t scheme = host != NULL ? (size_t)(host - url) + 3 : 0;
	const char *rest = url + scheme;
	const char *at = rest;

	/* user:password@ is no one's business either */
	for (const char *p = rest; *p != '\0' && *p != '/' && *p != '?'; p++)
		if (*p == '@')
			at = p + 1;
	int n = (int)strcspn(at, "/?#");
	(void)snprintf(out, cap, "%.*s%.*s", (int)scheme, url, n, at);
}

/*
 * "Expect:" alone takes curl's own away: many small servers never answer 100,
 * and each body would wait a second for it.
 */
static struct curl_slist *
header_list(const struct http_request *q)
{
	char line[128];
	struct curl_slist *list = NULL;

	if (q->body != NULL) {
		(void)snprintf(line, sizeof(line), "Content-Type: %s",
		    q->content_type != NULL ? q->content_type
					    : "application/json");
		list = curl_slist_append(list, line);
		list = curl_slist_append(list, "Expect:");
	}
	for (size_t i = 0; q->headers != NULL && q->headers[i] != NULL; i++)
		list = curl_slist_append(list, q->headers[i]);
	return list;
}

/* Header lines; a new status line (a redirect's end, 100) begins them anew. */
static size_t
take_header(char *p, size_t size, size_t n, void *arg)
{
	struct wr *w = arg;

	if (size * n >= 5 && memcmp(p, "HTTP/", 5) == 0) {
		const size_t max = w->max;
		wr_free(w);
		*w = wr_new(max);
	}
	return take_body(p, size, n, arg);
}

/* curl asks about once a second, also while nothing moves. */
static int
on_stop(void *arg, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
	const atomic_bool *stop = arg;

	(void)a;
	(void)b;
	(void)c;
	(void)d;
	return atomic_load(stop);
}

static void
configure(CURL *c, const struct http_request *q, struct wr *body,
    struct wr *headers, struct curl_slist *list)
{
	long timeout = (long)(q->timeout_ms != 0 ? q->timeout_ms
						 : DEFAULT_TIMEOUT_MS);

	(void)curl_easy_setopt(c, CURLOPT_URL, q->url);
	/* threads: curl must not use SIGALRM for its timeouts */
	(void)curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
	/* a URL of the config must not become a file or an FTP server */
	(void)curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https");
	(void)curl_easy_setopt(
	    c, CURLOPT_FOLLOWLOCATION, q->redirects != 0 ? 1L : 0L);
	(void)curl_easy_setopt(c, CURLOPT_MAXREDIRS, (long)q->redirects);
	(void)curl_easy_setopt(c, CURLOPT_REDIR_PROTOCOLS_STR,
	    strncmp(q->url, "https:", 6) == 0 ? "https" : "http,https");
	(void)curl_easy_setopt(c, CURLOPT_TIMEOUT_MS, timeout);
	(void)curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT_MS,
	    timeout < CONNECT_TIMEOUT_MS ? timeout : CONNECT_TIMEOUT_MS);
	(void)curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, take_body);
	(void)curl_easy_setopt(c, CURLOPT_WRITEDATA, body);
	if (headers != NULL) {
		(void)curl_easy_setopt(c, CURLOPT_HEADERFUNCTION, take_header);
		(void)curl_easy_setopt(c, CURLOPT_HEADERDATA, headers);
	}
	(void)curl_easy_setopt(c, CURLOPT_HTTPHEADER, list);
	if (q->ca_file != NULL)
		(void)curl_easy_setopt(c, CURLOPT_CAINFO, q->ca_file);
	if (q->unix_socket != NULL)
		(void)curl_easy_setopt(
		    c, CURLOPT_UNIX_SOCKET_PATH, q->unix_socket);
	if (q->body != NULL) {
		(void)curl_easy_setopt(c, CURLOPT_POST, 1L);
		(void)curl_easy_setopt(c, CURLOPT_POSTFIELDS, q->body);
		(void)curl_easy_setopt(
		    c, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)q->bodylen);
	}
	if (q->stop != NULL) {
		(void)curl_easy_setopt(c, CURLOPT_NOPROGRESS, 0L);
		(void)curl_easy_setopt(c, CURLOPT_XFERINFOFUNCTION, on_stop);
		(void)curl_easy_setopt(c, CURLOPT_XFERINFODATA,
		    (void *)(uintptr_t)q->stop);
	}
	if (q->method != NULL && strcmp(q->method, "HEAD") == 0)
		(void)curl_easy_setopt(c, CURLOPT_NOBODY, 1L);
	else if (q->method != NULL)
		(void)curl_easy_setopt(c, CURLOPT_CUSTOMREQUEST, q->method);
}

enum dstack_status
http_do(const struct http_request *q, unsigned *status, struct wr *out,
    struct wr *headers, struct why *why)
{
	char origin[160];
	CURL *c = handle();

	http_origin(q->url, origin, sizeof(origin));
	if (c == NULL)
		return why_set(why, DSTACK_E_NOMEM, "libcurl does not start");

	AUTO_WR struct wr body = wr_new(q->max != 0 ? q->max : DEFAULT_MAX);
	AUTO_WR struct wr lines = wr_new(HEADERS_MAX);
	struct curl_slist *list = header_list(q);
	configure(c, q, &body, headers != NULL ? &lines : NULL, list);
	CURLcode rc = curl_easy_perform(c);
	curl_slist_free_all(list);
	/* first: a body that was too large shows as a write error of curl's */
	if (wr_status(&body) == DSTACK_E_LIMIT)
		return why_set(why, DSTACK_E_LIMIT,
		    "%s answered more than %zu bytes", origin, body.max);
	if (q->untrusted != NULL)
		*q->untrusted = rc == CURLE_PEER_FAILED_VERIFICATION;
	if (rc != CURLE_OK)
		return why_set(why,
		    rc == CURLE_PARTIAL_FILE ? DSTACK_E_TRUNCATED
					     : DSTACK_E_MISSING,
		    "%s: %s", origin, curl_easy_strerror(rc));
	long code = 0;
	(void)curl_easy_getinfo(c, CURLINFO_RESPONSE_CODE, &code);
	*status = (unsigned)code;
	if (q->retry_after != NULL) {
		curl_off_t wait = 0;
		(void)curl_easy_getinfo(c, CURLINFO_RETRY_AFTER, &wait);
		/* bounded: a server may ask for a year */
		*q->retry_after = wait <= 0 ? 0
		    : wait > RETRY_AFTER_MAX ? RETRY_AFTER_MAX
					     : (unsigned)wait;
	}
	if (out != NULL)
		wr_put(out, body.buf, body.len);
	if (headers != NULL)
		wr_put(headers, lines.buf, lines.len);
	if (out != NULL && wr_status(out) != DSTACK_OK)
		return why_set(why, wr_status(out), "%s: answer too large",
		    origin);
	return DSTACK_OK;
}

struct lines {
	struct wr part; /* of a line that has not ended */
	void (*line)(void *arg, const char *text, size_t len);
	void *arg;
	const atomic_bool *stop;
	time_t heard; /* monotonic seconds, last byte */
	time_t silent_s;
};

static time_t
seconds(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec;
}

/* Bytes come in any pieces; a line is handed on when its end is there. */
static size_t
take_lines(char *p, size_t size, size_t n, void *arg)
{
	struct lines *l = arg;
	size_t left = size * n;

	l->heard = seconds();
	while (left > 0) {
		const char *nl = memchr(p, '\n', left);
		size_t k = nl != NULL ? (size_t)(nl - p) : left;
		wr_put(&l->part, p, k);
		if (wr_status(&l->part) != DSTACK_OK)
			return 0;
		if (nl != NULL) {
			size_t max = l->part.max;
			if (l->part.len > 0)
				l->line(l->arg, (const char *)l->part.buf,
				    l->part.len);
			wr_free(&l->part);
			l->part = wr_new(max);
			k++;
		}
		p += k;
		left -= k;
	}
	return size * n;
}

/* Told to stop, or nothing heard for too long. */
static int
on_progress(void *arg, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
	const struct lines *l = arg;

	(void)a;
	(void)b;
	(void)c;
	(void)d;
	return atomic_load(l->stop) || seconds() - l->heard > l->silent_s;
}

enum dstack_status
http_lines(const char *url, size_t max, unsigned silent_s,
    void (*line)(void *arg, const char *text, size_t len), void *arg,
    const atomic_bool *stop, struct why *why)
{
	struct http_request q = { .url = url };
	struct lines l = { .part = wr_new(max),
		.line = line,
		.arg = arg,
		.stop = stop,
		.heard = seconds(),
		.silent_s = (time_t)silent_s };
	char origin[160];
	long code = 0;
	CURL *c = NULL;

	/* one of its own: line may make requests in the same thread */
	if (pthread_once(&once, global_init) == 0 && usable)
		c = curl_easy_init();
	http_origin(url, origin, sizeof(origin));
	if (c == NULL)
		return why_set(why, DSTACK_E_NOMEM, "libcurl does not start");
	configure(c, &q, &l.part, NULL, NULL);
	/* a stream has no end to wait for: on_progress bounds the silence */
	(void)curl_easy_setopt(c, CURLOPT_TIMEOUT_MS, 0L);
	(void)curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, take_lines);
	(void)curl_easy_setopt(c, CURLOPT_WRITEDATA, &l);
	(void)curl_easy_setopt(c, CURLOPT_NOPROGRESS, 0L);
	(void)curl_easy_setopt(c, CURLOPT_XFERINFOFUNCTION, on_progress);
	(void)curl_easy_setopt(c, CURLOPT_XFERINFODATA, &l);
	(void)curl_easy_setopt(c, CURLOPT_FAILONERROR, 1L);
	CURLcode rc = curl_easy_perform(c);
	(void)curl_easy_getinfo(c, CURLINFO_RESPONSE_CODE, &code);
	curl_easy_cleanup(c);
	bool over = wr_status(&l.part) == DSTACK_E_LIMIT;
	wr_free(&l.part);
	if (atomic_load(stop))
		return DSTACK_OK;
	if (over)
		return why_set(why, DSTACK_E_LIMIT,
		    "%s sent a line over %zu bytes", origin, max);
	if (rc == CURLE_HTTP_RETURNED_ERROR)
		return why_set(why, DSTACK_E_MISSING,
		    "%s answered HTTP %ld", origin, code);
	return why_set(why, code == 200 ? DSTACK_E_TRUNCATED : DSTACK_E_MISSING,
	    "%s: %s", origin,
	    rc == CURLE_OK                      ? "it ended the stream"
	        : rc == CURLE_ABORTED_BY_CALLBACK ? "it has gone silent"
	                                          : curl_easy_strerror(rc));
}
