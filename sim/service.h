/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The original's quote service over HTTP, on simulated quotes:
 *   GET /attest/HEX, /attestation/HEX  raw TDX v4 quote over the bytes, cut
 *       or zero-padded to 64; 400 bad hex
 *   POST /verify  a raw quote of at most 12800 bytes: 200 and its fields as
 *       JSON (bytes as base64, zero numbers left out), 400 no v4 TDX quote,
 *       418 chain or signature wrong. Roots: the simulator's and Intel's.
 *   GET /livez, /readyz (503 while drained), /drain, /undrain
 * As the original's, /verify looks at no collateral: no CRL, no TCB status.
 * "dstack quote verify" does.
 */
#ifndef SIM_SERVICE_H
#define SIM_SERVICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "base/wr.h"

#define SERVICE_MAX_QUOTE 12800u

/*
 * The JSON of a v4 TDX quote, appended to out. DSTACK_E_FORMAT: it is none.
 */
DSTACK_CHECKED enum dstack_status service_quote_json(
    const void *quote, size_t len, struct wr *out, struct why *why);

/*
 * Serve on "ADDRESS:PORT" (an IPv4 address; port 0: any, printed) until
 * SIGTERM or SIGINT. DSTACK_E_FORMAT: no such address; DSTACK_E_SYS.
 */
DSTACK_CHECKED enum dstack_status service_run(
    const char *address, struct why *why);

#endif
