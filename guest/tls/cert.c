/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The network's TLS key as OpenSSL wants it, and what is said with it: its
 * point, its hash, and the request a CA signs. The scalar comes out of the
 * epoch's secret, so only arithmetic that takes the same time for every key
 * touches it. The certificate that comes back is judged elsewhere
 * (lib/crypto/server_chain.c).
 */
#include "guest/tls/cert.h"

#include <string.h>

#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "crypto/hash.h"

/* The scalar's public point, by OpenSSL's own group arithmetic. */
static enum dstack_status
public_point(const struct secret32 *scalar, uint8_t out[static 65])
{
	enum dstack_status st = DSTACK_E_NOMEM;
	EC_GROUP *group = EC_GROUP_new_by_curve_name(NID_X9_62_prime256v1);
	BIGNUM *k = BN_secure_new();
	EC_POINT *p = group != NULL ? EC_POINT_new(group) : NULL;
	if (p == NULL || k == NULL)
		goto out;
	BN_set_flags(k, BN_FLG_CONSTTIME);
	if (BN_bin2bn(scalar->b, sizeof(scalar->b), k) == NULL)
		goto out;
	if (BN_is_zero(k) || BN_cmp(k, EC_GROUP_get0_order(group)) >= 0) {
		st = DSTACK_E_REJECTED;
		goto out;
	}
	if (EC_POINT_mul(group, p, k, NULL, NULL, NULL) == 1 &&
	    EC_POINT_point2oct(group, p, POINT_CONVERSION_UNCOMPRESSED, out,
		65, NULL) == 65)
		st = DSTACK_OK;
out:
	EC_POINT_free(p);
	BN_clear_free(k);
	EC_GROUP_free(group);
	return st;
}

/*
 * The key as OpenSSL takes it: it computes no public point from a scalar, so
 * both go in.
 */
enum dstack_status
cert_key(const struct secret32 *scalar, EVP_PKEY **out)
{
	uint8_t point[65];
	enum dstack_status st = public_point(scalar, point);
	if (st != DSTACK_OK)
		return st;
	st = DSTACK_E_NOMEM;
	EVP_PKEY *key = NULL;
	OSSL_PARAM *params = NULL;
	BIGNUM *k = BN_secure_new();
	OSSL_PARAM_BLD *b = OSSL_PARAM_BLD_new();
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
	if (k == NULL || b == NULL || ctx == NULL ||
	    BN_bin2bn(scalar->b, sizeof(scalar->b), k) == NULL)
		goto out;
	if (OSSL_PARAM_BLD_push_utf8_string(
		b, OSSL_PKEY_PARAM_GROUP_NAME, "prime256v1", 0) != 1 ||
	    OSSL_PARAM_BLD_push_BN(b, OSSL_PKEY_PARAM_PRIV_KEY, k) != 1 ||
	    OSSL_PARAM_BLD_push_octet_string(
		b, OSSL_PKEY_PARAM_PUB_KEY, point, sizeof(point)) != 1)
		goto out;
	params = OSSL_PARAM_BLD_to_param(b);
	if (params == NULL || EVP_PKEY_fromdata_init(ctx) != 1 ||
	    EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_KEYPAIR, params) != 1)
		goto out;
	*out = key;
	st = DSTACK_OK;
out:
	OSSL_PARAM_free(params);
	EVP_PKEY_CTX_free(ctx);
	OSSL_PARAM_BLD_free(b);
	BN_clear_free(k);
	return st;
}

enum dstack_status
cert_point(const EVP_PKEY *key, uint8_t out[static 65])
{
	size_t n = 0;
	if (EVP_PKEY_get_octet_string_param(
		key, OSSL_PKEY_PARAM_PUB_KEY, out, 65, &n) != 1 ||
	    n != 65 || out[0] != 4)
		return DSTACK_E_FORMAT;
	return DSTACK_OK;
}

/* What a client can compute from the certificate it was shown. */
enum dstack_status
cert_spki_hash(const EVP_PKEY *key, uint8_t out[static 32])
{
	unsigned char *der = NULL;
	int n = i2d_PUBKEY(key, &der);

	if (n <= 0)
		return DSTACK_E_SYS;
	keccak256(der, (size_t)n, out);
	OPENSSL_free(der);
	return DSTACK_OK;
}

enum dstack_status
cert_request(EVP_PKEY *key, const char *domain, struct wr *w)
{
	enum dstack_status st = DSTACK_E_NOMEM;
	X509_REQ *req = X509_REQ_new();
	STACK_OF(X509_EXTENSION) *exts = sk_X509_EXTENSION_new_null();
	BIO *bio = BIO_new(BIO_s_mem());
	char san[300];
	int n = snprintf(san, sizeof(san), "DNS:%s", domain);
	if (req == NULL || exts == NULL || bio == NULL || n < 0 ||
	    (size_t)n >= sizeof(san))
		goto out;
	X509_EXTENSION *ext =
	    X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, san);
	if (ext == NULL || sk_X509_EXTENSION_push(exts, ext) == 0) {
		X509_EXTENSION_free(ext);
		goto out;
	}
	/* RFC 5280: a common name is at most 64 characters; SAN is what counts */
	if (strlen(domain) <= 64 &&
	    X509_NAME_add_entry_by_txt(X509_REQ_get_subject_name(req), "CN",
		MBSTRING_ASC, (const unsigned char *)domain, -1, -1, 0) != 1)
		goto out;
	if (X509_REQ_set_version(req, X509_REQ_VERSION_1) != 1 ||
	    X509_REQ_add_extensions(req, exts) != 1 ||
	    X509_REQ_set_pubkey(req, key) != 1 ||
	    X509_REQ_sign(req, key, EVP_sha256()) == 0 ||
	    PEM_write_bio_X509_REQ(bio, req) != 1)
		goto out;
	char *text = NULL;
	long len = BIO_get_mem_data(bio, &text);
	if (len > 0) {
		wr_put(w, text, (size_t)len);
		st = wr_status(w);
	}
out:
	sk_X509_EXTENSION_pop_free(exts, X509_EXTENSION_free);
	X509_REQ_free(req);
	BIO_free(bio);
	return st;
}
