/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the TLS front gives to the host and takes from it: the certificate
 * request and its attestation go out, the certificate comes in and is judged.
 * It knows nothing of the front but the one function that uses a chain.
 */
#ifndef GUEST_TLS_FILES_H
#define GUEST_TLS_FILES_H

#include <stdbool.h>
#include <stdint.h>

#include <event2/event.h>
#include <openssl/evp.h>

#include "base/status.h"
#include "crypto/server_chain.h"

/* What the host was asked last and has not answered yet. */
enum tls_ask { TLS_ASK_NONE, TLS_ASK_CERTIFICATE, TLS_ASK_REQUEST,
	TLS_ASK_ATTESTATION };

struct tls_files {
	/* set before the start; borrowed */
	struct event_base *base;
	EVP_PKEY *key;
	const char *domain;
	/* serve with this chain from now on; false: it cannot be */
	bool (*use)(void *arg, const struct server_chain *chain);
	void *arg;
	/* moved on as it is proven: chain time, seconds; 0: not told yet */
	uint64_t now;

	/* files.c's */
	struct event *poll;
	struct event *answer; /* of the host */
	enum tls_ask asked;
	uint8_t leaf_seen[32]; /* SHA-256 of the file last judged */
	uint64_t leaf_again;   /* chain time to judge it anew; 0: accepted */
	bool serving;   /* a chain is in use */
	bool published; /* request and attestation are on the host volume */
	char refusal[200]; /* of the host, when it was last logged */
};

/*
 * Look after the host's files from f->base. The host may take any time to
 * answer: nothing waits for it. When its link is gone the loop ends.
 */
DSTACK_CHECKED enum dstack_status tls_files_start(
    struct tls_files *f, struct why *why);

#endif
