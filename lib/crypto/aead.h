/* SPDX-License-Identifier: Apache-2.0 */
/*
 * AES-256-GCM (NIST SP 800-38D), tag of 16 bytes behind the ciphertext. A
 * nonce is used once under a key: whoever calls draws it.
 */
#ifndef CRYPTO_AEAD_H
#define CRYPTO_AEAD_H

#include <stddef.h>
#include <stdint.h>

#include "base/secret.h"
#include "base/status.h"

#define AEAD_NONCE 12u
#define AEAD_TAG 16u
#define AEAD_MAX 4096u /* bytes of plaintext, and of aad: keys and their names */

/* out: n + AEAD_TAG bytes. DSTACK_E_LIMIT: over AEAD_MAX. */
DSTACK_CHECKED enum dstack_status aead_seal(const struct secret32 *key,
    const uint8_t nonce[static AEAD_NONCE], const void *aad, size_t aadlen,
    const void *pt, size_t n, uint8_t *out);

/*
 * in: n + AEAD_TAG bytes; out: n, wiped on every failure.
 * DSTACK_E_REJECTED: another key, nonce, aad or ciphertext.
 */
DSTACK_CHECKED enum dstack_status aead_open(const struct secret32 *key,
    const uint8_t nonce[static AEAD_NONCE], const void *aad, size_t aadlen,
    const uint8_t *in, size_t n, uint8_t *out);

#endif
