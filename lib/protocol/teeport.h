/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Frames of the TEE port (docs/internals.md section 3), by which a guest of
 * the sim flavour reaches its simulator: request u32 length of the rest, u8
 * op, payload; answer u32 length of the rest, u8 status, payload.
 */
#ifndef PROTOCOL_TEEPORT_H
#define PROTOCOL_TEEPORT_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "base/wr.h"

#define TEEPORT_HEAD 4u
#define TEEPORT_MAX_REQUEST 65u          /* rest of the longest request */
#define TEEPORT_MAX_ANSWER (64u * 1024)  /* rest of an answer */
#define TEEPORT_REPORT_LEN (6u * 48)

enum teeport_op {
	TEEPORT_QUOTE = 1,  /* report_data 64 -> quote */
	TEEPORT_EXTEND = 2, /* index u8 (3), digest 48 -> register 48 */
	TEEPORT_REPORT = 3, /* -> MRTD, RTMR0..3, MRCONFIGID, 48 each */
};

enum teeport_status { TEEPORT_YES = 0, TEEPORT_NO = 1 };

struct teeport_request {
	enum teeport_op op;
	const uint8_t *data; /* report_data or digest, borrowed */
};

/*
 * Length of the rest from the first four bytes: 1..max, else
 * DSTACK_E_FORMAT (0) or DSTACK_E_LIMIT.
 */
DSTACK_CHECKED enum dstack_status teeport_rest(
    const uint8_t head[static TEEPORT_HEAD], size_t max, size_t *len);

/*
 * Decode the rest of a request. DSTACK_E_FORMAT: unknown op, or bytes too
 * many; DSTACK_E_TRUNCATED: too few; DSTACK_E_REJECTED: a register other
 * than RTMR3, which a running VM may not touch here.
 */
DSTACK_CHECKED enum dstack_status teeport_decode(
    const void *rest, size_t len, struct teeport_request *out);

/*
 * Decode the rest of an answer: on DSTACK_OK *payload, borrowed. A "no" is
 * DSTACK_E_REJECTED with the simulator's text in why.
 */
DSTACK_CHECKED enum dstack_status teeport_decode_answer(const void *rest,
    size_t len, const uint8_t **payload, size_t *n, struct why *why);

/* Append whole frames. data: NULL for TEEPORT_REPORT. */
void teeport_put_request(
    struct wr *w, enum teeport_op op, const uint8_t *data);
void teeport_put_answer(
    struct wr *w, enum teeport_status status, const void *p, size_t n);

#endif
