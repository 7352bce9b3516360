/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The bootstrap messages of the network: statement, signature and quote that
 * each epoch's secret was born with. A joiner's guest does not open what it
 * is sent before it has judged that quote, so its host has to have it. They
 * are kept in the auditing folder; a host that lacks one asks over the relay,
 * and hosts that have it give it there.
 *
 * Nobody has to be believed: the contract has the quote's hash and the
 * network's key, the key signed the statement, the quote has the statement's
 * digest. Only what fits all of it is kept, and only while it is wanted. The
 * collateral is the host's own, never the giver's. The guest checks again.
 */
#ifndef HOST_BIRTH_H
#define HOST_BIRTH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "host/collateral/collateral.h"
#include "host/base/config.h"
#include "host/chain/rpc_client.h"
#include "protocol/messages.h"

struct birth;

/*
 * Starts a thread. All borrowed until birth_free; auditing: descriptor of the
 * folder.
 */
DSTACK_CHECKED enum dstack_status birth_new(const struct host_config *cfg,
    struct rpc *rpc, int auditing, struct collateral *collateral,
    struct birth **out, struct why *why);
void birth_free(struct birth *b);

/*
 * The message of epoch by the chain's record, with collateral of today; out:
 * msg_bootstrap_free. DSTACK_E_MISSING: it is not there yet and is asked for
 * from now on, for half a minute.
 */
DSTACK_CHECKED enum dstack_status birth_get(struct birth *b, uint64_t epoch,
    struct msg_bootstrap *out, struct why *why);

/* It will be needed soon: ask for it if it is not there. Does not block. */
void birth_want(struct birth *b, uint64_t epoch);

/*
 * Keep the guest's own: text is the message as it came, m what it says. One
 * of another network under the same name is kept under another.
 */
DSTACK_CHECKED enum dstack_status birth_save(struct birth *b,
    const void *text, size_t len, const struct msg_bootstrap *m,
    struct why *why);

/* A line of the relay. False: it is about something else. Does not block. */
bool birth_hear(struct birth *b, const char *line, size_t len);

#endif
