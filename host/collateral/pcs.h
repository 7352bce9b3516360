/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Client of Intel's Provisioning Certification Service, or of a PCCS: the
 * four answers that make the collateral of one platform model.
 *
 * Sources: Intel "SGX and TDX Provisioning Certification Service" API version
 * 4 (tcb, qe/identity, pckcrl); a PCCS adds rootcacrl, and gives CRLs as hex.
 * What comes is foreign: host/collateral/entry.h checks it.
 */
#ifndef HOST_PCS_H
#define HOST_PCS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "base/status.h"
#include "base/wr.h"
#include "dstack/dcap.h"

#define PCS_INTEL "https://api.trustedservices.intel.com"
#define PCS_PART_MAX (64u * 1024) /* bytes of one answer */
#define PCS_URL_MAX 640

/* What collateral is of. */
struct pcs_key {
	enum dcap_tee tee;
	uint8_t fmspc[6];
	bool platform; /* PCK issued by the Platform CA; else Processor CA */
	bool early;    /* "update=early"; else standard */
};

enum pcs_kind { PCS_TCB, PCS_QE, PCS_PCK_CRL, PCS_ROOT_CRL, PCS_PARTS };
/* "TCB info", ...: for messages. */
const char *pcs_kind_text(enum pcs_kind k);

/*
 * The answers, each an object of texts, owned: "chain" (PEM; not in the root
 * CRL), "text" (the signed JSON byte for byte, or a CRL's DER in hex), "sig"
 * (hex; of the JSON alone), and "etag" and "modified" if the service sent
 * them. NULL: not there.
 */
struct pcs_set {
	json_t *part[PCS_PARTS];
};
void pcs_set_free(struct pcs_set *s);
#define AUTO_PCS_SET OWN_CLEANUP(pcs_set_free)
/* Nothing shared with from, for use in another thread. False: no memory. */
bool pcs_set_copy(const struct pcs_set *from, struct pcs_set *to);

struct pcs_source {
	const char *url;     /* base; with or without "/sgx/certification/v4" */
	const char *ca_file; /* PEM to trust instead of the system's; or NULL */
	unsigned timeout_ms; /* for all four together */
	/* gets the seconds that it asks to be left alone (Retry-After), where
	 * that is why a fetch failed; or NULL */
	unsigned *wait_s;
	const atomic_bool *stop; /* gives up within a second; NULL: never */
};

/*
 * Can this be a service's URL? DSTACK_E_FORMAT: of another API version, or no
 * base; why says what to give.
 */
DSTACK_CHECKED enum dstack_status pcs_url_check(
    const char *url, struct why *why);
/*
 * Both of a source, before it is used; NULL and "" are none. DSTACK_E_FORMAT
 * as above; DSTACK_E_MISSING: the file cannot be read.
 */
DSTACK_CHECKED enum dstack_status pcs_source_check(
    const char *url, const char *ca_file, struct why *why);
/* text, or NULL where it is empty. */
const char *pcs_given(const char *text);
/* base without what a source's url may end in. */
void pcs_base(const char *url, char out[static PCS_URL_MAX]);

/*
 * Fetch all four into out (zeroed before). old: what is there already, or
 * NULL; a part with validators is asked for only if it has changed, and is
 * copied from old where the service says that it has not.
 * DSTACK_E_MISSING: no answer in time, or none with the part. DSTACK_E_FORMAT,
 * _LIMIT: not an answer of such a service.
 */
DSTACK_CHECKED enum dstack_status pcs_fetch(const struct pcs_source *s,
    const struct pcs_key *key, const struct pcs_set *old, struct pcs_set *out,
    struct why *why);

/* Append the parts as one QuoteCollateralV3 document. */
DSTACK_CHECKED enum dstack_status pcs_document(
    const struct pcs_set *s, struct wr *out);

/*
 * One answer to its part: lines are the header lines, as they came. Pure; the
 * part is the caller's.
 */
DSTACK_CHECKED enum dstack_status pcs_part_parse(enum pcs_kind k,
    const void *body, size_t len, const char *lines, size_t lines_len,
    json_t **part, struct why *why);

#endif
