/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The PCK chain of a quote, and whether collateral belongs to it. The checks
 * come in the order of Intel's library (QVL): form of the chain, root key,
 * names and constraints, signatures, times; then for the collateral its three
 * roots, all its times, and revocation. Each has a code of its own, so that a
 * test can have an input that fails in this check and no other, and so that an
 * operator learns which document to fetch anew.
 */
#include "dcap/chain.h"

#include "base/rd.h"
#include "base/secret.h"

static enum dcap_code
no(struct why *why, enum dcap_code code, const char *text)
{
	(void)why_set(why, DSTACK_E_REJECTED, "%s", text);
	return code;
}

/*
 * Certification data of types 1 to 3 (Intel SGX quote library reference,
 * A.4, table 9): PPID (16 bytes in clear, or encrypted by RSA-2048 or 3072),
 * CPUSVN 16, PCESVN 2, PCE id 2. The CPUSVN is the platform's own, which may
 * be above that of the certificate it was given; PPID and PCE id are not.
 */
static enum dcap_code
names_pck(const struct dcap_quote *q, const struct pck_ext *e, struct why *why)
{
	static const size_t ppid_len[] = { 0, 16, 256, 384 };
	struct rd r = rd_over(q->cert, q->certlen);
	const uint8_t *ppid = NULL, *svn = NULL, *pceid = NULL;
	enum dstack_status st = rd_take(&r, ppid_len[q->cert_type], &ppid);
	if (st == DSTACK_OK)
		st = rd_take(&r, 16 + 2, &svn);
	if (st == DSTACK_OK)
		st = rd_take(&r, 2, &pceid);
	if (st == DSTACK_OK)
		st = rd_end(&r);
	if (st != DSTACK_OK) {
		(void)why_set(why, DSTACK_E_REJECTED,
		    "certification data of type %u has another length",
		    q->cert_type);
		return DCAP_MALFORMED_QUOTE;
	}
	if (!ct_equal(pceid, e->pceid, 2) ||
	    (q->cert_type == 1 && !ct_equal(ppid, e->ppid, 16)))
		return no(why, DCAP_BAD_PCK_CHAIN,
		    "the collateral's PCK certificate is not of the platform "
		    "that the quote names");
	return DCAP_OK;
}

enum dcap_code
pck_chain_parse(const struct dcap_quote *q, const struct dcap_collateral *c,
    struct pck_chain *p, struct why *why)
{
	const void *pem = q->cert;
	size_t len = q->certlen;
	const bool own = q->cert_type == 5;
	if (!own && (q->cert_type == 0 || q->cert_type > 3 || c == NULL ||
	                c->pck_chain_len == 0)) {
		(void)why_set(why, DSTACK_E_REJECTED,
		    "certification data of type %u names no certificate chain; "
		    "make the quote with type 5, or give the chain as the "
		    "collateral's pck_certificate_chain (types 1 to 3)",
		    q->cert_type);
		return DCAP_UNSUPPORTED_CERT_DATA_TYPE;
	}
	/*
	 * Types 1 to 3 only name their platform: the chain comes with the
	 * collateral and is held against the name below.
	 */
	if (!own) {
		pem = c->pck_chain;
		len = c->pck_chain_len;
	}
	enum dstack_status st = x509_chain_parse(pem, len, &p->x, why);
	if (st == DSTACK_OK && p->x.count != 3)
		st = why_set(why, DSTACK_E_REJECTED,
		    "%u certificates, not leaf, intermediate and root",
		    p->x.count);
	if (st != DSTACK_OK) {
		(void)why_wrap(why, st, "PCK chain");
		return DCAP_BAD_PCK_CHAIN;
	}
	/* Leaf first: the order of every chain that Intel hands out. */
	p->leaf = &p->x.cert[0];
	p->ca = &p->x.cert[1];
	p->root = &p->x.cert[2];
	p->platform_ca = x509_cn_is(p->ca, X509_CN_PLATFORM);
	if (pck_ext_parse(p->leaf->sgx, &p->ext) != DSTACK_OK)
		return no(why, DCAP_BAD_PCK_CHAIN,
		    "PCK certificate: no SGX extension, or a broken one");
	return own ? DCAP_OK : names_pck(q, &p->ext, why);
}

static bool
known(const struct x509_cert *cert, const struct kept_cert *k)
{
	return der_span_equal(cert->der, k->cert.der);
}

static enum dcap_code
signatures(const struct pck_chain *p, const struct dcap_collateral *c,
    struct why *why)
{
	/* Both, since the intermediate was checked with that root's key. */
	/*
	 * Byte for byte the certificates that the collateral was loaded with:
	 * their signatures were checked then.
	 */
	bool checked = c != NULL && known(p->root, &c->pck_root) &&
	    known(p->ca, &c->pck_ca);
	if (!checked) {
		AUTO_P256 p256_key *root = p256_new(p->root->key, NULL);
		if (root == NULL || !x509_signed_by(&p->root->signed_part, root))
			return no(why, DCAP_BAD_PCK_CHAIN,
			    "PCK chain: the root's signature is wrong");
		if (!x509_signed_by(&p->ca->signed_part, root))
			return no(why, DCAP_BAD_PCK_CHAIN,
			    "PCK chain: the intermediate's signature is wrong");
	}
	AUTO_P256 p256_key *own =
	    checked ? NULL : p256_new(p->ca->key, NULL);
	p256_key *ca = checked ? c->pck_ca_key : own;
	if (ca == NULL || !x509_signed_by(&p->leaf->signed_part, ca))
		return no(why, DCAP_BAD_PCK_CHAIN,
		    "PCK chain: the PCK certificate's signature is wrong");
	return DCAP_OK;
}

enum dcap_code
pck_chain_check(const struct pck_chain *p, const struct dcap_collateral *c,
    int64_t now, const uint8_t root_key[static 64], struct why *why)
{
	/*
	 * The key is what is trusted; names and dates of the root certificate
	 * are its own claim.
	 */
	if (!ct_equal(p->root->key, root_key, 64))
		return no(why, DCAP_UNTRUSTED_PCK_CHAIN,
		    "PCK chain: ends in another root key than the trusted one");
	enum dstack_status st = x509_check_root(p->root, why);
	if (st == DSTACK_OK)
		st = x509_check_pck_ca(p->ca, p->root, why);
	if (st == DSTACK_OK)
		st = x509_check_leaf(p->leaf, p->ca, X509_CN_PCK, why);
	if (st != DSTACK_OK) {
		(void)why_wrap(why, st, "PCK chain");
		return DCAP_BAD_PCK_CHAIN;
	}
	enum dcap_code code = signatures(p, c, why);
	if (code != DCAP_OK)
		return code;
	if (!window_holds(p->leaf->valid, now) ||
	    !window_holds(p->ca->valid, now) ||
	    !window_holds(p->root->valid, now))
		return no(why, DCAP_EXPIRED_PCK_CHAIN,
		    "PCK chain: a certificate is not valid at this time");
	return DCAP_OK;
}

static enum dcap_code
roots(const struct dcap_collateral *c, const uint8_t root_key[static 64],
    struct why *why)
{
	if (!ct_equal(c->pck_root.cert.key, root_key, 64))
		return no(why, DCAP_UNTRUSTED_PCK_CHAIN,
		    "pck_crl_issuer_chain ends in an untrusted root");
	if (!ct_equal(c->tcb_root.cert.key, root_key, 64))
		return no(why, DCAP_UNTRUSTED_TCB_INFO_CHAIN,
		    "tcb_info_issuer_chain ends in an untrusted root");
	if (!ct_equal(c->qe_root.cert.key, root_key, 64))
		return no(why, DCAP_UNTRUSTED_QE_IDENTITY_CHAIN,
		    "qe_identity_issuer_chain ends in an untrusted root");
	return DCAP_OK;
}

static bool
valid_pair(const struct kept_cert *a, const struct kept_cert *b, int64_t now)
{
	return window_holds(a->cert.valid, now) &&
	    window_holds(b->cert.valid, now);
}

static enum dcap_code
times(const struct dcap_collateral *c, int64_t now, struct why *why)
{
	if (!valid_pair(&c->pck_ca, &c->pck_root, now))
		return no(why, DCAP_EXPIRED_PCK_CHAIN,
		    "pck_crl_issuer_chain is not valid at this time");
	if (!window_holds(c->root_crl.valid, now))
		return no(why, DCAP_CRL_EXPIRED,
		    "root_ca_crl is not current; fetch it anew");
	if (!window_holds(c->pck_crl.valid, now))
		return no(why, DCAP_CRL_EXPIRED,
		    "pck_crl is not current; fetch it anew");
	/*
	 * Before and after are two codes: a clock that is behind is mended
	 * elsewhere than an old document.
	 */
	if (now < c->tcb.valid.from)
		return no(why, DCAP_TCB_INFO_NOT_YET_VALID,
		    "tcb_info is issued after this time");
	if (now > c->tcb.valid.to)
		return no(why, DCAP_TCB_INFO_EXPIRED,
		    "tcb_info is past its nextUpdate; fetch it anew");
	if (!valid_pair(&c->tcb_signer, &c->tcb_root, now))
		return no(why, DCAP_EXPIRED_TCB_INFO_CHAIN,
		    "tcb_info_issuer_chain is not valid at this time");
	if (now < c->qe.valid.from)
		return no(why, DCAP_QE_IDENTITY_NOT_YET_VALID,
		    "qe_identity is issued after this time");
	if (now > c->qe.valid.to)
		return no(why, DCAP_QE_IDENTITY_EXPIRED,
		    "qe_identity is past its nextUpdate; fetch it anew");
	if (!valid_pair(&c->qe_signer, &c->qe_root, now))
		return no(why, DCAP_EXPIRED_QE_IDENTITY_CHAIN,
		    "qe_identity_issuer_chain is not valid at this time");
	return DCAP_OK;
}

/*
 * By serial number: the issuer of each is known here, so a number names one
 * certificate.
 */
static enum dcap_code
revocation(const struct dcap_collateral *c, const struct pck_chain *p,
    struct why *why)
{
	/* The list of PCK certificates must be by this chain's very CA. */
	if (!der_span_equal(p->leaf->issuer, c->pck_crl.issuer))
		return no(why, DCAP_CRL_MISSING,
		    "pck_crl is not of the CA that issued the PCK certificate");
	if (!ct_equal(p->ca->key, c->pck_ca.cert.key, 64))
		return no(why, DCAP_CRL_BAD_SIGNATURE,
		    "pck_crl is signed by another key than the CA's");
	/* Everything that the root has issued, its own certificate included. */
	const struct x509_cert *by_root[] = { p->ca, p->root, &c->pck_ca.cert,
		&c->tcb_signer.cert, &c->qe_signer.cert };
	for (size_t i = 0; i < sizeof(by_root) / sizeof(by_root[0]); i++)
		if (crl_lists(&c->root_crl, by_root[i]->serial))
			return no(why, DCAP_REVOKED,
			    "a certificate is on the root CA's list");
	if (crl_lists(&c->pck_crl, p->leaf->serial))
		return no(why, DCAP_REVOKED,
		    "the PCK certificate is on its CA's list");
	return DCAP_OK;
}

enum dcap_code
pck_chain_check_collateral(const struct dcap_collateral *c,
    const struct pck_chain *p, int64_t now, const uint8_t root_key[static 64],
    struct why *why)
{
	enum dcap_code code = roots(c, root_key, why);
	if (code == DCAP_OK)
		code = times(c, now, why);
	if (code == DCAP_OK)
		code = revocation(c, p, why);
	return code;
}
