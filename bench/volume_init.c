/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The init of bench/volume: in a VM with two equal disks it makes the
 * guest's encrypted volume on the second, by the code of the guest, and runs fio
 * on the first disk and in the volume, job after job: what differs is what
 * lies between fio and virtio. "bench: DISK JOB terse-line" on the console, "bench: end" at last.
 */
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "guest/volume/disk.h"

#define FIO "/usr/bin/fio"
#define SIZE "--size=256M"

static const struct {
	const char *name, *rw, *bs, *size, *more;
} jobs[] = {
	/* sequential, to the disk at the end; and read, not from memory */
	{ "write", "--rw=write", "--bs=1M", SIZE, "--end_fsync=1" },
	{ "read", "--rw=read", "--bs=1M", SIZE, "--invalidate=1" },
	/* a database's commit: 4 KiB and on the disk, one after the other */
	{ "fsync", "--rw=randwrite", "--bs=4k", "--size=64M", "--fsync=1" },
	{ "random", "--rw=randread", "--bs=4k", SIZE, "--invalidate=1" },
};

static void
say(const char *line)
{
	(void)!write(1, line, strlen(line));
}

static void
run(const char *disk, const char *file, size_t i)
{
	char text[2048], name[64], out[96];
	char prog[] = FIO, minimal[] = "--minimal", engine[] = "--ioengine=psync",
	     direct[] = "--direct=1", limit[] = "--runtime=20";
	char rw[32], bs[32], size[32], more[32];
	(void)snprintf(name, sizeof(name), "--name=%s", jobs[i].name);
	(void)snprintf(out, sizeof(out), "--filename=%s", file);
	(void)snprintf(rw, sizeof(rw), "%s", jobs[i].rw);
	(void)snprintf(bs, sizeof(bs), "%s", jobs[i].bs);
	(void)snprintf(size, sizeof(size), "%s", jobs[i].size);
	(void)snprintf(more, sizeof(more), "%s", jobs[i].more);
	char *argv[] = { prog, name, out, rw, bs, size, more, engine, direct,
		limit, minimal, NULL };
	char *env[] = { NULL };
	int p[2];
	pid_t pid;
	posix_spawn_file_actions_t fa;
	if (pipe2(p, O_CLOEXEC) != 0)
		return;
	(void)posix_spawn_file_actions_init(&fa);
	(void)posix_spawn_file_actions_adddup2(&fa, p[1], 1);
	(void)posix_spawn_file_actions_adddup2(&fa, p[1], 2);
	int rc = posix_spawn(&pid, prog, &fa, NULL, argv, env);
	(void)close(p[1]);
	int n = snprintf(text, sizeof(text), "bench: %s %s ", disk,
	    jobs[i].name);
	for (ssize_t got; rc == 0 && (size_t)n < sizeof(text) - 2 &&
	     (got = read(p[0], text + n, sizeof(text) - 2 - (size_t)n)) > 0;)
		n += (int)got;
	(void)close(p[0]);
	if (rc == 0)
		(void)waitpid(pid, NULL, 0);
	text[n] = '\n';
	text[n + 1] = '\0';
	say(text);
}

int
main(void)
{
	struct volume_keys keys;
	struct volume_record r = { .generation = 1 };
	struct why why = { "" };
	(void)mkdir("/proc", 0755);
	(void)mkdir("/sys", 0755);
	(void)mkdir("/tmp", 0755);
	(void)mkdir("/mnt", 0755);
	(void)mount("dev", "/dev", "devtmpfs", 0, NULL);
	(void)mount("proc", "/proc", "proc", 0, NULL);
	(void)mount("sys", "/sys", "sysfs", 0, NULL);
	(void)mount("tmp", "/tmp", "tmpfs", 0, NULL);
	memset(&keys, 7, sizeof(keys));
	/* halves of an XTS key must differ */
	memset(&keys, 9, sizeof(keys.xts) / 2);
	int fd = open("/dev/vdb", O_RDONLY | O_CLOEXEC);
	off_t size = fd >= 0 ? lseek(fd, 0, SEEK_END) : -1;
	r.device_bytes = size > 0 ? (uint64_t)size : 0;
	(void)close(fd);
	enum dstack_status st =
	    volume_disk_format("/dev/vdb", &keys, &r, &why);
	if (st == DSTACK_OK)
		st = volume_disk_open("/dev/vdb", &keys, &r, "/mnt", &why);
	if (st != DSTACK_OK) {
		say("bench: failed: ");
		say(why.text);
		say("\n");
		(void)reboot(RB_POWER_OFF);
	}
	for (size_t i = 0; i < sizeof(jobs) / sizeof(jobs[0]); i++) {
		run("raw", "/dev/vda", i);
		run("volume", "/mnt/file", i);
	}
	say("bench: end\n");
	(void)reboot(RB_POWER_OFF);
	for (;;)
		(void)pause();
}
