/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A guest that holds the network's secret does not end because a role did:
 * keyd alone is worth the machine. The roles in front of it start anew, after
 * a pause that grows; the others are gone without.
 */
#ifndef GUEST_REVIVE_H
#define GUEST_REVIVE_H

#include "guest/init/supervise.h"

/*
 * Role r has failed, why has the reason. True: the guest goes on, it is told
 * and seen to. False: this ends it.
 */
bool revive_later(struct watch *w, enum role r, const struct why *why);

/* Start what revive_later has noted. A failure of init's own ends the guest. */
DSTACK_CHECKED enum dstack_status revive(
    struct watch *w, int sigfd, struct why *why);

#endif
