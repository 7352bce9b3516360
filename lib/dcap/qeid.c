/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The identity of Intel's quoting enclave, by version 2 of the PCS document,
 * and whether a QE report is one of it: masked MISCSELECT and ATTRIBUTES,
 * signer, product. The enclave's own hash is not in the document; its age is,
 * as ISVSVN, and counts with the platform's TCB (tcb.c).
 */
#include "dcap/qeid.h"

#include <string.h>

#include "base/secret.h"

static enum dstack_status
enclave(const json_t *j, struct qe_identity *q, struct why *why)
{
	uint64_t prodid;
	enum dstack_status st = jget_hex(j, "miscselect", q->miscselect, 4, why);
	if (st == DSTACK_OK)
		st = jget_hex(j, "miscselectMask", q->miscselect_mask, 4, why);
	if (st == DSTACK_OK)
		st = jget_hex(j, "attributes", q->attributes, 16, why);
	if (st == DSTACK_OK)
		st = jget_hex(j, "attributesMask", q->attributes_mask, 16, why);
	if (st == DSTACK_OK)
		st = jget_hex(j, "mrsigner", q->mrsigner, 32, why);
	if (st == DSTACK_OK)
		st = jget_uint(j, "isvprodid", 0xffff, &prodid, why);
	if (st == DSTACK_OK)
		q->isvprodid = (uint16_t)prodid;
	if (st == DSTACK_OK)
		st = svn_levels_parse(j, 0xffff, &q->pool, &q->levels, why);
	return st;
}

enum dstack_status
qeid_parse(const void *text, size_t len, struct qe_identity *q,
    enum dcap_code *code, struct why *why)
{
	uint64_t version, eval;
	const char *id;
	memset(q, 0, sizeof(*q));
	*code = DCAP_MALFORMED_COLLATERAL;
	AUTO_JSON json_t *j = jget_parse(text, len, why);
	if (j == NULL)
		return DSTACK_E_FORMAT;
	enum dstack_status st = jget_uint(j, "version", 1000, &version, why);
	if (st == DSTACK_OK)
		st = jget_text(j, "id", &id, why);
	if (st != DSTACK_OK)
		return st;
	if (version != 2) {
		*code = DCAP_QE_IDENTITY_MISMATCH;
		return why_set(why, DSTACK_E_REJECTED,
		    "QE identity of version %u; 2 is needed (PCS API v4)",
		    (unsigned)version);
	}
	if (strcmp(id, "TD_QE") == 0) {
		q->tee = DCAP_TEE_TDX;
	} else if (strcmp(id, "QE") == 0) {
		q->tee = DCAP_TEE_SGX;
	} else {
		*code = DCAP_QE_IDENTITY_MISMATCH;
		return why_set(why, DSTACK_E_REJECTED,
		    "identity of '%s', not of TD_QE or QE", id);
	}
	st = jget_window(j, &q->valid, why);
	if (st == DSTACK_OK)
		st = jget_uint(j, "tcbEvaluationDataNumber", UINT32_MAX, &eval,
		    why);
	if (st == DSTACK_OK)
		q->eval = (uint32_t)eval;
	if (st == DSTACK_OK)
		st = enclave(j, q, why);
	return st;
}

void
qeid_free(struct qe_identity *q)
{
	svn_levels_free(&q->levels);
	pool_free(&q->pool);
	memset(q, 0, sizeof(*q));
}

static bool
masked_equal(const uint8_t *v, const uint8_t *mask, const uint8_t *want,
    size_t n)
{
	for (size_t i = 0; i < n; i++)
		/*
		 * Want has no bits outside of the mask, or it equals nothing:
		 * as in Intel's library.
		 */
		if ((v[i] & mask[i]) != want[i])
			return false;
	return true;
}

enum dstack_status
qeid_check(const struct qe_identity *q, const struct dcap_sgx_report *r,
    struct why *why)
{
	const char *what = NULL;
	if (!masked_equal(r->miscselect, q->miscselect_mask, q->miscselect, 4))
		what = "MISCSELECT";
	else if (!masked_equal(
	    r->attributes, q->attributes_mask, q->attributes, 16))
		what = "ATTRIBUTES";
	else if (!ct_equal(r->mrsigner, q->mrsigner, 32))
		what = "MRSIGNER";
	else if (r->isvprodid != q->isvprodid)
		what = "ISVPRODID";
	if (what != NULL)
		return why_set(why, DSTACK_E_REJECTED,
		    "the quoting enclave's %s is not the identity's", what);
	return DSTACK_OK;
}
