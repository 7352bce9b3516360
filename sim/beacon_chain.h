/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A beacon chain of blocks that are made, and what it proves to light clients.
 * No clock, no socket: whoever drives it says which slot it is and which
 * execution block is the newest.
 */
#ifndef SIM_BEACON_CHAIN_H
#define SIM_BEACON_CHAIN_H

#include "base/status.h"
#include "sim/lcmake.h"

#define CHAIN_COMMITTEE 32u
#define CHAIN_KEEP 8300u /* blocks that are remembered */

/* An execution block as a payload header of Deneb has it, and its hash. */
struct chain_exec {
	uint8_t fixed[EXEC_DENEB_LEN];
	uint8_t extra[EXEC_EXTRA_MAX];
	size_t extra_len;
	uint8_t hash[32];
};

/* h.exec_branch is filled when the block is shown. */
struct chain_block {
	struct mk_header h;
	uint8_t root[32];
	uint8_t bid[32]; /* the execution block that was the newest */
	uint64_t final_slot;
	uint8_t final_root[32]; /* in its state */
};

struct chain;
/*
 * Electra from 0 on, Gloas from the epoch on (BEACON_NEVER: never); the
 * genesis root is the time's. NULL: no memory.
 */
struct chain *chain_new(
    uint64_t genesis_time, uint32_t seconds_per_slot, uint64_t gloas);
void chain_free(struct chain *c); /* NULL is fine */
const struct beacon_network *chain_network(const struct chain *c);
/*
 * Another chain from c's first block on, as the first period's committee can
 * make it: its own committees from the next period on, blocks in every period
 * and at slot, all of the first block's execution. c has a block.
 * NULL: no memory.
 */
struct chain *chain_forge(const struct chain *c, uint64_t slot);

/*
 * One more block. finalize: its state calls its parent final; else what the
 * parent's state did. exec NULL: as the first block. DSTACK_E_FORMAT: slot is not past the newest one's.
 */
DSTACK_CHECKED enum dstack_status chain_add(struct chain *c, uint64_t slot,
    const struct chain_exec *exec, bool finalize);

/* NULL: not remembered. first: where light clients may begin, kept. */
const struct chain_block *chain_first(const struct chain *c);
const struct chain_block *chain_newest(const struct chain *c);
const struct chain_block *chain_at(const struct chain *c, uint64_t slot);
const struct chain_block *chain_by_root(
    const struct chain *c, const uint8_t root[static 32]);

/* Unsigned: mk_sign. false: a block that it needs is not remembered. */
bool chain_bootstrap(
    const struct chain *c, const struct chain_block *b, struct mk *out);
/* What the next slot signs of b; with its finality, if its state has any. */
bool chain_head(
    const struct chain *c, const struct chain_block *b, struct mk *out);
/* A period's update: attested, finalized and signed within it. */
bool chain_period(const struct chain *c, uint64_t period, struct mk *out);

#endif
