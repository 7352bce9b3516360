/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The host service: the router's two fronts on one event loop, with worker
 * threads behind. The link front is a Unix stream socket that QEMU's chardev
 * (or a guest without a VM) connects to; the HTTP front is on loopback.
 */
#ifndef HOST_SERVICE_H
#define HOST_SERVICE_H

#include <stdint.h>

#include "base/status.h"
#include "host/base/config.h"
#include "host/service/route.h"

struct event_base;
struct service;

/*
 * link: path of the socket, made anew with mode 0600; a stale one is
 * replaced. http: NULL for none. router: borrowed until service_free.
 */
DSTACK_CHECKED enum dstack_status service_new(struct event_base *base,
    struct router *router, const char *link, const struct listen_addr *http,
    struct service **out, struct why *why);
void service_free(struct service *s); /* waits for requests under way */
uint16_t service_http_port(const struct service *s);

#endif
