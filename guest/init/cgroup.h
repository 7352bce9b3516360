/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What apps may take of the VM (cgroup v2): memory, processes, and one share
 * of the processor however many threads they have. The rest is the roles',
 * which an app that leaks or is hostile must not starve (THREATS T38), and
 * which the kernel does not end when memory runs out all the same.
 *
 * init makes two groups: CGROUP_ROLES, which it and all roles are in, and
 * CGROUP_APPS; each slot has one in the latter, which kubernethes sets up.
 * Guests without an image (--no-vm) have none, as the machine's groups are not
 * theirs to change.
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
#define CGROUP_ROLES "roles"
#define CGROUP_PARTS 8    /* services of one app, at most */
#define CGROUP_PIDS 2048 /* processes and threads of one slot */

/*
 * Bytes that an app may take of free ones, its own root with them. A quarter
 * is left to the roles' bad days and to the next version, 48 MiB at least.
 */
uint64_t cgroup_bytes(uint64_t free);
/* MemAvailable of the text of /proc/meminfo; 0: it does not say. */
uint64_t cgroup_available(const char *meminfo);

/*
 * init's part, once: both groups, and itself in that of the roles, which are
 * its children. DSTACK_E_SYS: the kernel lacks it; the VM must not run.
 */
DSTACK_CHECKED enum dstack_status cgroup_prepare(
    const char *root, struct why *why);

/*
 * Whom the kernel ends first when the machine's memory runs out, for the
 * calling process and its children: a role never, an unpacker before an app, and
 * kubernethes, which holds archives, when neither is left.
 * False: this process may not say so.
 */
enum cgroup_rank {
	CGROUP_ROLE = -1000,
	/* kubernethes, which starts anew, before the kernel has nobody left */
	CGROUP_RUNNER = 100,
	CGROUP_APP = 500,
	CGROUP_UNPACKER = 1000,
};
bool cgroup_first_to_go(enum cgroup_rank rank);

/* Kill every process of every app, whoever started it. */
void cgroup_kill(const char *root);

/* Are there groups to use? */
bool cgroup_there(const char *root);
/*
 * The group of a slot: made, and bounded by what cgroup_bytes says. free: as
 * it was before the first app. Both slots together get half of the rest more.
 */
DSTACK_CHECKED enum dstack_status cgroup_slot(
    const char *root, unsigned slot, uint64_t free, struct why *why);
/*
 * The same group while a tree grows in it: beside what it has it may take
 * what available, MemAvailable of now, has over what must stay with the
 * machine. A tree in memory cannot be given back by ending who wrote it, so
 * its own bound must be met before the machine's; called every few
 * milliseconds. Never more than cgroup_bytes(free).
 */
DSTACK_CHECKED enum dstack_status cgroup_unpacking(const char *root,
    unsigned slot, uint64_t free, uint64_t available, struct why *why);
/*
 * What the group of a slot takes and may take, in bytes; 0 and 0: there is
 * none.
 */
void cgroup_usage(
    const char *root, unsigned slot, uint64_t *used, uint64_t *bound);
/*
 * Processes of the slot that the kernel has ended since the group was made, as
 * its bound or the machine's memory was reached; 0 also: there is no group.
 */
uint64_t cgroup_killed(const char *root, unsigned slot);
/* Move the calling process into it, for good and with all its children. */
bool cgroup_enter(const char *root, unsigned slot);
/*
 * The same for one run of a health check, which ends as a whole: whatever it
 * has started is killed. Its bounds are the slot's.
 */
bool cgroup_enter_check(const char *root, unsigned slot, unsigned part);
bool cgroup_kill_check(const char *root, unsigned slot, unsigned part);
/* Is none of it left? Who was killed takes a moment to end. */
bool cgroup_check_empty(const char *root, unsigned slot, unsigned part);

/*
 * A group of its own within the slot's for a service of several, with at most
 * max bytes. From the first on the slot's own group takes no process, so its
 * unpackers have ended.
 */
DSTACK_CHECKED enum dstack_status cgroup_part(const char *root, unsigned slot,
    unsigned part, uint64_t max, struct why *why);
bool cgroup_enter_part(const char *root, unsigned slot, unsigned part);
/* All of these go, as far as no process is in them. */
void cgroup_no_parts(const char *root, unsigned slot);

#endif
