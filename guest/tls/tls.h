/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Parts of the unstoppable-tls role: unstoppable_tls.c is the front that
 * clients meet, tls_files.c what it gives to the host and takes from it.
 */
#ifndef GUEST_TLS_H
#define GUEST_TLS_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include <event2/event.h>
#include <openssl/ssl.h>

#include "base/status.h"
#include "base/wr.h"
#include "crypto/server_chain.h"
#include "guest/tls/cert.h"

struct link;

/* What the host was asked last and has not answered yet. */
enum tls_ask { TLS_ASK_NONE, TLS_ASK_CERTIFICATE, TLS_ASK_REQUEST,
	TLS_ASK_ATTESTATION };

struct front {
	struct event_base *base;
	struct event *accept;
	SSL_CTX *ctx; /* NULL until a certificate was accepted */
	EVP_PKEY *key;
	char domain[256];
	uint64_t now; /* proven chain time, seconds; 0: not told yet */
	struct sockaddr_in backend; /* sin_port 0: none */
	bool said_serving;

	/* unstoppable_tls.c: who the app has been silent to longest, first */
	TAILQ_HEAD(link_list, link) links;
	unsigned connections;

	/* tls_files.c */
	struct event *poll;
	struct event *answer; /* of the host */
	enum tls_ask asked;
	uint8_t leaf_seen[32]; /* SHA-256 of the file last judged */
	uint64_t leaf_again;   /* chain time to judge it anew; 0: accepted */
	bool published; /* request and attestation are on the host volume */
	char refusal[200]; /* of the host, when it was last logged */
};

/* Serve with this chain from now on; connections keep what they have. */
DSTACK_CHECKED bool tls_use(struct front *f, const struct server_chain *chain);

/*
 * Look after the host's files from f->base: certificate, request and
 * attestation. The host may take any time to answer: nothing waits for it.
 * When its link is gone the loop ends.
 */
DSTACK_CHECKED enum dstack_status tls_files_start(
    struct front *f, struct why *why);

#endif
