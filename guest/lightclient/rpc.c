/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The view by the RPC's word, for chains that have no beacon. A header comes
 * in by the host and its hash is computed anew; the contract's account is
 * proven under its state root; then it is believed, unless it goes back.
 */
#include "guest/lightclient/view.h"

#include <stdio.h>
#include <string.h>

#include "eth/rpc.h"
#include "guest/chain/rpc.h"

static enum dstack_status
check_chain_id(struct view *v, struct why *why)
{
	AUTO_JSON json_t *j = NULL;
	uint64_t id;
	/*
	 * once: a header's place in the chain is what is held against it later
	 */
	if (v->chain_id_checked)
		return DSTACK_OK;
	enum dstack_status st = rpc_ask(v->edge, "eth_chainId", NULL, &j, why);
	if (st != DSTACK_OK)
		return st;
	st = eth_json_u64(j, &id);
	if (st != DSTACK_OK)
		return why_set(why, DSTACK_E_FORMAT,
		    "eth_chainId: the RPC's answer is no number");
	if (id != v->cfg.chain_id)
		return why_set(why, DSTACK_E_MISSING,
		    "the RPC serves chain %llu, netcfg says %llu: "
		    "point host.env at the right RPC",
		    (unsigned long long)id,
		    (unsigned long long)v->cfg.chain_id);
	v->chain_id_checked = true;
	return DSTACK_OK;
}

static enum dstack_status
header_at(const struct view *v, const char *tag, struct eth_header *h,
    struct why *why)
{
	AUTO_JSON json_t *j = NULL;
	enum dstack_status st = rpc_ask(v->edge, "eth_getBlockByNumber",
	    json_pack("[s,b]", tag, 0), &j, why);
	if (st != DSTACK_OK)
		return st;
	/*
	 * a block that the endpoint does not have yet, as one behind a balancer
	 * may not
	 */
	if (json_is_null(j))
		return why_set(
		    why, DSTACK_E_MISSING, "the RPC has no block %s", tag);
	st = eth_header_from_json(j, h, why);
	if (st != DSTACK_OK)
		return why_wrap(why, DSTACK_E_FORMAT, "block %s", tag);
	return DSTACK_OK;
}

static enum dstack_status
newest(struct view *v, struct eth_header *h, struct why *why)
{
	enum dstack_status st = check_chain_id(v, why);
	if (st != DSTACK_OK)
		return st;
	/* a chain of one miner, where nothing is ever taken back */
	if (v->cfg.confirmations == 0) {
		st = header_at(v, "latest", h, why);
	} else {
		AUTO_JSON json_t *j = NULL;
		uint64_t n;
		st = rpc_ask(v->edge, "eth_blockNumber", NULL, &j, why);
		if (st != DSTACK_OK)
			return st;
		if (eth_json_u64(j, &n) != DSTACK_OK)
			return why_set(why, DSTACK_E_FORMAT,
			    "eth_blockNumber: the answer is no number");
		/* a chain younger than that: its first block */
		n = n > v->cfg.confirmations ? n - v->cfg.confirmations : 0;
		char tag[2 + 16 + 1];
		(void)snprintf(
		    tag, sizeof(tag), "0x%llx", (unsigned long long)n);
		st = header_at(v, tag, h, why);
		/*
		 * by its own header, whose hash was computed: it is another
		 * block
		 */
		if (st == DSTACK_OK && h->number != n)
			return why_set(why, DSTACK_E_FORMAT,
			    "asked for block %s, got %llu", tag,
			    (unsigned long long)h->number);
	}
	return st;
}

enum dstack_status
view_rpc(struct view *v, struct why *why)
{
	struct eth_header h;
	enum dstack_status st = newest(v, &h, why);
	if (st != DSTACK_OK)
		return st;
	struct view_head head = { .number = h.number, .time = h.timestamp };
	memcpy(head.hash, h.hash, 32);
	memcpy(head.state_root, h.state_root, 32);
	/*
	 * With the contract proven in it: a header of another chain that was
	 * believed would leave ours behind it for ever.
	 */
	if (!v->kept.any || memcmp(head.hash, v->kept.head.hash, 32) != 0)
		st = rpc_prove(v->edge, &v->cfg, h.number, h.state_root, NULL,
		    0, NULL, why);
	return st == DSTACK_OK ? view_advance(v, &head, why) : st;
}
