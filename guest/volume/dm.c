/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Device-mapper by its ioctls (linux/dm-ioctl.h), without libdevmapper and
 * without udev: create a device, load its table, resume it, make its node.
 * Tables of crypt and integrity have keys in them: DM_SECURE_DATA_FLAG makes
 * the kernel wipe its buffer, and ours is wiped before it is freed.
 */
#include "guest/volume/dm.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <linux/dm-ioctl.h>

#include "base/own.h"

#define CONTROL "/dev/mapper/control"
#define CONTROL_MINOR 236 /* MAPPER_CTRL_MINOR, linux/miscdevice.h */
#define BUFFER (16u * 1024)

/* devtmpfs makes the node when the module loads; elsewhere we make it. */
static int
open_control(void)
{
	int fd = open(CONTROL, O_RDWR | O_CLOEXEC);
	if (fd >= 0)
		return fd;
	(void)mkdir("/dev/mapper", 0755);
	(void)mknod(CONTROL, S_IFCHR | 0600, makedev(10, CONTROL_MINOR));
	return open(CONTROL, O_RDWR | O_CLOEXEC);
}

struct request {
	int fd;
	uint8_t *buf; /* a struct dm_ioctl and what follows */
};

static struct dm_ioctl *
head(struct request *q, const char *name)
{
	struct dm_ioctl *h = (struct dm_ioctl *)(void *)q->buf;
	memset(q->buf, 0, BUFFER);
	h->version[0] = DM_VERSION_MAJOR;
	h->data_size = BUFFER;
	h->data_start = sizeof(*h);
	h->flags = DM_SECURE_DATA_FLAG;
	(void)snprintf(h->name, sizeof(h->name), "%s", name);
	return h;
}

static enum dstack_status
load_table(struct request *q, const char *name, const struct dm_segment *seg,
    size_t count, struct why *why)
{
	struct dm_ioctl *h = head(q, name);
	size_t at = h->data_start;
	h->target_count = (uint32_t)count;
	for (size_t i = 0; i < count; i++) {
		size_t text = strlen(seg[i].params) + 1;
		/*
		 * Targets are aligned to eight bytes, and each says where the
		 * next one is.
		 */
		size_t need =
		    (sizeof(struct dm_target_spec) + text + 7) & ~(size_t)7;
		if (need > BUFFER - at)
			return why_set(why, DSTACK_E_LIMIT, "%s: table too long",
			    name);
		struct dm_target_spec t;
		memset(&t, 0, sizeof(t));
		t.sector_start = seg[i].start;
		t.length = seg[i].length;
		t.next = (uint32_t)need;
		(void)snprintf(t.target_type, sizeof(t.target_type), "%s",
		    seg[i].type);
		memcpy(q->buf + at, &t, sizeof(t));
		memcpy(q->buf + at + sizeof(t), seg[i].params, text);
		at += need;
	}
	if (ioctl(q->fd, DM_TABLE_LOAD, q->buf) != 0)
		return why_set(why, DSTACK_E_SYS, "device-mapper table of %s: %s",
		    name, strerror(errno));
	return DSTACK_OK;
}

static enum dstack_status
create(struct request *q, const char *name, const struct dm_segment *seg,
    size_t count, char path[static DM_PATH_MAX], struct why *why)
{
	struct dm_ioctl *h = head(q, name);
	if (ioctl(q->fd, DM_DEV_CREATE, q->buf) != 0)
		return why_set(why, DSTACK_E_SYS, "device-mapper device %s: %s",
		    name, strerror(errno));
	uint64_t dev = h->dev;
	enum dstack_status st = load_table(q, name, seg, count, why);
	if (st == DSTACK_OK) {
		h = head(q, name); /* resume: the loaded table becomes live */
		if (ioctl(q->fd, DM_DEV_SUSPEND, q->buf) != 0)
			st = why_set(why, DSTACK_E_SYS,
			    "device-mapper start of %s: %s", name,
			    strerror(errno));
	}
	if (st == DSTACK_OK) {
		(void)snprintf(path, DM_PATH_MAX, "/dev/dm-%u", minor(dev));
		if (access(path, F_OK) != 0 &&
		    mknod(path, S_IFBLK | 0600,
			makedev(major(dev), minor(dev))) != 0)
			st = why_set(why, DSTACK_E_SYS, "%s: %s", path,
			    strerror(errno));
	}
	if (st != DSTACK_OK) {
		(void)head(q, name);
		/* A half-made device would keep the name. */
		(void)ioctl(q->fd, DM_DEV_REMOVE, q->buf);
	}
	return st;
}

enum dstack_status
dm_create(const char *name, const struct dm_segment *seg, size_t count,
    char path[static DM_PATH_MAX], struct why *why)
{
	AUTO_CLOSE int fd = open_control();
	if (fd < 0)
		return why_set(why, DSTACK_E_SYS, "%s: %s; is dm-mod loaded?",
		    CONTROL, strerror(errno));
	struct request q = { fd, malloc(BUFFER) };
	if (q.buf == NULL)
		return DSTACK_E_NOMEM;
	enum dstack_status st = create(&q, name, seg, count, path, why);
	explicit_bzero(q.buf, BUFFER);
	free(q.buf);
	return st;
}

bool
dm_remove(const char *name)
{
	bool ok = false;
	AUTO_CLOSE int fd = open_control();
	struct request q = { fd, malloc(BUFFER) };
	if (fd >= 0 && q.buf != NULL) {
		(void)head(&q, name);
		ok = ioctl(fd, DM_DEV_REMOVE, q.buf) == 0;
	}
	free(q.buf);
	return ok;
}
