/* SPDX-License-Identifier: Apache-2.0 */
/*
 * As much HTTP as the greeting needs, on both sides. Requests come from the
 * world through the TLS front, so heads and bodies are bounded and slow senders
 * have a deadline; a length that is no number, and chunks, are refused rather
 * than guessed (two readers of one stream that see different lengths are how
 * requests get smuggled). Every connection ends after one answer. ask_guest is
 * the other side: one question to http://dstack-guest, whose address the node
 * put into /etc/hosts.
 */
#include "http.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

void
add(struct reply *r, const void *p, size_t n)
{
	if (r->len + n + 1 > r->cap) {
		size_t cap = (r->len + n + 1) * 2;
		char *d = realloc(r->data, cap);
		/*
		 * What did not fit is not in the answer; its length says so,
		 * and the reader sees a short page rather than a broken one.
		 */
		if (d == NULL)
			return;
		r->data = d;
		r->cap = cap;
	}
	memcpy(r->data + r->len, p, n);
	r->len += n;
	r->data[r->len] = '\0';
}

void
say(struct reply *r, const char *fmt, ...)
{
	char line[4096];
	va_list ap;
	va_start(ap, fmt);
	int n = vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	if (n > 0)
		add(r, line,
		    (size_t)n < sizeof(line) ? (size_t)n : sizeof(line) - 1);
}

/*
 * Names in the shared folder are the host's, so they are text on the page and
 * nothing else.
 */
void
say_html(struct reply *r, const char *text)
{
	for (; *text != '\0'; text++) {
		if (strchr("<>&\"'", *text) != NULL)
			say(r, "&#%d;", *text);
		else
			add(r, text, 1);
	}
}

void
say_json(struct reply *r, const char *text)
{
	add(r, "\"", 1);
	for (; *text != '\0'; text++) {
		unsigned char c = (unsigned char)*text;
		if (c < 0x20 || c >= 0x7f || c == '"' || c == '\\')
			say(r, "\\u%04x", c);
		else
			add(r, text, 1);
	}
	add(r, "\"", 1);
}

static int
write_all(int fd, const char *p, size_t n)
{
	while (n != 0) {
		ssize_t w = send(fd, p, n, MSG_NOSIGNAL);
		if (w < 0 && errno == EINTR)
			continue;
		if (w <= 0)
			return -1;
		p += w;
		n -= (size_t)w;
	}
	return 0;
}

/*
 * Of each read and write; a sender of a byte every 19 seconds has a child of
 * its own, and there are 32.
 */
static void
deadline(int fd, int seconds)
{
	const struct timeval tv = { .tv_sec = seconds };
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv));
}

/* Content-Length of a head, 0 without one, -1 if it is no number. */
static long
content_length(const char *head)
{
	const char *p = strcasestr(head, "\r\ncontent-length:");
	char *end = NULL;
	if (p == NULL)
		return 0;
	p += strlen("\r\ncontent-length:");
	p += strspn(p, " ");
	if (*p < '0' || *p > '9')
		return -1;
	long v = strtol(p, &end, 10);
	return *end == '\r' && v >= 0 ? v : -1;
}

int
read_request(int fd, struct request *q)
{
	char head[MAX_HEAD + 1];
	size_t have = 0;
	char *end = NULL;
	deadline(fd, 20);
	while (end == NULL) {
		if (have == MAX_HEAD)
			return 431;
		ssize_t n = recv(fd, head + have, MAX_HEAD - have, 0);
		if (n <= 0)
			return 408;
		have += (size_t)n;
		head[have] = '\0';
		end = strstr(head, "\r\n\r\n");
	}
	size_t start = (size_t)(end - head) + 4;
	end[2] = '\0'; /* the last header keeps its line end */
	if (sscanf(head, "%7s %511s HTTP/1.", q->method, q->path) != 2)
		return 400;
	/* 411: send it with a length. */
	if (strcasestr(head, "\r\ntransfer-encoding:") != NULL)
		return 411;
	long len = content_length(head);
	if (len < 0)
		return 400;
	if (len > (long)MAX_BODY)
		return 413;
	q->length = (size_t)len;
	q->body = malloc(q->length + 1);
	if (q->body == NULL)
		return 500;
	/* curl waits a second for this before it sends a large body. */
	if (strcasestr(head, "\r\nexpect: 100-continue") != NULL)
		(void)write_all(fd, "HTTP/1.1 100 Continue\r\n\r\n", 25);
	size_t got = have - start < q->length ? have - start : q->length;
	memcpy(q->body, head + start, got);
	while (got < q->length) {
		ssize_t n = recv(fd, q->body + got, q->length - got, 0);
		if (n <= 0)
			return 408;
		got += (size_t)n;
	}
	return 0;
}

void
send_reply(int fd, int status, const char *type, const struct reply *r)
{
	char head[512];
	const char *what = status < 300 ? "OK" : "No";
	int n = snprintf(head, sizeof(head),
	    "HTTP/1.1 %d %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\n"
	    "Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n"
	    "Connection: close\r\n\r\n", status, what, type, r->len);
	if (n > 0 && write_all(fd, head, (size_t)n) == 0 && r->len != 0)
		(void)write_all(fd, r->data, r->len);
}

/* The address that /etc/hosts gives for dstack-guest. */
static int
guest_address(struct sockaddr_in *to)
{
	char line[512];
	FILE *f = fopen("/etc/hosts", "re");
	int found = 0;
	while (f != NULL && !found && fgets(line, sizeof(line), f) != NULL) {
		char addr[64];
		char name[64];
		if (sscanf(line, "%63s %63s", addr, name) == 2 &&
		    strcmp(name, "dstack-guest") == 0 &&
		    inet_pton(AF_INET, addr, &to->sin_addr) == 1)
			found = 1;
	}
	if (f != NULL)
		(void)fclose(f);
	to->sin_family = AF_INET;
	to->sin_port = htons(80);
	return found ? 0 : -1;
}

static long
no(char *out, size_t cap, int fd, const char *text)
{
	if (fd >= 0)
		(void)close(fd);
	(void)snprintf(out, cap, "%s", text);
	return -1;
}

long
ask_guest(const char *path, char *out, size_t cap)
{
	struct sockaddr_in to = { 0 };
	char buf[16384];
	size_t have = 0;
	if (guest_address(&to) != 0)
		return no(out, cap, -1, "/etc/hosts has no dstack-guest");
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return no(out, cap, -1, "no socket");
	deadline(fd, 10);
	int n = snprintf(buf, sizeof(buf),
	    "GET %s HTTP/1.1\r\nHost: dstack-guest\r\nConnection: close\r\n\r\n",
	    path);
	if (n < 0 || (size_t)n >= sizeof(buf))
		return no(out, cap, fd, "the question is too long");
	if (connect(fd, (struct sockaddr *)&to, sizeof(to)) != 0 ||
	    write_all(fd, buf, (size_t)n) != 0)
		return no(out, cap, fd, "dstack-guest does not answer");
	for (;;) {
		ssize_t got = recv(fd, buf + have, sizeof(buf) - 1 - have, 0);
		if (got <= 0)
			break;
		have += (size_t)got;
		buf[have] = '\0';
		char *end = memmem(buf, have, "\r\n\r\n", 4);
		if (end == NULL)
			continue;
		/* A server that keeps the connection still says the length. */
		long len = content_length(buf);
		if (len > 0 && have >= (size_t)(end + 4 - buf) + (size_t)len)
			break;
	}
	(void)close(fd);
	buf[have] = '\0';
	char *end = memmem(buf, have, "\r\n\r\n", 4);
	if (end == NULL)
		return no(out, cap, -1, "dstack-guest gave no answer");
	size_t body = have - (size_t)(end + 4 - buf);
	if (strncmp(buf, "HTTP/1.1 200", 12) != 0 &&
	    strncmp(buf, "HTTP/1.0 200", 12) != 0) {
		(void)snprintf(out, cap, "dstack-guest says %.*s",
		    (int)(body < 200 ? body : 200), end + 4);
		return -1;
	}
	if (body > cap)
		return no(out, cap, -1, "the answer is too long");
	memcpy(out, end + 4, body);
	return (long)body;
}
