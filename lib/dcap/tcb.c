/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The TCB status of a platform: levels of TCB info, of the TDX module and of
 * the quoting enclave, and what they make together (QVL 4.1.2.5.1.19 and 20). A
 * TD of TDX 1.5 has two sets of SVNs, at launch and now, and is judged by both.
 * Whatever is below every known level is not "out of date" but unsupported,
 * which is a refusal; so is Revoked anywhere. Advisories and the oldest date of
 * all levels that took part are collected, for policies that look at them.
 */
#include "dcap/tcb.h"

#include <stdio.h>
#include <string.h>

#include "base/secret.h"

/* One pass over the levels, for one set of TDX SVNs. */
struct pass {
	const struct level_result *platform;
	const struct level_result *module; /* NULL: no identity is used */
	enum dcap_tcb_status status;       /* converged */
};

static enum dcap_code
no(struct dcap_verdict *v, enum dcap_code code, const char *text)
{
	(void)why_set(&v->why, DSTACK_E_REJECTED, "%s", text);
	return code;
}

static bool
reaches(const uint8_t *have, const uint8_t *need, size_t from, size_t to)
{
	for (size_t i = from; i < to; i++)
		if (have[i] < need[i])
			return false;
	return true;
}

/*
 * The first level, in the document's order, that every SVN reaches. svn: the
 * TD's tee_tcb_svn, NULL for SGX. Its first two are the module's own when
 * the module has an identity (svn[1] > 0), and are compared there.
 */
static const struct level_result *
platform_level(const struct tcb_info *t, const struct pck_ext *pck,
    const uint8_t *svn)
{
	for (size_t i = 0; i < t->levels; i++) {
		const struct tcb_level *l = &t->level[i];
		if (reaches(pck->svn, l->sgx, 0, 16) &&
		    pck->pcesvn >= l->pcesvn &&
		    (svn == NULL ||
			reaches(svn, l->tdx, svn[1] > 0 ? 2 : 0, 16)))
			return &l->result;
	}
	return NULL;
}

static const struct tdx_module *
find_module(const struct tcb_info *t, uint8_t version)
{
	for (size_t i = 0; i < t->modules; i++)
		if (t->module[i].version == version)
			return &t->module[i];
	return NULL;
}

static bool
module_is(const struct tdx_module *m, const struct dcap_td_report *td)
{
	for (size_t i = 0; i < 8; i++)
		if ((td->seamattributes[i] & m->mask[i]) != m->attributes[i])
			return false;
	return ct_equal(td->mrsignerseam, m->mrsigner, 48) &&
	    /* Besides the mask: no module of today has an attribute set. */
	    ct_is_zero(td->seamattributes, 8);
}

static enum dcap_code
module_level(const struct tcb_info *t, const struct dcap_td_report *td,
    const uint8_t *svn, struct pass *p, struct dcap_verdict *v)
{
	/*
	 * Version 0: the module from before modules had identities of their
	 * own.
	 */
	const struct tdx_module *m = &t->base;
	if (svn[1] > 0) {
		m = find_module(t, svn[1]);
		if (m == NULL)
			return no(v, DCAP_TDX_MODULE_MISMATCH,
			    "TCB info has no identity for this TDX module");
	}
	if (!module_is(m, td))
		return no(v, DCAP_TDX_MODULE_MISMATCH,
		    "MRSIGNERSEAM or SEAMATTRIBUTES is not the module's");
	/* Then platform_level compares all sixteen, module included. */
	if (svn[1] == 0)
		return DCAP_OK;
	p->module = svn_levels_find(&m->levels, svn[0]);
	if (p->module == NULL)
		return no(v, DCAP_TCB_NOT_SUPPORTED,
		    "the TDX module is older than every known level");
	return DCAP_OK;
}

/* Let a component's status weigh on the platform's (QVL 4.1.2.5.1.19). */
static enum dcap_tcb_status
converge(enum dcap_tcb_status platform, const struct level_result *component)
{
	if (component == NULL)
		return platform;
	if (component->status == DCAP_TCB_REVOKED_STATUS)
		return DCAP_TCB_REVOKED_STATUS;
	if (component->status != DCAP_TCB_OUT_OF_DATE)
		return platform;
	if (platform == DCAP_TCB_UP_TO_DATE ||
	    platform == DCAP_TCB_SW_HARDENING_NEEDED)
		return DCAP_TCB_OUT_OF_DATE;
	if (platform == DCAP_TCB_CONFIGURATION_NEEDED ||
	    platform == DCAP_TCB_CONFIGURATION_AND_SW_HARDENING_NEEDED)
		return DCAP_TCB_OUT_OF_DATE_CONFIGURATION_NEEDED;
	return platform;
}

static bool
out_of_date(enum dcap_tcb_status s)
{
	return s == DCAP_TCB_OUT_OF_DATE ||
	    s == DCAP_TCB_OUT_OF_DATE_CONFIGURATION_NEEDED;
}

static bool
configuration(enum dcap_tcb_status s)
{
	return s == DCAP_TCB_CONFIGURATION_NEEDED ||
	    s == DCAP_TCB_CONFIGURATION_AND_SW_HARDENING_NEEDED ||
	    s == DCAP_TCB_OUT_OF_DATE_CONFIGURATION_NEEDED;
}

/* Status of a TD by its module at launch and now (QVL 4.1.2.5.1.20). */
static enum dcap_tcb_status
relaunch(enum dcap_tcb_status launch, enum dcap_tcb_status now)
{
	if (launch == DCAP_TCB_REVOKED_STATUS || now == DCAP_TCB_REVOKED_STATUS)
		return DCAP_TCB_REVOKED_STATUS;
	if (!out_of_date(launch)) /* the worse of the two */
		return out_of_date(now) ? now : launch;
	if (out_of_date(now))
		return configuration(now) ? now : launch;
	return configuration(launch) || configuration(now)
	    ? DCAP_TCB_TD_RELAUNCH_ADVISED_CONFIGURATION_NEEDED
	    : DCAP_TCB_TD_RELAUNCH_ADVISED;
}

/* Each once, though several levels may name it. */
static bool
add_advisory(struct dcap_verdict *v, const char *name)
{
	for (unsigned i = 0; i < v->advisories; i++)
		if (strcmp(v->advisory[i], name) == 0)
			return true;
	/* A verdict that left some out would pass a policy that denies them. */
	if (v->advisories == DCAP_MAX_ADVISORIES)
		return false;
	memcpy(v->advisory[v->advisories++], name, DCAP_ADVISORY_LEN);
	return true;
}

/* Advisories and date of one level that took part. */
static bool
add_level(struct dcap_verdict *v, const struct advisory_pool *pool,
    const struct level_result *l)
{
	if (l == NULL)
		return true;
	for (size_t i = 0; i < l->count; i++)
		if (!add_advisory(v, pool->name[l->first + i]))
			return false;
	/* The oldest: a chain is as current as its oldest part. */
	if (v->tcb_date[0] == '\0' || l->date < v->tcb_date_s) {
		memcpy(v->tcb_date, l->date_text, DCAP_DATE_LEN);
		v->tcb_date_s = l->date;
	}
	return true;
}

/*
 * Module first, since a module without an identity makes its SVN meaningless.
 */
static enum dcap_code
one_pass(const struct dcap_collateral *c, const struct dcap_quote *q,
    const struct pck_ext *pck, const struct level_result *qe,
    const uint8_t *svn, struct pass *p, struct dcap_verdict *v)
{
	p->module = NULL;
	if (svn != NULL) {
		enum dcap_code code = module_level(&c->tcb, &q->td, svn, p, v);
		if (code != DCAP_OK)
			return code;
	}
	p->platform = platform_level(&c->tcb, pck, svn);
	if (p->platform == NULL)
		return no(v, DCAP_TCB_NOT_SUPPORTED,
		    "the platform's SVNs reach no level of the TCB info");
	p->status = converge(p->platform->status, qe);
	p->status = converge(p->status, p->module);
	if (!add_level(v, &c->tcb.pool, p->platform) ||
	    !add_level(v, &c->qe.pool, qe) ||
	    !add_level(v, &c->tcb.pool, p->module))
		return no(v, DCAP_MALFORMED_COLLATERAL,
		    "more advisories than a verdict holds");
	return DCAP_OK;
}

enum dcap_code
tcb_evaluate(const struct dcap_collateral *c, const struct dcap_quote *q,
    const struct pck_ext *pck, struct dcap_verdict *v)
{
	const struct level_result *qe =
	    svn_levels_find(&c->qe.levels, q->qe.isvsvn);
	if (qe == NULL)
		return no(v, DCAP_TCB_NOT_SUPPORTED,
		    "the quoting enclave is older than every known level");
	bool tdx = q->body != DCAP_BODY_SGX;
	struct pass p;
	enum dcap_code code = one_pass(
	    c, q, pck, qe, tdx ? q->td.tee_tcb_svn : NULL, &p, v);
	if (code != DCAP_OK)
		return code;
	v->qe_status = qe->status;
	v->platform_status = p.platform->status;
	v->module_status = p.module != NULL ? p.module->status : DCAP_TCB_NONE;
	if (p.module != NULL)
		(void)snprintf(v->module_id, sizeof(v->module_id), "TDX_%02X",
		    q->td.tee_tcb_svn[1]);
	v->tcb_status = p.status;
	if (tdx && q->td.tee_tcb_svn2 != NULL) {
		struct pass p2;
		code = one_pass(c, q, pck, qe, q->td.tee_tcb_svn2, &p2, v);
		if (code != DCAP_OK)
			return code;
		v->tcb_status = relaunch(p.status, p2.status);
	}
	if (v->tcb_status == DCAP_TCB_REVOKED_STATUS)
		return no(v, DCAP_TCB_REVOKED,
		    "the TCB level of platform, module or enclave is Revoked");
	return DCAP_OK;
}
