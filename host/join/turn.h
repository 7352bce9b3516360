/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whose turn it is to answer a request, where one answer is enough and each
 * further one is gas for nothing. Not for several threads.
 */
#ifndef HOST_TURN_H
#define HOST_TURN_H

#include <stdbool.h>
#include <stdint.h>

#define TURN_BLOCKS 2u	   /* an answer is in one of them, if it is given */
#define TURN_MS 8000u	   /* a guest in an emulated CPU is slow to judge */
#define TURN_LOOK_MS 1000u /* whose turn is not it looks again after this */

/* What decides; the functions are onboarder.h's. */
struct turns {
	bool (*newest)(void *chain, uint64_t *block); /* false: not known */
	void *chain;
	int (*rank)(void *arg, const uint8_t id[static 32]);
	bool (*sees)(void *arg, uint64_t time);
	void *arg;
	uint64_t block; /* the newest, as it was at looked_ms */
	uint64_t looked_ms;
};

/* One request's. All 0 but heard. */
struct turn {
	uint64_t heard; /* Unix seconds at which it was in a block already */
	bool counts;	/* the next two are set */
	uint64_t block, ms;
};

/*
 * now: milliseconds of a clock that never goes back. May ask for the newest
 * block, once in TURN_LOOK_MS for all requests together.
 */
bool turn_is_ours(struct turns *t, const uint8_t id[static 32],
    struct turn *r, uint64_t now);
/* Can a guest know of the request? */
bool turn_seen(const struct turns *t, const struct turn *r);

#endif
