/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The one file of lib/ that writes anywhere: a line to standard error. What the
 * line says may come from a peer, so control bytes do not reach the terminal or
 * the log of who reads it, and a long one is cut.
 */
#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

static const char *who = "dstack";

void
log_name(const char *name)
{
	who = name;
}

void
log_line(const char *fmt, ...)
{
	char line[1024];
	int n = snprintf(line, sizeof(line), "%s: ", who);
	if (n < 0 || (size_t)n >= sizeof(line))
		return;
	va_list ap;
	va_start(ap, fmt);
	int m = vsnprintf(line + n, sizeof(line) - (size_t)n - 1, fmt, ap);
	va_end(ap);
	/*
	 * A line that cannot be made is lost in silence: there is nobody to
	 * tell, and a log is no reason to end.
	 */
	if (m < 0)
		return;
	size_t len = (size_t)n + (size_t)m;
	if (len > sizeof(line) - 2)
		len = sizeof(line) - 2;
	for (size_t i = 0; i < len; i++) {
		if ((unsigned char)line[i] < 0x20)
			line[i] = '?';
	}
	line[len] = '\n';
	ssize_t w = write(STDERR_FILENO, line, len + 1); /* one write: no mixing */
	(void)w;
}
