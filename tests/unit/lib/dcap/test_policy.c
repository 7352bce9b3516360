/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The verifier's policy, rule by rule, on a verdict that is made here: what
 * whole quotes get under it is in test_dcap_status and test_dcap_sweep.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "dstack/dcap.h"

static struct dcap_verdict
genuine(void)
{
	struct dcap_verdict v;
	memset(&v, 0, sizeof(v));
	v.code = DCAP_OK;
	v.tee = DCAP_TEE_TDX;
	v.tcb_status = DCAP_TCB_UP_TO_DATE;
	v.tcb_eval = 17;
	v.tcb_date_s = 1700000000;
	v.root_crl_number = 3;
	v.pck_crl_number = 5;
	v.xfam[0] = 0xe7;
	v.xfam[1] = 0x1a;
	v.xfam[2] = 0x06;
	v.advisories = 1;
	(void)snprintf(v.advisory[0], sizeof(v.advisory[0]), "%s",
	    "INTEL-SA-00615");
	return v;
}

static struct dcap_policy
careful(void)
{
	return (struct dcap_policy){ .accept_tee = 1u << DCAP_TEE_TDX,
		.accept_status = DCAP_ACCEPT(DCAP_TCB_UP_TO_DATE),
		.xfam_allow = DCAP_XFAM_LINUX,
		.min_tcb_eval = 17, .min_tcb_date = 1700000000,
		.min_root_crl = 3, .min_pck_crl = 5 };
}

/* It is refused, with that in its line, and the verdict says by whom. */
static void
refuses(struct dcap_verdict v, struct dcap_policy p, const char *line)
{
	assert_int_equal(dcap_apply_policy(&v, &p), DSTACK_E_REJECTED);
	assert_int_equal(v.code, DCAP_POLICY);
	if (strstr(v.why.text, "policy: ") != v.why.text ||
	    strstr(v.why.text, line) == NULL)
		fail_msg("wanted %s: %s", line, v.why.text);
}

static void
what_meets_every_rule_passes_as_it_is(void **state)
{
	struct dcap_verdict v = genuine();
	const struct dcap_policy p = careful();
	(void)state;
	assert_int_equal(dcap_apply_policy(&v, &p), DSTACK_OK);
	assert_int_equal(v.code, DCAP_OK);
	assert_string_equal(v.why.text, "");
}

static void
a_policy_that_was_not_filled_in_refuses(void **state)
{
	struct dcap_policy p = { .root_key = NULL };
	(void)state;
	refuses(genuine(), p, "this TEE is not accepted");
	p = careful();
	p.min_tcb_eval = 0;
	refuses(genuine(), p, "a floor is not set");
	p = careful();
	p.min_root_crl = 0;
	refuses(genuine(), p, "a floor is not set");
	p = careful();
	p.min_pck_crl = 0;
	refuses(genuine(), p, "a floor is not set");
	p = careful();
	p.accept_status = 0;
	refuses(genuine(), p, "TCB status UpToDate is not accepted");
	p = careful();
	p.xfam_allow = 0;
	refuses(genuine(), p, "XFAM bits 61ae7 are not allowed");
}

static void
each_floor_is_one_of_its_own(void **state)
{
	struct dcap_policy p = careful();
	(void)state;
	p.min_tcb_eval = 18;
	refuses(genuine(), p, "TCB evaluation data number 17 is below 18");
	p = careful();
	p.min_tcb_date++;
	refuses(genuine(), p, "is too old");
	p = careful();
	p.min_root_crl = 4;
	refuses(genuine(), p, "root CA's CRL number 3 is below 4");
	p = careful();
	p.min_pck_crl = 6;
	refuses(genuine(), p, "PCK CA's CRL number 5 is below 6");
}

static void
revoked_and_no_status_pass_no_mask(void **state)
{
	struct dcap_policy p = careful();
	struct dcap_verdict v = genuine();
	(void)state;
	p.accept_status = UINT32_MAX;
	v.tcb_status = DCAP_TCB_REVOKED_STATUS;
	refuses(v, p, "TCB status Revoked is not accepted");
	v.tcb_status = DCAP_TCB_NONE;
	refuses(v, p, "is not accepted");
	v.tcb_status = DCAP_TCB_OUT_OF_DATE;
	assert_int_equal(dcap_apply_policy(&v, &p), DSTACK_OK);
}

static void
each_flag_is_refused_by_its_name_unless_it_is_allowed(void **state)
{
	(void)state;
	for (unsigned i = 0; i < DCAP_FLAGS; i++) {
		struct dcap_verdict v = genuine();
		struct dcap_policy p = careful();
		v.policy_flags = 1u << i;
		refuses(v, p, dcap_flag_text(i));
		p.allow_flags = ~(1u << i);
		refuses(v, p, dcap_flag_text(i));
		p.allow_flags = 1u << i;
		assert_int_equal(dcap_apply_policy(&v, &p), DSTACK_OK);
	}
}

static void
each_cpu_feature_outside_the_mask_is_refused_in_a_td(void **state)
{
	(void)state;
	for (unsigned bit = 0; bit < 64; bit++) {
		struct dcap_verdict v = genuine();
		struct dcap_policy p = careful();
		v.xfam[bit / 8] |= (uint8_t)(1u << bit % 8);
		if ((DCAP_XFAM_LINUX >> bit & 1) != 0) {
			assert_int_equal(dcap_apply_policy(&v, &p), DSTACK_OK);
			continue;
		}
		refuses(v, p, "XFAM bits");
		/* an enclave has no such bits */
		v = genuine();
		v.xfam[bit / 8] |= (uint8_t)(1u << bit % 8);
		v.tee = DCAP_TEE_SGX;
		p.accept_tee = 1u << DCAP_TEE_SGX;
		assert_int_equal(dcap_apply_policy(&v, &p), DSTACK_OK);
	}
}

static void
an_advisory_is_denied_by_its_whole_name(void **state)
{
	static const char *const other[] = { "INTEL-SA-0061", "INTEL-SA-006150",
		"intel-sa-00615" };
	static const char *const denied[] = { "INTEL-SA-00001",
		"INTEL-SA-00615" };
	struct dcap_policy p = careful();
	struct dcap_verdict v = genuine();
	(void)state;
	p.deny_advisories = other;
	p.deny_count = 3;
	assert_int_equal(dcap_apply_policy(&v, &p), DSTACK_OK);
	p.deny_advisories = denied;
	p.deny_count = 2;
	refuses(v, p, "open advisory INTEL-SA-00615");
	p.deny_count = 1;
	assert_int_equal(dcap_apply_policy(&v, &p), DSTACK_OK);
}

static void
a_no_stays_the_no_that_it_was(void **state)
{
	const struct dcap_policy p = careful();
	(void)state;
	for (int c = 0; c < DCAP_CODES; c++) {
		struct dcap_verdict v = genuine();
		if (c == DCAP_OK)
			continue;
		v.code = (enum dcap_code)c;
		assert_int_equal(
		    dcap_apply_policy(&v, &p), DSTACK_E_REJECTED);
		assert_int_equal(v.code, c);
	}
}

int
main(void)
{
	const struct CMUnitTest t[] = {
		cmocka_unit_test(what_meets_every_rule_passes_as_it_is),
		cmocka_unit_test(a_policy_that_was_not_filled_in_refuses),
		cmocka_unit_test(each_floor_is_one_of_its_own),
		cmocka_unit_test(revoked_and_no_status_pass_no_mask),
		cmocka_unit_test(
		    each_flag_is_refused_by_its_name_unless_it_is_allowed),
		cmocka_unit_test(
		    each_cpu_feature_outside_the_mask_is_refused_in_a_td),
		cmocka_unit_test(an_advisory_is_denied_by_its_whole_name),
		cmocka_unit_test(a_no_stays_the_no_that_it_was),
	};
	return cmocka_run_group_tests(t, NULL, NULL);
}
