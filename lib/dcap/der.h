/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bounded cursor over DER (X.690): definite, minimal lengths; tags of one
 * byte. A read that fails moves nothing. Nesting is the caller's: every
 * level is a call of its own, so depth is bounded by the code.
 */
#ifndef DCAP_DER_H
#define DCAP_DER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/rd.h"
#include "dcap/when.h"

enum {
	DER_BOOLEAN = 0x01,
	DER_INTEGER = 0x02,
	DER_BITS = 0x03,
	DER_OCTETS = 0x04,
	DER_NULL = 0x05,
	DER_OID = 0x06,
	DER_ENUM = 0x0a,
	DER_UTF8 = 0x0c,
	DER_PRINTABLE = 0x13,
	DER_UTCTIME = 0x17,
	DER_GENTIME = 0x18,
	DER_SEQ = 0x30,
	DER_SET = 0x31,
	DER_CTX0 = 0xa0,
	DER_CTX3 = 0xa3,
};

struct der_span {
	const uint8_t *p; /* borrowed */
	size_t n;
};

bool der_span_equal(struct der_span a, struct der_span b);

/* Next element, which must have this tag; in: its content. */
DSTACK_CHECKED enum dstack_status der_take(
    struct rd *r, uint8_t tag, struct rd *in);
/* As der_take, and raw: the element with tag and length. */
DSTACK_CHECKED enum dstack_status der_take_raw(
    struct rd *r, uint8_t tag, struct rd *in, struct der_span *raw);
/* Next element of any tag. */
DSTACK_CHECKED enum dstack_status der_take_any(
    struct rd *r, uint8_t *tag, struct rd *in);
/* Does the next element have this tag? False at the end. */
bool der_is(const struct rd *r, uint8_t tag);

/* INTEGER content, 1 to 32 bytes, leading zero bytes off. */
DSTACK_CHECKED enum dstack_status der_take_integer(
    struct rd *r, struct der_span *out);
/* A non-negative INTEGER of at most 64 bits. */
DSTACK_CHECKED enum dstack_status der_take_u64(struct rd *r, uint64_t *out);
DSTACK_CHECKED enum dstack_status der_take_bool(struct rd *r, bool *out);
/* OID content bytes. */
DSTACK_CHECKED enum dstack_status der_take_oid(struct rd *r, struct der_span *out);
/* UTCTime or GeneralizedTime in the forms of RFC 5280 4.1.2.5; seconds. */
DSTACK_CHECKED enum dstack_status der_take_time(struct rd *r, int64_t *out);
/* Two of them: Validity's content; thisUpdate and nextUpdate. */
DSTACK_CHECKED enum dstack_status der_take_window(
    struct rd *r, struct window *out);

#endif
