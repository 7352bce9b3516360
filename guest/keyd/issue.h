/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The certificates of an app: its own authority, and leaves for keys that the
 * app holds. Fields in, X.509 out (RFC 5280); no key is made here.
 */
#ifndef GUEST_KEYD_ISSUE_H
#define GUEST_KEYD_ISSUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <openssl/x509.h>

#include "base/status.h"
#include "protocol/sdk.h"

#define ISSUE_SERIAL 16 /* bytes, random */

struct issue_leaf {
	uint8_t app_id[32];
	char subject[SDK_MAX_TEXT + 1]; /* common name, to 64; empty: none */
	char alt[SDK_MAX_NAMES][SDK_MAX_TEXT + 1]; /* DNS names or addresses */
	size_t nalt;
	bool server, client, app;
	uint64_t not_before, not_after; /* seconds */
	const uint8_t *spki;            /* a P-256 key, DER; borrowed */
	size_t spki_len;
	const uint8_t *quote; /* length 0: none; borrowed */
	size_t quote_len;
	const uint8_t *log;
	size_t log_len;
};

/* The authority of an app, by its key; caller frees. */
DSTACK_CHECKED enum dstack_status issue_ca(EVP_PKEY *key,
    const uint8_t app_id[static 32], const uint8_t serial[static ISSUE_SERIAL],
    X509 **out);

/*
 * A leaf under it; caller frees. DSTACK_E_REJECTED: a field that no
 * certificate can have; why says which.
 */
DSTACK_CHECKED enum dstack_status issue_leaf(const struct issue_leaf *f,
    EVP_PKEY *key, X509 *ca, const uint8_t serial[static ISSUE_SERIAL],
    X509 **out, struct why *why);

#endif
