/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ed25519 by OpenSSL, one call a function: a key of raw bytes is made, used
 * once and freed, which wipes it. Signing draws no randomness (RFC 8032, 5.1),
 * so it may stand in lib/. What OpenSSL cannot do for want of memory is
 * DSTACK_E_NOMEM and never a yes.
 */
#include "crypto/ed25519.h"

#include <stdbool.h>

#include <openssl/evp.h>

enum dstack_status
ed25519_public(const struct secret32 *seed, uint8_t pub[static 32])
{
	size_t n = 32;
	EVP_PKEY *k = EVP_PKEY_new_raw_private_key(
	    EVP_PKEY_ED25519, NULL, seed->b, sizeof(seed->b));
	const bool ok =
	    k != NULL && EVP_PKEY_get_raw_public_key(k, pub, &n) == 1 && n == 32;
	EVP_PKEY_free(k);
	return ok ? DSTACK_OK : DSTACK_E_NOMEM;
}

enum dstack_status
ed25519_sign(const struct secret32 *seed, const void *data, size_t n,
    uint8_t sig[static ED25519_SIG_LEN])
{
	size_t len = ED25519_SIG_LEN;
	EVP_PKEY *k = EVP_PKEY_new_raw_private_key(
	    EVP_PKEY_ED25519, NULL, seed->b, sizeof(seed->b));
	EVP_MD_CTX *c = EVP_MD_CTX_new();
	const bool ok = k != NULL && c != NULL &&
	    EVP_DigestSignInit(c, NULL, NULL, NULL, k) == 1 &&
	    EVP_DigestSign(c, sig, &len, data, n) == 1 &&
	    len == ED25519_SIG_LEN;
	EVP_MD_CTX_free(c);
	EVP_PKEY_free(k);
	return ok ? DSTACK_OK : DSTACK_E_NOMEM;
}

enum dstack_status
ed25519_verify(const uint8_t pub[static 32], const void *data, size_t n,
    const uint8_t sig[static ED25519_SIG_LEN])
{
	enum dstack_status st = DSTACK_E_NOMEM;
	EVP_PKEY *k =
	    EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, pub, 32);
	EVP_MD_CTX *c = EVP_MD_CTX_new();
	if (k != NULL && c != NULL &&
	    EVP_DigestVerifyInit(c, NULL, NULL, NULL, k) == 1)
		st = EVP_DigestVerify(c, sig, ED25519_SIG_LEN, data, n) == 1
		    ? DSTACK_OK
		    : DSTACK_E_REJECTED;
	EVP_MD_CTX_free(c);
	EVP_PKEY_free(k);
	return st;
}
