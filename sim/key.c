/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every key of the simulator from one public sentence and a label. That anybody
 * can make them is the point: a network that accepts them is open, and nobody
 * can mistake it for a closed one by losing a file. The scalar is drawn as the
 * protocol's are (48 bytes modulo n - 1, plus one).
 */
#include "sim/key.h"

#include <string.h>

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/obj_mac.h>
#include <openssl/param_build.h>

#include "crypto/hash.h"

const char sim_seed[] =
    "dstack simulated TEE. These keys are public and protect nothing.";

static bool
scalar_and_point(const char *label, const EC_GROUP *group, BN_CTX *ctx,
    BIGNUM *k, uint8_t point[65])
{
	static const char salt[] = "dstack2/sim/v1";
	uint8_t prk[32];
	uint8_t wide[48];
	hkdf_extract(salt, strlen(salt), sim_seed, strlen(sim_seed), prk);
	if (hkdf_expand(prk, label, strlen(label), wide, sizeof(wide)) !=
	    DSTACK_OK)
		return false;
	BIGNUM *n1 = BN_dup(EC_GROUP_get0_order(group));
	EC_POINT *pub = EC_POINT_new(group);
	/* BN without constant time: these keys are secret to nobody. */
	bool ok = n1 != NULL && pub != NULL && BN_sub_word(n1, 1) == 1 &&
	    BN_bin2bn(wide, sizeof(wide), k) != NULL &&
	    BN_nnmod(k, k, n1, ctx) == 1 && BN_add_word(k, 1) == 1 &&
	    EC_POINT_mul(group, pub, k, NULL, NULL, ctx) == 1 &&
	    EC_POINT_point2oct(group, pub, POINT_CONVERSION_UNCOMPRESSED,
		point, 65, ctx) == 65;
	EC_POINT_free(pub);
	BN_free(n1);
	return ok;
}

static EVP_PKEY *
key_from(const BIGNUM *k, const uint8_t point[65])
{
	EVP_PKEY *key = NULL;
	OSSL_PARAM *params = NULL;
	OSSL_PARAM_BLD *bld = OSSL_PARAM_BLD_new();
	EVP_PKEY_CTX *pctx = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
	if (bld == NULL || pctx == NULL ||
	    OSSL_PARAM_BLD_push_utf8_string(bld, OSSL_PKEY_PARAM_GROUP_NAME,
		"prime256v1", 0) != 1 ||
	    /*
	     * OpenSSL 3 derives no public half from a private one here: both
	     * are given.
	     */
	    OSSL_PARAM_BLD_push_octet_string(bld, OSSL_PKEY_PARAM_PUB_KEY,
		point, 65) != 1 ||
	    OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_PRIV_KEY, k) != 1)
		goto out;
	params = OSSL_PARAM_BLD_to_param(bld);
	if (params == NULL || EVP_PKEY_fromdata_init(pctx) != 1 ||
	    EVP_PKEY_fromdata(pctx, &key, EVP_PKEY_KEYPAIR, params) != 1)
		key = NULL;
out:
	OSSL_PARAM_free(params);
	OSSL_PARAM_BLD_free(bld);
	EVP_PKEY_CTX_free(pctx);
	return key;
}

EVP_PKEY *
sim_key(const char *label)
{
	EVP_PKEY *key = NULL;
	uint8_t point[65];
	EC_GROUP *group = EC_GROUP_new_by_curve_name(NID_X9_62_prime256v1);
	BN_CTX *ctx = BN_CTX_new();
	BIGNUM *k = BN_new();
	if (group != NULL && ctx != NULL && k != NULL &&
	    scalar_and_point(label, group, ctx, k, point))
		key = key_from(k, point);
	BN_free(k);
	BN_CTX_free(ctx);
	EC_GROUP_free(group);
	return key;
}

bool
sim_key_public(const EVP_PKEY *key, uint8_t out[static 64])
{
	uint8_t point[65];
	size_t n = 0;
	if (EVP_PKEY_get_octet_string_param(key, OSSL_PKEY_PARAM_PUB_KEY,
		point, sizeof(point), &n) != 1 || n != 65)
		return false;
	memcpy(out, point + 1, 64);
	return true;
}

enum dstack_status
sim_sign_der(EVP_PKEY *key, const void *p, size_t n, uint8_t der[static 80],
    size_t *derlen)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	size_t len = 80;
	bool ok = ctx != NULL && EVP_DigestSignInit(ctx, NULL, EVP_sha256(),
	    NULL, key) == 1 && EVP_DigestSign(ctx, der, &len, p, n) == 1;
	EVP_MD_CTX_free(ctx);
	if (!ok)
		return DSTACK_E_NOMEM;
	*derlen = len;
	return DSTACK_OK;
}

/*
 * Intel's documents and quotes have r and s as two plain words where
 * certificates have DER.
 */
enum dstack_status
sim_sign(EVP_PKEY *key, const void *p, size_t n, uint8_t sig[static 64])
{
	uint8_t der[80];
	size_t len = 0;
	enum dstack_status st = sim_sign_der(key, p, n, der, &len);
	if (st != DSTACK_OK)
		return st;
	const uint8_t *at = der;
	ECDSA_SIG *s = d2i_ECDSA_SIG(NULL, &at, (long)len);
	bool ok = s != NULL &&
	    BN_bn2binpad(ECDSA_SIG_get0_r(s), sig, 32) == 32 &&
	    BN_bn2binpad(ECDSA_SIG_get0_s(s), sig + 32, 32) == 32;
	ECDSA_SIG_free(s);
	return ok ? DSTACK_OK : DSTACK_E_NOMEM;
}
