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

/* The keys of one committee, points as far as they were needed. */
struct bls_keys;

/*
 * n keys of 48 bytes, copied, and the sum of them all that stands beside them
 * in a SyncCommittee. NULL: no memory. Whether they are points of the curve is
 * seen when they are needed.
 */
struct bls_keys *bls_keys_new(
    const uint8_t *keys, const uint8_t sum[static BLS_KEY_LEN], size_t n);
void bls_keys_free(struct bls_keys *k); /* NULL is fine */

/* The n keys and the sum, as they were given. */
const uint8_t *bls_keys_raw(const struct bls_keys *k);

/* Are these the n keys and the sum that k was made of? */
bool bls_keys_are(const struct bls_keys *k, const uint8_t *keys,
    const uint8_t sum[static BLS_KEY_LEN]);

/*
 * FastAggregateVerify over the keys whose bit is set in bits (bit i % 8 of
 * byte i / 8). No bit set is never a yes, and neither is a signature or a sum
 * of keys at infinity, or a key that is no point. k keeps what it computed.
 */
bool bls_verify(struct bls_keys *k, const uint8_t *bits,
    const uint8_t message[static 32], const uint8_t sig[static BLS_SIG_LEN]);

#endif
