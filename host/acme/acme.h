/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An ACME client (RFC 8555) for the one order dstack needs: the certificate
 * request that the guest left on the host volume, signed for its one name by
 * challenge http-01. The host's: the guest believes none of it and judges the
 * certificate itself.
 */
#ifndef HOST_ACME_H
#define HOST_ACME_H

#include <stdatomic.h>

#include "base/status.h"

struct acme_config {
	const char *directory;   /* URL of the CA's directory */
	const char *ca_file;     /* PEM to trust for that URL; NULL: system's */
	const char *account_key; /* PEM file, made (0600) where it is missing;
	                            FILE.order beside it: the order under way */
	const char *csr;         /* PEM certificate request */
	const char *certificate; /* PEM chain goes here, by rename */
	const char *http_listen; /* ADDR:PORT that answers http-01 */
	const atomic_bool *stop; /* set: gives up within a second; or NULL */
	unsigned timeout_ms;     /* for this try; 0: 120 s */
};

/*
 * Blocking: go on with the order under way, or make one. again_s (may be
 * NULL) gets the seconds to leave the CA in peace after a failure, as it asks
 * or as its limits do; 0: no wish. certificate is replaced on DSTACK_OK alone.
 * DSTACK_E_REJECTED: the CA refused, its words in why, or what it handed out
 * is no certificate for the request. DSTACK_E_BUSY: not now; the order stays.
 * DSTACK_E_MISSING: the CA does not answer, or the request is absent.
 */
DSTACK_CHECKED enum dstack_status acme_issue(
    const struct acme_config *cfg, unsigned *again_s, struct why *why);

#endif
