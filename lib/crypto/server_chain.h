/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A TLS server's certificate chain as PEM, judged: what the host volume
 * offers to the guest (the only untrusted input of unstoppable TLS), and what
 * a CA hands out to the host. Pure but for OpenSSL's allocations.
 */
#ifndef CRYPTO_SERVER_CHAIN_H
#define CRYPTO_SERVER_CHAIN_H

#include <stddef.h>
#include <stdint.h>

#include <openssl/evp.h>
#include <openssl/x509.h>

#include "base/status.h"

#define SERVER_CHAIN_PEM_MAX (64u * 1024) /* bytes */
#define SERVER_CHAIN_MAX 6                /* certificates */
#define SERVER_CHAIN_LAG 86400u /* seconds that proven time may be behind */

struct server_chain {
	X509 *cert[SERVER_CHAIN_MAX]; /* leaf first; owned */
	size_t n;
};
void server_chain_free(struct server_chain *c);

/*
 * Read a PEM chain, leaf first. what: its name in the reasons. The answer is
 * DSTACK_OK if the leaf's key is `key`, its names cover domain exactly (no
 * wildcard), it is an end-entity certificate for TLS servers, every
 * certificate is issued by the next, and `now` (seconds since 1970; 0: not
 * known yet) lies inside every window of validity or at most SERVER_CHAIN_LAG
 * before it. out (written on DSTACK_OK alone) is the caller's to free.
 * DSTACK_E_REJECTED: one of these does not hold.
 * DSTACK_E_LIMIT, DSTACK_E_FORMAT: too long, or no PEM list.
 */
DSTACK_CHECKED enum dstack_status server_chain_judge(const char *what,
    const void *pem, size_t len, const EVP_PKEY *key, const char *domain,
    uint64_t now, struct server_chain *out, struct why *why);

#endif
