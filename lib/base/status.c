/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Why something was refused, as one line. The line may quote what a peer sent
 * and ends in consoles and logs, so it is cut to its buffer and stripped of
 * control bytes wherever it is made. why_wrap puts the outer word in front of
 * the inner one, so that the reader learns first what was being done and then
 * what went wrong in it.
 */
#include "base/status.h"

#include <stdio.h>
#include <string.h>

const char *
dstack_status_text(enum dstack_status st)
{
	switch (st) {
	case DSTACK_OK:
		return "ok";
	case DSTACK_E_TRUNCATED:
		return "input ended early";
	case DSTACK_E_FORMAT:
		return "malformed input";
	case DSTACK_E_LIMIT:
		return "over a limit";
	case DSTACK_E_REJECTED:
		return "rejected";
	case DSTACK_E_NOMEM:
		return "out of memory";
	case DSTACK_E_SYS:
		return "system error";
	case DSTACK_E_MISSING:
		return "missing input";
	case DSTACK_E_BUSY:
		return "busy";
	}
	return "unknown status";
}

static void
clean(char *s)
{
	for (; *s != '\0'; s++) {
		if ((unsigned char)*s < 0x20 || (unsigned char)*s == 0x7f)
			*s = '?';
	}
}

enum dstack_status
why_set(struct why *why, enum dstack_status st, const char *fmt, ...)
{
	if (why != NULL) {
		va_list ap;
		va_start(ap, fmt);
		(void)vsnprintf(why->text, sizeof(why->text), fmt, ap);
		va_end(ap);
		clean(why->text);
	}
	return st;
}

enum dstack_status
why_wrap(struct why *why, enum dstack_status st, const char *fmt, ...)
{
	if (why != NULL) {
		char old[sizeof(why->text)];
		memcpy(old, why->text, sizeof(old));
		va_list ap;
		va_start(ap, fmt);
		int n = vsnprintf(why->text, sizeof(why->text), fmt, ap);
		va_end(ap);
		if (n >= 0 && (size_t)n < sizeof(why->text))
			(void)snprintf(why->text + n, sizeof(why->text) - (size_t)n,
			    ": %s", old[0] != '\0' ? old : dstack_status_text(st));
		clean(why->text);
	}
	return st;
}
