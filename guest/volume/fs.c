/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From the superblock of the volume's ext4 to a file system that may be
 * mounted. First it is read whether it was unmounted; if not, e2fsck checks
 * all of it, in a process that has the one device and nothing else. It mends
 * what it can without losing anything (its -p); where it cannot, the volume is
 * not mounted, and a line says so. It is never asked to go further: where the
 * host has spoilt a sector of metadata, that would write over what was there.
 *
 * Nothing here reads ahead. A sector that was never written does not verify,
 * and the page cache fails a read of a good block once, where it had fetched a
 * bad neighbour with it: a whole volume was then called damaged.
 *
 * What e2fsck prints may name files of the app, and nobody sees it: its exit
 * status is all that is told.
 *
 * Then room: a file system larger than its device is one whose disk was put
 * back from before it grew; a smaller one grows once it is mounted. The kernel
 * reads some blocks of the room meanwhile, and a sector that was never written
 * does not verify: so these are written here.
 */
#include "guest/volume/fs.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <linux/capability.h>
#include <linux/fs.h>
#include <seccomp.h>

#include "base/log.h"
#include "base/own.h"
#include "guest/base/role.h"
#include "guest/init/spawn.h"
#include "guest/volume/super.h"

#define E2FSCK "/usr/sbin/e2fsck"
#define GROUP 32768u /* blocks of a group: the bits of one block */
#define FLEX 16u     /* groups that have their bitmaps together */
/*
 * Copies of superblock and descriptors, room for more of these (to
 * VOLUME_MAX_BYTES), and FLEX times two bitmaps: less than that many blocks.
 */
#define FRONT 320u
/* from fs/ext4/ext4.h, which is not among the headers of user space */
#define RESIZE_FS _IOW('f', 16, uint64_t)

/* e2fsck(8), EXIT CODE */
#define CHECK_MENDED 1
#define CHECK_REBOOT 2 /* mended what is in use: it is not */

/* Its descriptors, its memory, the one device: what e2fsck is for. */
static const int check_calls[] = {
	SCMP_SYS(read), SCMP_SYS(write), SCMP_SYS(pread64), SCMP_SYS(pwrite64),
	SCMP_SYS(readv), SCMP_SYS(writev), SCMP_SYS(lseek), SCMP_SYS(open),
	SCMP_SYS(openat), SCMP_SYS(close), SCMP_SYS(fstat), SCMP_SYS(stat),
	SCMP_SYS(lstat), SCMP_SYS(newfstatat), SCMP_SYS(statx),
	SCMP_SYS(access), SCMP_SYS(faccessat), SCMP_SYS(readlink),
	SCMP_SYS(ioctl), SCMP_SYS(fsync), SCMP_SYS(fdatasync),
	SCMP_SYS(fadvise64), SCMP_SYS(fallocate), SCMP_SYS(mmap),
	SCMP_SYS(munmap), SCMP_SYS(mprotect), SCMP_SYS(mremap),
	SCMP_SYS(madvise), SCMP_SYS(brk), SCMP_SYS(getrandom),
	SCMP_SYS(getuid), SCMP_SYS(geteuid), SCMP_SYS(getgid),
	SCMP_SYS(getegid), SCMP_SYS(getpid), SCMP_SYS(gettid),
	SCMP_SYS(rt_sigaction), SCMP_SYS(rt_sigprocmask),
	SCMP_SYS(rt_sigreturn), SCMP_SYS(sigaltstack), SCMP_SYS(futex),
	SCMP_SYS(prlimit64), SCMP_SYS(getrlimit), SCMP_SYS(getrusage),
	SCMP_SYS(sysinfo), SCMP_SYS(uname), SCMP_SYS(arch_prctl),
	SCMP_SYS(set_tid_address), SCMP_SYS(set_robust_list), SCMP_SYS(rseq),
	SCMP_SYS(gettimeofday), SCMP_SYS(time), SCMP_SYS(clock_gettime),
	SCMP_SYS(sched_getaffinity), SCMP_SYS(fcntl), SCMP_SYS(dup),
	SCMP_SYS(execve), SCMP_SYS(exit), SCMP_SYS(exit_group),
};

static bool
filter(void)
{
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ERRNO(EPERM));
	int rc = ctx != NULL ? 0 : -ENOMEM;
	for (size_t i = 0;
	     rc == 0 && i < sizeof(check_calls) / sizeof(check_calls[0]); i++)
		rc = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, check_calls[i], 0);
	if (rc == 0)
		rc = seccomp_load(ctx);
	seccomp_release(ctx);
	return rc == 0;
}

/*
 * In the child: no descriptor of the role's, no capability, a user that owns
 * the device and nothing else. When memory runs out it is what has to go.
 */
static void
check_child(const char *path)
{
	char prog[] = E2FSCK, preen[] = "-p", force[] = "-f", opt[] = "-E",
	     ahead[] = "readahead_kb=0";
	char device[32];
	char *const argv[] = { prog, preen, force, opt, ahead, device, NULL };
	char *const env[] = { NULL };
	const uid_t id = SPAWN_UID + ROLE_VOLUME;

	(void)snprintf(device, sizeof(device), "%s", path);
	AUTO_CLOSE int score = open("/proc/self/oom_score_adj", O_WRONLY);
	if (score >= 0)
		(void)!write(score, "1000", 4);
	int null = open("/dev/null", O_RDWR);
	if (null < 0 || dup2(null, 0) < 0 || dup2(null, 1) < 0 ||
	    dup2(null, 2) < 0 || syscall(SYS_close_range, 3u, ~0u, 0u) != 0)
		return;
	for (int c = 0; c <= CAP_LAST_CAP; c++)
		if (prctl(PR_CAPBSET_DROP, c, 0, 0, 0) != 0 && errno != EINVAL)
			return;
	/* leaving root for another user takes every capability along */
	if (syscall(SYS_setgroups, 0, NULL) != 0 ||
	    setresgid(id, id, id) != 0 || setresuid(id, id, id) != 0 ||
	    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || !filter())
		return;
	(void)execve(prog, argv, env);
}

/* The status as wait(2) gives it; -1: it was not started. */
static int
check_run(const char *path)
{
	const uid_t id = SPAWN_UID + ROLE_VOLUME;
	int status = -1;
	if (chown(path, id, id) != 0)
		return -1;
	const pid_t pid = fork();
	if (pid == 0) {
		check_child(path);
		_exit(127);
	}
	if (pid > 0)
		while (waitpid(pid, &status, 0) < 0)
			if (errno != EINTR) {
				status = -1;
				break;
			}
	return chown(path, 0, 0) == 0 ? status : -1;
}

static enum dstack_status
check(const char *path, struct why *why)
{
	struct timespec from, to;
	(void)clock_gettime(CLOCK_MONOTONIC, &from);
	const int status = check_run(path);
	(void)clock_gettime(CLOCK_MONOTONIC, &to);
	if (status == -1 || !WIFEXITED(status) || WEXITSTATUS(status) == 127)
		return why_set(why, DSTACK_E_SYS,
		    "the volume was not unmounted, and its check did not run "
		    "to its end (status %d)", status);
	const int code = WEXITSTATUS(status);
	if ((code & ~(CHECK_MENDED | CHECK_REBOOT)) != 0)
		return why_set(why, DSTACK_E_REJECTED,
		    "the volume's file system is damaged and is not mended "
		    "without loss (e2fsck: %d): it stays as it is; put a "
		    "backup in its place", code);
	log_line("the volume was not unmounted; its file system was checked "
		 "in %lld s and is whole (e2fsck: %d)",
	    (long long)(to.tv_sec - from.tv_sec), code);
	return DSTACK_OK;
}

static enum dstack_status
look(int fd, struct fs_super *s, struct why *why)
{
	uint8_t block[FS_BLOCK];
	if (pread(fd, block, sizeof(block), 0) != (ssize_t)sizeof(block))
		return why_set(why, DSTACK_E_SYS,
		    "the volume cannot be read: %s", strerror(errno));
	if (fs_super_read(block + FS_SUPER, s) != DSTACK_OK)
		return why_set(why, DSTACK_E_REJECTED,
		    "the volume has no file system of ours: it stays as it is; "
		    "put a backup in its place");
	return DSTACK_OK;
}

/* From block on, up to FRONT of them, zeros; the last one may be the end. */
static bool
zeros(int fd, uint64_t block, uint64_t end)
{
	static const uint8_t zero[FS_BLOCK];
	for (uint64_t i = block; i < end && i < block + FRONT; i++)
		if (pwrite(fd, zero, sizeof(zero), (off_t)(i * FS_BLOCK)) !=
		    (ssize_t)sizeof(zero))
			return false;
	return true;
}

/*
 * What the kernel reads of the room that a file system of `from` blocks is to
 * grow into (fs/ext4/resize.c): its last block, and the bitmaps of new groups,
 * which lie at the front of the first of each FLEX, or of the first new one.
 * All of it is beyond the file system, so that nothing is lost.
 */
static enum dstack_status
prepare(int fd, uint64_t from, uint64_t to, struct why *why)
{
	const uint64_t first = (from + GROUP - 1) / GROUP;
	bool ok = zeros(fd, to - 1, to);
	for (uint64_t g = first; ok && g * GROUP < to; g++)
		if (g == first || g % FLEX == 0)
			ok = zeros(fd, g * GROUP, to);
	if (!ok || fsync(fd) != 0)
		return why_set(why, DSTACK_E_SYS,
		    "the volume cannot be written: %s", strerror(errno));
	return DSTACK_OK;
}

/* The device's read-ahead in sectors, from now on; false: it stays. */
static bool
read_ahead(const char *path, unsigned long sectors, long *before)
{
	AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
	return fd >= 0 && (before == NULL || ioctl(fd, BLKRAGET, before) == 0) &&
	    ioctl(fd, BLKRASET, sectors) == 0;
}

static enum dstack_status
ready(const char *path, uint64_t blocks, bool *smaller, struct why *why)
{
	struct fs_super s = { 0, false };
	AUTO_CLOSE int fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return why_set(why, DSTACK_E_SYS, "the volume: %s",
		    strerror(errno));
	enum dstack_status st = look(fd, &s, why);
	/* How large it is may be in its journal, which a check plays. */
	if (st == DSTACK_OK && !s.clean)
		st = check(path, why);
	if (st == DSTACK_OK && !s.clean)
		st = look(fd, &s, why);
	if (st != DSTACK_OK)
		return st;
	if (s.blocks > blocks)
		return why_set(why, DSTACK_E_REJECTED,
		    "the volume's file system has %llu MB, its disk %llu: put "
		    "the grown encrypted_container.img back",
		    (unsigned long long)(s.blocks >> 8),
		    (unsigned long long)(blocks >> 8));
	*smaller = s.blocks < blocks;
	if (!*smaller)
		return DSTACK_OK;
	return prepare(fd, s.blocks, blocks, why);
}

enum dstack_status
fs_ready(const char *path, uint64_t blocks, bool *smaller, struct why *why)
{
	long before = 0;
	struct stat at;
	/* its tests have a file, which nobody reads ahead of */
	const bool device = stat(path, &at) == 0 && S_ISBLK(at.st_mode);
	if (device && !read_ahead(path, 0, &before))
		return why_set(why, DSTACK_E_SYS, "%s: read-ahead: %s", path,
		    strerror(errno));
	enum dstack_status st = ready(path, blocks, smaller, why);
	if (device)
		(void)read_ahead(path, (unsigned long)before, NULL);
	return st;
}

void
fs_grow(const char *dir, uint64_t blocks)
{
	struct statfs before, after;
	AUTO_CLOSE int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || fstatfs(fd, &before) != 0)
		return;
	log_line("the volume's file system is growing to %llu MB",
	    (unsigned long long)blocks >> 8);
	if (ioctl(fd, RESIZE_FS, &blocks) != 0) {
		log_line("the volume's file system does not grow: %s; the "
			 "next start tries again", strerror(errno));
		return;
	}
	if (fstatfs(fd, &after) == 0 && after.f_blocks > before.f_blocks)
		log_line("the volume's file system has grown from %llu to "
			 "%llu MB",
		    (unsigned long long)before.f_blocks >> 8,
		    (unsigned long long)after.f_blocks >> 8);
}
