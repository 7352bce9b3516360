/* SPDX-License-Identifier: Apache-2.0 */
/*
 * RA-TLS: an X.509 certificate that carries a quote which names its key. The
 * extensions are those of the SDK's guests, each an OCTET STRING within the
 * extension's value, not critical:
 *
 *	1.3.6.1.4.1.62397.1.1  the quote
 *	1.3.6.1.4.1.62397.1.2  the log of RTMR3's events, JSON
 *	1.3.6.1.4.1.62397.1.3  the app's id, 32 bytes
 *
 * and the quote's report_data is SHA-512("ratls-cert:" || the key's
 * SubjectPublicKeyInfo in DER). Pure but for OpenSSL's allocations.
 */
#ifndef CRYPTO_RATLS_H
#define CRYPTO_RATLS_H

#include <stddef.h>
#include <stdint.h>

#include <openssl/x509.h>

#include "base/status.h"
#include "base/wr.h"

#define RATLS_OID_QUOTE "1.3.6.1.4.1.62397.1.1"
#define RATLS_OID_LOG "1.3.6.1.4.1.62397.1.2"
#define RATLS_OID_APP "1.3.6.1.4.1.62397.1.3"
#define RATLS_MAX_FILE (256u * 1024) /* bytes of a certificate file */
#define RATLS_MAX_CHAIN 4

/* What the quote of a certificate for this key has as its report_data. */
DSTACK_CHECKED enum dstack_status ratls_report_data(
    const EVP_PKEY *key, uint8_t out[static 64]);

/* Add an extension of n bytes. */
DSTACK_CHECKED enum dstack_status ratls_add(
    X509 *cert, const char *oid, const void *p, size_t n);

struct ratls {
	struct wr quote;
	struct wr log;           /* JSON as it is there; empty: none */
	struct wr app_id;        /* empty: none */
	uint8_t report_data[64]; /* what the quote's must be */
	uint8_t spki_sha256[32]; /* of the leaf's key, to pin it by */
	size_t chain;            /* certificates behind the leaf */
};
void ratls_free(struct ratls *r);
#define AUTO_RATLS OWN_CLEANUP(ratls_free)

/*
 * A certificate with its quote: one in DER, or PEM with the leaf first and
 * those that issued it behind. now: seconds since 1970, inside the windows of
 * all of them. The quote itself is the caller's to judge, with report_data.
 * DSTACK_E_LIMIT, DSTACK_E_FORMAT: no such file, or no quote in the leaf.
 * DSTACK_E_REJECTED: one is not issued by the next, or not valid at now.
 */
DSTACK_CHECKED enum dstack_status ratls_read(const void *file, size_t n,
    int64_t now, struct ratls *out, struct why *why);

#endif
