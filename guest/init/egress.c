/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The namespace of the way out, made before any role runs.
 *
 * What is at its far end is the host's, what comes from the near end is an
 * app's: neither is believed. Two things hold them apart from the rest. The
 * first is where this is: the guest's planes, its link to the host and the
 * other slot's app plane are links of another namespace, which forwards
 * nothing, and between the two there is no link. The second are the rules. In
 * order, for a packet of an app's: is it a question to the resolver; is its
 * target a network that is nobody's on the Internet (the operator's LAN, the
 * machine QEMU runs on, a cloud's metadata); is it of the container's address,
 * and TCP, UDP or ICMP. From outside come answers alone. What no rule lets through is dropped.
 *
 * Closed networks also have an unreachable route, so that an app that asks for
 * one is told so at once and need not wait for a timeout.
 *
 * What can go wrong is a kernel that refuses a step: then there is no way out
 * (the caller says so), and nothing of a half-made one, since the namespace
 * ends with its descriptor.
 */
#include "guest/init/egress.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h> /* before the kernel's, which step back for it */
#include <linux/netfilter.h>
#include <linux/netfilter_ipv4.h>
#include <linux/nsfs.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>

#include "base/own.h"
#include "guest/init/boot.h"
#include "guest/init/netlink.h"
#include "guest/init/nft.h"

/* QEMU's second user network (host/vm/argv.c). */
static const uint8_t self[4] = { 10, 0, 3, 15 }; /* this VM */
static const uint8_t gateway[4] = { 10, 0, 3, 2 };
static const uint8_t resolver[4] = { 10, 0, 3, 3 }; /* EGRESS_RESOLVER */

/*
 * Networks that are not of the Internet (RFC 6890 and IANA's registry of
 * special addresses), as far as packets to them could arrive somewhere. The
 * user network's own are among the first: QEMU takes each of its addresses
 * for the loopback of the machine it runs on.
 */
static const struct {
	uint8_t ip[4];
	uint8_t bits;
	bool route; /* may have an unreachable route */
} closed[] = {
	{ { 10, 0, 0, 0 }, 8, true },      /* RFC 1918 */
	{ { 172, 16, 0, 0 }, 12, true },   /* RFC 1918 */
	{ { 192, 168, 0, 0 }, 16, true },  /* RFC 1918 */
	{ { 169, 254, 0, 0 }, 16, true },  /* link-local; metadata of clouds */
	{ { 100, 64, 0, 0 }, 10, true },   /* RFC 6598, a provider's own */
	{ { 192, 0, 0, 0 }, 24, true },    /* IETF protocols */
	{ { 198, 18, 0, 0 }, 15, true },   /* benchmarks */
	{ { 0, 0, 0, 0 }, 8, false },      /* "this network" */
	{ { 127, 0, 0, 0 }, 8, false },    /* loopback */
	{ { 224, 0, 0, 0 }, 4, false },    /* multicast */
	{ { 240, 0, 0, 0 }, 4, false },    /* reserved, broadcast */
};
#define DNS_PORT 53
#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static void
link_name(char out[static 16], unsigned place)
{
	(void)snprintf(out, 16, "out%u", place);
}

/* --- rules --------------------------------------------------------------- */

/* From this container, in its own name, to outside; the rest is to follow. */
static void
outward(struct nft *n, unsigned place)
{
	const uint8_t app[4] = { 10, 89, (uint8_t)place, 2 };
	char name[16];

	link_name(name, place);
	nft_rule(n, "forward");
	nft_from(n, name);
	nft_to(n, EGRESS_NIC);
	nft_source(n, app, 32);
}

/*
 * Names are asked of QEMU's forwarder, which asks the operator's resolver, and
 * of nothing else at its address, which stands for a machine of the operator's.
 * The guest has no resolver of its own in between: its answers would be the
 * host's word all the same, and reading them would be one more parser of the
 * host's bytes in the guest. This way none of them is read outside of the app.
 */
static void
names(struct nft *n)
{
	static const uint8_t protocols[] = { IPPROTO_UDP, IPPROTO_TCP };

	for (unsigned s = 0; s < EGRESS_PLACES; s++)
		for (size_t i = 0; i < COUNT(protocols); i++) {
			outward(n, s);
			nft_target(n, resolver, 32);
			nft_protocol(n, protocols[i]);
			nft_port(n, DNS_PORT);
			nft_accept(n);
		}
}

static void
forwarding(struct nft *n)
{
	static const uint8_t protocols[] = { IPPROTO_TCP, IPPROTO_UDP,
		IPPROTO_ICMP };

	nft_chain(n, "forward", "filter", NF_INET_FORWARD,
	    NF_IP_PRI_FILTER, true);
	names(n); /* its address is of a closed network */
	for (size_t i = 0; i < COUNT(closed); i++) {
		nft_rule(n, "forward");
		nft_to(n, EGRESS_NIC);
		nft_target(n, closed[i].ip, closed[i].bits);
		nft_drop(n);
	}
	for (unsigned s = 0; s < EGRESS_PLACES; s++) {
		char name[16];

		for (size_t i = 0; i < COUNT(protocols); i++) {
			outward(n, s);
			nft_protocol(n, protocols[i]);
			nft_accept(n);
		}
		link_name(name, s);
		nft_rule(n, "forward");
		nft_from(n, EGRESS_NIC);
		nft_to(n, name);
		nft_answers(n);
		nft_accept(n);
	}
}

/*
 * The namespace itself speaks to nobody but its apps, which it tells what
 * cannot be reached; and nobody speaks to it.
 */
static void
itself(struct nft *n)
{
	nft_chain(n, "input", "filter", NF_INET_LOCAL_IN, NF_IP_PRI_FILTER,
	    true);
	nft_chain(n, "output", "filter", NF_INET_LOCAL_OUT, NF_IP_PRI_FILTER,
	    true);
	for (unsigned s = 0; s < EGRESS_PLACES; s++) {
		char name[16];

		link_name(name, s);
		nft_rule(n, "output");
		nft_to(n, name);
		nft_protocol(n, IPPROTO_ICMP);
		nft_accept(n);
	}
}

/* Opens its socket in the namespace that the caller is in. */
static enum dstack_status
rules(struct why *why)
{
	struct nft n;
	AUTO_CLOSE int fd = -1;
	enum dstack_status st = nft_open(&fd, why);

	if (st != DSTACK_OK)
		return st;
	nft_begin(&n, "way-out");
	forwarding(&n);
	itself(&n);
	nft_chain(&n, "source", "nat", NF_INET_POST_ROUTING,
	    NF_IP_PRI_NAT_SRC, false);
	nft_rule(&n, "source");
	nft_to(&n, EGRESS_NIC);
	nft_masquerade(&n);
	st = nft_commit(&n, fd, why);
	nft_free(&n);
	return st;
}

/* --- the namespace ------------------------------------------------------- */

static void
settings(void)
{
	static const char *const s[][2] = {
		/* first: it resets those after it */
		{ "ipv4/ip_forward", "1" },
		{ "ipv6/conf/all/disable_ipv6", "1" },
		{ "ipv6/conf/default/disable_ipv6", "1" },
		{ "ipv4/conf/all/accept_redirects", "0" },
		{ "ipv4/conf/default/accept_redirects", "0" },
		{ "ipv4/conf/all/send_redirects", "0" },
		{ "ipv4/conf/default/send_redirects", "0" },
		{ "ipv4/conf/all/accept_source_route", "0" },
		{ "ipv4/conf/all/rp_filter", "1" },
		/* 2 h 4 min, RFC 5382, 5: not the five days that Linux has */
		{ "netfilter/nf_conntrack_tcp_timeout_established", "7440" },
	};
	char path[96];

	for (size_t i = 0; i < COUNT(s); i++) {
		(void)snprintf(path, sizeof(path), "/proc/sys/net/%s", s[i][0]);
		(void)boot_write(path, s[i][1]);
	}
}

static enum dstack_status
addresses(int nl, struct why *why)
{
	enum dstack_status st = nl_addr_add(nl, EGRESS_NIC, self, 24, why);

	if (st == DSTACK_OK)
		st = nl_link_up(nl, EGRESS_NIC, why);
	if (st == DSTACK_OK)
		st = nl_route_default(nl, gateway, why);
	for (size_t i = 0; i < COUNT(closed) && st == DSTACK_OK; i++)
		if (closed[i].route)
			st = nl_route_unreachable(
			    nl, closed[i].ip, closed[i].bits, why);
	return st;
}

/* In the new namespace: rules before the device is there to be ruled. */
static enum dstack_status
inside(int home, int *ns, struct why *why)
{
	AUTO_CLOSE int fd =
	    open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
	enum dstack_status st = DSTACK_OK;

	if (fd < 0)
		st = why_set(why, DSTACK_E_SYS, "network namespace: %s",
		    strerror(errno));
	settings();
	if (st == DSTACK_OK)
		st = rules(why);
	if (setns(home, CLONE_NEWNET) != 0)
		return why_set(why, DSTACK_E_SYS,
		    "leaving a network namespace: %s", strerror(errno));
	if (st == DSTACK_OK)
		*ns = take_fd(&fd);
	return st;
}

enum dstack_status
egress_make(int *ns, struct why *why)
{
	AUTO_CLOSE int home =
	    open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
	AUTO_CLOSE int made = -1;
	AUTO_CLOSE int here = -1;
	AUTO_CLOSE int there = -1;

	/*
	 * For all namespaces: what the kernel remembers of connections is
	 * memory of no app's group, some 300 bytes each.
	 */
	(void)boot_write("/proc/sys/net/netfilter/nf_conntrack_max", "8192");
	enum dstack_status st = nl_open(&here, why);
	if (st != DSTACK_OK)
		return st;
	if (home < 0 || unshare(CLONE_NEWNET) != 0)
		return why_set(why, DSTACK_E_SYS, "network namespace: %s",
		    strerror(errno));
	st = inside(home, &made, why);
	if (st == DSTACK_OK)
		st = nl_link_move(here, EGRESS_NIC, made, why);
	if (st == DSTACK_OK)
		st = nl_open_in(made, &there, why);
	if (st == DSTACK_OK)
		st = addresses(there, why);
	if (st == DSTACK_OK)
		*ns = take_fd(&made);
	return st;
}

bool
egress_is(int fd)
{
	return ioctl(fd, NS_GET_NSTYPE) == CLONE_NEWNET;
}

/* --- a container --------------------------------------------------------- */

enum dstack_status
egress_join(int ns, int app, unsigned place, struct why *why)
{
	const uint8_t near[4] = { 10, 89, (uint8_t)place, 1 };
	const uint8_t far[4] = { 10, 89, (uint8_t)place, 2 };
	AUTO_CLOSE int out = -1;
	AUTO_CLOSE int in = -1;
	char name[16];

	link_name(name, place);
	enum dstack_status st = nl_open_in(ns, &out, why);
	if (st == DSTACK_OK)
		st = nl_open_in(app, &in, why);
	if (st == DSTACK_OK)
		st = nl_link_del(out, name, why);
	if (st == DSTACK_OK)
		st = nl_veth_add(out, name, EGRESS_NIC, app, why);
	if (st == DSTACK_OK)
		st = nl_no_ipv6(app, EGRESS_NIC, why);
	if (st == DSTACK_OK)
		st = nl_addr_add(out, name, near, 30, why);
	if (st == DSTACK_OK)
		st = nl_link_up(out, name, why);
	if (st == DSTACK_OK)
		st = nl_addr_add(in, EGRESS_NIC, far, 30, why);
	if (st == DSTACK_OK)
		st = nl_link_up(in, EGRESS_NIC, why);
	if (st == DSTACK_OK)
		st = nl_route_default(in, near, why);
	return st;
}

void
egress_leave(int ns, unsigned place)
{
	AUTO_CLOSE int nl = -1;
	char name[16];

	link_name(name, place);
	/* the next one's join says so if it cannot go */
	if (nl_open_in(ns, &nl, NULL) == DSTACK_OK)
		(void)!nl_link_del(nl, name, NULL);
}
