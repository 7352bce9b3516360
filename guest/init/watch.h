/* SPDX-License-Identifier: Apache-2.0 */
/*
 * init's watch over the roles: lifecycle packets, log lines, exits, and which
 * of these end the guest.
 */
#ifndef GUEST_WATCH_H
#define GUEST_WATCH_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/status.h"
#include "guest/base/role.h"
#include "guest/init/spawn.h"

#define LOG_LINE_MAX 512u

/*
 * The roles in front of keyd. They speak to each other, so when one of them
 * fails they start anew together (guest/init/revive.c).
 */
#define WATCH_FRONT                                            \
	(1u << ROLE_HOSTLINK | 1u << ROLE_VERIFIER |           \
	    1u << ROLE_GUEST_SERVICE | 1u << ROLE_TLS |        \
	    1u << ROLE_KUBERNETHES | 1u << ROLE_LIGHTCLIENT)

struct child {
	pid_t pid; /* 0: not started or gone */
	int log;   /* its standard output and error; -1 */
	bool ready;
	char line[LOG_LINE_MAX]; /* a line that has not ended yet */
	size_t len;
};

struct watch {
	struct plan *plan;
	struct child child[ROLE_COUNT];
	int stop;     /* a byte of the host there asks for the end; -1 */
	bool all_ready;
	bool ending;  /* roles are asked to end, and may */
	bool asked;   /* the host has asked for the end, whenever it was */
	bool holds;   /* keyd has a secret that the network may depend on */
	bool joined;  /* and the chain says so: it is in use */
	unsigned down;       /* roles that are to start anew, a bit each */
	unsigned told;       /* those whose failure was told */
	int64_t revive_at;   /* when; 0: none is to */
	int64_t backoff;     /* ms, of the last time */
	int64_t revived;     /* when that was */
};

/* Start a role and remember it. */
DSTACK_CHECKED enum dstack_status watch_start(
    struct watch *w, enum role r, struct why *why);
/* Wait for the ready packet of one role. */
DSTACK_CHECKED enum dstack_status watch_ready(
    struct watch *w, enum role r, int wait_ms, struct why *why);
/*
 * One wait of at most wait_ms and all that is there after it: what roles say,
 * their packets, their ends, the host's wish (w->asked).
 * Not DSTACK_OK: a role has failed that the guest cannot go on without.
 */
DSTACK_CHECKED enum dstack_status watch_turn(
    struct watch *w, int sigfd, int wait_ms, struct why *why);
/* Did the host ask for the end by the port that is there for it? w->asked. */
void watch_port(struct watch *w);
/*
 * Role r has failed, why has the reason. True: the guest goes on, it is told
 * and noted in w->down and w->revive_at. False: this ends it. (A role that has
 * done its duty and ended has not failed.)
 */
bool watch_failed(struct watch *w, enum role r, const struct why *why);
/*
 * The roles, a bit each, are to start anew after a pause, which is longer each
 * time that they soon fail again. Its seconds.
 */
int watch_later(struct watch *w, unsigned roles);
/*
 * SIGTERM to a role, whose duty's end is its own to make, and SIGKILL if that
 * takes longer than wait_ms (false). Meanwhile all roles are read as ever;
 * another's failure is told and changes nothing.
 */
bool watch_end(struct watch *w, int sigfd, enum role r, int wait_ms);

/*
 * Is this VM's clock (seconds since 1970) behind the chain's by more than
 * blocks may be?
 */
bool watch_clock_behind(uint64_t chain, int64_t here);

/* Milliseconds of a clock that goes on in any case. */
int64_t watch_now(void);

/* "dstack: phase NAME t=MS" on the console; MS since the machine started. */
void watch_phase(const char *name);
/* Is it a phase the host may learn of (docs/internals.md section 1.2)? */
bool watch_phase_known(const char *name);

#endif
