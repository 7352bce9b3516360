/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What becomes of the app, for its author: which version serves, since when,
 * how often it was started again, how it ended last, and why a version was
 * refused. kubernethes gathers it, guest-service shows it on /status; the host
 * reads it, so the only words of the app in here are its last lines, and those
 * only where the host may have its output.
 */
#ifndef GUEST_LIFE_H
#define GUEST_LIFE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/rd.h"
#include "base/status.h"
#include "base/wr.h"

#define LIFE_TEXT 208  /* bytes of a reason, NUL included */
#define LIFE_TAIL 3400 /* bytes of last lines, NUL included */

/* How a process of the app ended that nobody had asked to. */
struct life_end {
	bool any;
	bool by_signal;
	bool memory;      /* by the kernel, since its bound was reached */
	uint32_t code;    /* exit status, or the signal */
	uint64_t version; /* of the app */
	uint64_t at;      /* CLOCK_BOOTTIME, seconds */
};

/* The version that was refused last. */
struct life_refused {
	uint64_t version; /* 0: none */
	uint32_t tries;
	bool rests;     /* it is not tried again before again */
	uint64_t again; /* when it is tried next; as at */
	char why[LIFE_TEXT];
};

/* One of an app of several; the front is one of them. */
#define LIFE_SERVICES 8
#define LIFE_NAME 33 /* bytes of its name, NUL included */
struct life_service {
	char name[LIFE_NAME];
	bool up;             /* its process is there */
	bool over;           /* it has ended, and nobody starts it again */
	uint64_t since;      /* when that was started; as at */
	uint32_t restarts;
	struct life_end end; /* its last */
	char health[LIFE_TEXT]; /* as of struct life */
};

struct life {
	uint8_t app_id[32]; /* of it; zero: none known */
	uint64_t wanted;   /* by the contract as proven; 0: none known */
	uint64_t serves;   /* version that clients reach; 0: none */
	bool up;           /* its process is there */
	uint64_t since;    /* when that was started; as at */
	uint32_t restarts; /* of it, since it began to serve */
	uint64_t used, bound; /* bytes of its group; 0: not bounded (no VM) */
	struct life_end end;
	struct life_refused refused;
	char tail[LIFE_TAIL];  /* before end, each line with LF, or "" */
	char waits[LIFE_TEXT]; /* what it waits for, or "" */
	/* what its HEALTHCHECK says, "" where it has none: "starting",
	   "healthy", "unhealthy: its check says exit 1" */
	char health[LIFE_TEXT];
	/* of the version that serves, or is tried and does not yet; 0: the
	   app is one image */
	struct life_service service[LIFE_SERVICES];
	uint32_t services;
	uint64_t services_of; /* that version */
};

/* Seconds of the clock that the times above are of. */
uint64_t life_now(void);

void life_put(struct wr *w, const struct life *l);
/*
 * The other end; texts come out printable. DSTACK_E_TRUNCATED,
 * DSTACK_E_LIMIT: not what life_put writes; *l is not to be used.
 */
DSTACK_CHECKED enum dstack_status life_get(struct rd *r, struct life *l);

/* "exit 1", "signal 9, killed as its memory was used up". */
#define LIFE_END_TEXT 64
void life_end_text(const struct life_end *e, char out[static LIFE_END_TEXT]);

#endif
