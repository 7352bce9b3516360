/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What every verb needs to end well: the exit status that a result calls for,
 * the one line about it, and the only way in which a key comes into this
 * program, which is a file.
 */
#include "cli/cmd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/hex.h"
#include "base/log.h"
#include "base/own.h"

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
	/* a reason where there is one; else what the status means */
	const char *text = why != NULL && why->text[0] != '\0'
	    ? why->text
	    : dstack_status_text(st);

	log_line("%s: %s", verb, text);
	return cmd_exit(st);
}

enum dstack_status
cmd_read_key(const char *path, struct secret32 *key, struct why *why)
{
	char text[80] = "";
	AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat sb;
	if (fd < 0 || fstat(fd, &sb) != 0)
		return why_set(why, DSTACK_E_SYS, "%s: %s", path,
		    strerror(errno));
	/*
	 * said and not refused: whoever uses it knows best who the others are
	 */
	if ((sb.st_mode & 077) != 0)
		log_line("%s: others may read this key; chmod 600",
		    path);
	ssize_t n = read(fd, text, sizeof(text) - 1);
	/* editors end a file with a line end */
	while (n > 0 && (text[n - 1] == '\n' || text[n - 1] == '\r'))
		n--;
	enum dstack_status st = n > 0
	    ? hex_decode(text, (size_t)n, key->b, sizeof(key->b))
	    : DSTACK_E_FORMAT;
	/* the key in its other form */
	explicit_bzero(text, sizeof(text));
	return st == DSTACK_OK
	    ? st
	    : why_set(why, DSTACK_E_FORMAT, "%s: not 64 hex digits", path);
}
