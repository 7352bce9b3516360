/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JSON Web Signatures as ACME wants them (RFC 7515, 7518, 7638), by P-256
 * (ES256), P-384 (ES384) and RSA from 2048 bits (RS256). Other keys:
 * DSTACK_E_FORMAT.
 */
#ifndef HOST_JWS_H
#define HOST_JWS_H

#include <stdbool.h>
#include <stddef.h>

#include <openssl/evp.h>

#include "base/status.h"
#include "base/wr.h"

/* base64url without padding (RFC 7515 section 2), appended to w. */
void jws_b64(struct wr *w, const void *p, size_t n);

/* {"crv":"P-256","kty":"EC","x":...,"y":...} or {"e":...,"kty":"RSA","n":...}:
 * also what is hashed (7638). */
DSTACK_CHECKED enum dstack_status jws_jwk(const EVP_PKEY *key, struct wr *w);
/* base64url(SHA-256(jwk)). */
DSTACK_CHECKED enum dstack_status jws_thumbprint(
    const EVP_PKEY *key, struct wr *w);

/*
 * Flattened JWS of payload ("" for POST-as-GET). kid NULL: the key itself is
 * named (new account). nonce, url and kid must need no JSON escape
 * (DSTACK_E_FORMAT otherwise).
 */
DSTACK_CHECKED enum dstack_status jws_sign(EVP_PKEY *key, const char *kid,
    const char *nonce, const char *url, const char *payload, struct wr *w);

/* Account key of a PEM file, made with mode 0600 where there is none. */
DSTACK_CHECKED enum dstack_status jws_account_key(
    const char *path, EVP_PKEY **out, struct why *why);

#endif
