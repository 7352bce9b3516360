/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What differs from fork to fork: where things are in BeaconState and
 * BeaconBlockBody, and how long their branches are. Everything is asked by a
 * header's own slot, never by the time of the store.
 */
#ifndef BEACON_FORK_H
#define BEACON_FORK_H

#include "dstack/beacon.h"

/* What stands beside the beacon header in a LightClientHeader. */
enum exec_form {
	EXEC_NONE,    /* nothing: Altair, Bellatrix */
	EXEC_CAPELLA, /* ExecutionPayloadHeader of 15 fields */
	EXEC_DENEB,   /* of 17 */
	EXEC_HASH,    /* execution_block_hash: Gloas */
};

/* Generalized indices; the depth of each is its floor(log2). */
struct fork_shape {
	enum exec_form exec;
	uint32_t finalized_root;
	uint32_t current_committee;
	uint32_t next_committee;
};

const struct fork_shape *fork_shape(enum beacon_fork f);
const char *fork_name(enum beacon_fork f);
unsigned gindex_depth(uint32_t gindex);

uint64_t epoch_at(const struct beacon_network *n, uint64_t slot);
uint64_t period_at(const struct beacon_network *n, uint64_t slot);
/* Slot that has begun at time now; 0 before genesis. */
uint64_t slot_now(const struct beacon_network *n, uint64_t now);

/* BEACON_OK, or BEACON_FORK where the table has no fork for this slot. */
DSTACK_CHECKED enum beacon_code fork_at(const struct beacon_network *n,
    uint64_t slot, enum beacon_fork *out, struct why *why);

/* ForkData root (phase0): digests are its first four bytes. */
void fork_data_root(const struct beacon_network *n, enum beacon_fork f,
    uint8_t out[static 32]);

#endif
