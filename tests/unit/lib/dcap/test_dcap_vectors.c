/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every case of the public vector set, when it is there: verdict, error
 * class, statuses, advisories, dates, parsed fields, policy flags.
 */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "base/hex.h"
#include "base/own.h"
#include "dcap/json.h"
#include "dstack/dcap.h"

#define VECTORS "../shared/vectors/dcap"

static unsigned failures;

static void
complain(const char *name, const char *what, const char *got, const char *want)
{
	failures++;
	print_message(
	    "%s: %s is '%s', expected '%s'\n", name, what, got, want);
}

static uint8_t *
slurp(const char *dir, const char *file, size_t *len)
{
	char path[1024];
	(void)snprintf(path, sizeof(path), "%s/%s", dir, file);
	FILE *f = fopen(path, "rb");
	if (f == NULL)
		return NULL;
	uint8_t *p = malloc(4 << 20);
	assert_non_null(p);
	*len = fread(p, 1, 4 << 20, f);
	(void)fclose(f);
	return p;
}

static const char *
text_of(const json_t *o, const char *name)
{
	const char *s = json_string_value(json_object_get(o, name));
	return s != NULL ? s : "";
}

static bool
one_of(const char *list, const char *word)
{
	size_t n = strlen(word);
	for (const char *p = list; p != NULL; p = strchr(p, '|')) {
		if (*p == '|')
			p++;
		if (strncmp(p, word, n) == 0 && (p[n] == '|' || p[n] == '\0'))
			return true;
	}
	return false;
}

static void
expect_text(const char *name, const json_t *o, const char *field,
    const char *got)
{
	const json_t *v = json_object_get(o, field);
	if (json_is_string(v) && strcmp(json_string_value(v), got) != 0)
		complain(name, field, got, json_string_value(v));
}

static void
expect_hex(const char *name, const json_t *o, const char *field,
    const void *p, size_t n)
{
	char hex[200];
	if (json_object_get(o, field) == NULL)
		return;
	hex_encode(p, n, hex);
	expect_text(name, o, field, hex);
}

static void
expect_advisories(const char *name, const json_t *tcb,
    const struct dcap_verdict *v)
{
	const json_t *list = json_object_get(tcb, "advisory_ids");
	size_t i;
	json_t *e;
	if (list == NULL)
		return;
	bool same = json_array_size(list) == v->advisories;
	json_array_foreach(list, i, e) {
		bool found = false;
		for (unsigned k = 0; k < v->advisories; k++)
			found |= strcmp(v->advisory[k],
			    json_string_value(e)) == 0;
		same &= found;
	}
	if (!same)
		complain(name, "advisory_ids", "another set", "the listed one");
}

static void
expect_flags(const char *name, const json_t *x, const struct dcap_verdict *v)
{
	static const uint32_t scored = DCAP_FLAG_TD_DEBUG |
	    DCAP_FLAG_SEPT_VE_DISABLE_NOT_SET |
	    DCAP_FLAG_MR_SERVICE_TD_NONZERO | DCAP_FLAG_TEE_TCB_SVN2_DIFFERS |
	    DCAP_FLAG_SGX_DEBUG;
	const json_t *list = json_object_get(x, "policy_flags");
	uint32_t want = 0;
	size_t i;
	json_t *e;
	if (list == NULL)
		return;
	json_array_foreach(list, i, e)
		for (unsigned b = 0; b < DCAP_FLAGS; b++)
			if (strcmp(dcap_flag_text(b), json_string_value(e)) == 0)
				want |= 1u << b;
	/* synthetic cases list the flag they are about, not all */
	uint32_t have = v->policy_flags & scored;
	if (strcmp(text_of(x, "kind"), "synthetic") == 0)
		have &= want;
	if (have != want) {
		char got[16], exp[16];
		(void)snprintf(got, sizeof(got), "%x", v->policy_flags);
		(void)snprintf(exp, sizeof(exp), "%x", want);
		complain(name, "policy_flags", got, exp);
	}
}

static void
expect_fields(const char *name, const json_t *x, const struct dcap_verdict *v)
{
	const json_t *q = json_object_get(x, "quote");
	const json_t *p = json_object_get(x, "pck");
	if (v->tee == DCAP_TEE_TDX) {
		expect_hex(name, q, "tee_tcb_svn", v->tee_tcb_svn, 16);
		expect_hex(name, q, "mr_seam", v->mr_seam, 48);
		expect_hex(name, q, "mr_signer_seam", v->mr_signer_seam, 48);
		expect_hex(name, q, "seam_attributes", v->seam_attributes, 8);
		expect_hex(name, q, "td_attributes", v->td_attributes, 8);
		expect_hex(name, q, "xfam", v->xfam, 8);
		expect_hex(name, q, "mr_td", v->mr_td, 48);
		expect_hex(name, q, "mr_config_id", v->mr_config_id, 48);
		expect_hex(name, q, "mr_owner", v->mr_owner, 48);
		expect_hex(name, q, "mr_owner_config", v->mr_owner_config, 48);
		expect_hex(name, q, "rtmr0", v->rtmr[0], 48);
		expect_hex(name, q, "rtmr1", v->rtmr[1], 48);
		expect_hex(name, q, "rtmr2", v->rtmr[2], 48);
		expect_hex(name, q, "rtmr3", v->rtmr[3], 48);
		expect_hex(name, q, "tee_tcb_svn2", v->tee_tcb_svn2, 16);
		expect_hex(name, q, "mr_service_td", v->mr_service_td, 48);
	} else if (v->tee == DCAP_TEE_SGX) {
		expect_hex(name, q, "cpu_svn", v->sgx_cpusvn, 16);
		expect_hex(name, q, "attributes", v->sgx_attributes, 16);
		expect_hex(name, q, "mr_enclave", v->mr_enclave, 32);
		expect_hex(name, q, "mr_signer", v->mr_signer, 32);
	}
	expect_hex(name, q, "report_data", v->report_data, 64);
	expect_hex(name, q, "user_data", v->user_data, 20);
	if (p == NULL)
		return;
	expect_hex(name, p, "ppid", v->ppid, 16);
	expect_hex(name, p, "fmspc", v->fmspc, 6);
	expect_hex(name, p, "pceid", v->pceid, 2);
	expect_hex(name, p, "cpusvn", v->cpusvn, 16);
	expect_text(
	    name, p, "ca", v->platform_ca ? "platform" : "processor");
	const json_t *n = json_object_get(p, "pcesvn");
	if (n != NULL && json_integer_value(n) != v->pcesvn)
		complain(name, "pcesvn", "other", "as listed");
}

static void
expect_tcb(const char *name, const json_t *x, const struct dcap_verdict *v)
{
	const json_t *tcb = json_object_get(x, "tcb");
	expect_text(name, tcb, "status", dcap_tcb_status_text(v->tcb_status));
	expect_text(name, tcb, "platform_status",
	    dcap_tcb_status_text(v->platform_status));
	expect_text(name, tcb, "tdx_module_status",
	    dcap_tcb_status_text(v->module_status));
	expect_text(name, tcb, "qe_status", dcap_tcb_status_text(v->qe_status));
	expect_text(name, tcb, "tcb_date", v->tcb_date);
	expect_text(name, tcb, "tdx_module_id", v->module_id);
	expect_advisories(name, tcb, v);
}

static void
one_case(const char *dir, const char *name)
{
	size_t qlen = 0, xlen = 0, clen = 0, rlen = 0;
	AUTO_FREE uint8_t *xt = slurp(dir, "expected.json", &xlen);
	AUTO_FREE uint8_t *quote = slurp(dir, "quote.bin", &qlen);
	AUTO_FREE uint8_t *coll = slurp(dir, "collateral.json", &clen);
	AUTO_FREE uint8_t *rootder = slurp(dir, "root.der", &rlen);
	AUTO_JSON json_t *x = json_loadb((char *)xt, xlen, 0, NULL);
	assert_non_null(x);
	uint8_t root[64], rd[64];
	memcpy(root, dcap_intel_root, 64);
	if (rootder != NULL)
		assert_int_equal(
		    dcap_root_from_cert(rootder, rlen, root, NULL), DSTACK_OK);
	int64_t now = json_integer_value(
	    json_object_get(x, "verification_time"));
	const char *rdhex = text_of(
	    json_object_get(x, "inputs"), "expected_report_data");
	bool have_rd = hex_decode(rdhex, strlen(rdhex), rd, 64) == DSTACK_OK;
	struct dcap_verdict v = { .code = DCAP_REFUSED };
	enum dcap_code code;
	struct why why = { "" };
	bool sig, chain;
	if (strcmp(text_of(x, "mode"), "structure") == 0) {
		(void)!dcap_inspect(
		    quote, qlen, now, root, &sig, &chain, &code, &v);
		why = v.why;
	} else {
		struct dcap_collateral *c = NULL;
		if (dcap_collateral_load(coll, clen, &c, &code, &why) ==
		    DSTACK_OK) {
			enum dstack_status st = dcap_authenticate(quote, qlen,
			    c, now, root, have_rd ? rd : NULL, &v);
			assert_true((st == DSTACK_OK) == (v.code == DCAP_OK));
			code = v.code;
			why = v.why;
		}
		dcap_collateral_free(c);
	}
	const char *verdict = text_of(x, "verdict");
	if (strcmp(verdict, "either") == 0)
		return;
	const char *got = dcap_code_text(code);
	if (strcmp(verdict, "accept") == 0) {
		if (code != DCAP_OK)
			complain(name, why.text, got, "ok");
		expect_fields(name, x, &v);
		expect_tcb(name, x, &v);
		expect_flags(name, x, &v);
	} else if (!one_of(text_of(x, "error_class"), got)) {
		complain(name, why.text, got, text_of(x, "error_class"));
	} else if (why.text[0] == '\0') {
		complain(name, "reason", "", "a line");
	}
}

static void
whole_folder(const char *folder)
{
	char path[512];
	const char *at = getenv("DCAP_VECTORS"); /* another set of that form */
	(void)snprintf(path, sizeof(path), "%s/%s", at != NULL ? at : VECTORS,
	    folder);
	DIR *d = opendir(path);
	if (d == NULL) {
		print_message("%s: not there\n", path);
		skip();
	}
	unsigned count = 0;
	failures = 0;
	for (struct dirent *e; (e = readdir(d)) != NULL;) {
		char dir[1024];
		if (e->d_name[0] == '.')
			continue;
		(void)snprintf(dir, sizeof(dir), "%s/%s", path, e->d_name);
		one_case(dir, e->d_name);
		count++;
	}
	(void)closedir(d);
	print_message("%s: %u cases\n", folder, count);
	assert_true(count > 0);
	assert_int_equal(failures, 0);
}

static void
real_quotes_get_their_verdicts(void **state)
{
	(void)state;
	whole_folder("cases");
}

static void
derived_negatives_are_refused_for_their_reason(void **state)
{
	(void)state;
	whole_folder("negative");
}

static void
synthetic_cases_under_their_own_root_get_their_verdicts(void **state)
{
	(void)state;
	whole_folder("synthetic");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(real_quotes_get_their_verdicts),
		cmocka_unit_test(derived_negatives_are_refused_for_their_reason),
		cmocka_unit_test(
		    synthetic_cases_under_their_own_root_get_their_verdicts),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
