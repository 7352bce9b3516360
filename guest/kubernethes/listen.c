/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where does an app listen that does not answer?
 *
 * Two mistakes are made again and again: a server that listens on 127.0.0.1,
 * where nobody outside of its container gets to, and one on another port than
 * the image EXPOSEs. Both look like a slow start until the time is over. The
 * kernel lists the sockets of the container's network, so they can be told at
 * once (Linux, Documentation/networking/proc_net_tcp.rst: a line a socket,
 * "sl: ADDRESS:PORT REMOTE STATE", hex, the address in words of this machine's
 * byte order; state 0A listens).
 */
#include "guest/kubernethes/listen.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/own.h"

#define TABLE_MAX 65536 /* of one kind; what an app opens beyond is not seen */

/* Is that the loopback: 127.0.0.0/8, or ::1? */
static bool
loopback(const char *address)
{
	if (strlen(address) == 8)
		return strcmp(address + 6, "7F") == 0;
	return strcmp(address, "00000000000000000000000001000000") == 0 ||
	    (strncmp(address, "0000000000000000FFFF0000", 24) == 0 &&
		strcmp(address + 30, "7F") == 0);
}

bool
listen_has(const uint16_t *ports, size_t n, uint16_t port)
{
	for (size_t i = 0; i < n; i++)
		if (ports[i] == port)
			return true;
	return false;
}

static void
add(uint16_t *ports, size_t *n, uint16_t port)
{
	if (*n < LISTENS_MAX && !listen_has(ports, *n, port))
		ports[(*n)++] = port;
}

void
listen_read(const char *table, struct listens *l)
{
	for (const char *p = strchr(table, '\n'); p != NULL;
	     p = strchr(p + 1, '\n')) {
		char address[33];
		unsigned at = 0;
		unsigned state = 0;
		if (sscanf(p + 1, " %*u: %32[0-9A-F]:%4x %*[0-9A-F]:%*4x %2x",
			address, &at, &state) != 3 || state != 0x0a)
			continue;
		if (loopback(address))
			add(l->local, &l->nlocal, (uint16_t)at);
		else
			add(l->open, &l->nopen, (uint16_t)at);
	}
}

void
listen_look(pid_t pid, struct listens *l)
{
	static const char *const kinds[] = { "tcp", "tcp6" };
	AUTO_FREE char *text = malloc(TABLE_MAX);
	*l = (struct listens){ 0 };
	for (size_t i = 0; i < 2 && text != NULL; i++) {
		char path[48];
		size_t n = 0;
		ssize_t got = 0;
		(void)snprintf(path, sizeof(path), "/proc/%d/net/%s", (int)pid,
		    kinds[i]);
		AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
		while (fd >= 0 && n < TABLE_MAX - 1 &&
		    (got = read(fd, text + n, TABLE_MAX - 1 - n)) > 0)
			n += (size_t)got;
		text[n] = '\0';
		listen_read(text, l);
	}
}
