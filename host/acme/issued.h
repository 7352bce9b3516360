/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a CA hands out for our request, judged before the file that nodes
 * serve with is replaced.
 */
#ifndef HOST_ACME_ISSUED_H
#define HOST_ACME_ISSUED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <openssl/evp.h>

#include "base/status.h"
#include "base/wr.h"

/* A certificate request for one DNS name. */
struct wanted {
	EVP_PKEY *key; /* public; owned */
	char name[256];
	struct wr der;    /* the request itself */
	uint8_t spki[32]; /* SHA-256 of the key */
};
void wanted_free(struct wanted *w);

/*
 * DSTACK_E_MISSING: no such file (the guest writes it). DSTACK_E_FORMAT: no
 * PEM request for exactly one DNS name.
 */
DSTACK_CHECKED enum dstack_status wanted_read(
    const char *path, struct wanted *out, struct why *why);

/*
 * Is this text (n bytes of a stranger's) a chain for w's key and name, valid
 * at now (seconds since 1970)? out: its certificates as PEM again, and nothing
 * else of the text. what: names the text in the reasons.
 * DSTACK_E_FORMAT: no chain at all, DSTACK_E_REJECTED: one, but not ours.
 */
DSTACK_CHECKED enum dstack_status issued_judge(const char *what,
    const void *text, size_t n, const struct wanted *w, uint64_t now,
    struct wr *out, struct why *why);

/* Key of the first certificate in the text, for the caller to free; or NULL. */
EVP_PKEY *issued_key(const void *text, size_t n);

/* Put pem at path by rename, on the disk before it counts. */
DSTACK_CHECKED enum dstack_status issued_write(
    const char *path, const struct wr *pem, struct why *why);

/*
 * Is the certificate at path for w, and has more than a third of its life?
 * False also where there is none.
 */
bool issued_fresh(const char *path, const struct wanted *w);

#endif
