/* SPDX-License-Identifier: Apache-2.0 */
/* Virtio-serial ports by name, and the one link exchange init does itself. */
#include "guest/init/boot.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "base/own.h"
#include "base/rd.h"
#include "base/wr.h"
#include "protocol/link.h"

#define PORTS "/sys/class/virtio-ports"
#define STEP_MS 5
#define LINK_MS 30000
#define NETCFG_ID 1u

/* Does the port in directory dir have that name? */
static bool
has_name(const char *dir, const char *name)
{
	char path[320], text[64];

	(void)snprintf(path, sizeof(path), PORTS "/%s/name", dir);
	AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	if (n <= 0)
		return false;
	text[n] = '\0';
	text[strcspn(text, "\n")] = '\0';
	return strcmp(text, name) == 0;
}

static int
find_port(const char *name)
{
	char path[320];
	DIR *d = opendir(PORTS);
	const struct dirent *e;
	int fd = -1;

	if (d == NULL)
		return -1;
	while (fd < 0 && (e = readdir(d)) != NULL) {
		if (e->d_name[0] == '.' || !has_name(e->d_name, name))
			continue;
		(void)snprintf(path, sizeof(path), "/dev/%s", e->d_name);
		fd = open(path, O_RDWR | O_CLOEXEC);
	}
	(void)closedir(d);
	return fd;
}

enum dstack_status
boot_port(const char *name, int wait_ms, int *fd, struct why *why)
{
	const struct timespec step = { .tv_nsec = STEP_MS * 1000000L };

	for (int t = 0;; t += STEP_MS) {
		*fd = find_port(name);
		if (*fd >= 0)
			return DSTACK_OK;
		if (t >= wait_ms)
			return why_set(why, DSTACK_E_MISSING,
			    "the VM has no serial port %s", name);
		(void)nanosleep(&step, NULL);
	}
}

static enum dstack_status
read_full(int fd, uint8_t *p, size_t n, struct why *why)
{
	while (n > 0) {
		struct pollfd w = { .fd = fd, .events = POLLIN };
		int ready = poll(&w, 1, LINK_MS);
		ssize_t k = ready > 0 ? read(fd, p, n) : -1;
		if (ready < 0 && errno == EINTR)
			continue;
		if (ready == 0)
			return why_set(why, DSTACK_E_MISSING,
			    "the host did not answer on the link");
		if (k == 0)
			return why_set(why, DSTACK_E_MISSING,
			    "the host closed the link");
		if (k < 0 && errno != EINTR && errno != EAGAIN)
			return why_set(why, DSTACK_E_SYS, "link: %s",
			    strerror(errno));
		if (k > 0) {
			p += k;
			n -= (size_t)k;
		}
	}
	return DSTACK_OK;
}

static enum dstack_status
write_full(int fd, const uint8_t *p, size_t n, struct why *why)
{
	while (n > 0) {
		ssize_t k = write(fd, p, n);
		if (k < 0 && errno == EAGAIN) {
			struct pollfd w = { .fd = fd, .events = POLLOUT };
			if (poll(&w, 1, LINK_MS) == 0)
				return why_set(why, DSTACK_E_MISSING,
				    "the host does not read the link");
			continue;
		}
		if (k < 0 && errno == EINTR)
			continue;
		if (k < 0)
			return why_set(why, DSTACK_E_SYS, "link: %s",
			    strerror(errno));
		p += k;
		n -= (size_t)k;
	}
	return DSTACK_OK;
}

static enum dstack_status
answer(int link, struct link_frame *f, uint8_t *rest, size_t cap,
    struct why *why)
{
	uint8_t head[LINK_HEAD];
	size_t n = 0;
	enum dstack_status st = read_full(link, head, sizeof(head), why);

	if (st != DSTACK_OK)
		return st;
	st = link_rest(head, &n);
	/* The length word is judged before a byte of the rest is read. */
	if (st != DSTACK_OK || n > cap)
		return why_set(why, DSTACK_E_FORMAT,
		    "netcfg: the host's answer is no frame or over %u bytes",
		    NETCFG_MAX);
	st = read_full(link, rest, n, why);
	if (st != DSTACK_OK)
		return st;
	if (link_decode(rest, n, f) != DSTACK_OK || !f->answer ||
	    f->id != NETCFG_ID)
		return why_set(why, DSTACK_E_FORMAT,
		    "netcfg: the host's answer is no frame of the link");
	return DSTACK_OK;
}

enum dstack_status
boot_netcfg(int link, char *text, size_t cap, size_t *len, struct why *why)
{
	/*
	 * Before hostlink exists: init does this one exchange itself, with the
	 * same frames.
	 */
	static const char path[] = "/file/netcfg/0/4096";
	uint8_t rest[NETCFG_MAX + 64];
	struct link_frame f;
	uint64_t size = 0;
	AUTO_WR struct wr w = wr_new(LINK_MAX_REST);

	link_put_request(&w, NETCFG_ID, path, NULL, 0);
	enum dstack_status st = wr_status(&w);
	if (st == DSTACK_OK)
		st = write_full(link, w.buf, w.len, why);
	if (st == DSTACK_OK)
		st = answer(link, &f, rest, sizeof(rest), why);
	if (st != DSTACK_OK)
		return st;
	if (f.status != 200)
		return why_set(why, DSTACK_E_MISSING, "netcfg: the host "
		    "answers %u: %.*s", f.status,
		    (int)(f.len < 100 ? f.len : 100), (const char *)f.body);
	struct rd r = rd_over(f.body, f.len);
	st = rd_u64be(&r, &size);
	*len = rd_left(&r);
	/*
	 * The whole file in one answer, or none: half a netcfg could be another
	 * one.
	 */
	if (st != DSTACK_OK || size != *len || *len == 0 || *len >= cap)
		return why_set(why, DSTACK_E_FORMAT,
		    "netcfg: %zu bytes of a file of %llu; at most %zu", *len,
		    (unsigned long long)size, cap - 1);
	st = rd_copy(&r, text, *len);
	text[*len] = '\0';
	return st;
}

/* Sealed, so that every role reads the bytes whose hash was checked. */
enum dstack_status
boot_seal(const void *p, size_t n, int *memfd, struct why *why)
{
	AUTO_CLOSE int fd =
	    memfd_create("netcfg", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd < 0 || pwrite(fd, p, n, 0) != (ssize_t)n ||
	    fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW |
		F_SEAL_WRITE) != 0)
		return why_set(why, DSTACK_E_SYS, "netcfg: memfd: %s",
		    strerror(errno));
	*memfd = take_fd(&fd);
	return DSTACK_OK;
}
