/* SPDX-License-Identifier: Apache-2.0 */
/* Intel's quote generation service on the host, over vsock. */
#ifndef GUEST_TEE_QGS_H
#define GUEST_TEE_QGS_H

#include "protocol/qgs.h"

#define QGS_CID 2 /* VMADDR_CID_HOST */
#define QGS_PORT 4050

/*
 * Ask for a quote of the local report; at most 60 s a step. The quote is
 * appended to out. DSTACK_E_MISSING: no QGS there, or it failed;
 * DSTACK_E_BUSY: it stalls; DSTACK_E_FORMAT: it talks nonsense.
 */
DSTACK_CHECKED enum dstack_status qgs_quote(
    const uint8_t report[static TDREPORT_LEN], struct wr *out,
    struct why *why);

#endif
