/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Signs of life of the network's nodes, as this host has heard them over the
 * relay (lib/protocol/signs.h): the newest of each node, kept in memory. Its
 * guest and its operator ask for them; each checks them again.
 */
#ifndef HOST_SIGNS_H
#define HOST_SIGNS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/wr.h"
#include "host/base/config.h"
#include "host/chain/rpc_client.h"
#include "protocol/messages.h"

/* A guest gives one in 45 s at least: four of them, and it is not heard. */
#define SIGNS_LIVE_S 180u

struct signs;

/* cfg and rpc: borrowed until signs_free. NULL: no memory. */
struct signs *signs_new(const struct host_config *cfg, struct rpc *rpc);
void signs_free(struct signs *s);

/*
 * This host's guest has signed m: hand it to the relay. Blocks for the chain,
 * once an epoch, and the relay. DSTACK_E_MISSING: one of them does not
 * answer; DSTACK_E_REJECTED: the current epoch's key has not signed it.
 */
DSTACK_CHECKED enum dstack_status signs_own(
    struct signs *s, const struct msg_heartbeat *m, struct why *why);

/* A line of the relay. True: it was a sign of life. Does not block. */
bool signs_hear(struct signs *s, const char *line, size_t len);

/* The list: one message a line, those heard last first. */
void signs_list(struct signs *s, struct wr *out);

/*
 * How many other nodes were heard in the last SIGNS_LIVE_S; -1: not known,
 * since this node's own guest has given no sign that went over the relay.
 */
int signs_others(struct signs *s);

/*
 * Whose turn is it to do what only one has to do, id? How many nodes that were
 * heard in the last SIGNS_TURN_S come before this one, by
 * keccak256(id || node): each id has another order, and all who have heard the
 * same agree on it without talking. -1: this node's guest has given no sign.
 */
#define SIGNS_TURN_S 100u /* two of a guest's signs */
int signs_rank(struct signs *s, const uint8_t id[static 32]);

#endif
