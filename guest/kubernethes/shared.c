/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The app's /mnt/host_volume: a folder in memory. The host's files are copied
 * in before the app starts; a file that the app closes is copied out. Files
 * cross whole, by plain names, never as links, so that neither side can make
 * the other read or write something else.
 *
 * Neither side is trusted with the role's time: the host may be slow on
 * purpose, the app may write without end, and each is given a deadline and a
 * bounded part. What does not fit in it is passed over and said.
 */
#include "guest/kubernethes/kubernethes.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/own.h"
#include "base/rd.h"
#include "base/wr.h"
#include "guest/base/link.h"
#include "guest/kubernethes/oci_spec.h"
#include "protocol/appsecret.h"

#define MAX_FILES 256
#define MAX_FILE (4u << 20)
#define MAX_ALL (12u << 20)
#define PIECE (LINK_MAX_BODY - 8u)

bool
kube_shared_name(const char *name)
{
	static const char plain[] =
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	    "0123456789._-";
	static const char *const ours[] = { "netcfg", "certificate.pem",
		"request.csr", "tls-attestation.json",
		"encrypted_container.img" };
	size_t n = strlen(name);
	if (n == 0 || n > 64 || name[0] == '.' || strspn(name, plain) != n)
		return false;
	for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++) {
		if (strcmp(name, ours[i]) == 0)
			return false;
	}
	/* sealed for the app, and brought to it opened elsewhere */
	if (strncmp(name, APPSECRET_FILE, strlen(APPSECRET_FILE)) == 0)
		return false;
	/* Archives of apps: not the app's to replace, too large to carry. */
	return strncmp(name, "app-", 4) != 0 || n < 4 ||
	    strcmp(name + n - 4, ".tar") != 0;
}

/* Copy one file in; false if the host gave something else, or too late. */
static bool
copy_in(int edge, int dir, const char *name, uint64_t size, int64_t until)
{
	AUTO_CLOSE int fd = openat(dir, name,
	    O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
	uint64_t at = 0;
	while (fd >= 0 && at < size) {
		char path[160];
		if (kube_now() >= until)
			return false;
		uint64_t said = 0;
		AUTO_WR struct wr in = wr_new(LINK_MAX_BODY);
		(void)snprintf(path, sizeof(path), "/file/%s/%llu/%u", name,
		    (unsigned long long)at, PIECE);
		if (link_fetch(edge, path, NULL, 0, &in, NULL) != DSTACK_OK)
			return false;
		struct rd r = rd_over(in.buf, in.len);
		const uint8_t *p = NULL;
		/* another size than the list's: it was changed meanwhile */
		if (rd_u64be(&r, &said) != DSTACK_OK || said != size)
			return false;
		size_t n = rd_left(&r);
		if (n == 0 || n > size - at ||
		    rd_take(&r, n, &p) != DSTACK_OK ||
		    write(fd, p, n) != (ssize_t)n)
			return false;
		at += n;
	}
	/* whatever this role's umask is; the folder's owner gets it with it */
	return fd >= 0 && fchown(fd, SPEC_ID_BASE, SPEC_ID_BASE) == 0 &&
	    fchmod(fd, 0644) == 0;
}

uint64_t
kube_shared_look(int edge)
{
	uint64_t sum = 0xcbf29ce484222325; /* FNV-1a, 64 bits */
	AUTO_WR struct wr in = wr_new(LINK_MAX_BODY);
	if (link_fetch(edge, "/files", NULL, 0, &in, NULL) != DSTACK_OK)
		return 0;
	for (size_t i = 0; i < in.len; i++)
		sum = (sum ^ in.buf[i]) * 0x100000001b3;
	return sum;
}

void
kube_shared_fill(int edge, int dir, int64_t until)
{
	struct why why = { "" };
	uint64_t all = 0;
	AUTO_WR struct wr in = wr_new(LINK_MAX_BODY);
	/* A host that does not list its files shares none. */
	if (link_fetch(edge, "/files", NULL, 0, &in, &why) != DSTACK_OK)
		return;
	wr_u8(&in, 0);
	if (wr_status(&in) != DSTACK_OK)
		return;
	char *text = (char *)in.buf;
	for (int i = 0; i < MAX_FILES && *text != '\0'; i++) {
		unsigned long long size = 0;
		char name[65];
		size_t n = strcspn(text, "\n");
		bool last = text[n] == '\0';
		text[n] = '\0';
		if (sscanf(text, "%18llu %64s", &size, name) == 2 &&
		    kube_shared_name(name) && size <= MAX_FILE &&
		    all + size <= MAX_ALL) {
			all += size;
			if (!copy_in(edge, dir, name, size, until))
				(void)unlinkat(dir, name, 0);
		}
		text += last ? n : n + 1;
		if (kube_now() >= until && *text != '\0') {
			log_line("host_volume: the host is too slow to give "
				 "all its files");
			return;
		}
	}
}

int
kube_shared_watch(const char *path)
{
	AUTO_CLOSE int fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	if (fd < 0 ||
	    inotify_add_watch(fd, path,
		IN_CLOSE_WRITE | IN_MOVED_TO | IN_ONLYDIR) < 0)
		return -1;
	return take_fd(&fd);
}

static void
copy_out(int dir, const char *name, int edge)
{
	char path[80];
	struct stat s;
	struct why why = { "" };
	AUTO_WR struct wr in = wr_new(0);
	if (!kube_shared_name(name))
		return;
	/* the app may have put a link or a FIFO in its place by now */
	AUTO_CLOSE int fd = openat(dir, name,
	    O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &s) != 0 || !S_ISREG(s.st_mode))
		return;
	AUTO_FREE uint8_t *buf = malloc(PIECE);
	ssize_t n = buf != NULL ? read(fd, buf, PIECE) : -1;
	if (s.st_size > (off_t)PIECE || n < 0) {
		log_line("host_volume/%s: over %u bytes, the host does not "
			 "get it", name, PIECE);
		return;
	}
	(void)snprintf(path, sizeof(path), "/put/%s", name);
	if (link_fetch(edge, path, buf, (size_t)n, &in, &why) != DSTACK_OK)
		log_line("host_volume/%s: %s", name, why.text);
}

bool
kube_shared_events(int watch, int dir, int edge, int64_t until)
{
	unsigned late = 0;
	union {
		struct inotify_event e;
		char b[1024]; /* holds 10 of the longest name, 32 of short ones */
	} u;
	ssize_t got = read(watch, &u, sizeof(u));
	for (size_t at = 0; got > 0 && at < (size_t)got;) {
		struct inotify_event e;
		memcpy(&e, u.b + at, sizeof(e));
		at += sizeof(e);
		if (e.len != 0 && kube_now() >= until)
			late++;
		else if (e.len != 0)
			copy_out(dir, u.b + at, edge);
		at += e.len;
	}
	if (late != 0)
		log_line("host_volume: the host is too slow for %u files that "
			 "the app wrote", late);
	return got > 0;
}
