/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A service of an app of several, for test_services.c: static, so that an
 * image needs nothing else. What it sees goes line by line to /shared/log,
 * which is on a volume that all services have.
 *
 *   db          serves "db N" on port 80, N from /data/n, one more each start
 *   front NAME  serves on port 80 what the service NAME says on its port 80
 *   once CODE   writes a line and ends with CODE
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static const char *self;

static void
say(const char *what)
{
	char line[256];
	int n = snprintf(line, sizeof(line), "%s %s\n", self, what);
	int fd = open("/shared/log", O_WRONLY | O_CREAT | O_APPEND, 0666);
	if (fd >= 0 && write(fd, line, (size_t)n) != n)
		_exit(9);
	close(fd);
}

static void
on_term(int sig)
{
	(void)sig;
	say("stops");
	_exit(0);
}

static int
listening(void)
{
	struct sockaddr_in a = { .sin_family = AF_INET,
		.sin_port = htons(80) };
	int one = 1;
	int s = socket(AF_INET, SOCK_STREAM, 0);
	setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(s, (struct sockaddr *)&a, sizeof(a)) != 0 ||
	    listen(s, 16) != 0) {
		say(strerror(errno));
		_exit(8);
	}
	return s;
}

/* The address that /etc/hosts has for a name; 0: none. */
static in_addr_t
named(const char *name)
{
	char line[256], ip[64], host[64];
	in_addr_t found = 0;
	FILE *f = fopen("/etc/hosts", "r");
	while (f != NULL && fgets(line, sizeof(line), f) != NULL)
		if (sscanf(line, "%63s %63s", ip, host) == 2 &&
		    strcmp(host, name) == 0)
			found = inet_addr(ip);
	if (f != NULL)
		fclose(f);
	return found;
}

static ssize_t
ask(in_addr_t ip, const char *what, char *out, size_t max)
{
	struct sockaddr_in a = { .sin_family = AF_INET,
		.sin_port = htons(80), .sin_addr.s_addr = ip };
	struct timeval t = { 2, 0 };
	int s = socket(AF_INET, SOCK_STREAM, 0);
	ssize_t n = -1;
	setsockopt(s, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof(t));
	setsockopt(s, SOL_SOCKET, SO_SNDTIMEO, &t, sizeof(t));
	if (connect(s, (struct sockaddr *)&a, sizeof(a)) == 0 &&
	    write(s, what, 1) == 1)
		n = read(s, out, max);
	close(s);
	return n;
}

static void
db(void)
{
	char text[64] = "";
	int fd = open("/data/n", O_RDWR | O_CREAT, 0600);
	if (fd < 0 || read(fd, text, sizeof(text) - 1) < 0)
		_exit(7);
	int n = (int)strtol(text, NULL, 10) + 1;
	snprintf(text, sizeof(text), "%d", n);
	if (pwrite(fd, text, strlen(text), 0) < 1)
		_exit(7);
	close(fd);
	int s = listening();
	for (;;) {
		char what = 0;
		int c = accept(s, NULL, NULL);
		if (read(c, &what, 1) == 1 && what == 'd')
			_exit(1);
		dprintf(c, "db %d", n);
		close(c);
	}
}

static void
front(const char *name)
{
	in_addr_t ip = named(name);
	char text[64];
	char probe[64];
	/* nobody but the service is at that address, and no way leads on */
	int other = open("/data/n", O_RDONLY) >= 0;
	in_addr_t plane = ip ^ htonl(3); /* 10.88.p.1: the other's plane */
	int s = listening();
	snprintf(text, sizeof(text), "data %d plane %d", other,
	    ask(plane, "x", probe, sizeof(probe)) >= 0);
	say(text);
	for (;;) {
		char what = 'x';
		int c = accept(s, NULL, NULL);
		(void)!read(c, &what, 1);
		ssize_t n = ask(ip, &what, text, sizeof(text));
		dprintf(c, "front: %.*s", n > 0 ? (int)n : 0, text);
		close(c);
	}
}

int
main(int argc, char **argv)
{
	self = argc > 1 ? argv[1] : "";
	signal(SIGTERM, on_term);
	/* who needs db started may be the faster of the two */
	char text[64];
	while (strcmp(self, "once") == 0 &&
	    ask(named("db"), "x", text, sizeof(text)) < 0)
		usleep(20000);
	say("starts");
	if (strcmp(self, "db") == 0)
		db();
	if (strcmp(self, "front") == 0)
		front(argv[2]);
	usleep(300000);
	say("ends");
	return (int)strtol(argv[2], NULL, 10);
}
