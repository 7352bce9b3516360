/* SPDX-License-Identifier: Apache-2.0 */
/* Merkle-Patricia proofs (yellow paper, appendix D), hashed keys or plain. */
#ifndef ETH_TRIE_H
#define ETH_TRIE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "crypto/hash.h"

#define TRIE_MAX_NODES 80
#define TRIE_MAX_KEY 64 /* bytes */
#define TRIE_MAX_NODE 1024 /* bytes; a branch is at most 17 * 33 + header */

/*
 * Walk from root along key (as it is: hash it first for Ethereum's secure
 * tries) through nodes, which must be used up exactly.
 * *found false: proven absent, value and valuelen untouched. *value borrows
 * from the last node and is never empty. The empty trie is proven by no node
 * or by the one node 0x80.
 * DSTACK_E_REJECTED  a node is missing, not the one its parent names, or
 *                    left over
 * DSTACK_E_FORMAT, DSTACK_E_TRUNCATED  a node is no canonical trie node
 * DSTACK_E_LIMIT     more or larger nodes, or a longer key, than above
 */
DSTACK_CHECKED enum dstack_status trie_verify(const uint8_t root[static 32],
    const uint8_t *key, size_t keylen, const struct piece *nodes, size_t count,
    bool *found, const uint8_t **value, size_t *valuelen);

#endif
