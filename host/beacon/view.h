/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The newest block that a light client proves, for commands that read a
 * contract: what a guest with view=beacon sees, from one's own desk.
 */
#ifndef HOST_BEACON_VIEW_H
#define HOST_BEACON_VIEW_H

#include "eth/rpc.h"
#include "host/chain/rpc_client.h"
#include "protocol/netcfg.h"

struct view {
	struct eth_header header; /* its hash is the proven one */
	uint64_t slot;		  /* of the finalized beacon block */
	uint64_t time;		  /* at which that slot began, Unix seconds */
};

/*
 * From cfg's checkpoint by the beacon nodes of urls (as fetch_urls takes
 * them), and the header from rpc. Blocks, for a minute at most.
 * DSTACK_E_REJECTED: cfg has no view=beacon. DSTACK_E_FORMAT: urls.
 * DSTACK_E_MISSING: nothing was proven in time, with the last reason.
 */
DSTACK_CHECKED enum dstack_status view_find(const struct netcfg *cfg,
    const char *urls, struct rpc *rpc, struct view *out, struct why *why);

#endif
