/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The opened volume: app/ is the app's /mnt/encrypted_data, system/ holds
 * the highest version that has run, so that a node that boots with an older
 * state of the chain shown to it does not go back (THREATS T21).
 *
 * The record is written whole beside the old one and renamed, and only when a
 * version has answered: a version that never ran must not lock out the one
 * before it. One that cannot be read is a refusal and not a zero, since zero
 * would let every older version in.
 */
#include "guest/kubernethes/kubernethes.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/own.h"
#include "guest/base/paths.h"

bool
kube_volume_there(void)
{
	struct stat here;
	struct stat above;
	return stat(PATH_VOLUME, &here) == 0 && stat(PATH_RUN, &above) == 0 &&
	    here.st_dev != above.st_dev;
}

static enum dstack_status
version_read(uint64_t *out, struct why *why)
{
	char text[32];
	char *end = NULL;
	*out = 0;
	AUTO_CLOSE int fd = open(PATH_VOLUME "/system/app-version",
	    O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT)
		return DSTACK_OK;
	ssize_t n = fd >= 0 ? read(fd, text, sizeof(text) - 1) : -1;
	text[n > 0 ? n : 0] = '\0';
	unsigned long long v = strtoull(text, &end, 10);
	if (n <= 1 || end == text || *end != '\n')
		return why_set(why, DSTACK_E_REJECTED,
		    "volume: its record of the app's version is unreadable");
	*out = v;
	return DSTACK_OK;
}

enum dstack_status
kube_volume_version(uint64_t v, struct why *why)
{
	char text[32];
	uint64_t had = 0;
	int n = snprintf(text, sizeof(text), "%" PRIu64 "\n", v);
	/* as it was: an app that filled its volume can start again */
	if (version_read(&had, why) == DSTACK_OK && had == v)
		return DSTACK_OK;
	AUTO_CLOSE int dir = open(PATH_VOLUME "/system",
	    O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	AUTO_CLOSE int fd = dir < 0
	    ? -1
	    : openat(dir, "app-version.new",
		  O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0 || write(fd, text, (size_t)n) != n || fsync(fd) != 0 ||
	    renameat(dir, "app-version.new", dir, "app-version") != 0 ||
	    fsync(dir) != 0)
		return why_set(why, DSTACK_E_SYS,
		    "volume: its record of the app's version: %s%s",
		    strerror(errno),
		    errno == ENOSPC ? "; the app has to free some" : "");
	return DSTACK_OK;
}

enum dstack_status
kube_volume_use(uint64_t *highest, struct why *why)
{
	uint64_t v = 0;
	if (!kube_volume_there())
		return why_set(why, DSTACK_E_BUSY,
		    "waiting for the encrypted volume");
	if ((mkdir(PATH_VOLUME "/system", 0700) != 0 && errno != EEXIST) ||
	    (mkdir(PATH_VOLUME "/app", 0755) != 0 && errno != EEXIST) ||
	    chmod(PATH_VOLUME, 0711) != 0)
		return why_set(why, DSTACK_E_SYS, "volume: its folders: %s",
		    strerror(errno));
	enum dstack_status st = version_read(&v, why);
	if (st == DSTACK_OK && v > *highest)
		*highest = v;
	return st;
}
