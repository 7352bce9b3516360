/* SPDX-License-Identifier: Apache-2.0 */
/*
 * With --beacon a command sees what a guest of the network sees: netcfg names
 * beacon chain and checkpoint, a light client proves the newest finalized
 * block, and the contract's records are proven under it. netcfg is one's own
 * file: whoever takes the host's takes the host's checkpoint.
 */
#include "cli/beacon/view.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/own.h"
#include "cli/quote/input.h"

enum dstack_status
cli_view_of(struct cli_view *a, struct gov *g, struct why *why)
{
	AUTO_FREE uint8_t *text = NULL;
	size_t len = 0;
	struct netcfg n;
	if (a->beacon == NULL)
		return DSTACK_OK;
	if (a->netcfg == NULL)
		return why_set(why, DSTACK_E_FORMAT,
		    "--beacon: --netcfg FILE says which beacon chain it is "
		    "and where to begin");
	enum dstack_status st =
	    quote_read_file(a->netcfg, NETCFG_MAX, &text, &len, why);
	if (st == DSTACK_OK)
		st = netcfg_parse(text, len, &n, why);
	if (st != DSTACK_OK)
		return why_wrap(why, st, "%.150s", a->netcfg);
	if (n.chain_id != g->chain_id ||
	    memcmp(n.contract, g->contract, 20) != 0)
		return why_set(why, DSTACK_E_REJECTED,
		    "%.150s is of another chain or contract", a->netcfg);
	st = view_find(&n, a->beacon, g->rpc, &a->at, why);
	/*
	 * A head that was true once proves nothing of today, and no signature
	 * tells its age; this machine's clock does, which is its owner's.
	 */
	const uint64_t now = (uint64_t)time(NULL);
	if (st == DSTACK_OK && now > a->at.time &&
	    now - a->at.time > n.max_age)
		st = why_set(why, DSTACK_E_MISSING,
		    "--beacon: the newest finalized block is %llu s old, and "
		    "netcfg's max-age is %llu: is the view held back?",
		    (unsigned long long)(now - a->at.time),
		    (unsigned long long)n.max_age);
	if (st == DSTACK_OK) {
		memcpy(g->pinned, n.code_hash, 32);
		g->proven = &a->at.header;
	}
	return st;
}

/* Also where it is the RPC's word: silence would be taken for proof. */
json_t *
cli_view_json(const struct cli_view *a)
{
	return a->beacon == NULL
	    ? json_pack("{s:s}", "kind", "rpc")
	    : json_pack("{s:s,s:I,s:I,s:I}", "kind", "beacon", "slot",
		  (json_int_t)a->at.slot, "block",
		  (json_int_t)a->at.header.number, "time",
		  (json_int_t)a->at.time);
}

void
cli_view_text(const struct cli_view *a, char *out, size_t cap)
{
	if (a->beacon == NULL)
		(void)snprintf(out, cap, "the RPC's word (--beacon proves it)");
	else
		(void)snprintf(out, cap,
		    "beacon: finalized slot %llu, block %llu, proven",
		    (unsigned long long)a->at.slot,
		    (unsigned long long)a->at.header.number);
}
