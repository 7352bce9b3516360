/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inside the router: route.c has the table, route_chain.c what sends,
 * route_join.c a request and its answer.
 */
#ifndef HOST_ROUTE_PRIV_H
#define HOST_ROUTE_PRIV_H

#include <pthread.h>

#include "host/beacon/source.h"
#include "host/join/birth.h"
#include "host/collateral/collateral.h"
#include "host/chain/kmcall.h"
#include "host/service/route.h"
#include "host/service/signs.h"

#define ROUTE_PENDING 16
#define ROUTE_OFFERS 8 /* a request; several onboarders may answer at once */

/* A ciphertext that came over the relay, signed as an answer. */
struct route_offer {
	uint8_t hash[32];
	struct wr ct; /* empty: free entry */
};

/* A request of this host's guest that waits to be onboarded. */
struct route_pending {
	uint8_t id[32];
	uint64_t block;     /* of its register transaction */
	uint64_t pushed_ms; /* last time the relay took it; 0: never */
	uint64_t tried_ms;
	char *message; /* JSON text; NULL: free entry */
	struct route_offer offer[ROUTE_OFFERS];
	unsigned next_offer;
	uint8_t key[20]; /* that answers have to be signed by */
	bool key_known;
	bool looked; /* the onboarder's transaction has no ciphertext */
};

struct router {
	const struct host_config *cfg;
	struct rpc *rpc;
	struct collateral *collateral;
	struct source *source; /* NULL: this network's view is by RPC */
	struct birth *birth;
	struct signs *signs;
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

/* Decimal of at most 18 digits. */
bool route_decimal(const char *s, uint64_t *out);
void route_text(struct route_answer *a, unsigned status, const char *text);
void route_fail(
    struct route_answer *a, enum dstack_status st, const struct why *why);

void route_pending_clear(struct route_pending *p);

/* Log a failure, once until another comes; "" when all is well again. */
void route_say(struct router *r, const char *text);
void route_refused(struct router *r, struct route_answer *a,
    enum dstack_status st, const struct why *why);
/*
 * How long a guest that posts the same statement again and again is kept
 * waiting for its block: the same call waits on for the same transaction.
 */
#define ROUTE_MINED_MS 20000u
/*
 * Send and wait, wait_ms at most (0: a minute); names the contract's error
 * where it has one.
 */
DSTACK_CHECKED enum dstack_status route_transact(struct router *r,
    const char *what, const struct wr *call, unsigned wait_ms,
    struct rpc_receipt *receipt, struct why *why);
void route_tx(struct route_answer *a, const struct rpc_receipt *receipt);

/* /beacon/...: the parts behind the first, n of them (route_beacon.c). */
void route_beacon(struct router *r, char **arg, size_t n,
    const struct route_body *in, struct route_answer *a);
void route_bootstrap(
    struct router *r, const struct route_body *in, struct route_answer *a);
void route_register(
    struct router *r, const struct route_body *in, struct route_answer *a);
void route_sign(
    struct router *r, const struct route_body *in, struct route_answer *a);
void route_signs(struct router *r, struct route_answer *a);
void route_anchor(
    struct router *r, const struct route_body *in, struct route_answer *a);
void route_onboarded(
    struct router *r, const char *id, struct route_answer *a);
void route_bootstrap_quote(
    struct router *r, const char *epoch, struct route_answer *a);

#endif
