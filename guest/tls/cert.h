/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The network's TLS key and its certificate request. Pure but for OpenSSL's
 * allocations.
 */
#ifndef GUEST_CERT_H
#define GUEST_CERT_H

#include <stddef.h>
#include <stdint.h>

#include <openssl/evp.h>

#include "base/secret.h"
#include "base/status.h"
#include "base/wr.h"

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

#endif
