/* SPDX-License-Identifier: Apache-2.0 */
/* In a fresh network namespace; skipped where one may not be made. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "base/own.h"
#include "guest/init/netlink.h"

static const uint8_t here[4] = { 10, 88, 0, 1 };
static const uint8_t there[4] = { 10, 88, 0, 2 };

static bool
fresh(void)
{
	return unshare(CLONE_NEWNET) == 0;
}

static void
a_veth_pair_joins_two_namespaces(void **state)
{
	(void)state;
	struct why why = { "" };
	if (!fresh())
		skip();
	AUTO_CLOSE int inner = open("/proc/thread-self/ns/net", O_RDONLY);
	assert_true(inner >= 0);
	assert_true(fresh());
	AUTO_CLOSE int a = -1;
	AUTO_CLOSE int b = -1;
	assert_int_equal(nl_open(&a, &why), DSTACK_OK);
	assert_int_equal(nl_open_in(inner, &b, &why), DSTACK_OK);
	assert_int_equal(nl_veth_add(a, "app0", "eth0", inner, &why), DSTACK_OK);
	int idx = 0;
	assert_int_equal(nl_link_index(a, "eth0", &idx, &why), DSTACK_E_MISSING);
	assert_int_equal(nl_link_index(b, "eth0", &idx, &why), DSTACK_OK);
	assert_true(idx > 0);
	assert_int_equal(nl_addr_add(a, "app0", here, 30, &why), DSTACK_OK);
	assert_int_equal(nl_addr_add(a, "app0", here, 30, &why), DSTACK_OK);
	assert_int_equal(nl_link_up(a, "app0", &why), DSTACK_OK);
	assert_int_equal(nl_addr_add(b, "eth0", there, 30, &why), DSTACK_OK);
	assert_int_equal(nl_link_up(b, "eth0", &why), DSTACK_OK);
	assert_int_equal(nl_link_up(b, "lo", &why), DSTACK_OK);
	assert_int_equal(nl_route_default(b, here, &why), DSTACK_OK);
	assert_int_equal(nl_link_del(a, "app0", &why), DSTACK_OK);
	assert_int_equal(nl_link_index(b, "eth0", &idx, &why), DSTACK_E_MISSING);
	assert_int_equal(nl_link_del(a, "app0", &why), DSTACK_OK);
}

static void
a_failure_names_the_link(void **state)
{
	(void)state;
	struct why why = { "" };
	if (!fresh())
		skip();
	AUTO_CLOSE int a = -1;
	assert_int_equal(nl_open(&a, &why), DSTACK_OK);
	assert_int_equal(nl_link_up(a, "nosuch9", &why), DSTACK_E_SYS);
	assert_int_equal(errno, ENODEV);
	assert_non_null(strstr(why.text, "nosuch9"));
}

static void
a_link_moves_to_another_namespace(void **state)
{
	(void)state;
	struct why why = { "" };
	if (!fresh())
		skip();
	AUTO_CLOSE int inner = open("/proc/thread-self/ns/net", O_RDONLY);
	assert_true(fresh());
	AUTO_CLOSE int a = -1;
	AUTO_CLOSE int b = -1;
	int idx;
	assert_int_equal(nl_open(&a, &why), DSTACK_OK);
	assert_int_equal(nl_open_in(inner, &b, &why), DSTACK_OK);
	assert_int_equal(nl_veth_add(a, "v0", "v1", -1, &why), DSTACK_OK);
	assert_int_equal(nl_link_move(a, "v1", inner, &why), DSTACK_OK);
	assert_int_equal(nl_link_index(b, "v1", &idx, &why), DSTACK_OK);
	assert_int_equal(nl_link_index(a, "v1", &idx, &why), DSTACK_E_MISSING);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_veth_pair_joins_two_namespaces),
		cmocka_unit_test(a_failure_names_the_link),
		cmocka_unit_test(a_link_moves_to_another_namespace),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
