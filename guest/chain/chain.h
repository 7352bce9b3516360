/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The guest's view of the chain: storage of the network's contract, proven
 * against the state root of the block that role lightclient says counts. The
 * proofs come through the host, whose word decides nothing (THREATS T07, T35).
 * One object a process.
 */
#ifndef GUEST_CHAIN_H
#define GUEST_CHAIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "base/status.h"
#include "protocol/netcfg.h"
#include "protocol/state.h"

#define CHAIN_MAX_SLOTS 64 /* of one read */

struct chain_head {
	uint64_t number;
	uint64_t timestamp; /* seconds since the epoch */
	uint8_t hash[32];
	uint8_t state_root[32];
	uint64_t slot; /* of the beacon block that proves it; view=rpc: 0 */
	uint8_t root[32];
	uint8_t committee[32]; /* root of the one of slot's period */
	uint64_t age; /* seconds at most; UINT64_MAX: cannot be told yet */
};

/*
 * Words of the contract that were proven in one block, so that nobody is asked
 * for them twice. used: read since that block is the head.
 */
struct chain_known {
	uint8_t hash[32]; /* of the block */
	size_t n;
	uint8_t slot[CHAIN_MAX_SLOTS][32], value[CHAIN_MAX_SLOTS][32];
	bool used[CHAIN_MAX_SLOTS];
};

struct chain {
	int edge;      /* to hostlink, borrowed */
	int view_edge; /* to lightclient, borrowed */
	struct netcfg cfg;
	struct chain_head head; /* newest seen; number 0: none yet */
	bool pinned;		/* reads are at head, and nobody is asked */
	struct chain_known known;
};

void chain_open(struct chain *c, int hostlink_edge, int lightclient_edge,
    const struct netcfg *cfg);

/*
 * The newest head becomes the one that every read is at until the next look:
 * for who hands the object to a process without an edge to lightclient.
 */
DSTACK_CHECKED enum dstack_status chain_look(struct chain *c, struct why *why);

/* Is the beacon block in this view's chain? Asked again while it is not yet. */
enum chain_contains { CHAIN_NOT_YET = 0, CHAIN_YES = 1, CHAIN_NO = 2 };
DSTACK_CHECKED enum dstack_status chain_contains(const struct chain *c,
    uint64_t slot, const uint8_t root[static 32],
    const uint8_t committee[static 32], enum chain_contains *out,
    struct why *why);

/*
 * replicatoor alone: what this boot signed at boottime (seconds of
 * CLOCK_BOOTTIME) was first seen in a head of block_time. From then on heads
 * have an age.
 */
DSTACK_CHECKED enum dstack_status chain_tie(const struct chain *c,
    uint64_t block_time, uint64_t boottime, struct why *why);

/*
 * replicatoor alone, while no secret is in use: the view begins anew at the
 * checkpoint, as if nothing had been shown to it.
 */
DSTACK_CHECKED enum dstack_status chain_anew(struct chain *c, struct why *why);

/*
 * The block that counts as final, with the contract proven in it.
 * DSTACK_E_MISSING  the host or its RPC does not answer, goes back behind a
 *                   block already seen, or serves another chain, another
 *                   contract or a record this image does not know: view lost,
 *                   try again later
 * DSTACK_E_FORMAT   a header or proof that does not hold: the RPC lies or is
 *                   broken; trying again may help, believing it does not
 * DSTACK_E_REJECTED netcfg asks for a view that this image does not have.
 * Nothing that the chain or the host answers is ever final.
 */
DSTACK_CHECKED enum dstack_status chain_final(
    struct chain *c, struct chain_head *out, struct why *why);

/*
 * Proven values of n (1..CHAIN_MAX_SLOTS) slots of the contract at the final
 * header, which goes to head (may be NULL). The account must exist and have
 * netcfg's code hash. Status as chain_final; values and head are written on
 * DSTACK_OK alone. The RPC is asked only for what was not proven in that block
 * yet, and then for what was read at the last one, too.
 */
DSTACK_CHECKED enum dstack_status chain_read(struct chain *c,
    const uint8_t (*slots)[32], size_t n, uint8_t (*values)[32],
    struct chain_head *head, struct why *why);

/* Records, each read at one header; head and state may be NULL. */
DSTACK_CHECKED enum dstack_status chain_state(struct chain *c,
    struct state_head *out, struct chain_head *head, struct why *why);
DSTACK_CHECKED enum dstack_status chain_epoch(struct chain *c, uint64_t epoch,
    struct state_head *state, struct state_epoch *out, struct chain_head *head,
    struct why *why);
DSTACK_CHECKED enum dstack_status chain_request(struct chain *c,
    const uint8_t request_id[static 32], struct state_request *out,
    struct chain_head *head, struct why *why);
/* The app to run now; DSTACK_E_BUSY: proven that there is none right now. */
DSTACK_CHECKED enum dstack_status chain_app(struct chain *c,
    struct state_app *out, struct chain_head *head, struct why *why);
/*
 * The live nodes of an epoch without self, CHAIN_MAX_NODES at most, highest
 * block first: each has signed by the epoch's key that it saw a block no older
 * than netcfg lets a view be. The host can hide some. Status as chain_final.
 */
#define CHAIN_MAX_NODES 32
struct chain_node {
	uint8_t node[20];
	uint64_t time; /* seconds, of the newest block that it says it saw */
};
DSTACK_CHECKED enum dstack_status chain_nodes(struct chain *c, uint64_t epoch,
    const uint8_t self[static 20], struct chain_node *out, size_t *n,
    struct why *why);

/* Within guest/chain: any question to the RPC; nothing of it is proven. */
DSTACK_CHECKED enum dstack_status chain_ask(const struct chain *c,
    const char *method, json_t *params, json_t **result, struct why *why);
DSTACK_CHECKED enum dstack_status chain_volume(struct chain *c,
    const uint8_t volume_id[static 32], struct state_volume *out,
    struct chain_head *head, struct why *why);

#endif
