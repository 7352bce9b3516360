/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From one trusted root to the newest proven head, by what beacon nodes say:
 * one step at a time, for whoever has a loop. Not for several threads.
 */
#ifndef HOST_BEACON_FOLLOWER_H
#define HOST_BEACON_FOLLOWER_H

#include <stdbool.h>

#include "dstack/beacon.h"
#include "host/beacon/fetch.h"

struct follower {
	struct fetch nodes;
	const struct beacon_network *net; /* NULL: not yet known; borrowed */
	struct beacon_store *store;	  /* NULL: not yet made */
	uint8_t root[32];
	bool has_root, begun;
	/* documents in a row, none of a new head between them, that were signed
	 * by others than the store's committee */
	unsigned strangers;
	uint64_t asked; /* slot in which this period's update was asked for */
	uint64_t slot;	/* of the finalized head that was newest */
	uint64_t moved; /* slot, by the clock, in which it became that */
	/*
	 * May be NULL. Gets each document that the store has taken, as bare
	 * SSZ: borrowed for the call. period: of an update's attested header.
	 */
	void (*took)(void *arg, enum beacon_kind kind, uint64_t period,
	    const uint8_t *ssz, size_t len);
	void *arg;
};

/*
 * Do what is due first. *more: something else may be due at once; else it is
 * time for a pause of a slot. Not DSTACK_OK: the node at nodes.at did not
 * answer, or what it said was refused; turn to the next and try again.
 */
DSTACK_CHECKED enum dstack_status follower_step(
    struct follower *f, bool *more, struct why *why);
/*
 * Back to the trusted root, with the store empty: what it took may be a chain
 * that nobody goes on with. DSTACK_E_NOMEM: it stays as it is.
 */
DSTACK_CHECKED enum dstack_status follower_anew(
    struct follower *f, struct why *why);
void follower_free(struct follower *f);

/* Seconds to wait after the nth failure in a row (1, 2, ...). */
unsigned follower_pause(const struct follower *f, unsigned fails);

#endif
