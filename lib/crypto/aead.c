/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One key wraps another: OpenSSL's AES-256-GCM with the associated data in
 * front. What fails its tag is wiped before the caller can look at it, as GCM
 * gives out plaintext before it has seen the tag.
 */
#include "crypto/aead.h"

#include <stdbool.h>

#include <openssl/evp.h>

static bool
seal(EVP_CIPHER_CTX *c, const struct secret32 *key, const uint8_t *nonce,
    const void *aad, size_t aadlen, const void *pt, size_t n, uint8_t *out)
{
	int len = 0;

	/* GCM's own nonce length is 12, so none is set */
	return EVP_EncryptInit_ex(c, EVP_aes_256_gcm(), NULL, key->b, nonce) ==
		1 &&
	    EVP_EncryptUpdate(c, NULL, &len, aad, (int)aadlen) == 1 &&
	    EVP_EncryptUpdate(c, out, &len, pt, (int)n) == 1 &&
	    (size_t)len == n && EVP_EncryptFinal_ex(c, out + n, &len) == 1 &&
	    EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_GET_TAG, AEAD_TAG, out + n) ==
		1;
}

static bool
set_up(EVP_CIPHER_CTX *c, const struct secret32 *key, const uint8_t *nonce,
    const void *aad, size_t aadlen, const uint8_t *tag)
{
	uint8_t want[AEAD_TAG]; /* the call takes no const */
	int len = 0;

	memcpy(want, tag, sizeof(want));
	return EVP_DecryptInit_ex(c, EVP_aes_256_gcm(), NULL, key->b, nonce) ==
		1 &&
	    EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_SET_TAG, AEAD_TAG, want) ==
		1 &&
	    EVP_DecryptUpdate(c, NULL, &len, aad, (int)aadlen) == 1;
}

enum dstack_status
aead_seal(const struct secret32 *key, const uint8_t nonce[static AEAD_NONCE],
    const void *aad, size_t aadlen, const void *pt, size_t n, uint8_t *out)
{
	if (n > AEAD_MAX || aadlen > AEAD_MAX)
		return DSTACK_E_LIMIT;
	EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
	if (c == NULL)
		return DSTACK_E_NOMEM;
	const bool ok = seal(c, key, nonce, aad, aadlen, pt, n, out);
	EVP_CIPHER_CTX_free(c);
	return ok ? DSTACK_OK : DSTACK_E_SYS;
}

enum dstack_status
aead_open(const struct secret32 *key, const uint8_t nonce[static AEAD_NONCE],
    const void *aad, size_t aadlen, const uint8_t *in, size_t n, uint8_t *out)
{
	int len = 0;
	enum dstack_status st = DSTACK_E_SYS;

	if (n > AEAD_MAX || aadlen > AEAD_MAX)
		return DSTACK_E_LIMIT;
	EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
	if (c == NULL)
		return DSTACK_E_NOMEM;
	if (set_up(c, key, nonce, aad, aadlen, in + n) &&
	    EVP_DecryptUpdate(c, out, &len, in, (int)n) == 1 &&
	    (size_t)len == n)
		/* only here does the tag speak */
		st = EVP_DecryptFinal_ex(c, out + n, &len) == 1
		    ? DSTACK_OK
		    : DSTACK_E_REJECTED;
	EVP_CIPHER_CTX_free(c);
	if (st != DSTACK_OK)
		explicit_bzero(out, n);
	return st;
}
