/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fakehost SOCKET NETCFG: the host's end of the link for boot tests. Serves
 * the netcfg file and answers 404 to everything else, until it is killed.
 */
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/own.h"
#include "protocol/link.h"

static bool
full(int fd, void *p, size_t n)
{
	uint8_t *b = p;

	while (n > 0) {
		ssize_t k = read(fd, b, n);
		if (k <= 0)
			return false;
		b += k;
		n -= (size_t)k;
	}
	return true;
}

static bool
one(int fd, const void *netcfg, size_t len)
{
	static uint8_t rest[LINK_MAX_REST];
	uint8_t head[LINK_HEAD];
	struct link_frame f;
	size_t n;
	AUTO_WR struct wr w = wr_new(0), body = wr_new(0);

	if (!full(fd, head, sizeof(head)) || link_rest(head, &n) != DSTACK_OK ||
	    !full(fd, rest, n) || link_decode(rest, n, &f) != DSTACK_OK)
		return false;
	if (strncmp(f.path, "/file/netcfg/", 13) == 0) {
		wr_u64be(&body, len);
		wr_put(&body, netcfg, len);
		link_put_answer(&w, f.id, 200, body.buf, body.len);
	} else {
		link_put_answer(&w, f.id, 404, "no", 2);
	}
	return write(fd, w.buf, w.len) == (ssize_t)w.len;
}

int
main(int argc, char **argv)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	char netcfg[4096];

	if (argc != 3 || strlen(argv[1]) >= sizeof(sa.sun_path))
		return 2;
	FILE *f = fopen(argv[2], "rb");
	if (f == NULL)
		return 1;
	size_t len = fread(netcfg, 1, sizeof(netcfg), f);
	(void)fclose(f);
	memcpy(sa.sun_path, argv[1], strlen(argv[1]) + 1);
	(void)unlink(argv[1]);
	int s = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (s < 0 || bind(s, (struct sockaddr *)(void *)&sa, sizeof(sa)) != 0 ||
	    listen(s, 4) != 0)
		return 1;
	for (;;) {
		int c = accept(s, NULL, NULL);
		if (c < 0)
			return 1;
		while (one(c, netcfg, len))
			;
		(void)close(c);
	}
}
