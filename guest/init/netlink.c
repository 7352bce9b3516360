/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Links, addresses and routes by rtnetlink (rtnetlink(7)), as far as init and
 * kubernethes need them: no shell, no ip(8), no library. One request at a time
 * on a socket of its own; the kernel's answer is waited for, and its errno is
 * the reason. Names come from our own code.
 */
#include "guest/init/netlink.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>

#include "base/own.h"

/* One request: header, family header, attributes. All of ours are small. */
struct msg {
	union {
		struct nlmsghdr h;
		unsigned char b[512];
	} u;
};

static void *
msg_start(struct msg *m, uint16_t type, uint16_t flags, size_t body)
{
	memset(m, 0, sizeof(*m));
	m->u.h.nlmsg_len = (uint32_t)NLMSG_LENGTH(body);
	m->u.h.nlmsg_type = type;
	m->u.h.nlmsg_flags = (uint16_t)(NLM_F_REQUEST | NLM_F_ACK | flags);
	return NLMSG_DATA(&m->u.h);
}

/* Append one attribute; returns its offset for nest_end. */
static size_t
msg_attr(struct msg *m, uint16_t type, const void *p, size_t n)
{
	size_t at = NLMSG_ALIGN(m->u.h.nlmsg_len);
	struct rtattr a = { .rta_len = (unsigned short)RTA_LENGTH(n),
		.rta_type = type };
	if (at + RTA_SPACE(n) > sizeof(m->u.b))
		return at; /* cannot be: names are at most IFNAMSIZ */
	memcpy(m->u.b + at, &a, sizeof(a));
	if (n != 0)
		memcpy(m->u.b + at + RTA_LENGTH(0), p, n);
	m->u.h.nlmsg_len = (uint32_t)(at + RTA_LENGTH(n));
	return at;
}

static void
nest_end(struct msg *m, size_t at)
{
	unsigned short len = (unsigned short)(m->u.h.nlmsg_len - at);
	memcpy(m->u.b + at, &len, sizeof(len)); /* rta_len is first */
}

static void
msg_name(struct msg *m, const char *name)
{
	msg_attr(m, IFLA_IFNAME, name, strnlen(name, IFNAMSIZ - 1) + 1);
}

/*
 * Send and wait for the kernel's answer: 0 or an errno. index, if asked
 * for, is taken from an RTM_NEWLINK answer.
 */
static int
talk(int nl, struct msg *m, int *index)
{
	const struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
	if (sendto(nl, m->u.b, m->u.h.nlmsg_len, 0,
		(const struct sockaddr *)&kernel, sizeof(kernel)) < 0)
		return errno;
	for (;;) {
		union {
			struct nlmsghdr h;
			unsigned char b[16384];
		} in;
		ssize_t got = recv(nl, in.b, sizeof(in.b), 0);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return errno;
		size_t left = (size_t)got;
		for (struct nlmsghdr *h = &in.h; NLMSG_OK(h, left);
		     h = NLMSG_NEXT(h, left)) {
			if (h->nlmsg_type == RTM_NEWLINK && index != NULL) {
				struct ifinfomsg ii;
				memcpy(&ii, NLMSG_DATA(h), sizeof(ii));
				*index = ii.ifi_index;
			} else if (h->nlmsg_type == NLMSG_ERROR) {
				struct nlmsgerr e;
				memcpy(&e, NLMSG_DATA(h), sizeof(e));
				return -e.error;
			}
		}
	}
}

static enum dstack_status
result(int err, const char *what, const char *name, struct why *why)
{
	if (err == 0)
		return DSTACK_OK;
	errno = err;
	return why_set(why, DSTACK_E_SYS, "network link %s: %s: %s", name, what,
	    strerror(err));
}

enum dstack_status
nl_open(int *nl, struct why *why)
{
	AUTO_CLOSE int fd =
	    socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	if (fd < 0)
		return why_set(why, DSTACK_E_SYS, "netlink socket: %s",
		    strerror(errno));
	/*
	 * The kernel answers at once; a bound all the same, since init waits
	 * here.
	 */
	const struct timeval tv = { .tv_sec = 5 };
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
	*nl = take_fd(&fd);
	return DSTACK_OK;
}

/* A socket belongs to the namespace it was made in: enter, open, come back. */
enum dstack_status
nl_open_in(int ns, int *nl, struct why *why)
{
	AUTO_CLOSE int home = open("/proc/thread-self/ns/net",
	    O_RDONLY | O_CLOEXEC);
	if (home < 0 || setns(ns, CLONE_NEWNET) != 0)
		return why_set(why, DSTACK_E_SYS,
		    "entering a network namespace: %s", strerror(errno));
	enum dstack_status st = nl_open(nl, why);
	if (setns(home, CLONE_NEWNET) != 0)
		return why_set(why, DSTACK_E_SYS,
		    "leaving a network namespace: %s", strerror(errno));
	return st;
}

/* /proc/sys/net shows the settings of the namespace that one is in. */
static void
no_ipv6(const char *name)
{
	char path[80];

	(void)snprintf(path, sizeof(path),
	    "/proc/sys/net/ipv6/conf/%s/disable_ipv6", name);
	AUTO_CLOSE int fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd >= 0)
		(void)!write(fd, "1", 1);
}

enum dstack_status
nl_no_ipv6(int ns, const char *name, struct why *why)
{
	if (ns < 0) {
		no_ipv6(name);
		return DSTACK_OK;
	}
	AUTO_CLOSE int home =
	    open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
	if (home < 0 || setns(ns, CLONE_NEWNET) != 0)
		return why_set(why, DSTACK_E_SYS,
		    "entering a network namespace: %s", strerror(errno));
	no_ipv6(name);
	return setns(home, CLONE_NEWNET) == 0
	    ? DSTACK_OK
	    : why_set(why, DSTACK_E_SYS, "leaving a network namespace: %s",
		  strerror(errno));
}

enum dstack_status
nl_link_index(int nl, const char *name, int *index, struct why *why)
{
	struct msg m;
	int found = 0;
	msg_start(&m, RTM_GETLINK, 0, sizeof(struct ifinfomsg));
	msg_name(&m, name);
	int err = talk(nl, &m, &found);
	if (err == ENODEV || (err == 0 && found == 0))
		return why_set(why, DSTACK_E_MISSING,
		    "network link %s: there is none", name);
	if (err == 0)
		*index = found;
	return result(err, "asking for it", name, why);
}

enum dstack_status
nl_link_up(int nl, const char *name, struct why *why)
{
	struct msg m;
	struct ifinfomsg *ii =
	    msg_start(&m, RTM_NEWLINK, 0, sizeof(struct ifinfomsg));
	ii->ifi_flags = IFF_UP;
	ii->ifi_change = IFF_UP;
	msg_name(&m, name);
	return result(talk(nl, &m, NULL), "up", name, why);
}

enum dstack_status
nl_link_del(int nl, const char *name, struct why *why)
{
	struct msg m;
	msg_start(&m, RTM_DELLINK, 0, sizeof(struct ifinfomsg));
	msg_name(&m, name);
	int err = talk(nl, &m, NULL);
	/* Gone is what was wanted. */
	return result(err == ENODEV ? 0 : err, "delete", name, why);
}

enum dstack_status
nl_veth_add(
    int nl, const char *name, const char *peer, int ns, struct why *why)
{
	struct msg m;
	const struct ifinfomsg none = { 0 };
	msg_start(&m, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL,
	    sizeof(struct ifinfomsg));
	msg_name(&m, name);
	size_t info = msg_attr(&m, IFLA_LINKINFO, NULL, 0);
	msg_attr(&m, IFLA_INFO_KIND, "veth", 4);
	size_t data = msg_attr(&m, IFLA_INFO_DATA, NULL, 0);
	size_t other = msg_attr(&m, VETH_INFO_PEER, &none, sizeof(none));
	msg_name(&m, peer);
	if (ns >= 0)
		msg_attr(&m, IFLA_NET_NS_FD, &ns, sizeof(ns));
	nest_end(&m, other);
	nest_end(&m, data);
	nest_end(&m, info);
	return result(talk(nl, &m, NULL), "add veth", name, why);
}

enum dstack_status
nl_link_move(int nl, const char *name, int ns, struct why *why)
{
	struct msg m;
	msg_start(&m, RTM_NEWLINK, 0, sizeof(struct ifinfomsg));
	msg_name(&m, name);
	msg_attr(&m, IFLA_NET_NS_FD, &ns, sizeof(ns));
	return result(talk(nl, &m, NULL), "move", name, why);
}

static enum dstack_status
address(int nl, const char *name, const uint8_t ip[static 4],
    const uint8_t peer[static 4], unsigned prefix, struct why *why)
{
	int index = 0;
	enum dstack_status st = nl_link_index(nl, name, &index, why);
	if (st != DSTACK_OK)
		return st;
	struct msg m;
	struct ifaddrmsg *ia = msg_start(&m, RTM_NEWADDR,
	    NLM_F_CREATE | NLM_F_EXCL, sizeof(struct ifaddrmsg));
	ia->ifa_family = AF_INET;
	ia->ifa_prefixlen = (unsigned char)prefix;
	ia->ifa_index = (unsigned)index;
	msg_attr(&m, IFA_LOCAL, ip, 4);
	msg_attr(&m, IFA_ADDRESS, peer, 4);
	int err = talk(nl, &m, NULL);
	return result(err == EEXIST ? 0 : err, "address", name, why);
}

static void
route(struct msg *m, unsigned char type, unsigned prefix)
{
	struct rtmsg *rt = msg_start(m, RTM_NEWROUTE,
	    NLM_F_CREATE | NLM_F_EXCL, sizeof(struct rtmsg));

	rt->rtm_family = AF_INET;
	rt->rtm_dst_len = (unsigned char)prefix;
	rt->rtm_table = RT_TABLE_MAIN;
	rt->rtm_protocol = RTPROT_BOOT;
	rt->rtm_scope = RT_SCOPE_UNIVERSE;
	rt->rtm_type = type;
}

enum dstack_status
nl_addr_add(int nl, const char *name, const uint8_t ip[static 4],
    unsigned prefix, struct why *why)
{
	return address(nl, name, ip, ip, prefix, why);
}

enum dstack_status
nl_addr_peer(int nl, const char *name, const uint8_t ip[static 4],
    const uint8_t peer[static 4], struct why *why)
{
	return address(nl, name, ip, peer, 32, why);
}

enum dstack_status
nl_route_default(int nl, const uint8_t gw[static 4], struct why *why)
{
	struct msg m;

	route(&m, RTN_UNICAST, 0);
	msg_attr(&m, RTA_GATEWAY, gw, 4);
	int err = talk(nl, &m, NULL);
	return result(err == EEXIST ? 0 : err, "route", "default", why);
}

enum dstack_status
nl_route_unreachable(int nl, const uint8_t net[static 4], unsigned prefix,
    struct why *why)
{
	struct msg m;

	route(&m, RTN_UNREACHABLE, prefix);
	msg_attr(&m, RTA_DST, net, 4);
	int err = talk(nl, &m, NULL);
	return result(err == EEXIST ? 0 : err, "route", "unreachable", why);
}
