/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Kernel modules of the image, in groups by when they are needed; an image
 * whose kernel has all of it built in has none, and then nothing here does
 * anything. The order file is the image's own, so it is measured; it is read as
 * text all the same, within a bound. Roles wait for the mark of a group, not
 * for a time.
 */
#include "guest/init/modules.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/own.h"

#define DIRECTORY "/lib/modules"
#define ORDER DIRECTORY "/order"
#define MARKS "/run/modules"
#define ORDER_MAX 8192
#define STEP_MS 20
#define WAIT_MS 60000

static enum dstack_status
load(const char *file, size_t len, struct why *why)
{
	char path[256];

	if (snprintf(path, sizeof(path), DIRECTORY "/%.*s", (int)len, file) >=
	    (int)sizeof(path))
		return DSTACK_E_LIMIT;
	AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return why_set(why, DSTACK_E_MISSING, "module %s: %s", path,
		    strerror(errno));
	/* Built in, or loaded by another: as good. */
	if (syscall(SYS_finit_module, fd, "", 0) != 0 && errno != EEXIST)
		return why_set(why, DSTACK_E_SYS, "module %s: %s", path,
		    strerror(errno));
	return DSTACK_OK;
}

bool
modules_any(void)
{
	struct stat st;

	return stat(ORDER, &st) == 0 && st.st_size != 0;
}

enum dstack_status
modules_load(const char *group, struct why *why)
{
	char text[ORDER_MAX];
	size_t glen = strlen(group);
	enum dstack_status st = DSTACK_OK;
	AUTO_CLOSE int fd = open(ORDER, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text));

	if (n < 0 || (size_t)n >= sizeof(text))
		return why_set(why, DSTACK_E_MISSING, ORDER ": %s",
		    n < 0 ? strerror(errno) : "too long");
	text[n] = '\0';
	for (const char *p = text; *p != '\0' && st == DSTACK_OK;) {
		size_t len = strcspn(p, "\n");
		if (len > glen + 1 && memcmp(p, group, glen) == 0 &&
		    p[glen] == ' ')
			st = load(p + glen + 1, len - glen - 1, why);
		p += len + (p[len] == '\n' ? 1 : 0);
	}
	return st;
}

enum dstack_status
modules_mark(const char *group, struct why *why)
{
	char path[128];

	(void)mkdir(MARKS, 0755);
	(void)snprintf(path, sizeof(path), MARKS "/%s", group);
	AUTO_CLOSE int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0444);
	if (fd < 0)
		return why_set(
		    why, DSTACK_E_SYS, "%s: %s", path, strerror(errno));
	return DSTACK_OK;
}

enum dstack_status
modules_wait(const char *group, struct why *why)
{
	const struct timespec step = { .tv_nsec = STEP_MS * 1000000L };
	char path[128];

	if (!modules_any())
		return DSTACK_OK;
	(void)snprintf(path, sizeof(path), MARKS "/%s", group);
	for (int t = 0; t < WAIT_MS; t += STEP_MS) {
		if (access(path, F_OK) == 0)
			return DSTACK_OK;
		(void)nanosleep(&step, NULL);
	}
	return why_set(why, DSTACK_E_MISSING,
	    "kernel modules '%s' are not loaded", group);
}
