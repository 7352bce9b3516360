/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A conversation with one ACME CA (RFC 8555): its directory, our account
 * there, signed requests with fresh nonces, and the waits it asks for. What
 * is said is acme.c's.
 */
#ifndef HOST_ACME_CA_H
#define HOST_ACME_CA_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>
#include <openssl/evp.h>

#include "base/status.h"
#include "base/wr.h"

#define CA_URL_MAX 512

struct ca {
	/* set by the caller, borrowed */
	const char *directory;   /* https URL */
	const char *ca_file;     /* PEM to trust for it; NULL: the system's */
	EVP_PKEY *key;           /* account's */
	const atomic_bool *stop; /* set: give up within a second; or NULL */
	int64_t deadline;        /* of ca_now, for all waits */
	struct why *why;
	/* out: seconds that the CA asked to wait, where we gave up; 0: none */
	unsigned again_s;
	/* ca.c's */
	char new_nonce[CA_URL_MAX];
	char new_account[CA_URL_MAX];
	char new_order[CA_URL_MAX];
	char kid[CA_URL_MAX];
	char nonce[256]; /* "": ask for one */
};

struct ca_answer {
	unsigned status;
	unsigned retry_after; /* seconds; 0: none */
	json_t *json;         /* NULL: the body is none */
	struct wr body;
	char location[CA_URL_MAX];
};
void ca_answer_free(struct ca_answer *a);
#define AUTO_CA_ANSWER OWN_CLEANUP(ca_answer_free)

int64_t ca_now(void); /* CLOCK_MONOTONIC, ms */

/*
 * Directory, then account: the one of the key, or a new one.
 * DSTACK_E_REJECTED: the CA wants an external account binding, or says no.
 */
DSTACK_CHECKED enum dstack_status ca_open(struct ca *ca);

/*
 * Signed POST (payload "": POST-as-GET) with any HTTP status but a stale
 * nonce's. DSTACK_E_MISSING: no answer.
 */
DSTACK_CHECKED enum dstack_status ca_try(
    struct ca *ca, const char *url, const char *payload, struct ca_answer *a);
/*
 * As ca_try, for a success alone (2xx): 429 and 5xx are waited out as the CA
 * asks. DSTACK_E_REJECTED: refused, the CA's words in why. DSTACK_E_BUSY: it
 * asks for more time than there is.
 */
DSTACK_CHECKED enum dstack_status ca_post(
    struct ca *ca, const char *url, const char *payload, struct ca_answer *a);

/* Is this answer "not now" (RFC 8555 6.6, RFC 9110 15.6)? */
bool ca_busy(const struct ca_answer *a);
/*
 * Sleep before the turn-th look (from 0) at something that is not done: what
 * a's Retry-After asks, else 0.2 s growing to 5 s. DSTACK_E_BUSY: past the
 * deadline, "what" and the CA's wish in why.
 */
DSTACK_CHECKED enum dstack_status ca_wait(struct ca *ca,
    const struct ca_answer *a, unsigned turn, const char *what);

/* Text member of an object; "" where it is none. */
const char *ca_text(const json_t *o, const char *key);
/* The words of a problem document (RFC 7807) with its first subproblem. */
void ca_problem(const json_t *problem, char *out, size_t cap);
/* https URL of an object's member. */
DSTACK_CHECKED enum dstack_status ca_url(
    struct ca *ca, const json_t *o, const char *key, char out[CA_URL_MAX]);

#endif
