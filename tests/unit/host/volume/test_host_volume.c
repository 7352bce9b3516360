/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host/volume/backup.h"
#include "host/volume/disk.h"
#include "protocol/backup.h"
#include "protocol/volume.h"

static char dir[] = "/tmp/dstack-volume-XXXXXX";
static char disk[64], file[64], back[64];

static int
begin(void **state)
{
	(void)state;
	if (mkdtemp(dir) == NULL)
		return -1;
	(void)snprintf(disk, sizeof(disk), "%s/disk", dir);
	(void)snprintf(file, sizeof(file), "%s/file", dir);
	(void)snprintf(back, sizeof(back), "%s/back", dir);
	return 0;
}

static int
end(void **state)
{
	(void)state;
	(void)unlink(disk);
	(void)unlink(file);
	(void)unlink(back);
	return rmdir(dir);
}

static struct stat
look(void)
{
	struct stat sb;
	assert_int_equal(stat(disk, &sb), 0);
	return sb;
}

static void
a_new_disk_is_as_large_as_it_is_told_and_takes_no_room(void **state)
{
	(void)state;
	struct why why = { "" };
	uint64_t from = 0;
	assert_int_equal(
	    host_disk_grow(disk, 64, &from, &why), DSTACK_E_MISSING);
	assert_int_equal(host_disk_make(disk, 64, &why), DSTACK_OK);
	assert_int_equal(look().st_size, 64 << 20);
	assert_true(look().st_blocks < 64);
	assert_int_equal(look().st_mode & 0777, 0600);
	/* one that is there keeps its size, whatever host.env says now */
	assert_int_equal(host_disk_make(disk, 128, &why), DSTACK_OK);
	assert_int_equal(host_disk_make(disk, 32, &why), DSTACK_OK);
	assert_int_equal(look().st_size, 64 << 20);
}

static void
it_grows_and_never_shrinks_and_keeps_its_bytes(void **state)
{
	(void)state;
	struct why why = { "" };
	uint64_t from = 0;
	char got[5] = "";
	int fd = open(disk, O_RDWR | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, "data", 4, (64 << 20) - 4), 4);
	assert_int_equal(
	    host_disk_grow(disk, 63, &from, &why), DSTACK_E_REJECTED);
	assert_int_equal(
	    host_disk_grow(disk, 64, &from, &why), DSTACK_E_REJECTED);
	assert_non_null(strstr(why.text, "only grows"));
	assert_int_equal(host_disk_grow(disk, 4096, &from, &why), DSTACK_OK);
	assert_int_equal(from, 64 << 20);
	assert_int_equal(look().st_size, (off_t)4096 << 20);
	assert_int_equal(pread(fd, got, 4, (64 << 20) - 4), 4);
	assert_string_equal(got, "data");
	assert_true(look().st_blocks < 64);
	(void)close(fd);
}

static void
what_is_no_regular_file_is_left_alone(void **state)
{
	(void)state;
	struct why why = { "" };
	uint64_t from = 0;
	assert_int_equal(unlink(disk), 0);
	assert_int_equal(symlink("elsewhere", disk), 0);
	assert_int_equal(host_disk_make(disk, 64, &why), DSTACK_E_SYS);
	assert_int_equal(unlink(disk), 0);
	assert_int_equal(mkfifo(disk, 0600), 0);
	assert_int_equal(
	    host_disk_grow(disk, 64, &from, &why), DSTACK_E_REJECTED);
	assert_int_equal(host_disk_make(disk, 64, &why), DSTACK_E_REJECTED);
}

/*
 * A disk as a guest leaves it: record, data here and there, and holes. Its
 * last block is data, one block of a run of data is zeros.
 */
static void
make_volume(uint64_t generation)
{
	static const struct secret32 key = { { 7 } };
	struct volume_record r = { .generation = generation,
		.device_bytes = 20u << 20, .data_sectors = 30000,
		.epoch_plus_1 = 1 };
	uint8_t block[VOLUME_BLOCK];
	memset(r.volume_id, 0xbb, sizeof(r.volume_id));
	(void)unlink(disk);
	int fd = open(disk, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, 20 << 20), 0);
	volume_encode(&r, &key, block);
	assert_int_equal(pwrite(fd, block, sizeof(block),
			     (off_t)(generation % 2) * VOLUME_BLOCK),
	    sizeof(block));
	for (unsigned i = 0; i < 600; i++) {
		memset(block, i == 300 ? 0 : (int)(i % 255) + 1, sizeof(block));
		assert_int_equal(pwrite(fd, block, sizeof(block),
				     (3 << 20) + (off_t)i * VOLUME_BLOCK),
		    sizeof(block));
	}
	memset(block, 0x77, sizeof(block));
	assert_int_equal(pwrite(fd, block, sizeof(block),
			     (20 << 20) - (off_t)VOLUME_BLOCK),
	    sizeof(block));
	assert_int_equal(close(fd), 0);
}

static uint8_t *
slurp(const char *path, size_t *n)
{
	struct stat sb;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &sb), 0);
	*n = (size_t)sb.st_size;
	uint8_t *p = malloc(*n);
	assert_non_null(p);
	assert_int_equal(pread(fd, p, *n, 0), *n);
	(void)close(fd);
	return p;
}

static void
write_file(const char *path, const uint8_t *p, size_t n)
{
	(void)unlink(path);
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, p, n), n);
	(void)close(fd);
}

static void
a_backup_comes_back_as_it_was_but_for_the_mark(void **state)
{
	(void)state;
	struct why why = { "" };
	struct volume_said s, t;
	uint64_t written = 0;
	size_t n = 0, m = 0;
	make_volume(3);
	(void)unlink(file);
	if (host_backup_write(disk, file, &s, &written, &why) != DSTACK_OK)
		fail_msg("%s", why.text);
	assert_int_equal(s.generation, 3);
	assert_int_equal(s.bytes, 20 << 20);
	assert_int_equal(s.epoch_plus_1, 1);
	/* what is not zero, and no more */
	assert_true(written > 601 * VOLUME_BLOCK);
	assert_true(written < 606 * VOLUME_BLOCK);
	assert_int_equal(host_backup_peek(file, &t, &why), DSTACK_OK);
	assert_memory_equal(&s, &t, sizeof(s));
	/* an old one is not written over */
	assert_int_equal(host_backup_write(disk, file, &s, &written, &why),
	    DSTACK_E_REJECTED);
	(void)unlink(back);
	if (host_backup_restore(file, back, &why) != DSTACK_OK)
		fail_msg("%s", why.text);
	assert_int_equal(
	    host_backup_restore(file, back, &why), DSTACK_E_REJECTED);
	assert_non_null(strstr(why.text, "move it away first"));
	uint8_t *a = slurp(disk, &n), *b = slurp(back, &m);
	assert_int_equal(n, m);
	assert_true(volume_marked(b + VOLUME_MARK_AT));
	memset(b + VOLUME_MARK_AT, 0, VOLUME_BLOCK);
	assert_memory_equal(a, b, n);
	free(a);
	free(b);
	struct stat sb;
	assert_int_equal(stat(back, &sb), 0);
	assert_true(sb.st_blocks < 606 * 8); /* sparse, as the disk was */
	assert_int_equal(host_disk_peek(back, &t, &why), DSTACK_OK);
	assert_memory_equal(&s, &t, sizeof(s));
}

/* Cut at every place that matters, flipped at many, longer by one. */
static void
a_damaged_backup_restores_nothing(void **state)
{
	(void)state;
	struct why why = { "" };
	struct volume_said s;
	uint64_t written = 0;
	size_t n = 0;
	char bad[64];
	(void)snprintf(bad, sizeof(bad), "%s/bad", dir);
	make_volume(4);
	(void)unlink(file);
	(void)unlink(back);
	assert_int_equal(
	    host_backup_write(disk, file, &s, &written, &why), DSTACK_OK);
	uint8_t *p = slurp(file, &n);
	uint8_t *longer = malloc(n + 1);
	assert_non_null(longer);
	memcpy(longer, p, n);
	longer[n] = 0;
	write_file(bad, longer, n + 1);
	assert_int_equal(
	    host_backup_restore(bad, back, &why), DSTACK_E_FORMAT);
	const size_t cut[] = { 0, 16, BACKUP_HEAD, BACKUP_HEAD + BACKUP_PIECE,
		BACKUP_HEAD + BACKUP_PIECE + 5000, n / 2, n - 45, n - 33,
		n - 32, n - 1 };
	for (size_t i = 0; i < sizeof(cut) / sizeof(cut[0]); i++) {
		write_file(bad, p, cut[i]);
		assert_int_equal(
		    host_backup_restore(bad, back, &why), DSTACK_E_FORMAT);
		assert_int_not_equal(why.text[0], '\0');
	}
	for (size_t at = 0; at < n; at += at < 64 ? 1 : 70001) {
		p[at] ^= 1;
		write_file(bad, p, n);
		assert_int_equal(
		    host_backup_restore(bad, back, &why), DSTACK_E_FORMAT);
		p[at] ^= 1;
	}
	assert_int_equal(access(back, F_OK), -1);
	(void)snprintf(bad, sizeof(bad), "%s/back.restore", dir);
	assert_int_equal(access(bad, F_OK), -1);
	(void)snprintf(bad, sizeof(bad), "%s/bad", dir);
	(void)unlink(bad);
	free(longer);
	free(p);
}

static void
pieces_come_in_order_and_lie_on_the_disk(void **state)
{
	(void)state;
	const uint64_t disk_bytes = 16u << 20;
	struct why why = { "" };
	struct backup b;
	uint64_t at = 0;
	uint32_t n = 0;
	static const struct {
		uint64_t at;
		uint32_t n;
		bool ok;
	} first[] = { { 0, 8192, true }, { 0, 4096, false },
		{ 4096, 8192, false }, { 0, 0, false },
		{ 16u << 20, 0, false }, { 0, 1u << 20, true },
		{ 0, (1u << 20) + 4096, false }, { 0, 8193, false } },
	  next[] = { { 8192, 4096, true }, { 4096, 4096, false },
		{ 8193, 4096, false }, { (16u << 20) - 4096, 4096, true },
		{ (16u << 20) - 4096, 8192, false },
		{ UINT64_MAX - 4095, 4096, false }, { 16u << 20, 4096, false },
		{ 16u << 20, 0, true }, { 12288, 0, false },
		{ 12288, 100, false } };
	for (size_t i = 0; i < sizeof(first) / sizeof(first[0]); i++) {
		AUTO_WR struct wr w = wr_new(0);
		backup_head_put(&w, disk_bytes);
		backup_piece_put(&w, first[i].at, first[i].n);
		assert_int_equal(backup_open(w.buf, &b, &why), DSTACK_OK);
		assert_int_equal(
		    backup_next(&b, w.buf + BACKUP_HEAD, &at, &n, &why) ==
			DSTACK_OK,
		    first[i].ok);
	}
	for (size_t i = 0; i < sizeof(next) / sizeof(next[0]); i++) {
		AUTO_WR struct wr w = wr_new(0);
		b = (struct backup){ disk_bytes, 8192 };
		backup_piece_put(&w, next[i].at, next[i].n);
		assert_int_equal(
		    backup_next(&b, w.buf, &at, &n, &why) == DSTACK_OK,
		    next[i].ok);
	}
	static const uint64_t sizes[] = { 0, (16u << 20) - 4096,
		(16u << 20) + 1, ((uint64_t)1 << 40) + 4096, UINT64_MAX };
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		AUTO_WR struct wr w = wr_new(0);
		backup_head_put(&w, sizes[i]);
		assert_int_equal(backup_open(w.buf, &b, &why), DSTACK_E_FORMAT);
	}
}

/* One reason each; a restore that rolls an anchor back is one of them. */
static void
what_a_guest_would_refuse_is_not_restored(void **state)
{
	(void)state;
	struct why why = { "" };
	struct volume_said s = { .generation = 5, .epoch_plus_1 = 3 };
	uint8_t id[32];
	memset(id, 0xbb, sizeof(id));
	memset(s.volume_id, 0xbb, sizeof(s.volume_id));
	assert_int_equal(host_backup_judge(&s, id, 2, 1, &why), DSTACK_OK);
	assert_int_equal(host_backup_judge(&s, id, 2, 5, &why), DSTACK_OK);
	assert_int_equal(
	    host_backup_judge(&s, id, 2, 6, &why), DSTACK_E_REJECTED);
	assert_non_null(strstr(why.text, "roll it back"));
	assert_int_equal(
	    host_backup_judge(&s, id, 2, 0, &why), DSTACK_E_REJECTED);
	assert_non_null(strstr(why.text, "no anchor"));
	assert_int_equal(
	    host_backup_judge(&s, id, 3, 1, &why), DSTACK_E_REJECTED);
	assert_non_null(strstr(why.text, "epoch"));
	id[31] ^= 1;
	assert_int_equal(
	    host_backup_judge(&s, id, 2, 1, &why), DSTACK_E_REJECTED);
	assert_non_null(strstr(why.text, "NODE_KEY"));
}

static void
a_disk_in_use_is_not_backed_up(void **state)
{
	(void)state;
	struct why why = { "" };
	int one = -1, two = -1;
	char lock[64];
	assert_int_equal(host_volume_lock(dir, &one, &why), DSTACK_OK);
	assert_int_equal(host_volume_lock(dir, &two, &why), DSTACK_E_BUSY);
	(void)close(one);
	assert_int_equal(host_volume_lock(dir, &two, &why), DSTACK_OK);
	(void)close(two);
	(void)snprintf(lock, sizeof(lock), "%s/lock", dir);
	(void)unlink(lock);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    a_new_disk_is_as_large_as_it_is_told_and_takes_no_room),
		cmocka_unit_test(it_grows_and_never_shrinks_and_keeps_its_bytes),
		cmocka_unit_test(what_is_no_regular_file_is_left_alone),
		cmocka_unit_test(a_backup_comes_back_as_it_was_but_for_the_mark),
		cmocka_unit_test(a_damaged_backup_restores_nothing),
		cmocka_unit_test(pieces_come_in_order_and_lie_on_the_disk),
		cmocka_unit_test(what_a_guest_would_refuse_is_not_restored),
		cmocka_unit_test(a_disk_in_use_is_not_backed_up),
	};
	return cmocka_run_group_tests(tests, begin, end);
}
