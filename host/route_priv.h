/* SPDX-License-Identifier: Apache-2.0 */
/* Inside the router: route.c has the table, route_chain.c what sends. */
#ifndef HOST_ROUTE_PRIV_H
#define HOST_ROUTE_PRIV_H

#include <pthread.h>

#include "host/kmcall.h"
#include "host/route.h"

#define ROUTE_PENDING 16

/* A request of this host's guest that waits to be onboarded. */
struct route_pending {
	uint8_t id[32];
	uint64_t block;     /* of its register transaction */
	uint64_t pushed_ms; /* last time the relay took it; 0: never */
	uint64_t tried_ms;
	char *message; /* JSON text; NULL: free entry */
};

struct router {
	const struct host_config *cfg;
	struct rpc *rpc;
	int volume;   /* descriptor of host_volume */
	int auditing; /* descriptor of the auditing folder */
	pthread_mutex_t lock; /* of pending */
	struct route_pending pending[ROUTE_PENDING];
	unsigned next;
	char said[256]; /* the last failure that was logged */
};

struct route_body {
	const void *p;
	size_t len;
};

void route_text(struct route_answer *a, unsigned status, const char *text);
void route_fail(
    struct route_answer *a, enum dstack_status st, const struct why *why);

void route_bootstrap(
    struct router *r, const struct route_body *in, struct route_answer *a);
void route_register(
    struct router *r, const struct route_body *in, struct route_answer *a);
void route_heartbeat(
    struct router *r, const struct route_body *in, struct route_answer *a);
void route_anchor(
    struct router *r, const struct route_body *in, struct route_answer *a);
void route_onboarded(
    struct router *r, const char *id, struct route_answer *a);
void route_bootstrap_quote(
    struct router *r, const char *epoch, struct route_answer *a);

#endif
