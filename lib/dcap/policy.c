/* SPDX-License-Identifier: Apache-2.0 */
/* What an authentic quote must be besides: each rule refuses by default. */
#include <string.h>

#include "base/status.h"
#include "dstack/dcap.h"

static enum dstack_status
refuse(struct dcap_verdict *v)
{
	v->code = DCAP_POLICY;
	return why_wrap(&v->why, DSTACK_E_REJECTED, "policy");
}

#define REFUSE(v, ...) \
	((void)why_set(&(v)->why, DSTACK_E_REJECTED, __VA_ARGS__), refuse(v))

/*
 * Each flag by itself, so that the refusal names the first that is not allowed.
 */
static enum dstack_status
check_flags(struct dcap_verdict *v, uint32_t allow)
{
	uint32_t bad = v->policy_flags & ~allow;
	for (unsigned i = 0; i < DCAP_FLAGS; i++)
		if ((bad & 1u << i) != 0)
			return REFUSE(v, "%s", dcap_flag_text(i));
	return DSTACK_OK;
}

static enum dstack_status
check_floors(struct dcap_verdict *v, const struct dcap_policy *p)
{
	/* Zero is a policy that somebody forgot to fill in. */
	if (p->min_tcb_eval == 0 || p->min_root_crl == 0 ||
	    p->min_pck_crl == 0)
		return REFUSE(v, "a floor is not set");
	if (v->tcb_eval < p->min_tcb_eval)
		return REFUSE(v, "TCB evaluation data number %u is below %u",
		    v->tcb_eval, p->min_tcb_eval);
	if (v->tcb_date_s < p->min_tcb_date)
		return REFUSE(v, "TCB date %s is too old", v->tcb_date);
	if (v->root_crl_number < p->min_root_crl)
		return REFUSE(v, "root CA's CRL number %llu is below %llu",
		    (unsigned long long)v->root_crl_number,
		    (unsigned long long)p->min_root_crl);
	if (v->pck_crl_number < p->min_pck_crl)
		return REFUSE(v, "PCK CA's CRL number %llu is below %llu",
		    (unsigned long long)v->pck_crl_number,
		    (unsigned long long)p->min_pck_crl);
	return DSTACK_OK;
}

enum dstack_status
dcap_apply_policy(struct dcap_verdict *v, const struct dcap_policy *p)
{
	/* A quote that is not authentic has no properties to judge. */
	if (v->code != DCAP_OK)
		return DSTACK_E_REJECTED;
	if ((p->accept_tee & 1u << v->tee) == 0)
		return REFUSE(v, "this TEE is not accepted");
	/* Revoked cannot be accepted, whatever the mask says. */
	if (v->tcb_status == DCAP_TCB_NONE ||
	    v->tcb_status == DCAP_TCB_REVOKED_STATUS ||
	    (p->accept_status & DCAP_ACCEPT(v->tcb_status)) == 0)
		return REFUSE(v, "TCB status %s is not accepted",
		    dcap_tcb_status_text(v->tcb_status));
	enum dstack_status st = check_flags(v, p->allow_flags);
	if (st != DSTACK_OK)
		return st;
	if (v->tee == DCAP_TEE_TDX) {
		uint64_t xfam = 0;
		for (int i = 7; i >= 0; i--)
			xfam = xfam << 8 | v->xfam[i];
		/*
		 * CPU features of the TD that the policy's author had not in
		 * mind.
		 */
		if ((xfam & ~p->xfam_allow) != 0)
			return REFUSE(v, "XFAM bits %llx are not allowed",
			    (unsigned long long)(xfam & ~p->xfam_allow));
	}
	st = check_floors(v, p);
	if (st != DSTACK_OK)
		return st;
	for (unsigned i = 0; i < v->advisories; i++)
		for (size_t d = 0; d < p->deny_count; d++)
			if (strcmp(v->advisory[i], p->deny_advisories[d]) == 0)
				return REFUSE(v, "open advisory %s",
				    v->advisory[i]);
	return DSTACK_OK;
}

/*
 * Authenticity and policy in one call, for callers that want a yes or no: what
 * they must not leave out is refused where it is missing.
 */
enum dstack_status
dcap_verify(const void *quote, size_t len, const struct dcap_collateral *c,
    int64_t now, const struct dcap_policy *p, const uint8_t *report_data,
    struct dcap_verdict *v)
{
	memset(v, 0, sizeof(*v));
	if (p->root_key == NULL || report_data == NULL || c == NULL)
		return why_set(&v->why, DSTACK_E_REJECTED,
		    "no trust root, collateral or expected report_data given");
	enum dstack_status st = dcap_authenticate(
	    quote, len, c, now, p->root_key, report_data, v);
	return st == DSTACK_OK ? dcap_apply_policy(v, p) : st;
}
