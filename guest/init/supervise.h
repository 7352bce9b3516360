/* SPDX-License-Identifier: Apache-2.0 */
/* init's watch over the roles: lifecycle packets, log lines, exits. */
#ifndef GUEST_SUPERVISE_H
#define GUEST_SUPERVISE_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/status.h"
#include "guest/base/role.h"
#include "guest/init/spawn.h"

#define LOG_LINE_MAX 512u

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
	pid_t loader; /* loads the modules that can wait; 0: done */
	bool all_ready;
};

/* Start a role and remember it. */
DSTACK_CHECKED enum dstack_status watch_start(
    struct watch *w, enum role r, struct why *why);
/* Wait for the ready packet of one role. */
DSTACK_CHECKED enum dstack_status watch_ready(
    struct watch *w, enum role r, int wait_ms, struct why *why);
/*
 * Until a role fails or, with sigfd readable for SIGTERM, the end is asked
 * for (DSTACK_OK). sigfd: signalfd of SIGCHLD and SIGTERM.
 */
DSTACK_CHECKED enum dstack_status watch_run(
    struct watch *w, int sigfd, struct why *why);

/* "dstack: phase NAME t=MS" on the console; MS since the machine started. */
void watch_phase(const char *name);
/* Is it a phase the host may learn of (docs/internals.md section 1.2)? */
bool watch_phase_known(const char *name);

#endif
