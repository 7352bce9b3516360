/* SPDX-License-Identifier: Apache-2.0 */
/* Ed25519 (RFC 8032), on OpenSSL. */
#ifndef CRYPTO_ED25519_H
#define CRYPTO_ED25519_H

#include <stddef.h>
#include <stdint.h>

#include "base/secret.h"
#include "base/status.h"

#define ED25519_SIG_LEN 64

/* The public key of a seed of 32 bytes; any seed is one. */
DSTACK_CHECKED enum dstack_status ed25519_public(
    const struct secret32 *seed, uint8_t pub[static 32]);
DSTACK_CHECKED enum dstack_status ed25519_sign(const struct secret32 *seed,
    const void *data, size_t n, uint8_t sig[static ED25519_SIG_LEN]);
/* DSTACK_E_REJECTED: not the signature of these bytes by this key. */
DSTACK_CHECKED enum dstack_status ed25519_verify(const uint8_t pub[static 32],
    const void *data, size_t n, const uint8_t sig[static ED25519_SIG_LEN]);

#endif
