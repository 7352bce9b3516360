/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a guest hands over of its app's output is kept here until its owner
 * reads it. The guest bounds how fast it comes; this side bounds how much
 * there is, since guests are many and the app may be anybody's: a file that is
 * full makes room for a new one, and of sixteen the oldest goes. The frame's
 * head is read for the file's name alone and may lie: the reader compares it
 * with what is sealed. A power cut may leave half a frame at a file's end;
 * then the reader says so, and what comes after lies in another file, as a
 * guest that starts again draws a new name.
 */
#include "host/base/logs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/hex.h"
#include "base/own.h"
#include "base/wr.h"
#include "host/base/files.h"
#include "protocol/applog.h"

static enum dstack_status
sys(const char *name, struct why *why)
{
	return why_set(why, DSTACK_E_SYS, LOGS_DIR "/%s: %s", name,
	    strerror(errno));
}

/* Let the oldest go until there are fewer than LOGS_FILES. */
static void
make_room(int dir)
{
	for (;;) {
		int copy = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		DIR *d = copy >= 0 ? fdopendir(copy) : NULL;
		struct dirent *e;
		struct stat s;
		struct timespec oldest = { 0 };
		char name[FILES_NAME_MAX + 1] = "";
		unsigned n = 0;

		if (d == NULL) {
			if (copy >= 0)
				(void)close(copy);
			return;
		}
		while ((e = readdir(d)) != NULL) {
			if (!files_name_ok(e->d_name) ||
			    fstatat(dir, e->d_name, &s, AT_SYMLINK_NOFOLLOW) !=
			        0 || !S_ISREG(s.st_mode))
				continue;
			n++;
			if (name[0] != '\0' &&
			    (s.st_mtim.tv_sec > oldest.tv_sec ||
			        (s.st_mtim.tv_sec == oldest.tv_sec &&
			            s.st_mtim.tv_nsec >= oldest.tv_nsec)))
				continue;
			oldest = s.st_mtim;
			(void)snprintf(name, sizeof(name), "%.*s",
			    FILES_NAME_MAX, e->d_name);
		}
		(void)closedir(d);
		if (n < LOGS_FILES || unlinkat(dir, name, 0) != 0)
			return;
	}
}

enum dstack_status
logs_keep(int dirfd, const void *frame, size_t n, struct why *why)
{
	struct applog_frame f;
	AUTO_WR struct wr w = wr_new(0);
	char boot[33];
	char name[64];
	char full[96];
	struct stat s;

	if (applog_frame_get(frame, n, &f) != DSTACK_OK)
		return why_set(
		    why, DSTACK_E_FORMAT, "that is no batch of a log");
	hex_encode(f.head.boot, 16, boot);
	(void)snprintf(name, sizeof(name), "%s.log", boot);
	if (mkdirat(dirfd, LOGS_DIR, 0755) != 0 && errno != EEXIST)
		return sys("", why);
	AUTO_CLOSE int dir = openat(dirfd, LOGS_DIR,
	    O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (dir < 0)
		return why_set(why, DSTACK_E_REJECTED,
		    "host_volume/" LOGS_DIR " is no folder: %s",
		    strerror(errno));
	/* renamed, not cut: whoever follows it has it open by its inode */
	bool there = fstatat(dir, name, &s, AT_SYMLINK_NOFOLLOW) == 0;
	if (there && s.st_size > (off_t)(LOGS_FILE_MAX - APPLOG_FRAME_MAX)) {
		(void)snprintf(full, sizeof(full), "%s-%020llu.log", boot,
		    (unsigned long long)f.head.number);
		if (renameat(dir, name, dir, full) != 0)
			return sys(name, why);
		there = false;
	}
	if (!there)
		make_room(dir);
	AUTO_CLOSE int fd = openat(dir, name, O_WRONLY | O_CREAT | O_APPEND |
	        O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0644);
	if (fd < 0 || fstat(fd, &s) != 0)
		return sys(name, why);
	if (!S_ISREG(s.st_mode))
		return why_set(why, DSTACK_E_REJECTED,
		    LOGS_DIR "/%s is no regular file", name);
	wr_blob(&w, frame, n);
	enum dstack_status st = wr_status(&w);
	if (st != DSTACK_OK)
		return st;
	if (files_write(fd, w.buf, w.len) == DSTACK_OK)
		return DSTACK_OK;
	/* not half of one: the guest tries again with the same */
	st = sys(name, why);
	(void)!ftruncate(fd, s.st_size);
	return st;
}
