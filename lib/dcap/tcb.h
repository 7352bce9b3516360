/* SPDX-License-Identifier: Apache-2.0 */
/* From SVNs to a TCB status (QVL 4.1.2.5.1, 4.1.2.5.2, 4.1.2.5.12). */
#ifndef DCAP_TCB_H
#define DCAP_TCB_H

#include "dcap/collateral.h"
#include "dcap/pckext.h"

/*
 * Find the platform's, module's and quoting enclave's levels and converge
 * them into v. DCAP_OK, or why not (v's statuses are set as far as found).
 */
enum dcap_code tcb_evaluate(const struct dcap_collateral *c,
    const struct dcap_quote *q, const struct pck_ext *pck,
    struct dcap_verdict *v);

#endif
