/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Is this machine one that the contract lets in? Asked by the verifier role of
 * each newcomer, and by a newcomer of the bootstrapper's quote and of its own.
 *
 * policy_evidence judges what can be judged without the contract's lists, and
 * in this order: the collateral loads; the quote verifies against it, with the
 * epoch's floors and statuses as the contract has them; it is a TDX guest whose
 * MRCONFIGID is this network's netcfg and whose RTMR3 is that of a guest about
 * to join. Out comes what is left to compare: hash of the measurements, hash of
 * the platform, TCB status, advisories.
 *
 * policy_slots names the words of contract storage to prove for that, and
 * policy_listed reads the proven words: measurements must be listed, the
 * platform not denied (or listed, by the mode), the status accepted, each
 * advisory accepted. Every default is no. Two steps, since proofs come over the
 * network and lib/ does no I/O.
 */
#include "protocol/policy.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/own.h"
#include "base/secret.h"
#include "dstack/dcap.h"
#include "protocol/events.h"
#include "protocol/statements.h"

static void
own_collateral(struct dcap_collateral **c)
{
	dcap_collateral_free(*c);
}
#define AUTO_COLLATERAL OWN_CLEANUP(own_collateral)

/* Statuses of the contract are those of the verifier, one lower. */
static uint32_t
accepted(uint32_t mask)
{
	uint32_t out = 0;
	for (uint32_t i = 0; i < KM_TCB_COUNT; i++) {
		if ((mask >> i & 1) != 0)
			out |= DCAP_ACCEPT(DCAP_TCB_UP_TO_DATE + i);
	}
	return out;
}

static uint32_t
at_least_one(uint32_t v)
{
	return v != 0 ? v : 1; /* 0 would be no floor: the verifier refuses */
}

static enum dstack_status
measured(const struct dcap_verdict *v, const uint8_t netcfg_sha384[static 48],
    struct why *why)
{
	uint8_t rtmr3[48];
	if (v->tee != DCAP_TEE_TDX)
		return why_set(why, DSTACK_E_REJECTED, "the quote is not of TDX");
	/*
	 * The host starts the VM and could give it the netcfg of a network it
	 * owns; the register tells.
	 */
	if (!ct_equal(v->mr_config_id, netcfg_sha384, 48))
		return why_set(why, DSTACK_E_REJECTED,
		    "MRCONFIGID is not the hash of this network's netcfg");
	/*
	 * Our launcher leaves both zero, and the list of measurements does not
	 * cover them: nobody gets to say something by them.
	 */
	if (!ct_is_zero(v->mr_owner, 48) || !ct_is_zero(v->mr_owner_config, 48))
		return why_set(why, DSTACK_E_REJECTED,
		    "MROWNER or MROWNERCONFIG is set");
	event_join_rtmr3(netcfg_sha384, rtmr3);
	if (!ct_equal(v->rtmr[3], rtmr3, 48))
		return why_set(why, DSTACK_E_REJECTED,
		    "RTMR3 is not that of a guest about to join: it has run "
		    "an app, or other events");
	return DSTACK_OK;
}

static enum dstack_status
fill(const struct dcap_verdict *v, struct policy_evidence *e, struct why *why)
{
	if (v->tcb_status < DCAP_TCB_UP_TO_DATE ||
	    v->tcb_status > DCAP_TCB_OUT_OF_DATE_CONFIGURATION_NEEDED)
		return why_set(why, DSTACK_E_REJECTED, "TCB status %s",
		    dcap_tcb_status_text(v->tcb_status));
	/*
	 * The contract counts statuses from 0, without the verifier's
	 * "unknown".
	 */
	e->tcb_status = (uint8_t)(v->tcb_status - DCAP_TCB_UP_TO_DATE);
	stmt_tuple_hash(v->mr_td, v->rtmr, v->mr_config_id, e->tuple_hash);
	stmt_platform_hash(v->ppid, v->fmspc, e->platform_hash);
	/* an up-to-date platform may name advisories that it has mended */
	if (v->tcb_status == DCAP_TCB_UP_TO_DATE)
		return DSTACK_OK;
	if (v->advisories > POLICY_MAX_ADVISORIES)
		return why_set(why, DSTACK_E_REJECTED, "%u advisories",
		    v->advisories);
	for (unsigned i = 0; i < v->advisories; i++)
		(void)snprintf(e->advisory[i], POLICY_ADVISORY_LEN, "%s",
		    v->advisory[i]);
	e->advisories = v->advisories;
	return DSTACK_OK;
}

enum dstack_status
policy_evidence(const void *quote, size_t len, const void *collateral,
    size_t collateral_len, int64_t now, const uint8_t root_key[static 64],
    const struct state_policy *policy, const uint8_t report_data[static 64],
    const uint8_t netcfg_sha384[static 48], struct policy_evidence *out,
    struct why *why)
{
	AUTO_COLLATERAL struct dcap_collateral *c = NULL;
	AUTO_FREE struct dcap_verdict *v = calloc(1, sizeof(*v));
	enum dcap_code code = DCAP_REFUSED;
	struct policy_evidence e;
	/*
	 * Debuggable guests and unknown attributes stay refused: only what is
	 * named here is allowed beyond the verifier's own minimum.
	 */
	const struct dcap_policy p = {
		.root_key = root_key,
		.accept_tee = 1u << DCAP_TEE_TDX,
		.accept_status = accepted(policy->tcb_mask),
		.allow_flags = DCAP_FLAG_TD_PKS | DCAP_FLAG_TD_KEY_LOCKER,
		.xfam_allow = DCAP_XFAM_LINUX,
		.min_tcb_eval = at_least_one(policy->min_tcb_eval),
		.min_root_crl = at_least_one(policy->min_root_crl),
		.min_pck_crl = at_least_one(policy->min_pck_crl),
	};

	if (v == NULL)
		return DSTACK_E_NOMEM;
	memset(&e, 0, sizeof(e));
	enum dstack_status st =
	    dcap_collateral_load(collateral, collateral_len, &c, &code, why);
	if (st != DSTACK_OK)
		return why_wrap(why, st, "collateral");
	st = dcap_verify(quote, len, c, now, &p, report_data, v);
	if (st != DSTACK_OK)
		return why_set(why, st, "quote: %s: %s", dcap_code_text(v->code),
		    v->why.text);
	if ((st = measured(v, netcfg_sha384, why)) != DSTACK_OK ||
	    (st = fill(v, &e, why)) != DSTACK_OK)
		return st;
	*out = e;
	return DSTACK_OK;
}

size_t
policy_slots(
    const struct policy_evidence *e, uint64_t epoch, uint8_t (*slots)[32])
{
	size_t n = 2;
	/*
	 * Order of slots and of policy_listed's words: one contract between the
	 * two.
	 */
	state_tuple_slot(epoch, e->tuple_hash, slots[0]);
	state_platform_slot(e->platform_hash, slots[1]);
	for (uint32_t i = 0; i < e->advisories; i++)
		state_advisory_slot(epoch, e->advisory[i], slots[n++]);
	return n;
}

enum dstack_status
policy_listed(const struct policy_evidence *e,
    const struct state_policy *policy, const uint8_t (*words)[32],
    struct why *why)
{
	if (state_listed(words[0]) != KM_LISTED_ALLOWED)
		return why_set(why, DSTACK_E_REJECTED,
		    "the measurements are not on the contract's list: another "
		    "image, VM shape or netcfg");
	enum km_listed platform = state_listed(words[1]);
	bool ok = false;
	switch (policy->platform_mode) {
	case KM_PLATFORM_ALLOW:
		ok = platform == KM_LISTED_ALLOWED;
		break;
	case KM_PLATFORM_DENY:
	case KM_PLATFORM_OPEN:
		ok = platform != KM_LISTED_DENIED;
		break;
	default:
		break; /* a mode we do not know lets nobody in */
	}
	if (!ok)
		return why_set(why, DSTACK_E_REJECTED,
		    "the platform is not allowed by the contract");
	if ((policy->tcb_mask >> e->tcb_status & 1) == 0)
		return why_set(why, DSTACK_E_REJECTED,
		    "the platform's TCB status is not accepted");
	for (uint32_t i = 0; i < e->advisories; i++) {
		if (state_listed(words[2 + i]) != KM_LISTED_ALLOWED)
			return why_set(why, DSTACK_E_REJECTED,
			    "advisory %s is not accepted by the contract",
			    e->advisory[i]);
	}
	return DSTACK_OK;
}
