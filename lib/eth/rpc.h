/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JSON-RPC text and Ethereum's JSON shapes. Text in, structs out; who sends
 * it is the caller's matter. Every answer is foreign: depth, size and number
 * of elements are bounded.
 */
#ifndef ETH_RPC_H
#define ETH_RPC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "base/status.h"
#include "base/wr.h"

#define ETH_RPC_MAX (1u << 20) /* bytes of one answer */

/*
 * {"jsonrpc":"2.0","id":1,"method":M,"params":P}, appended to w. params NULL:
 * []. Steals params, also on failure.
 */
DSTACK_CHECKED enum dstack_status eth_rpc_request(
    struct wr *w, const char *method, json_t *params);

/*
 * The result member of an answer, a new reference (json_null where the answer
 * has null). DSTACK_E_REJECTED: the server answered an error, whose text is
 * in why. DSTACK_E_LIMIT: too large, too deep or too many values.
 */
DSTACK_CHECKED enum dstack_status eth_rpc_result(
    const void *text, size_t len, json_t **result, struct why *why);

/*
 * Several calls in one message (JSON-RPC 2.0, section 6). params are
 * borrowed; result is NULL before and a new reference of the caller's after,
 * also of those that came before one that failed.
 * DSTACK_E_MISSING: the server answers no array: ask one by one.
 */
struct eth_rpc_ask {
	const char *method;
	json_t *params;
	json_t *result;
};
DSTACK_CHECKED enum dstack_status eth_rpc_batch_request(
    struct wr *w, const struct eth_rpc_ask *ask, size_t n);
DSTACK_CHECKED enum dstack_status eth_rpc_batch_results(const void *text,
    size_t len, struct eth_rpc_ask *ask, size_t n, struct why *why);

/*
 * "0x" quantities without leading zeros, and data of exact or bounded length.
 * v may be NULL (no such member): DSTACK_E_FORMAT, as for any other type.
 */
DSTACK_CHECKED enum dstack_status eth_json_u64(const json_t *v, uint64_t *out);
DSTACK_CHECKED enum dstack_status eth_json_u256(
    const json_t *v, uint8_t out[static 32]);
DSTACK_CHECKED enum dstack_status eth_json_fixed(
    const json_t *v, void *out, size_t n);
DSTACK_CHECKED enum dstack_status eth_json_data(
    const json_t *v, size_t max, struct wr *out);
json_t *eth_json_hex(const void *p, size_t n); /* "0x..." data */
json_t *eth_json_quantity(uint64_t v);

struct eth_header {
	uint64_t number;
	uint64_t timestamp; /* seconds since the epoch */
	uint8_t hash[32];   /* recomputed from the fields, never as told */
	uint8_t parent_hash[32];
	uint8_t state_root[32];
	uint8_t parent_beacon_root[32]; /* zero where the fork has none */
};
/*
 * Header out of an eth_getBlockByNumber result (fields of London to
 * Amsterdam: 16 to 23). Its hash is keccak256 of the RLP of the fields; DSTACK_E_REJECTED where
 * the answer names another one. DSTACK_E_MISSING: the result is null (no
 * such block), or a field is absent that its fork has.
 */
DSTACK_CHECKED enum dstack_status eth_header_from_json(
    const json_t *block, struct eth_header *out, struct why *why);

/*
 * Check an eth_getProof result (EIP-1186) against a state root: account at addr, then
 * each of count slots, in order. *exists false: proven that there is no such
 * account; values are then all zero. A slot proven absent has value zero.
 * Ask with slots as 32-byte data (eth_json_hex): some nodes refuse short
 * ones. Values and account fields that the answer claims beside its proofs
 * are never read. Outputs are written only on success.
 * DSTACK_E_REJECTED: a node is missing, left over, wrong or of another key,
 * or the number of slots is not count.
 */
struct eth_account {
	bool exists;
	uint64_t nonce;
	uint8_t balance[32];
	uint8_t storage_root[32];
	uint8_t code_hash[32];
};
DSTACK_CHECKED enum dstack_status eth_check_proof(const json_t *proof,
    const uint8_t state_root[static 32], const uint8_t addr[static 20],
    const uint8_t (*slots)[32], size_t count, struct eth_account *account,
    uint8_t (*values)[32], struct why *why);

/* Storage slots of Solidity's layout. */
void eth_slot_mapping(const uint8_t key[static 32],
    const uint8_t slot[static 32], uint8_t out[static 32]);
void eth_slot_add(uint8_t slot[static 32], uint64_t n);
void eth_slot_u64(uint64_t n, uint8_t out[static 32]);

#endif
