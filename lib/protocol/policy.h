/* SPDX-License-Identifier: Apache-2.0 */
/*
 * May this quote join? The two pure halves of the decision (PROTOCOL.md
 * section 5): what the quote and its collateral say by themselves, and what
 * the contract's proven lists say of that. Whoever reads the chain is in
 * between (guest/verifier/judge.h).
 */
#ifndef PROTOCOL_POLICY_H
#define PROTOCOL_POLICY_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "protocol/state.h"

#define POLICY_MAX_ADVISORIES 32
#define POLICY_ADVISORY_LEN 24

/* Zeroed: nothing was judged. */
struct policy_evidence {
	uint8_t tuple_hash[32];    /* of the five measurements */
	uint8_t platform_hash[32];
	uint8_t tcb_status;        /* enum km_tcb_status */
	uint32_t advisories;       /* that must be on the contract's list */
	char advisory[POLICY_MAX_ADVISORIES][POLICY_ADVISORY_LEN];
};

/*
 * quote under collateral (QuoteCollateralV3 JSON) at chain time now (seconds):
 * genuine under root_key, TDX, accepted by the epoch's policy word, exactly
 * report_data, MRCONFIGID = netcfg's SHA-384, no owner, and RTMR3 of a guest
 * that has run nothing yet. out is written on DSTACK_OK alone.
 * DSTACK_E_REJECTED otherwise, whatever the reason.
 */
DSTACK_CHECKED enum dstack_status policy_evidence(const void *quote, size_t len,
    const void *collateral, size_t collateral_len, int64_t now,
    const uint8_t root_key[static 64], const struct state_policy *policy,
    const uint8_t report_data[static 64],
    const uint8_t netcfg_sha384[static 48], struct policy_evidence *out,
    struct why *why);

/*
 * Slots to prove for that evidence: tuple, platform, then each advisory.
 * Returns their number, at most POLICY_MAX_SLOTS.
 */
#define POLICY_MAX_SLOTS (2 + POLICY_MAX_ADVISORIES)
size_t policy_slots(
    const struct policy_evidence *e, uint64_t epoch, uint8_t (*slots)[32]);

/* The contract's word on it; words are the proven values of policy_slots. */
DSTACK_CHECKED enum dstack_status policy_listed(
    const struct policy_evidence *e, const struct state_policy *policy,
    const uint8_t (*words)[32], struct why *why);

#endif
