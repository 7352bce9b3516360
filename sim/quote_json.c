/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A v4 TDX quote in the JSON of the original's service: the names of a
 * protobuf message, bytes as base64, zero numbers and empty bytes left out.
 */
#include <openssl/evp.h>

#include "base/rd.h"
#include "dstack/dcap.h"
#include "sim/service.h"

/* One object being written: knows whether a comma is due. */
struct obj {
	struct wr *out;
	bool some;
};

static void
key(struct obj *o, const char *name)
{
	wr_fmt(o->out, "%s\"%s\":", o->some ? "," : "", name);
	o->some = true;
}

static void
number(struct obj *o, const char *name, uint64_t v)
{
	/*
	 * protobuf's JSON leaves out what is zero or empty, and its readers
	 * take that for granted.
	 */
	if (v == 0)
		return;
	key(o, name);
	wr_fmt(o->out, "%llu", (unsigned long long)v);
}

/* Three bytes at a time: only the last piece may end in padding. */
static void
text64(struct wr *out, const uint8_t *p, size_t n)
{
	uint8_t four[5];
	wr_str(out, "\"");
	for (size_t i = 0; i < n; i += 3) {
		(void)EVP_EncodeBlock(four, p + i,
		    n - i < 3 ? (int)(n - i) : 3);
		wr_put(out, four, 4);
	}
	wr_str(out, "\"");
}

static void
bytes(struct obj *o, const char *name, const uint8_t *p, size_t n)
{
	if (n == 0)
		return;
	key(o, name);
	text64(o->out, p, n);
}

static struct obj
object(struct obj *parent, const char *name)
{
	key(parent, name);
	wr_str(parent->out, "{");
	return (struct obj){ .out = parent->out, .some = false };
}

static void
done(const struct obj *o)
{
	wr_str(o->out, "}");
}

static void
put_header(struct obj *top, const struct dcap_quote *q)
{
	struct obj o = object(top, "header");
	number(&o, "version", q->version);
	number(&o, "attestation_key_type", q->att_key_type);
	number(&o, "tee_type", q->tee_type);
	bytes(&o, "qe_svn", q->header + 8, 2);
	bytes(&o, "pce_svn", q->header + 10, 2);
	bytes(&o, "qe_vendor_id", q->vendor_id, 16);
	bytes(&o, "user_data", q->user_data, 20);
	done(&o);
}

static void
put_body(struct obj *top, const struct dcap_td_report *td)
{
	struct obj o = object(top, "td_quote_body");
	bytes(&o, "tee_tcb_svn", td->tee_tcb_svn, 16);
	bytes(&o, "mr_seam", td->mrseam, 48);
	bytes(&o, "mr_signer_seam", td->mrsignerseam, 48);
	bytes(&o, "seam_attributes", td->seamattributes, 8);
	bytes(&o, "td_attributes", td->tdattributes, 8);
	bytes(&o, "xfam", td->xfam, 8);
	bytes(&o, "mr_td", td->mrtd, 48);
	bytes(&o, "mr_config_id", td->mrconfigid, 48);
	bytes(&o, "mr_owner", td->mrowner, 48);
	bytes(&o, "mr_owner_config", td->mrownerconfig, 48);
	key(&o, "rtmrs");
	for (int i = 0; i < 4; i++) {
		wr_str(o.out, i == 0 ? "[" : ",");
		text64(o.out, td->rtmr[i], 48);
	}
	wr_str(o.out, "]");
	bytes(&o, "report_data", td->reportdata, 64);
	done(&o);
}

static void
put_qe_report(struct obj *top, const struct dcap_sgx_report *r)
{
	struct rd misc = rd_over(r->miscselect, 4);
	uint32_t miscselect = 0;
	if (rd_u32le(&misc, &miscselect) != DSTACK_OK)
		return;
	struct obj o = object(top, "qe_report");
	bytes(&o, "cpu_svn", r->cpusvn, 16);
	number(&o, "misc_select", miscselect);
	bytes(&o, "reserved1", r->raw + 20, 28);
	bytes(&o, "attributes", r->attributes, 16);
	bytes(&o, "mr_enclave", r->mrenclave, 32);
	bytes(&o, "reserved2", r->raw + 96, 32);
	bytes(&o, "mr_signer", r->mrsigner, 32);
	bytes(&o, "reserved3", r->raw + 160, 96);
	number(&o, "isv_prod_id", r->isvprodid);
	number(&o, "isv_svn", r->isvsvn);
	bytes(&o, "reserved4", r->raw + 260, 60);
	bytes(&o, "report_data", r->reportdata, 64);
	done(&o);
}

static void
put_signed_data(struct obj *top, const struct dcap_quote *q)
{
	struct obj s = object(top, "signed_data");
	bytes(&s, "signature", q->signature, 64);
	bytes(&s, "ecdsa_attestation_key", q->att_key, 64);
	struct obj c = object(&s, "certification_data");
	number(&c, "certificate_data_type", 6);
	number(&c, "size", 384 + 64 + 2 + q->qe_authlen + 6 + q->certlen);
	struct obj r = object(&c, "qe_report_certification_data");
	put_qe_report(&r, &q->qe);
	bytes(&r, "qe_report_signature", q->qe_signature, 64);
	struct obj a = object(&r, "qe_auth_data");
	number(&a, "parsed_data_size", q->qe_authlen);
	bytes(&a, "data", q->qe_auth, q->qe_authlen);
	done(&a);
	struct obj p = object(&r, "pck_certificate_chain_data");
	number(&p, "certificate_data_type", q->cert_type);
	number(&p, "size", q->certlen);
	bytes(&p, "pck_cert_chain", q->cert, q->certlen);
	done(&p);
	done(&r);
	done(&c);
	done(&s);
}

enum dstack_status
service_quote_json(const void *quote, size_t len, struct wr *out,
    struct why *why)
{
	struct dcap_quote q;
	enum dcap_code code = DCAP_REFUSED;
	enum dstack_status st = dcap_quote_parse(quote, len, &q, &code, why);
	if (st != DSTACK_OK)
		return DSTACK_E_FORMAT;
	/*
	 * The message the original's programs read has room for this kind only.
	 */
	if (q.version != 4 || q.tee != DCAP_TEE_TDX)
		return why_set(why, DSTACK_E_FORMAT, "not a v4 TDX quote");
	struct obj top = { .out = out, .some = false };
	wr_str(out, "{");
	put_header(&top, &q);
	put_body(&top, &q.td);
	number(&top, "signed_data_size",
	    64 + 64 + 6 + 384 + 64 + 2 + q.qe_authlen + 6 + q.certlen);
	put_signed_data(&top, &q);
	bytes(&top, "extra_bytes", q.raw + q.rawlen - q.trailing, q.trailing);
	wr_str(out, "}");
	return wr_status(out);
}
