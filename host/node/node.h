/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One node: host service and onboarder in this process, the simulated TEE
 * and the guest (a VM, or its roles as processes) as children. What the
 * operator or the demo wants to know of it is in STATE_DIR/node.json.
 */
#ifndef HOST_NODE_H
#define HOST_NODE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"
#include "host/base/config.h"
#include "sim/measure.h"

struct node_options {
	const struct host_config *cfg;
	const char *auditing; /* folder of bootstrap quotes */
	bool no_vm;
};

/*
 * What the simulated TEE will say of this node's guest: for the policy.
 * DSTACK_E_MISSING: the image or netcfg is not there.
 */
DSTACK_CHECKED enum dstack_status node_measure(const struct node_options *o,
    struct sim_measurements *out, struct why *why);

/*
 * Run until SIGINT, SIGTERM or SIGHUP (DSTACK_OK) or until the guest ends
 * (DSTACK_E_REJECTED, with its last line in why). Everything that was
 * started is ended first. DSTACK_E_SYS, DSTACK_E_MISSING: it cannot start.
 */
DSTACK_CHECKED enum dstack_status node_run(
    const struct node_options *o, struct why *why);

/* A node's state as node.json has it. */
#define NODE_PHASES 6
#define NODE_ONBOARDED 3 /* index in node_phases */
struct node_status {
	int pid;
	bool alive; /* is that process still there? */
	uint64_t at_ms[NODE_PHASES]; /* monotonic; 0: not reached */
	char phase[16];              /* the last one */
	char https[80];              /* base URLs */
	char control[80];
	char service[80];
	char guest[8];               /* "kvm", "tcg", "tdx", "no-vm" */
	char relocked[17];           /* day of the image's packages, where that
				      * is not the lock file's, or "" */
	char said[256];              /* a role's last line in this phase, or "" */
	char failed[256];            /* why it ended, "" otherwise */
	char trouble[256];           /* why its VM stands still, or "" */
};
/* "boot", "bootstrap", "register", "onboarded", "volume", "serving" */
extern const char *const node_phases[NODE_PHASES];
/* DSTACK_E_MISSING: no node ran there. */
DSTACK_CHECKED enum dstack_status node_status_read(
    const char *state_dir, struct node_status *out, struct why *why);

#endif
