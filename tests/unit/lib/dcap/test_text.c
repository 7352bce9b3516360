/* SPDX-License-Identifier: Apache-2.0 */
/* Names of codes, statuses and flags, which programs and people go by. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "dstack/dcap.h"

static void
names_of_codes_statuses_and_flags_are_whole(void **state)
{
	(void)state;
	for (int i = 0; i < DCAP_CODES; i++)
		assert_non_null(dcap_code_text((enum dcap_code)i));
	assert_string_equal(dcap_code_text(DCAP_CODES), "refused");
	for (int i = 1; i < DCAP_TCB_STATUSES; i++)
		assert_int_equal(dcap_tcb_status_from(dcap_tcb_status_text(
		    (enum dcap_tcb_status)i)), i);
	assert_int_equal(dcap_tcb_status_from("uptodate"), DCAP_TCB_NONE);
	assert_int_equal(dcap_tcb_status_from(""), DCAP_TCB_NONE);
	for (unsigned i = 0; i < DCAP_FLAGS; i++)
		assert_true(dcap_flag_text(i)[0] != '\0');
}

/* As Intel's documents write them; a program compares by these texts. */
static void
statuses_have_intels_spelling(void **state)
{
	static const struct {
		enum dcap_tcb_status s;
		const char *text;
	} known[] = {
		{ DCAP_TCB_UP_TO_DATE, "UpToDate" },
		{ DCAP_TCB_SW_HARDENING_NEEDED, "SWHardeningNeeded" },
		{ DCAP_TCB_CONFIGURATION_NEEDED, "ConfigurationNeeded" },
		{ DCAP_TCB_CONFIGURATION_AND_SW_HARDENING_NEEDED,
		    "ConfigurationAndSWHardeningNeeded" },
		{ DCAP_TCB_OUT_OF_DATE, "OutOfDate" },
		{ DCAP_TCB_OUT_OF_DATE_CONFIGURATION_NEEDED,
		    "OutOfDateConfigurationNeeded" },
		{ DCAP_TCB_TD_RELAUNCH_ADVISED, "TDRelaunchAdvised" },
		{ DCAP_TCB_REVOKED_STATUS, "Revoked" },
	};
	(void)state;
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		assert_string_equal(
		    dcap_tcb_status_text(known[i].s), known[i].text);
	assert_string_equal(dcap_tcb_status_text(DCAP_TCB_NONE), "");
	assert_string_equal(dcap_tcb_status_text(DCAP_TCB_STATUSES), "");
	assert_int_equal(dcap_tcb_status_from("UpToDate "), DCAP_TCB_NONE);
}

/* Two of one name could not be told apart in a log. */
static void
no_two_have_one_name(void **state)
{
	(void)state;
	for (int i = 0; i < DCAP_CODES; i++)
		for (int k = 0; k < i; k++)
			assert_string_not_equal(
			    dcap_code_text((enum dcap_code)i),
			    dcap_code_text((enum dcap_code)k));
	for (unsigned i = 0; i < DCAP_FLAGS; i++)
		for (unsigned k = 0; k < i; k++)
			assert_string_not_equal(
			    dcap_flag_text(i), dcap_flag_text(k));
	assert_string_equal(dcap_flag_text(DCAP_FLAGS), "");
}

int
main(void)
{
	const struct CMUnitTest t[] = {
		cmocka_unit_test(names_of_codes_statuses_and_flags_are_whole),
		cmocka_unit_test(statuses_have_intels_spelling),
		cmocka_unit_test(no_two_have_one_name),
	};
	return cmocka_run_group_tests(t, NULL, NULL);
}
