/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/bn.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include "guest/tls/cert.h"
#include "host/acme/jws.h"

static EVP_PKEY *
fixed_key(void)
{
	struct secret32 s;
	EVP_PKEY *k = NULL;
	memset(s.b, 0x11, sizeof(s.b));
	assert_int_equal(cert_key(&s, &k), DSTACK_OK);
	return k;
}

static const char *
b64(const char *in)
{
	static char out[64];
	AUTO_WR struct wr w = wr_new(0);
	jws_b64(&w, in, strlen(in));
	wr_u8(&w, 0);
	assert_int_equal(wr_status(&w), DSTACK_OK);
	assert_true(w.len < sizeof(out));
	memcpy(out, w.buf, w.len);
	return out;
}

static void
base64url_has_no_padding(void **state)
{
	(void)state;
	/* RFC 4648 section 10, without '=' */
	assert_string_equal(b64(""), "");
	assert_string_equal(b64("f"), "Zg");
	assert_string_equal(b64("fo"), "Zm8");
	assert_string_equal(b64("foo"), "Zm9v");
	assert_string_equal(b64("foob"), "Zm9vYg");
	assert_string_equal(b64("\xff\xef\xbe"), "_---");
}

static void
the_key_is_named_at_first_and_its_account_afterwards(void **state)
{
	(void)state;
	EVP_PKEY *k = fixed_key();
	AUTO_WR struct wr a = wr_new(0);
	AUTO_WR struct wr b = wr_new(0);
	assert_int_equal(
	    jws_sign(k, NULL, "n0", "https://ca/x", "{}", &a), DSTACK_OK);
	assert_int_equal(
	    jws_sign(k, "https://ca/acct/1", "n1", "https://ca/x", "", &b),
	    DSTACK_OK);
	wr_u8(&a, 0);
	wr_u8(&b, 0);
	/* base64url of {"alg":"ES256","jwk": and of {"alg":"ES256","kid": */
	assert_non_null(strstr((char *)a.buf, "eyJhbGciOiJFUzI1NiIsImp3ayI6"));
	assert_non_null(strstr((char *)b.buf, "eyJhbGciOiJFUzI1NiIsImtpZCI6"));
	assert_non_null(strstr((char *)a.buf, "\"payload\":\"e30\""));
	assert_non_null(strstr((char *)b.buf, "\"payload\":\"\""));
	EVP_PKEY_free(k);
}

static void
text_that_would_need_an_escape_is_refused(void **state)
{
	(void)state;
	EVP_PKEY *k = fixed_key();
	AUTO_WR struct wr w = wr_new(0);
	const char *bad[] = { "a\"b", "a\\b", "a b", "a\nb" };
	for (size_t i = 0; i < 4; i++) {
		assert_int_equal(jws_sign(k, NULL, bad[i], "https://ca/x", "", &w),
		    DSTACK_E_FORMAT);
		assert_int_equal(
		    jws_sign(k, NULL, "n", bad[i], "", &w), DSTACK_E_FORMAT);
		assert_int_equal(jws_sign(k, bad[i], "n", "https://ca/x", "", &w),
		    DSTACK_E_FORMAT);
	}
	EVP_PKEY_free(k);
}

static void
an_account_key_is_made_once_and_private(void **state)
{
	(void)state;
	char dir[] = "/tmp/dstack-jws-XXXXXX", path[64];
	assert_non_null(mkdtemp(dir));
	(void)snprintf(path, sizeof(path), "%s/key.pem", dir);
	struct why why = { "" };
	EVP_PKEY *a = NULL, *b = NULL;
	assert_int_equal(jws_account_key(path, &a, &why), DSTACK_OK);
	assert_int_equal(jws_account_key(path, &b, &why), DSTACK_OK);
	assert_int_equal(EVP_PKEY_eq(a, b), 1);
	struct stat st;
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	EVP_PKEY_free(a);
	EVP_PKEY_free(b);
	FILE *f = fopen(path, "w");
	assert_non_null(f);
	(void)fputs("garbage", f);
	(void)fclose(f);
	assert_int_equal(jws_account_key(path, &a, &why), DSTACK_E_FORMAT);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(rmdir(dir), 0);
}

/* The public key and thumbprint of RFC 7638 section 3.1. */
static void
a_thumbprint_is_that_of_the_rfc(void **state)
{
	(void)state;
	static const char n64[] =
	    "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86z"
	    "wu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5Js"
	    "GY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMic"
	    "AtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-"
	    "bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csF"
	    "Cur-kEgU8awapJzKnqDKgw";
	char text[sizeof(n64) + 3];
	uint8_t n[300];
	AUTO_WR struct wr w = wr_new(0);

	(void)snprintf(text, sizeof(text), "%s==", n64);
	for (char *c = text; *c != '\0'; c++)
		*c = *c == '-' ? '+' : *c == '_' ? '/' : *c;
	int len = EVP_DecodeBlock(n, (const unsigned char *)text,
	    (int)strlen(text));
	assert_int_equal(len, 258); /* 256 and two of padding */
	BIGNUM *bn = BN_bin2bn(n, 256, NULL);
	BIGNUM *be = BN_new();
	assert_int_equal(BN_set_word(be, 65537), 1);
	OSSL_PARAM_BLD *b = OSSL_PARAM_BLD_new();
	assert_int_equal(OSSL_PARAM_BLD_push_BN(b, "n", bn), 1);
	assert_int_equal(OSSL_PARAM_BLD_push_BN(b, "e", be), 1);
	OSSL_PARAM *p = OSSL_PARAM_BLD_to_param(b);
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
	EVP_PKEY *k = NULL;
	assert_int_equal(EVP_PKEY_fromdata_init(ctx), 1);
	assert_int_equal(
	    EVP_PKEY_fromdata(ctx, &k, EVP_PKEY_PUBLIC_KEY, p), 1);
	assert_int_equal(jws_thumbprint(k, &w), DSTACK_OK);
	wr_u8(&w, 0);
	assert_string_equal((char *)w.buf,
	    "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs");
	EVP_PKEY_free(k);
	EVP_PKEY_CTX_free(ctx);
	OSSL_PARAM_free(p);
	OSSL_PARAM_BLD_free(b);
	BN_free(bn);
	BN_free(be);
}

/* A key file of each kind: those that CAs take work, the others are refused. */
static void
each_kind_of_account_key_is_taken_or_refused_with_a_reason(void **state)
{
	(void)state;
	char dir[] = "/tmp/dstack-jws-XXXXXX", path[64];
	assert_non_null(mkdtemp(dir));
	(void)snprintf(path, sizeof(path), "%s/key.pem", dir);
	EVP_PKEY *keys[] = { EVP_EC_gen("P-256"), EVP_EC_gen("P-384"),
		EVP_RSA_gen(2048), EVP_RSA_gen(1024), EVP_EC_gen("secp256k1"),
		EVP_EC_gen("P-521"),
		EVP_PKEY_Q_keygen(NULL, NULL, "ED25519") };
	/* base64url of {"alg":"ES256", and so on */
	const char *alg[] = { "eyJhbGciOiJFUzI1NiIs", "eyJhbGciOiJFUzM4NCIs",
		"eyJhbGciOiJSUzI1NiIs" };
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		struct why why = { "" };
		EVP_PKEY *k = NULL;
		AUTO_WR struct wr w = wr_new(0);
		FILE *f = fopen(path, "w");
		assert_non_null(f);
		assert_int_equal(PEM_write_PrivateKey(f, keys[i], NULL, NULL, 0,
				     NULL, NULL),
		    1);
		(void)fclose(f);
		if (i < 3) {
			assert_int_equal(
			    jws_account_key(path, &k, &why), DSTACK_OK);
			assert_int_equal(
			    jws_sign(k, NULL, "n", "https://ca/x", "{}", &w),
			    DSTACK_OK);
			wr_u8(&w, 0);
			assert_non_null(strstr((char *)w.buf, alg[i]));
			EVP_PKEY_free(k);
		} else {
			assert_int_equal(
			    jws_account_key(path, &k, &why), DSTACK_E_FORMAT);
			assert_non_null(strstr(why.text, "do not take"));
			assert_int_equal(jws_sign(keys[i], NULL, "n",
					     "https://ca/x", "{}", &w),
			    DSTACK_E_FORMAT);
		}
		EVP_PKEY_free(keys[i]);
	}
	assert_int_equal(unlink(path), 0);
	assert_int_equal(rmdir(dir), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(base64url_has_no_padding),
		cmocka_unit_test(
		    the_key_is_named_at_first_and_its_account_afterwards),
		cmocka_unit_test(text_that_would_need_an_escape_is_refused),
		cmocka_unit_test(an_account_key_is_made_once_and_private),
		cmocka_unit_test(a_thumbprint_is_that_of_the_rfc),
		cmocka_unit_test(
		    each_kind_of_account_key_is_taken_or_refused_with_a_reason),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
