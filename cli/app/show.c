/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How far a push is, for people. On a terminal one line is written over and
 * over, cut to the terminal's width, since a line that wraps cannot be taken
 * back; into a file or a pipe goes a line for each news and none for the
 * ticking of a clock.
 */
#include "cli/app/wait.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

void
show_begin(struct show *s, bool quiet)
{
	*s = (struct show){ .quiet = quiet,
		.moving = !quiet && isatty(STDOUT_FILENO) == 1 };
}

static size_t
width(void)
{
	struct winsize w = { 0 };

	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &w) != 0 || w.ws_col < 20)
		return 80;
	return w.ws_col;
}

void
show_line(struct show *s, bool news, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	if (s->quiet || (!s->moving && !news))
		return;
	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (s->moving) {
		/* one column less: some terminals wrap at the last one */
		size_t w = width() - 1;
		(void)printf("\r%.*s\033[K", (int)(w < sizeof(text) ? w : 511),
		    text);
	} else {
		(void)printf("%s\n", text);
	}
	s->there = s->moving;
	(void)fflush(stdout);
}

void
show_end(struct show *s)
{
	if (s->there)
		(void)printf("\r\033[K");
	s->there = false;
	(void)fflush(stdout);
}
