/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The archive comes from the host, a piece at a time, with the size of the
 * whole file in front of each. The first one says whether there is memory for
 * it, before more is taken. It is kept in a memfd, which its unpacker empties
 * from the front; from the end of the fetch on nobody writes to it, and only
 * then it is looked at, so that the host cannot change what was checked. One
 * that memory has no room for goes to a file on the encrypted volume instead,
 * where it is looked at as it is unpacked once more (store.c).
 */
#include "guest/kubernethes/kubernethes.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/hex.h"
#include "base/own.h"
#include "base/rd.h"
#include "base/wr.h"
#include "guest/base/link.h"
#include "guest/kubernethes/store.h"

#define PIECE (LINK_MAX_BODY - 8u)
#define SETTLE (1u << 22) /* bytes of an archive on the volume that may wait */
#define LET_GO_STEP (256u << 10)

void
kube_archive_drop(struct kube_archive *a)
{
	if (a->p != NULL)
		(void)munmap(a->p, a->len);
	if (a->p != NULL)
		(void)close(a->fd);
	*a = (struct kube_archive){ 0 };
}

void
kube_archive_let_go(void *ctx, size_t from, size_t to)
{
	struct kube_archive *a = ctx;
	/* a layer that a later image has as well */
	if (a->bundle != NULL && bundle_keeps(a->bundle, a->service, from))
		return;
	/* whole steps, as each costs a call; what is left is little */
	if (from != a->from) { /* the next layer, wherever it lies */
		a->from = from;
		a->gone = from;
	}
	from = a->gone;
	if (to < from + LET_GO_STEP)
		return;
	/* memory that cannot be given back is not given back: no failure */
	if (fallocate(a->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
		(off_t)from, (off_t)(to - from)) == 0)
		a->gone = to;
}

static enum dstack_status
put(int fd, const uint8_t *p, size_t n, struct why *why)
{
	while (n != 0) {
		ssize_t w = write(fd, p, n);
		if (w < 0 && errno == EINTR)
			continue;
		if (w < 0)
			return why_set(why, DSTACK_E_SYS,
			    "archive: no room to hold it: %s",
			    strerror(errno));
		p += w;
		n -= (size_t)w;
	}
	return DSTACK_OK;
}

/* What was written so far is on the volume and in memory no more. */
static enum dstack_status
settle(int fd, struct why *why)
{
	if (fdatasync(fd) != 0)
		return why_set(why, DSTACK_E_SYS,
		    "archive: writing it to the volume: %s", strerror(errno));
	(void)posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
	return DSTACK_OK;
}

/*
 * Is there room for it: in memory, where *fd is, or else on the volume, where
 * *fd is then? Neither is said as the memory's refusal, with what would help.
 */
static enum dstack_status
place(const struct kube_memory *m, const char *name, uint64_t bytes, int *fd,
    struct kube_archive *out, struct why *why)
{
	struct why no = { "" };
	AUTO_CLOSE int file = -1;
	enum dstack_status st = kube_memory_takes(m, name, "has", bytes, why);
	if (st == DSTACK_OK)
		return st;
	/* no refusal yet: that would let it rest, and the volume comes */
	if (!kube_volume_there())
		return why_set(why, DSTACK_E_BUSY,
		    "waiting for the encrypted volume");
	const uint64_t mb = 1u << 20;
	if (store_room(name, bytes, &no) != DSTACK_OK)
		return why_set(why, DSTACK_E_LIMIT,
		    "%.24s has %llu MB, this VM has %llu MB of memory free "
		    "beside what runs and %llu MB of its volume: VM_MEMORY_MB "
		    "or dstack volume grow", name,
		    (unsigned long long)((bytes + mb - 1) / mb),
		    (unsigned long long)(m->spare / mb),
		    (unsigned long long)(store_free() / mb));
	st = store_file(&file, why);
	if (st != DSTACK_OK)
		return st;
	(void)close(*fd);
	*fd = take_fd(&file);
	out->on_volume = true;
	return DSTACK_OK;
}

/*
 * One piece at offset *at. *size: of the whole file, 0 before the first
 * piece; another one later means that the file was changed meanwhile.
 */
static enum dstack_status
piece(int edge, const char *name, int *fd, const struct kube_memory *m,
    uint64_t *at, uint64_t *size, struct kube_archive *out, struct why *why)
{
	char path[160];
	uint16_t status = 0;
	uint64_t said = 0;
	AUTO_WR struct wr in = wr_new(LINK_MAX_BODY);
	(void)snprintf(path, sizeof(path), "/file/%s/%llu/%u", name,
	    (unsigned long long)*at, PIECE);
	enum dstack_status st =
	    link_call(edge, path, NULL, 0, &status, &in, why);
	if (st != DSTACK_OK)
		return st;
	if (status == 404)
		return why_set(why, DSTACK_E_MISSING,
		    "host_volume/%s: it is not there", name);
	struct rd r = rd_over(in.buf, in.len);
	if (status != 200 || rd_u64be(&r, &said) != DSTACK_OK)
		return why_set(why, DSTACK_E_MISSING,
		    "host_volume/%s: the host does not give it (status %u)",
		    name, status);
	size_t n = rd_left(&r);
	const uint8_t *p = NULL;
	if (*at == 0)
		st = place(m, name, said, fd, out, why);
	if (st != DSTACK_OK)
		return st;
	if (said == 0 || (*size != 0 && said != *size) || n == 0 ||
	    n > PIECE || n > said - *at)
		return why_set(why, DSTACK_E_REJECTED,
		    "host_volume/%s: empty, cut short, or changed while it "
		    "was read", name);
	st = rd_take(&r, n, &p);
	if (st == DSTACK_OK)
		st = put(*fd, p, n, why);
	/*
	 * What waits to be written is memory of this VM, of which there is
	 * little: that is why it goes to the volume.
	 */
	if (st == DSTACK_OK && out->on_volume &&
	    (*at + n) / SETTLE != *at / SETTLE)
		st = settle(*fd, why);
	*size = said;
	*at += n;
	return st;
}

static enum dstack_status
keep(int *fd, uint64_t size, struct kube_archive *out, struct why *why)
{
	/*
	 * its size is fixed; a seal on its content would keep its pages, too.
	 * A file without a name is this role's alone.
	 */
	if (!out->on_volume && fcntl(*fd, F_ADD_SEALS,
		F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0)
		return why_set(why, DSTACK_E_SYS, "archive: seal: %s",
		    strerror(errno));
	void *p = mmap(NULL, (size_t)size, PROT_READ, MAP_SHARED, *fd, 0);
	if (p == MAP_FAILED)
		return why_set(why, DSTACK_E_SYS, "archive: mmap: %s",
		    strerror(errno));
	*out = (struct kube_archive){ .p = p, .len = (size_t)size,
		.fd = take_fd(fd), .on_volume = out->on_volume };
	return DSTACK_OK;
}

enum dstack_status
kube_fetch(int edge, const uint8_t digest[static 32], const struct kube_memory *m,
    int64_t until,
    bool (*go_on)(void *ctx), void *ctx, struct kube_archive *out,
    struct why *why)
{
	char hex[17];
	char own[32];
	hex_encode(digest, 8, hex);
	(void)snprintf(own, sizeof(own), "app-%s.tar", hex);
	const char *const names[] = { own, "app-example.tar" };
	enum dstack_status st = DSTACK_E_MISSING;
	for (size_t i = 0; i < 2; i++) {
		AUTO_CLOSE int fd =
		    memfd_create("archive", MFD_CLOEXEC | MFD_ALLOW_SEALING);
		uint64_t at = 0;
		uint64_t size = 0;
		out->on_volume = false;
		if (fd < 0)
			return why_set(why, DSTACK_E_SYS, "archive: memfd: %s",
			    strerror(errno));
		do {
			st = piece(
			    edge, names[i], &fd, m, &at, &size, out, why);
			if (!go_on(ctx))
				return why_set(why, DSTACK_E_BUSY,
				    "given up for what comes");
			if (st == DSTACK_OK && kube_now() >= until)
				return why_set(why, DSTACK_E_MISSING,
				    "host_volume/%s: the host is too slow to "
				    "give it", names[i]);
		} while (st == DSTACK_OK && at < size);
		if (st == DSTACK_OK)
			st = keep(&fd, size, out, why);
		if (st == DSTACK_OK)
			(void)snprintf(out->name, sizeof(out->name), "%s",
			    names[i]);
		if (st == DSTACK_OK)
			return st;
		if (st != DSTACK_E_MISSING)
			return st;
	}
	return st;
}
