/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The HTTPS front: what the role (unstoppable_tls.c) and the connections that
 * it has let in (link.c) know of each other.
 */
#ifndef GUEST_TLS_FRONT_H
#define GUEST_TLS_FRONT_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include <event2/event.h>
#include <openssl/ssl.h>

#include "guest/tls/files.h"

/* Who is connected, what is served with, and to which app. */
struct front {
	struct event_base *base;
	struct event *accept;
	SSL_CTX *ctx; /* NULL until a certificate was accepted */
	EVP_PKEY *key;
	char domain[256];
	struct sockaddr_in backend; /* sin_port 0: none */
	bool proxy; /* the app is told the client's address (proxy.h) */
	bool h2;    /* the app speaks HTTP/2 */
	bool egress; /* it may go out */
	bool said_serving;
	int64_t heard;    /* kubernethes last, seconds since this VM started */
	int64_t patience; /* seconds that it may be silent; 0: for ever */
	/* who the app has been silent to longest, first */
	TAILQ_HEAD(link_list, link) links;
	unsigned connections;
	unsigned most;      /* of them at once */
	unsigned silent_ms; /* one that is silent so long may go */
	uint32_t budget;    /* bytes under way for all of them together */
	struct tls_files files;
};

/*
 * Room for one more, if need be by ending the one to which the app has been
 * silent longest. False: all are in use.
 */
bool link_room(struct front *f);
/* A connection (taken over) that is let in; from, to: its two addresses. */
void link_open(struct front *f, int fd, const struct sockaddr_in *from,
    const struct sockaddr_in *to);

/* ALPN (RFC 7301) of HTTP/2 (RFC 9113, section 3.1). */
#define ALPN_H2 "h2"

#endif
