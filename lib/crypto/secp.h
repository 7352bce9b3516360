/* SPDX-License-Identifier: Apache-2.0 */
/* secp256k1 as Ethereum uses it, on libsecp256k1. */
#ifndef CRYPTO_SECP_H
#define CRYPTO_SECP_H

#include <stddef.h>
#include <stdint.h>

#include "base/secret.h"
#include "base/status.h"

/*
 * Blind the secret arithmetic with 32 random bytes (crypto/init.h does it).
 * Not while another thread signs. All else here may run in any thread.
 */
void secp_blind(const uint8_t seed[static 32]);

#define SECP_SIG_LEN 65 /* r || s || v, v 27 or 28, s low */

/* DSTACK_E_REJECTED: key is 0 or not below the group order. */
DSTACK_CHECKED enum dstack_status secp_address(
    const struct secret32 *key, uint8_t addr[static 20]);
/* Uncompressed point without the 0x04: 64 bytes. */
DSTACK_CHECKED enum dstack_status secp_public(
    const struct secret32 *key, uint8_t pub[static 64]);

/* Compressed point, SEC 1: 33 bytes. */
DSTACK_CHECKED enum dstack_status secp_compressed(
    const struct secret32 *key, uint8_t pub[static 33]);

/*
 * Is it the signature r || s of the digest by the point (33 or 65 bytes)?
 * DSTACK_E_REJECTED: no, or s is high. DSTACK_E_FORMAT: not a point.
 */
DSTACK_CHECKED enum dstack_status secp_verify(const uint8_t digest[static 32],
    const uint8_t sig[static 64], const uint8_t *pub, size_t n);

/*
 * Sign a 32-byte digest; nonce by RFC 6979, with 32 bytes of extra entropy
 * where entropy is not NULL (THREATS T29).
 */
DSTACK_CHECKED enum dstack_status secp_sign(const struct secret32 *key,
    const uint8_t digest[static 32], const uint8_t *entropy,
    uint8_t sig[static SECP_SIG_LEN]);

/*
 * Address that signed the digest. DSTACK_E_REJECTED: v is not 27 or 28, s is
 * high, r or s out of range, or the signer is the zero address.
 */
DSTACK_CHECKED enum dstack_status secp_recover(
    const uint8_t digest[static 32], const uint8_t sig[static SECP_SIG_LEN],
    uint8_t addr[static 20]);

/* EIP-55 text of an address: "0x" and 40 characters and NUL. */
void eip55(const uint8_t addr[static 20], char out[static 43]);

#endif
