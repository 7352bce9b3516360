/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An app that tries to get out and says how it went: "GET /tcp/IP/PORT" is
 * answered with the errno of a connect (0: it works) and, where it works, the
 * first line of what came back; "GET /dns/NAME" with the address that the
 * resolver of /etc/resolv.conf has for NAME; "GET /links" with the links and
 * "GET /raw" with what came of sockets that need a privilege. An answer ends
 * with its version, which the image names.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#define WAIT_S 3

static int
to(const char *ip, unsigned port, struct sockaddr_in *a)
{
	memset(a, 0, sizeof(*a));
	a->sin_family = AF_INET;
	a->sin_port = htons((unsigned short)port);
	return inet_pton(AF_INET, ip, &a->sin_addr);
}

static void
bounded(int fd)
{
	const struct timeval tv = { .tv_sec = WAIT_S };

	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv));
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
}

static void
tcp(const char *ip, unsigned port, char *out, size_t cap)
{
	static const char ask[] = "GET / HTTP/1.0\r\n\r\n";
	struct sockaddr_in a;
	char line[128] = "";
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	bounded(fd);
	int err = to(ip, port, &a) == 1 &&
		connect(fd, (struct sockaddr *)&a, sizeof(a)) == 0
	    ? 0
	    : errno;
	if (err == 0 && write(fd, ask, sizeof(ask) - 1) > 0)
		(void)!read(fd, line, sizeof(line) - 1);
	line[strcspn(line, "\r\n")] = '\0';
	snprintf(out, cap, "errno %d %s", err, line);
	close(fd);
}

/* RFC 1035, 4.1: one question, and the last record of the answer is an A. */
static void
dns(const char *name, char *out, size_t cap)
{
	unsigned char q[300] = { 0x12, 0x34, 1, 0, 0, 1 }, r[600];
	size_t n = 12;
	char server[64] = "", line[128];
	struct sockaddr_in a;
	FILE *f = fopen("/etc/resolv.conf", "re");

	while (f != NULL && fgets(line, sizeof(line), f) != NULL)
		(void)sscanf(line, "nameserver %63s", server);
	if (f != NULL)
		fclose(f);
	for (const char *p = name; *p != '\0' && n < 280;) {
		size_t k = strcspn(p, ".");
		q[n++] = (unsigned char)k;
		memcpy(q + n, p, k);
		n += k;
		p += k + (p[k] == '.');
	}
	memcpy(q + n, "\0\0\1\0\1", 5);
	n += 5;
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	bounded(fd);
	if (server[0] == '\0' || to(server, 53, &a) != 1)
		snprintf(out, cap, "no nameserver");
	else if (sendto(fd, q, n, 0, (struct sockaddr *)&a, sizeof(a)) < 0)
		snprintf(out, cap, "errno %d", errno);
	else {
		ssize_t k = recv(fd, r, sizeof(r), 0);
		if (k < 16)
			snprintf(out, cap, "no answer");
		else
			snprintf(out, cap, "address %d.%d.%d.%d by %s",
			    r[k - 4], r[k - 3], r[k - 2], r[k - 1], server);
	}
	close(fd);
}

static int
try(int family, int type, int protocol)
{
	int fd = socket(family, type, protocol);
	int err = fd < 0 ? errno : 0;

	if (fd >= 0)
		close(fd);
	return err;
}

static void
links(char *out, size_t cap)
{
	char line[256], name[32];
	FILE *f = fopen("/proc/net/dev", "re");
	size_t n = 0;

	while (f != NULL && fgets(line, sizeof(line), f) != NULL)
		if (sscanf(line, " %31[^: ]:", name) == 1 &&
		    strchr(line, ':') != NULL && n < cap)
			n += (size_t)snprintf(out + n, cap - n, "%s ", name);
	if (f != NULL)
		fclose(f);
}

static void
answer(const char *q, char *out, size_t cap)
{
	char word[128] = "";
	unsigned port = 0;

	snprintf(out, cap, "nothing tried");
	if (sscanf(q, "GET /tcp/%127[0-9.]/%u", word, &port) == 2)
		tcp(word, port, out, cap);
	else if (sscanf(q, "GET /dns/%127[a-z0-9.-]", word) == 1)
		dns(word, out, cap);
	else if (strncmp(q, "GET /links ", 11) == 0)
		links(out, cap);
	else if (strncmp(q, "GET /raw ", 9) == 0)
		snprintf(out, cap, "raw %d packet %d vsock %d netfilter %d",
		    try(AF_INET, SOCK_RAW, IPPROTO_RAW),
		    try(AF_PACKET, SOCK_RAW, 0), try(40, SOCK_STREAM, 0),
		    try(AF_NETLINK, SOCK_RAW, 12));
}

int
main(int argc, char **argv)
{
	struct sockaddr_in any = { .sin_family = AF_INET,
		.sin_port = htons(80) };
	const int one = 1;
	int l = socket(AF_INET, SOCK_STREAM, 0);

	(void)signal(SIGPIPE, SIG_IGN);
	setsockopt(l, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(l, (struct sockaddr *)&any, sizeof(any)) != 0 ||
	    listen(l, 16) != 0)
		return 1;
	for (;;) {
		char q[4096];
		char text[1024];
		char a[1200];
		int c = accept(l, NULL, NULL);
		ssize_t k = c >= 0 ? read(c, q, sizeof(q) - 1) : -1;

		if (c < 0)
			continue;
		q[k > 0 ? k : 0] = '\0';
		answer(q, text, sizeof(text));
		(void)snprintf(a, sizeof(a),
		    "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n%s; reach %s\n",
		    text, argc > 1 ? argv[1] : "");
		(void)!write(c, a, strlen(a));
		(void)close(c);
	}
}
