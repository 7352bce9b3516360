/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The orderly end of a guest: the app is asked to stop and has its grace, the
 * volume is closed, keyd wipes what it holds. Nothing here waits for ever, and
 * a host that does not want it can cut the power at any time: a stop that is
 * cut short is a power cut, no worse.
 */
#ifndef GUEST_STOP_H
#define GUEST_STOP_H

#include "guest/init/watch.h"

/*
 * All in all at most about STOP_LIMIT_MS, which hosts should wait
 * (host/node/node.c: NODE_STOP_MS is longer).
 */
#define STOP_KUBE_MS 30000  /* twice an app's grace, and its last files */
#define STOP_KEYD_MS 2000
#define STOP_VOLUME_MS 5000 /* for what still uses it to go */
#define STOP_LIMIT_MS (STOP_KUBE_MS + STOP_KEYD_MS + STOP_VOLUME_MS)

/* vm: there is a volume to close, else it is a folder of the host's. */
void stop_in_order(struct watch *w, int sigfd, bool vm);

#endif
