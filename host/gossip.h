/* SPDX-License-Identifier: Apache-2.0 */
/* Hand a message to the relay (host/pubsub.h). Blocking. */
#ifndef HOST_GOSSIP_H
#define HOST_GOSSIP_H

#include "base/status.h"

/*
 * text: one JSON value. pubsub_url: PUBSUB_URL of the configuration. Takes 5
 * seconds at most. DSTACK_E_MISSING: the relay is not there (why is empty:
 * whoever listens to it says so) or does not take it (why says so).
 */
DSTACK_CHECKED enum dstack_status gossip_push(
    const char *pubsub_url, const char *text, struct why *why);

#endif
