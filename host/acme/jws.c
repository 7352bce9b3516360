/* SPDX-License-Identifier: Apache-2.0 */
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

static enum dstack_status
coordinate(const EVP_PKEY *key, const char *name, struct wr *w)
{
	BIGNUM *v = NULL;
	uint8_t b[32];
	enum dstack_status st = DSTACK_E_FORMAT;
	if (EVP_PKEY_get_bn_param(key, name, &v) == 1 &&
	    BN_bn2binpad(v, b, sizeof(b)) == (int)sizeof(b)) {
		jws_b64(w, b, sizeof(b));
		st = wr_status(w);
	}
	BN_free(v);
	return st;
}

enum dstack_status
jws_jwk(const EVP_PKEY *key, struct wr *w)
{
	/* members in lexicographic order, no spaces: RFC 7638 section 3 */
	wr_str(w, "{\"crv\":\"P-256\",\"kty\":\"EC\",\"x\":\"");
	enum dstack_status st = coordinate(key, OSSL_PKEY_PARAM_EC_PUB_X, w);
	if (st != DSTACK_OK)
		return st;
	wr_str(w, "\",\"y\":\"");
	st = coordinate(key, OSSL_PKEY_PARAM_EC_PUB_Y, w);
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
	jws_b64(w, h, sizeof(h));
	return wr_status(w);
}

/* ECDSA as r || s (RFC 7518 section 3.4). */
static enum dstack_status
sign_raw(EVP_PKEY *key, const void *p, size_t n, uint8_t out[static 64])
{
	uint8_t der[80];
	size_t len = sizeof(der);
	const uint8_t *at = der;
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	ECDSA_SIG *sig = NULL;
	enum dstack_status st = DSTACK_E_NOMEM;
	if (ctx != NULL &&
	    EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, key) == 1 &&
	    EVP_DigestSign(ctx, der, &len, p, n) == 1 &&
	    (sig = d2i_ECDSA_SIG(NULL, &at, (long)len)) != NULL &&
	    BN_bn2binpad(ECDSA_SIG_get0_r(sig), out, 32) == 32 &&
	    BN_bn2binpad(ECDSA_SIG_get0_s(sig), out + 32, 32) == 32)
		st = DSTACK_OK;
	ECDSA_SIG_free(sig);
	EVP_MD_CTX_free(ctx);
	return st;
}

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
	if (!plain(nonce) || !plain(url) || (kid != NULL && !plain(kid)))
		return DSTACK_E_FORMAT;
	AUTO_WR struct wr head = wr_new(0);
	AUTO_WR struct wr in = wr_new(0);
	wr_str(&head, "{\"alg\":\"ES256\",");
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
	jws_b64(&in, head.buf, head.len);
	size_t split = in.len;
	wr_u8(&in, '.');
	jws_b64(&in, payload, strlen(payload));
	uint8_t sig[64];
	if ((st = wr_status(&in)) != DSTACK_OK ||
	    (st = sign_raw(key, in.buf, in.len, sig)) != DSTACK_OK)
		return st;
	wr_str(w, "{\"protected\":\"");
	wr_put(w, in.buf, split);
	wr_str(w, "\",\"payload\":\"");
	wr_put(w, in.buf + split + 1, in.len - split - 1);
	wr_str(w, "\",\"signature\":\"");
	jws_b64(w, sig, sizeof(sig));
	wr_str(w, "\"}");
	return wr_status(w);
}

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
	AUTO_CLOSE int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT)
		return make_key(path, out, why);
	FILE *f = fd >= 0 ? fdopen(fd, "r") : NULL;
	if (f == NULL)
		return why_set(why, DSTACK_E_SYS,
		    "ACME account key %s cannot be read: %s", path,
		    strerror(errno));
	(void)take_fd(&fd);
	EVP_PKEY *key = PEM_read_PrivateKey(f, NULL, NULL, NULL);
	(void)fclose(f);
	if (key == NULL || EVP_PKEY_is_a(key, "EC") != 1) {
		EVP_PKEY_free(key);
		return why_set(why, DSTACK_E_FORMAT,
		    "%s is not a PEM P-256 key; remove it to have a new "
		    "account made",
		    path);
	}
	*out = key;
	return DSTACK_OK;
}
