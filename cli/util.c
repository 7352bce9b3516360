/* SPDX-License-Identifier: Apache-2.0 */
/* What every verb needs to end well. */
#include "cli/cmd.h"

#include <stdio.h>

#include "base/log.h"

int
cmd_exit(enum dstack_status st)
{
	if (st == DSTACK_OK)
		return EXIT_YES;
	return st == DSTACK_E_REJECTED ? EXIT_NO : EXIT_UNDECIDED;
}

int
cmd_fail(const char *verb, enum dstack_status st, const struct why *why)
{
	const char *text = why != NULL && why->text[0] != '\0'
	    ? why->text
	    : dstack_status_text(st);

	log_line("%s: %s", verb, text);
	return cmd_exit(st);
}

int
cmd_usage(const char *text)
{
	(void)fprintf(stderr, "%s\n", text);
	return EXIT_USAGE;
}
