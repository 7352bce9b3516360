/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The bytes of a quote, versions 3 to 5, signed by the simulator's keys:
 * header, body, then the signature data with the quoting enclave's report in it
 * (Intel TDX DCAP Quote Generation Library, appendix A). The chain of trust in
 * it: the PCK key signs the QE's report, whose report data is the hash of the
 * attestation key, which signs header and body. A spec may break each link by
 * itself.
 */
#include "sim/quote.h"

#include <string.h>

#include "crypto/hash.h"
#include "sim/key.h"

static void
put_sgx(struct wr *w, const struct sim_sgx_report *r)
{
	wr_put(w, r->cpusvn, 16);
	wr_put(w, r->miscselect, 4);
	wr_zero(w, 28);
	wr_put(w, r->attributes, 16);
	wr_put(w, r->mrenclave, 32);
	wr_zero(w, 32);
	wr_put(w, r->mrsigner, 32);
	wr_zero(w, 96);
	wr_u16le(w, r->isvprodid);
	wr_u16le(w, r->isvsvn);
	wr_zero(w, 60);
	wr_put(w, r->reportdata, 64);
}

static void
put_td(struct wr *w, const struct sim_td_report *r, bool td15)
{
	wr_put(w, r->tee_tcb_svn, 16);
	wr_put(w, r->mrseam, 48);
	wr_put(w, r->mrsignerseam, 48);
	wr_put(w, r->seamattributes, 8);
	wr_put(w, r->tdattributes, 8);
	wr_put(w, r->xfam, 8);
	wr_put(w, r->mrtd, 48);
	wr_put(w, r->mrconfigid, 48);
	wr_put(w, r->mrowner, 48);
	wr_put(w, r->mrownerconfig, 48);
	for (int i = 0; i < 4; i++)
		wr_put(w, r->rtmr[i], 48);
	wr_put(w, r->reportdata, 64);
	if (td15) {
		wr_put(w, r->tee_tcb_svn2, 16);
		wr_put(w, r->mrservicetd, 48);
	}
}

/* Header and body: what the attestation key signs. */
static void
put_signed(struct wr *w, const struct sim_quote *q)
{
	wr_u16le(w, q->version);
	wr_u16le(w, q->att_key_type);
	wr_u32le(w, q->tee_type);
	wr_put(w, q->reserved, 4);
	wr_put(w, q->vendor_id, 16);
	wr_put(w, q->user_data, 20);
	bool td15 = q->body_type == 3 && q->version >= 5;
	bool sgx = q->version >= 5 ? q->body_type == 1 : q->tee_type != SIM_TDX;
	if (q->version >= 5) {
		wr_u16le(w, q->body_type);
		/*
		 * Version 5 says what body follows and how long it is; a test
		 * may lie about it.
		 */
		wr_u32le(w, q->body_size != 0 ? q->body_size
			: sgx		      ? 384
			: td15		      ? 648
					      : 584);
	}
	if (sgx)
		put_sgx(w, &q->sgx);
	else
		put_td(w, &q->td, td15);
}

static enum dstack_status
sign_with(const char *label, const struct wr *over, uint8_t sig[64])
{
	AUTO_KEY EVP_PKEY *key = sim_key(label);
	if (key == NULL || wr_status(over) != DSTACK_OK)
		return DSTACK_E_NOMEM;
	return sim_sign(key, over->buf, over->len, sig);
}

/* QE report, its signature, auth data and the chain. */
static enum dstack_status
put_certification(struct wr *w, const struct sim_quote *q,
    const uint8_t key[64], const void *chain, size_t n)
{
	struct sim_sgx_report qe = q->qe;
	/*
	 * The link from the QE to the attestation key; a test may give another
	 * one.
	 */
	if (!q->qe_reportdata_given) {
		const struct piece both[] = { { key, 64 },
			{ q->qe_auth, q->qe_authlen } };
		memset(qe.reportdata, 0, sizeof(qe.reportdata));
		sha256v(both, 2, qe.reportdata);
	}
	AUTO_WR struct wr report = wr_new(0);
	uint8_t sig[64];
	put_sgx(&report, &qe);
	enum dstack_status st = sign_with(q->qe_signer, &report, sig);
	if (st != DSTACK_OK)
		return st;
	wr_put(w, report.buf, report.len);
	wr_put(w, sig, 64);
	wr_u16le(w, (uint16_t)q->qe_authlen);
	wr_put(w, q->qe_auth, q->qe_authlen);
	wr_u16le(w, q->inner_type);
	wr_u32le(w, (uint32_t)n);
	wr_put(w, chain, n);
	return wr_status(w);
}

enum dstack_status
sim_quote_make(const struct sim_quote *q, const void *chain, size_t n,
    struct wr *out)
{
	AUTO_WR struct wr body = wr_new(0);
	AUTO_WR struct wr cert = wr_new(0);
	uint8_t sig[64];
	uint8_t key[64];
	put_signed(&body, q);
	enum dstack_status st = sign_with(
	    q->att_signer != NULL ? q->att_signer : q->att_key, &body, sig);
	if (st != DSTACK_OK)
		return st;
	AUTO_KEY EVP_PKEY *att = sim_key(q->att_key);
	if (att == NULL || !sim_key_public(att, key))
		return DSTACK_E_NOMEM;
	/* Shown in the quote, while the signature is by the real key. */
	if (q->att_key_bytes != NULL)
		memcpy(key, q->att_key_bytes, 64);
	st = put_certification(&cert, q, key, chain, n);
	if (st != DSTACK_OK)
		return st;
	wr_put(out, body.buf, body.len);
	/*
	 * Version 4 put the QE's part into an envelope of its own (type 6),
	 * version 3 has it plainly.
	 */
	if (q->version == 3) {
		wr_u32le(out, (uint32_t)(128 + cert.len));
		wr_put(out, sig, 64);
		wr_put(out, key, 64);
	} else {
		wr_u32le(out, (uint32_t)(128 + 6 + cert.len));
		wr_put(out, sig, 64);
		wr_put(out, key, 64);
		wr_u16le(out, q->outer_type);
		wr_u32le(out, (uint32_t)cert.len);
	}
	wr_put(out, cert.buf, cert.len);
	return wr_status(out);
}
