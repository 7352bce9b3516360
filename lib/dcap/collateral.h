/* SPDX-License-Identifier: Apache-2.0 */
/* Loaded collateral, as the judging part sees it: read-only. */
#ifndef DCAP_COLLATERAL_H
#define DCAP_COLLATERAL_H

#include "dcap/crl.h"
#include "dcap/qeid.h"
#include "dcap/tcbinfo.h"
#include "dcap/x509.h"

/* A certificate with what it points into. */
struct kept_cert {
	struct x509_cert cert;
	uint8_t *der; /* owned */
};

/*
 * Signatures below are checked at load: each root by itself, each issuer by
 * its root, each list and document by its issuer. That the roots are the
 * trusted one, and all times, are checked at every judgement.
 */
struct dcap_collateral {
	struct kept_cert pck_ca, pck_root;
	struct kept_cert tcb_signer, tcb_root;
	struct kept_cert qe_signer, qe_root;
	p256_key *pck_ca_key; /* owned */
	uint8_t *root_crl_der; /* owned */
	uint8_t *pck_crl_der;  /* owned */
	char *pck_chain; /* owned; PEM that no signature here vouches for */
	size_t pck_chain_len; /* 0: none was given */
	struct crl root_crl;
	struct crl pck_crl;
	struct tcb_info tcb;
	struct qe_identity qe;
};

#endif
