/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Worker threads behind an event loop: run is called on a thread, done on
 * the loop. So the loop never waits for an upstream.
 */
#ifndef HOST_WORK_H
#define HOST_WORK_H

#include <stdbool.h>

#include "base/status.h"

struct event_base;
struct work_pool;

DSTACK_CHECKED enum dstack_status work_new(struct event_base *base,
    unsigned threads, unsigned queue_max, struct work_pool **out);
/*
 * false: the queue is full, nothing is called. done is called exactly once
 * for each job taken, also for one that never ran because the pool ended.
 */
bool work_submit(struct work_pool *p, void (*run)(void *job),
    void (*done)(void *job), void *job);
/* Waits for the jobs that run; calls done for all. From the loop's thread. */
void work_free(struct work_pool *p);

#endif
