/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Out: the node is stopped, so that the disk is what a power cut would leave at
 * most, and its journal mends that. Holes and blocks of zeros are left out, all
 * else goes into pieces of up to 1 MiB, and a hash behind them. In: piece after
 * piece into a file beside the disk's place, which gets its name when the hash
 * is right; a disk that is there is never written over. Both read their file
 * with a size in hand that is looked at first, and stop at the first wrong byte.
 */
#include "host/volume/backup.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/own.h"
#include "base/wr.h"
#include "crypto/hash.h"
#include "host/base/files.h"
#include "protocol/backup.h"
#include "protocol/volume.h"

#define PATH_MOST 1024

enum dstack_status
host_volume_lock(const char *state, int *fd, struct why *why)
{
	char path[PATH_MOST];

	(void)snprintf(path, sizeof(path), "%s/lock", state);
	AUTO_CLOSE int f =
	    open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (f < 0)
		return why_set(
		    why, DSTACK_E_SYS, "%s: %s", path, strerror(errno));
	if (flock(f, LOCK_EX | LOCK_NB) != 0)
		return why_set(why, DSTACK_E_BUSY,
		    "the node in %s runs: stop it, its disk changes", state);
	*fd = take_fd(&f);
	return DSTACK_OK;
}

/* Of both copies, the newer. */
static enum dstack_status
said_of(const uint8_t record[static 2 * VOLUME_BLOCK], const char *what,
    uint64_t bytes, struct volume_said *out, struct why *why)
{
	struct volume_hint h[2];
	for (unsigned i = 0; i < 2; i++)
		volume_peek(record + (size_t)i * VOLUME_BLOCK, &h[i]);
	const struct volume_hint *new = h[1].volume &&
		(!h[0].volume || h[1].generation > h[0].generation)
	    ? &h[1]
	    : &h[0];
	if (!new->volume)
		return why_set(why, DSTACK_E_REJECTED,
		    "%s has no volume: no guest has used it yet", what);
	out->bytes = bytes;
	memcpy(out->volume_id, new->volume_id, sizeof(out->volume_id));
	out->generation = new->generation;
	out->epoch_plus_1 = new->epoch_plus_1;
	return DSTACK_OK;
}

/* All n bytes, or false: the file ends, or errno. */
static bool
whole(int fd, void *p, size_t n)
{
	uint8_t *at = p;
	errno = 0;
	while (n != 0) {
		ssize_t got = read(fd, at, n);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return false;
		at += got;
		n -= (size_t)got;
	}
	return true;
}

struct out {
	int fd;
	struct hasher *hash;
	uint64_t written;
};

static enum dstack_status
give(struct out *o, const void *p, size_t n)
{
	hasher_update(o->hash, p, n);
	o->written += n;
	return files_write(o->fd, p, n);
}

static enum dstack_status
give_piece(struct out *o, uint64_t at, const uint8_t *p, size_t n)
{
	AUTO_WR struct wr w = wr_new(BACKUP_PIECE);
	backup_piece_put(&w, at, (uint32_t)n);
	enum dstack_status st = wr_status(&w);
	if (st == DSTACK_OK)
		st = give(o, w.buf, w.len);
	return st == DSTACK_OK && n != 0 ? give(o, p, n) : st;
}

static bool
zero(const uint8_t *p)
{
	static const uint8_t none[VOLUME_BLOCK];
	return memcmp(p, none, sizeof(none)) == 0;
}

/* The blocks of buf that are not zero, in runs; the first two always. */
static enum dstack_status
give_blocks(struct out *o, uint64_t at, const uint8_t *buf, size_t n)
{
	size_t from = 0;
	enum dstack_status st = DSTACK_OK;
	for (size_t i = 0; i <= n && st == DSTACK_OK; i += VOLUME_BLOCK) {
		if (i < n && (!zero(buf + i) || at + i < 2 * VOLUME_BLOCK))
			continue;
		if (i > from)
			st = give_piece(o, at + from, buf + from, i - from);
		from = i + VOLUME_BLOCK;
	}
	return st;
}

/* What is no hole in the disk: at is where to begin, *end where it ends. */
static bool
data(int fd, off_t *at, off_t size, off_t *end)
{
	/* the record's place is looked at whether it is a hole or not */
	off_t from = *at == 0 ? 0 : lseek(fd, *at, SEEK_DATA);
	if (from < 0 || from >= size)
		return false;
	*at = from - from % (off_t)VOLUME_BLOCK;
	*end = lseek(fd, from, SEEK_HOLE);
	if (*end < *at + 2 * (off_t)VOLUME_BLOCK)
		*end = *at + 2 * (off_t)VOLUME_BLOCK;
	*end += (off_t)(VOLUME_BLOCK - 1);
	*end -= *end % (off_t)VOLUME_BLOCK;
	if (*end > size)
		*end = size;
	return true;
}

static enum dstack_status
copy_out(int disk, off_t size, struct out *o)
{
	AUTO_FREE uint8_t *buf = malloc(BACKUP_MOST);
	off_t at = 0, end = 0;
	enum dstack_status st = buf != NULL ? DSTACK_OK : DSTACK_E_NOMEM;
	while (st == DSTACK_OK && data(disk, &at, size, &end)) {
		for (size_t n; at < end && st == DSTACK_OK; at += (off_t)n) {
			n = (uint64_t)(end - at) < BACKUP_MOST
			    ? (size_t)(end - at)
			    : BACKUP_MOST;
			if (pread(disk, buf, n, at) != (ssize_t)n)
				return DSTACK_E_SYS;
			st = give_blocks(o, (uint64_t)at, buf, n);
		}
	}
	return st == DSTACK_OK ? give_piece(o, (uint64_t)size, NULL, 0) : st;
}

static enum dstack_status
write_all(int disk, off_t size, struct out *o)
{
	uint8_t hash[BACKUP_HASH];
	AUTO_WR struct wr w = wr_new(BACKUP_HEAD);
	backup_head_put(&w, (uint64_t)size);
	o->hash = hasher_new(HASHER_SHA256);
	if (o->hash == NULL)
		return DSTACK_E_NOMEM;
	enum dstack_status st = wr_status(&w);
	if (st == DSTACK_OK)
		st = give(o, w.buf, w.len);
	if (st == DSTACK_OK)
		st = copy_out(disk, size, o);
	hasher_final(o->hash, hash);
	if (st == DSTACK_OK)
		st = files_write(o->fd, hash, sizeof(hash));
	if (st == DSTACK_OK && fsync(o->fd) != 0)
		st = DSTACK_E_SYS;
	return st;
}

static enum dstack_status
open_disk(const char *disk, int *fd, struct volume_said *out, struct why *why)
{
	uint8_t record[2 * VOLUME_BLOCK];
	struct stat sb;
	AUTO_CLOSE int in = open(
	    disk, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);

	if (in < 0 || fstat(in, &sb) != 0)
		return why_set(why, DSTACK_E_MISSING, "%s: %s", disk,
		    strerror(errno));
	/* a guest uses whole blocks, too */
	const uint64_t size =
	    (uint64_t)sb.st_size - (uint64_t)sb.st_size % VOLUME_BLOCK;
	if (!S_ISREG(sb.st_mode) || size < VOLUME_MIN_BYTES ||
	    size > VOLUME_MAX_BYTES ||
	    pread(in, record, sizeof(record), 0) != (ssize_t)sizeof(record))
		return why_set(why, DSTACK_E_REJECTED,
		    "%s is no disk of a volume", disk);
	enum dstack_status st = said_of(record, disk, size, out, why);
	if (st == DSTACK_OK)
		*fd = take_fd(&in);
	return st;
}

enum dstack_status
host_disk_peek(const char *disk, struct volume_said *out, struct why *why)
{
	AUTO_CLOSE int fd = -1;
	return open_disk(disk, &fd, out, why);
}

enum dstack_status
host_backup_write(const char *disk, const char *file,
    struct volume_said *out, uint64_t *written, struct why *why)
{
	struct out o = { -1, NULL, 0 };
	AUTO_CLOSE int in = -1;
	enum dstack_status st = open_disk(disk, &in, out, why);
	if (st != DSTACK_OK)
		return st;
	const off_t size = (off_t)out->bytes;
	AUTO_CLOSE int fd = open(
	    file, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return why_set(why,
		    errno == EEXIST ? DSTACK_E_REJECTED : DSTACK_E_SYS,
		    "%s: %s", file, strerror(errno));
	o.fd = fd;
	st = write_all(in, size, &o);
	if (st != DSTACK_OK) {
		(void)why_set(why, st, "%s: %s", file, strerror(errno));
		(void)unlink(file);
	}
	*written = o.written + BACKUP_HASH;
	return st;
}

/* Head and first piece's front; fd is behind them then. */
static enum dstack_status
open_backup(const char *file, int *fd, struct backup *b,
    uint8_t front[static BACKUP_HEAD + BACKUP_PIECE], uint32_t *length,
    struct why *why)
{
	uint64_t at = 0;
	struct stat sb;
	AUTO_CLOSE int f = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	if (f < 0 || fstat(f, &sb) != 0)
		return why_set(why, DSTACK_E_MISSING, "%s: %s", file,
		    strerror(errno));
	if (!S_ISREG(sb.st_mode) ||
	    !whole(f, front, BACKUP_HEAD + BACKUP_PIECE))
		return why_set(why, DSTACK_E_FORMAT,
		    "%s is no backup of a volume", file);
	enum dstack_status st = backup_open(front, b, why);
	if (st == DSTACK_OK)
		st = backup_next(b, front + BACKUP_HEAD, &at, length, why);
	if (st != DSTACK_OK)
		return why_wrap(why, st, "%s", file);
	*fd = take_fd(&f);
	return DSTACK_OK;
}

enum dstack_status
host_backup_peek(
    const char *file, struct volume_said *out, struct why *why)
{
	uint8_t front[BACKUP_HEAD + BACKUP_PIECE];
	uint8_t record[2 * VOLUME_BLOCK];
	struct backup b;
	uint32_t n = 0;
	AUTO_CLOSE int fd = -1;
	enum dstack_status st = open_backup(file, &fd, &b, front, &n, why);
	if (st != DSTACK_OK)
		return st;
	/* the first piece has both copies: backup_next looks at it */
	if (!whole(fd, record, sizeof(record)))
		return why_set(why, DSTACK_E_FORMAT, "%s was cut short", file);
	return said_of(record, file, b.bytes, out, why);
}

/* Behind the first piece's front, which gave n; to the hash. */
static enum dstack_status
copy_in(int in, int out, struct backup *b, uint32_t n, struct hasher *hash,
    const char **what)
{
	AUTO_FREE uint8_t *buf = malloc(BACKUP_MOST);
	uint8_t piece[BACKUP_PIECE];
	uint64_t at = 0;
	struct why why;
	if (buf == NULL)
		return DSTACK_E_NOMEM;
	while (n != 0) {
		*what = "was cut short";
		if (!whole(in, buf, n))
			return DSTACK_E_FORMAT;
		hasher_update(hash, buf, n);
		*what = NULL;
		if (lseek(out, (off_t)at, SEEK_SET) < 0 ||
		    files_write(out, buf, n) != DSTACK_OK)
			return DSTACK_E_SYS;
		*what = "was cut short";
		if (!whole(in, piece, sizeof(piece)))
			return DSTACK_E_FORMAT;
		hasher_update(hash, piece, sizeof(piece));
		*what = "is damaged";
		if (backup_next(b, piece, &at, &n, &why) != DSTACK_OK)
			return DSTACK_E_FORMAT;
	}
	return DSTACK_OK;
}

/* Everything into the new file out; *what: what is wrong with the backup. */
static enum dstack_status
read_all(const char *file, int out, const char **what, struct why *why)
{
	uint8_t front[BACKUP_HEAD + BACKUP_PIECE], mark[VOLUME_BLOCK];
	uint8_t has[BACKUP_HASH], is[BACKUP_HASH];
	struct backup b;
	uint32_t n = 0;
	AUTO_CLOSE int in = -1;
	enum dstack_status st = open_backup(file, &in, &b, front, &n, why);
	if (st != DSTACK_OK)
		return st;
	struct hasher *hash = hasher_new(HASHER_SHA256);
	if (hash == NULL)
		return DSTACK_E_NOMEM;
	hasher_update(hash, front, sizeof(front));
	if (ftruncate(out, (off_t)b.bytes) != 0)
		st = DSTACK_E_SYS;
	if (st == DSTACK_OK)
		st = copy_in(in, out, &b, n, hash, what);
	hasher_final(hash, is);
	if (st != DSTACK_OK)
		return st;
	*what = "is damaged: its hash is wrong";
	if (!whole(in, has, sizeof(has)) ||
	    memcmp(has, is, sizeof(is)) != 0 || read(in, is, 1) != 0)
		return DSTACK_E_FORMAT;
	*what = NULL;
	volume_mark(mark);
	if (pwrite(out, mark, sizeof(mark), VOLUME_MARK_AT) !=
		(ssize_t)sizeof(mark) ||
	    fsync(out) != 0)
		return DSTACK_E_SYS;
	return DSTACK_OK;
}

enum dstack_status
host_disk_absent(const char *disk, struct why *why)
{
	return access(disk, F_OK) != 0
	    ? DSTACK_OK
	    : why_set(why, DSTACK_E_REJECTED,
	          "%s is there: move it away first, it is not written over",
	          disk);
}

enum dstack_status
host_backup_restore(const char *file, const char *disk, struct why *why)
{
	char part[PATH_MOST];
	const char *what = NULL;

	if (snprintf(part, sizeof(part), "%s.restore", disk) >=
	    (int)sizeof(part))
		return why_set(why, DSTACK_E_LIMIT, "%s: too long", disk);
	enum dstack_status st = host_disk_absent(disk, why);
	if (st != DSTACK_OK)
		return st;
	(void)unlink(part); /* of a try that was cut short */
	AUTO_CLOSE int out = open(
	    part, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (out < 0)
		return why_set(
		    why, DSTACK_E_SYS, "%s: %s", part, strerror(errno));
	why->text[0] = '\0';
	st = read_all(file, out, &what, why);
	/* link, not rename: what has come to be there meanwhile stays */
	if (st == DSTACK_OK && link(part, disk) != 0)
		st = DSTACK_E_SYS;
	if (st != DSTACK_OK && what != NULL)
		(void)why_set(why, st, "%s %s: nothing was restored", file, what);
	else if (st != DSTACK_OK && why->text[0] == '\0')
		(void)why_set(why, st, "%s: %s", disk, strerror(errno));
	(void)unlink(part);
	return st;
}

enum dstack_status
host_backup_judge(const struct volume_said *said,
    const uint8_t id[static 32], uint64_t epoch, uint64_t anchored,
    struct why *why)
{
	if (memcmp(said->volume_id, id, sizeof(said->volume_id)) != 0)
		return why_set(why, DSTACK_E_REJECTED,
		    "the backup is of another node's volume: set NODE_KEY and "
		    "NODE_INDEX to those of the node that it was made on");
	if (said->epoch_plus_1 != 0 && said->epoch_plus_1 != epoch + 1)
		return why_set(why, DSTACK_E_REJECTED,
		    "the backup is of epoch %llu and does not open in epoch "
		    "%llu", (unsigned long long)said->epoch_plus_1 - 1,
		    (unsigned long long)epoch);
	if (anchored == 0)
		return why_set(why, DSTACK_E_REJECTED,
		    "the contract has no anchor for this node's volume: the "
		    "backup is of another network, or NODE_INDEX is another");
	if (said->generation < anchored)
		return why_set(why, DSTACK_E_REJECTED,
		    "the backup is at generation %llu, the chain at %llu: a "
		    "newer one was restored since, and this one would roll it "
		    "back",
		    (unsigned long long)said->generation,
		    (unsigned long long)anchored);
	return DSTACK_OK;
}
