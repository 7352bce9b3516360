/* SPDX-License-Identifier: Apache-2.0 */
#include "host/acme/http01.h"

#include <errno.h>
#include <stdbool.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <event2/util.h>

#include "base/own.h"

#define TOKEN_MAX 128
#define WAIT_MS 2000 /* for a request line from one caller */

struct http01 {
	pthread_t thread;
	pthread_mutex_t lock; /* over path and body */
	int listener;
	int stop; /* eventfd */
	char path[TOKEN_MAX + 64];
	char body[TOKEN_MAX * 2 + 2];
};

static void
answer(struct http01 *h, int fd)
{
	char q[1024], a[1024], want[sizeof(h->path) + 16];
	size_t have = 0;
	/* the first line is all we need; a slow caller is dropped */
	while (have < sizeof(q) - 1) {
		struct pollfd p = { fd, POLLIN, 0 };
		if (poll(&p, 1, WAIT_MS) != 1)
			return;
		ssize_t n = recv(fd, q + have, sizeof(q) - 1 - have, 0);
		if (n <= 0)
			return;
		have += (size_t)n;
		q[have] = '\0';
		if (strstr(q, "\r\n\r\n") != NULL)
			break;
	}
	pthread_mutex_lock(&h->lock);
	(void)snprintf(want, sizeof(want), "GET %s HTTP/1.", h->path);
	bool ok = h->path[0] != '\0' && strncmp(q, want, strlen(want)) == 0;
	int n = ok ? snprintf(a, sizeof(a),
			 "HTTP/1.1 200 OK\r\nContent-Type: "
			 "application/octet-stream\r\nContent-Length: %zu\r\n"
			 "Connection: close\r\n\r\n%s",
			 strlen(h->body), h->body)
		   : snprintf(a, sizeof(a),
			 "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n"
			 "Connection: close\r\n\r\n");
	pthread_mutex_unlock(&h->lock);
	if (n > 0)
		(void)!send(fd, a, (size_t)n, MSG_NOSIGNAL);
}

static void *
serve(void *arg)
{
	struct http01 *h = arg;
	for (;;) {
		struct pollfd p[2] = { { h->listener, POLLIN, 0 },
			{ h->stop, POLLIN, 0 } };
		if (poll(p, 2, -1) < 0 && errno != EINTR)
			return NULL;
		if (p[1].revents != 0)
			return NULL;
		if ((p[0].revents & POLLIN) == 0)
			continue;
		AUTO_CLOSE int c = accept4(h->listener, NULL, NULL, SOCK_CLOEXEC);
		if (c >= 0)
			answer(h, c);
	}
}

static enum dstack_status
open_listener(const char *where, int *out, struct why *why)
{
	struct sockaddr_storage ss;
	int len = sizeof(ss);
	if (evutil_parse_sockaddr_port(where, (struct sockaddr *)&ss, &len) != 0)
		return why_set(why, DSTACK_E_FORMAT,
		    "%s is not ADDRESS:PORT (for http-01)", where);
	AUTO_CLOSE int fd =
	    socket(ss.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	const int one = 1;
	if (fd < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) != 0 ||
	    bind(fd, (struct sockaddr *)&ss, (socklen_t)len) != 0 ||
	    listen(fd, 8) != 0)
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
	(void)close(h->listener);
	(void)close(h->stop);
	(void)pthread_mutex_destroy(&h->lock);
	free(h);
}
