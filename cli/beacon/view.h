/* SPDX-License-Identifier: Apache-2.0 */
/* Which view of the chain a command has, and that it says so. */
#ifndef CLI_BEACON_VIEW_H
#define CLI_BEACON_VIEW_H

#include <jansson.h>

#include "host/beacon/view.h"
#include "host/chain/governance.h"

struct cli_view {
	const char *beacon; /* --beacon; NULL: the RPC's word */
	const char *netcfg; /* --netcfg, or the file of a network that is known */
	struct view at;	    /* filled by cli_view_of */
};

/*
 * Make g read under a proven header, if a is to: netcfg is read and must be
 * of g's chain and contract, whose code it pins. a must live as long as g.
 * DSTACK_E_MISSING: nothing is proven now, or nothing younger than max-age. DSTACK_E_REJECTED, DSTACK_E_FORMAT.
 */
DSTACK_CHECKED enum dstack_status cli_view_of(
    struct cli_view *a, struct gov *g, struct why *why);
/* {"kind":"rpc"} or {"kind":"beacon","slot","block","time"} */
json_t *cli_view_json(const struct cli_view *a);
/* The same in a line without its end. */
void cli_view_text(const struct cli_view *a, char *out, size_t cap);

#endif
