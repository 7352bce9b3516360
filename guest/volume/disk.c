/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The volume's devices, from the disk up: join (dm-integrity's superblock from
 * RAM, the rest from the disk), integrity (a keyed hash for each sector),
 * crypt, ext4. All parameters are here or in the authenticated record; nothing
 * of the host's is parsed on the way (docs/volume.md). Formatting makes an ext4
 * in memory and copies what mke2fs wrote; opening builds the stack, has the
 * file system looked at (fs.c) and mounts it. What fails on the way is taken
 * down again, so that the next try starts from nothing.
 *
 * A volume grows in three steps, each of which may be the last before the
 * power fails: volume_disk_grow asks dm-integrity how many sectors a larger
 * disk provides, which writes nothing new; the caller puts that into the
 * record; and whenever the file system is smaller than its record, it is
 * grown, by the kernel and by its journal, once it is mounted.
 */
#include "guest/volume/disk.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/hex.h"
#include "base/own.h"
#include "base/rd.h"
#include "base/wr.h"
#include "crypto/hash.h"
#include "guest/volume/dm.h"
#include "guest/volume/fs.h"

#define RAM "/dev/ram0"
#define MKE2FS "/usr/sbin/mke2fs"
#define SECTOR 512u
#define BLOCK 4096u
#define SB_SECTORS 8u /* dm-integrity's superblock area: 4 KiB */
/*
 * dm-integrity has its journal in memory too. Chosen at the format: a part of
 * the disk, as the kernel would, and 8 MiB at most.
 */
#define JOURNAL_PART 128u
#define JOURNAL_MOST (8u * 2048)
#define GIB ((uint64_t)1 << 30)
#define JOURNAL 'J' /* dm-integrity's modes: what is written is whole, or */
#define DIRECT 'D'  /* may be torn when the machine stops */
#define NAME_JOIN "dstack-join"
#define NAME_INTEGRITY "dstack-integrity"
#define NAME_CRYPT "dstack-volume"

/* A page-aligned buffer for O_DIRECT, which the RAM disk is read through. */
static void
own_page(void **p)
{
	if (*p != NULL)
		(void)munmap(*p, BLOCK);
}

static enum dstack_status
ram_block(bool put, uint8_t sb[static VOLUME_INTEGRITY_SB], struct why *why)
{
	OWN_CLEANUP(own_page) void *page = mmap(NULL, BLOCK,
	    PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (page == MAP_FAILED) {
		page = NULL;
		return DSTACK_E_NOMEM;
	}
	/*
	 * Direct: the kernel's page cache of the RAM disk may be older than
	 * what dm-integrity wrote.
	 */
	AUTO_CLOSE int fd = open(RAM, O_RDWR | O_DIRECT | O_CLOEXEC);
	if (fd < 0)
		return why_set(why, DSTACK_E_SYS, "%s: %s; is brd loaded?", RAM,
		    strerror(errno));
	if (put) {
		memcpy(page, sb, VOLUME_INTEGRITY_SB);
		if (pwrite(fd, page, BLOCK, 0) != BLOCK)
			return why_set(why, DSTACK_E_SYS, "%s: %s", RAM,
			    strerror(errno));
		return DSTACK_OK;
	}
	if (pread(fd, page, BLOCK, 0) != BLOCK)
		return why_set(
		    why, DSTACK_E_SYS, "%s: %s", RAM, strerror(errno));
	memcpy(sb, page, VOLUME_INTEGRITY_SB);
	return DSTACK_OK;
}

/* Superblock in RAM, the rest on the disk, as one device. */
static enum dstack_status
make_join(const char *disk, uint64_t device_bytes,
    char path[static DM_PATH_MAX], struct why *why)
{
	char rest[256];
	uint64_t sectors = (device_bytes - VOLUME_DATA_AT) / SECTOR;
	(void)snprintf(
	    rest, sizeof(rest), "%s %u", disk, VOLUME_DATA_AT / SECTOR);
	const struct dm_segment seg[] = {
		{ 0, SB_SECTORS, "linear", RAM " 0" },
		/* Whole blocks of 4 KiB. */
		{ SB_SECTORS, sectors & ~(uint64_t)7, "linear", rest },
	};
	return dm_create(NAME_JOIN, seg, 2, path, why);
}

/* One key, three uses: each gets a key of its own under a fixed label. */
static void
sub_key(const struct secret32 *mac, const char *label, char hex[static 65])
{
	AUTO_WIPE32 struct secret32 k = { { 0 } };
	hmac_sha256(mac->b, sizeof(mac->b), label, strlen(label), k.b);
	hex_encode(k.b, sizeof(k.b), hex);
}

static enum dstack_status
make_integrity(const char *under, const struct volume_keys *keys,
    uint64_t sectors, char mode, uint64_t device_bytes,
    char path[static DM_PATH_MAX], struct why *why)
{
	const struct secret32 *mac = &keys->mac;
	uint64_t area = device_bytes / SECTOR / JOURNAL_PART;
	char data[65], journal[65], params[512];
	sub_key(mac, "dm-integrity sector", data);
	sub_key(mac, "dm-integrity journal", journal);
	(void)snprintf(params, sizeof(params),
	    "%s 0 - %c 6 block_size:4096 internal_hash:hmac(sha256):%s "
	    "journal_mac:hmac(sha256):%s fix_padding fix_hmac "
	    "journal_sectors:%llu",
	    under, mode, data, journal,
	    (unsigned long long)(area < JOURNAL_MOST ? area : JOURNAL_MOST));
	const struct dm_segment seg = { 0, sectors, "integrity", params };
	enum dstack_status st = dm_create(NAME_INTEGRITY, &seg, 1, path, why);
	/*
	 * The table's text has the keys in hex; dm.c wipes its copy, and the
	 * kernel its own.
	 */
	explicit_bzero(params, sizeof(params));
	explicit_bzero(data, sizeof(data));
	explicit_bzero(journal, sizeof(journal));
	return st;
}

static enum dstack_status
make_crypt(const char *under, const struct secret64 *xts, uint64_t sectors,
    char path[static DM_PATH_MAX], struct why *why)
{
	char hex[129], params[320];
	hex_encode(xts->b, sizeof(xts->b), hex);
	(void)snprintf(params, sizeof(params),
	    "aes-xts-plain64 %s 0 %s 0 1 sector_size:4096", hex, under);
	const struct dm_segment seg = { 0, sectors, "crypt", params };
	enum dstack_status st = dm_create(NAME_CRYPT, &seg, 1, path, why);
	explicit_bzero(params, sizeof(params));
	explicit_bzero(hex, sizeof(hex));
	return st;
}

/*
 * What the superblock in RAM says: how many sectors dm-integrity provides on
 * a disk of that size (drivers/md/dm-integrity.c, struct superblock:
 * provided_data_sectors, le64 at byte 16).
 */
static enum dstack_status
provided(uint64_t device_bytes, uint8_t sb[static VOLUME_INTEGRITY_SB],
    uint64_t *out, struct why *why)
{
	uint64_t sectors = 0;
	enum dstack_status st = ram_block(false, sb, why);
	if (st != DSTACK_OK)
		return st;
	struct rd rd = rd_over(sb, VOLUME_INTEGRITY_SB);
	st = rd_skip(&rd, 16);
	if (st == DSTACK_OK)
		st = rd_u64le(&rd, &sectors);
	*out = sectors & ~(uint64_t)(BLOCK / SECTOR - 1);
	if (st != DSTACK_OK || *out == 0 || *out >= device_bytes / SECTOR)
		return why_set(why, DSTACK_E_FORMAT,
		    "dm-integrity provides %llu sectors",
		    (unsigned long long)sectors);
	return DSTACK_OK;
}

/* dm-integrity formats where the superblock is zero. */
static enum dstack_status
format_integrity(const char *join, const struct volume_keys *keys,
    struct volume_record *r, char path[static DM_PATH_MAX], struct why *why)
{
	enum dstack_status st =
	    /*
	     * First with one block, since how many there will be is what the
	     * superblock says afterwards.
	     */
	    make_integrity(join, keys, BLOCK / SECTOR, JOURNAL,
		r->device_bytes, path, why);
	if (st != DSTACK_OK)
		return st;
	(void)dm_remove(NAME_INTEGRITY);
	st = provided(
	    r->device_bytes, r->integrity_sb, &r->data_sectors, why);
	if (st != DSTACK_OK)
		return st;
	/*
	 * Without the journal, which would take every block twice: a volume
	 * whose formatting was cut short has no record and is formatted anew.
	 */
	return make_integrity(join, keys, r->data_sectors, DIRECT,
	    r->device_bytes, path, why);
}

static enum dstack_status
run(char *const argv[], struct why *why)
{
	pid_t pid;
	int st;
	/* zeroed journal blocks must be written, not left as holes */
	char zero[] = "UNIX_IO_NOZEROOUT=1";
	/* No environment of ours reaches it. */
	char *const env[] = { zero, NULL };
	int rc = posix_spawn(&pid, argv[0], NULL, NULL, argv, env);
	if (rc != 0)
		return why_set(
		    why, DSTACK_E_SYS, "%s: %s", argv[0], strerror(rc));
	while (waitpid(pid, &st, 0) < 0) {
		if (errno != EINTR)
			return DSTACK_E_SYS;
	}
	if (!WIFEXITED(st) || WEXITSTATUS(st) != 0)
		return why_set(why, DSTACK_E_SYS, "%s failed (status %d)",
		    argv[0], st);
	return DSTACK_OK;
}

/* What is not a hole in `in`, to the same place in out. */
static enum dstack_status
copy_data(int in, int out, struct why *why)
{
	AUTO_FREE uint8_t *buf = malloc(1u << 20);
	if (buf == NULL)
		return DSTACK_E_NOMEM;
	off_t at = 0, end;
	while ((at = lseek(in, at, SEEK_DATA)) >= 0) {
		end = lseek(in, at, SEEK_HOLE);
		at &= ~(off_t)(BLOCK - 1);
		end = (end + BLOCK - 1) & ~(off_t)(BLOCK - 1);
		while (at < end) {
			size_t want = (size_t)(end - at) < 1u << 20
			    ? (size_t)(end - at)
			    : 1u << 20;
			ssize_t n = pread(in, buf, want, at);
			if (n <= 0 || pwrite(out, buf, (size_t)n, at) != n)
				return why_set(why, DSTACK_E_SYS,
				    "writing the new volume: %s",
				    strerror(errno));
			at += n;
		}
	}
	if (errno != ENXIO || fsync(out) != 0)
		return why_set(why, DSTACK_E_SYS, "writing the new volume: %s",
		    strerror(errno));
	return DSTACK_OK;
}

/*
 * An empty ext4, made in RAM and copied: mke2fs never reads the disk, and
 * only what it wrote is written. Sectors that were never written do not
 * verify, so a read of one fails instead of returning the host's bytes.
 */
static enum dstack_status
make_ext4(const char *device, uint64_t sectors, struct why *why)
{
	AUTO_CLOSE int ram = memfd_create("ext4", 0);
	AUTO_CLOSE int out = open(device, O_WRONLY | O_CLOEXEC);
	if (ram < 0 || out < 0 ||
	    ftruncate(ram, (off_t)(sectors * SECTOR)) != 0)
		return why_set(why, DSTACK_E_SYS, "%s: %s", device,
		    strerror(errno));
	char path[32];
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", ram);
	char prog[] = MKE2FS, quiet[] = "-q", force[] = "-F", type[] = "-t",
	     ext4[] = "ext4", bflag[] = "-b", bsize[] = "4096", mflag[] = "-m",
	     zero[] = "0", jflag[] = "-J", jsize[] = "size=4", eflag[] = "-E",
	     lazy[96], gflag[] = "-G", flex[] = "16", oflag[] = "-O",
	     feat[] = "has_journal,extent,64bit,metadata_csum,flex_bg,"
		      "sparse_super,large_file,huge_file,dir_nlink,"
		      "extra_isize,dir_index,filetype,ext_attr";
	/*
	 * Room for the group descriptors of the largest volume there can be.
	 * It may take no more blocks than a transaction of the journal, which
	 * growing fills with them.
	 */
	(void)snprintf(lazy, sizeof(lazy), "lazy_itable_init=1,nodiscard");
	if (sectors * SECTOR < VOLUME_MAX_BYTES / 2)
		(void)snprintf(lazy, sizeof(lazy),
		    "lazy_itable_init=1,nodiscard,resize=%llu",
		    (unsigned long long)(VOLUME_MAX_BYTES / BLOCK));
	if (sectors * SECTOR >= GIB)
		(void)snprintf(jsize, sizeof(jsize), "size=8");
	char *const argv[] = { prog, quiet, force, type, ext4, bflag, bsize,
		mflag, zero, jflag, jsize, gflag, flex, oflag, feat, eflag,
		lazy, path, NULL };
	enum dstack_status st = run(argv, why);
	return st != DSTACK_OK ? st : copy_data(ram, out, why);
}

/*
 * From the top, as far as they are there. Also before the first is made: a
 * role that was ended in the middle leaves devices, with keys and the RAM
 * block in them, whose names are then taken.
 */
static void
clear_away(void)
{
	(void)dm_remove(NAME_CRYPT);
	(void)dm_remove(NAME_INTEGRITY);
	(void)dm_remove(NAME_JOIN);
}

/* In order from the top; false where something still holds one of them. */
bool
volume_disk_close(void)
{
	return dm_remove(NAME_CRYPT) && dm_remove(NAME_INTEGRITY) &&
	    dm_remove(NAME_JOIN);
}

enum dstack_status
volume_disk_format(const char *disk, const struct volume_keys *keys,
    struct volume_record *r, struct why *why)
{
	char join[DM_PATH_MAX], integrity[DM_PATH_MAX], crypt[DM_PATH_MAX];
	memset(r->integrity_sb, 0, sizeof(r->integrity_sb));
	clear_away();
	enum dstack_status st = ram_block(true, r->integrity_sb, why);
	if (st == DSTACK_OK)
		st = make_join(disk, r->device_bytes, join, why);
	if (st == DSTACK_OK)
		st = format_integrity(join, keys, r, integrity, why);
	if (st == DSTACK_OK)
		st = make_crypt(
		    integrity, &keys->xts, r->data_sectors, crypt, why);
	if (st == DSTACK_OK)
		st = make_ext4(crypt, r->data_sectors, why);
	clear_away();
	/* as it is now, with every flag that the kernel has set */
	if (st == DSTACK_OK)
		st = ram_block(false, r->integrity_sb, why);
	return st;
}

enum dstack_status
volume_disk_grow(const char *disk, const struct volume_keys *keys,
    struct volume_record *r, uint64_t to, struct why *why)
{
	char join[DM_PATH_MAX], integrity[DM_PATH_MAX];
	uint8_t sb[VOLUME_INTEGRITY_SB];
	uint64_t sectors = 0;
	memcpy(sb, r->integrity_sb, sizeof(sb));
	clear_away();
	enum dstack_status st = ram_block(true, sb, why);
	if (st == DSTACK_OK)
		st = make_join(disk, to, join, why);
	/*
	 * As long as it was: that it could be longer is what the superblock
	 * says then, which is in RAM.
	 */
	if (st == DSTACK_OK)
		st = make_integrity(join, keys, volume_sectors(r), JOURNAL,
		    to, integrity, why);
	if (st == DSTACK_OK)
		st = provided(to, sb, &sectors, why);
	clear_away();
	if (st == DSTACK_OK && sectors < volume_sectors(r))
		st = why_set(why, DSTACK_E_FORMAT,
		    "dm-integrity provides %llu sectors",
		    (unsigned long long)sectors);
	if (st != DSTACK_OK)
		return st;
	r->grown_bytes = to;
	r->grown_sectors = sectors;
	return DSTACK_OK;
}

enum dstack_status
volume_disk_open(const char *disk, const struct volume_keys *keys,
    const struct volume_record *r, const char *dir, struct why *why)
{
	char join[DM_PATH_MAX], integrity[DM_PATH_MAX], crypt[DM_PATH_MAX];
	uint8_t sb[VOLUME_INTEGRITY_SB];
	const uint64_t sectors = volume_sectors(r);
	bool smaller = false;
	memcpy(sb, r->integrity_sb, sizeof(sb));
	/* a role that was ended between mount and answer left both */
	(void)umount2(dir, UMOUNT_NOFOLLOW);
	clear_away();
	enum dstack_status st = ram_block(true, sb, why);
	if (st == DSTACK_OK)
		st = make_join(disk, volume_bytes(r), join, why);
	if (st == DSTACK_OK)
		st = make_integrity(join, keys, sectors, JOURNAL,
		    volume_bytes(r), integrity, why);
	if (st == DSTACK_OK)
		st = make_crypt(integrity, &keys->xts, sectors, crypt, why);
	if (st == DSTACK_OK)
		st = fs_ready(
		    crypt, sectors / (BLOCK / SECTOR), &smaller, why);
	if (st == DSTACK_OK &&
	    mount(crypt, dir, "ext4", MS_NOSUID | MS_NODEV, "errors=remount-ro") !=
		0)
		st = why_set(why, DSTACK_E_SYS, "mounting the volume: %s",
		    strerror(errno));
	if (st != DSTACK_OK)
		clear_away();
	else if (smaller)
		fs_grow(dir, sectors / (BLOCK / SECTOR));
	return st;
}
