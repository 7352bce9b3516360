/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ECDSA on P-256 by OpenSSL, verification only. Points are checked to be on the
 * curve when a key is made, r and s to be in 1..n-1 by OpenSSL's verification;
 * both have tests of ours. Errors of OpenSSL stay out of the thread's queue,
 * which belongs to the program that this library is part of.
 */
#include "dcap/p256.h"

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <string.h>

#include "dcap/der.h"
#include "dcap/digest.h"

static p256_key *
from_data(const uint8_t point[static 65])
{
	char group[] = "P-256";
	uint8_t copy[65];
	memcpy(copy, point, sizeof(copy));
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_utf8_string(
		    OSSL_PKEY_PARAM_GROUP_NAME, group, 0),
		OSSL_PARAM_construct_octet_string(
		    OSSL_PKEY_PARAM_PUB_KEY, copy, sizeof(copy)),
		OSSL_PARAM_construct_end(),
	};
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
	EVP_PKEY *k = NULL;
	if (ctx == NULL || EVP_PKEY_fromdata_init(ctx) != 1 ||
	    EVP_PKEY_fromdata(ctx, &k, EVP_PKEY_PUBLIC_KEY, params) != 1)
		k = NULL;
	EVP_PKEY_CTX_free(ctx);
	return k;
}

p256_key *
p256_new(const uint8_t xy[static 64], const p256_key *like)
{
	uint8_t point[65] = { 0x04 };
	EVP_PKEY *k;
	memcpy(point + 1, xy, 64);
	(void)ERR_set_mark(); /* leave nothing in the thread's error queue */
	if (like == NULL) {
		k = from_data(point);
	} else {
		/* Building a group anew costs more than the rest of this. */
		k = EVP_PKEY_dup((EVP_PKEY *)(uintptr_t)like);
		if (k != NULL && EVP_PKEY_set1_encoded_public_key(
		    k, point, sizeof(point)) != 1) {
			EVP_PKEY_free(k);
			k = NULL;
		}
	}
	(void)ERR_pop_to_mark();
	return k;
}

void
p256_free(p256_key *k)
{
	EVP_PKEY_free(k);
}

/* One INTEGER of r || s in DER; out: at most 35 bytes. Returns its length. */
static size_t
put_integer(uint8_t *out, const uint8_t v[static 32])
{
	size_t skip = 0;
	while (skip < 31 && v[skip] == 0)
		skip++;
	/* A first bit would read as a sign. */
	size_t pad = (v[skip] & 0x80) != 0;
	size_t n = 32 - skip;
	out[0] = DER_INTEGER;
	out[1] = (uint8_t)(n + pad);
	out[2] = 0;
	memcpy(out + 2 + pad, v + skip, n);
	return 2 + pad + n;
}

/* OpenSSL takes DER alone, so r and s are put into it. */
bool
p256_verify(
    p256_key *k, const void *msg, size_t len, const uint8_t sig[static 64])
{
	uint8_t digest[32], der[72];
	const struct dcap_bytes all = { msg, len };
	size_t n = 2;
	n += put_integer(der + n, sig);
	n += put_integer(der + n, sig + 32);
	der[0] = DER_SEQ;
	der[1] = (uint8_t)(n - 2);
	(void)ERR_set_mark();
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(k, NULL);
	bool ok = ctx != NULL && digest_sha256(&all, 1, digest) &&
	    EVP_PKEY_verify_init(ctx) == 1 &&
	    EVP_PKEY_verify(ctx, der, n, digest, sizeof(digest)) == 1;
	EVP_PKEY_CTX_free(ctx);
	(void)ERR_pop_to_mark();
	return ok;
}

/* Positive, minimal, at most 32 bytes: one signature, one encoding. */
static enum dstack_status
take_number(struct rd *r, uint8_t out[static 32])
{
	struct rd in;
	enum dstack_status st = der_take(r, DER_INTEGER, &in);
	if (st != DSTACK_OK)
		return st;
	if (in.len == 0 || (in.buf[0] & 0x80) != 0 ||
	    (in.len > 1 && in.buf[0] == 0 && (in.buf[1] & 0x80) == 0))
		return DSTACK_E_FORMAT; /* negative or not minimal */
	uint8_t zero;
	if (in.buf[0] == 0) {
		st = rd_u8(&in, &zero);
		if (st != DSTACK_OK)
			return st;
	}
	size_t n = rd_left(&in);
	if (n > 32)
		return DSTACK_E_FORMAT;
	memset(out, 0, 32);
	return rd_copy(&in, out + 32 - n, n);
}

enum dstack_status
p256_sig_from_der(struct rd *r, uint8_t sig[static 64])
{
	struct rd seq;
	enum dstack_status st = der_take(r, DER_SEQ, &seq);
	if (st == DSTACK_OK)
		st = take_number(&seq, sig);
	if (st == DSTACK_OK)
		st = take_number(&seq, sig + 32);
	if (st == DSTACK_OK)
		st = rd_end(&seq);
	if (st == DSTACK_OK)
		st = rd_end(r);
	return st;
}
