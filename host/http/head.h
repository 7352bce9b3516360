/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The head of an HTTP/1.1 request (RFC 9112), as far as our server goes:
 * request line, Content-Length, and what it refuses. Pure; the bytes are a
 * stranger's.
 */
#ifndef HOST_HTTP_HEAD_H
#define HOST_HTTP_HEAD_H

#include <stdbool.h>
#include <stddef.h>

struct http_head {
	char method[8];
	char path[512]; /* printable, "/" first, without query */
	size_t body_len; /* Content-Length; 0 without one */
	bool keep; /* the caller may ask again on this connection (9112, 9.3) */
};

/*
 * text: n bytes up to the empty line and a NUL behind them; it is cut up.
 * Returns 0, or the status to refuse with: 400 malformed, 403 from a web page
 * (Origin), 411 chunked, 431 a path too long. out is zeroed first.
 */
unsigned http_head_parse(char *text, size_t n, struct http_head *out);

#endif
