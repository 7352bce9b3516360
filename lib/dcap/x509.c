/* SPDX-License-Identifier: Apache-2.0 */
/*
 * X.509 v3 as Intel's PCK profile uses it (SGX PCK Certificate and CRL Profile
 * Specification), and nothing more general: ECDSA on P-256 with SHA-256,
 * uncompressed points, one common name, known extensions once each. An
 * extension that is critical and unknown is refused, as RFC 5280 demands. There
 * is no path building: each chain has a fixed shape, and the checks at the end
 * say for each place which name, constraints and key usage it must have.
 */
#include "dcap/x509.h"

#include <string.h>

static const uint8_t oid_ecdsa_sha256[] = { 0x2a, 0x86, 0x48, 0xce, 0x3d,
	0x04, 0x03, 0x02 };
static const uint8_t oid_cn[] = { 0x55, 0x04, 0x03 };
static const uint8_t oid_key_usage[] = { 0x55, 0x1d, 0x0f };
static const uint8_t oid_constraints[] = { 0x55, 0x1d, 0x13 };
static const uint8_t oid_crl_points[] = { 0x55, 0x1d, 0x1f };
static const uint8_t oid_authority_key[] = { 0x55, 0x1d, 0x23 };
static const uint8_t oid_subject_key[] = { 0x55, 0x1d, 0x0e };
/* 1.2.840.113741.1.13.1 */
static const uint8_t oid_sgx[] = { 0x2a, 0x86, 0x48, 0x86, 0xf8, 0x4d, 0x01,
	0x0d, 0x01 };
/* SubjectPublicKeyInfo of an uncompressed P-256 point (RFC 5480), its start */
static const uint8_t spki_head[] = { 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48,
	0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03,
	0x01, 0x07, 0x03, 0x42, 0x00, 0x04 };

#define IS(span, oid) \
	((span).n == sizeof(oid) && memcmp((span).p, oid, sizeof(oid)) == 0)

enum dstack_status
x509_take_sig_alg(struct rd *r)
{
	struct rd alg;
	struct der_span oid = { NULL, 0 };
	enum dstack_status st = der_take(r, DER_SEQ, &alg);
	if (st == DSTACK_OK)
		st = der_take_oid(&alg, &oid);
	if (st == DSTACK_OK)
		st = rd_end(&alg); /* no parameters: RFC 5758 3.2 */
	if (st == DSTACK_OK && !IS(oid, oid_ecdsa_sha256))
		st = DSTACK_E_FORMAT;
	return st;
}

enum dstack_status
x509_take_extension(
    struct rd *r, struct der_span *oid, bool *critical, struct rd *value)
{
	struct rd ext;
	*critical = false;
	enum dstack_status st = der_take(r, DER_SEQ, &ext);
	if (st == DSTACK_OK)
		st = der_take_oid(&ext, oid);
	if (st == DSTACK_OK && der_is(&ext, DER_BOOLEAN))
		st = der_take_bool(&ext, critical);
	if (st == DSTACK_OK)
		st = der_take(&ext, DER_OCTETS, value);
	if (st == DSTACK_OK)
		st = rd_end(&ext);
	return st;
}

enum dstack_status
x509_open_signed(struct der_span der, struct x509_signed *out, struct rd *tbs)
{
	struct rd r = rd_over(der.p, der.n), all, bits;
	uint8_t unused;
	enum dstack_status st = der_take(&r, DER_SEQ, &all);
	if (st == DSTACK_OK)
		/*
		 * Nothing behind the certificate: the signature does not cover
		 * it.
		 */
		st = rd_end(&r);
	if (st == DSTACK_OK)
		st = der_take_raw(&all, DER_SEQ, tbs, &out->tbs);
	if (st == DSTACK_OK)
		st = x509_take_sig_alg(&all);
	if (st == DSTACK_OK)
		st = der_take(&all, DER_BITS, &bits);
	if (st == DSTACK_OK)
		st = rd_u8(&bits, &unused);
	/* A signature is whole bytes. */
	if (st == DSTACK_OK && unused != 0)
		st = DSTACK_E_FORMAT;
	if (st == DSTACK_OK)
		st = p256_sig_from_der(&bits, out->sig);
	return st == DSTACK_OK ? rd_end(&all) : st;
}

bool
x509_signed_by(const struct x509_signed *s, p256_key *key)
{
	return p256_verify(key, s->tbs.p, s->tbs.n, s->sig);
}

/* The Name's common name, if it has exactly one. */
static enum dstack_status
common_name(struct der_span name, struct der_span *cn)
{
	struct rd r = rd_over(name.p, name.n), seq;
	unsigned found = 0;
	enum dstack_status st = der_take(&r, DER_SEQ, &seq);
	while (st == DSTACK_OK && rd_left(&seq) != 0) {
		struct rd set, pair, value;
		struct der_span oid = { NULL, 0 };
		uint8_t tag;
		st = der_take(&seq, DER_SET, &set);
		if (st == DSTACK_OK)
			st = der_take(&set, DER_SEQ, &pair);
		if (st == DSTACK_OK)
			st = rd_end(&set);
		if (st == DSTACK_OK)
			st = der_take_oid(&pair, &oid);
		if (st == DSTACK_OK)
			st = der_take_any(&pair, &tag, &value);
		if (st == DSTACK_OK)
			st = rd_end(&pair);
		if (st == DSTACK_OK && IS(oid, oid_cn)) {
			/* The two string types that compare byte for byte. */
			if (tag != DER_UTF8 && tag != DER_PRINTABLE)
				return DSTACK_E_FORMAT;
			cn->p = value.buf;
			cn->n = value.len;
			found++;
		}
	}
	if (st == DSTACK_OK && found > 1)
		st = DSTACK_E_FORMAT;
	return st;
}

/* Bits as RFC 5280, 4.2.1.3 numbers them: digitalSignature is 0. */
static enum dstack_status
key_usage(struct rd *value, uint16_t *out)
{
	struct rd bits;
	uint8_t unused, b;
	enum dstack_status st = der_take(value, DER_BITS, &bits);
	if (st == DSTACK_OK)
		st = rd_u8(&bits, &unused);
	if (st != DSTACK_OK)
		return st;
	if (unused > 7 || rd_left(&bits) == 0 || rd_left(&bits) > 2)
		return DSTACK_E_FORMAT;
	uint16_t usage = 0;
	for (unsigned at = 0; rd_left(&bits) != 0; at += 8) {
		st = rd_u8(&bits, &b);
		if (st != DSTACK_OK)
			return st;
		for (unsigned i = 0; i < 8; i++)
			if ((b & (0x80u >> i)) != 0)
				usage = (uint16_t)(usage | 1u << (at + i));
	}
	*out = usage;
	return rd_end(value);
}

/* basicConstraints: absent flags mean no CA (RFC 5280, 4.2.1.9). */
static enum dstack_status
constraints(struct rd *value, struct x509_cert *c)
{
	struct rd seq;
	uint64_t n;
	enum dstack_status st = der_take(value, DER_SEQ, &seq);
	if (st == DSTACK_OK && der_is(&seq, DER_BOOLEAN))
		st = der_take_bool(&seq, &c->is_ca);
	if (st == DSTACK_OK && der_is(&seq, DER_INTEGER)) {
		st = der_take_u64(&seq, &n);
		/*
		 * A path length without CA means nothing, and RFC 5280 forbids
		 * it.
		 */
		if (st == DSTACK_OK && (n > 16 || !c->is_ca))
			st = DSTACK_E_FORMAT;
		if (st == DSTACK_OK)
			c->pathlen = (int)n;
	}
	if (st == DSTACK_OK)
		st = rd_end(&seq);
	c->has_constraints = true;
	return st == DSTACK_OK ? rd_end(value) : st;
}

static enum dstack_status
extensions(struct rd *tbs, struct x509_cert *c)
{
	enum { USAGE = 1, CONSTRAINTS = 2, SGX = 4, POINTS = 8, AKEY = 16,
		SKEY = 32 };
	struct rd wrap, list;
	unsigned seen = 0;
	enum dstack_status st = der_take(tbs, DER_CTX3, &wrap);
	if (st == DSTACK_OK)
		st = der_take(&wrap, DER_SEQ, &list);
	if (st == DSTACK_OK)
		st = rd_end(&wrap);
	while (st == DSTACK_OK && rd_left(&list) != 0) {
		struct der_span oid;
		bool critical;
		struct rd value;
		unsigned bit = 0;
		st = x509_take_extension(&list, &oid, &critical, &value);
		if (st != DSTACK_OK)
			break;
		if (IS(oid, oid_key_usage)) {
			bit = USAGE;
			st = key_usage(&value, &c->usage);
		} else if (IS(oid, oid_constraints)) {
			bit = CONSTRAINTS;
			st = constraints(&value, c);
		} else if (IS(oid, oid_sgx)) {
			bit = SGX;
			c->sgx.p = value.buf;
			c->sgx.n = value.len;
		} else if (IS(oid, oid_crl_points)) {
			bit = POINTS;
		} else if (IS(oid, oid_authority_key)) {
			bit = AKEY;
		} else if (IS(oid, oid_subject_key)) {
			bit = SKEY;
		} else if (critical) {
			return DSTACK_E_FORMAT;
		}
		/* Twice: one reader takes the first, another the last. */
		if ((seen & bit) != 0)
			return DSTACK_E_FORMAT;
		seen |= bit;
	}
	return st;
}

static enum dstack_status
parse_tbs(struct rd *tbs, struct x509_cert *c)
{
	struct rd in, validity, spki;
	uint64_t version = 0;
	const uint8_t *head;
	enum dstack_status st = der_take(tbs, DER_CTX0, &in);
	if (st == DSTACK_OK)
		st = der_take_u64(&in, &version);
	if (st == DSTACK_OK)
		st = rd_end(&in);
	if (st == DSTACK_OK && version != 2) /* v3 */
		st = DSTACK_E_FORMAT;
	if (st == DSTACK_OK)
		st = der_take_integer(tbs, &c->serial);
	if (st == DSTACK_OK)
		st = x509_take_sig_alg(tbs);
	if (st == DSTACK_OK)
		st = der_take_raw(tbs, DER_SEQ, &in, &c->issuer);
	if (st == DSTACK_OK)
		st = der_take(tbs, DER_SEQ, &validity);
	if (st == DSTACK_OK)
		st = der_take_window(&validity, &c->valid);
	if (st == DSTACK_OK)
		st = rd_end(&validity);
	if (st == DSTACK_OK)
		st = der_take_raw(tbs, DER_SEQ, &in, &c->subject);
	if (st == DSTACK_OK)
		st = common_name(c->subject, &c->cn);
	if (st == DSTACK_OK)
		st = der_take(tbs, DER_SEQ, &spki);
	if (st == DSTACK_OK)
		st = rd_take(&spki, sizeof(spki_head), &head);
	/*
	 * Algorithm, curve and form of the key in one comparison: there is only
	 * this one.
	 */
	if (st == DSTACK_OK && memcmp(head, spki_head, sizeof(spki_head)) != 0)
		st = DSTACK_E_FORMAT;
	if (st == DSTACK_OK)
		st = rd_take(&spki, 64, &c->key);
	if (st == DSTACK_OK)
		st = rd_end(&spki);
	if (st == DSTACK_OK)
		st = extensions(tbs, c);
	return st == DSTACK_OK ? rd_end(tbs) : st;
}

enum dstack_status
x509_parse(struct der_span der, struct x509_cert *out, struct why *why)
{
	struct x509_cert c = { .der = der, .pathlen = -1 };
	struct rd tbs;
	enum dstack_status st = x509_open_signed(der, &c.signed_part, &tbs);
	if (st == DSTACK_OK)
		st = parse_tbs(&tbs, &c);
	if (st != DSTACK_OK)
		return why_set(why, DSTACK_E_FORMAT,
		    "not an X.509 v3 certificate of the PCK profile");
	*out = c;
	return DSTACK_OK;
}

bool
x509_cn_is(const struct x509_cert *c, const char *cn)
{
	return c->cn.n == strlen(cn) && memcmp(c->cn.p, cn, c->cn.n) == 0;
}

static bool
may(const struct x509_cert *c, unsigned bit)
{
	return (c->usage & 1u << bit) != 0;
}

enum dstack_status
x509_check_root(const struct x509_cert *root, struct why *why)
{
	if (!x509_cn_is(root, X509_CN_ROOT) ||
	    !der_span_equal(root->issuer, root->subject))
		return why_set(why, DSTACK_E_REJECTED,
		    "the last certificate is no self-issued %s", X509_CN_ROOT);
	if (!root->is_ca || !may(root, X509_CERT_SIGN) ||
	    !may(root, X509_CRL_SIGN))
		return why_set(why, DSTACK_E_REJECTED,
		    "the root certificate may not sign certificates and CRLs");
	return DSTACK_OK;
}

enum dstack_status
x509_check_pck_ca(const struct x509_cert *ca, const struct x509_cert *root,
    struct why *why)
{
	if (!x509_cn_is(ca, X509_CN_PLATFORM) &&
	    !x509_cn_is(ca, X509_CN_PROCESSOR))
		return why_set(why, DSTACK_E_REJECTED,
		    "the intermediate is no PCK Platform or Processor CA");
	if (!der_span_equal(ca->issuer, root->subject))
		return why_set(why, DSTACK_E_REJECTED,
		    "the intermediate is not issued by the root");
	if (!ca->is_ca || ca->pathlen != 0 || !may(ca, X509_CERT_SIGN) ||
	    !may(ca, X509_CRL_SIGN))
		return why_set(why, DSTACK_E_REJECTED,
		    "the intermediate's constraints are not those of a PCK CA");
	return DSTACK_OK;
}

enum dstack_status
x509_check_leaf(const struct x509_cert *leaf, const struct x509_cert *ca,
    const char *cn, struct why *why)
{
	if (!x509_cn_is(leaf, cn))
		return why_set(why, DSTACK_E_REJECTED,
		    "the first certificate is not '%s'", cn);
	if (!der_span_equal(leaf->issuer, ca->subject))
		return why_set(why, DSTACK_E_REJECTED,
		    "'%s' is not issued by the next certificate", cn);
	/*
	 * Intel's leaves say that they are none: silence is not taken for it.
	 */
	if (!leaf->has_constraints || leaf->is_ca ||
	    !may(leaf, X509_DIGITAL_SIGNATURE) || may(leaf, X509_CERT_SIGN))
		return why_set(why, DSTACK_E_REJECTED,
		    "'%s' has not the constraints of a leaf", cn);
	return DSTACK_OK;
}
