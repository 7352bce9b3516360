/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ECDSA on P-256 with SHA-256: verification only. Keys are x || y and
 * signatures r || s, 64 bytes big-endian each, as Intel's documents have
 * them; certificates' DER signatures are turned into that form first.
 */
#ifndef DCAP_P256_H
#define DCAP_P256_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/own.h"
#include "base/rd.h"

struct evp_pkey_st;
typedef struct evp_pkey_st p256_key; /* OpenSSL's EVP_PKEY */

/*
 * A key of the caller's, for p256_free; NULL: not a point of the curve, or
 * no memory. like: any other key, or NULL; with one this is faster.
 */
p256_key *p256_new(const uint8_t xy[static 64], const p256_key *like);
void p256_free(p256_key *k);
static inline void
p256_own_free(p256_key **k)
{
	p256_free(*k);
}
#define AUTO_P256 OWN_CLEANUP(p256_own_free)

/*
 * Is sig the key's signature over these bytes? False also when no memory is
 * left: then the answer is no as well. r and s must be in 1..n-1.
 */
bool p256_verify(p256_key *k, const void *msg, size_t len,
    const uint8_t sig[static 64]);

/* ECDSA-Sig-Value (RFC 3279 2.2.3) at r, up to its end, as r || s. */
DSTACK_CHECKED enum dstack_status p256_sig_from_der(
    struct rd *r, uint8_t sig[static 64]);

#endif
