/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mkinitramfs OUT: writes a "newc" cpio archive from a list on standard
 * input, in the order of the list. Nothing of the machine enters it: owner 0,
 * time 0, inode numbers counted from 1.
 *
 *	dir PATH MODE
 *	file PATH MODE SOURCE
 *	link PATH TARGET
 *	char PATH MODE MAJOR MINOR
 *
 * Prints each entry as it went in: the line of the list, but with its size in
 * place of a file's source. Missing parents are an error.
 * Format: Documentation/driver-api/early-userspace/buffer-format.rst.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define LINE 1024
#define MAX_DIRS 256

static FILE *out;
static unsigned long inode;
static unsigned long written;
static char dirs[MAX_DIRS][128];
static size_t ndirs;

static void
die(const char *what, const char *which)
{
	(void)fprintf(stderr, "mkinitramfs: %s: %s\n", which, what);
	exit(1);
}

static void
put(const void *p, size_t n)
{
	if (fwrite(p, 1, n, out) != n)
		die(strerror(errno), "output");
	written += n;
}

static void
pad(void)
{
	static const char zero[4];

	put(zero, (4 - written % 4) % 4);
}

static void
header(const char *path, unsigned mode, unsigned long size, unsigned major,
    unsigned minor)
{
	char h[160];
	size_t n = strlen(path) + 1;

	inode++;
	(void)snprintf(h, sizeof(h),
	    "070701%08lX%08X%08X%08X%08X%08X%08lX%08X%08X%08X%08X%08zX%08X",
	    inode, mode, 0u, 0u, S_ISDIR(mode) ? 2u : 1u, 0u, size, 0u, 0u,
	    major, minor, n, 0u);
	put(h, 110);
	put(path, n);
	pad();
}

/* The kernel unpacks in order: a file needs its directory before it. */
static void
parent(const char *path)
{
	const char *slash = strrchr(path, '/');
	size_t n = slash == NULL ? 0 : (size_t)(slash - path);

	if (n == 0)
		return;
	for (size_t i = 0; i < ndirs; i++)
		if (strlen(dirs[i]) == n && memcmp(dirs[i], path, n) == 0)
			return;
	die("its directory is not in the list before it", path);
}

static void
file(const char *path, unsigned mode, const char *source)
{
	FILE *f = fopen(source, "rb");
	struct stat st;
	char buf[65536];
	size_t n;
	unsigned long left;

	if (f == NULL || stat(source, &st) != 0)
		die(strerror(errno), source);
	left = (unsigned long)st.st_size;
	header(path + 1, S_IFREG | mode, left, 0, 0);
	while ((n = fread(buf, 1, sizeof(buf), f)) > 0 && n <= left) {
		put(buf, n);
		left -= n;
	}
	if (left != 0 || n != 0)
		die("changed while it was read", source);
	(void)fclose(f);
	pad();
	printf("file %s %04o %lu\n", path, mode, (unsigned long)st.st_size);
}

static void
entry(char *line)
{
	char kind[8], path[128], a[512], b[512], c[16];
	int n = sscanf(line, "%7s %127s %511s %511s %15s", kind, path, a, b, c);

	if (n < 3 || path[0] != '/')
		die("not an entry", line);
	parent(path);
	unsigned mode = (unsigned)strtoul(a, NULL, 8);
	if (strcmp(kind, "dir") == 0 && n == 3) {
		header(path + 1, S_IFDIR | mode, 0, 0, 0);
		if (ndirs == MAX_DIRS)
			die("too many directories", path);
		(void)snprintf(dirs[ndirs++], sizeof(dirs[0]), "%s", path);
		printf("dir %s %04o\n", path, mode);
	} else if (strcmp(kind, "file") == 0 && n == 4) {
		file(path, mode, b);
	} else if (strcmp(kind, "link") == 0 && n == 3) {
		header(path + 1, S_IFLNK | 0777, strlen(a), 0, 0);
		put(a, strlen(a));
		pad();
		printf("link %s %s\n", path, a);
	} else if (strcmp(kind, "char") == 0 && n == 5) {
		header(path + 1, S_IFCHR | mode, 0,
		    (unsigned)strtoul(b, NULL, 10),
		    (unsigned)strtoul(c, NULL, 10));
		printf("char %s %04o %s %s\n", path, mode, b, c);
	} else {
		die("not an entry", line);
	}
}

int
main(int argc, char **argv)
{
	static const char zero[512];
	char line[LINE];

	if (argc != 2 || (out = fopen(argv[1], "wb")) == NULL)
		die("cannot be written", argc == 2 ? argv[1] : "usage");
	while (fgets(line, sizeof(line), stdin) != NULL) {
		line[strcspn(line, "\n")] = '\0';
		entry(line);
	}
	inode = ~0ul; /* the trailer has inode 0 */
	header("TRAILER!!!", 0, 0, 0, 0);
	put(zero, (512 - written % 512) % 512);
	if (fclose(out) != 0)
		die(strerror(errno), argv[1]);
	return 0;
}
