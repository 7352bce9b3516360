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

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(base64url_has_no_padding),
		cmocka_unit_test(
		    the_key_is_named_at_first_and_its_account_afterwards),
		cmocka_unit_test(text_that_would_need_an_escape_is_refused),
		cmocka_unit_test(an_account_key_is_made_once_and_private),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
