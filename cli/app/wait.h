/* SPDX-License-Identifier: Apache-2.0 */
/* dstack app push after it has proposed: until the nodes serve the version. */
#ifndef CLI_WAIT_H
#define CLI_WAIT_H

#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

#include "cli/app/where.h"

#define WAIT_SECONDS 900 /* where no --timeout says otherwise */

/* Progress for people: one moving line on a terminal, lines elsewhere. */
struct show {
	bool quiet;  /* nothing: the answer is JSON */
	bool moving;
	bool there;  /* a moving line is on the terminal */
};
void show_begin(struct show *s, bool quiet);
/* news: worth a line of its own where the line does not move. */
void show_line(struct show *s, bool news, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
void show_end(struct show *s);

/*
 * Until every node of w that runs serves a, seconds at most. nodes: an array
 * that gets the last word of each, may be NULL. *served: do they?
 * DSTACK_OK with *served false: its notice ends later than that, or none runs.
 * DSTACK_E_REJECTED: a node refused it, went down, or has a newer one.
 * DSTACK_E_BUSY: it took longer.
 */
DSTACK_CHECKED enum dstack_status wait_served(const struct where *w,
    const struct state_app *a, unsigned seconds, struct show *s,
    json_t *nodes, bool *served, struct why *why);

#endif
