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
 * Run the runtime to its end. out: the app's output, -1 for none. *status:
 * as of waitpid; killed after wait_ms.
 */
DSTACK_CHECKED enum dstack_status container_runtime(const struct container *c,
    int out, int wait_ms, int *status, struct why *why);

int container_pidfd(pid_t pid); /* -1 and errno */
int container_signal(int pidfd, int sig);

#endif
