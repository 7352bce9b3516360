/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A request's head, line by line: the request line first (method, target,
 * version), then each header line. Judged in the order of the bytes; the
 * first thing wrong is the answer's status, and nothing after it is read.
 * Of the headers only those that change what we do are looked at.
 */
#include "host/http/head.h"

#include <string.h>
#include <strings.h>

/* Digits alone; false where it is no length. */
static bool
content_length(const char *v, size_t *out)
{
	size_t n = 0;

	if (*v == '\0' || strlen(v) > 12)
		return false;
	for (; *v != '\0'; v++) {
		if (*v < '0' || *v > '9')
			return false;
		n = n * 10 + (size_t)(*v - '0');
	}
	*out = n;
	return true;
}

/* 0, or the status that refuses the request line. */
static unsigned
request_line(struct http_head *h, const char *line)
{
	const char *sp = strchr(line, ' ');
	const char *sp2 = sp != NULL ? strchr(sp + 1, ' ') : NULL;
	size_t m = sp != NULL ? (size_t)(sp - line) : 0;

	/* 1.1 keeps the connection unless it is told not to; 1.0 the reverse */
	h->keep = sp2 != NULL && strcmp(sp2 + 1, "HTTP/1.1") == 0;
	if (sp2 == NULL || m == 0 || m >= sizeof(h->method) || sp[1] != '/' ||
	    (strcmp(sp2 + 1, "HTTP/1.1") != 0 &&
	        strcmp(sp2 + 1, "HTTP/1.0") != 0))
		return 400;
	size_t p = strcspn(sp + 1, " ?");
	if (p >= sizeof(h->path))
		return 431;
	for (size_t i = 0; i < p; i++)
		if (sp[1 + i] <= ' ' || sp[1 + i] > '~')
			return 400;
	memcpy(h->method, line, m);
	h->method[m] = '\0';
	memcpy(h->path, sp + 1, p);
	h->path[p] = '\0';
	return 0;
}

static unsigned
header_line(struct http_head *h, char *line, bool *have_length)
{
	char *colon = strchr(line, ':');

	if (colon == NULL || colon == line)
		return 400;
	*colon = '\0';
	char *v = colon + 1 + strspn(colon + 1, " \t");
	for (size_t n = strlen(v);
	     n > 0 && (v[n - 1] == ' ' || v[n - 1] == '\t'); n--)
		v[n - 1] = '\0';
	if (strcasecmp(line, "content-length") == 0) {
		if (*have_length || !content_length(v, &h->body_len))
			return 400;
		*have_length = true;
	} else if (strcasecmp(line, "connection") == 0) {
		if (strcasecmp(v, "close") == 0)
			h->keep = false;
		else if (strcasecmp(v, "keep-alive") == 0)
			h->keep = true;
	} else if (strcasecmp(line, "transfer-encoding") == 0) {
		return 411; /* no chunks: a body's size is known first */
	} else if (strcasecmp(line, "origin") == 0) {
		return 403; /* a web page in some browser on this machine */
	}
	return 0;
}

unsigned
http_head_parse(char *text, size_t n, struct http_head *out)
{
	bool have_length = false;
	bool first = true;
	unsigned no = 0;

	memset(out, 0, sizeof(*out));
	if (memchr(text, '\0', n) != NULL)
		return 400;
	for (char *line = text; no == 0;) {
		char *end = strstr(line, "\r\n");
		if (end == NULL || end == line)
			break;
		*end = '\0';
		no = first ? request_line(out, line)
			   : header_line(out, line, &have_length);
		first = false;
		line = end + 2;
	}
	return no == 0 && first ? 400 : no;
}
