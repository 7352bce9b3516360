/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One container in one of two slots: its tmpfs, namespaces, link to the
 * guest and first process. The runtime is crun; it sets up, hands over and is
 * gone. An app of several services has as many containers in its slot, the
 * front's being part 0: they share the slot's tmpfs and bounds, and each has
 * namespaces and a link of its own. At place p (container_place) the guest is
 * 10.88.p.1 and the container 10.88.p.2, of part 0 the place is the slot; and
 * where that may go out the namespace of guest/init/egress.h is at 10.89.p.1.
 */
#ifndef GUEST_CONTAINER_H
#define GUEST_CONTAINER_H

#include <stdint.h>
#include <sys/types.h>

#include "guest/kubernethes/oci_spec.h"
#include "oci/manifest.h"

#define CONTAINER_SLOTS 2
#define CONTAINER_BASE "/run/dstack/app"
#ifndef CONTAINER_RUNTIME
#define CONTAINER_RUNTIME "/usr/bin/crun"
#endif
#define CONTAINER_HOST_BYTES (16u << 20) /* of /mnt/host_volume */

struct container {
	unsigned slot;
	unsigned part;
	/* what the manifest says of it, borrowed; NULL: the app is one image */
	const struct manifest_service *service;
	bool own_group; /* within the slot's, bounded on its own */
	bool made;      /* tmpfs and link are there */
	bool stored;    /* its tree is on the volume (store.h) */
	char dir[40];   /* CONTAINER_BASE/SLOT: the runtime's bundle */
	int dirfd;
	int userns, netns;
	int egress;     /* namespace of the way out, not its own; -1: it has none */
	int log;        /* app's output, non-blocking; -1: not wanted */
	pid_t pid;      /* first process; 0: not running */
	int pidfd;
	int stop_signal;
	uint16_t port;
};

static inline unsigned
container_place(const struct container *c)
{
	return c->slot + CONTAINER_SLOTS * c->part;
}

void container_init(struct container *c, unsigned slot);

/*
 * Fresh tmpfs of that many bytes with the folders of the bundle; namespaces
 * and link, and the way out if c->egress was set before. What an earlier container left in the slot is removed.
 */
DSTACK_CHECKED enum dstack_status container_make(
    struct container *c, uint64_t bytes, struct why *why);
/* --- container_part.c: containers of one app beside each other --- */

/*
 * Part (1 to MANIFEST_SERVICES - 1) of a slot whose part 0 was made: folders
 * in its tmpfs, namespaces and a link; egress: as the member of that name. c is
 * set anew; dropped by container_drop, after whose call for part 0 nothing of
 * it is left either.
 */
DSTACK_CHECKED enum dstack_status container_make_part(struct container *c,
    const struct container *first, unsigned part, int egress,
    struct why *why);
/*
 * A wire between each two of n containers of one slot, over which each has
 * the other's address and nothing else; and all names, with these addresses,
 * in each one's /etc/hosts.
 */
DSTACK_CHECKED enum dstack_status container_wire(
    struct container *const *c, size_t n, struct why *why);
/*
 * Groups of their own within the slot's, when all trees are there; free: as
 * of container_bound. Where there are no groups nothing is done.
 */
DSTACK_CHECKED enum dstack_status container_bound_parts(
    struct container *const *c, size_t n, uint64_t free, struct why *why);

/* --- container.c --- */

/*
 * Bound what all in the slot may take, tree and processes together, where
 * there are groups (guest/init/cgroup.h). free: bytes that were free before
 * the first app, of which it gets a part.
 */
DSTACK_CHECKED enum dstack_status container_bound(
    const struct container *c, uint64_t free, struct why *why);
/* Made: its root becomes a folder of the volume (guest/kubernethes/store.h). */
DSTACK_CHECKED enum dstack_status container_store(
    struct container *c, struct why *why);
/* The directory that becomes its root; the caller closes it. */
int container_root(const struct container *c);
/* Listening sockets for the app plane; the caller closes them. */
DSTACK_CHECKED enum dstack_status container_listen(
    const struct container *c, int *tcp, int *local, struct why *why);

/*
 * Run the image's command. volume: the opened volume, NULL for none; its app/
 * becomes /mnt/encrypted_data and the image's USER's, in its volumes/ are the
 * image's VOLUMEs (guest/kubernethes/image_volume.h). want_log: c->log becomes the read end of
 * its output. May be called again when the process has ended. free: as of
 * container_bound.
 */
DSTACK_CHECKED enum dstack_status container_start(struct container *c,
    const struct oci_config *config, const char *volume, bool want_log,
    uint64_t free, struct why *why);
/*
 * One run of the image's health check beside the app, as its user and within
 * its namespaces, bounds and list of calls. out: where it writes. *pid and
 * *pidfd: of a child of this role that ends with the check's code; with
 * another than 0 where it cannot be run; by SIGALRM where it was not over
 * within ms. By then nothing of the check is left. SIGTERM ends it sooner.
 */
DSTACK_CHECKED enum dstack_status container_check(const struct container *c,
    int out, uint32_t ms, pid_t *pid, int *pidfd, struct why *why);
/* Has the first process ended? Then it is reaped and *status is its wait. */
bool container_ended(struct container *c, int *status);
/*
 * One try to connect to the app's port that takes at most wait_ms.
 */
bool container_answers(const struct container *c, int wait_ms);
/* The app's address, in network order. */
uint32_t container_address(const struct container *c);
/* Its stop signal; it has ended once c->pidfd is readable. */
void container_ask(const struct container *c);
/* Stop signal, then SIGKILL after grace_ms. */
void container_stop(struct container *c, int grace_ms);
/* What a role that was ended has left mounted in its slot goes. */
void container_uncover(const struct container *c);
/* Everything of the slot goes. */
void container_drop(struct container *c);

#endif
