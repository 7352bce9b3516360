/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HPKE base mode, single shot (RFC 9180): DHKEM(X25519, HKDF-SHA256),
 * HKDF-SHA256, ChaCha20-Poly1305. Draws no randomness: the ephemeral key is
 * the caller's and must be fresh for each seal.
 */
#ifndef CRYPTO_HPKE_H
#define CRYPTO_HPKE_H

#include <stddef.h>
#include <stdint.h>

#include "base/secret.h"
#include "base/status.h"

#define HPKE_PUB_LEN 32
#define HPKE_OVERHEAD (32 + 16) /* enc before, tag behind the text */

DSTACK_CHECKED enum dstack_status x25519_public(
    const struct secret32 *key, uint8_t pub[static 32]);

/*
 * out: enc(32) || ciphertext(ptlen) || tag(16), ptlen + HPKE_OVERHEAD bytes.
 * DSTACK_E_REJECTED: pub is a point that makes the shared secret zero.
 */
DSTACK_CHECKED enum dstack_status hpke_seal(const uint8_t pub[static 32],
    const struct secret32 *ephemeral, const void *info, size_t infolen,
    const void *aad, size_t aadlen, const void *pt, size_t ptlen, void *out);

/*
 * out: ctlen - HPKE_OVERHEAD bytes, all zero where it does not open.
 * DSTACK_E_REJECTED: too short, another key, info or aad, or altered.
 */
DSTACK_CHECKED enum dstack_status hpke_open(const struct secret32 *key,
    const void *info, size_t infolen, const void *aad, size_t aadlen,
    const void *ct, size_t ctlen, void *out);

#endif
