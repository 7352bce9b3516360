/* SPDX-License-Identifier: Apache-2.0 */
/* Where an app listens, by tables as the kernel writes them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "guest/kubernethes/listen.h"

static void
where_an_app_listens_is_told_from_the_kernels_table(void **state)
{
	(void)state;
	static const char head[] = "  sl  local_address rem_address   st "
				   "tx_queue rx_queue tr tm->when retrnsmt\n";
	static const struct {
		const char *line;
		uint16_t open, local;
	} c[] = {
		{ "   0: 00000000:0050 00000000:0000 0A 00000000:00000000 0\n",
		    80, 0 },
		{ "   0: 0100007F:0050 00000000:0000 0A 00000000:00000000 0\n",
		    0, 80 },
		{ "   0: 0100007F:0050 00000000:0000 01 00000000:00000000 0\n",
		    0, 0 },
		{ "   9: 0200580A:1F90 00000000:0000 0A 00000000:00000000 0\n",
		    8080, 0 },
		{ "   0: 00000000000000000000000000000000:0050 "
		  "00000000000000000000000000000000:0000 0A 0\n", 80, 0 },
		{ "   0: 00000000000000000000000001000000:0050 "
		  "00000000000000000000000000000000:0000 0A 0\n", 0, 80 },
		{ "   0: 0000000000000000FFFF00000100007F:0050 "
		  "00000000000000000000000000000000:0000 0A 0\n", 0, 80 },
		{ "   0: 0000\n", 0, 0 },
		{ "", 0, 0 },
	};
	for (size_t i = 0; i < sizeof(c) / sizeof(c[0]); i++) {
		char text[512];
		struct listens l = { .nopen = 0 };
		snprintf(text, sizeof(text), "%s%s%s", head, c[i].line,
		    c[i].line);
		listen_read(text, &l);
		listen_read(text, &l); /* each once */
		assert_int_equal(l.nopen, c[i].open != 0);
		assert_int_equal(l.nlocal, c[i].local != 0);
		assert_int_equal(l.open[0], c[i].open);
		assert_int_equal(l.local[0], c[i].local);
	}
}

static void
more_ports_than_it_can_hold_are_not_seen(void **state)
{
	(void)state;
	static char text[LISTENS_MAX * 2 * 64];
	struct listens l = { .nopen = 0 };
	size_t n = (size_t)snprintf(text, sizeof(text), "head\n");
	for (int i = 1; i <= LISTENS_MAX * 2; i++)
		n += (size_t)snprintf(text + n, sizeof(text) - n,
		    " 1: 00000000:%04X 00000000:0000 0A\n", (unsigned)i);
	listen_read(text, &l);
	assert_int_equal(l.nopen, LISTENS_MAX);
	assert_int_equal(l.open[LISTENS_MAX - 1], LISTENS_MAX);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    where_an_app_listens_is_told_from_the_kernels_table),
		cmocka_unit_test(more_ports_than_it_can_hold_are_not_seen),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
