/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A word on who is left, when a node that has the secret is told to stop: the
 * secret lives in the memory of running guests alone. It is said and no more.
 */
#ifndef HOST_NODE_OTHERS_H
#define HOST_NODE_OTHERS_H

#include "host/service/route.h"

/* Log one line on the other nodes' signs of life. Does not block. */
void others_say(struct router *r);

#endif
