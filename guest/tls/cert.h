/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The certificate the host volume offers, judged: the only untrusted input
 * of unstoppable TLS (THREATS T31). Pure but for OpenSSL's allocations.
 */
#ifndef GUEST_CERT_H
#define GUEST_CERT_H

#include <stddef.h>
#include <stdint.h>

#include <openssl/evp.h>
#include <openssl/x509.h>

#include "base/secret.h"
#include "base/status.h"
#include "base/wr.h"

#define CERT_PEM_MAX (64u * 1024)
#define CERT_CHAIN_MAX 6

struct cert_chain {
	X509 *cert[CERT_CHAIN_MAX]; /* leaf first; owned */
	size_t n;
};
void cert_chain_free(struct cert_chain *c);

/* P-256 private key from its scalar (big-endian). Caller frees. */
DSTACK_CHECKED enum dstack_status cert_key(
    const struct secret32 *scalar, EVP_PKEY **out);

/* Uncompressed point of a P-256 key: 0x04 || x || y. */
DSTACK_CHECKED enum dstack_status cert_point(
    const EVP_PKEY *key, uint8_t out[static 65]);

/* keccak256 of the key's SubjectPublicKeyInfo, as certificates have it. */
DSTACK_CHECKED enum dstack_status cert_spki_hash(
    const EVP_PKEY *key, uint8_t out[static 32]);

/* PEM certificate request for domain (CN and SAN), appended to w. */
DSTACK_CHECKED enum dstack_status cert_request(
    EVP_PKEY *key, const char *domain, struct wr *w);

#define CERT_CHAIN_LAG 86400u /* seconds that proven time may be behind */

/*
 * Read a PEM chain, leaf first. DSTACK_E_REJECTED unless the leaf's key is
 * ours, its names cover domain exactly (no wildcard), it is an end-entity
 * certificate for TLS servers, every certificate is issued by the next, and
 * `now` (seconds; proven chain time, 0: not known yet) lies inside every
 * validity window, or at most CERT_CHAIN_LAG before it.
 */
DSTACK_CHECKED enum dstack_status cert_chain_judge(const void *pem, size_t len,
    const EVP_PKEY *key, const char *domain, uint64_t now,
    struct cert_chain *out, struct why *why);

#endif
