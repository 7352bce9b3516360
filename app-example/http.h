/* SPDX-License-Identifier: Apache-2.0 */
/* The greeting app's two halves: pages (app.c) and HTTP bytes (http.c). */
#ifndef APP_HTTP_H
#define APP_HTTP_H

#include <stddef.h>

#define MAX_BODY (1u << 20)
#define MAX_HEAD 8192

struct request {
	char method[8];
	char path[512];
	size_t length; /* of the body */
	char *body;    /* owned by the caller after read_request */
};

struct reply {
	char *data;
	size_t len, cap;
};

/* Append text; a reply that ran out of memory is sent as a 500. */
void say(struct reply *r, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
/* Append text with HTML's or JSON's special characters written as escapes. */
void say_html(struct reply *r, const char *text);
void say_json(struct reply *r, const char *text);
void add(struct reply *r, const void *p, size_t n);

/* 0, or the HTTP status that tells what is wrong with the request. */
int read_request(int fd, struct request *q);
void send_reply(int fd, int status, const char *type, const struct reply *r);

/*
 * GET http://dstack-guest/PATH; the answer's body into out. Length of the
 * body, or -1 with a line of text in out.
 */
long ask_guest(const char *path, char *out, size_t cap);

#endif
