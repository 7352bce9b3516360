/* SPDX-License-Identifier: Apache-2.0 */
/* EIP-1559 transactions: encode and sign. Amounts in wei. */
#ifndef ETH_TX_H
#define ETH_TX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/secret.h"
#include "base/wr.h"

struct eth_tx {
	uint64_t chain_id;
	uint64_t nonce;
	uint64_t max_priority_fee; /* wei per gas */
	uint64_t max_fee;          /* wei per gas */
	uint64_t gas;
	bool create; /* no recipient: data is init code */
	uint8_t to[20];
	uint8_t value[32]; /* big-endian */
	const uint8_t *data; /* borrowed */
	size_t datalen;
};

/* Appends 0x02 || rlp([...]) with signature to w; hash of that to hash. */
DSTACK_CHECKED enum dstack_status eth_tx_sign(const struct eth_tx *tx,
    const struct secret32 *key, struct wr *w, uint8_t hash[static 32]);

/* CREATE address: last 20 bytes of keccak256(rlp([sender, nonce])). */
void eth_create_address(const uint8_t sender[static 20], uint64_t nonce,
    uint8_t out[static 20]);

#endif
