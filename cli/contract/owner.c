/* SPDX-License-Identifier: Apache-2.0 */
/* Verbs of dstack contract that change who governs, and by what floors. */
#include "cli/contract/contract.h"

#include <string.h>

#include "base/hex.h"
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
	if (!a->has_tcb && a->policy.min_tcb_eval == 0 &&
	    a->policy.min_root_crl == 0 && a->policy.min_pck_crl == 0)
		return why_set(why, DSTACK_E_MISSING,
		    "which? --tcb NAME,... --min-eval N --min-root-crl N "
		    "--min-pck-crl N");
	struct abi_enc e = abi_begin(KM_FN_RAISE_FLOORS);
	abi_u64(&e, a->epoch);
	abi_u64(&e, a->has_tcb ? a->policy.tcb_mask : now.policy.tcb_mask);
	abi_u64(&e, a->policy.min_tcb_eval != 0 ? a->policy.min_tcb_eval
						: now.policy.min_tcb_eval);
	abi_u64(&e, a->policy.min_root_crl != 0 ? a->policy.min_root_crl
						: now.policy.min_root_crl);
	abi_u64(&e, a->policy.min_pck_crl != 0 ? a->policy.min_pck_crl
					       : now.policy.min_pck_crl);
	return contract_send(g, &e, a, why);
}

static enum dstack_status
of_address(struct gov *g, struct contract_args *a, const char *function,
    struct why *why)
{
	uint8_t who[20];

	if (hex_decode(a->word[0], strlen(a->word[0]), who, sizeof(who)) !=
	    DSTACK_OK)
		return why_set(why, DSTACK_E_FORMAT,
		    "'%s' is not an address of 40 hex digits", a->word[0]);
	struct abi_enc e = abi_begin(function);
	abi_addr(&e, who);
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
	uint8_t id[32];

	if (hex_decode(a->word[0], strlen(a->word[0]), id, sizeof(id)) !=
	    DSTACK_OK)
		return why_set(why, DSTACK_E_FORMAT,
		    "'%s' is not a request id of 64 hex digits", a->word[0]);
	struct abi_enc e = abi_begin(KM_FN_PURGE);
	abi_words(&e, id, 1);
	return contract_send(g, &e, a, why);
}
