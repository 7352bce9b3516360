/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The host service's one router (docs/internals.md section 2): guests reach
 * it over the link, the operator's tools over HTTP on loopback. Blocking, so
 * it runs on worker threads (work.h); safe for several at once.
 *
 * It decides nothing that matters: guests treat every answer as foreign.
 */
#ifndef HOST_ROUTE_H
#define HOST_ROUTE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "base/wr.h"
#include "host/base/config.h"
#include "host/chain/rpc_client.h"
#include "protocol/messages.h"

struct route_answer {
	unsigned status;  /* as HTTP */
	const char *type; /* static */
	struct wr body;   /* owned by the caller of route_handle */
};

struct router;

/*
 * cfg and rpc: borrowed for the router's life. auditing: folder for
 * bootstrap quotes (made if missing). DSTACK_E_SYS: a folder is not usable.
 */
DSTACK_CHECKED enum dstack_status router_new(const struct host_config *cfg,
    struct rpc *rpc, const char *auditing, struct router **out,
    struct why *why);
/* What waits for other machines gives up within a second. */
void router_stop(struct router *r);
void router_free(struct router *r);

/* Did this node's guest post the request id through this router? */
bool router_registered(struct router *r, const uint8_t id[static 32]);

/*
 * An answer that came over the relay. Kept if it is to a request of this
 * node's guest and signed by the network's key; else nothing happens.
 */
void router_answer(struct router *r, const struct msg_onboard *m);

/* A line of the relay. True: a bootstrap quote or a sign of life. */
bool router_heard(struct router *r, const char *line, size_t len);

struct onboarder_options;
/*
 * What the onboarder asks a router, all of it: which requests are of its own
 * guest; answers and other lines of the relay, which it keeps; how many live
 * nodes are to answer a request first (signs_rank); whether the guest can know
 * of a block of some time, by view=beacon only once a head of then is final.
 */
void router_onboarder(struct router *r, struct onboarder_options *out);

/* Other nodes heard in the last SIGNS_LIVE_S (signs.h); -1: not known. */
int router_others(struct router *r);

/* Always answers; out->body must be freed with wr_free. */
void route_handle(struct router *r, const char *path, const void *body,
    size_t len, struct route_answer *out);

#endif
