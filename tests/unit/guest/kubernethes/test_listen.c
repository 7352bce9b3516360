/* SPDX-License-Identifier: Apache-2.0 */
/* Where an app listens, by tables as the kernel writes them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "guest/kubernethes/start.h"

static void
where_an_app_listens_is_told_from_the_kernels_table(void **state)
{
	(void)state;
	static const char head[] = "  sl  local_address rem_address   st "
				   "tx_queue rx_queue tr tm->when retrnsmt\n";
	static const struct {
		const char *line;
		struct listens is;
	} c[] = {
		{ "   0: 00000000:0050 00000000:0000 0A 00000000:00000000 0\n",
		    { .open = true } },
		{ "   0: 0100007F:0050 00000000:0000 0A 00000000:00000000 0\n",
		    { .local = true } },
		{ "   0: 0100007F:0050 00000000:0000 01 00000000:00000000 0\n",
		    { .open = false } },
		{ "   9: 00000000:1F90 00000000:0000 0A 00000000:00000000 0\n",
		    { .other = 8080 } },
		{ "   0: 00000000000000000000000000000000:0050 "
		  "00000000000000000000000000000000:0000 0A 0\n",
		    { .open = true } },
		{ "   0: 00000000000000000000000001000000:0050 "
		  "00000000000000000000000000000000:0000 0A 0\n",
		    { .local = true } },
		{ "   0: 0000000000000000FFFF00000100007F:0050 "
		  "00000000000000000000000000000000:0000 0A 0\n",
		    { .local = true } },
		{ "   0: 0000\n", { .open = false } },
		{ "", { .open = false } },
	};
	for (size_t i = 0; i < sizeof(c) / sizeof(c[0]); i++) {
		char text[512];
		struct listens l = { .open = false };
		snprintf(text, sizeof(text), "%s%s", head, c[i].line);
		listen_read(text, 80, &l);
		assert_int_equal(l.open, c[i].is.open);
		assert_int_equal(l.local, c[i].is.local);
		assert_int_equal(l.other, c[i].is.other);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    where_an_app_listens_is_told_from_the_kernels_table),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
