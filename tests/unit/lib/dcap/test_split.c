/* SPDX-License-Identifier: Apache-2.0 */
/* Signed text in an answer of a PCS: found, and nothing beside it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/wr.h"
#include "dstack/dcap.h"

static void
signed_text_is_cut_out_byte_for_byte(void **state)
{
	(void)state;
	char body[400], sig[129];
	uint8_t raw[64];
	struct dcap_bytes t;
	memset(sig, 'a', 128);
	sig[128] = '\0';
	static const char doc[] = "{ \"a\":\"}\\\"{\", \"b\":{\"c\":[{}]} }";
	(void)snprintf(body, sizeof(body),
	    " {\"tcbInfo\" : %s , \"signature\":\"%s\"}\n", doc, sig);
	assert_int_equal(dcap_split_signed(body, strlen(body), "tcbInfo", &t,
	    raw), DSTACK_OK);
	assert_int_equal(t.n, strlen(doc));
	assert_memory_equal(t.p, doc, t.n);
	assert_int_equal(raw[0], 0xaa);
	for (size_t n = 0; n + 2 < strlen(body); n++)
		assert_int_equal(dcap_split_signed(body, n, "tcbInfo", &t,
		    raw), DSTACK_E_FORMAT);
	assert_int_equal(dcap_split_signed(body, strlen(body), "other", &t,
	    raw), DSTACK_E_FORMAT);
	(void)snprintf(body, sizeof(body),
	    "{\"signature\":\"%s\",\"tcbInfo\":{}}", sig);
	assert_int_equal(dcap_split_signed(body, strlen(body), "tcbInfo", &t,
	    raw), DSTACK_OK);
	assert_int_equal(t.n, 2);
	(void)snprintf(body, sizeof(body),
	    "{\"tcbInfo\":{},\"tcbInfo\":{},\"signature\":\"%s\"}", sig);
	assert_int_equal(dcap_split_signed(body, strlen(body), "tcbInfo", &t,
	    raw), DSTACK_E_FORMAT);
	(void)snprintf(body, sizeof(body),
	    "{\"tcbInfo\":[],\"signature\":\"%s\"}", sig);
	assert_int_equal(dcap_split_signed(body, strlen(body), "tcbInfo", &t,
	    raw), DSTACK_E_FORMAT);
}

/* S stands for the signature's digits. */
static bool
splits(const char *form, const char *sig)
{
	AUTO_WR struct wr w = wr_new(0);
	struct dcap_bytes text;
	uint8_t raw[64];
	for (; *form != '\0'; form++)
		if (*form == 'S')
			wr_str(&w, sig);
		else
			wr_u8(&w, (uint8_t)*form);
	return dcap_split_signed((const char *)w.buf, w.len, "tcbInfo", &text,
	    raw) == DSTACK_OK;
}

static void
answers_are_two_members_and_nothing_more(void **state)
{
	(void)state;
	char sig[131] = "";
	memset(sig, 'a', 128);
	static const char *const good[] = {
		"{\"tcbInfo\":{},\"signature\":\"S\"}",
		" { \"signature\" : \"S\" , \"tcbInfo\" : { } } \r\n\t",
	};
	static const char *const bad[] = {
		"[\"tcbInfo\":{},\"signature\":\"S\"}",
		"{\"tcbInfo\":{},\"signature\":\"S\"]",
		"{\"tcbInfo\":{},\"signature\":\"S\"",
		"{\"tcbInfo\":{},\"signature\":\"S\"}x",
		"{\"tcbInfo\":{},\"signature\":\"S\",\"a\":1}",
		"{\"tcbInfo\":{};\"signature\":\"S\"}",
		"{\"tcbInfo\";{},\"signature\":\"S\"}",
		"{tcbInfo\":{},\"signature\":\"S\"}",
		"{\"tcbInfo:{},\"signature\":\"S\"}",
		"{\"tcbInfo\":{},\"signature\":S\"}",
		"{\"tcbInfo\":{},\"signature\":\"S}",
		"{\"tcbInfoX\":{},\"signature\":\"S\"}",
		"{\"tcbInf\":{},\"signature\":\"S\"}",
		"{\"tcbinfo\":{},\"signature\":\"S\"}",
		"{\"tcbInfo\":1,\"signature\":\"S\"}",
		"{\"tcbInfo\":1{},\"signature\":\"S\"}",
		"{\"tcbInfo\":\"{}\",\"signature\":\"S\"}",
		"{\"tcbInfo\":{,\"signature\":\"S\"}",
		"{\"tcbInfo\":{},\"signature\":\"Sa\"}",
		"{\"tcbInfo\":{},\"signature\":\"Saa\"}",
		"{\"tcbInfo\":{},\"signature\":\"gS\"}",
		"{\"signature\":\"S\",\"signature\":\"S\"}",
	};
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		if (!splits(good[i], sig))
			fail_msg("%s", good[i]);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (splits(bad[i], sig))
			fail_msg("%s", bad[i]);
	sig[0] = 'g';
	assert_false(splits(good[0], sig));
	sig[0] = 'a', sig[127] = '\0';
	assert_false(splits(good[0], sig));
	sig[126] = '\0';
	assert_false(splits(good[0], sig));
}

int
main(void)
{
	const struct CMUnitTest t[] = {
		cmocka_unit_test(signed_text_is_cut_out_byte_for_byte),
		cmocka_unit_test(answers_are_two_members_and_nothing_more),
	};
	return cmocka_run_group_tests(t, NULL, NULL);
}
