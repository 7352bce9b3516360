/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Load: parse every part, check every signature that needs no quote. Parts
 * come in the order in which they vouch for each other: the PCK issuer's chain
 * and the two revocation lists under it, the TCB signer and its document, the
 * QE signer and its. The first part that does not hold ends it, by its name.
 * Times and the root key are left for the judgement, which knows them.
 */
#include "dcap/collateral.h"

#include <stdlib.h>
#include <string.h>

#include "base/hex.h"
#include "dcap/pem.h"

struct load {
	struct dcap_collateral *c;
	enum dcap_code code;
	struct why *why;
	p256_key *like; /* owned; saves the other keys their curve */
};

/*
 * A key made like another one skips the curve's set-up, which costs more than a
 * verification.
 */
static p256_key *
key_of(struct load *l, const uint8_t xy[static 64])
{
	if (l->like == NULL)
		l->like = p256_new(dcap_intel_root, NULL);
	return p256_new(xy, l->like);
}

/* Refuse with this class; keeps "no memory" apart from "no". */
static enum dstack_status
refuse(struct load *l, enum dcap_code code, enum dstack_status st,
    const char *part)
{
	if (st == DSTACK_E_NOMEM) {
		l->code = DCAP_REFUSED;
		return why_set(l->why, st, "%s: out of memory", part);
	}
	l->code = code;
	return why_wrap(l->why, DSTACK_E_REJECTED, "%s", part);
}

static enum dstack_status
refuse_text(struct load *l, enum dcap_code code, const char *part,
    const char *text)
{
	(void)why_set(l->why, DSTACK_E_REJECTED, "%s", text);
	return refuse(l, code, DSTACK_E_REJECTED, part);
}

static enum dstack_status
keep(const struct x509_cert *cert, struct kept_cert *out)
{
	out->der = malloc(cert->der.n);
	if (out->der == NULL)
		return DSTACK_E_NOMEM;
	memcpy(out->der, cert->der.p, cert->der.n);
	struct der_span s = { out->der, cert->der.n };
	return x509_parse(s, &out->cert, NULL);
}

/* Checked before: then its signature need not be checked again. */
static bool
known(const struct x509_cert *c, const struct kept_cert *k)
{
	return k != NULL && der_span_equal(c->der, k->cert.der);
}

/*
 * A chain of issuer and root. cn: name of a leaf, NULL: a PCK CA. as, as_root:
 * a chain that was checked before, or NULL.
 */
static enum dstack_status
issuer_chain(struct load *l, struct dcap_bytes pem, const char *cn,
    enum dcap_code code, const char *part, const struct kept_cert *as,
    const struct kept_cert *as_root, struct kept_cert *out,
    struct kept_cert *out_root)
{
	AUTO_FREE struct x509_chain *chain = malloc(sizeof(*chain));
	if (chain == NULL)
		return refuse(l, code, DSTACK_E_NOMEM, part);
	enum dstack_status st = x509_chain_parse(pem.p, pem.n, chain, l->why);
	if (st != DSTACK_OK)
		return refuse(l, code, st, part);
	/*
	 * Two, always: a longer chain would be one that Intel does not make,
	 * and a shorter one has no issuer.
	 */
	if (chain->count != 2)
		return refuse_text(l, code, part,
		    "not exactly two certificates, issuer and root");
	const struct x509_cert *leaf = &chain->cert[0], *root = &chain->cert[1];
	st = x509_check_root(root, l->why);
	if (st == DSTACK_OK)
		st = cn == NULL ? x509_check_pck_ca(leaf, root, l->why)
				: x509_check_leaf(leaf, root, cn, l->why);
	if (st != DSTACK_OK)
		return refuse(l, code, st, part);
	/*
	 * The TCB and the QE signer are one certificate in practice: what was
	 * checked once is compared, not checked again.
	 */
	if (!known(root, as_root) || !known(leaf, as)) {
		AUTO_P256 p256_key *key = key_of(l, root->key);
		if (key == NULL)
			return refuse_text(l, code, part, "bad root key");
		if (!known(root, as_root) && !x509_signed_by(&root->signed_part, key))
			return refuse_text(l, code, part,
			    "the root certificate's signature is wrong");
		if (!x509_signed_by(&leaf->signed_part, key))
			return refuse_text(l, code, part,
			    "the issuer's certificate is not signed by its root");
	}
	st = keep(leaf, out);
	if (st == DSTACK_OK)
		st = keep(root, out_root);
	return st == DSTACK_OK ? st : refuse(l, code, st, part);
}

/* DER, PEM or hex to DER of the collateral's own. */
static enum dstack_status
crl_bytes(struct dcap_bytes in, uint8_t **out, size_t *len)
{
	size_t cap = in.n;
	uint8_t *der = malloc(cap + 1);
	if (der == NULL)
		return DSTACK_E_NOMEM;
	enum dstack_status st = DSTACK_OK;
	struct rd r = rd_over(in.p, in.n);
	/*
	 * A text in hex may begin with '0', which is the 0x30 of DER too; the
	 * next character is below 0x80 then, and a list's length is not.
	 */
	if (der_is(&r, DER_SEQ) && in.n > 1 && r.buf[1] >= 0x80) {
		memcpy(der, in.p, in.n);
		*len = in.n;
	} else if (der_is(&r, '-')) {
		st = pem_take(&r, "X509 CRL", der, cap, len);
		if (st == DSTACK_OK && !pem_at_end(&r))
			st = DSTACK_E_FORMAT;
	} else { /* a file's last newline is none of its digits */
		const char *text = in.p;
		size_t n = in.n;
		while (n > 0 && (text[n - 1] == '\n' || text[n - 1] == '\r'))
			n--;
		st = hex_decode_var(text, n, der, cap, len);
	}
	if (st != DSTACK_OK) {
		free(der);
		return st;
	}
	*out = der;
	return DSTACK_OK;
}

static enum dstack_status
list(struct load *l, struct dcap_bytes in, const struct kept_cert *ca,
    p256_key *key, const char *part, uint8_t **der, struct crl *out)
{
	struct der_span s;
	if (in.n == 0)
		return refuse_text(l, DCAP_CRL_MISSING, part, "missing");
	enum dstack_status st = crl_bytes(in, der, &s.n);
	if (st == DSTACK_OK) {
		s.p = *der;
		st = crl_parse(s, out);
	}
	if (st != DSTACK_OK) {
		(void)why_set(l->why, st, "not a CRL (v2, DER, PEM or hex)");
		return refuse(l, DCAP_MALFORMED_COLLATERAL, st, part);
	}
	/*
	 * Another CA's list is as good as none, and says so: the usual mistake
	 * is processor for platform.
	 */
	if (!der_span_equal(out->issuer, ca->cert.subject))
		return refuse_text(l, DCAP_CRL_MISSING, part,
		    "the list that is there is of another issuer");
	if (!x509_signed_by(&out->signed_part, key))
		return refuse_text(l, DCAP_CRL_BAD_SIGNATURE, part,
		    "not signed by its issuer");
	return DSTACK_OK;
}

static enum dstack_status
pck_part(struct load *l, const struct dcap_pieces *in)
{
	struct dcap_collateral *c = l->c;
	enum dstack_status st = issuer_chain(l, in->pck_crl_issuer_chain, NULL,
	    DCAP_BAD_PCK_CHAIN, "pck_crl_issuer_chain", NULL, NULL, &c->pck_ca,
	    &c->pck_root);
	if (st != DSTACK_OK)
		return st;
	AUTO_P256 p256_key *root = key_of(l, c->pck_root.cert.key);
	c->pck_ca_key = key_of(l, c->pck_ca.cert.key);
	if (root == NULL || c->pck_ca_key == NULL)
		return refuse_text(l, DCAP_BAD_PCK_CHAIN,
		    "pck_crl_issuer_chain", "bad public key");
	st = list(l, in->root_ca_crl, &c->pck_root, root, "root_ca_crl",
	    &c->root_crl_der, &c->root_crl);
	if (st != DSTACK_OK)
		return st;
	return list(l, in->pck_crl, &c->pck_ca, c->pck_ca_key, "pck_crl",
	    &c->pck_crl_der, &c->pck_crl);
}

/* Is sig (raw or hex) the signer's over text, byte for byte? */
static bool
document_signed(struct load *l, const struct kept_cert *signer,
    struct dcap_bytes text, struct dcap_bytes sig)
{
	uint8_t raw[64];
	if (sig.n == 64)
		memcpy(raw, sig.p, 64);
	else if (sig.n != 128 || hex_decode(sig.p, 128, raw, 64) != DSTACK_OK)
		return false;
	AUTO_P256 p256_key *key = key_of(l, signer->cert.key);
	return key != NULL && p256_verify(key, text.p, text.n, raw);
}

static enum dstack_status
tcb_part(struct load *l, const struct dcap_pieces *in)
{
	struct dcap_collateral *c = l->c;
	enum dcap_code code;
	enum dstack_status st = issuer_chain(l, in->tcb_info_issuer_chain,
	    X509_CN_TCB, DCAP_BAD_TCB_INFO_CHAIN, "tcb_info_issuer_chain", NULL,
	    &c->pck_root, &c->tcb_signer, &c->tcb_root);
	if (st != DSTACK_OK)
		return st;
	if (!document_signed(l, &c->tcb_signer, in->tcb_info,
	    in->tcb_info_signature))
		return refuse_text(l, DCAP_BAD_TCB_INFO_SIGNATURE, "tcb_info",
		    "its signature is wrong");
	st = tcbinfo_parse(
	    in->tcb_info.p, in->tcb_info.n, &c->tcb, &code, l->why);
	return st == DSTACK_OK ? st : refuse(l, code, st, "tcb_info");
}

static enum dstack_status
qe_part(struct load *l, const struct dcap_pieces *in)
{
	struct dcap_collateral *c = l->c;
	enum dcap_code code;
	enum dstack_status st = issuer_chain(l, in->qe_identity_issuer_chain,
	    X509_CN_TCB, DCAP_BAD_QE_IDENTITY_CHAIN,
	    "qe_identity_issuer_chain", &c->tcb_signer, &c->tcb_root,
	    &c->qe_signer, &c->qe_root);
	if (st != DSTACK_OK)
		return st;
	if (!document_signed(l, &c->qe_signer, in->qe_identity,
	    in->qe_identity_signature))
		return refuse_text(l, DCAP_BAD_QE_IDENTITY_SIGNATURE,
		    "qe_identity", "its signature is wrong");
	st = qeid_parse(
	    in->qe_identity.p, in->qe_identity.n, &c->qe, &code, l->why);
	return st == DSTACK_OK ? st : refuse(l, code, st, "qe_identity");
}

/* Does in end with one NUL that is none of its own bytes? */
static bool
extra_nul(struct dcap_bytes in, bool signature)
{
	const uint8_t *p = in.p;
	struct rd r = rd_over(in.p, in.n), der;
	/*
	 * Intel's library counts the terminating NUL of every part; programs
	 * store what it gives them.
	 */
	if (in.n < 2 || p[in.n - 1] != 0)
		return false;
	if (signature)
		return in.n == 64 + 1 || in.n == 128 + 1;
	if (p[0] != DER_SEQ) /* text has no NUL of its own */
		return true;
	return der_take(&r, DER_SEQ, &der) == DSTACK_OK && rd_left(&r) == 1;
}

static void
without_nul(struct dcap_pieces *p)
{
	struct {
		struct dcap_bytes *b;
		bool signature;
	} part[] = { { &p->pck_crl_issuer_chain, false },
		{ &p->root_ca_crl, false }, { &p->pck_crl, false },
		{ &p->tcb_info_issuer_chain, false }, { &p->tcb_info, false },
		{ &p->tcb_info_signature, true },
		{ &p->qe_identity_issuer_chain, false },
		{ &p->qe_identity, false },
		{ &p->qe_identity_signature, true },
		{ &p->pck_certificate_chain, false } };
	for (size_t i = 0; i < sizeof(part) / sizeof(part[0]); i++)
		if (extra_nul(*part[i].b, part[i].signature))
			part[i].b->n--;
}

/* Parsed and judged with a quote that has none; here only bounded. */
static enum dstack_status
keep_chain(struct load *l, struct dcap_bytes in)
{
	if (in.n == 0)
		return DSTACK_OK;
	if (in.n > DCAP_MAX_QUOTE)
		return refuse_text(l, DCAP_MALFORMED_COLLATERAL,
		    "pck_certificate_chain", "over 64 KiB");
	l->c->pck_chain = malloc(in.n);
	if (l->c->pck_chain == NULL)
		return refuse(l, DCAP_REFUSED, DSTACK_E_NOMEM,
		    "pck_certificate_chain");
	memcpy(l->c->pck_chain, in.p, in.n);
	l->c->pck_chain_len = in.n;
	return DSTACK_OK;
}

enum dstack_status
dcap_collateral_from_pieces(const struct dcap_pieces *pieces,
    struct dcap_collateral **out, enum dcap_code *code, struct why *why)
{
	struct dcap_pieces trimmed = *pieces;
	const struct dcap_pieces *in = &trimmed;
	struct why local;
	struct load l = { calloc(1, sizeof(*l.c)), DCAP_REFUSED,
		why != NULL ? why : &local, NULL };
	*code = DCAP_REFUSED;
	if (l.c == NULL)
		return why_set(l.why, DSTACK_E_NOMEM, "out of memory");
	without_nul(&trimmed);
	enum dstack_status st = keep_chain(&l, in->pck_certificate_chain);
	if (st == DSTACK_OK)
		st = pck_part(&l, in);
	if (st == DSTACK_OK)
		st = tcb_part(&l, in);
	if (st == DSTACK_OK)
		st = qe_part(&l, in);
	p256_free(l.like);
	if (st != DSTACK_OK) {
		*code = l.code;
		dcap_collateral_free(l.c);
		return why_wrap(l.why, st, "collateral");
	}
	*code = DCAP_OK;
	*out = l.c;
	return DSTACK_OK;
}

enum dstack_status
dcap_collateral_load(const void *json, size_t len,
    struct dcap_collateral **out, enum dcap_code *code, struct why *why)
{
	struct dcap_pieces in = { .tcb_info = { NULL, 0 } };
	struct {
		const char *name;
		struct dcap_bytes *to;
	} field[] = {
		{ "pck_crl_issuer_chain", &in.pck_crl_issuer_chain },
		{ "root_ca_crl", &in.root_ca_crl },
		{ "pck_crl", &in.pck_crl },
		{ "tcb_info_issuer_chain", &in.tcb_info_issuer_chain },
		{ "tcb_info", &in.tcb_info },
		{ "tcb_info_signature", &in.tcb_info_signature },
		{ "qe_identity_issuer_chain", &in.qe_identity_issuer_chain },
		{ "qe_identity", &in.qe_identity },
		{ "qe_identity_signature", &in.qe_identity_signature },
		{ "pck_certificate_chain", &in.pck_certificate_chain },
	};
	*code = DCAP_MALFORMED_COLLATERAL;
	if (len > DCAP_MAX_COLLATERAL)
		return why_set(why, DSTACK_E_REJECTED, "collateral: over 1 MiB");
	json_error_t e;
	/* the parts' own NULs (see dcap_pieces) may be written as \u0000 */
	AUTO_JSON json_t *j = json_loadb(
	    json, len, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &e);
	if (!json_is_object(j))
		return why_set(why, DSTACK_E_REJECTED,
		    "collateral: not a JSON object: line %d: %s",
		    j == NULL ? e.line : 1, j == NULL ? e.text : "another value");
	for (size_t i = 0; i < sizeof(field) / sizeof(field[0]); i++) {
		const char *s = "";
		/* no list at all: the check for it says so */
		bool list = field[i].to == &in.root_ca_crl ||
		    field[i].to == &in.pck_crl ||
		    field[i].to == &in.pck_certificate_chain;
		list = list && (json_object_get(j, field[i].name) == NULL ||
		    (field[i].to == &in.pck_certificate_chain &&
		        json_is_null(json_object_get(j, field[i].name))));
		if (!list && jget_text(j, field[i].name, &s, why) != DSTACK_OK)
			return why_wrap(why, DSTACK_E_REJECTED, "collateral");
		field[i].to->p = s;
		field[i].to->n = list
		    ? 0
		    : json_string_length(json_object_get(j, field[i].name));
		/* 128 hex digits, so that 64 of them are no raw signature */
		if (strstr(field[i].name, "signature") != NULL &&
		    field[i].to->n < 128)
			field[i].to->n = 0;
	}
	return dcap_collateral_from_pieces(&in, out, code, why);
}

void
dcap_collateral_free(struct dcap_collateral *c)
{
	if (c == NULL)
		return;
	struct kept_cert *kept[] = { &c->pck_ca, &c->pck_root, &c->tcb_signer,
		&c->tcb_root, &c->qe_signer, &c->qe_root };
	for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++)
		/* Certificates point into these copies. */
		free(kept[i]->der);
	p256_free(c->pck_ca_key);
	crl_free(&c->root_crl);
	crl_free(&c->pck_crl);
	free(c->pck_chain);
	free(c->root_crl_der);
	free(c->pck_crl_der);
	tcbinfo_free(&c->tcb);
	qeid_free(&c->qe);
	free(c);
}

/* The time in which all of it holds. */
static void
narrow(struct dcap_collateral_info *o, struct window w)
{
	if (w.from > o->not_before)
		o->not_before = w.from;
	if (w.to < o->not_after)
		o->not_after = w.to;
}

void
dcap_collateral_describe(
    const struct dcap_collateral *c, struct dcap_collateral_info *out)
{
	const struct kept_cert *kept[] = { &c->pck_ca, &c->pck_root,
		&c->tcb_signer, &c->tcb_root, &c->qe_signer, &c->qe_root };
	struct dcap_collateral_info o = {
		.not_before = INT64_MIN,
		.not_after = INT64_MAX,
		.tcb_issued = c->tcb.valid.from,
		.qe_issued = c->qe.valid.from,
		.tcb_eval = c->tcb.eval,
		.qe_eval = c->qe.eval,
		.root_crl_number = c->root_crl.number,
		.pck_crl_number = c->pck_crl.number,
		.tee = c->tcb.tee,
	};
	for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++)
		narrow(&o, kept[i]->cert.valid);
	narrow(&o, c->root_crl.valid);
	narrow(&o, c->pck_crl.valid);
	narrow(&o, c->tcb.valid);
	narrow(&o, c->qe.valid);
	memcpy(o.fmspc, c->tcb.fmspc, sizeof(o.fmspc));
	memcpy(o.root_key, c->pck_root.cert.key, sizeof(o.root_key));
	*out = o;
}
