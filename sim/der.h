/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A DER writer (ITU-T X.690), as much as certificates and CRLs need. Each
 * function appends one element to out; errors stick in the writer.
 */
#ifndef SIM_DER_H
#define SIM_DER_H

#include <stddef.h>
#include <stdint.h>

#include "base/wr.h"

enum {
	DER_BOOL = 0x01,
	DER_INT = 0x02,
	DER_BITS = 0x03,
	DER_OCTETS = 0x04,
	DER_OID = 0x06,
	DER_ENUM = 0x0a,
	DER_UTF8 = 0x0c,
	DER_PRINTABLE = 0x13,
	DER_SEQ = 0x30,
	DER_SET = 0x31,
};

void der_put(struct wr *out, uint8_t tag, const void *p, size_t n);
/* The bytes of inner under tag; an error of inner becomes one of out. */
void der_wrap(struct wr *out, uint8_t tag, const struct wr *inner);
void der_str(struct wr *out, uint8_t tag, const char *text);
/* "1.2.840.113741"; every arc below 2^31, at least two. */
void der_oid(struct wr *out, const char *dotted);
void der_uint(struct wr *out, uint8_t tag, uint64_t v);
/* A positive INTEGER of n big-endian bytes, any n. */
void der_bigint(struct wr *out, const uint8_t *p, size_t n);
/* BIT STRING without unused bits. */
void der_bits(struct wr *out, const void *p, size_t n);
/* UTCTime before 2050, GeneralizedTime from then on (RFC 5280 4.1.2.5). */
void der_time(struct wr *out, int64_t unix_seconds);

/* PEM armour (RFC 7468) around n bytes of DER. label: "CERTIFICATE". */
void pem_put(struct wr *out, const char *label, const void *p, size_t n);

#endif
