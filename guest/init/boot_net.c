/* SPDX-License-Identifier: Apache-2.0 */
/* The guest's address, its two listeners, and the way out for apps. */
#include "guest/init/boot.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "base/own.h"
#include "guest/init/egress.h"
#include "guest/init/netlink.h"

#define NIC_WAIT_MS 5000
#define STEP_MS 5

static enum dstack_status
wait_link(int nl, const char *name, struct why *why)
{
	const struct timespec step = { .tv_nsec = STEP_MS * 1000000L };
	enum dstack_status st;
	int index;

	/* The driver probes beside us; mostly the device is there at once. */
	for (int t = 0;; t += STEP_MS) {
		st = nl_link_index(nl, name, &index, why);
		if (st == DSTACK_OK || t >= NIC_WAIT_MS)
			return st;
		(void)nanosleep(&step, NULL);
	}
}

enum dstack_status
boot_network(struct why *why)
{
	static const uint8_t ip[4] = { 10, 0, 2, 15 }, gw[4] = { 10, 0, 2, 2 };
	AUTO_CLOSE int nl = -1;
	enum dstack_status st = nl_open(&nl, why);

	if (st == DSTACK_OK)
		st = nl_link_up(nl, "lo", why);
	if (st == DSTACK_OK)
		st = wait_link(nl, BOOT_NIC, why);
	if (st == DSTACK_OK)
		st = nl_addr_add(nl, BOOT_NIC, ip, 24, why);
	if (st == DSTACK_OK)
		st = nl_link_up(nl, BOOT_NIC, why);
	if (st == DSTACK_OK)
		st = nl_route_default(nl, gw, why);
	return st;
}

/* What a host gives here may be any device: no boot ends for it. */
int
boot_egress(void)
{
	struct why why = { "" };
	AUTO_CLOSE int nl = -1;
	int ns = -1;

	if (access(EGRESS_DEVICE, F_OK) != 0)
		return -1;
	enum dstack_status st = nl_open(&nl, &why);
	if (st == DSTACK_OK)
		st = wait_link(nl, EGRESS_NIC, &why);
	if (st == DSTACK_OK)
		st = egress_make(&ns, &why);
	if (st != DSTACK_OK)
		log_line("no way out for apps: %s", why.text);
	return ns;
}

enum dstack_status
boot_listen(const char *address, const char *nic, int *out, struct why *why)
{
	struct sockaddr_in sa = { .sin_family = AF_INET };
	const char *colon = strchr(address, ':');
	char host[16], *end = NULL;
	const int one = 1;

	*out = -1;
	if (colon == NULL || (size_t)(colon - address) >= sizeof(host))
		return why_set(why, DSTACK_E_FORMAT,
		    "'%s' is not a.b.c.d:port", address);
	memcpy(host, address, (size_t)(colon - address));
	host[colon - address] = '\0';
	unsigned long port = strtoul(colon + 1, &end, 10);
	if (inet_pton(AF_INET, host, &sa.sin_addr) != 1 || *end != '\0' ||
	    end == colon + 1 || port == 0 || port > 65535)
		return why_set(why, DSTACK_E_FORMAT,
		    "'%s' is not a.b.c.d:port", address);
	sa.sin_port = htons((uint16_t)port);
	AUTO_CLOSE int fd = socket(AF_INET,
	    SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) != 0 ||
	    (nic != NULL &&
		setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, nic,
		    (socklen_t)strlen(nic)) != 0) ||
	    bind(fd, (struct sockaddr *)(void *)&sa, sizeof(sa)) != 0 ||
	    listen(fd, 1024) != 0) /* for a crowd that comes at once */
		return why_set(why, DSTACK_E_SYS, "listen on %s: %s", address,
		    strerror(errno));
	*out = take_fd(&fd);
	return DSTACK_OK;
}
