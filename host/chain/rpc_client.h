/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A JSON-RPC endpoint of an Ethereum chain, for the host's programs. Blocking
 * (see http_client.h); one struct rpc may be used by several threads.
 *
 * What it answers is the endpoint's word: nothing a guest relies on.
 */
#ifndef HOST_RPC_CLIENT_H
#define HOST_RPC_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "base/secret.h"
#include "base/status.h"
#include "base/wr.h"

struct rpc;

/* url is copied. NULL: no memory. */
struct rpc *rpc_new(const char *url);
void rpc_free(struct rpc *r);
#define AUTO_RPC OWN_CLEANUP(rpc_cleanup)
static inline void
rpc_cleanup(struct rpc **r)
{
	rpc_free(*r);
}

/* Pass a JSON-RPC text on as it is; answer text appended to out. */
DSTACK_CHECKED enum dstack_status rpc_pass(struct rpc *r, const void *text,
    size_t len, struct wr *out, struct why *why);

/*
 * Call method; params (stolen; NULL: none). *result is a new reference.
 * DSTACK_E_REJECTED: the endpoint answered an error. DSTACK_E_MISSING: it did
 * not answer.
 */
DSTACK_CHECKED enum dstack_status rpc_call(struct rpc *r, const char *method,
    json_t *params, json_t **result, struct why *why);

DSTACK_CHECKED enum dstack_status rpc_chain_id(
    struct rpc *r, uint64_t *id, struct why *why);
DSTACK_CHECKED enum dstack_status rpc_block_number(
    struct rpc *r, uint64_t *number, struct why *why);
/* eth_call at latest; answer bytes appended to out (at most 64 KiB). */
DSTACK_CHECKED enum dstack_status rpc_eth_call(struct rpc *r,
    const uint8_t to[static 20], const void *data, size_t len, struct wr *out,
    struct why *why);
DSTACK_CHECKED enum dstack_status rpc_storage(struct rpc *r,
    const uint8_t addr[static 20], const uint8_t slot[static 32],
    uint8_t value[static 32], struct why *why);
/* Runtime code of addr (at most 64 KiB). None: nothing is appended. */
DSTACK_CHECKED enum dstack_status rpc_code(struct rpc *r,
    const uint8_t addr[static 20], struct wr *out, struct why *why);

struct rpc_receipt {
	uint8_t tx_hash[32];
	uint8_t contract[20]; /* where a creation put it */
	uint64_t block;
	uint64_t gas_used;
	json_t *logs; /* a reference of the caller's; may be NULL */
};

/*
 * Sign and send one transaction (EIP-1559) from key's account: gas by
 * eth_estimateGas, fees by the endpoint. to NULL: creation. Returns when it
 * is in a block (polled every 100 ms, wait_ms at most; 0: 60 s).
 * DSTACK_E_REJECTED: it reverts, with the contract's reason in why.
 * Sends of one struct rpc are one after the other up to the send itself.
 * receipt->tx_hash is set as soon as it was sent, also on DSTACK_E_MISSING.
 */
DSTACK_CHECKED enum dstack_status rpc_send(struct rpc *r,
    const struct secret32 *key, uint64_t chain_id, const uint8_t *to,
    const void *data, size_t len, unsigned wait_ms,
    struct rpc_receipt *receipt, struct why *why);

#endif
