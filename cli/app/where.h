/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which network a verb of `dstack app` is about: the demo that runs here, or
 * the nodes whose host.env are named; their folders, the contract, and the
 * owner's key where it is wanted.
 */
#ifndef CLI_WHERE_H
#define CLI_WHERE_H

#include <stdbool.h>

#include "base/secret.h"
#include "cli/demo/network.h"
#include "cli/usage.h"
#include "host/base/config.h"
#include "host/chain/governance.h"

struct where {
	const char *config[DEMO_NODES_MAX]; /* as the command line names them */
	unsigned configs;
	const char *dir;
	const char *key_file;
	bool no_key; /* nothing is to be signed */
	char volume[DEMO_NODES_MAX][CONFIG_TEXT]; /* host_volume of a node */
	char state[DEMO_NODES_MAX][CONFIG_TEXT];  /* STATE_DIR of that node */
	unsigned nodes;
	struct secret32 key;
	struct gov gov;
};

/* Those of a verb's table of options that where_option takes. */
#define WHERE_OPTIONS                                                          \
	{ "config", 1, NULL, 'c' }, { "key-file", 1, NULL, 'k' },              \
	    { "dir", 1, NULL, 'd' }
/* False: c, with its value in optarg, is none of them. */
bool where_option(struct where *w, const struct usage *u, int c);
/* After the last option: what cannot be together ends the program. */
void where_options_end(const struct where *w, const struct usage *u);

/*
 * Find it: in this order what the options name, the demo of DEMO_DIR, host.env
 * in this folder. The chain is asked for its id. DSTACK_E_REJECTED: two
 * networks, or another chain. where_free also after a failure.
 */
DSTACK_CHECKED enum dstack_status where_find(
    struct where *w, struct why *why);
/* The same, and the chain is not asked: for what only the folders tell. */
DSTACK_CHECKED enum dstack_status where_folders(
    struct where *w, struct why *why);
void where_free(struct where *w);

#endif
