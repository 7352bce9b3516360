/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The policy over an authentic quote, one bit or one floor at a time, and
 * every single bit of a quote flipped (THREATS T02, T10, T18, T19).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/lib/dcap/dcap_bed.h"
#include "guest/base/flavour.h"

static struct dcap_policy
policy(const struct bed *b)
{
	return (struct dcap_policy){
		.root_key = b->root,
		.accept_tee = 1u << DCAP_TEE_TDX,
		.accept_status = DCAP_ACCEPT(DCAP_TCB_UP_TO_DATE),
		.xfam_allow = DCAP_XFAM_LINUX,
		.min_tcb_eval = SIM_TCB_EVAL,
		.min_tcb_date = 1735689600, /* SIM_TCB_DATE */
		.min_root_crl = 1,
		.min_pck_crl = 1,
	};
}

/* Make, judge, apply the policy. */
static enum dcap_code
judge(struct bed *b, const struct dcap_policy *p)
{
	bed_make(b);
	if (bed_judge(b) != DCAP_OK)
		fail_msg("not authentic: %s", b->v.why.text);
	enum dstack_status st = dcap_apply_policy(&b->v, p);
	assert_true((st == DSTACK_OK) == (b->v.code == DCAP_OK));
	return b->v.code;
}

static void
each_td_attribute_bit_but_the_required_one_is_refused(void **state)
{
	(void)state;
	for (unsigned bit = 0; bit < 64; bit++) {
		struct bed *b = bed_new();
		struct dcap_policy p = policy(b);
		b->w.quote.td.tdattributes[bit / 8] ^=
		    (uint8_t)(1u << bit % 8);
		if (judge(b, &p) != DCAP_POLICY)
			fail_msg("TD attribute bit %u passes", bit);
		bed_free(b);
	}
}

static void
each_xfam_bit_outside_the_mask_is_refused(void **state)
{
	(void)state;
	for (unsigned bit = 0; bit < 64; bit++) {
		struct bed *b = bed_new();
		struct dcap_policy p = policy(b);
		b->w.quote.td.xfam[bit / 8] |= (uint8_t)(1u << bit % 8);
		bool in = (DCAP_XFAM_LINUX >> bit & 1) != 0;
		if (judge(b, &p) != (in ? DCAP_OK : DCAP_POLICY))
			fail_msg("XFAM bit %u: %s", bit,
			    dcap_code_text(b->v.code));
		bed_free(b);
	}
}

static void
a_service_td_is_refused(void **state)
{
	(void)state;
	struct bed *b = bed_new();
	struct dcap_policy p = policy(b);
	b->w.quote.version = 5;
	b->w.quote.body_type = 3;
	b->w.quote.td.mrservicetd[47] = 1;
	assert_int_equal(judge(b, &p), DCAP_POLICY);
	bed_free(b);
}

#define STATUSES 7
static const struct {
	const char *text;
	enum dcap_tcb_status as;
} statuses[STATUSES] = {
	{ "UpToDate", DCAP_TCB_UP_TO_DATE },
	{ "SWHardeningNeeded", DCAP_TCB_SW_HARDENING_NEEDED },
	{ "ConfigurationNeeded", DCAP_TCB_CONFIGURATION_NEEDED },
	{ "ConfigurationAndSWHardeningNeeded",
	    DCAP_TCB_CONFIGURATION_AND_SW_HARDENING_NEEDED },
	{ "OutOfDate", DCAP_TCB_OUT_OF_DATE },
	{ "OutOfDateConfigurationNeeded",
	    DCAP_TCB_OUT_OF_DATE_CONFIGURATION_NEEDED },
	{ "Revoked", DCAP_TCB_REVOKED_STATUS },
};

static void
only_the_accepted_status_passes(void **state)
{
	(void)state;
	for (size_t i = 0; i < STATUSES - 1; i++) {
		for (size_t k = 0; k < STATUSES; k++) {
			struct bed *b = bed_new();
			struct dcap_policy p = policy(b);
			b->w.tcb.level[0].status = statuses[i].text;
			p.accept_status = DCAP_ACCEPT(statuses[k].as);
			enum dcap_code want = i == k ? DCAP_OK : DCAP_POLICY;
			if (judge(b, &p) != want)
				fail_msg("status %s, accepted %s: %s",
				    statuses[i].text, statuses[k].text,
				    dcap_code_text(b->v.code));
			bed_free(b);
		}
	}
}

/* What QE and module do to the platform's status (DCAP convergence). */
static void
status_of_platform_qe_and_module_converge(void **state)
{
	(void)state;
	static const enum dcap_tcb_status out_of_date[STATUSES - 1] = {
		DCAP_TCB_OUT_OF_DATE, DCAP_TCB_OUT_OF_DATE,
		DCAP_TCB_OUT_OF_DATE_CONFIGURATION_NEEDED,
		DCAP_TCB_OUT_OF_DATE_CONFIGURATION_NEEDED,
		DCAP_TCB_OUT_OF_DATE,
		DCAP_TCB_OUT_OF_DATE_CONFIGURATION_NEEDED,
	};
	static const char *const part[] = { "UpToDate", "OutOfDate",
		"Revoked" };
	for (int i = 0; i < STATUSES - 1; i++) {
		for (int m = 0; m < 9; m++) {
			int qe = m % 3;
			int module = m / 3;
			struct bed *b = bed_new();
			b->w.tcb.level[0].status = statuses[i].text;
			b->w.qe_identity.level[0].status = part[qe];
			b->w.tcb.module[0].level[0].status = part[module];
			bed_make(b);
			enum dcap_code got = bed_judge(b);
			enum dcap_tcb_status want =
			    qe == 1 || module == 1 ? out_of_date[i]
						   : statuses[i].as;
			if (qe == 2 || module == 2)
				assert_int_equal(got, DCAP_TCB_REVOKED);
			else if (got != DCAP_OK || b->v.tcb_status != want)
				fail_msg("%s, QE %s, module %s: %s",
				    statuses[i].text, part[qe], part[module],
				    dcap_tcb_status_text(b->v.tcb_status));
			bed_free(b);
		}
	}
}

static void
old_but_signed_collateral_fails_under_a_raised_floor(void **state)
{
	(void)state;
	for (int i = 0; i < 5; i++) {
		struct bed *b = bed_new();
		struct dcap_policy p = policy(b);
		p.min_tcb_eval += i == 1;
		p.min_tcb_date += i == 2;
		p.min_root_crl += i == 3;
		p.min_pck_crl += i == 4;
		assert_int_equal(judge(b, &p), i == 0 ? DCAP_OK : DCAP_POLICY);
		bed_free(b);
	}
	struct bed *b = bed_new();
	struct dcap_policy p = policy(b);
	b->w.qe_identity.eval = SIM_TCB_EVAL - 1; /* the lower of both counts */
	assert_int_equal(judge(b, &p), DCAP_POLICY);
	bed_free(b);
}

static void
a_denied_advisory_refuses_an_accepted_status(void **state)
{
	(void)state;
	static const char *const deny[] = { "INTEL-SA-99999" };
	for (int i = 0; i < 2; i++) {
		struct bed *b = bed_new();
		struct dcap_policy p = policy(b);
		b->w.tcb.level[0].status = "SWHardeningNeeded";
		b->w.tcb.level[0].advisory[0] =
		    i == 0 ? "INTEL-SA-99999" : "INTEL-SA-99998";
		p.accept_status |= DCAP_ACCEPT(DCAP_TCB_SW_HARDENING_NEEDED);
		p.deny_advisories = deny;
		p.deny_count = 1;
		assert_int_equal(judge(b, &p), i == 0 ? DCAP_POLICY : DCAP_OK);
		bed_free(b);
	}
}

static void
a_zeroed_policy_and_another_tee_are_refused(void **state)
{
	(void)state;
	struct bed *b = bed_new();
	const struct dcap_policy none = { .root_key = NULL };
	assert_int_equal(judge(b, &none), DCAP_POLICY);
	bed_free(b);
	b = bed_new();
	struct dcap_policy p = policy(b);
	p.accept_tee = 1u << DCAP_TEE_SGX;
	assert_int_equal(judge(b, &p), DCAP_POLICY);
	bed_free(b);
}

static void
a_policy_never_turns_a_no_into_a_yes(void **state)
{
	(void)state;
	struct bed *b = bed_new();
	struct dcap_policy p = policy(b);
	assert_int_equal(judge(b, &p), DCAP_OK);
	for (int code = 0; code < DCAP_CODES; code++) {
		struct dcap_verdict v = b->v;
		v.code = (enum dcap_code)code;
		enum dstack_status st = dcap_apply_policy(&v, &p);
		assert_int_equal(st, code == DCAP_OK ? DSTACK_OK
						     : DSTACK_E_REJECTED);
		assert_int_equal(v.code, code);
	}
	bed_free(b);
}

static void
a_sim_quote_fails_under_intels_root(void **state)
{
	(void)state;
	struct bed *b = bed_new();
	assert_memory_equal(b->root, trust_root_sim.key, 64);
	assert_memory_equal(dcap_intel_root, trust_root_tdx.key, 64);
	memcpy(b->root, trust_root_tdx.key, 64);
	bed_make(b);
	assert_int_equal(bed_judge(b), DCAP_UNTRUSTED_PCK_CHAIN);
	bed_free(b);
}

static void
without_collateral_or_a_quote_nothing_is_genuine(void **state)
{
	(void)state;
	struct bed *b = bed_new();
	bool sig = true;
	bool chain = true;
	enum dcap_code code = DCAP_OK;
	uint8_t key[64];
	struct dcap_platform platform;
	struct why why = { "" };
	bed_make(b);
	assert_int_equal(dcap_authenticate(b->q.buf, b->q.len, NULL, b->now,
	    b->root, b->report_data, &b->v), DSTACK_E_REJECTED);
	assert_int_not_equal(b->v.code, DCAP_OK);
	assert_int_equal(dcap_inspect(b->q.buf, b->q.len, b->now, b->root,
	    &sig, &chain, &code, &b->v), DSTACK_OK);
	assert_true(sig && chain && b->v.code != DCAP_OK);
	assert_int_equal(dcap_inspect(b->q.buf, 600, b->now, b->root,
	    &sig, &chain, &code, &b->v), DSTACK_E_REJECTED);
	assert_int_equal(code, DCAP_MALFORMED_QUOTE);
	assert_false(sig || chain);
	assert_int_equal(dcap_quote_platform(b->q.buf, b->q.len, &platform,
	    &why), DSTACK_OK);
	assert_memory_equal(platform.fmspc, sim_fmspc, 6);
	b->w.pck.sgx.present = false;
	bed_quote_chain(b, &b->w.pck, &b->w.ca, &b->w.root);
	assert_int_equal(dcap_inspect(b->q.buf, b->q.len, b->now, b->root,
	    &sig, &chain, &code, &b->v), DSTACK_E_REJECTED);
	assert_int_equal(code, DCAP_BAD_PCK_CHAIN);
	assert_int_equal(dcap_quote_platform(b->q.buf, b->q.len, &platform,
	    &why), DSTACK_E_REJECTED);
	AUTO_WR struct wr two = wr_new(0);
	bed_chain(&two, &b->w.root, NULL, NULL);
	assert_int_equal(dcap_root_from_cert(two.buf, two.len, key, &why),
	    DSTACK_OK);
	assert_memory_equal(key, b->root, 64);
	bed_chain(&two, &b->w.root, &b->w.root, NULL);
	assert_int_equal(dcap_root_from_cert(two.buf, two.len, key, &why),
	    DSTACK_E_FORMAT);
	assert_int_equal(dcap_root_from_cert("hello", 5, key, &why),
	    DSTACK_E_FORMAT);
	bed_free(b);
}

/*
 * Every bit before the certificates, and of the certificates' text every bit
 * or, without SWEEP=full, one in each byte (SWEEP=none: nothing). A flip that passes must be in
 * that text and leave every claim as it was: PEM has bits that say nothing.
 */
static void
no_flipped_bit_changes_what_a_quote_claims(void **state)
{
	(void)state;
	if (getenv("SWEEP") != NULL && strcmp(getenv("SWEEP"), "none") == 0)
		skip();
	struct bed *b = bed_new();
	bed_make(b);
	AUTO_WR struct wr json = wr_new(0);
	struct dcap_collateral *c = NULL;
	enum dcap_code code = DCAP_REFUSED;
	struct dcap_verdict want;
	struct dcap_verdict *v = &b->v;
	bool full = getenv("SWEEP") != NULL &&
	    strcmp(getenv("SWEEP"), "full") == 0;
	assert_int_equal(sim_collateral_print(&b->c, &json), DSTACK_OK);
	assert_int_equal(dcap_collateral_load(json.buf, json.len, &c, &code,
	    &b->v.why), DSTACK_OK);
	assert_int_equal(dcap_authenticate(b->q.buf, b->q.len, c, b->now,
	    b->root, b->report_data, &want), DSTACK_OK);
	size_t text = 1258; /* the certificates begin */
	unsigned flips = 0;
	unsigned passed = 0;
	for (size_t bit = 0; bit < b->q.len * 8; bit++) {
		if (bit / 8 >= text && !full && bit % 8 != bit / 8 % 8)
			continue;
		flips++;
		b->q.buf[bit / 8] ^= (uint8_t)(1u << bit % 8);
		if (dcap_authenticate(b->q.buf, b->q.len, c, b->now, b->root,
			b->report_data, v) == DSTACK_OK) {
			passed++;
			if (bit / 8 < text)
				fail_msg("bit %zu is not covered", bit);
			if (memcmp(v->ppid, want.ppid, 16) != 0 ||
			    memcmp(v->fmspc, want.fmspc, 6) != 0 ||
			    memcmp(v->cpusvn, want.cpusvn, 16) != 0 ||
			    memcmp(v->mr_td, want.mr_td, 48) != 0 ||
			    memcmp(v->rtmr, want.rtmr, 192) != 0 ||
			    v->pcesvn != want.pcesvn ||
			    v->tcb_status != want.tcb_status)
				fail_msg("bit %zu changes a claim", bit);
			if (full)
				print_message("uncovered: byte %zu bit %zu\n",
				    bit / 8, bit % 8);
		}
		b->q.buf[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	print_message("# %u flips, %u in PEM text without meaning\n", flips,
	    passed);
	assert_true(passed < 64);
	dcap_collateral_free(c);
	bed_free(b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    each_td_attribute_bit_but_the_required_one_is_refused),
		cmocka_unit_test(each_xfam_bit_outside_the_mask_is_refused),
		cmocka_unit_test(a_service_td_is_refused),
		cmocka_unit_test(only_the_accepted_status_passes),
		cmocka_unit_test(status_of_platform_qe_and_module_converge),
		cmocka_unit_test(
		    old_but_signed_collateral_fails_under_a_raised_floor),
		cmocka_unit_test(a_denied_advisory_refuses_an_accepted_status),
		cmocka_unit_test(a_zeroed_policy_and_another_tee_are_refused),
		cmocka_unit_test(
		    without_collateral_or_a_quote_nothing_is_genuine),
		cmocka_unit_test(a_policy_never_turns_a_no_into_a_yes),
		cmocka_unit_test(a_sim_quote_fails_under_intels_root),
		cmocka_unit_test(no_flipped_bit_changes_what_a_quote_claims),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
