/* SPDX-License-Identifier: Apache-2.0 */
/* Messages to and from the relay (host/relay/pubsub.h). */
#ifndef HOST_GOSSIP_H
#define HOST_GOSSIP_H

#include <stddef.h>

#include "base/status.h"

/*
 * Hand a message over. Blocking, 5 seconds at most. text: one JSON value.
 * pubsub_url: PUBSUB_URL of the configuration. DSTACK_E_MISSING: the relay is
 * not there (why is empty: whoever listens to it says so) or does not take it
 * (why says so).
 */
DSTACK_CHECKED enum dstack_status gossip_push(
    const char *pubsub_url, const char *text, struct why *why);

/*
 * The object in one line of the relay as text of its own, which the caller
 * frees. DSTACK_E_BUSY: a keep-alive. DSTACK_E_LIMIT, _FORMAT: no message.
 */
DSTACK_CHECKED enum dstack_status gossip_unwrap(
    const char *line, size_t len, char **text, struct why *why);

#endif
