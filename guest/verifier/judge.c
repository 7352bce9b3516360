/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One quote against the contract's policy, with the chain in between: the pure
 * half says what the quote is and which words of storage decide
 * (protocol/policy.h), the words are proven, the second half reads them. Time
 * is the newest proven block's, since the guest's clock is the host's. Used for
 * newcomers by the verifier, and by replicatoor for the bootstrapper's quote
 * and its own.
 */
#include "guest/verifier/judge.h"

#include "guest/base/flavour.h"

enum dstack_status
judge_quote(struct chain *c, uint64_t epoch, const struct state_epoch *record,
    const struct chain_head *head, const struct msg_evidence *ev,
    const uint8_t report_data[static 64],
    const uint8_t netcfg_sha384[static 48], struct policy_evidence *out,
    struct why *why)
{
	struct policy_evidence e;
	uint8_t slots[POLICY_MAX_SLOTS][32], words[POLICY_MAX_SLOTS][32];
	enum dstack_status st = policy_evidence(ev->quote.buf, ev->quote.len,
	    ev->collateral.buf, ev->collateral.len, (int64_t)head->timestamp,
	    dstack_flavour.root->key, &record->policy, report_data,
	    netcfg_sha384, &e, why);
	if (st != DSTACK_OK)
		/*
		 * Whatever the reason: quote and collateral are one sender's,
		 * and will not get better.
		 */
		return DSTACK_E_REJECTED;
	size_t n = policy_slots(&e, epoch, slots);
	st = chain_read(
	    c, (const uint8_t (*)[32])slots, n, words, NULL, why);
	/*
	 * Here it is our view that failed, which says nothing of the quote: the
	 * status goes up as it is.
	 */
	if (st != DSTACK_OK)
		return st;
	st = policy_listed(
	    &e, &record->policy, (const uint8_t (*)[32])words, why);
	if (st == DSTACK_OK)
		*out = e;
	return st;
}
