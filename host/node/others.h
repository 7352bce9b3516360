/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A word on who is left, when a node that has the secret is told to stop: the
 * secret lives in the memory of running guests alone. It is said and no more;
 * nothing waits for it.
 */
#ifndef HOST_NODE_OTHERS_H
#define HOST_NODE_OTHERS_H

#include "host/base/config.h"

struct others;

/*
 * Ask in a thread of its own: guest (its address), then chain (who has sent a
 * heartbeat in the last two periods); log one line. cfg is borrowed until
 * others_free. NULL: no thread, no word.
 */
struct others *others_ask(const struct host_config *cfg);
/* Gives up within two seconds if it is not done. NULL: nothing. */
void others_free(struct others *o);

#endif
