/* SPDX-License-Identifier: Apache-2.0 */
/* Reading an app's log out of the folders where its nodes' hosts keep it. */
#ifndef CLI_LOGS_H
#define CLI_LOGS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/secret.h"
#include "cli/usage.h"
#include "protocol/applog.h"

/* Where a start of a guest's runner is at: what was shown of it so far. */
struct logs_boot {
	uint8_t boot[16];
	uint64_t next;    /* number of the batch that comes next */
	uint8_t hash[32]; /* of the frame before it; zero: number 0 */
};

struct logs_file {
	ino_t ino;
	off_t done; /* bytes that were read */
	bool broken;
};

/* One node's folder, followed. */
struct logs {
	int dir; /* of host_volume/logs; -1: not there yet */
	const char *path;
	const struct secret32 *key; /* NULL: none */
	struct logs_boot *boot;
	size_t boots;
	struct logs_file *file;
	size_t files;
	bool wrong; /* something is missing, altered or does not open */
	/* A line to show; text has neither LF nor control characters. */
	void (*line)(void *ctx, uint64_t ms, uint64_t version,
	    enum applog_from from, const char *text);
	/* What is wrong, in a line. */
	void (*fault)(void *ctx, const char *text);
	void *ctx;
};

/*
 * Show what is new since the last call. DSTACK_E_SYS: it cannot be read;
 * DSTACK_E_NOMEM. A folder that is not there is an empty log.
 */
DSTACK_CHECKED enum dstack_status logs_read(
    struct logs *l, struct why *why);
void logs_free(struct logs *l);

/* dstack app logs; argv[0] is the verb. */
int app_logs(const struct usage *u, int argc, char **argv);

#endif
