/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What apps may take of the VM (cgroup v2): memory, processes, and one share
 * of the processor however many threads they have. The rest is the roles',
 * which an app that leaks or is hostile must not starve (THREATS T38).
 *
 * The group CGROUP_APPS is made by init; each slot has one in it, which
 * kubernethes sets up. Guests without an image (--no-vm) have none, as the
 * machine's groups are not theirs to change.
 *
 * root: where cgroup v2 is mounted, CGROUP_ROOT.
 */
#ifndef GUEST_CGROUP_H
#define GUEST_CGROUP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"

#define CGROUP_ROOT "/sys/fs/cgroup"
#define CGROUP_APPS "apps"
#define CGROUP_PIDS 2048 /* processes and threads of one slot */

/*
 * Bytes that an app may take of free ones, of which its own root, written
 * before it started, takes tree. A quarter of them is left to the roles'
 * bad days and to the next version, 48 MiB at least.
 */
uint64_t cgroup_bytes(uint64_t free, uint64_t tree);
/* MemAvailable of the text of /proc/meminfo; 0: it does not say. */
uint64_t cgroup_available(const char *meminfo);

/* init's part, once. DSTACK_E_SYS: the kernel lacks it; the VM must not run. */
DSTACK_CHECKED enum dstack_status cgroup_prepare(
    const char *root, struct why *why);

/* Kill every process of every app, whoever started it. */
void cgroup_kill(const char *root);

/* Are there groups to use? */
bool cgroup_there(const char *root);
/*
 * The group of a slot: made, and bounded by what cgroup_bytes says. free: as
 * it was before the first app. Both slots together get half of the rest more.
 */
DSTACK_CHECKED enum dstack_status cgroup_slot(const char *root, unsigned slot,
    uint64_t free, uint64_t tree, struct why *why);
/* Move the calling process into it, for good and with all its children. */
bool cgroup_enter(const char *root, unsigned slot);

#endif
