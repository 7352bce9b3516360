/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The record of a network that dstack demo keeps: DIR/network.json, and its
 * contract owner's key in DIR/owner.key.
 */
#ifndef CLI_NETWORK_H
#define CLI_NETWORK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"
#include "cli/demo/demo.h"

struct network_info {
	int pid; /* of dstack demo */
	bool alive;
	char rpc[64];
	uint8_t contract[20];
	unsigned nodes;
	bool no_vm;
	char dir[64];
	char ca_file[512];
};

DSTACK_CHECKED enum dstack_status network_save(
    const struct demo *d, struct why *why);
/* DSTACK_E_MISSING: none is recorded. */
DSTACK_CHECKED enum dstack_status network_load(
    const char *dir, struct network_info *out, struct why *why);
/* The same; DSTACK_E_MISSING also where it no longer runs. */
DSTACK_CHECKED enum dstack_status network_running(
    const char *dir, struct network_info *out, struct why *why);
/* Path of the contract owner's key file. */
void network_owner_key(const char *dir, char out[static 100]);
void network_forget(const char *dir);

#endif
