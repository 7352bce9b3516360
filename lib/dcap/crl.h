/* SPDX-License-Identifier: Apache-2.0 */
/* Certificate revocation lists, version 2 (RFC 5280 section 5). */
#ifndef DCAP_CRL_H
#define DCAP_CRL_H

#include "dcap/der.h"
#include "dcap/p256.h"

#define CRL_MAX_BYTES (512 * 1024)

struct crl {
	struct der_span tbs;
	struct der_span issuer; /* Name, whole element */
	int64_t this_update;
	int64_t next_update;
	uint64_t number; /* CRL number extension; required */
	uint8_t sig[64];
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

bool crl_signed_by(const struct crl *c, p256_key *key);
/* Is this serial (leading zeros off) listed? */
bool crl_lists(const struct crl *c, struct der_span serial);

#endif
