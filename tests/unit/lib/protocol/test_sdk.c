/* SPDX-License-Identifier: Apache-2.0 */
/* Requests in the SDK's form: what it sends is taken, nothing else is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/own.h"
#include "protocol/sdk.h"

static enum dstack_status
parse(enum sdk_call call, const char *body, struct sdk_request *q)
{
	struct why why = { "" };
	struct sdk_request one = { .nalt = 0 };
	enum dstack_status st =
	    sdk_parse(call, body, strlen(body), &one, &why);
	assert_true(st == DSTACK_OK || why.text[0] != '\0');
	if (q != NULL && st == DSTACK_OK)
		*q = one;
	else
		sdk_request_free(&one);
	return st;
}

static void
the_sdks_own_bodies_are_taken(void **state)
{
	(void)state;
	AUTO_SDK struct sdk_request key = { .nalt = 0 };
	AUTO_SDK struct sdk_request tls = { .nalt = 0 };
	AUTO_SDK struct sdk_request quote = { .nalt = 0 };
	AUTO_SDK struct sdk_request verify = { .nalt = 0 };
	AUTO_SDK struct sdk_request derive = { .nalt = 0 };
	assert_int_equal(parse(SDK_GET_KEY,
	    "{\"path\":\"wallet/eth\",\"purpose\":\"m\",\"algorithm\":"
	    "\"ed25519\"}", &key), DSTACK_OK);
	assert_string_equal(key.path, "wallet/eth");
	assert_string_equal(key.purpose, "m");
	assert_int_equal(key.alg, SDK_ED25519);
	assert_int_equal(parse(SDK_GET_TLS_KEY,
	    "{\"subject\":\"a.test\",\"usage_ra_tls\":true,"
	    "\"usage_server_auth\":true,\"usage_client_auth\":false,"
	    "\"alt_names\":[\"localhost\",\"127.0.0.1\"],\"not_before\":5,"
	    "\"not_after\":253402300799,\"with_app_info\":true}", &tls),
	    DSTACK_OK);
	assert_true(tls.ra_tls && tls.server_auth && !tls.client_auth);
	assert_true(tls.app_info && tls.random_key);
	assert_int_equal(tls.nalt, 2);
	assert_string_equal(tls.alt[1], "127.0.0.1");
	assert_int_equal(tls.not_before, 5);
	assert_true(tls.not_after == SDK_MAX_TIME);
	assert_int_equal(parse(SDK_GET_QUOTE, "{\"report_data\":\"0xA5ff\"}",
	    &quote), DSTACK_OK);
	assert_int_equal(quote.data.len, 2);
	assert_memory_equal(quote.data.buf, "\xa5\xff", 2);
	assert_int_equal(parse(SDK_VERIFY,
	    "{\"algorithm\":\"secp256k1\",\"data\":\"\",\"signature\":\"01\","
	    "\"public_key\":\"0203\"}", &verify), DSTACK_OK);
	assert_int_equal(verify.data.len, 0);
	assert_int_equal(verify.sig.len, 1);
	assert_int_equal(verify.pub.len, 2);
	assert_int_equal(parse(SDK_DERIVE_KEY,
	    "{\"path\":\"/\",\"subject\":\"x\"}", &derive), DSTACK_OK);
	assert_false(derive.random_key);
}

static void
an_empty_body_and_missing_members_are_their_defaults(void **state)
{
	(void)state;
	AUTO_SDK struct sdk_request key = { .nalt = 0 };
	assert_int_equal(parse(SDK_GET_KEY, "", &key), DSTACK_OK);
	assert_int_equal(key.alg, SDK_SECP256K1);
	assert_string_equal(key.path, "");
	assert_int_equal(parse(SDK_INFO, "{}", NULL), DSTACK_OK);
	assert_int_equal(parse(SDK_GET_KEY, "{\"path\":null}", NULL),
	    DSTACK_OK);
}

static void
what_a_call_does_not_have_is_refused_by_its_name(void **state)
{
	(void)state;
	struct sdk_request q;
	struct why why = { "" };
	const char *body = "{\"path\":\"a\",\"lifetime\":1,\"purpose\":\"b\"}";
	assert_int_equal(sdk_parse(SDK_GET_KEY, body, strlen(body), &q, &why),
	    DSTACK_E_FORMAT);
	assert_non_null(strstr(why.text, "'lifetime'"));
	assert_int_equal(parse(SDK_GET_KEY, "{\"subject\":\"a\"}", NULL),
	    DSTACK_E_FORMAT);
	assert_int_equal(parse(SDK_INFO, "{\"path\":\"\"}", NULL),
	    DSTACK_E_FORMAT);
	assert_int_equal(parse(SDK_DERIVE_KEY, "{\"not_after\":1}", NULL),
	    DSTACK_E_FORMAT);
}

static void
forms_and_bounds_are_judged(void **state)
{
	(void)state;
	static const struct {
		enum sdk_call call;
		const char *body;
	} bad[] = {
		{ SDK_GET_KEY, "[]" },
		{ SDK_GET_KEY, "{} {}" },
		{ SDK_GET_KEY, "{\"path\":\"a\",\"path\":\"a\"}" },
		{ SDK_GET_KEY, "{\"path\":1}" },
		{ SDK_GET_KEY, "{\"path\":\"a\\u0000b\"}" },
		{ SDK_GET_KEY, "{\"algorithm\":\"rsa\"}" },
		{ SDK_GET_KEY, "{\"algorithm\":\"secp256k1_prehashed\"}" },
		{ SDK_GET_TLS_KEY, "{\"usage_ra_tls\":1}" },
		{ SDK_GET_TLS_KEY, "{\"alt_names\":\"a\"}" },
		{ SDK_GET_TLS_KEY, "{\"alt_names\":[1]}" },
		{ SDK_GET_TLS_KEY, "{\"not_after\":-1}" },
		{ SDK_GET_TLS_KEY, "{\"not_after\":1.0}" },
		{ SDK_GET_TLS_KEY, "{\"not_after\":253402300800}" },
		{ SDK_GET_TLS_KEY, "{\"alt_names\":[\"\",\"\",\"\",\"\",\"\","
		    "\"\",\"\",\"\",\"\",\"\",\"\",\"\",\"\",\"\",\"\",\"\","
		    "\"\"]}" },
		{ SDK_GET_QUOTE, "{\"report_data\":\"0\"}" },
		{ SDK_GET_QUOTE, "{\"report_data\":\"zz\"}" },
		{ SDK_SIGN, "{\"algorithm\":\"secp256k1_prehashed\","
		    "\"data\":\"00\"}" },
		{ SDK_EMIT_EVENT, "{\"payload\":\"00\"}" },
		{ SDK_TDX_QUOTE, "{\"hash_algorithm\":\"aaaaaaaaaaaaaaaa\"}" },
	};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(parse(bad[i].call, bad[i].body, NULL),
		    DSTACK_E_FORMAT);
}

/* n bytes of hex in a member, or n characters of a text. */
static enum dstack_status
sized(enum sdk_call call, const char *key, size_t n, bool hex)
{
	AUTO_WR struct wr w = wr_new(0);
	wr_fmt(&w, "{\"event\":\"%s\",\"%s\":\"",
	    strcmp(key, "event") == 0 ? "" : "e", key);
	size_t from = call == SDK_EMIT_EVENT ? 0 : 11;
	if (strcmp(key, "event") == 0)
		from = 11;
	for (size_t i = 0; i < n; i++)
		wr_str(&w, hex ? "00" : "x");
	wr_str(&w, "\"}");
	wr_u8(&w, 0);
	assert_int_equal(wr_status(&w), DSTACK_OK);
	if (from != 0) { /* that member alone */
		char *at = strchr((char *)w.buf, ',');
		*at = '{';
		return parse(call, at, NULL);
	}
	return parse(call, (char *)w.buf, NULL);
}

static void
each_length_is_taken_to_its_bound_and_no_further(void **state)
{
	(void)state;
	static const struct {
		enum sdk_call call;
		const char *key;
		size_t max;
		bool hex;
	} bound[] = {
		{ SDK_GET_KEY, "path", SDK_MAX_TEXT, false },
		{ SDK_GET_KEY, "purpose", SDK_MAX_TEXT, false },
		{ SDK_GET_TLS_KEY, "subject", SDK_MAX_TEXT, false },
		{ SDK_TDX_QUOTE, "prefix", SDK_MAX_TEXT, false },
		{ SDK_GET_QUOTE, "report_data", 64, true },
		{ SDK_ATTEST, "report_data", 64, true },
		{ SDK_SIGN, "data", SDK_MAX_DATA, true },
		{ SDK_VERIFY, "signature", 128, true },
		{ SDK_VERIFY, "public_key", 128, true },
		{ SDK_EMIT_EVENT, "payload", SDK_MAX_PAYLOAD, true },
		{ SDK_EMIT_EVENT, "event", SDK_MAX_EVENT, false },
	};
	for (size_t i = 0; i < sizeof(bound) / sizeof(bound[0]); i++) {
		assert_int_equal(sized(bound[i].call, bound[i].key,
		    bound[i].max, bound[i].hex), DSTACK_OK);
		assert_int_equal(sized(bound[i].call, bound[i].key,
		    bound[i].max + 1, bound[i].hex), DSTACK_E_FORMAT);
	}
	AUTO_FREE char *big = calloc(1, SDK_MAX_BODY + 2);
	assert_non_null(big);
	memset(big, ' ', SDK_MAX_BODY + 1);
	memcpy(big, "{}", 2);
	assert_int_equal(parse(SDK_INFO, big, NULL), DSTACK_E_LIMIT);
	big[SDK_MAX_BODY] = '\0';
	assert_int_equal(parse(SDK_INFO, big, NULL), DSTACK_OK);
}

static void
paths_are_exact(void **state)
{
	(void)state;
	static const char *const no[] = { "/", "/getkey", "/GetKey/",
		"/GetKey?x", "GetKey", "/prpc/Tappd.GetKey", "/prpc/Tappd.Info/",
		"/Info ", "" };
	enum sdk_call call = SDK_INFO;
	assert_true(sdk_call_of("/GetKey", &call));
	assert_int_equal(call, SDK_GET_KEY);
	assert_true(sdk_call_of("/prpc/Tappd.TdxQuote", &call));
	assert_int_equal(call, SDK_TDX_QUOTE);
	for (size_t i = 0; i < sizeof(no) / sizeof(no[0]); i++)
		assert_false(sdk_call_of(no[i], &call));
	assert_int_equal(call, SDK_TDX_QUOTE);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_sdks_own_bodies_are_taken),
		cmocka_unit_test(
		    an_empty_body_and_missing_members_are_their_defaults),
		cmocka_unit_test(
		    what_a_call_does_not_have_is_refused_by_its_name),
		cmocka_unit_test(forms_and_bounds_are_judged),
		cmocka_unit_test(
		    each_length_is_taken_to_its_bound_and_no_further),
		cmocka_unit_test(paths_are_exact),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
