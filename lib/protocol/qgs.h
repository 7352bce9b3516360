/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Messages of Intel's quote generation service (QGS): header u16 major (1),
 * u16 minor, u32 type, u32 size of the whole, u32 error, little-endian;
 * request: u32 report size, u32 id list size, report; answer: u32 id size,
 * u32 quote size, id, quote. On vsock each goes behind its length, u32 big-
 * endian. Its answers are the host's word: the quote is checked elsewhere.
 */
#ifndef PROTOCOL_QGS_H
#define PROTOCOL_QGS_H

#include <stddef.h>
#include <stdint.h>

#include "base/wr.h"

#define QGS_MAX (64u * 1024)
#define TDREPORT_LEN 1024

/* A whole request, its vsock length in front. */
void qgs_put_request(struct wr *w, const uint8_t report[static TDREPORT_LEN]);
/*
 * The quote of an answer (without its vsock length) is appended to out.
 * DSTACK_E_FORMAT: no such answer; DSTACK_E_MISSING: QGS says it failed.
 */
DSTACK_CHECKED enum dstack_status qgs_answer(
    const void *p, size_t n, struct wr *out, struct why *why);

#endif
