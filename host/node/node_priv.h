/* SPDX-License-Identifier: Apache-2.0 */
/* Inside the node runner. */
#ifndef HOST_NODE_PRIV_H
#define HOST_NODE_PRIV_H

#include "host/node/node.h"
#include "host/chain/rpc_client.h"
#include "host/vm/vm.h"
#include "sim/teed.h"

/* Paths a node uses; texts owned by the struct. */
struct node_paths {
	char kernel[CONFIG_TEXT + 32];
	char initrd[CONFIG_TEXT + 32]; /* "" with no_vm */
	char cmdline[CONFIG_TEXT + 32];
	char netcfg[CONFIG_TEXT + 32];
	char image[CONFIG_TEXT + 32]; /* IMAGE_DIR/sim or IMAGE_DIR/tdx */
	char link[CONFIG_TEXT + 32];
	char tee[CONFIG_TEXT + 32];
	char console[CONFIG_TEXT + 32];
	char disk[CONFIG_TEXT + 48];
	char volume[CONFIG_TEXT + 32]; /* folder, no_vm */
	char platform[64];
};
DSTACK_CHECKED enum dstack_status node_paths(const struct node_options *o,
    struct node_paths *out, struct why *why);
void node_teed_options(const struct node_options *o,
    const struct node_paths *p, struct teed_options *out);

/*
 * What can be told before anything is started: chain id, contract's code,
 * netcfg, ports, image. One line each. relocked: as of image_check.
 */
DSTACK_CHECKED enum dstack_status node_check(const struct node_options *o,
    const struct node_paths *p, struct rpc *rpc,
    char relocked[static 17], struct why *why);

#define IMAGE_DAY 17 /* "20261127T120000Z" and NUL */

/*
 * The parts of the image in dir are those of its manifest.json. relocked: the
 * day of its packages where they are not those of the tree's lock file, or "".
 */
DSTACK_CHECKED enum dstack_status image_check(
    const char *dir, char relocked[static IMAGE_DAY], struct why *why);

DSTACK_CHECKED enum dstack_status node_status_write(
    const char *state_dir, const struct node_status *s, struct why *why);

#endif
