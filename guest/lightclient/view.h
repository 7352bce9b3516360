/* SPDX-License-Identifier: Apache-2.0 */
/* Within guest/lightclient: the view, and what of it outlives a process. */
#ifndef GUEST_LIGHTCLIENT_VIEW_H
#define GUEST_LIGHTCLIENT_VIEW_H

#include <stdbool.h>
#include <stdint.h>

#include "base/rd.h"
#include "base/status.h"
#include "base/wr.h"
#include "dstack/beacon.h"
#include "guest/base/ipc.h"
#include "protocol/netcfg.h"

/* A block that is believed. */
struct view_head {
	uint64_t number; /* of the execution block */
	uint64_t time;
	uint8_t hash[32];
	uint8_t state_root[32];
	uint64_t slot; /* of the beacon block; all three zero: view=rpc */
	uint8_t root[32];
	uint8_t committee[32]; /* of slot's period */
};

/* One life of the role hands this to the next, by memory that init keeps. */
struct view_kept {
	bool any; /* there is a head */
	struct view_head head;
	uint64_t first; /* time of the first head of this boot */
	bool tied;
	uint64_t tie_time; /* what was signed at tie_at is in a block of then */
	uint64_t tie_at;   /* seconds of CLOCK_BOOTTIME */
	/* the committee of the period before the store's; zero: not known */
	uint64_t past_period;
	uint8_t past_committee[32];
};

/* From the head down to a block that is asked for. */
struct view_walk {
	bool under_way;
	uint64_t slot;
	uint8_t root[32];
	uint8_t next[32]; /* root of the block that is looked at next */
	size_t done;	  /* blocks */
};

struct view {
	int edge; /* to hostlink, borrowed */
	struct netcfg cfg;
	struct view_kept kept;
	uint8_t *memory; /* KEEP_SIZE bytes, shared with init; NULL: none */
	char said[192]; /* the trouble that was told last */
	/* view=rpc */
	bool chain_id_checked;
	int64_t looked; /* ms of CLOCK_BOOTTIME of the last good look; 0: none */
	/* view=beacon */
	struct beacon_store *store;
	enum beacon_code refused; /* what the host is to be told of */
	char refused_path[128];
	bool wants_update;	  /* of a period, before anything else */
	bool behind;		  /* by periods, as the last finality has it */
	bool caught_up;		  /* a finality update was judged */
	bool rests;		  /* nothing is to be done at once */
	unsigned strangers; /* documents since the newest head, signed by others */
	int64_t committee_at;	  /* ms: an update was asked for last */
	int64_t step_at, pause;	  /* ms */
	uint8_t asked_root[32];	  /* whose execution block was asked for */
	struct view_walk walk;
};

/* memory_fd: init's, -1 for none. What it has is taken up. */
DSTACK_CHECKED enum dstack_status view_open(struct view *v, int hostlink_edge,
    const struct netcfg *cfg, int memory_fd, struct why *why);
void view_close(struct view *v);
/* Answers one request; an ipc_serve_fn, ctx is the view. */
void view_serve(void *ctx, enum role from, int fd, struct ipc_request *q);
/* The same while the host is being asked: from what there is, asking nobody. */
void view_serve_at_once(
    void *ctx, enum role from, int fd, struct ipc_request *q);

/* A newer head, or the same; DSTACK_E_MISSING: it goes back, or is another. */
DSTACK_CHECKED enum dstack_status view_advance(
    struct view *v, const struct view_head *h, struct why *why);
/* Upper bound, in seconds, of how old the head is at boottime now. */
uint64_t view_age(const struct view_kept *k, uint64_t now);
int64_t view_ms(void);
void view_save(const struct view *v);
/* A trouble is told once, not each time that it is met. */
void view_say(struct view *v, const char *text);

/*
 * view=rpc: the block that netcfg's confirmations name, on the RPC's word,
 * once the contract is proven in it. Status as chain_final.
 */
DSTACK_CHECKED enum dstack_status view_rpc(struct view *v, struct why *why);

/*
 * view=beacon: one step, which asks the host for one thing at most. Status as
 * chain_final.
 */
DSTACK_CHECKED enum dstack_status view_beacon_step(
    struct view *v, struct why *why);
/* Does the step that is due; milliseconds until the next one is. */
int view_beacon_idle(struct view *v);
/* As LIGHTCLIENT_ANEW. DSTACK_E_NOMEM: all stays. */
DSTACK_CHECKED enum dstack_status view_anew(struct view *v, struct why *why);
/* As LIGHTCLIENT_CONTAINS. */
DSTACK_CHECKED enum dstack_status view_beacon_contains(struct view *v,
    uint64_t slot, const uint8_t root[static 32],
    const uint8_t committee[static 32], uint8_t *out, struct why *why);

/* --- memory that outlives the process (keep.c) --- */

#define KEEP_SIZE ROLE_VIEW_MEMORY
/* Maps it; NULL: it is not such memory. */
uint8_t *keep_map(int fd);
/* Whole or not at all: what was saved before stays until this is. */
void keep_save(uint8_t *memory, const void *p, size_t n);
/* The newest that is whole, appended to out; false: none. */
bool keep_load(const uint8_t *memory, struct wr *out);

#endif
