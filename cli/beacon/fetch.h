/* SPDX-License-Identifier: Apache-2.0 */
/* What beacon nodes answer, from one of several of them. */
#ifndef CLI_BEACON_FETCH_H
#define CLI_BEACON_FETCH_H

#include <stddef.h>

#include "base/status.h"
#include "base/wr.h"

#define FETCH_MAX_URLS 8

struct fetch {
	const char *url[FETCH_MAX_URLS]; /* borrowed; without a path */
	size_t count;			 /* 1 or more */
	size_t at;			 /* whom to ask */
};

/*
 * GET path ("/eth/v1/...") from the node at f->at, as SSZ if it has that, of
 * at most max bytes; appended to out. DSTACK_E_MISSING: it does not answer,
 * or has it not (404, an empty answer); DSTACK_E_REJECTED: another status.
 */
DSTACK_CHECKED enum dstack_status fetch_get(const struct fetch *f,
    const char *path, size_t max, struct wr *out, struct why *why);

/* The next time another node is asked. */
void fetch_turn(struct fetch *f);

/* Whom it asks now, for messages: "http://host:port". */
void fetch_whom(const struct fetch *f, char *out, size_t cap);

#endif
