/* SPDX-License-Identifier: Apache-2.0 */
/* From a quote's bytes to a verdict: the steps in order, fail closed. */
#include <string.h>

#include "base/secret.h"
#include "dcap/chain.h"
#include "dcap/digest.h"
#include "dcap/pem.h"
#include "dcap/tcb.h"

/*
 * "Intel SGX Root CA", subject public key of IntelSGXRootCA.der (serial
 * 22650cd65a9d3489f383b49552bf501b392706ac, 2018 to 2049).
 */
const uint8_t dcap_intel_root[64] = { 0x0b, 0xa9, 0xc4, 0xc0, 0xc0, 0xc8, 0x61,
	0x93, 0xa3, 0xfe, 0x23, 0xd6, 0xb0, 0x2c, 0xda, 0x10, 0xa8, 0xbb, 0xd4,
	0xe8, 0x8e, 0x48, 0xb4, 0x45, 0x85, 0x61, 0xa3, 0x6e, 0x70, 0x55, 0x25,
	0xf5, 0x67, 0x91, 0x8e, 0x2e, 0xdc, 0x88, 0xe4, 0x0d, 0x86, 0x0b, 0xd0,
	0xcc, 0x4e, 0xe2, 0x6a, 0xac, 0xc9, 0x88, 0xe5, 0x05, 0xa9, 0x53, 0x55,
	0x8c, 0x45, 0x3f, 0x6b, 0x09, 0x04, 0xae, 0x73, 0x94 };

static enum dcap_code
no(struct dcap_verdict *v, enum dcap_code code, const char *text)
{
	(void)why_set(&v->why, DSTACK_E_REJECTED, "%s", text);
	return code;
}

#define FLAG(v, cond, bit) ((v)->policy_flags |= (cond) ? (bit) : 0u)

/* TD attributes, little-endian: Intel TDX module ABI, TD_ATTRIBUTES. */
static void
td_flags(const struct dcap_td_report *t, struct dcap_verdict *v)
{
	uint64_t a = 0;
	for (int i = 7; i >= 0; i--)
		a = a << 8 | t->tdattributes[i];
	/*
	 * Bits 0 to 7 are the TD-under-debug byte; 28 to 31 and 63 have names;
	 * all others are reserved today.
	 */
	const uint64_t named = UINT64_C(0xff) | UINT64_C(1) << 28 |
	    UINT64_C(1) << 29 | UINT64_C(1) << 30 | UINT64_C(1) << 31 |
	    UINT64_C(1) << 63;
	FLAG(v, (a & 1) != 0, DCAP_FLAG_TD_DEBUG);
	FLAG(v, (a & 0xfe) != 0, DCAP_FLAG_TD_TUD_RESERVED);
	FLAG(v, (a >> 28 & 1) == 0, DCAP_FLAG_SEPT_VE_DISABLE_NOT_SET);
	FLAG(v, (a >> 29 & 1) != 0, DCAP_FLAG_TD_MIGRATABLE);
	FLAG(v, (a >> 30 & 1) != 0, DCAP_FLAG_TD_PKS);
	FLAG(v, (a >> 31 & 1) != 0, DCAP_FLAG_TD_KEY_LOCKER);
	FLAG(v, (a >> 63 & 1) != 0, DCAP_FLAG_TD_PERFMON);
	FLAG(v, (a & ~named) != 0, DCAP_FLAG_TD_RESERVED_ATTRIBUTES);
	if (t->mrservicetd != NULL)
		FLAG(v, !ct_is_zero(t->mrservicetd, 48),
		    DCAP_FLAG_MR_SERVICE_TD_NONZERO);
	if (t->tee_tcb_svn2 != NULL)
		FLAG(v, !ct_equal(t->tee_tcb_svn, t->tee_tcb_svn2, 16),
		    DCAP_FLAG_TEE_TCB_SVN2_DIFFERS);
}

static void
fill_td(const struct dcap_td_report *t, struct dcap_verdict *v)
{
	memcpy(v->tee_tcb_svn, t->tee_tcb_svn, 16);
	memcpy(v->mr_seam, t->mrseam, 48);
	memcpy(v->mr_signer_seam, t->mrsignerseam, 48);
	memcpy(v->seam_attributes, t->seamattributes, 8);
	memcpy(v->td_attributes, t->tdattributes, 8);
	memcpy(v->xfam, t->xfam, 8);
	memcpy(v->mr_td, t->mrtd, 48);
	memcpy(v->mr_config_id, t->mrconfigid, 48);
	memcpy(v->mr_owner, t->mrowner, 48);
	memcpy(v->mr_owner_config, t->mrownerconfig, 48);
	for (int i = 0; i < 4; i++)
		memcpy(v->rtmr[i], t->rtmr[i], 48);
	if (t->tee_tcb_svn2 != NULL)
		memcpy(v->tee_tcb_svn2, t->tee_tcb_svn2, 16);
	if (t->mrservicetd != NULL)
		memcpy(v->mr_service_td, t->mrservicetd, 48);
	td_flags(t, v);
}

static void
fill_quote(const struct dcap_quote *q, struct dcap_verdict *v)
{
	v->tee = q->tee;
	v->body = q->body;
	v->version = q->version;
	v->trailing = q->trailing;
	memcpy(v->report_data, q->report_data, 64);
	memcpy(v->user_data, q->user_data, 20);
	v->cert_data_type = q->cert_type;
	memcpy(v->qe_cpusvn, q->qe.cpusvn, 16);
	memcpy(v->qe_miscselect, q->qe.miscselect, 4);
	memcpy(v->qe_attributes, q->qe.attributes, 16);
	memcpy(v->qe_mr_enclave, q->qe.mrenclave, 32);
	memcpy(v->qe_mr_signer, q->qe.mrsigner, 32);
	v->qe_isv_prod_id = q->qe.isvprodid;
	v->qe_isv_svn = q->qe.isvsvn;
	FLAG(v, !q->reserved_zero, DCAP_FLAG_RESERVED_NONZERO);
	if (q->body != DCAP_BODY_SGX) {
		fill_td(&q->td, v);
		return;
	}
	memcpy(v->sgx_cpusvn, q->sgx.cpusvn, 16);
	memcpy(v->sgx_attributes, q->sgx.attributes, 16);
	memcpy(v->mr_enclave, q->sgx.mrenclave, 32);
	memcpy(v->mr_signer, q->sgx.mrsigner, 32);
	v->isv_prod_id = q->sgx.isvprodid;
	v->isv_svn = q->sgx.isvsvn;
	FLAG(v, (q->sgx.attributes[0] & 2) != 0, DCAP_FLAG_SGX_DEBUG);
	FLAG(v, !q->sgx.reserved_zero, DCAP_FLAG_RESERVED_NONZERO);
}

static void
fill_pck(const struct pck_chain *p, struct dcap_verdict *v)
{
	memcpy(v->fmspc, p->ext.fmspc, 6);
	memcpy(v->ppid, p->ext.ppid, 16);
	memcpy(v->pceid, p->ext.pceid, 2);
	memcpy(v->cpusvn, p->ext.cpusvn, 16);
	v->pcesvn = p->ext.pcesvn;
	v->has_platform_instance =
	    p->ext.has_instance ? DCAP_TRUE : DCAP_ABSENT;
	memcpy(v->platform_instance_id, p->ext.instance, 16);
	v->dynamic_platform = p->ext.dynamic_platform;
	v->cached_keys = p->ext.cached_keys;
	v->smt_enabled = p->ext.smt_enabled;
	v->platform_ca = p->platform_ca;
}

/* Are TCB info and QE identity those of this kind of quote and platform? */
static enum dcap_code
documents_fit(const struct dcap_collateral *c, const struct dcap_quote *q,
    const struct pck_ext *e, struct dcap_verdict *v)
{
	/*
	 * Signed and current is not enough: a good document of another platform
	 * says nothing of this one.
	 */
	if (c->tcb.tee != q->tee)
		return no(v, DCAP_TCB_INFO_MISMATCH,
		    "tcb_info is of the other TEE (TDX, SGX)");
	if (!ct_equal(c->tcb.fmspc, e->fmspc, 6))
		return no(v, DCAP_TCB_INFO_MISMATCH,
		    "tcb_info is of another FMSPC than the PCK certificate");
	if (!ct_equal(c->tcb.pceid, e->pceid, 2))
		return no(v, DCAP_TCB_INFO_MISMATCH,
		    "tcb_info is of another PCE id than the PCK certificate");
	if (c->qe.tee != q->tee)
		return no(v, DCAP_QE_IDENTITY_MISMATCH,
		    "qe_identity is of the other TEE (TD_QE, QE)");
	return DCAP_OK;
}

/* PCK key -> QE report -> attestation key -> quote (QVL 4.1.2.5.13-17). */
static enum dcap_code
quote_signatures(const struct dcap_quote *q, const struct pck_chain *p,
    const p256_key *like, struct dcap_verdict *v)
{
	AUTO_P256 p256_key *pck = p256_new(p->leaf->key, like);
	if (pck == NULL)
		return no(v, DCAP_BAD_PCK_CHAIN, "PCK key: not on the curve");
	if (!p256_verify(pck, q->qe.raw, 384, q->qe_signature))
		return no(v, DCAP_BAD_QE_REPORT_SIGNATURE,
		    "the QE report is not signed by the PCK key");
	uint8_t digest[32];
	/*
	 * The QE says which attestation key it made, by a hash in its own
	 * report.
	 */
	const struct dcap_bytes bound[] = { { q->att_key, 64 },
		{ q->qe_auth, q->qe_authlen } };
	if (!digest_sha256(bound, 2, digest) ||
	    !ct_equal(q->qe.reportdata, digest, 32) ||
	    /*
	     * The second half is unused: bytes there would be bound by nothing.
	     */
	    !ct_is_zero(q->qe.reportdata + 32, 32))
		return no(v, DCAP_BAD_QE_REPORT_DATA,
		    "the QE report does not name this attestation key");
	AUTO_P256 p256_key *att = p256_new(q->att_key, like);
	if (att == NULL)
		return no(v, DCAP_BAD_ATTESTATION_KEY,
		    "attestation key: not on the curve");
	/*
	 * The last link: header and report are signed by the key that the QE
	 * vouched for, and the PCK key for the QE.
	 */
	if (!p256_verify(att, q->raw, q->signed_len, q->signature))
		return no(v, DCAP_BAD_QUOTE_SIGNATURE,
		    "the quote is not signed by its attestation key");
	return DCAP_OK;
}

/*
 * Chain, collateral, documents, signatures, enclave, TCB; report_data at the
 * end, since before it is authentic it is anybody's text.
 */
static enum dcap_code
judge(const struct dcap_quote *q, struct pck_chain *p,
    const struct dcap_collateral *c, int64_t now, const uint8_t *root_key,
    const uint8_t *report_data, struct dcap_verdict *v)
{
	enum dcap_code code = pck_chain_parse(q, c, p, &v->why);
	if (code != DCAP_OK)
		return code;
	fill_pck(p, v);
	code = pck_chain_check(p, c, now, root_key, &v->why);
	if (code == DCAP_OK)
		code = pck_chain_check_collateral(c, p, now, root_key, &v->why);
	if (code == DCAP_OK)
		code = documents_fit(c, q, &p->ext, v);
	if (code == DCAP_OK)
		code = quote_signatures(q, p, c->pck_ca_key, v);
	if (code != DCAP_OK)
		return code;
	if (qeid_check(&c->qe, &q->qe, &v->why) != DSTACK_OK)
		return DCAP_QE_IDENTITY_MISMATCH;
	/* The lower of both: a floor holds for each document. */
	v->tcb_eval = c->tcb.eval < c->qe.eval ? c->tcb.eval : c->qe.eval;
	v->collateral_issued = c->tcb.valid.from > c->qe.valid.from
	    ? c->tcb.valid.from
	    : c->qe.valid.from;
	v->root_crl_number = c->root_crl.number;
	v->pck_crl_number = c->pck_crl.number;
	code = tcb_evaluate(c, q, &p->ext, v);
	if (code != DCAP_OK)
		return code;
	if (report_data != NULL && !ct_equal(report_data, q->report_data, 64))
		return no(v, DCAP_REPORT_DATA_MISMATCH,
		    "report_data is not the expected one");
	return DCAP_OK;
}

enum dstack_status
dcap_authenticate(const void *quote, size_t len,
    const struct dcap_collateral *c, int64_t now,
    const uint8_t root_key[static 64], const uint8_t *report_data,
    struct dcap_verdict *v)
{
	struct dcap_quote q;
	struct pck_chain p;
	enum dcap_code code;
	memset(v, 0, sizeof(*v));
	v->abi = DCAP_VERDICT_ABI;
	if (c == NULL)
		return why_set(
		    &v->why, DSTACK_E_REJECTED, "no collateral given");
	if (dcap_quote_parse(quote, len, &q, &code, &v->why) != DSTACK_OK) {
		v->code = code;
		return DSTACK_E_REJECTED;
	}
	fill_quote(&q, v);
	/*
	 * The verdict is filled in as far as it goes, also for a refusal: an
	 * operator sees what was refused.
	 */
	code = judge(&q, &p, c, now, root_key, report_data, v);
	v->code = code;
	if (code != DCAP_OK)
		return DSTACK_E_REJECTED;
	v->why.text[0] = '\0';
	return DSTACK_OK;
}

/*
 * Without collateral: signatures and chain by themselves, for people and for
 * the original's service. Never a basis to trust: no revocation, no TCB.
 */
enum dstack_status
dcap_inspect(const void *quote, size_t len, int64_t now,
    const uint8_t root_key[static 64], bool *signatures, bool *chain,
    enum dcap_code *code, struct dcap_verdict *v)
{
	struct dcap_quote q;
	struct pck_chain p;
	struct why chain_why;
	*signatures = false;
	*chain = false;
	memset(v, 0, sizeof(*v));
	v->abi = DCAP_VERDICT_ABI;
	if (dcap_quote_parse(quote, len, &q, code, &v->why) != DSTACK_OK)
		return DSTACK_E_REJECTED;
	fill_quote(&q, v);
	*code = pck_chain_parse(&q, NULL, &p, &v->why);
	if (*code != DCAP_OK)
		return DSTACK_E_REJECTED;
	fill_pck(&p, v);
	enum dcap_code sig = quote_signatures(&q, &p, NULL, v);
	*signatures = sig == DCAP_OK;
	*code = pck_chain_check(&p, NULL, now, root_key, &chain_why);
	*chain = *code == DCAP_OK;
	if (!*chain) {
		v->why = chain_why;
		return DSTACK_E_REJECTED;
	}
	*code = sig;
	return *signatures ? DSTACK_OK : DSTACK_E_REJECTED;
}

/* For tests and simulated networks; production has Intel's key above. */
enum dstack_status
dcap_root_from_cert(
    const void *cert, size_t len, uint8_t root_key[64], struct why *why)
{
	/* One certificate, DER or PEM, and nothing behind it. */
	uint8_t der[X509_MAX_DER];
	struct der_span s = { cert, len };
	struct x509_cert c;
	struct rd r = rd_over(cert, len);
	if (!der_is(&r, DER_SEQ)) {
		if (pem_take(&r, "CERTIFICATE", der, sizeof(der), &s.n) !=
		    DSTACK_OK || !pem_at_end(&r))
			return why_set(why, DSTACK_E_FORMAT,
			    "root: neither one DER nor one PEM certificate");
		s.p = der;
	}
	enum dstack_status st = x509_parse(s, &c, why);
	if (st != DSTACK_OK)
		return why_wrap(why, st, "root");
	memcpy(root_key, c.key, 64);
	return DSTACK_OK;
}

enum dstack_status
dcap_quote_platform(const void *quote, size_t len, struct dcap_platform *out,
    struct why *why)
{
	struct dcap_quote q;
	struct pck_chain p;
	enum dcap_code code;
	enum dstack_status st = dcap_quote_parse(quote, len, &q, &code, why);
	if (st != DSTACK_OK)
		return st;
	if (pck_chain_parse(&q, NULL, &p, why) != DCAP_OK)
		return DSTACK_E_REJECTED;
	memcpy(out->fmspc, p.ext.fmspc, 6);
	out->platform_ca = p.platform_ca;
	out->tee = q.tee;
	return DSTACK_OK;
}
