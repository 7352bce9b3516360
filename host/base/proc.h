/* SPDX-License-Identifier: Apache-2.0 */
/* Child processes of host programs: started by argument vector, ended by id. */
#ifndef HOST_PROC_H
#define HOST_PROC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/status.h"

/*
 * Start argv[0] (a path) with standard input from /dev/null and both outputs
 * to logfd (-1: /dev/null). It dies with the calling thread unless detach.
 * Signals have their defaults in it. DSTACK_E_SYS: why names the program.
 */
DSTACK_CHECKED enum dstack_status proc_start(
    char *const argv[], int logfd, bool detach, pid_t *pid, struct why *why);

/* Reap without waiting: true once *pid ended (then *pid is 0). */
bool proc_ended(pid_t *pid, int *status);

/*
 * SIGTERM, wait up to wait_ms, SIGKILL, reap. Safe with *pid 0. pid need not
 * be our child (a kept network's): then it is watched by kill(pid, 0).
 */
void proc_stop(pid_t *pid, unsigned wait_ms);

/* "it exited with status 1", "it was killed by signal 9". */
void proc_fate(int status, struct why *out);

/* Monotonic milliseconds. */
uint64_t proc_now_ms(void);
void proc_pause_ms(unsigned ms);

/* Path of this program's folder and name appended; false: too long. */
bool proc_beside_self(const char *name, char *out, size_t cap);

/* Can this TCP address be bound now? Else why has one line. */
DSTACK_CHECKED enum dstack_status proc_port_free(
    const char *host, uint16_t port, struct why *why);

#endif
