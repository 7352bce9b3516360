/* SPDX-License-Identifier: Apache-2.0 */
/*
 * BLS12-381 as the beacon chain signs with it: public keys in G1, signatures
 * in G2 (consensus-specs, specs/phase0/beacon-chain.md, "BLS signatures";
 * draft-irtf-cfrg-bls-signature-04). blst does the mathematics.
 */
#ifndef BEACON_BLS_H
#define BEACON_BLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BLS_KEY_LEN 48u
#define BLS_SIG_LEN 96u

/* The decompressed keys of one committee. */
struct bls_keys;

/*
 * n keys of 48 bytes. NULL with *bad < n: that key is no point of the curve,
 * or the point at infinity. NULL with *bad == n: no memory.
 */
struct bls_keys *bls_keys_new(const uint8_t *keys, size_t n, size_t *bad);
void bls_keys_free(struct bls_keys *k); /* NULL is fine */

/*
 * FastAggregateVerify over the keys whose bit is set in bits (bit i % 8 of
 * byte i / 8). No bit set is never a yes, and neither is a signature or a
 * sum of keys at infinity.
 */
bool bls_verify(const struct bls_keys *k, const uint8_t *bits,
    const uint8_t message[static 32], const uint8_t sig[static BLS_SIG_LEN]);

#endif
