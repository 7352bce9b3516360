/* SPDX-License-Identifier: Apache-2.0 */
/* What a store is made of, and its bytes for a process that goes on with it. */
#ifndef BEACON_STORE_H
#define BEACON_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/wr.h"
#include "beacon/bls.h"
#include "dstack/beacon.h"

/* A committee that was proven: its root, its keys. */
struct members {
	uint8_t root[32];
	struct bls_keys *keys; /* NULL: not known */
};

struct beacon_store {
	struct beacon_network net;
	bool begun;
	struct beacon_head finalized, attested;
	struct members current, next;
};

/* Appended to out, 50 kB with 512 keys; nothing: there is no bootstrap yet. */
void store_save(const struct beacon_store *s, struct wr *out);
/*
 * What store_save has written, of the same network. It is the caller's own and
 * is not proven again. false, and s as it was: it is not that.
 */
bool store_load(struct beacon_store *s, const void *p, size_t n);

/* Root of the committee of a period, where the store has it. */
bool store_committee(
    const struct beacon_store *s, uint64_t period, uint8_t root[static 32]);

#endif
