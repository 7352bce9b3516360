/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A guest that holds the network's secret does not end because a role did:
 * keyd alone is worth the machine. The roles in front of it start anew, after
 * a pause that grows; the others are gone without.
 */
#ifndef GUEST_REVIVE_H
#define GUEST_REVIVE_H

#include "guest/init/watch.h"

/*
 * Start what watch_failed has noted. Not DSTACK_OK: keyd has ended meanwhile.
 */
DSTACK_CHECKED enum dstack_status revive(
    struct watch *w, int sigfd, struct why *why);

#endif
