/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Hashes over one buffer or a list of pieces. Pieces are fed one after the
 * other with no framing: only lib/protocol/frame.h and the EIP-712 encoder
 * may pass more than one piece that is not of fixed length.
 */
#ifndef CRYPTO_HASH_H
#define CRYPTO_HASH_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

struct piece {
	const void *p;
	size_t n;
};

/* Keccak-256 as Ethereum uses it (padding 0x01, not SHA-3's 0x06). */
void keccak256(const void *p, size_t n, uint8_t out[static 32]);
void keccak256v(const struct piece *v, size_t count, uint8_t out[static 32]);

void sha256(const void *p, size_t n, uint8_t out[static 32]);
void sha256v(const struct piece *v, size_t count, uint8_t out[static 32]);
void sha384(const void *p, size_t n, uint8_t out[static 48]);
void sha384v(const struct piece *v, size_t count, uint8_t out[static 48]);

/* BLAKE2b, 32-byte digest, 32-byte key (RFC 7693). */
void blake2b256_keyed(const uint8_t key[static 32], const void *p, size_t n,
    uint8_t out[static 32]);

/* HMAC-SHA-256. */
void hmac_sha256(const void *key, size_t keylen, const void *p, size_t n,
    uint8_t out[static 32]);

/* HKDF with SHA-256 (RFC 5869). Expand: n <= 8160, else DSTACK_E_LIMIT. */
void hkdf_extract(const void *salt, size_t saltlen, const void *ikm,
    size_t ikmlen, uint8_t prk[static 32]);
DSTACK_CHECKED enum dstack_status hkdf_expand(const uint8_t prk[static 32],
    const void *info, size_t infolen, void *out, size_t n);

/*
 * Streaming SHA-256 and SHA-384 for large files: new, update, final (which
 * frees). NULL from new: no memory.
 */
struct hasher;
enum hasher_kind { HASHER_SHA256, HASHER_SHA384 };
struct hasher *hasher_new(enum hasher_kind kind);
void hasher_update(struct hasher *h, const void *p, size_t n);
void hasher_final(struct hasher *h, uint8_t *out); /* 32 or 48 bytes */

#endif
