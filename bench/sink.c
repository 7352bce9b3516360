/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The app of bench/front: GET /N gives N bytes, PUT takes what comes and says
 * how many bytes that were. A process a connection, one request each, nothing
 * clever: what is measured is what stands before it.
 * Usage: sink PORT
 */
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static char buf[1 << 16];

static void
put_all(int fd, const char *p, size_t n)
{
	while (n > 0) {
		ssize_t k = write(fd, p, n);
		if (k <= 0)
			_exit(1);
		p += k;
		n -= (size_t)k;
	}
}

static void
serve(int fd)
{
	char head[8192] = "";
	size_t len = 0;
	char *end = NULL;
	while ((end = strstr(head, "\r\n\r\n")) == NULL) {
		ssize_t k = read(fd, head + len, sizeof(head) - 1 - len);
		if (k <= 0)
			_exit(1);
		len += (size_t)k;
		head[len] = '\0';
	}
	if (strncmp(head, "GET /", 5) == 0) {
		unsigned long long n = strtoull(head + 5, NULL, 10);
		int k = snprintf(buf, sizeof(buf),
		    "HTTP/1.1 200 OK\r\nContent-Length: %llu\r\n"
		    "Connection: close\r\n\r\n", n);
		put_all(fd, buf, (size_t)k);
		memset(buf, 'x', sizeof(buf));
		for (; n > sizeof(buf); n -= sizeof(buf))
			put_all(fd, buf, sizeof(buf));
		put_all(fd, buf, (size_t)n);
		_exit(0);
	}
	const char *cl = strcasestr(head, "\r\nContent-Length:");
	unsigned long long n = cl != NULL ? strtoull(cl + 17, NULL, 10) : 0;
	unsigned long long got = len - (size_t)(end + 4 - head);
	while (got < n) {
		ssize_t k = read(fd, buf, sizeof(buf));
		if (k <= 0)
			_exit(1);
		got += (unsigned long long)k;
	}
	char text[32];
	int t = snprintf(text, sizeof(text), "%llu\n", got);
	int k = snprintf(buf, sizeof(buf), "HTTP/1.1 200 OK\r\n"
	    "Content-Length: %d\r\nConnection: close\r\n\r\n%s", t, text);
	put_all(fd, buf, (size_t)k);
	_exit(0);
}

int
main(int argc, char **argv)
{
	struct sockaddr_in a = { .sin_family = AF_INET,
		.sin_port = htons((uint16_t)strtoul(
		    argc > 1 ? argv[1] : "80", NULL, 10)) };
	int one = 1;
	int s = socket(AF_INET, SOCK_STREAM, 0);
	signal(SIGCHLD, SIG_IGN);
	setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(s, (struct sockaddr *)&a, sizeof(a)) != 0 ||
	    listen(s, 64) != 0) {
		perror("sink");
		return 1;
	}
	for (;;) {
		int fd = accept(s, NULL, NULL);
		if (fd < 0)
			continue;
		if (fork() == 0)
			serve(fd);
		close(fd);
	}
}
