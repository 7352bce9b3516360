/* SPDX-License-Identifier: Apache-2.0 */
/* Certificate revocation lists, version 2 (RFC 5280 section 5). */
#ifndef DCAP_CRL_H
#define DCAP_CRL_H

#include "dcap/x509.h"

#define CRL_MAX_BYTES (512 * 1024)

struct crl {
	struct x509_signed signed_part;
	struct der_span issuer; /* Name, whole element */
	struct window valid;    /* thisUpdate to nextUpdate */
	uint64_t number; /* CRL number extension; required */
	struct der_span *serial; /* owned; sorted, leading zeros off */
	size_t count;
};

/*
 * A view into der (borrowed as long as the crl is used), with a list of its
 * own: crl_free. Every entry is checked; critical extensions that are not
 * known, a missing nextUpdate or a missing number are refused.
 */
DSTACK_CHECKED enum dstack_status crl_parse(
    struct der_span der, struct crl *out);
void crl_free(struct crl *c);

/* Is this serial (leading zeros off) listed? */
bool crl_lists(const struct crl *c, struct der_span serial);

#endif
