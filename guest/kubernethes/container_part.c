/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Several containers of one app, beside each other in one slot.
 *
 * The first is made as ever, with the slot's tmpfs; each further one has its
 * folders in that, so that one mount and one bound hold all trees. Each has
 * user, network and all other namespaces of its own: what one service may do
 * to another is what a stranger may do over a network.
 *
 * That network is a wire (veth) between each two of them, with the other's
 * address at its end and no route beyond. There is no bridge, nothing forwards
 * and nothing can be reached through a service that is not the service; and
 * as each has its own address, two may listen on the same port. Names are in
 * /etc/hosts, as nobody answers for names here. Eight services have 28 wires.
 */
#include "guest/kubernethes/container_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/own.h"
#include "base/wr.h"
#include "guest/init/cgroup.h"
#include "guest/init/netlink.h"

enum dstack_status
container_make_part(struct container *c, const struct container *first,
    unsigned part, int egress, struct why *why)
{
	static const char *const folders[] = { "root", "run", "host",
		"newroot" };
	char up[sizeof(c->dir)];
	container_init(c, first->slot);
	c->part = part;
	c->egress = egress;
	(void)snprintf(up, sizeof(up), CONTAINER_BASE "/%u/parts", c->slot);
	(void)snprintf(c->dir, sizeof(c->dir), CONTAINER_BASE "/%u/parts/%u",
	    c->slot, part);
	/* as told, whatever this role's umask: the runtime passes through */
	bool ok = (mkdir(up, 0711) == 0 || errno == EEXIST) &&
	    mkdir(c->dir, 0711) == 0 && chmod(up, 0711) == 0 &&
	    chmod(c->dir, 0711) == 0;
	c->dirfd = ok ? open(c->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
	ok = c->dirfd >= 0;
	for (size_t i = 0; ok && i < 4; i++)
		ok = mkdirat(c->dirfd, folders[i], 0700) == 0 &&
		    (i == 3 || fchmodat(c->dirfd, folders[i], 0755, 0) == 0);
	ok = ok &&
	    container_write_its(c->dirfd, "hostname", "dstack-app\n") ==
		DSTACK_OK &&
	    container_resolver(c) == DSTACK_OK;
	if (!ok)
		return why_set(why, DSTACK_E_SYS, "container %u: %s: %s",
		    container_place(c), c->dir, strerror(errno));
	enum dstack_status st =
	    container_namespaces(&c->userns, &c->netns, why);
	if (st == DSTACK_OK)
		st = container_link(c, why);
	if (st != DSTACK_OK)
		container_drop(c);
	return st;
}

/* The end of a wire in a, whose other end is in b. */
static enum dstack_status
wire_end(const struct container *a, const struct container *b, int nl,
    const char *name, struct why *why)
{
	const uint8_t ip[4] = { 10, 88, (uint8_t)container_place(a), 2 };
	const uint8_t peer[4] = { 10, 88, (uint8_t)container_place(b), 2 };
	enum dstack_status st = nl_no_ipv6(a->netns, name, why);
	if (st == DSTACK_OK)
		st = nl_addr_peer(nl, name, ip, peer, why);
	return st == DSTACK_OK ? nl_link_up(nl, name, why) : st;
}

static enum dstack_status
wire(const struct container *a, const struct container *b, struct why *why)
{
	char here[16];
	char there[16];
	AUTO_CLOSE int na = -1;
	AUTO_CLOSE int nb = -1;
	(void)snprintf(here, sizeof(here), "to%u", b->part);
	(void)snprintf(there, sizeof(there), "to%u", a->part);
	enum dstack_status st = nl_open_in(a->netns, &na, why);
	if (st == DSTACK_OK)
		st = nl_open_in(b->netns, &nb, why);
	/* made from within: a wire that is half there is in no one's way */
	if (st == DSTACK_OK)
		st = nl_veth_add(na, here, there, b->netns, why);
	if (st == DSTACK_OK)
		st = wire_end(a, b, na, here, why);
	if (st == DSTACK_OK)
		st = wire_end(b, a, nb, there, why);
	return st;
}

/* Its own name is its address too, as in Docker. */
static enum dstack_status
hosts(const struct container *c, struct container *const *all, size_t n,
    struct why *why)
{
	AUTO_WR struct wr w = wr_new(0);
	wr_fmt(&w, "127.0.0.1 localhost dstack-app\n10.88.%u.1 dstack-guest\n",
	    container_place(c));
	for (size_t i = 0; i < n; i++)
		wr_fmt(&w, "10.88.%u.2 %s\n", container_place(all[i]),
		    all[i]->service->name);
	wr_u8(&w, 0);
	if (wr_status(&w) != DSTACK_OK)
		return why_set(why, DSTACK_E_NOMEM, "no memory");
	return container_write_its(c->dirfd, "hosts", (const char *)w.buf) ==
		DSTACK_OK
	    ? DSTACK_OK
	    : why_set(why, DSTACK_E_SYS, "container %u: hosts: %s",
		  container_place(c), strerror(errno));
}

enum dstack_status
container_wire(struct container *const *c, size_t n, struct why *why)
{
	enum dstack_status st = DSTACK_OK;
	for (size_t i = 0; st == DSTACK_OK && i < n; i++) {
		for (size_t k = i + 1; st == DSTACK_OK && k < n; k++)
			st = wire(c[i], c[k], why);
		if (st == DSTACK_OK)
			st = hosts(c[i], c, n, why);
	}
	return st;
}

enum dstack_status
container_bound_parts(
    struct container *const *c, size_t n, uint64_t free, struct why *why)
{
	const uint64_t all = cgroup_bytes(free);
	enum dstack_status st = DSTACK_OK;
	if (!cgroup_there(CGROUP_ROOT))
		return DSTACK_OK;
	for (size_t i = 0; st == DSTACK_OK && i < n; i++) {
		const uint64_t own = c[i]->service->mem_limit;
		st = cgroup_part(CGROUP_ROOT, c[i]->slot, c[i]->part,
		    own != 0 && own < all ? own : all, why);
		c[i]->own_group = st == DSTACK_OK;
	}
	return st;
}
