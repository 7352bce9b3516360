/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The few rtnetlink requests the guest needs (rtnetlink(7)): links, IPv4
 * addresses, routes, veth pairs. A socket belongs to the network namespace
 * it was opened in for ever, so that another namespace is set up by
 * opening a socket in it. Every failure is DSTACK_E_SYS with errno and a
 * reason that names the link.
 */
#ifndef GUEST_NETLINK_H
#define GUEST_NETLINK_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

/* Socket of the namespace the caller is in; the caller closes it. */
DSTACK_CHECKED enum dstack_status nl_open(int *nl, struct why *why);
/*
 * Socket of the namespace that descriptor ns names. The calling thread is
 * moved there and back; CAP_SYS_ADMIN.
 */
DSTACK_CHECKED enum dstack_status nl_open_in(
    int ns, int *nl, struct why *why);

/*
 * A link without IPv6, in the namespace ns (-1: the caller's own; else as of
 * nl_open_in). A kernel that has no IPv6 has nothing to switch off.
 */
DSTACK_CHECKED enum dstack_status nl_no_ipv6(
    int ns, const char *name, struct why *why);

/* Index of a link; DSTACK_E_MISSING: there is none of that name. */
DSTACK_CHECKED enum dstack_status nl_link_index(
    int nl, const char *name, int *index, struct why *why);
DSTACK_CHECKED enum dstack_status nl_link_up(
    int nl, const char *name, struct why *why);
/* Delete a link (both ends of a veth); that there is none is no error. */
DSTACK_CHECKED enum dstack_status nl_link_del(
    int nl, const char *name, struct why *why);
/* Pair of Ethernet links: name here, peer in namespace ns (-1: here too). */
DSTACK_CHECKED enum dstack_status nl_veth_add(
    int nl, const char *name, const char *peer, int ns, struct why *why);
/* Move a link into namespace ns, keeping its name. */
DSTACK_CHECKED enum dstack_status nl_link_move(
    int nl, const char *name, int ns, struct why *why);
/* ip: four bytes as written; that the address is there is no error. */
DSTACK_CHECKED enum dstack_status nl_addr_add(int nl, const char *name,
    const uint8_t ip[static 4], unsigned prefix, struct why *why);
/* The same with one neighbour, peer, and a route to it alone. */
DSTACK_CHECKED enum dstack_status nl_addr_peer(int nl, const char *name,
    const uint8_t ip[static 4], const uint8_t peer[static 4],
    struct why *why);
/* Default route through gw; that there is one already is no error. */
DSTACK_CHECKED enum dstack_status nl_route_default(
    int nl, const uint8_t gw[static 4], struct why *why);
/*
 * What goes to that network is answered with "host unreachable"; that there
 * is such a route is no error.
 */
DSTACK_CHECKED enum dstack_status nl_route_unreachable(int nl,
    const uint8_t net[static 4], unsigned prefix, struct why *why);

#endif
