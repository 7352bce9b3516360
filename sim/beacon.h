/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A beacon node of a chain that wraps the blocks of any execution RPC, and
 * lies when it is told to. Its keys are public; it protects nothing.
 */
#ifndef SIM_BEACON_H
#define SIM_BEACON_H

#include <stdint.h>

#include <jansson.h>

#include "base/status.h"

/* In the order of sim_beacon_lies. */
enum beacon_lie {
	LIE_OLD_COMMITTEE, /* a chain by the first period's committee */
	LIE_OTHER_NETWORK, /* signed for another genesis */
	LIE_MIXED_FORKS,   /* containers of another fork than their slot's */
	LIE_FEW_SIGNERS,   /* one under two thirds */
	LIE_BAD_SIGNATURE, /* of keys that are not the committee's */
	LIE_FREEZE,	   /* nothing newer than when it began */
	LIE_GARBAGE,	   /* bytes that are nothing */
	LIE_FUTURE,	   /* signed in a slot that has not begun */
	LIE_BACK,	   /* a head that was, a period's eighth ago */
	LIE_WRONG_BRANCH,
	LIE_WRONG_EXECUTION, /* a hash that is not in the block */
	LIE_SLOW,	     /* answers after 20 seconds */
	LIE_404,
	LIES
};
extern const char *const sim_beacon_lies[LIES + 1]; /* NULL ends them */

struct sim_beacon_options {
	/* The newest execution block of url (NULL: the chain's own), as
	 * eth_getBlockByNumber has it; *block is a new reference. */
	enum dstack_status (*newest)(
	    void *ctx, const char *url, json_t **block, struct why *why);
	void *ctx;
	const char *listen;  /* 127.0.0.1:PORT; port 0: any, told in the log */
	const char *network; /* file to write, and FILE.root; NULL: none */
	uint32_t lies;	     /* bit of each */
	uint32_t seconds_per_slot;
	uint64_t gloas; /* epoch; BEACON_NEVER */
	uint64_t before; /* slots that lie behind when it starts, of one block */
};
/* Until SIGTERM or SIGINT. DSTACK_E_FORMAT: listen is not an address. */
DSTACK_CHECKED enum dstack_status sim_beacon_run(
    const struct sim_beacon_options *o, struct why *why);

#endif
