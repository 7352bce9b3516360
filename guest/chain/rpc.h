/* SPDX-License-Identifier: Apache-2.0 */
/* Asking the host's RPC, and proving what it says of the contract. */
#ifndef GUEST_CHAIN_RPC_H
#define GUEST_CHAIN_RPC_H

#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "base/own.h"
#include "base/status.h"
#include "protocol/netcfg.h"

static inline void
own_json(json_t **v)
{
	json_decref(*v);
}
#define AUTO_JSON OWN_CLEANUP(own_json)

/*
 * Any question, by hostlink; params is taken over. Nothing of the answer is
 * proven. DSTACK_E_MISSING, DSTACK_E_FORMAT: no answer, or none that is one.
 */
DSTACK_CHECKED enum dstack_status rpc_ask(int hostlink_edge,
    const char *method, json_t *params, json_t **result, struct why *why);

/*
 * n (0..16) slots of netcfg's contract, proven under the state root of block
 * number; its account must be there with netcfg's code hash. DSTACK_E_MISSING:
 * it is not; DSTACK_E_FORMAT: the proof does not hold.
 */
#define RPC_PROOF_SLOTS 16 /* keeps an answer under the link's bound */
DSTACK_CHECKED enum dstack_status rpc_prove(int hostlink_edge,
    const struct netcfg *cfg, uint64_t number,
    const uint8_t state_root[static 32], const uint8_t (*slots)[32], size_t n,
    uint8_t (*values)[32], struct why *why);

#endif
