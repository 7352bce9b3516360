/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Hears join requests on the relay, filters out what this node need not look
 * at, has its own guest judge the rest (POST /onboard on the control plane)
 * and sends the guest's answer to the chain. It decides nothing: the guest
 * checks all of it again, and more.
 *
 * Not every node answers every request (hole D16): each waits for a slot by
 * hash(requestId, node), asks the chain again, and leaves it if another was
 * first. Nothing that comes over the relay ends or stalls it.
 */
#ifndef HOST_ONBOARDER_H
#define HOST_ONBOARDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "base/wr.h"
#include "host/config.h"
#include "host/rpc_client.h"

#define ONBOARDER_SLOTS 4u
#define ONBOARDER_SLOT_MS 250u
#define ONBOARDER_PENDING 64u

/*
 * The checks that cost nothing but hashing, on one line of the relay: size,
 * shape, requestId, encKeyHash, quoteHash recomputed. On DSTACK_OK id is the
 * requestId and out has the body for the guest, with our payee in it.
 * DSTACK_E_BUSY: a keep-alive. Else why says what is wrong.
 */
DSTACK_CHECKED enum dstack_status onboarder_filter(
    const struct host_config *cfg, const char *line, size_t len,
    uint8_t id[static 32], struct wr *out, struct why *why);

/* Milliseconds that this node waits before it answers request id. */
unsigned onboarder_delay(
    const struct host_config *cfg, const uint8_t id[static 32]);

struct onboarder;
/*
 * Starts two threads. cfg and rpc: borrowed until onboarder_free. own (may be
 * NULL), called from one of the threads, says which requests this node made
 * itself: those are for others to answer.
 */
DSTACK_CHECKED enum dstack_status onboarder_new(const struct host_config *cfg,
    struct rpc *rpc, bool (*own)(void *arg, const uint8_t id[static 32]),
    void *arg, struct onboarder **out, struct why *why);
void onboarder_free(struct onboarder *o);

#endif
