/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An ACME client (RFC 8555) for the one order dstack needs: the certificate
 * request that the guest left on the host volume, signed for its one name by
 * challenge http-01. The host's: the guest believes none of it and judges the
 * certificate itself.
 */
#ifndef HOST_ACME_H
#define HOST_ACME_H

#include "base/status.h"

struct acme_config {
	const char *directory;   /* URL of the CA's directory */
	const char *ca_file;     /* PEM to trust for that URL; NULL: system's */
	const char *account_key; /* PEM file, made (0600) where it is missing */
	const char *csr;         /* PEM certificate request */
	const char *certificate; /* PEM chain goes here, by rename */
	const char *http_listen; /* ADDR:PORT that answers http-01 */
	unsigned timeout_ms;     /* for the whole order; 0: 120 s */
};

/*
 * Blocking. DSTACK_E_REJECTED: the CA refused, its words in why.
 * DSTACK_E_MISSING: the CA did not answer in time, or the request is absent.
 */
DSTACK_CHECKED enum dstack_status acme_issue(
    const struct acme_config *cfg, struct why *why);

#endif
