/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Certificates and lists of the simulated Intel PKI, written in DER by hand:
 * OpenSSL would refuse to make most of what the verifier's tests need (a CA
 * without basicConstraints, an extension twice, a key off the curve). A spec
 * says for each part whether it is there and how it is wrong; without such a
 * word the result is what Intel's own certificates look like, names and their
 * order included. Signing is deterministic only as far as the keys are: two
 * runs give two signatures.
 */
#include "sim/cert.h"

#include <stdio.h>
#include <string.h>

#include <openssl/evp.h>

#include "sim/der.h"
#include "sim/key.h"

#define OID_SGX "1.2.840.113741.1.13.1"
#define OID_UNKNOWN "1.3.6.1.4.1.55555.7"

static void
put_alg(struct wr *out, bool sha384)
{
	AUTO_WR struct wr w = wr_new(0);
	der_oid(&w, sha384 ? "1.2.840.10045.4.3.3" : "1.2.840.10045.4.3.2");
	der_wrap(out, DER_SEQ, &w);
}

static void
put_rdn(struct wr *out, const char *oid, const char *text)
{
	AUTO_WR struct wr pair = wr_new(0);
	AUTO_WR struct wr seq = wr_new(0);
	der_oid(&pair, oid);
	der_str(&pair, DER_PRINTABLE, text);
	der_wrap(&seq, DER_SEQ, &pair);
	der_wrap(out, DER_SET, &seq);
}

/* The order of Intel's names: CN, O, L, ST, C. */
static void
put_name(struct wr *out, const char *cn, const char *org)
{
	AUTO_WR struct wr w = wr_new(0);
	put_rdn(&w, "2.5.4.3", cn);
	put_rdn(&w, "2.5.4.10", org);
	put_rdn(&w, "2.5.4.7", "Santa Clara");
	put_rdn(&w, "2.5.4.8", "CA");
	put_rdn(&w, "2.5.4.6", "US");
	der_wrap(out, DER_SEQ, &w);
}

static void
put_ext(struct wr *out, const char *oid, bool critical, const struct wr *value)
{
	AUTO_WR struct wr w = wr_new(0);
	der_oid(&w, oid);
	if (critical)
		der_put(&w, DER_BOOL, "\xff", 1);
	der_wrap(&w, DER_OCTETS, value);
	der_wrap(out, DER_SEQ, &w);
}

/* RFC 5280 4.2.1.2 (1): SHA-1 over the public point. */
static bool
key_id(const char *label, uint8_t out[20])
{
	uint8_t point[65] = { 4 };
	AUTO_KEY EVP_PKEY *key = sim_key(label);
	return key != NULL && sim_key_public(key, point + 1) &&
	    EVP_Digest(point, sizeof(point), out, NULL, EVP_sha1(), NULL) == 1;
}

static void
put_aki(struct wr *out, enum sim_aki aki, const char *signer)
{
	AUTO_WR struct wr id = wr_new(0);
	AUTO_WR struct wr w = wr_new(0);
	uint8_t kid[20];
	/*
	 * Each of Intel's documents names its signer's key; a verifier that
	 * follows names alone must be caught.
	 */
	if (aki == SIM_AKI_NONE)
		return;
	if (!key_id(aki == SIM_AKI_OTHER ? "nobody" : signer, kid)) {
		out->st = DSTACK_E_NOMEM;
		return;
	}
	if (aki != SIM_AKI_EMPTY)
		der_put(&id, 0x80, kid, sizeof(kid));
	der_wrap(&w, DER_SEQ, &id);
	put_ext(out, "2.5.29.35", false, &w);
}

/* An extension that is critical and that nobody knows: RFC 5280 says refuse. */
static void
put_unknown(struct wr *out)
{
	AUTO_WR struct wr w = wr_new(0);
	der_put(&w, DER_OCTETS, "?", 1);
	put_ext(out, OID_UNKNOWN, true, &w);
}

/* SEQUENCE { OID base.sub, value } with value already encoded. */
static void
put_item(struct wr *out, const char *sub, const struct wr *value)
{
	AUTO_WR struct wr w = wr_new(0);
	AUTO_WR struct wr oid = wr_new(0);
	wr_fmt(&oid, OID_SGX ".%s", sub);
	wr_u8(&oid, 0);
	if (wr_status(&oid) == DSTACK_OK)
		der_oid(&w, (const char *)oid.buf);
	wr_put(&w, value->buf, value->len);
	der_wrap(out, DER_SEQ, &w);
}

static void
put_octets(struct wr *out, const char *sub, const uint8_t *p, size_t n)
{
	AUTO_WR struct wr v = wr_new(0);
	der_put(&v, DER_OCTETS, p, n);
	put_item(out, sub, &v);
}

static void
put_number(struct wr *out, const char *sub, uint8_t tag, uint64_t n)
{
	AUTO_WR struct wr v = wr_new(0);
	der_uint(&v, tag, n);
	put_item(out, sub, &v);
}

static void
put_sgx_tcb(struct wr *out, const struct sim_sgx_ext *x)
{
	AUTO_WR struct wr items = wr_new(0);
	AUTO_WR struct wr seq = wr_new(0);
	char sub[8];
	for (unsigned i = 0; i < 16; i++) {
		(void)snprintf(sub, sizeof(sub), "2.%u", i + 1);
		put_number(&items, sub, DER_INT,
		    /* SVNs are bytes; a larger one must be refused, not cut. */
		    i == 0 && x->big_svn != 0 ? x->big_svn : x->svn[i]);
	}
	put_number(&items, "2.17", DER_INT,
	    x->big_pcesvn != 0 ? x->big_pcesvn : x->pcesvn);
	put_octets(&items, "2.18", x->cpusvn, 16);
	der_wrap(&seq, DER_SEQ, &items);
	put_item(out, "2", &seq);
}

/*
 * Intel's SGX extension: OIDs and order of "SGX PCK Certificate and CRL Profile
 * Specification", 1.3.5.
 */
static void
put_sgx(struct wr *out, const struct sim_sgx_ext *x)
{
	AUTO_WR struct wr w = wr_new(0);
	AUTO_WR struct wr seq = wr_new(0);
	if ((x->omit & 1u << 1) == 0)
		put_octets(&w, "1", x->ppid, 16);
	if ((x->omit & 1u << 2) == 0)
		put_sgx_tcb(&w, x);
	if ((x->omit & 1u << 3) == 0)
		put_octets(&w, "3", x->pceid, 2);
	if ((x->omit & 1u << 4) == 0)
		put_octets(&w, "4", x->fmspc, 6);
	if (x->fmspc_twice)
		put_octets(&w, "4", (const uint8_t[6]){ 0 }, 6);
	if ((x->omit & 1u << 5) == 0)
		put_number(&w, "5", DER_ENUM, x->type);
	der_wrap(&seq, DER_SEQ, &w);
	put_ext(out, OID_SGX, false, &seq);
}

static void
put_basic(struct wr *out, const struct sim_cert_spec *s)
{
	AUTO_WR struct wr w = wr_new(0);
	AUTO_WR struct wr seq = wr_new(0);
	if (s->ca)
		der_put(&w, DER_BOOL, "\xff", 1);
	if (s->ca && s->pathlen >= 0)
		der_uint(&w, DER_INT, (uint64_t)s->pathlen);
	der_wrap(&seq, DER_SEQ, &w);
	put_ext(out, "2.5.29.19", true, &seq);
}

static void
put_usage(struct wr *out, uint8_t ku)
{
	AUTO_WR struct wr w = wr_new(0);
	uint8_t unused = 0;
	/* A BIT STRING says how many of its last bits are not meant. */
	while (unused < 7 && (ku >> unused & 1) == 0)
		unused++;
	const uint8_t bits[2] = { unused, ku };
	der_put(&w, DER_BITS, bits, 2);
	put_ext(out, "2.5.29.15", true, &w);
}

static void
put_cert_exts(struct wr *out, const struct sim_cert_spec *s)
{
	AUTO_WR struct wr all = wr_new(0);
	AUTO_WR struct wr seq = wr_new(0);
	AUTO_WR struct wr ski = wr_new(0);
	uint8_t kid[20];
	put_aki(&all, s->aki, s->signer);
	if (!key_id(s->key, kid)) {
		out->st = DSTACK_E_NOMEM;
		return;
	}
	/*
	 * Of the key in the certificate, where the one above is of the
	 * signer's.
	 */
	der_put(&ski, DER_OCTETS, kid, sizeof(kid));
	put_ext(&all, "2.5.29.14", false, &ski);
	if (s->ku != 0)
		put_usage(&all, s->ku);
	if (!s->no_basic)
		put_basic(&all, s);
	if (s->basic_twice)
		put_basic(&all, s);
	if (s->critical)
		put_unknown(&all);
	if (s->sgx.present)
		put_sgx(&all, &s->sgx);
	der_wrap(&seq, DER_SEQ, &all);
	der_wrap(out, 0xa3, &seq);
}

static void
put_spki(struct wr *out, const char *label, const uint8_t *other)
{
	AUTO_WR struct wr alg = wr_new(0);
	AUTO_WR struct wr w = wr_new(0);
	uint8_t point[65] = { 4 };
	AUTO_KEY EVP_PKEY *key = sim_key(label);
	if (key == NULL || !sim_key_public(key, point + 1)) {
		out->st = DSTACK_E_NOMEM;
		return;
	}
	/* The signature is still the key's; only the point shown is another. */
	if (other != NULL)
		memcpy(point + 1, other, 64);
	der_oid(&alg, "1.2.840.10045.2.1");
	der_oid(&alg, "1.2.840.10045.3.1.7");
	der_wrap(&w, DER_SEQ, &alg);
	der_bits(&w, point, sizeof(point));
	der_wrap(out, DER_SEQ, &w);
}

/* SEQUENCE { tbs, algorithm, signature over tbs }. */
static enum dstack_status
seal(struct wr *out, const struct wr *body, const char *signer, bool sha384,
    bool flip)
{
	AUTO_WR struct wr tbs = wr_new(0);
	der_wrap(&tbs, DER_SEQ, body);
	AUTO_KEY EVP_PKEY *key = sim_key(signer);
	uint8_t sig[80];
	size_t n = 0;
	if (wr_status(&tbs) != DSTACK_OK || key == NULL ||
	    sim_sign_der(key, tbs.buf, tbs.len, sig, &n) != DSTACK_OK)
		return DSTACK_E_NOMEM;
	/*
	 * After signing: all else is as it should be, so only the check of the
	 * signature can find it.
	 */
	if (flip)
		sig[n - 1] ^= 1;
	AUTO_WR struct wr w = wr_new(0);
	wr_put(&w, tbs.buf, tbs.len);
	put_alg(&w, sha384);
	der_bits(&w, sig, n);
	der_wrap(out, DER_SEQ, &w);
	return wr_status(out);
}

enum dstack_status
sim_cert_make(const struct sim_cert_spec *s, struct wr *out)
{
	AUTO_WR struct wr tbs = wr_new(0);
	AUTO_WR struct wr version = wr_new(0);
	AUTO_WR struct wr validity = wr_new(0);
	der_uint(&version, DER_INT, 2);
	der_wrap(&tbs, 0xa0, &version);
	der_bigint(&tbs, s->serial, s->serial_len);
	put_alg(&tbs, s->sha384);
	put_name(&tbs, s->issuer_cn, s->org);
	der_time(&validity, s->not_before);
	der_time(&validity, s->not_after);
	der_wrap(&tbs, DER_SEQ, &validity);
	put_name(&tbs, s->cn, s->org);
	put_spki(&tbs, s->key, s->point);
	put_cert_exts(&tbs, s);
	return seal(out, &tbs, s->signer, s->sha384, s->flip);
}

static void
put_revoked(struct wr *out, const struct sim_crl_spec *s)
{
	AUTO_WR struct wr list = wr_new(0);
	for (size_t i = 0; i < s->nrevoked; i++) {
		AUTO_WR struct wr w = wr_new(0);
		der_bigint(&w, s->revoked[i].serial, s->revoked[i].len);
		der_time(&w, s->this_update);
		der_wrap(&list, DER_SEQ, &w);
	}
	if (s->nrevoked != 0) /* an empty list is left out: RFC 5280 5.1.2.6 */
		der_wrap(out, DER_SEQ, &list);
}

enum dstack_status
sim_crl_make(const struct sim_crl_spec *s, struct wr *out)
{
	AUTO_WR struct wr tbs = wr_new(0);
	AUTO_WR struct wr exts = wr_new(0);
	AUTO_WR struct wr seq = wr_new(0);
	AUTO_WR struct wr number = wr_new(0);
	der_uint(&tbs, DER_INT, 1);
	put_alg(&tbs, false);
	put_name(&tbs, s->issuer_cn, s->org);
	der_time(&tbs, s->this_update);
	der_time(&tbs, s->next_update);
	put_revoked(&tbs, s);
	put_aki(&exts, s->aki, s->signer);
	der_uint(&number, DER_INT, s->number);
	if (!s->no_number)
		put_ext(&exts, "2.5.29.20", false, &number);
	if (s->critical)
		put_unknown(&exts);
	der_wrap(&seq, DER_SEQ, &exts);
	if (exts.len != 0)
		der_wrap(&tbs, 0xa0, &seq);
	return seal(out, &tbs, s->signer, false, s->flip);
}
