/* SPDX-License-Identifier: Apache-2.0 */
/*
 * EIP-712 typed data. A struct's hash is built from its type text and its
 * fields, each already one 32-byte word (dynamic fields by their keccak256).
 */
#ifndef ETH_EIP712_H
#define ETH_EIP712_H

#include <stdint.h>

#include "base/wr.h"

struct eip712_domain {
	uint64_t chain_id;
	uint8_t contract[20];
};

/* domainSeparator of {name:"dstack2", version:"1", chainId, contract}. */
void eip712_separator(
    const struct eip712_domain *d, uint8_t out[static 32]);

/* Fields as words behind keccak256(type); then digest finishes. */
struct eip712 {
	uint8_t word[16][32];
	unsigned n;
};
struct eip712 eip712_begin(const char *type);
void eip712_word(struct eip712 *s, const uint8_t v[static 32]);
void eip712_u64(struct eip712 *s, uint64_t v);
void eip712_addr(struct eip712 *s, const uint8_t v[static 20]);
void eip712_bytes(struct eip712 *s, const void *p, size_t n); /* hashed */
/* keccak256(0x1901 || separator || hashStruct). */
void eip712_digest(const struct eip712 *s, const struct eip712_domain *d,
    uint8_t out[static 32]);

#endif
