/* SPDX-License-Identifier: Apache-2.0 */
/* What beacon nodes answer, from one of several of them. */
#ifndef HOST_BEACON_FETCH_H
#define HOST_BEACON_FETCH_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "base/wr.h"

#define FETCH_MAX_URLS 8

struct fetch {
	const char *url[FETCH_MAX_URLS]; /* borrowed; without a path */
	size_t count;			 /* 1 or more */
	size_t at;			 /* whom to ask */
	int64_t not_before[FETCH_MAX_URLS]; /* as it asked us (Retry-After);
					     * seconds, CLOCK_BOOTTIME */
	const atomic_bool *stop; /* set: gives up within a second; or NULL */
	uint64_t requests, bytes; /* asked, got */
};

/*
 * Base URLs, a comma or blanks between them. text is cut in place and must
 * live as long as f. DSTACK_E_FORMAT: not http or https, none, or more than
 * FETCH_MAX_URLS.
 */
DSTACK_CHECKED enum dstack_status fetch_urls(
    struct fetch *f, char *text, struct why *why);

/*
 * GET path ("/eth/v1/...") from the node at f->at, as SSZ if it has that, of
 * at most max bytes; appended to out. DSTACK_E_MISSING: it does not answer,
 * or has it not (404, an empty answer); DSTACK_E_BUSY: it asks for a pause;
 * DSTACK_E_REJECTED: another status.
 */
DSTACK_CHECKED enum dstack_status fetch_get(struct fetch *f,
    const char *path, size_t max, struct wr *out, struct why *why);

/* The next time another node is asked: the next that asked for no pause. */
void fetch_turn(struct fetch *f);

/* Seconds until the node at f->at wants to be asked again; 0: now. */
unsigned fetch_wait(const struct fetch *f);

/* Whom it asks now, for messages: "http://host:port". */
void fetch_whom(const struct fetch *f, char *out, size_t cap);

#endif
