/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Identity of the quoting enclave, version 2 (PCS API v4, "Get Quoting
 * Enclave Identity", "Get TD Quoting Enclave Identity").
 */
#ifndef DCAP_QEID_H
#define DCAP_QEID_H

#include "dcap/levels.h"

struct qe_identity {
	enum dcap_tee tee; /* "TD_QE" or "QE" */
	struct window valid; /* issueDate to nextUpdate */
	uint32_t eval;
	uint8_t miscselect[4];
	uint8_t miscselect_mask[4];
	uint8_t attributes[16];
	uint8_t attributes_mask[16];
	uint8_t mrsigner[32];
	uint16_t isvprodid;
	struct svn_levels levels;
	struct advisory_pool pool;
};

/* *code as for tcbinfo_parse. qeid_free also after failure. */
DSTACK_CHECKED enum dstack_status qeid_parse(const void *text, size_t len,
    struct qe_identity *out, enum dcap_code *code, struct why *why);
void qeid_free(struct qe_identity *q);

/* Is it this enclave? DSTACK_E_REJECTED: why says what differs. */
DSTACK_CHECKED enum dstack_status qeid_check(const struct qe_identity *q,
    const struct dcap_sgx_report *report, struct why *why);

#endif
