/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A JSON-RPC endpoint of an Ethereum chain, for the host's programs. Blocking
 * (see host/http/client.h); one struct rpc may be used by several threads.
 *
 * What it answers is the endpoint's word: nothing a guest relies on, and
 * nothing that may spend more of the account than struct rpc_limits says.
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
#include "eth/rpc.h"

struct rpc;

/* What one transaction may cost, and how long is waited for what. */
struct rpc_limits {
	uint64_t max_fee;    /* wei a unit of gas, priority fee included */
	uint64_t max_gas;    /* units of gas */
	unsigned bump_ms;    /* in no block for so long: sent again, dearer */
	unsigned patience_ms; /* sleeps so long when asked to wait (429) */
};
#define RPC_MAX_FEE_GWEI 100u
#define RPC_MAX_GAS 1000000u
#define RPC_BUMP_MS 45000u

/* url is copied; the limits are the defaults above, no patience. NULL: no
 * memory. */
struct rpc *rpc_new(const char *url);
void rpc_free(struct rpc *r);
/* Before the first send. A member that is 0 stays as it is. */
void rpc_limit(struct rpc *r, const struct rpc_limits *l);
#define AUTO_RPC OWN_CLEANUP(rpc_cleanup)
static inline void
rpc_cleanup(struct rpc **r)
{
	rpc_free(*r);
}

/*
 * Pass a JSON-RPC text on as it is; answer text appended to out.
 * DSTACK_E_MISSING also while the endpoint's Retry-After (or, without one, a
 * growing pause after 429 and 503) is not over: it is not asked then.
 */
DSTACK_CHECKED enum dstack_status rpc_pass(struct rpc *r, const void *text,
    size_t len, struct wr *out, struct why *why);

/*
 * Call method; params (stolen; NULL: none). *result is a new reference.
 * DSTACK_E_REJECTED: the endpoint answered an error. DSTACK_E_MISSING: it did
 * not answer. An answer that was cut short is asked for once more.
 */
DSTACK_CHECKED enum dstack_status rpc_call(struct rpc *r, const char *method,
    json_t *params, json_t **result, struct why *why);

/*
 * Several calls in one request, or one by one where the endpoint takes no
 * batches. params are stolen, results new references (all NULL on failure).
 */
DSTACK_CHECKED enum dstack_status rpc_batch(
    struct rpc *r, struct eth_rpc_ask *ask, size_t n, struct why *why);
/* Asks of common calls, for rpc_batch. */
struct eth_rpc_ask rpc_ask_storage(
    const uint8_t addr[static 20], const uint8_t slot[static 32]);
struct eth_rpc_ask rpc_ask_call(
    const uint8_t to[static 20], const void *data, size_t len);
/* The word that an eth_getStorageAt answered. */
DSTACK_CHECKED enum dstack_status rpc_word(
    const json_t *result, uint8_t value[static 32], struct why *why);

DSTACK_CHECKED enum dstack_status rpc_chain_id(
    struct rpc *r, uint64_t *id, struct why *why);
DSTACK_CHECKED enum dstack_status rpc_block_number(
    struct rpc *r, uint64_t *number, struct why *why);
/* eth_call at latest; answer bytes appended to out (at most 64 KiB). */
/*
 * The newest block, for who asks again and again: answered from memory until
 * another one is due, by the pace of those before it. All who use one struct
 * rpc share it. hash may be NULL. Status as rpc_call.
 */
DSTACK_CHECKED enum dstack_status rpc_newest(struct rpc *r, uint64_t *number,
    uint8_t *hash, struct why *why);
/* There is word of another block: the next who wants the newest one asks. */
void rpc_hasten(struct rpc *r);
/*
 * As rpc_pass, for questions whose answer does not change before the next
 * block: the same bytes are asked once a block. Not for what an endpoint may
 * have only a moment later (a receipt, a block by hash). Without a newest block
 * it is rpc_pass.
 */
DSTACK_CHECKED enum dstack_status rpc_pass_kept(struct rpc *r,
    const void *text, size_t len, struct wr *out, struct why *why);
DSTACK_CHECKED enum dstack_status rpc_call_kept(struct rpc *r,
    const char *method, json_t *params, json_t **result, struct why *why);
DSTACK_CHECKED enum dstack_status rpc_eth_call(struct rpc *r,
    const uint8_t to[static 20], const void *data, size_t len, struct wr *out,
    struct why *why);
DSTACK_CHECKED enum dstack_status rpc_storage(struct rpc *r,
    const uint8_t addr[static 20], const uint8_t slot[static 32],
    uint8_t value[static 32], struct why *why);
/* Runtime code of addr (at most 64 KiB). None: nothing is appended. */
DSTACK_CHECKED enum dstack_status rpc_code(struct rpc *r,
    const uint8_t addr[static 20], struct wr *out, struct why *why);
/* A method that answers a quantity of 64 bits; params stolen. */
DSTACK_CHECKED enum dstack_status rpc_u64(struct rpc *r, const char *method,
    json_t *params, uint64_t *out, struct why *why);

struct rpc_receipt {
	uint8_t tx_hash[32];
	uint8_t contract[20]; /* where a creation put it */
	uint64_t block;
	uint64_t gas_used;
	json_t *logs; /* a reference of the caller's; may be NULL */
};

/*
 * Sign and send one transaction (EIP-1559) from key's account: gas by
 * eth_estimateGas, fees by the endpoint, both within the limits. to NULL:
 * creation. Returns when it is in a block (polled every 100 ms, wait_ms at
 * most; 0: 60 s).
 *
 * DSTACK_E_REJECTED: it reverts, with the contract's reason in why.
 * DSTACK_E_LIMIT: it would cost more than the limits allow; nothing was sent.
 * DSTACK_E_BUSY: it was sent, and is in no block yet. It is not forgotten:
 * the same call again waits for the same transaction, which is sent again
 * under its nonce with higher fees, within the limits, every bump_ms.
 * DSTACK_E_MISSING: it was not sent, or the endpoint did not say.
 * Sends of one struct rpc are one after the other up to the send itself.
 * receipt->tx_hash is set as soon as it was sent, also on DSTACK_E_BUSY.
 */
DSTACK_CHECKED enum dstack_status rpc_send(struct rpc *r,
    const struct secret32 *key, uint64_t chain_id, const uint8_t *to,
    const void *data, size_t len, unsigned wait_ms,
    struct rpc_receipt *receipt, struct why *why);

#endif
