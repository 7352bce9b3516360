/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One node answers a request. All who hear the same signs of life put the live
 * nodes in the same order, another one for each request (signs_rank), so they
 * need not talk. The first begins at once. The others wait until a guest can
 * know of the request at all, which by a beacon chain takes minutes, and from
 * then on TURN_BLOCKS blocks and TURN_MS for each node that is before them:
 * a dead one is passed over, a slow one is not overtaken. The onboarder asks
 * the chain once more before it begins, so mostly the wait is all they do.
 *
 * Who comes before this node may change meanwhile, so that is asked each time.
 * A node whose guest has given no sign of life could not answer and waits. A
 * wrong clock, a relay that keeps signs back or an RPC that lies about blocks
 * make more nodes answer, or later: gas and time, nothing else.
 */
#include "host/join/turn.h"

#include <stddef.h>

bool
turn_seen(const struct turns *t, const struct turn *r)
{
	return t->sees == NULL || t->sees(t->arg, r->heard);
}

/* Many may wait at once: the chain is asked for all of them together. */
static bool
newest(struct turns *t, uint64_t now)
{
	if (t->looked_ms != 0 && now - t->looked_ms < TURN_LOOK_MS)
		return true;
	if (!t->newest(t->chain, &t->block))
		return false;
	t->looked_ms = now;
	return true;
}

bool
turn_is_ours(struct turns *t, const uint8_t id[static 32], struct turn *r,
    uint64_t now)
{
	if (t->rank == NULL)
		return true;
	const int rank = t->rank(t->arg, id);
	if (rank == 0)
		return true;
	if (rank < 0 || !turn_seen(t, r) || !newest(t, now))
		return false;
	if (!r->counts) {
		r->counts = true;
		r->block = t->block;
		r->ms = now;
	}
	/* an RPC that goes back has not come to the block yet */
	return t->block >= r->block &&
	    t->block - r->block >= (unsigned)rank * TURN_BLOCKS &&
	    now - r->ms >= (unsigned)rank * TURN_MS;
}
