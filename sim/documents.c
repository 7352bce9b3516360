/* SPDX-License-Identifier: Apache-2.0 */
/* The JSON texts of the PCS API v4, written by hand: their bytes are signed. */
#include "sim/pki.h"

#include <time.h>

/*
 * RFC 3339 in UTC, as Intel writes it; other forms are for tests to make by
 * hand.
 */
static void
put_date(struct wr *out, const char *name, int64_t unix_seconds)
{
	time_t t = (time_t)unix_seconds;
	struct tm tm = { 0 };
	char text[32] = "";
	(void)gmtime_r(&t, &tm);
	(void)strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm);
	wr_fmt(out, "\"%s\":\"%s\",", name, text);
}

/* Upper case, as Intel's documents have it: a verifier has to take both. */
static void
put_hex(struct wr *out, const char *name, const uint8_t *p, size_t n)
{
	wr_fmt(out, "\"%s\":\"", name);
	for (size_t i = 0; i < n; i++)
		wr_fmt(out, "%02X", p[i]);
	wr_str(out, "\",");
}

static void
put_svns(struct wr *out, const char *name, const uint8_t svn[16])
{
	wr_fmt(out, "\"%s\":[", name);
	for (int i = 0; i < 16; i++)
		wr_fmt(out, "%s{\"svn\":%u}", i == 0 ? "" : ",", svn[i]);
	wr_str(out, "]");
}

enum level_kind { LEVEL_ISVSVN, LEVEL_SGX, LEVEL_TDX };

static void
put_level(struct wr *out, const struct sim_level *l, enum level_kind kind)
{
	wr_str(out, "{\"tcb\":{");
	if (kind == LEVEL_ISVSVN) {
		wr_fmt(out, "\"isvsvn\":%u", l->isvsvn);
	} else {
		put_svns(out, "sgxtcbcomponents", l->sgx);
		wr_fmt(out, ",\"pcesvn\":%u", l->pcesvn);
	}
	if (kind == LEVEL_TDX) {
		wr_str(out, ",");
		put_svns(out, "tdxtcbcomponents", l->tdx);
	}
	wr_fmt(out, "},\"tcbDate\":\"%s\",\"tcbStatus\":\"%s\"", l->date,
	    l->status);
	for (int i = 0; i < 4 && l->advisory[i] != NULL; i++)
		/* No advisories: the member is left out, not an empty list. */
		wr_fmt(out, "%s\"%s\"", i == 0 ? ",\"advisoryIDs\":[" : ",",
		    l->advisory[i]);
	wr_str(out, l->advisory[0] != NULL ? "]}" : "}");
}

static void
put_levels(struct wr *out, const struct sim_level *l, size_t n,
    enum level_kind kind)
{
	wr_str(out, "\"tcbLevels\":[");
	for (size_t i = 0; i < n; i++) {
		if (i != 0)
			wr_str(out, ",");
		put_level(out, &l[i], kind);
	}
	wr_str(out, "]");
}

/* mrsigner, attributes and mask; no comma at the end. */
static void
put_module(struct wr *out, const struct sim_module *m)
{
	put_hex(out, "mrsigner", m->mrsigner, 48);
	put_hex(out, "attributes", m->attributes, 8);
	wr_str(out, "\"attributesMask\":\"");
	for (int i = 0; i < 8; i++)
		wr_fmt(out, "%02X", m->mask[i]);
	wr_str(out, "\"");
}

/*
 * TDX documents only: the module's own identity and those of its versions (id
 * TDX_nn), whose levels count by isvsvn.
 */
static void
put_modules(struct wr *out, const struct sim_tcb_info *t)
{
	wr_str(out, "\"tdxModule\":{");
	put_module(out, &t->own);
	wr_str(out, "},\"tdxModuleIdentities\":[");
	for (int i = 0; i < 2 && t->module[i].id != NULL; i++) {
		const struct sim_module *m = &t->module[i];
		wr_fmt(out, "%s{\"id\":\"%s\",", i == 0 ? "" : ",", m->id);
		put_module(out, m);
		wr_str(out, ",");
		put_levels(out, m->level, m->nlevels, LEVEL_ISVSVN);
		wr_str(out, "}");
	}
	wr_str(out, "],");
}

/*
 * The order of members is Intel's. It means nothing to JSON, but these very
 * bytes are what is signed.
 */
void
sim_tcb_info_text(const struct sim_tcb_info *t, struct wr *out)
{
	bool tdx = t->id[0] == 'T';
	wr_fmt(out, "{\"id\":\"%s\",\"version\":%u,", t->id, t->version);
	put_date(out, "issueDate", t->issued);
	put_date(out, "nextUpdate", t->next_update);
	put_hex(out, "fmspc", t->fmspc, 6);
	put_hex(out, "pceId", t->pceid, 2);
	wr_fmt(out, "\"tcbType\":%u,\"tcbEvaluationDataNumber\":%u,", t->type,
	    t->eval);
	if (tdx)
		put_modules(out, t);
	put_levels(out, t->level, t->nlevels, tdx ? LEVEL_TDX : LEVEL_SGX);
	wr_str(out, "}");
}

void
sim_qe_identity_text(const struct sim_qe_identity *q, struct wr *out)
{
	wr_fmt(out, "{\"id\":\"%s\",\"version\":%u,", q->id, q->version);
	put_date(out, "issueDate", q->issued);
	put_date(out, "nextUpdate", q->next_update);
	wr_fmt(out, "\"tcbEvaluationDataNumber\":%u,", q->eval);
	put_hex(out, "miscselect", q->miscselect, 4);
	put_hex(out, "miscselectMask", q->miscselect_mask, 4);
	put_hex(out, "attributes", q->attributes, 16);
	put_hex(out, "attributesMask", q->attributes_mask, 16);
	put_hex(out, "mrsigner", q->mrsigner, 32);
	wr_fmt(out, "\"isvprodid\":%u,", q->isvprodid);
	put_levels(out, q->level, q->nlevels, LEVEL_ISVSVN);
	wr_str(out, "}");
}

/*
 * A text inside a text: the outer document must give back the signed bytes
 * unchanged.
 */
static void
put_json_text(struct wr *out, const struct wr *text)
{
	wr_str(out, "\"");
	for (size_t i = 0; i < text->len; i++) {
		uint8_t c = text->buf[i];
		if (c == '"' || c == '\\')
			wr_fmt(out, "\\%c", c);
		else if (c == '\n')
			wr_str(out, "\\n");
		else if (c < 0x20 || c > 0x7e)
			wr_fmt(out, "\\u%04x", c);
		else
			wr_u8(out, c);
	}
	wr_str(out, "\"");
}

static void
put_text(struct wr *out, const char *name, const struct wr *text)
{
	wr_fmt(out, "\"%s\":", name);
	put_json_text(out, text);
	wr_str(out, ",");
}

static void
put_bytes(struct wr *out, const char *name, const void *p, size_t n)
{
	wr_fmt(out, "\"%s\":\"", name);
	wr_hex(out, p, n);
	wr_str(out, "\",");
}

enum dstack_status
sim_collateral_print(const struct sim_collateral *c, struct wr *out)
{
	wr_str(out, "{");
	put_text(out, "pck_crl_issuer_chain", &c->pck_crl_issuer_chain);
	put_bytes(out, "root_ca_crl", c->root_ca_crl.buf, c->root_ca_crl.len);
	put_bytes(out, "pck_crl", c->pck_crl.buf, c->pck_crl.len);
	put_text(out, "tcb_info_issuer_chain", &c->tcb_info_issuer_chain);
	put_text(out, "tcb_info", &c->tcb_info);
	put_bytes(out, "tcb_info_signature", c->tcb_info_signature, 64);
	put_text(out, "qe_identity_issuer_chain",
	    &c->qe_identity_issuer_chain);
	put_text(out, "qe_identity", &c->qe_identity);
	wr_str(out, "\"qe_identity_signature\":\"");
	wr_hex(out, c->qe_identity_signature, 64);
	wr_str(out, "\"}");
	return wr_status(out);
}
