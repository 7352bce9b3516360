/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Quote collateral for guests: from the simulator on a simulated network,
 * else from Intel's PCS or a PCCS (API version 4) with a cache on disk. The
 * guest checks every signature in it; the host only carries it.
 */
#ifndef HOST_COLLATERAL_H
#define HOST_COLLATERAL_H

#include <stdbool.h>

#include "base/status.h"
#include "base/wr.h"

struct collateral_source {
	bool sim;
	const char *url;       /* PCS or PCCS; borrowed */
	const char *cache_dir; /* NULL: none; borrowed */
	unsigned fresh_s;      /* a cached answer is used this long; 0: 1 h */
};

/*
 * Append QuoteCollateralV3 JSON for fmspc (12 hex digits, as text) under ca
 * ("platform" or "processor"). An answer that cannot be renewed because the
 * service is away is used while it is cached. DSTACK_E_FORMAT: bad fmspc or
 * ca. DSTACK_E_MISSING: the service does not answer and nothing is cached.
 */
DSTACK_CHECKED enum dstack_status collateral_get(
    const struct collateral_source *s, const char *fmspc, const char *ca,
    struct wr *out, struct why *why);

#endif
