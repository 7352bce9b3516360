/* SPDX-License-Identifier: Apache-2.0 */
/* Which port of an app that starts is the one that clients reach. */
#ifndef GUEST_PORT_H
#define GUEST_PORT_H

#include "guest/kubernethes/container.h"
#include "guest/kubernethes/kubernethes.h"
#include "guest/kubernethes/listen.h"

struct port_look {
	uint16_t port; /* 0: not known yet */
	const struct oci_config *config;
	int64_t next;      /* kube_now() of the next look */
	int64_t since;     /* since when so many ports were seen */
	size_t seen;
	int64_t elsewhere; /* since when it listens elsewhere only; 0: not so */
	unsigned local;    /* looks that found the loopback alone */
	bool told;
};

/* config: borrowed for as long as it is looked. */
void port_begin(struct port_look *l, const struct oci_config *config);
/*
 * Look, if it is time to. DSTACK_E_REJECTED: it listens where nobody gets to.
 */
DSTACK_CHECKED enum dstack_status port_look(
    struct port_look *l, const struct container *c, struct why *why);
/* The same of what was seen; address: of the app, in network order. */
DSTACK_CHECKED enum dstack_status port_judge(struct port_look *l,
    const struct listens *s, uint32_t address, struct why *why);
/* The refusal of one that has had its time. */
DSTACK_CHECKED enum dstack_status port_too_late(
    const struct port_look *l, int64_t ms, struct why *why);

#endif
