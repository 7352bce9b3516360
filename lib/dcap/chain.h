/* SPDX-License-Identifier: Apache-2.0 */
/* The PCK chain inside a quote, and collateral's own chains and lists. */
#ifndef DCAP_CHAIN_H
#define DCAP_CHAIN_H

#include "dcap/collateral.h"
#include "dcap/pckext.h"

struct pck_chain {
	struct x509_chain x;
	const struct x509_cert *leaf, *ca, *root; /* into x */
	struct pck_ext ext;
	bool platform_ca;
};

/*
 * The quote's own chain (type 5), or for types 1 to 3 that of collateral c
 * (NULL: none): three certificates, SGX extension, and for the latter that
 * the certificate is of the PCE, and for type 1 the PPID, that the quote
 * names. Form only.
 */
enum dcap_code pck_chain_parse(const struct dcap_quote *q,
    const struct dcap_collateral *c, struct pck_chain *out, struct why *why);
/*
 * Names, constraints, root key, signatures, validity. c: certificates that
 * its load has checked need no second check; may be NULL.
 */
enum dcap_code pck_chain_check(const struct pck_chain *p,
    const struct dcap_collateral *c, int64_t now,
    const uint8_t root_key[static 64], struct why *why);
/* Root keys, times and revocation of collateral, and of p by it. */
enum dcap_code pck_chain_check_collateral(const struct dcap_collateral *c,
    const struct pck_chain *p, int64_t now, const uint8_t root_key[static 64],
    struct why *why);

#endif
