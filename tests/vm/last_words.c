/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An app that keeps what it is told in memory and writes it when it is asked
 * to stop, as a database does. "GET /keep/WORD" tells it; every answer has
 * what the volume has of it. "GET /deaf" makes it ignore the signal. "GET
 * /fill" writes and syncs 24 MB, "GET /read" says how many of them are right.
 * Its image says which signal that is: SIGUSR1 (STOPSIGNAL).
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define FILE_AT "/mnt/encrypted_data/last"
#define SHARED_AT "/mnt/host_volume/last"
#define FILL_AT "/mnt/encrypted_data/fill"
#define FILL_BLOCKS 6144u

static char kept[64];
static volatile sig_atomic_t deaf;

static void
put(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);

	/* no fsync: an orderly stop has to do without */
	if (fd < 0 || write(fd, kept, strlen(kept)) < 0)
		_exit(3);
	(void)close(fd);
}

static void
on_stop(int sig)
{
	(void)sig;
	if (deaf)
		return;
	sleep(2);
	put(FILE_AT);
	put(SHARED_AT);
	_exit(0);
}

/* No two blocks alike, none of zeros. */
static void
pattern(unsigned *block, unsigned n)
{
	for (unsigned i = 0; i < 1024; i++)
		block[i] = n * 2654435761u + i;
}

static unsigned
fill(void)
{
	static unsigned block[1024];
	unsigned n = 0;
	int fd = open(FILL_AT, O_WRONLY | O_CREAT | O_TRUNC, 0644);

	for (; fd >= 0 && n < FILL_BLOCKS; n++) {
		pattern(block, n);
		if (write(fd, block, sizeof(block)) != sizeof(block))
			break;
	}
	if (fd < 0 || fsync(fd) != 0)
		n = 0;
	(void)close(fd);
	return n;
}

static unsigned
right(void)
{
	static unsigned is[1024], want[1024];
	unsigned n = 0;
	int fd = open(FILL_AT, O_RDONLY);

	for (; fd >= 0 && read(fd, is, sizeof(is)) == sizeof(is); n++) {
		pattern(want, n);
		if (memcmp(is, want, sizeof(is)) != 0)
			break;
	}
	(void)close(fd);
	return n;
}

int
main(void)
{
	struct sockaddr_in any = { .sin_family = AF_INET,
		.sin_port = htons(80) };
	const int one = 1;
	int l = socket(AF_INET, SOCK_STREAM, 0);

	(void)signal(SIGUSR1, on_stop);
	(void)signal(SIGPIPE, SIG_IGN);
	setsockopt(l, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(l, (struct sockaddr *)&any, sizeof(any)) != 0 ||
	    listen(l, 16) != 0)
		return 1;
	for (;;) {
		char q[4096];
		char last[64] = "";
		char a[256];
		int c = accept(l, NULL, NULL);
		ssize_t k = c >= 0 ? read(c, q, sizeof(q) - 1) : -1;

		q[k > 0 ? k : 0] = '\0';
		if (strncmp(q, "GET /keep/", 10) == 0)
			(void)sscanf(q + 10, "%63[a-z0-9]", kept);
		if (strncmp(q, "GET /deaf ", 10) == 0)
			deaf = 1;
		unsigned blocks = strncmp(q, "GET /fill ", 10) == 0 ? fill()
		    : strncmp(q, "GET /read ", 10) == 0		    ? right()
								    : 0;
		int fd = open(FILE_AT, O_RDONLY);
		if (fd >= 0) {
			(void)!read(fd, last, sizeof(last) - 1);
			(void)close(fd);
		}
		(void)snprintf(a, sizeof(a),
		    "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"
		    "last words: %s; kept: %s; deaf: %d; blocks: %u\n",
		    last, kept, (int)deaf, blocks);
		if (c >= 0) {
			(void)!write(c, a, strlen(a));
			(void)close(c);
		}
	}
}
