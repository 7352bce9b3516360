/* SPDX-License-Identifier: Apache-2.0 */
/* dstack beacon follow: the heads of a live chain, proven. */
#ifndef CLI_BEACON_FOLLOW_H
#define CLI_BEACON_FOLLOW_H

#include <stdbool.h>

#include "dstack/beacon.h"
#include "host/beacon/follower.h"

struct follow_args {
	struct fetch nodes;
	const struct beacon_network *net; /* NULL: as the nodes' genesis says */
	uint8_t root[32];
	bool has_root;	 /* false: the first node's finalized block */
	const char *rpc; /* NULL: hashes alone */
	bool json, once;
};

/* Until a signal, or with once until the first head; the exit status. */
int beacon_follow(const struct follow_args *a);

#endif
