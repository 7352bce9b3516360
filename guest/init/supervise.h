/* SPDX-License-Identifier: Apache-2.0 */
/* What init does from the roles' start to the guest's end: it waits. */
#ifndef GUEST_SUPERVISE_H
#define GUEST_SUPERVISE_H

#include "guest/init/watch.h"

/*
 * Until a role fails that the guest cannot go on without (watch_failed) or the
 * end is asked for (DSTACK_OK, and why says by whom): SIGTERM, or a byte on
 * w->stop. sigfd: signalfd of SIGCHLD, SIGTERM and SIGIO, which w->stop sends.
 */
DSTACK_CHECKED enum dstack_status supervise(
    struct watch *w, int sigfd, struct why *why);

#endif
