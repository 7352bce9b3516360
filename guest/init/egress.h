/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An app's way out (docs/app-reference.md, "Ways out"): the VM's second
 * network device,
 * if the host gives one, in a network namespace of its own. No plane of the
 * guest, no link to the host and no role is in there; it has the device, one
 * link to each app that may go out, and rules for what passes between them.
 *
 *   container p  10.89.p.2 -- out<p> 10.89.p.1 | NAT | 10.0.3.15 -- device
 *
 * p is the place of a container (guest/kubernethes/container.h): of either
 * version of an app, each of its services.
 */
#ifndef GUEST_EGRESS_H
#define GUEST_EGRESS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"

#define EGRESS_NIC "eth1"   /* the device; and the link inside a container */
#define EGRESS_PLACES 16    /* CONTAINER_SLOTS * MANIFEST_SERVICES */
#define EGRESS_RESOLVER "10.0.3.3" /* for /etc/resolv.conf of who may go out */
/* Where host/vm/machine.c puts the device on the PCI bus. */
#define EGRESS_DEVICE "/sys/bus/pci/devices/0000:00:05.0"

/*
 * A namespace with the link EGRESS_NIC of the caller's own in it, addresses,
 * routes, rules: forwarding begins here, and ends with the namespace. The
 * caller closes *ns. Called once, by init, as root, before there are threads.
 */
DSTACK_CHECKED enum dstack_status egress_make(int *ns, struct why *why);

/* Is that descriptor (of a role's birth) a network namespace? */
bool egress_is(int fd);

/*
 * Give the container at that place, whose network is the namespace app, its
 * link and its default route. What an earlier one left there goes.
 */
DSTACK_CHECKED enum dstack_status egress_join(
    int ns, int app, unsigned place, struct why *why);
/* Take it away. That there is none is no error. */
void egress_leave(int ns, unsigned place);

#endif
