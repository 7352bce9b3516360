/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an ACME account key signs. The key's kind decides everything else: the
 * algorithm's name, the hash, and the members of its public form. A kind that
 * CAs do not take is refused when the file is read, not by the CA later.
 * ECDSA leaves OpenSSL as DER and goes out as r || s of fixed length
 * (RFC 7518 3.4); RSA as it is (3.3).
 */
#include "host/acme/jws.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/pem.h>

#include "base/own.h"
#include "crypto/hash.h"

void
jws_b64(struct wr *w, const void *p, size_t n)
{
	static const char digit[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "abcdefghijklmnopqrstuvwxyz0123456789-_";
	const uint8_t *b = p;
	for (size_t i = 0; i < n; i += 3) {
		size_t have = n - i < 3 ? n - i : 3;
		uint32_t v = (uint32_t)b[i] << 16;
		if (have > 1)
			v |= (uint32_t)b[i + 1] << 8;
		if (have > 2)
			v |= b[i + 2];
		for (size_t k = 0; k <= have; k++)
			wr_u8(w, (uint8_t)digit[v >> (18 - 6 * k) & 63]);
	}
}

struct kind {
	const char *group; /* OpenSSL's name; NULL: RSA */
	const char *curve; /* RFC 7518 6.2.1.1 */
	const char *alg;
	size_t size; /* bytes of a coordinate; of the modulus at least */
	const EVP_MD *(*md)(void);
};

static const struct kind kinds[] = {
	{ "prime256v1", "P-256", "ES256", 32, EVP_sha256 },
	{ "secp384r1", "P-384", "ES384", 48, EVP_sha384 },
	{ NULL, NULL, "RS256", 256, EVP_sha256 },
};

/* NULL: a key that no ACME CA need take (RFC 8555 6.2). */
static const struct kind *
kind_of(const EVP_PKEY *key)
{
	char group[64] = "";

	if (EVP_PKEY_is_a(key, "RSA") == 1)
		return EVP_PKEY_get_bits(key) >= 2048 ? &kinds[2] : NULL;
	if (EVP_PKEY_is_a(key, "EC") != 1 ||
	    EVP_PKEY_get_utf8_string_param(key, OSSL_PKEY_PARAM_GROUP_NAME,
	        group, sizeof(group), NULL) != 1)
		return NULL;
	for (size_t i = 0; i < 2; i++)
		if (strcmp(group, kinds[i].group) == 0)
			return &kinds[i];
	return NULL;
}

/* A number of the key, big-endian: size bytes, or as few as it takes (0). */
static enum dstack_status
number(const EVP_PKEY *key, const char *name, size_t size, struct wr *w)
{
	BIGNUM *v = NULL;
	uint8_t b[2048];
	enum dstack_status st = DSTACK_E_FORMAT;

	if (EVP_PKEY_get_bn_param(key, name, &v) == 1) {
		size_t n = size != 0 ? size : (size_t)BN_num_bytes(v);
		if (n <= sizeof(b) && BN_bn2binpad(v, b, (int)n) == (int)n) {
			jws_b64(w, b, n);
			st = wr_status(w);
		}
	}
	BN_free(v);
	return st;
}

enum dstack_status
jws_jwk(const EVP_PKEY *key, struct wr *w)
{
	const struct kind *k = kind_of(key);
	enum dstack_status st;

	if (k == NULL)
		return DSTACK_E_FORMAT;
	/* members in lexicographic order, no spaces: RFC 7638 section 3 */
	if (k->group != NULL)
		wr_fmt(w, "{\"crv\":\"%s\",\"kty\":\"EC\",\"x\":\"", k->curve);
	else
		wr_str(w, "{\"e\":\"");
	st = number(key,
	    k->group != NULL ? OSSL_PKEY_PARAM_EC_PUB_X : OSSL_PKEY_PARAM_RSA_E,
	    k->group != NULL ? k->size : 0, w);
	if (st != DSTACK_OK)
		return st;
	wr_str(w, k->group != NULL ? "\",\"y\":\"" : "\",\"kty\":\"RSA\",\"n\":\"");
	st = number(key,
	    k->group != NULL ? OSSL_PKEY_PARAM_EC_PUB_Y : OSSL_PKEY_PARAM_RSA_N,
	    k->group != NULL ? k->size : 0, w);
	wr_str(w, "\"}");
	return st != DSTACK_OK ? st : wr_status(w);
}

enum dstack_status
jws_thumbprint(const EVP_PKEY *key, struct wr *w)
{
	AUTO_WR struct wr jwk = wr_new(0);
	uint8_t h[32];
	enum dstack_status st = jws_jwk(key, &jwk);
	if (st != DSTACK_OK)
		return st;
	sha256(jwk.buf, jwk.len, h);
	jws_b64(w, h, sizeof(h)); /* SHA-256 for every kind: RFC 8555 8.1 */
	return wr_status(w);
}

/* The signature as JWS has it, appended to w in base64url. */
static enum dstack_status
sign_raw(EVP_PKEY *key, const struct kind *k, const void *p, size_t n,
    struct wr *w)
{
	uint8_t sig[2048];
	uint8_t raw[2 * 48];
	size_t len = sizeof(sig);
	const uint8_t *at = sig;
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	ECDSA_SIG *rs = NULL;
	enum dstack_status st = DSTACK_E_NOMEM;

	if (ctx != NULL &&
	    EVP_DigestSignInit(ctx, NULL, k->md(), NULL, key) == 1 &&
	    EVP_DigestSign(ctx, sig, &len, p, n) == 1) {
		if (k->group == NULL) {
			jws_b64(w, sig, len);
			st = wr_status(w);
		} else if ((rs = d2i_ECDSA_SIG(NULL, &at, (long)len)) != NULL &&
		    BN_bn2binpad(ECDSA_SIG_get0_r(rs), raw, (int)k->size) ==
		        (int)k->size &&
		    BN_bn2binpad(ECDSA_SIG_get0_s(rs), raw + k->size,
		        (int)k->size) == (int)k->size) {
			jws_b64(w, raw, 2 * k->size);
			st = wr_status(w);
		}
	}
	ECDSA_SIG_free(rs);
	EVP_MD_CTX_free(ctx);
	return st;
}

/* Nothing that JSON would escape: these texts are the CA's. */
static bool
plain(const char *s)
{
	for (; *s != '\0'; s++) {
		if (*s < 0x21 || *s > 0x7e || *s == '"' || *s == '\\')
			return false;
	}
	return true;
}

enum dstack_status
jws_sign(EVP_PKEY *key, const char *kid, const char *nonce, const char *url,
    const char *payload, struct wr *w)
{
	const struct kind *k = kind_of(key);

	if (k == NULL || !plain(nonce) || !plain(url) || (kid != NULL && !plain(kid)))
		return DSTACK_E_FORMAT;
	AUTO_WR struct wr head = wr_new(0);
	AUTO_WR struct wr in = wr_new(0);
	wr_fmt(&head, "{\"alg\":\"%s\",", k->alg);
	if (kid != NULL) {
		wr_fmt(&head, "\"kid\":\"%s\"", kid);
	} else {
		wr_str(&head, "\"jwk\":");
		enum dstack_status jst = jws_jwk(key, &head);
		if (jst != DSTACK_OK)
			return jst;
	}
	wr_fmt(&head, ",\"nonce\":\"%s\",\"url\":\"%s\"}", nonce, url);
	enum dstack_status st = wr_status(&head);
	if (st != DSTACK_OK)
		return st;
	/* what is signed: both parts with a dot between (RFC 7515 5.1) */
	jws_b64(&in, head.buf, head.len);
	size_t split = in.len;
	wr_u8(&in, '.');
	jws_b64(&in, payload, strlen(payload));
	AUTO_WR struct wr sig = wr_new(0);
	if ((st = wr_status(&in)) != DSTACK_OK ||
	    (st = sign_raw(key, k, in.buf, in.len, &sig)) != DSTACK_OK)
		return st;
	wr_str(w, "{\"protected\":\"");
	wr_put(w, in.buf, split);
	wr_str(w, "\",\"payload\":\"");
	wr_put(w, in.buf + split + 1, in.len - split - 1);
	wr_str(w, "\",\"signature\":\"");
	wr_put(w, sig.buf, sig.len);
	wr_str(w, "\"}");
	return wr_status(w);
}

/* O_EXCL: a key that is there is never written over. */
static enum dstack_status
make_key(const char *path, EVP_PKEY **out, struct why *why)
{
	AUTO_CLOSE int fd =
	    open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return why_set(why, DSTACK_E_SYS,
		    "ACME account key %s cannot be made: %s", path,
		    strerror(errno));
	EVP_PKEY *key = EVP_EC_gen("P-256");
	FILE *f = key != NULL ? fdopen(fd, "w") : NULL;
	/* half a key would be refused for ever: it goes again */
	bool ok = false;
	if (f != NULL) {
		(void)take_fd(&fd);
		ok = PEM_write_PrivateKey(f, key, NULL, NULL, 0, NULL, NULL) == 1;
		ok = fclose(f) == 0 && ok;
	}
	if (!ok) {
		EVP_PKEY_free(key);
		(void)unlink(path);
		return why_set(why, DSTACK_E_SYS,
		    "ACME account key %s cannot be written", path);
	}
	*out = key;
	return DSTACK_OK;
}

enum dstack_status
jws_account_key(const char *path, EVP_PKEY **out, struct why *why)
{
	/* only a file that is not there is made: one not to be read is no reason */
	AUTO_CLOSE int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT)
		return make_key(path, out, why);
	FILE *f = fd >= 0 ? fdopen(fd, "r") : NULL;
	if (f == NULL)
		return why_set(why, DSTACK_E_SYS,
		    "ACME account key %s cannot be read: %s", path,
		    strerror(errno));
	(void)take_fd(&fd);
	/* "" for a key under a password: asking at a terminal would hang */
	EVP_PKEY *key =
	    PEM_read_PrivateKey(f, NULL, NULL, (void *)(uintptr_t)"");
	(void)fclose(f);
	ERR_clear_error();
	if (key == NULL || kind_of(key) == NULL) {
		const char *is =
		    key == NULL ? "no PEM private key without a password"
		                : "a key that ACME CAs do not take";
		EVP_PKEY_free(key);
		return why_set(why, DSTACK_E_FORMAT,
		    "%s is %s; P-256, P-384 and RSA from 2048 bits are; remove "
		    "it to have a new account made",
		    path, is);
	}
	*out = key;
	return DSTACK_OK;
}
