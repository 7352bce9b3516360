/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The whole decision on a quote, with the chain's part: used by verifier for
 * newcomers and by replicatoor for the quote its network was born with.
 */
#ifndef GUEST_JUDGE_H
#define GUEST_JUDGE_H

#include "guest/chain/chain.h"
#include "protocol/messages.h"
#include "protocol/policy.h"

/*
 * Does ev satisfy the epoch's policy, with exactly report_data? Time is that
 * of head (a proven header's). DSTACK_E_REJECTED: no. DSTACK_E_MISSING,
 * DSTACK_E_FORMAT: the chain could not be read (guest/chain/chain.h).
 */
DSTACK_CHECKED enum dstack_status judge_quote(struct chain *c, uint64_t epoch,
    const struct state_epoch *record, const struct chain_head *head,
    const struct msg_evidence *ev, const uint8_t report_data[static 64],
    const uint8_t netcfg_sha384[static 48], struct policy_evidence *out,
    struct why *why);

#endif
