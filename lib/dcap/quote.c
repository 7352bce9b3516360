/* SPDX-License-Identifier: Apache-2.0 */
/* Layout of quotes v3, v4, v5: every length bounded by its container. */
#include <string.h>

#include "base/rd.h"
#include "base/secret.h"
#include "dstack/dcap.h"

enum { TEE_TYPE_SGX = 0, TEE_TYPE_TDX = 0x81, ATT_KEY_P256 = 2 };
enum { SGX_BODY = 384, TD10_BODY = 584, TD15_BODY = 648 };
enum { CERT_PEM_CHAIN = 5, CERT_QE_REPORT = 6 };

static const uint8_t intel_vendor[16] = { 0x93, 0x9a, 0x72, 0x33, 0xf7, 0x9c,
	0x4c, 0xa9, 0x94, 0x0a, 0x0d, 0xb3, 0x95, 0x7f, 0x06, 0x07 };

static enum dcap_code
no(enum dcap_code code, struct why *why, const char *text)
{
	(void)why_set(why, DSTACK_E_REJECTED, "%s", text);
	return code;
}

/* Header, 48 bytes. */
static enum dcap_code
header(struct rd *r, struct dcap_quote *q, struct why *why)
{
	struct rd h;
	enum dstack_status st = rd_sub(r, 48, &h);
	/*
	 * What a stranger can be told, in order: length, version, TEE,
	 * algorithm, vendor.
	 */
	const uint8_t *reserved = NULL;
	if (st != DSTACK_OK)
		return no(DCAP_MALFORMED_QUOTE, why,
		    "shorter than a quote header (48 bytes)");
	q->header = h.buf;
	st = rd_u16le(&h, &q->version);
	if (st == DSTACK_OK)
		st = rd_u16le(&h, &q->att_key_type);
	if (st == DSTACK_OK)
		st = rd_u32le(&h, &q->tee_type);
	if (st == DSTACK_OK) /* v3: SVNs of QE and PCE */
		st = rd_take(&h, 4, &reserved);
	if (st == DSTACK_OK)
		st = rd_take(&h, 16, &q->vendor_id);
	if (st == DSTACK_OK)
		st = rd_take(&h, 20, &q->user_data);
	if (st == DSTACK_OK)
		st = rd_end(&h);
	if (st != DSTACK_OK)
		return no(DCAP_MALFORMED_QUOTE, why, "broken header");
	/*
	 * Told as a flag and refused by policy, not here: later versions may
	 * use them.
	 */
	q->reserved_zero = q->version == 3 || ct_is_zero(reserved, 4);
	if (q->version < 3 || q->version > 5) {
		(void)why_set(why, DSTACK_E_REJECTED,
		    "quote version %u; 3, 4 and 5 are known", q->version);
		return DCAP_UNSUPPORTED_VERSION;
	}
	if (q->tee_type == TEE_TYPE_SGX)
		q->tee = DCAP_TEE_SGX;
	else if (q->tee_type == TEE_TYPE_TDX && q->version > 3)
		q->tee = DCAP_TEE_TDX;
	else
		return no(DCAP_UNSUPPORTED_TEE_TYPE, why,
		    "TEE type is not SGX (0) or, from v4 on, TDX (0x81)");
	if (q->att_key_type != ATT_KEY_P256)
		return no(DCAP_UNSUPPORTED_ATT_KEY_TYPE, why,
		    "attestation key type is not 2 (ECDSA P-256)");
	if (!ct_equal(q->vendor_id, intel_vendor, 16))
		return no(DCAP_BAD_QE_VENDOR_ID, why,
		    "the quoting enclave's vendor is not Intel");
	return DCAP_OK;
}

static enum dstack_status
sgx_report(struct rd *r, struct dcap_sgx_report *s)
{
	struct rd b;
	const uint8_t *z1 = NULL, *z2 = NULL, *z3 = NULL, *z4 = NULL;
	enum dstack_status st = rd_sub(r, SGX_BODY, &b);
	if (st != DSTACK_OK)
		return st;
	s->raw = b.buf;
	st = rd_take(&b, 16, &s->cpusvn);
	if (st == DSTACK_OK)
		st = rd_take(&b, 4, &s->miscselect);
	if (st == DSTACK_OK)
		st = rd_take(&b, 28, &z1);
	if (st == DSTACK_OK)
		st = rd_take(&b, 16, &s->attributes);
	if (st == DSTACK_OK)
		st = rd_take(&b, 32, &s->mrenclave);
	if (st == DSTACK_OK)
		st = rd_take(&b, 32, &z2);
	if (st == DSTACK_OK)
		st = rd_take(&b, 32, &s->mrsigner);
	if (st == DSTACK_OK)
		st = rd_take(&b, 96, &z3);
	if (st == DSTACK_OK)
		st = rd_u16le(&b, &s->isvprodid);
	if (st == DSTACK_OK)
		st = rd_u16le(&b, &s->isvsvn);
	if (st == DSTACK_OK)
		st = rd_take(&b, 60, &z4);
	if (st == DSTACK_OK)
		st = rd_take(&b, 64, &s->reportdata);
	if (st == DSTACK_OK)
		st = rd_end(&b);
	/*
	 * With key separation and sharing, parts of the reserved bytes are
	 * CONFIGID and the like; still nothing that a policy here knows.
	 */
	if (st == DSTACK_OK)
		s->reserved_zero = ct_is_zero(z1, 28) && ct_is_zero(z2, 32) &&
		    ct_is_zero(z3, 96) && ct_is_zero(z4, 60);
	return st;
}

static enum dstack_status
td_report(struct rd *r, size_t size, struct dcap_td_report *t)
{
	struct rd b;
	enum dstack_status st = rd_sub(r, size, &b);
	if (st != DSTACK_OK)
		return st;
	t->raw = b.buf;
	struct {
		const uint8_t **out;
		size_t n;
	} field[] = {
		{ &t->tee_tcb_svn, 16 }, { &t->mrseam, 48 },
		{ &t->mrsignerseam, 48 }, { &t->seamattributes, 8 },
		{ &t->tdattributes, 8 }, { &t->xfam, 8 }, { &t->mrtd, 48 },
		{ &t->mrconfigid, 48 }, { &t->mrowner, 48 },
		{ &t->mrownerconfig, 48 }, { &t->rtmr[0], 48 },
		{ &t->rtmr[1], 48 }, { &t->rtmr[2], 48 }, { &t->rtmr[3], 48 },
		{ &t->reportdata, 64 }, { &t->tee_tcb_svn2, 16 },
		{ &t->mrservicetd, 48 },
	};
	size_t fields = sizeof(field) / sizeof(field[0]);
	/* The two last fields are TDX 1.5's. */
	if (size == TD10_BODY)
		fields -= 2;
	for (size_t i = 0; i < fields && st == DSTACK_OK; i++)
		st = rd_take(&b, field[i].n, field[i].out);
	return st == DSTACK_OK ? rd_end(&b) : st;
}

/* v5: type and size come first, and must fit each other and the TEE. */
static bool
body_kind(struct rd *r, struct dcap_quote *q)
{
	if (q->version < 5) {
		q->body = q->tee == DCAP_TEE_SGX ? DCAP_BODY_SGX : DCAP_BODY_TD10;
		return true;
	}
	uint16_t type;
	uint32_t size;
	if (rd_u16le(r, &type) != DSTACK_OK || rd_u32le(r, &size) != DSTACK_OK)
		return false;
	if (type == DCAP_BODY_SGX && size == SGX_BODY)
		q->body = DCAP_BODY_SGX;
	else if (type == DCAP_BODY_TD10 && size == TD10_BODY)
		q->body = DCAP_BODY_TD10;
	else if (type == DCAP_BODY_TD15 && size == TD15_BODY)
		q->body = DCAP_BODY_TD15;
	else
		return false;
	return (q->body == DCAP_BODY_SGX) == (q->tee == DCAP_TEE_SGX);
}

static enum dcap_code
body(struct rd *r, struct dcap_quote *q, struct why *why)
{
	if (!body_kind(r, q))
		return no(DCAP_MALFORMED_QUOTE, why,
		    "body type and size do not fit a known TEE report");
	enum dstack_status st;
	if (q->body == DCAP_BODY_SGX) {
		st = sgx_report(r, &q->sgx);
		q->report_data = q->sgx.reportdata;
	} else {
		st = td_report(r,
		    q->body == DCAP_BODY_TD15 ? TD15_BODY : TD10_BODY, &q->td);
		q->report_data = q->td.reportdata;
	}
	if (st != DSTACK_OK)
		return no(DCAP_MALFORMED_QUOTE, why, "ends inside its body");
	/* Header and body: what the attestation key has signed. */
	q->signed_len = r->pos;
	return DCAP_OK;
}

/* QE report, its signature, QE auth data, certification data: all of a. */
static enum dstack_status
qe_part(struct rd *a, struct dcap_quote *q)
{
	uint16_t n;
	uint32_t len;
	enum dstack_status st = sgx_report(a, &q->qe);
	if (st == DSTACK_OK)
		st = rd_take(a, 64, &q->qe_signature);
	if (st == DSTACK_OK)
		st = rd_u16le(a, &n);
	if (st == DSTACK_OK) {
		q->qe_authlen = n;
		st = rd_take(a, n, &q->qe_auth);
	}
	if (st == DSTACK_OK)
		st = rd_u16le(a, &q->cert_type);
	if (st == DSTACK_OK)
		st = rd_u32le(a, &len);
	if (st == DSTACK_OK) {
		q->certlen = len;
		st = rd_take(a, len, &q->cert);
	}
	return st == DSTACK_OK ? rd_end(a) : st;
}

static enum dcap_code
auth(struct rd *r, struct dcap_quote *q, struct why *why)
{
	uint32_t len;
	/*
	 * The authentication data has its own length, and from version 4 on an
	 * envelope with another: each part is a cursor of its own, and all of
	 * it must be used.
	 */
	struct rd a, inner;
	uint16_t outer;
	enum dstack_status st = rd_u32le(r, &len);
	if (st == DSTACK_OK)
		st = rd_sub(r, len, &a);
	if (st == DSTACK_OK)
		st = rd_take(&a, 64, &q->signature);
	if (st == DSTACK_OK)
		st = rd_take(&a, 64, &q->att_key);
	if (st == DSTACK_OK && q->version == 3)
		st = qe_part(&a, q);
	if (st == DSTACK_OK && q->version > 3) {
		st = rd_u16le(&a, &outer);
		if (st == DSTACK_OK && outer != CERT_QE_REPORT)
			return no(DCAP_UNSUPPORTED_CERT_DATA_TYPE, why,
			    "outer certification data is not type 6");
		if (st == DSTACK_OK)
			st = rd_u32le(&a, &len);
		if (st == DSTACK_OK)
			st = rd_sub(&a, len, &inner);
		if (st == DSTACK_OK)
			st = rd_end(&a);
		if (st == DSTACK_OK)
			st = qe_part(&inner, q);
	}
	if (st != DSTACK_OK)
		return no(DCAP_MALFORMED_QUOTE, why,
		    "a length in the authentication data does not fit");
	if (q->cert_type == 0 || q->cert_type > CERT_PEM_CHAIN)
		return no(DCAP_UNSUPPORTED_CERT_DATA_TYPE, why,
		    "certification data is not of type 1 to 5");
	return DCAP_OK;
}

enum dstack_status
dcap_quote_parse(const void *buf, size_t len, struct dcap_quote *out,
    enum dcap_code *code, struct why *why)
{
	struct dcap_quote q = { .raw = buf, .rawlen = len };
	struct rd r = rd_over(buf, len);
	enum dcap_code c;
	if (len > DCAP_MAX_QUOTE)
		c = no(DCAP_MALFORMED_QUOTE, why, "over 64 KiB");
	else
		c = header(&r, &q, why);
	if (c == DCAP_OK)
		c = body(&r, &q, why);
	if (c == DCAP_OK)
		c = auth(&r, &q, why);
	if (c == DCAP_OK) {
		const uint8_t *rest;
		/*
		 * Buffers of fixed length end in zeros; anything else behind a
		 * quote was put there by somebody.
		 */
		q.trailing = rd_left(&r);
		if (rd_take(&r, q.trailing, &rest) != DSTACK_OK ||
		    !ct_is_zero(rest, q.trailing))
			c = no(DCAP_MALFORMED_QUOTE, why,
			    "bytes that are not zero behind the quote");
	}
	*code = c;
	if (c != DCAP_OK)
		return why_wrap(why, DSTACK_E_REJECTED, "quote");
	*out = q;
	return DSTACK_OK;
}
