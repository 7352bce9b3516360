/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The report of an audit. Each check comes here once with how it ended; the
 * worst so far decides the exit, "refused" before "could not decide", and the
 * first of the worst kind is the reason that the last line gives.
 */
#include "cli/image/report.h"

#include <stdarg.h>
#include <stdio.h>

void
audit_say(struct audit *a, const char *check, enum dstack_status st,
    const char *fmt, ...)
{
	char text[256];
	va_list ap;
	const char *result = st == DSTACK_OK ? "ok"
	    : st == DSTACK_E_REJECTED	     ? "refused"
					     : "undecided";

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (st == DSTACK_E_REJECTED && !a->refused)
		(void)why_set(&a->first, st, "%s: %s", check, text);
	else if (st != DSTACK_OK && !a->refused && !a->undecided)
		(void)why_set(&a->first, st, "%s: %s", check, text);
	a->refused = a->refused || st == DSTACK_E_REJECTED;
	a->undecided =
	    a->undecided || (st != DSTACK_OK && st != DSTACK_E_REJECTED);
	(void)json_array_append_new(a->checks,
	    json_pack("{ssssss}", "check", check, "result", result, "text",
		text));
	if (!a->json) {
		printf("%-10s %-10s %s\n", result, check, text);
		(void)fflush(stdout);
	}
}
