/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SHA-2 by OpenSSL, for a library that may live in another program: it aborts
 * on nothing (lib/crypto's does) and leaves that program's error queue as it
 * found it.
 */
#include "dcap/digest.h"

#include <openssl/err.h>
#include <openssl/evp.h>

static bool
digest(const EVP_MD *md, const struct dcap_bytes *v, size_t count, uint8_t *out)
{
	(void)ERR_set_mark(); /* leave nothing in the thread's error queue */
	EVP_MD_CTX *c = EVP_MD_CTX_new();
	bool ok = c != NULL && EVP_DigestInit_ex(c, md, NULL) == 1;
	for (size_t i = 0; ok && i < count; i++)
		ok = EVP_DigestUpdate(c, v[i].p, v[i].n) == 1;
	ok = ok && EVP_DigestFinal_ex(c, out, NULL) == 1;
	EVP_MD_CTX_free(c);
	(void)ERR_pop_to_mark();
	return ok;
}

bool
digest_sha256(
    const struct dcap_bytes *v, size_t count, uint8_t out[static 32])
{
	return digest(EVP_sha256(), v, count, out);
}

bool
digest_sha384(
    const struct dcap_bytes *v, size_t count, uint8_t out[static 48])
{
	return digest(EVP_sha384(), v, count, out);
}
