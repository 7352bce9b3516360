/* SPDX-License-Identifier: Apache-2.0 */
/* Merkle trees of SSZ (consensus-specs, ssz/simple-serialize.md). */
#ifndef BEACON_MERKLE_H
#define BEACON_MERKLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* out may be a or b. */
void merkle_pair(const uint8_t a[static 32], const uint8_t b[static 32],
    uint8_t out[static 32]);

/* Root over count leaves, a power of two; they are used up. */
void merkle_root(uint8_t (*leaf)[32], size_t count, uint8_t out[static 32]);

/* An integer as a leaf: little endian, zeros behind. */
void merkle_u64(uint64_t v, uint8_t out[static 32]);

/*
 * Does the branch of n nodes lead from leaf at gindex to root? n may be more
 * than the depth of gindex: the first ones must be zero then
 * (is_valid_normalized_merkle_branch of Electra).
 */
bool merkle_branch(const uint8_t leaf[static 32], const uint8_t *branch,
    size_t n, uint32_t gindex, const uint8_t root[static 32]);

/* Are n bytes zero? */
bool all_zero(const uint8_t *p, size_t n);

#endif
