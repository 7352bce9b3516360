/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the app writes, on its way to whoever may read it: batches of lines
 * (protocol/applog.h) that the host keeps, sealed where the image says so.
 */
#ifndef GUEST_JOURNAL_H
#define GUEST_JOURNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/wr.h"
#include "guest/base/life.h"
#include "oci/oci.h"
#include "protocol/applog.h"

/* Whose lines they are, and what becomes of them. */
struct journal_of {
	struct applog_setting setting;
	bool console; /* to the VM's console too, where the host reads it */
	uint8_t app_id[32];
	uint64_t version;
};
/*
 * As the label of the image says; without one as log_app, of netcfg, says. A
 * label that is not to be shown keeps the console out, too. DSTACK_E_REJECTED:
 * no such value.
 */
DSTACK_CHECKED enum dstack_status journal_of(const struct oci_config *c,
    bool log_app, struct journal_of *out, struct why *why);

struct journal {
	int edge; /* to hostlink */
	bool ready; /* boot is drawn */
	uint8_t boot[16];
	uint64_t number; /* of the next batch */
	uint8_t prev[32];
	struct journal_of of; /* of what is gathered */
	struct wr lines;
	struct wr out;    /* a frame that the host has not taken yet */
	int64_t send_at;  /* when they go out, kube_now() */
	int64_t wait_till; /* the host was slow, or did not take the last */
	int64_t fail_ms;   /* how long that pause was */
	size_t tokens;     /* bytes that may be taken now */
	int64_t tokens_at;
	uint64_t left_out; /* lines since that was told */
};

void journal_begin(struct journal *j, int edge);
/*
 * Take a line, if there is room: over the bounds of rate and size it is left
 * out and counted. Does not wait but for the host to take a batch. False: the
 * rate does not allow it.
 */
bool journal_line(struct journal *j, const struct journal_of *of,
    enum applog_from from, const char *line, size_t n);
/* Send what has waited long enough; all: whatever there is. */
void journal_step(struct journal *j, bool all);
/* Until when a wait may last. */
int64_t journal_wait(const struct journal *j, int64_t until);

#endif
