/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Hears join requests on the relay, filters out what this node need not look
 * at, has its own guest judge the rest (POST /onboard on the control plane)
 * and sends the guest's answer to the chain. It decides nothing: the guest
 * checks all of it again, and more.
 *
 * One node answers a request (hole D16): whose turn it is they agree on by
 * opt.rank, and the next one asks the chain again and leaves it if another was
 * first. Nothing that comes over the relay ends or stalls it.
 *
 * On a network whose ciphertexts travel by relay the answer goes there, and
 * the chain gets what is left of it: the ciphertext's hash. Whoever asks the
 * same again gets the same answer again. Only if the relay does not take the
 * answer the ciphertext goes into the transaction's call data.
 */
#ifndef HOST_ONBOARDER_H
#define HOST_ONBOARDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "base/wr.h"
#include "host/base/config.h"
#include "host/chain/rpc_client.h"
#include "protocol/messages.h"

#define ONBOARDER_PENDING 256u

/*
 * The checks that cost nothing but hashing, on one line of the relay: size,
 * shape, requestId, encKeyHash, quoteHash recomputed. On DSTACK_OK id is the
 * requestId and out has the body for the guest, with our payee in it.
 * DSTACK_E_BUSY: a keep-alive. Else why says what is wrong.
 */
DSTACK_CHECKED enum dstack_status onboarder_filter(
    const struct host_config *cfg, const char *line, size_t len,
    uint8_t id[static 32], struct wr *out, struct why *why);

/*
 * The same for an answer that another onboarder gives: shape, and that ctHash
 * is of ct. DSTACK_E_MISSING: the line is no answer. out: msg_onboard_free.
 */
DSTACK_CHECKED enum dstack_status onboarder_answer(
    const char *line, size_t len, struct msg_onboard *out, struct why *why);

/* The functions are called from its threads; each may be NULL. */
struct onboarder_options {
	/* Did this node make the request? Then others are to answer it. */
	bool (*own)(void *arg, const uint8_t id[static 32]);
	/* An answer came over the relay. */
	void (*answer)(void *arg, const struct msg_onboard *m);
	/* Any line, first of all. True: it was about something else. */
	bool (*other)(void *arg, const char *line, size_t len);
	/*
	 * How many nodes are to answer request id before this one; -1: this one
	 * cannot. NULL: it is always this one's turn.
	 */
	int (*rank)(void *arg, const uint8_t id[static 32]);
	/* Can a guest know of what was in a block at that time, Unix seconds? */
	bool (*sees)(void *arg, uint64_t time);
	void *arg;
	/* What was refused and is asked again is looked at again; 0: 20 s. */
	unsigned relook_ms;
};

struct onboarder;
/*
 * Starts two threads. cfg and rpc: borrowed until onboarder_free. opt: copied,
 * may be NULL.
 */
DSTACK_CHECKED enum dstack_status onboarder_new(const struct host_config *cfg,
    struct rpc *rpc, const struct onboarder_options *opt,
    struct onboarder **out, struct why *why);
void onboarder_free(struct onboarder *o);

#endif
