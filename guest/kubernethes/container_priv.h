/* SPDX-License-Identifier: Apache-2.0 */
/* The processes behind guest/kubernethes/container.c: namespaces and the runtime. */
#ifndef GUEST_CONTAINER_PRIV_H
#define GUEST_CONTAINER_PRIV_H

#include "guest/kubernethes/container.h"

/* Where the runtime finds the namespaces, below /proc/self/fd. */
#define CONTAINER_FD_USER 10
#define CONTAINER_FD_NET 11
/* Exit code of the child that found no mount namespace for the runtime. */
#define CONTAINER_NO_ROOT 125
/* And the one that could not enter its group. */
#define CONTAINER_NO_GROUP 124

/*
 * A user namespace with the container's ids and a network namespace that it
 * owns; both live as long as their descriptors.
 */
DSTACK_CHECKED enum dstack_status container_namespaces(
    int *user, int *net, struct why *why);
/*
 * In a child, on the way to the runtime. Descriptors first: the two that it
 * joins go to known numbers, out to 1 and 2, and every other one of this role
 * is closed, the edges to other roles with them. Then bounds and group (check:
 * that of a health check), so that nothing of the app ever runs outside of
 * them.
 */
void container_before_runtime(const struct container *c, int out, bool check);
/* The runtime takes the place of the child. */
_Noreturn void container_exec_runtime(char *const argv[]);

/*
 * Run the runtime to its end. out: the app's output, -1 for none. *status:
 * as of waitpid; killed after wait_ms.
 */
DSTACK_CHECKED enum dstack_status container_runtime(const struct container *c,
    int out, int wait_ms, int *status, struct why *why);

/* A process id that the runtime has left in the slot; 0: none. */
pid_t container_read_pid(const struct container *c, const char *name);
/* Parts of container_make: the link at its place, and a file for its root. */
DSTACK_CHECKED enum dstack_status container_link(
    struct container *c, struct why *why);
/* Its resolv.conf: whom it may ask for names, if anybody. */
DSTACK_CHECKED enum dstack_status container_resolver(
    const struct container *c);
DSTACK_CHECKED enum dstack_status container_write_its(
    int dir, const char *name, const char *text);

/*
 * container_volume.c: what of volume (as of container_start) is mounted, and
 * the service's tmpfs, into s->binds. *out: the same, for the caller to free,
 * also after a refusal.
 */
DSTACK_CHECKED enum dstack_status container_volumes(
    const struct container *c, const struct oci_config *cfg,
    const char *volume, struct spec *s, struct spec_bind **out,
    struct why *why);

int container_pidfd(pid_t pid); /* -1 and errno */
int container_signal(int pidfd, int sig);

#endif
