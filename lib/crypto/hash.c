/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keccak-256 stands on nettle's permutation: OpenSSL 3.0 has no Keccak with
 * the padding Ethereum uses. All else is OpenSSL's. A hash that cannot be
 * made (no memory, no provider) has no honest result: the process ends.
 */
#include "crypto/hash.h"

#include <stdlib.h>
#include <string.h>

#include <nettle/sha3.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/params.h>

#define KECCAK_RATE 136 /* bytes: 1600 - 2 * 256 bits */

struct keccak {
	struct sha3_state st;
	size_t at; /* bytes of the block filled so far, < KECCAK_RATE */
};

static void
keccak_byte(struct keccak *k, uint8_t b)
{
	k->st.a[k->at / 8] ^= (uint64_t)b << (8 * (k->at % 8));
}

static void
keccak_update(struct keccak *k, const uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		keccak_byte(k, p[i]);
		if (++k->at == KECCAK_RATE) {
			sha3_permute(&k->st);
			k->at = 0;
		}
	}
}

/*
 * The padding of the Keccak submission, 0x01 ... 0x80, which Ethereum froze
 * before FIPS 202 put two more bits in front of it: SHA3-256 of the same bytes
 * is another value.
 */
void
keccak256v(const struct piece *v, size_t count, uint8_t out[static 32])
{
	struct keccak k;
	memset(&k, 0, sizeof(k));
	for (size_t i = 0; i < count; i++)
		keccak_update(&k, v[i].p, v[i].n);
	keccak_byte(&k, 0x01);
	k.at = KECCAK_RATE - 1;
	keccak_byte(&k, 0x80);
	sha3_permute(&k.st);
	for (size_t i = 0; i < 32; i++)
		out[i] = (uint8_t)(k.st.a[i / 8] >> (8 * (i % 8)));
	explicit_bzero(&k, sizeof(k));
}

void
keccak256(const void *p, size_t n, uint8_t out[static 32])
{
	struct piece v = { p, n };
	keccak256v(&v, 1, out);
}

static void
must(int ok)
{
	if (ok != 1)
		abort();
}

static void
digest(const EVP_MD *md, const struct piece *v, size_t count, uint8_t *out)
{
	EVP_MD_CTX *c = EVP_MD_CTX_new();
	must(c != NULL);
	must(EVP_DigestInit_ex(c, md, NULL));
	for (size_t i = 0; i < count; i++) {
		if (v[i].n != 0)
			must(EVP_DigestUpdate(c, v[i].p, v[i].n));
	}
	must(EVP_DigestFinal_ex(c, out, NULL));
	EVP_MD_CTX_free(c);
}

void
sha256(const void *p, size_t n, uint8_t out[static 32])
{
	struct piece v = { p, n };
	digest(EVP_sha256(), &v, 1, out);
}

void
sha256v(const struct piece *v, size_t count, uint8_t out[static 32])
{
	digest(EVP_sha256(), v, count, out);
}

void
sha384(const void *p, size_t n, uint8_t out[static 48])
{
	struct piece v = { p, n };
	digest(EVP_sha384(), &v, 1, out);
}

void
sha384v(const struct piece *v, size_t count, uint8_t out[static 48])
{
	digest(EVP_sha384(), v, count, out);
}

/*
 * Kept for apps of the original, whose getkey is this function of tag and key
 * (RFC 7693, 32-byte digest and key).
 */
void
blake2b256_keyed(const uint8_t key[static 32], const void *p, size_t n,
    uint8_t out[static 32])
{
	size_t size = 32;
	size_t got = 0;
	EVP_MAC *mac = EVP_MAC_fetch(NULL, "BLAKE2BMAC", NULL);
	must(mac != NULL);
	EVP_MAC_CTX *c = EVP_MAC_CTX_new(mac);
	must(c != NULL);
	const OSSL_PARAM params[] = {
		OSSL_PARAM_construct_size_t(OSSL_MAC_PARAM_SIZE, &size),
		OSSL_PARAM_construct_end(),
	};
	must(EVP_MAC_init(c, key, 32, params));
	if (n != 0)
		must(EVP_MAC_update(c, p, n));
	must(EVP_MAC_final(c, out, &got, 32));
	must(got == 32);
	EVP_MAC_CTX_free(c);
	EVP_MAC_free(mac);
}

void
hmac_sha256(const void *key, size_t keylen, const void *p, size_t n,
    uint8_t out[static 32])
{
	static const uint8_t none[1] = { 0 };
	/*
	 * OpenSSL takes the key's length as an int; keys here are salts and
	 * hashes, far below.
	 */
	must(keylen <= 1u << 20);
	must(HMAC(EVP_sha256(), keylen != 0 ? key : none, (int)keylen,
	    n != 0 ? p : none, n, out, NULL) != NULL);
}

void
hkdf_extract(const void *salt, size_t saltlen, const void *ikm, size_t ikmlen,
    uint8_t prk[static 32])
{
	hmac_sha256(salt, saltlen, ikm, ikmlen, prk);
}

/*
 * RFC 5869, section 2.3. Label and parts are longer than any stack buffer would
 * guess, so the block is on the heap, and wiped: T(i) is key material.
 */
enum dstack_status
hkdf_expand(const uint8_t prk[static 32], const void *info, size_t infolen,
    void *out, size_t n)
{
	size_t max;
	if (n > 255 * 32 || __builtin_add_overflow(infolen, (size_t)33, &max))
		return DSTACK_E_LIMIT;
	/* T(i) = HMAC(prk, T(i-1) || info || i); T(0) is empty */
	uint8_t *m = malloc(max);
	if (m == NULL)
		return DSTACK_E_NOMEM;
	uint8_t t[32];
	uint8_t *to = out;
	size_t done = 0;
	if (infolen != 0)
		memcpy(m + 32, info, infolen);
	for (uint8_t i = 1; done < n; i++) {
		size_t take = n - done < 32 ? n - done : 32;
		m[32 + infolen] = i;
		if (i == 1) {
			hmac_sha256(prk, 32, m + 32, infolen + 1, t);
		} else {
			memcpy(m, t, 32);
			hmac_sha256(prk, 32, m, max, t);
		}
		memcpy(to + done, t, take);
		done += take;
	}
	explicit_bzero(t, sizeof(t));
	explicit_bzero(m, max);
	free(m);
	return DSTACK_OK;
}

struct hasher {
	EVP_MD_CTX *c;
};

struct hasher *
hasher_new(enum hasher_kind kind)
{
	struct hasher *h = malloc(sizeof(*h));
	if (h == NULL)
		return NULL;
	h->c = EVP_MD_CTX_new();
	if (h->c == NULL ||
	    EVP_DigestInit_ex(h->c,
	    kind == HASHER_SHA384 ? EVP_sha384() : EVP_sha256(), NULL) != 1) {
		EVP_MD_CTX_free(h->c);
		free(h);
		return NULL;
	}
	return h;
}

void
hasher_update(struct hasher *h, const void *p, size_t n)
{
	if (n != 0)
		must(EVP_DigestUpdate(h->c, p, n));
}

void
hasher_final(struct hasher *h, uint8_t *out)
{
	must(EVP_DigestFinal_ex(h->c, out, NULL));
	EVP_MD_CTX_free(h->c);
	free(h);
}
