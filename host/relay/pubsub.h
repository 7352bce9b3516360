/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The gossip relay: POST /push takes one JSON value, GET /subscribe streams
 * {"data":VALUE} lines to everyone, first those of the retention window, so
 * that a request is not lost on a listener that starts late (hole D16), and
 * "" as keep-alive. It holds no authority: what it carries is checked by
 * whoever reads it. Its costs are bounded (THREATS T41).
 */
#ifndef HOST_PUBSUB_H
#define HOST_PUBSUB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "host/base/config.h"

/*
 * Largest message. The original's 30 KB held a quote alone; with suite 1 a
 * message holds a quote and its collateral. Measured: quotes of real machines
 * up to 8,000 bytes (16,000 as hex), Intel's largest collateral 23,552, the
 * rest 1 KB: 41 KB. Twice that, and well under the link's 160 KiB. 413 above.
 */
#define PUBSUB_MESSAGE_MAX (96u * 1024)
#define PUBSUB_DEPTH_MAX 16u

struct pubsub_limits {
	size_t retained_bytes;  /* oldest messages go first */
	unsigned retained;      /* messages */
	unsigned retention_ms;
	unsigned keepalive_ms;
	unsigned subscribers;
	unsigned conns;
	unsigned conns_per_ip;
	unsigned request_ms;
	unsigned stall_ms;
};
struct pubsub_limits pubsub_defaults(void);

struct event_base;
struct pubsub;
DSTACK_CHECKED enum dstack_status pubsub_new(struct event_base *base,
    const struct listen_addr *at, const struct pubsub_limits *limits,
    struct pubsub **out, struct why *why);
void pubsub_free(struct pubsub *p);
uint16_t pubsub_port(const struct pubsub *p);
unsigned pubsub_subscribers(const struct pubsub *p);

/* Is JSON text nested at most max deep? Looks at brackets alone. */
bool json_depth_within(const char *text, size_t len, unsigned max);

#endif
