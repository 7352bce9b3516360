/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The collateral service of a host: QuoteCollateralV3 documents for guests
 * and for the operator's tools, from the simulator on a simulated network,
 * else from Intel's PCS or a PCCS (API version 4), cached in memory and on
 * disk. Peers get a node's collateral inside its messages.
 *
 * What comes from the service replaces what is cached only if it is checked
 * (host/collateral/entry.h), not past its dates, and not older: a service
 * that is dead, broken or turned back takes nothing away. A thread renews
 * what is cached long before it ends. The guest checks all of it again.
 *
 * Safe for several threads.
 */
#ifndef HOST_COLLATERAL_H
#define HOST_COLLATERAL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"
#include "base/wr.h"
#include "dstack/dcap.h"

/* All borrowed for the life of the service. */
struct collateral_options {
	bool sim;                /* the simulator's; nothing below counts */
	const char *url;         /* PCS or PCCS; NULL or "": Intel's */
	const char *ca_file;     /* PEM to trust instead; NULL or "": none */
	bool early;              /* ask for update=early */
	const char *cache_dir;   /* NULL: in memory alone */
	const uint8_t *root_key; /* 64 bytes; NULL: Intel's */
	bool background;         /* a thread renews what is cached */
	bool quiet;              /* a failure is the caller's to say */
	unsigned timeout_ms;     /* one collateral's fetch; 0: 20 s */
	unsigned fresh_s;        /* asked again after this; 0: 6 h */
	unsigned retry_ms;       /* first pause after a failure; 0: 1 s */
	unsigned retry_max_ms;   /* they double up to this; 0: 10 min */
	int64_t (*now_ms)(void *arg); /* Unix time; NULL: the clock */
	void *now_arg;
};

struct collateral;
/*
 * Takes up what the cache has. DSTACK_E_FORMAT: url is no base of API version
 * 4. DSTACK_E_MISSING: ca_file cannot be read. DSTACK_E_NOMEM, DSTACK_E_SYS:
 * no thread.
 */
DSTACK_CHECKED enum dstack_status collateral_new(
    const struct collateral_options *o, struct collateral **out,
    struct why *why);
void collateral_free(struct collateral *c);
/* Requests under way give up within a second; later ones at once. */
void collateral_stop(struct collateral *c);

/*
 * Append the document for fmspc (12 hex digits) under ca ("platform" or
 * "processor"). From the cache while that holds; else it is fetched, which
 * blocks for at most the timeout, and not at all while a pause after a
 * failure lasts. DSTACK_E_FORMAT: bad fmspc or ca. DSTACK_E_MISSING: nothing
 * that is valid is to be had; why says why not.
 */
DSTACK_CHECKED enum dstack_status collateral_get(struct collateral *c,
    enum dcap_tee tee, const char *fmspc, const char *ca, struct wr *out,
    struct why *why);

/*
 * Ask the service again for whatever is due. Milliseconds until something
 * will be, at most an hour. What the thread does; for callers without it.
 */
int64_t collateral_renew(struct collateral *c);

#endif
