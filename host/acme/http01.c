/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The public port 80 while an order is under way. One thread serves up to
 * CALLERS connections at once by poll, for a CA looks from several places and
 * strangers knock as well. Each caller runs through the same steps: read a
 * head, judge it (host/http/head.c), send the answer, then either wait for
 * the next request or say goodbye.
 *
 * What can go wrong: a caller that dribbles is cut off by one deadline per
 * request, however many bytes it sends; a head over HEAD_MAX gets 431; where
 * all places are taken, the one who has waited longest makes room. Nobody
 * sees a connection reset: before a close we end our side and read off what
 * the caller still sends, since closing over unread bytes makes a reset that
 * can overtake the answer.
 */
#include "host/acme/http01.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>

#include <event2/util.h>

#include "base/own.h"
#include "base/wr.h"
#include "host/http/head.h"

#define TOKEN_MAX 128
#define CALLERS 128
#define HEAD_MAX (64u * 1024)
#define REQUEST_MS 10000 /* from the wait for a request to its last byte */
#define GOODBYE_MS 2000  /* for the caller to close after our answer */

enum step { FREE, READING, SENDING, LEAVING };

struct caller {
	enum step step;
	int fd;
	int64_t deadline; /* CLOCK_MONOTONIC, ms */
	struct wr in;     /* what has come and is not answered yet */
	char out[512];
	size_t out_len, out_at;
	bool last; /* goodbye after this answer */
};

struct http01 {
	pthread_t thread;
	pthread_mutex_t lock; /* over path and body */
	int listener;
	int stop; /* eventfd */
	char path[TOKEN_MAX + 64];
	char body[TOKEN_MAX * 2 + 2];
	struct caller caller[CALLERS]; /* the thread's alone */
};

static int64_t
now_ms(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* The place is free after this. */
static void
drop(struct caller *c)
{
	(void)close(c->fd);
	wr_free(&c->in);
	memset(c, 0, sizeof(*c));
}

/* We have said all; the caller may still be sending. */
static void
leave(struct caller *c)
{
	(void)shutdown(c->fd, SHUT_WR);
	c->step = LEAVING;
	c->deadline = now_ms() + GOODBYE_MS;
}

/* 200 with the proof where `no` is 0 and the head asks for it. */
static void
compose(struct http01 *h, struct caller *c, unsigned no,
    const struct http_head *head)
{
	const char *text = "OK";
	char body[sizeof(h->body)] = "";
	bool hollow = strcmp(head->method, "HEAD") == 0;

	if (no == 0 && !hollow && strcmp(head->method, "GET") != 0)
		no = 405;
	if (no == 0) {
		pthread_mutex_lock(&h->lock);
		no = h->path[0] != '\0' && strcmp(head->path, h->path) == 0
		    ? 200
		    : 404;
		if (no == 200)
			memcpy(body, h->body, sizeof(body));
		pthread_mutex_unlock(&h->lock);
	}
	if (no != 200)
		text = no == 404 ? "Not Found"
		    : no == 405  ? "Method Not Allowed"
		    : no == 408  ? "Request Timeout"
		                 : "Refused";
	int n = snprintf(c->out, sizeof(c->out),
	    "HTTP/1.1 %u %s\r\nContent-Type: application/octet-stream\r\n"
	    "Content-Length: %zu\r\n%sConnection: %s\r\n\r\n%s",
	    no, text, strlen(body), no == 405 ? "Allow: GET, HEAD\r\n" : "",
	    c->last ? "close" : "keep-alive", hollow ? "" : body);
	c->out_len = n > 0 && (size_t)n < sizeof(c->out) ? (size_t)n : 0;
	c->out_at = 0;
	c->step = SENDING;
}

/* Answer the first request in c->in if its head is whole, or too long. */
static void
judge(struct http01 *h, struct caller *c)
{
	struct http_head head = { .method = "" };
	char *text = (char *)c->in.buf;
	size_t have = c->in.len;

	/* an empty line in front is left over from a body (RFC 9112, 2.2) */
	while (have >= 2 && text[0] == '\r' && text[1] == '\n') {
		text += 2;
		have -= 2;
	}
	char *end = have > 0 ? memmem(text, have, "\r\n\r\n", 4) : NULL;
	if (end == NULL) {
		if (c->in.len >= HEAD_MAX) {
			c->last = true;
			compose(h, c, 431, &head);
		}
		return;
	}
	size_t n = (size_t)(end - text) + 2;
	size_t rest = have - n - 2;
	text[n] = '\0'; /* the empty line's CR: the parser wants a text */
	unsigned no = http_head_parse(text, n, &head);
	/* whose body we do not read is not listened to again */
	c->last = no != 0 || !head.keep || head.body_len > 0;
	compose(h, c, no, &head);
	struct wr next = wr_new(HEAD_MAX);
	wr_put(&next, end + 4, rest);
	wr_free(&c->in);
	c->in = next;
}

/* Send on; then the next request, which may be here already (pipelining). */
static void
deliver(struct http01 *h, struct caller *c)
{
	while (c->step == SENDING) {
		ssize_t n = send(c->fd, c->out + c->out_at, c->out_len - c->out_at,
		    MSG_NOSIGNAL);
		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		/* it has gone: nobody to tell */
		if (n < 0) {
			drop(c);
			return;
		}
		c->out_at += (size_t)n;
		if (c->out_at < c->out_len)
			continue;
		if (c->last) {
			leave(c);
			return;
		}
		c->step = READING;
		c->deadline = now_ms() + REQUEST_MS;
		judge(h, c);
	}
}

static void
hear(struct http01 *h, struct caller *c)
{
	/* never more than the bound: 431 is said by judge, not by wr */
	char buf[4096];
	size_t room = HEAD_MAX - c->in.len;
	size_t want =
	    c->step == READING && room < sizeof(buf) ? room : sizeof(buf);
	ssize_t n = recv(c->fd, buf, want, 0);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		drop(c);
		return;
	}
	if (c->step != READING)
		return; /* read off, for the close to be a quiet one */
	wr_put(&c->in, buf, (size_t)n);
	if (wr_status(&c->in) != DSTACK_OK) {
		drop(c);
		return;
	}
	judge(h, c);
	deliver(h, c);
}

/* The deadline is over: tell one in the middle of a request, then go. */
static void
too_late(struct http01 *h, struct caller *c)
{
	const struct http_head none = { .method = "" };

	if (c->step == READING && c->in.len > 0) {
		c->last = true;
		compose(h, c, 408, &none);
		c->deadline = now_ms() + GOODBYE_MS;
		deliver(h, c);
	} else {
		drop(c);
	}
}

/* The oldest is the one whose deadline is nearest. */
static void
admit(struct http01 *h)
{
	int fd = accept4(h->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	struct caller *c = &h->caller[0];

	if (fd < 0)
		return;
	for (size_t i = 0; i < CALLERS && c->step != FREE; i++) {
		struct caller *o = &h->caller[i];
		if (o->step == FREE || o->deadline < c->deadline)
			c = o;
	}
	if (c->step != FREE)
		drop(c);
	c->step = READING;
	c->fd = fd;
	c->in = wr_new(HEAD_MAX);
	c->deadline = now_ms() + REQUEST_MS;
}

static void *
serve(void *arg)
{
	struct http01 *h = arg;

	for (;;) {
		struct pollfd p[2 + CALLERS] = { { h->stop, POLLIN, 0 },
			{ h->listener, POLLIN, 0 } };
		struct caller *of[2 + CALLERS];
		nfds_t n = 2;
		int64_t now = now_ms();
		int64_t wake = now + 60000;
		for (size_t i = 0; i < CALLERS; i++) {
			struct caller *c = &h->caller[i];
			if (c->step != FREE && c->deadline <= now)
				too_late(h, c);
			if (c->step == FREE)
				continue;
			if (c->deadline < wake)
				wake = c->deadline;
			of[n] = c;
			p[n].fd = c->fd;
			p[n++].events = c->step == SENDING ? POLLOUT : POLLIN;
		}
		int ready = poll(p, n, (int)(wake > now ? wake - now : 0));
		if (ready < 0 && errno != EINTR)
			return NULL;
		if (ready > 0 && p[0].revents != 0)
			return NULL;
		for (nfds_t i = 2; ready > 0 && i < n; i++) {
			if (p[i].revents == 0)
				continue;
			if (of[i]->step == SENDING)
				deliver(h, of[i]);
			else
				hear(h, of[i]);
		}
		/* last: it may give a place away that is in the list above */
		if (ready > 0 && (p[1].revents & POLLIN) != 0)
			admit(h);
	}
}

/* Privileged port or not is the caller's matter: the reason says which. */
static enum dstack_status
open_listener(const char *where, int *out, struct why *why)
{
	struct sockaddr_storage ss;
	int len = sizeof(ss);
	if (evutil_parse_sockaddr_port(where, (struct sockaddr *)&ss, &len) != 0)
		return why_set(why, DSTACK_E_FORMAT,
		    "%s is not ADDRESS:PORT (for http-01)", where);
	AUTO_CLOSE int fd = socket(
	    ss.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	const int one = 1;
	if (fd < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) != 0 ||
	    bind(fd, (struct sockaddr *)&ss, (socklen_t)len) != 0 ||
	    listen(fd, CALLERS) != 0)
		return why_set(why, DSTACK_E_SYS,
		    "cannot listen on %s for http-01: %s", where,
		    strerror(errno));
	*out = take_fd(&fd);
	return DSTACK_OK;
}

enum dstack_status
http01_start(const char *listen_at, struct http01 **out, struct why *why)
{
	int fd = -1;
	enum dstack_status st = open_listener(listen_at, &fd, why);
	if (st != DSTACK_OK)
		return st;
	struct http01 *h = calloc(1, sizeof(*h));
	int stop = eventfd(0, EFD_CLOEXEC);
	if (h == NULL || stop < 0) {
		free(h);
		(void)close(fd);
		if (stop >= 0)
			(void)close(stop);
		return DSTACK_E_NOMEM;
	}
	h->listener = fd;
	h->stop = stop;
	(void)pthread_mutex_init(&h->lock, NULL);
	if (pthread_create(&h->thread, NULL, serve, h) != 0) {
		(void)close(fd);
		(void)close(stop);
		free(h);
		return why_set(why, DSTACK_E_SYS, "no thread for http-01");
	}
	*out = h;
	return DSTACK_OK;
}

enum dstack_status
http01_offer(
    struct http01 *h, const char *token, const char *thumb, struct why *why)
{
	size_t n = strlen(token);
	if (n == 0 || n > TOKEN_MAX || strlen(thumb) > TOKEN_MAX ||
	    strspn(token, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
			  "0123456789-_") != n)
		return why_set(why, DSTACK_E_FORMAT,
		    "ACME: the token is not base64url");
	pthread_mutex_lock(&h->lock);
	(void)snprintf(h->path, sizeof(h->path),
	    "/.well-known/acme-challenge/%s", token);
	(void)snprintf(h->body, sizeof(h->body), "%s.%s", token, thumb);
	pthread_mutex_unlock(&h->lock);
	return DSTACK_OK;
}

void
http01_stop(struct http01 *h)
{
	if (h == NULL)
		return;
	const uint64_t one = 1;
	(void)!write(h->stop, &one, sizeof(one));
	(void)pthread_join(h->thread, NULL);
	for (size_t i = 0; i < CALLERS; i++)
		if (h->caller[i].step != FREE)
			drop(&h->caller[i]);
	(void)close(h->listener);
	(void)close(h->stop);
	(void)pthread_mutex_destroy(&h->lock);
	free(h);
}
