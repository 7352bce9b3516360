/* SPDX-License-Identifier: Apache-2.0 */
/*
 * X.509 certificates (RFC 5280) as far as Intel's PCK profile goes: version
 * 3, ECDSA with SHA-256, P-256 keys. Anything else, an unknown critical
 * extension and a repeated extension are refused.
 */
#ifndef DCAP_X509_H
#define DCAP_X509_H

#include "dcap/der.h"
#include "dcap/p256.h"
#include "dstack/dcap.h"

#define X509_MAX_DER 4096       /* bytes of one certificate */
#define X509_MAX_PEM (16 * 1024) /* bytes of a chain's text */
#define X509_MAX_CHAIN 3

enum { /* keyUsage bits, RFC 5280 4.2.1.3, as bit numbers */
	X509_DIGITAL_SIGNATURE = 0,
	X509_CERT_SIGN = 5,
	X509_CRL_SIGN = 6,
};

/* What certificates and revocation lists are: a part, and who signed it. */
struct x509_signed {
	struct der_span tbs;
	uint8_t sig[64];
};
/*
 * SEQUENCE { tbs, ECDSA with SHA-256, signature } that fills der; tbs: the
 * content of its first part.
 */
DSTACK_CHECKED enum dstack_status x509_open_signed(
    struct der_span der, struct x509_signed *out, struct rd *tbs);
/* Is it signed by key? */
bool x509_signed_by(const struct x509_signed *s, p256_key *key);

struct x509_cert { /* a view; valid as long as the DER is */
	struct der_span der;
	struct x509_signed signed_part;
	struct der_span serial; /* leading zeros off */
	struct der_span issuer; /* Name, whole element */
	struct der_span subject;
	struct window valid;
	const uint8_t *key; /* 64: x || y */
	struct der_span cn; /* subject's one common name, or empty */
	bool has_constraints;
	bool is_ca;
	int pathlen; /* -1: none */
	uint16_t usage; /* bits 1 << X509_...; 0 if there is no keyUsage */
	struct der_span sgx; /* content of 1.2.840.113741.1.13.1, or empty */
};

/* One certificate that fills der. why: set on failure. */
DSTACK_CHECKED enum dstack_status x509_parse(
    struct der_span der, struct x509_cert *out, struct why *why);

/* AlgorithmIdentifier of ECDSA with SHA-256 (RFC 5758) comes next. */
DSTACK_CHECKED enum dstack_status x509_take_sig_alg(struct rd *r);
/* One Extension; critical and content of its OCTET STRING. */
DSTACK_CHECKED enum dstack_status x509_take_extension(struct rd *r,
    struct der_span *oid, bool *critical, struct rd *value);

bool x509_cn_is(const struct x509_cert *c, const char *cn);

struct x509_chain {
	unsigned count;
	struct x509_cert cert[X509_MAX_CHAIN]; /* leaf first */
	uint8_t der[X509_MAX_PEM / 4 * 3]; /* what the views point into */
};

/*
 * PEM certificates, nothing but white space between them, zero bytes at the
 * end allowed; 1 to X509_MAX_CHAIN of them.
 */
DSTACK_CHECKED enum dstack_status x509_chain_parse(const void *pem,
    size_t len, struct x509_chain *out, struct why *why);

/* Root: its own issuer, CN "Intel SGX Root CA", may sign certificates. */
DSTACK_CHECKED enum dstack_status x509_check_root(
    const struct x509_cert *root, struct why *why);
/* CA of PCK certificates, issued by root: names and constraints. */
DSTACK_CHECKED enum dstack_status x509_check_pck_ca(const struct x509_cert *ca,
    const struct x509_cert *root, struct why *why);
/* Leaf named cn, issued by ca: names and constraints. */
DSTACK_CHECKED enum dstack_status x509_check_leaf(const struct x509_cert *leaf,
    const struct x509_cert *ca, const char *cn, struct why *why);

#define X509_CN_ROOT "Intel SGX Root CA"
#define X509_CN_PLATFORM "Intel SGX PCK Platform CA"
#define X509_CN_PROCESSOR "Intel SGX PCK Processor CA"
#define X509_CN_PCK "Intel SGX PCK Certificate"
#define X509_CN_TCB "Intel SGX TCB Signing"

#endif
