/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An app that takes what it gets, for tests/vm/bounds.sh: GET /threads,
 * /memory and /files, each until it is stopped; anything else is answered.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static pthread_mutex_t held = PTHREAD_MUTEX_INITIALIZER;

static void *
wait_here(void *arg)
{
	pthread_mutex_lock(&held);
	pthread_mutex_unlock(&held);
	return arg;
}

static unsigned
threads(void)
{
	static pthread_t t[16384];
	pthread_attr_t small;
	unsigned n = 0;
	pthread_attr_init(&small);
	pthread_attr_setstacksize(&small, 16384);
	pthread_mutex_lock(&held);
	while (n < 16384 && pthread_create(&t[n], &small, wait_here, NULL) == 0)
		n++;
	pthread_mutex_unlock(&held);
	for (unsigned i = 0; i < n; i++)
		pthread_join(t[i], NULL);
	return n;
}

static unsigned
memory(void)
{
	unsigned n = 0;
	for (;; n++) {
		char *p = malloc(1 << 20);
		if (p == NULL)
			return n;
		memset(p, 0x5a, 1 << 20);
	}
}

static unsigned
files(const char *path)
{
	static char buf[1 << 20];
	unsigned n = 0;
	int fd = open(path, O_WRONLY | O_CREAT, 0600);
	memset(buf, 0x5a, sizeof(buf));
	while (fd >= 0 && write(fd, buf, sizeof(buf)) > 0)
		n++;
	return n;
}

int
main(void)
{
	struct sockaddr_in any = { .sin_family = AF_INET,
		.sin_port = htons(80) };
	const int one = 1;
	int l = socket(AF_INET, SOCK_STREAM, 0);
	signal(SIGPIPE, SIG_IGN);
	setsockopt(l, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(l, (struct sockaddr *)&any, sizeof(any)) != 0 ||
	    listen(l, 16) != 0)
		return 1;
	for (;;) {
		char q[4096];
		char a[200];
		int c = accept(l, NULL, NULL);
		ssize_t k = c >= 0 ? read(c, q, sizeof(q) - 1) : -1;
		unsigned n = 0;
		q[k > 0 ? k : 0] = '\0';
		if (strncmp(q, "GET /threads ", 13) == 0)
			n = threads();
		else if (strncmp(q, "GET /memory ", 12) == 0)
			n = memory();
		else if (strncmp(q, "GET /files ", 11) == 0)
			n = files("/fill") + files("/tmp/fill") +
			    files("/dev/shm/fill");
		snprintf(a, sizeof(a),
		    "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"
		    "the hog took %u\n", n);
		if (c >= 0) {
			(void)!write(c, a, strlen(a));
			close(c);
		}
	}
}
