/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A bench for the quote verifier on the simulated PKI: a case changes one
 * thing of a world that would verify, all is signed again, and the verdict
 * is compared with the one code that the change calls for.
 */
#ifndef DCAP_BED_H
#define DCAP_BED_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dstack/dcap.h"
#include "sim/der.h"
#include "sim/key.h"
#include "sim/pki.h"

#define BED_NOW INT64_C(1800000000)
#define BED_DAY INT64_C(86400)

struct bed {
	struct sim_world w;
	struct sim_collateral c;
	struct wr q;
	int64_t now;
	uint8_t root[64];
	uint8_t report_data[64];
	struct dcap_verdict v;
	char *text[2]; /* edited documents, borrowed by the world */
};

struct bed_case {
	const char *name;
	enum dcap_code want;
	enum dcap_tcb_status status; /* when want is DCAP_OK */
	void (*world)(struct bed *b); /* before anything is made */
	void (*parts)(struct bed *b); /* on the made parts */
};

/* A world that verifies; NULL without memory. */
static struct bed *
bed_new(void)
{
	struct bed *b = calloc(1, sizeof(*b));
	AUTO_KEY EVP_PKEY *root = sim_key(SIM_KEY_ROOT);
	if (b == NULL || root == NULL || !sim_key_public(root, b->root))
		abort();
	sim_world_init(&b->w, "bed", SIM_CA_PLATFORM, BED_NOW);
	for (size_t i = 0; i < 64; i++)
		b->report_data[i] = (uint8_t)(i + 1);
	memcpy(b->w.quote.td.reportdata, b->report_data, 64);
	memcpy(b->w.quote.sgx.reportdata, b->report_data, 64);
	b->now = BED_NOW;
	return b;
}

static void
bed_make(struct bed *b)
{
	if (sim_world_quote(&b->w, &b->q) != DSTACK_OK ||
	    sim_collateral_make(&b->w, &b->c) != DSTACK_OK)
		abort();
}

static enum dcap_code
bed_judge(struct bed *b)
{
	AUTO_WR struct wr json = wr_new(0);
	struct dcap_collateral *c = NULL;
	enum dcap_code code = DCAP_REFUSED;
	memset(&b->v, 0, sizeof(b->v));
	if (sim_collateral_print(&b->c, &json) != DSTACK_OK)
		abort();
	enum dstack_status st = dcap_collateral_load(json.buf, json.len, &c,
	    &code, &b->v.why);
	if (st != DSTACK_OK)
		return code;
	st = dcap_authenticate(b->q.buf, b->q.len, c, b->now, b->root,
	    b->report_data, &b->v);
	dcap_collateral_free(c);
	if ((st == DSTACK_OK) != (b->v.code == DCAP_OK))
		abort();
	return b->v.code;
}

static void
bed_free(struct bed *b)
{
	sim_collateral_free(&b->c);
	wr_free(&b->q);
	free(b->text[0]);
	free(b->text[1]);
	free(b);
}

/* Everything signed under another root key, rightly in all else. */
static inline void
bed_other_root(struct bed *b)
{
	static const char other[] = "mallory's root";
	b->w.root.key = b->w.root.signer = other;
	b->w.ca.signer = b->w.crl_ca.signer = other;
	b->w.tcb_signer.signer = b->w.qe_signer.signer = other;
	b->w.root_crl.signer = other;
}

/* Swap a part for other bytes. */
static inline void
bed_set(struct wr *w, const void *p, size_t n)
{
	wr_free(w);
	*w = wr_new(0);
	wr_put(w, p, n);
}

/* Make the PEM of these certificates the chain (0: ends the list). */
static inline void
bed_chain(struct wr *w, const struct sim_cert_spec *a,
    const struct sim_cert_spec *b, const struct sim_cert_spec *c)
{
	const struct sim_cert_spec *all[3] = { a, b, c };
	wr_free(w);
	*w = wr_new(0);
	for (int i = 0; i < 3 && all[i] != NULL; i++) {
		AUTO_WR struct wr der = wr_new(0);
		if (sim_cert_make(all[i], &der) != DSTACK_OK)
			abort();
		pem_put(w, "CERTIFICATE", der.buf, der.len);
	}
}

/* The quote with this chain in it. */
static inline void
bed_quote_chain(struct bed *b, const struct sim_cert_spec *x,
    const struct sim_cert_spec *y, const struct sim_cert_spec *z)
{
	AUTO_WR struct wr chain = wr_new(0);
	bed_chain(&chain, x, y, z);
	wr_free(&b->q);
	b->q = wr_new(0);
	if (sim_quote_make(&b->w.quote, chain.buf, chain.len, &b->q) !=
	    DSTACK_OK)
		abort();
}

/* text with every x replaced by y, and more behind it. */
static inline void
bed_swap(struct wr *text, const char *x, const char *y, const char *more)
{
	AUTO_WR struct wr out = wr_new(0);
	size_t n = strlen(x), i = 0;
	while (i < text->len) {
		bool here = n != 0 && text->len - i >= n &&
		    memcmp(text->buf + i, x, n) == 0;
		wr_put(&out, here ? y : (char *)text->buf + i,
		    here ? strlen(y) : 1);
		i += here ? n : 1;
	}
	wr_str(&out, more);
	bed_set(text, out.buf, out.len);
}

/* The same in the quote's own chain. */
static inline void
bed_quote_pem(struct bed *b, const char *x, const char *y, const char *more)
{
	AUTO_WR struct wr chain = wr_new(0);
	if (sim_pck_chain(&b->w, &chain) != DSTACK_OK)
		abort();
	bed_swap(&chain, x, y, more);
	wr_free(&b->q);
	b->q = wr_new(0);
	if (sim_quote_make(&b->w.quote, chain.buf, chain.len, &b->q) !=
	    DSTACK_OK)
		abort();
}

/*
 * The quote with the collateral's own certificates of CA and root behind its
 * leaf, byte for byte, but for ca and root if they are given: only then does
 * the verifier meet certificates that it has checked before.
 */
static inline void
bed_quote_known(struct bed *b, const struct sim_cert_spec *ca,
    const struct sim_cert_spec *root)
{
	static const char end[] = "-----END CERTIFICATE-----\n";
	const struct wr *known = &b->c.pck_crl_issuer_chain;
	AUTO_WR struct wr chain = wr_new(0), made = wr_new(0);
	const uint8_t *at =
	    memmem(known->buf, known->len, end, sizeof(end) - 1);
	if (at == NULL)
		abort();
	size_t first = (size_t)(at - known->buf) + sizeof(end) - 1;
	bed_chain(&chain, &b->w.pck, NULL, NULL);
	if (ca != NULL) {
		bed_chain(&made, ca, NULL, NULL);
		wr_put(&chain, made.buf, made.len);
	} else {
		wr_put(&chain, known->buf, first);
	}
	if (root != NULL) {
		bed_chain(&made, root, NULL, NULL);
		wr_put(&chain, made.buf, made.len);
	} else {
		wr_put(&chain, known->buf + first, known->len - first);
	}
	wr_free(&b->q);
	b->q = wr_new(0);
	if (sim_quote_make(&b->w.quote, chain.buf, chain.len, &b->q) !=
	    DSTACK_OK)
		abort();
}

/* An SGX world that verifies, in a quote of this version. */
static inline void
bed_sgx(struct bed *b, unsigned version)
{
	sim_world_sgx(&b->w);
	memcpy(b->w.quote.sgx.reportdata, b->report_data, 64);
	b->w.quote.version = (uint16_t)version;
	b->w.quote.body_type = 1;
}

/* The quote made again as v5, and then one byte of it set. */
static inline void
bed_poke(struct bed *b, uint16_t body_type, size_t at, uint8_t value)
{
	if (body_type == 1)
		sim_world_sgx(&b->w);
	b->w.quote.version = 5;
	b->w.quote.body_type = body_type;
	wr_free(&b->q);
	b->q = wr_new(0);
	if (sim_world_quote(&b->w, &b->q) != DSTACK_OK)
		abort();
	b->q.buf[at] = value;
}

static inline void
bed_revoke(struct sim_crl_spec *crl, const struct sim_cert_spec *cert)
{
	memcpy(crl->revoked[crl->nrevoked].serial, cert->serial,
	    cert->serial_len);
	crl->revoked[crl->nrevoked++].len = cert->serial_len;
}

/* TCB info or QE identity text with the first a replaced by b. */
static inline char *
bed_edit(const struct wr *text, const char *a, const char *b)
{
	char *t = malloc(text->len + strlen(b) + 1);
	const char *at;
	if (t == NULL)
		abort();
	memcpy(t, text->buf, text->len);
	t[text->len] = '\0';
	at = strstr(t, a);
	if (at == NULL)
		abort(); /* the case is stale */
	size_t pre = (size_t)(at - t);
	memmove(t + pre + strlen(b), t + pre + strlen(a),
	    text->len - pre - strlen(a) + 1);
	memcpy(t + pre, b, strlen(b));
	return t;
}

/* Edit the document in the world, so that the edited text is what is signed. */
static inline void
bed_tcb_text(struct bed *b, const char *x, const char *y)
{
	AUTO_WR struct wr text = wr_new(0);
	sim_tcb_info_text(&b->w.tcb, &text);
	b->w.tcb.text = b->text[0] = bed_edit(&text, x, y);
}
static inline void
bed_qe_text(struct bed *b, const char *x, const char *y)
{
	AUTO_WR struct wr text = wr_new(0);
	sim_qe_identity_text(&b->w.qe_identity, &text);
	b->w.qe_identity.text = b->text[1] = bed_edit(&text, x, y);
}

/* n advisories at the level whose text ends so, in either document. */
static inline void
bed_advisories(struct bed *b, bool qe, const char *at, unsigned n)
{
	AUTO_WR struct wr w = wr_new(0);
	wr_str(&w, at);
	wr_str(&w, "\"advisoryIDs\":[");
	for (unsigned i = 0; i < n; i++)
		wr_fmt(&w, "%s\"A%u\"", i == 0 ? "" : ",", i);
	wr_str(&w, "],");
	wr_u8(&w, 0);
	(qe ? bed_qe_text : bed_tcb_text)(b, at, (const char *)w.buf);
}

#endif
