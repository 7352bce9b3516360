/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Questions to the RPC go by hostlink, and their answers are the host's: each
 * is bounded, and of none is anything believed but what its proof says under
 * a state root that is believed already.
 */
#include "guest/chain/rpc.h"

#include <string.h>

#include "base/own.h"
#include "eth/rpc.h"
#include "guest/base/link.h"

/* Ask the host's RPC; params is taken over. An error is the host's affair. */
enum dstack_status
rpc_ask(int edge, const char *method, json_t *params, json_t **result,
    struct why *why)
{
	/*
	 * bounds on both ways: the host is the enemy, and memory is all there
	 * is
	 */
	AUTO_WR struct wr q = wr_new(LINK_MAX_BODY);
	AUTO_WR struct wr a = wr_new(LINK_MAX_BODY);
	enum dstack_status st = eth_rpc_request(&q, method, params);
	if (st != DSTACK_OK)
		return why_set(why, st, "%s: request not built", method);
	st = link_fetch(edge, "/rpc", q.buf, q.len, &a, why);
	if (st == DSTACK_OK) {
		st = eth_rpc_result(a.buf, a.len, result, why);
		if (st != DSTACK_OK)
			(void)why_wrap(why, st, "%s", method);
	}
	/* too much, too little, an error: none of it is an answer */
	if (st == DSTACK_E_REJECTED)
		return DSTACK_E_MISSING;
	if (st == DSTACK_E_LIMIT || st == DSTACK_E_TRUNCATED)
		return DSTACK_E_FORMAT;
	return st;
}

enum dstack_status
rpc_prove(int edge, const struct netcfg *cfg, uint64_t number,
    const uint8_t state_root[static 32], const uint8_t (*slots)[32], size_t n,
    uint8_t (*values)[32], struct why *why)
{
	AUTO_JSON json_t *proof = NULL;
	json_t *list = json_array();
	for (size_t i = 0; i < n; i++) {
		if (json_array_append_new(list, eth_json_hex(slots[i], 32)) !=
		    0) {
			json_decref(list);
			return why_set(why, DSTACK_E_NOMEM, "out of memory");
		}
	}
	enum dstack_status st = rpc_ask(edge, "eth_getProof",
	    json_pack("[o,o,o]", eth_json_hex(cfg->contract, 20), list,
		eth_json_quantity(number)),
	    &proof, why);
	if (st != DSTACK_OK)
		return st;
	struct eth_account account;
	memset(&account, 0, sizeof(account));
	st = eth_check_proof(proof, state_root, cfg->contract, slots, n,
	    &account, values, why);
	if (st != DSTACK_OK)
		return why_wrap(why,
		    st == DSTACK_E_NOMEM ? st : DSTACK_E_FORMAT,
		    "proof at block %llu", (unsigned long long)number);
	if (!account.exists)
		return why_set(why, DSTACK_E_MISSING,
		    "the RPC's chain has no contract at netcfg's address: "
		    "point host.env at the right RPC, or deploy it");
	/*
	 * another contract there: on another chain, since code does not change
	 */
	if (memcmp(account.code_hash, cfg->code_hash, 32) != 0)
		return why_set(why, DSTACK_E_MISSING,
		    "the contract's code is not the one netcfg names");
	return DSTACK_OK;
}
