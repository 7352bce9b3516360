/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Verbs of dstack contract that change who governs, and by what floors. Floors
 * only rise, by at most 64 in one call, and a pauser only stops: what is done
 * here by mistake is bounded by the contract, and what is said here before is
 * said so that nobody pays to find out.
 */
#include "cli/contract/contract.h"

#include "protocol/layout.h"

/* What is not named stays as it is; the contract refuses what would fall. */
enum dstack_status
verb_raise_floors(struct gov *g, struct contract_args *a, struct why *why)
{
	struct state_epoch now;
	enum dstack_status st = contract_last_epoch(g, a, false, why);

	if (st == DSTACK_OK)
		st = gov_read_epoch(g, a->epoch, &now, why);
	if (st != DSTACK_OK)
		return st;
	struct abi_enc e = abi_begin(KM_FN_RAISE_FLOORS);
	abi_u64(&e, a->epoch);
	/* The call takes all four: what is not to change is sent as it is. */
	abi_u64(&e, GIVEN(a, O_TCB) ? a->policy.tcb_mask : now.policy.tcb_mask);
	abi_u64(&e, GIVEN(a, O_EVAL) ? a->policy.min_tcb_eval
						: now.policy.min_tcb_eval);
	abi_u64(&e, GIVEN(a, O_ROOT) ? a->policy.min_root_crl
						: now.policy.min_root_crl);
	abi_u64(&e, GIVEN(a, O_PCK) ? a->policy.min_pck_crl
					       : now.policy.min_pck_crl);
	return contract_send(g, &e, a, why);
}

/*
 * Who is named gets no say in it: that an address is somebody's is for the
 * owner to know. Ownership is handed over in two steps for that reason.
 */
static enum dstack_status
of_address(struct gov *g, struct contract_args *a, const char *function,
    struct why *why)
{
	struct abi_enc e = abi_begin(function);
	abi_addr(&e, a->who);
	return contract_send(g, &e, a, why);
}

enum dstack_status
verb_set_pauser(struct gov *g, struct contract_args *a, struct why *why)
{
	return of_address(g, a, KM_FN_SET_PAUSER, why);
}

enum dstack_status
verb_transfer_ownership(
    struct gov *g, struct contract_args *a, struct why *why)
{
	return of_address(g, a, KM_FN_TRANSFER_OWNERSHIP, why);
}

enum dstack_status
verb_accept_ownership(struct gov *g, struct contract_args *a, struct why *why)
{
	struct abi_enc e = abi_begin(KM_FN_ACCEPT_OWNERSHIP);

	return contract_send(g, &e, a, why);
}

/* Anyone's: the record of a request that ran out long ago. */
enum dstack_status
verb_purge(struct gov *g, struct contract_args *a, struct why *why)
{
	struct abi_enc e = abi_begin(KM_FN_PURGE);
	/* the contract takes a list; a person has one */
	abi_words(&e, a->hash, 1);
	return contract_send(g, &e, a, why);
}
