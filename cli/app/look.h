/* SPDX-License-Identifier: Apache-2.0 */
/* What the nodes of a network make of the app, each asked by its own folder. */
#ifndef CLI_LOOK_H
#define CLI_LOOK_H

#include <stdint.h>

#include <jansson.h>

#include "cli/app/where.h"

enum look_state {
	LOOK_DOWN,    /* no node runs there, or its VM stands still */
	LOOK_SILENT,  /* it runs, and its guest does not answer yet */
	LOOK_OTHER,   /* no version or another one serves */
	LOOK_REFUSED, /* the same, and that version was refused */
	LOOK_SERVES,  /* that version serves, and its process is there */
};

struct look {
	enum look_state state;
	json_t *app;    /* "app" of the guest's /status; NULL: not known */
	json_t *guest;  /* all of that; the caller's */
	char line[400]; /* the state in words, with the reason where it has one */
};

/* A node by its STATE_DIR, as to that version. look_free in any case. */
void look_at(const char *state, uint64_t version, struct look *out);
void look_free(struct look *l);

/* The chain's time in seconds; without an answer this machine's. */
uint64_t look_time(struct rpc *rpc);

/* "12 s", "5 min", "3 h", "2 d". */
#define LOOK_SPAN 16
void look_span(uint64_t seconds, char out[static LOOK_SPAN]);

/* dstack app status; argv[0] is the verb. */
int app_status(const struct usage *u, int argc, char **argv);

#endif
