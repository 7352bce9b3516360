/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the guest's light client reads beside containers. First byte 0: headers
 * down from a root, which is the next 32 bytes; whatever comes, a refusal
 * leaves the place where it was. Else: a store as it was saved; what is taken
 * up is saved as the same bytes.
 */
#include <stdlib.h>
#include <string.h>

#include "beacon/store.h"
#include "beacon/walk.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void
saved(const uint8_t *data, size_t n)
{
	struct beacon_network net = { .slots_per_epoch = 8,
		.epochs_per_period = 8, .committee = 8 };
	struct beacon_store *s = beacon_store_new(&net);
	struct wr w = wr_new(0);
	if (s == NULL)
		return;
	if (store_load(s, data, n)) {
		store_save(s, &w);
		if (wr_status(&w) == DSTACK_OK &&
		    (w.len != n || memcmp(w.buf, data, n) != 0))
			abort();
	}
	wr_free(&w);
	beacon_store_free(s);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static const uint8_t root[32] = { 1 };
	uint8_t next[32];
	if (n < 33)
		return 0;
	if (data[0] != 0) {
		saved(data + 1, n - 1);
		return 0;
	}
	memcpy(next, data + 1, 32);
	enum walk w = headers_walk(data + 33, n - 33, 7, root, next);
	/* nobody finds a block of that root */
	if (w == WALK_YES ||
	    (w == WALK_BAD && memcmp(next, data + 1, 32) != 0) ||
	    (w != WALK_BAD && (n - 33) % WALK_HEADER != 0))
		abort();
	return 0;
}
