/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "oci/oci.h"

static void
take(const char *json, struct oci_config *c)
{
	struct why why = { "" };
	if (oci_config_parse(json, strlen(json), c, &why) != DSTACK_OK)
		fail_msg("%s: %s", json, why.text);
}

static void
a_health_check_is_taken_as_docker_writes_it(void **state)
{
	(void)state;
	struct oci_config c;
	take("{\"Healthcheck\":{\"Test\":[\"CMD-SHELL\",\"wget -q x\"],"
	     "\"Interval\":2000000000,\"Timeout\":1000000,\"StartPeriod\":"
	     "60000000000,\"StartInterval\":500000000,\"Retries\":7},"
	     "\"Shell\":[\"/bin/bash\",\"-c\"]}", &c);
	assert_int_equal(c.health.ntest, 2);
	assert_string_equal(c.health.test[1], "wget -q x");
	assert_true(c.health.shell);
	assert_int_equal(c.nshell, 2);
	assert_int_equal(c.health.interval, 2000);
	assert_int_equal(c.health.timeout, 1);
	assert_int_equal(c.health.start, 60000);
	assert_int_equal(c.health.start_interval, 500);
	assert_int_equal(c.health.retries, 7);
	oci_config_free(&c);
	/* 0 and nothing are Docker's defaults */
	take("{\"Healthcheck\":{\"Test\":[\"CMD\",\"/c\",\"a\"],"
	     "\"Interval\":0,\"Retries\":0,\"Timeout\":null}}", &c);
	assert_int_equal(c.health.ntest, 3);
	assert_false(c.health.shell);
	assert_int_equal(c.health.interval, 30000);
	assert_int_equal(c.health.timeout, 30000);
	assert_int_equal(c.health.start, 0);
	assert_int_equal(c.health.start_interval, 5000);
	assert_int_equal(c.health.retries, 3);
	oci_config_free(&c);
}

static void
none_is_no_health_check(void **state)
{
	(void)state;
	static const char *const none[] = { "{}", "{\"Healthcheck\":null}",
		"{\"Healthcheck\":{}}", "{\"Healthcheck\":{\"Test\":[]}}",
		"{\"Healthcheck\":{\"Test\":[\"NONE\"]}}",
		"{\"Healthcheck\":{\"Test\":[\"NONE\",\"x\"],\"Retries\":1}}" };
	struct oci_config c;
	for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++) {
		take(none[i], &c);
		assert_int_equal(c.health.ntest, 0);
		oci_config_free(&c);
	}
}

static void
a_health_check_that_nobody_could_run_is_refused(void **state)
{
	(void)state;
	static const struct {
		const char *json, *says;
	} bad[] = {
		{ "[]", "Healthcheck is no object" },
		{ "{\"Test\":\"curl\"}", "Test has the wrong type" },
		{ "{\"Test\":[1]}", "Test holds something" },
		{ "{\"Test\":[\"curl\",\"x\"]}", "begins with curl" },
		{ "{\"Test\":[\"cmd\",\"x\"]}", "begins with cmd" },
		{ "{\"Test\":[\"CMD\"]}", "no command" },
		{ "{\"Test\":[\"CMD-SHELL\"]}", "no command" },
		{ "{\"Interval\":\"3s\"}", "Interval is no number" },
		{ "{\"Timeout\":999999}", "Healthcheck.Timeout is a time" },
		{ "{\"StartPeriod\":-1}", "Healthcheck.StartPeriod is a" },
		{ "{\"StartInterval\":86400001000000}", "StartInterval is a" },
		{ "{\"Retries\":-1}", "Retries is a number" },
		{ "{\"Retries\":1001}", "Retries is a number" },
		{ "{\"Retries\":1.5}", "Retries is a number" },
	};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct oci_config c;
		struct why why = { "" };
		char json[256];
		snprintf(json, sizeof(json), "{\"Healthcheck\":%s}",
		    bad[i].json);
		assert_int_not_equal(
		    oci_config_parse(json, strlen(json), &c, &why), DSTACK_OK);
		if (strstr(why.text, bad[i].says) == NULL)
			fail_msg("%s: %s", json, why.text);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_health_check_is_taken_as_docker_writes_it),
		cmocka_unit_test(none_is_no_health_check),
		cmocka_unit_test(
		    a_health_check_that_nobody_could_run_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
