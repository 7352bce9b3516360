/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The app of tests/vm/front.sh. It opens port 22, where it says what a server
 * of another protocol would, and then 3000, where each connection begins with
 * a PROXY header of version 2 and is answered by HTTP:
 *   /client     the address of that header
 *   /time       its clock
 *   /file/PATH  a file
 *   /count      processes in its container
 *   /check/HOW  from now on its health check ("app check") does HOW: well,
 *               fail, hang, flood or bomb
 */
#include <arpa/inet.h>
#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define THREADS 16

static int
check(void)
{
	char how[16] = "well";
	char text[4096] = { 0 };
	int from = open("/proc/self/cgroup", O_RDONLY);
	int to = open("/checked", O_WRONLY | O_CREAT | O_TRUNC, 0644);
	ssize_t n = read(from, text, sizeof(text));
	if (n > 0)
		(void)!write(to, text, (size_t)n);
	int fd = open("/how", O_RDONLY);
	if (fd >= 0)
		how[read(fd, how, sizeof(how) - 1)] = '\0';
	if (strcmp(how, "hang") == 0)
		for (;;)
			pause();
	if (strcmp(how, "flood") == 0)
		while (write(1, text, sizeof(text)) > 0)
			;
	if (strcmp(how, "bomb") == 0)
		for (;;)
			(void)!fork();
	return strcmp(how, "well") != 0;
}

static int
listener(int port)
{
	const int one = 1;
	struct sockaddr_in a = { .sin_family = AF_INET,
		.sin_port = htons((unsigned short)port) };
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, (struct sockaddr *)&a, sizeof(a)) != 0 ||
	    listen(fd, 1024) != 0)
		exit(1);
	return fd;
}

static void *
other(void *arg)
{
	for (;;) {
		int c = accept(*(int *)arg, NULL, NULL);
		(void)!write(c, "SSH-2.0-none\r\n", 14);
		close(c);
	}
	return NULL;
}

static void
answer(const unsigned char *head, const char *path, char *out, size_t cap)
{
	if (strcmp(path, "/client") == 0) {
		(void)snprintf(out, cap, "cmd=%d %d.%d.%d.%d\n", head[12] & 15,
		    head[16], head[17], head[18], head[19]);
	} else if (strcmp(path, "/time") == 0) {
		(void)snprintf(out, cap, "%lld\n", (long long)time(NULL));
	} else if (strncmp(path, "/file/", 6) == 0) {
		int fd = open(path + 5, O_RDONLY);
		ssize_t n = fd >= 0 ? read(fd, out, cap - 1) : 0;
		out[n > 0 ? n : 0] = '\0';
		close(fd);
	} else if (strcmp(path, "/count") == 0) {
		int live = 0;
		DIR *d = opendir("/proc");
		for (struct dirent *e; d != NULL && (e = readdir(d)) != NULL;)
			live += isdigit((unsigned char)e->d_name[0]) != 0;
		closedir(d);
		(void)snprintf(out, cap, "%d\n", live);
	} else if (strncmp(path, "/check/", 7) == 0) {
		int fd = open("/how", O_WRONLY | O_CREAT | O_TRUNC, 0644);
		(void)!write(fd, path + 7, strlen(path + 7));
		close(fd);
		(void)snprintf(out, cap, "it will %s\n", path + 7);
	} else {
		(void)snprintf(out, cap, "the front's app\n");
	}
}

static size_t
all(int c, char *buf, size_t n)
{
	size_t got = 0;
	ssize_t k;
	while (got < n && (k = read(c, buf + got, n - got)) > 0)
		got += (size_t)k;
	return got;
}

static void *
web(void *arg)
{
	for (;;) {
		unsigned char head[28] = { 0 };
		char in[2048] = "";
		char path[512] = "";
		char body[4096] = "";
		char out[8192];
		size_t n = 0;
		ssize_t k;
		int c = accept(*(int *)arg, NULL, NULL);
		/* of "LOCAL" there are 16 bytes */
		if (all(c, (char *)head, 16) != 16 ||
		    (head[15] != 0 && all(c, (char *)head + 16, 12) != 12)) {
			close(c);
			continue;
		}
		while (n < sizeof(in) - 1 && strstr(in, "\r\n\r\n") == NULL &&
		    (k = read(c, in + n, sizeof(in) - 1 - n)) > 0)
			in[n += (size_t)k] = '\0';
		if (sscanf(in, "GET %511s HTTP/1.", path) == 1) {
			answer(head, path, body, sizeof(body));
			int len = snprintf(out, sizeof(out),
			    "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n"
			    "Connection: close\r\n\r\n%s", strlen(body), body);
			(void)!write(c, out, (size_t)len);
		}
		close(c);
	}
	return NULL;
}

int
main(int argc, char **argv)
{
	pthread_t t;
	int ssh, http;
	if (argc > 1 && strcmp(argv[1], "check") == 0)
		return check();
	signal(SIGPIPE, SIG_IGN);
	signal(SIGCHLD, SIG_IGN); /* of a check's processes it is the parent */
	ssh = listener(22);
	pthread_create(&t, NULL, other, &ssh);
	http = listener(3000);
	for (int i = 0; i < THREADS; i++)
		pthread_create(&t, NULL, web, &http);
	for (;;)
		pause();
}
