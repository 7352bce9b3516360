/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SHA-2 over the pieces, one after the other. False: OpenSSL had no memory
 * or no such hash, and out is not set; to a verifier that is a no.
 */
#ifndef DCAP_DIGEST_H
#define DCAP_DIGEST_H

#include "dstack/dcap.h"

DSTACK_CHECKED bool digest_sha256(
    const struct dcap_bytes *v, size_t count, uint8_t out[static 32]);
DSTACK_CHECKED bool digest_sha384(
    const struct dcap_bytes *v, size_t count, uint8_t out[static 48]);

#endif
