/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A whole simulated world: the PKI from root to PCK certificate, revocation
 * lists, TCB info, QE identity and a quote, all consistent and all good. Tests
 * take it, change one thing and see the verifier refuse for that thing alone;
 * the simulated TEE takes it as it is. Every value is either Intel's own
 * (names, OIDs, vendor id, lifetimes) or derived from a tag and the platform's
 * name, so that two platforms differ and two runs do not.
 */
#include "sim/pki.h"

#include <stdio.h>
#include <string.h>

#include "base/hex.h"
#include "crypto/hash.h"
#include "sim/der.h"
#include "sim/key.h"

const uint8_t sim_fmspc[6] = { 0x51, 0x4d, 0xd5, 0x7a, 0xc4, 0x01 };

#define DAY INT64_C(86400)
#define FROM_2020 INT64_C(1577836800)
#define TO_2049 INT64_C(2524607999)

/* SHA-256(tag || 0 || text): the tags are constants without NUL. */
static void
tagged(const char *tag, const char *text, uint8_t out[32])
{
	const struct piece v[] = { { tag, strlen(tag) + 1 },
		{ text, strlen(text) } };
	sha256v(v, 2, out);
}

/*
 * The platform's identity, which the contract's lists hash: from the name that
 * the operator gave it.
 */
void
sim_ppid(const char *platform, uint8_t ppid[static 16])
{
	uint8_t h[32];
	tagged("dstack2/sim/ppid/v1", platform, h);
	memcpy(ppid, h, 16);
}

static struct sim_cert_spec
cert(const char *cn, const char *issuer_cn, const char *key,
    const char *signer)
{
	uint8_t h[32];
	struct sim_cert_spec s = {
		.cn = cn, .issuer_cn = issuer_cn, .org = "Intel Corporation",
		.key = key, .signer = signer, .serial_len = SIM_SERIAL_MAX,
		.not_before = FROM_2020, .not_after = TO_2049,
		.pathlen = -1, .ku = SIM_KU_LEAF,
	};
	tagged("dstack2/sim/serial/v1", key, h);
	memcpy(s.serial, h, SIM_SERIAL_MAX);
	s.serial[0] &= 0x7f; /* at most 20 octets: RFC 5280 4.1.2.2 */
	/* And not zero in front, so that every serial has the same length. */
	s.serial[0] |= 0x40;
	return s;
}

/* Self-signed or by the root: every authority here is one step below it. */
static struct sim_cert_spec
authority(const char *cn, const char *key, int pathlen)
{
	struct sim_cert_spec s = cert(cn, SIM_CN_ROOT, key, SIM_KEY_ROOT);
	s.ca = true;
	s.pathlen = pathlen;
	s.ku = SIM_KU_CA;
	return s;
}

static void
fill_sgx_ext(struct sim_sgx_ext *x, const char *platform)
{
	x->present = true;
	sim_ppid(platform, x->ppid);
	for (int i = 0; i < 16; i++)
		x->svn[i] = i < 8 ? 3 : 0;
	memcpy(x->cpusvn, x->svn, 16);
	x->pcesvn = 13;
	memcpy(x->fmspc, sim_fmspc, 6);
	/* Platform with several packages: what a server is. */
	x->type = 1;
}

static void
fill_certs(struct sim_world *w, const char *platform, enum sim_ca ca)
{
	char hex[33];
	uint8_t ppid[16];
	bool plat = ca == SIM_CA_PLATFORM;
	const char *ca_cn = plat ? SIM_CN_PLATFORM_CA : SIM_CN_PROCESSOR_CA;
	const char *ca_key = plat ? SIM_KEY_PLATFORM_CA : SIM_KEY_PROCESSOR_CA;
	sim_ppid(platform, ppid);
	hex_encode(ppid, 16, hex);
	(void)snprintf(w->pck_key, sizeof(w->pck_key), "pck/%s", hex);
	(void)snprintf(w->att_key, sizeof(w->att_key), "att/%s", hex);
	w->root = authority(SIM_CN_ROOT, SIM_KEY_ROOT, 1);
	w->ca = authority(ca_cn, ca_key, 0);
	w->crl_ca = w->ca;
	w->pck = cert(SIM_CN_PCK, ca_cn, w->pck_key, ca_key);
	fill_sgx_ext(&w->pck.sgx, platform);
	w->tcb_signer = cert(SIM_CN_TCB_SIGNER, SIM_CN_ROOT,
	    SIM_KEY_TCB_SIGNER, SIM_KEY_ROOT);
	w->qe_signer = w->tcb_signer;
}

static struct sim_crl_spec
crl(const char *issuer_cn, const char *signer, int64_t from)
{
	return (struct sim_crl_spec){
		.issuer_cn = issuer_cn, .org = "Intel Corporation",
		.signer = signer, .this_update = from,
		.next_update = from + SIM_COLLATERAL_DAYS * DAY, .number = 1,
	};
}

static struct sim_level
level(const char *status)
{
	return (struct sim_level){ .date = SIM_TCB_DATE, .status = status };
}

/*
 * Two levels each, the lower one out of date: what a verifier does that stops
 * at the first is seen.
 */
static void
fill_tcb(struct sim_tcb_info *t, int64_t from)
{
	*t = (struct sim_tcb_info){
		.id = "TDX", .version = 3, .issued = from,
		.next_update = from + SIM_COLLATERAL_DAYS * DAY,
		.eval = SIM_TCB_EVAL, .nlevels = 2,
	};
	memcpy(t->fmspc, sim_fmspc, 6);
	memset(t->own.mask, 0xff, 8);
	t->module[0].id = "TDX_01";
	memset(t->module[0].mask, 0xff, 8);
	t->module[0].nlevels = 2;
	t->module[0].level[0] = level("UpToDate");
	t->module[0].level[0].isvsvn = 5;
	t->module[0].level[1] = level("OutOfDate");
	t->module[0].level[1].date = "2024-01-01T00:00:00Z";
	t->module[0].level[1].isvsvn = 2;
	t->level[0] = level("UpToDate");
	memset(t->level[0].sgx, 2, 8);
	t->level[0].pcesvn = 13;
	t->level[0].tdx[0] = 5;
	t->level[0].tdx[2] = 2;
	t->level[1] = level("OutOfDate");
	t->level[1].date = "2024-01-01T00:00:00Z";
	t->level[1].advisory[0] = "INTEL-SA-99999";
	memset(t->level[1].sgx, 1, 8);
	t->level[1].pcesvn = 5;
	t->level[1].tdx[0] = 2;
}

/* The QE's identity in documents and in its report, the same bytes. */
static const uint8_t qe_attributes[16] = { 0x11 };
static const char qe_name[] = "dstack simulated quoting enclave";

static void
fill_qe_identity(struct sim_qe_identity *q, int64_t from)
{
	*q = (struct sim_qe_identity){
		.id = "TD_QE", .version = 2, .issued = from,
		.next_update = from + SIM_COLLATERAL_DAYS * DAY,
		.eval = SIM_TCB_EVAL, .isvprodid = 2, .nlevels = 2,
	};
	memset(q->miscselect_mask, 0xff, 4);
	memcpy(q->attributes, qe_attributes, 16);
	memset(q->attributes_mask, 0xff, 8);
	q->attributes_mask[0] = 0xfb;
	tagged("dstack2/sim/qe-signer/v1", qe_name, q->mrsigner);
	q->level[0] = level("UpToDate");
	q->level[0].isvsvn = 4;
	q->level[1] = level("OutOfDate");
	q->level[1].date = "2024-01-01T00:00:00Z";
	q->level[1].isvsvn = 2;
}

static void
fill_quote(struct sim_world *w, const char *platform)
{
	static const uint8_t vendor[16] = { 0x93, 0x9a, 0x72, 0x33, 0xf7, 0x9c,
		0x4c, 0xa9, 0x94, 0x0a, 0x0d, 0xb3, 0x95, 0x7f, 0x06, 0x07 };
	static const uint8_t xfam[8] = { 0xe7, 0x02, 0x06 };
	uint8_t h[32];
	struct sim_quote *q = &w->quote;
	*q = (struct sim_quote){
		.version = 4, .att_key_type = 2, .tee_type = SIM_TDX,
		.body_type = 2, .qe_authlen = 32,
		.att_key = w->att_key, .qe_signer = w->pck_key,
		.outer_type = 6, .inner_type = 5,
	};
	memcpy(q->vendor_id, vendor, 16);
	tagged("dstack2/sim/qe-id/v1", platform, h);
	memcpy(q->user_data, h, 16);
	for (size_t i = 0; i < q->qe_authlen; i++)
		q->qe_auth[i] = (uint8_t)i;
	q->td.tee_tcb_svn[0] = 5;
	q->td.tee_tcb_svn[1] = 1;
	q->td.tee_tcb_svn[2] = 2;
	memcpy(q->td.tee_tcb_svn2, q->td.tee_tcb_svn, 16);
	tagged("dstack2/sim/module/v1", "mrseam", q->td.mrseam);
	q->td.tdattributes[3] = 0x10; /* bit 28: SEPT_VE_DISABLE */
	memcpy(q->td.xfam, xfam, 8);
	memcpy(q->qe.cpusvn, w->pck.sgx.cpusvn, 16);
	memcpy(q->qe.attributes, qe_attributes, 16);
	tagged("dstack2/sim/qe/v1", qe_name, q->qe.mrenclave);
	tagged("dstack2/sim/qe-signer/v1", qe_name, q->qe.mrsigner);
	q->qe.isvprodid = 2;
	q->qe.isvsvn = 4;
}

void
sim_world_init(struct sim_world *w, const char *platform, enum sim_ca ca,
    int64_t now)
{
	int64_t from = now - DAY;
	memset(w, 0, sizeof(*w));
	fill_certs(w, platform, ca);
	w->root_crl = crl(SIM_CN_ROOT, SIM_KEY_ROOT, from);
	w->pck_crl = crl(w->ca.cn, w->ca.key, from);
	fill_tcb(&w->tcb, from);
	fill_qe_identity(&w->qe_identity, from);
	fill_quote(w, platform);
}

/*
 * The same world for an SGX quote, which the verifier reads and a network
 * refuses.
 */
void
sim_world_sgx(struct sim_world *w)
{
	w->quote.version = 3;
	w->quote.tee_type = 0;
	w->quote.qe.isvprodid = 1;
	w->quote.sgx = w->quote.qe;
	w->quote.sgx.isvprodid = 7;
	w->tcb.id = "SGX";
	w->qe_identity.id = "QE";
	w->qe_identity.isvprodid = 1;
}

static enum dstack_status
put_pem(struct wr *out, const struct sim_cert_spec *spec)
{
	AUTO_WR struct wr der = wr_new(0);
	enum dstack_status st = sim_cert_make(spec, &der);
	if (st != DSTACK_OK)
		return st;
	pem_put(out, "CERTIFICATE", der.buf, der.len);
	return wr_status(out);
}

enum dstack_status
sim_pck_chain(const struct sim_world *w, struct wr *out)
{
	enum dstack_status st = put_pem(out, &w->pck);
	if (st == DSTACK_OK)
		st = put_pem(out, &w->ca);
	if (st == DSTACK_OK)
		st = put_pem(out, &w->root);
	wr_u8(out, 0); /* Intel's chains end with a NUL */
	return st == DSTACK_OK ? wr_status(out) : st;
}

enum dstack_status
sim_world_quote(const struct sim_world *w, struct wr *out)
{
	AUTO_WR struct wr chain = wr_new(0);
	enum dstack_status st = sim_pck_chain(w, &chain);
	if (st != DSTACK_OK)
		return st;
	return sim_quote_make(&w->quote, chain.buf, chain.len, out);
}

static enum dstack_status
sign_text(const struct wr *text, const char *label, bool flip,
    uint8_t sig[64])
{
	AUTO_KEY EVP_PKEY *key = sim_key(label);
	if (key == NULL || wr_status(text) != DSTACK_OK)
		return DSTACK_E_NOMEM;
	enum dstack_status st = sim_sign(key, text->buf, text->len, sig);
	/* In r: still a well-formed signature, and a wrong one. */
	if (st == DSTACK_OK && flip)
		sig[40] ^= 1;
	return st;
}

void
sim_collateral_free(struct sim_collateral *c)
{
	wr_free(&c->pck_crl_issuer_chain);
	wr_free(&c->root_ca_crl);
	wr_free(&c->pck_crl);
	wr_free(&c->tcb_info_issuer_chain);
	wr_free(&c->tcb_info);
	wr_free(&c->qe_identity_issuer_chain);
	wr_free(&c->qe_identity);
}

static enum dstack_status
make_chains(const struct sim_world *w, struct sim_collateral *c)
{
	enum dstack_status st;
	if ((st = put_pem(&c->pck_crl_issuer_chain, &w->crl_ca)) != 0 ||
	    (st = put_pem(&c->pck_crl_issuer_chain, &w->root)) != 0 ||
	    (st = put_pem(&c->tcb_info_issuer_chain, &w->tcb_signer)) != 0 ||
	    (st = put_pem(&c->tcb_info_issuer_chain, &w->root)) != 0 ||
	    (st = put_pem(&c->qe_identity_issuer_chain, &w->qe_signer)) != 0 ||
	    (st = put_pem(&c->qe_identity_issuer_chain, &w->root)) != 0 ||
	    (st = sim_crl_make(&w->root_crl, &c->root_ca_crl)) != 0)
		return st;
	return sim_crl_make(&w->pck_crl, &c->pck_crl);
}

/*
 * text, where a test gives it, stands for the whole document: signed as it is,
 * also where it is no JSON.
 */
enum dstack_status
sim_collateral_make(const struct sim_world *w, struct sim_collateral *out)
{
	memset(out, 0, sizeof(*out));
	if (w->tcb.text != NULL)
		wr_str(&out->tcb_info, w->tcb.text);
	else
		sim_tcb_info_text(&w->tcb, &out->tcb_info);
	if (w->qe_identity.text != NULL)
		wr_str(&out->qe_identity, w->qe_identity.text);
	else
		sim_qe_identity_text(&w->qe_identity, &out->qe_identity);
	enum dstack_status st = make_chains(w, out);
	if (st == DSTACK_OK)
		st = sign_text(&out->tcb_info,
		    w->tcb.signer != NULL ? w->tcb.signer : w->tcb_signer.key,
		    w->tcb.flip, out->tcb_info_signature);
	if (st == DSTACK_OK)
		st = sign_text(&out->qe_identity,
		    w->qe_identity.signer != NULL ? w->qe_identity.signer
						  : w->qe_signer.key,
		    w->qe_identity.flip, out->qe_identity_signature);
	if (st != DSTACK_OK)
		sim_collateral_free(out);
	return st;
}

enum dstack_status
sim_collateral_json(int64_t now, enum sim_ca ca, struct wr *out)
{
	struct sim_world w;
	struct sim_collateral c;
	sim_world_init(&w, "", ca, now);
	enum dstack_status st = sim_collateral_make(&w, &c);
	if (st != DSTACK_OK)
		return st;
	st = sim_collateral_print(&c, out);
	sim_collateral_free(&c);
	return st;
}
