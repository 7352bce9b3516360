/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How init starts a role: the edges between roles, the descriptors each is
 * born with (docs/internals.md section 1.3), its uid and what it loses.
 */
#ifndef GUEST_SPAWN_H
#define GUEST_SPAWN_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/status.h"
#include "guest/base/role.h"

#define SPAWN_UID 1000u /* + index of the role */

/* Everything init holds; every descriptor is owned by init, -1 none. */
struct plan {
	bool no_vm;
	int self;   /* this program */
	int null;   /* /dev/null */
	int nonet;  /* a network namespace without any link */
	int netcfg; /* sealed memfd */
	int view;   /* memfd of lightclient, for all its lives */
	int link;
	int tee;
	int disk;
	int egress; /* network namespace of the way out */
	int control;
	int public;
	int edge[ROLE_COUNT][ROLE_COUNT]; /* [a][b]: a's end of its edge to b */
};

/* All descriptors -1. */
void plan_init(struct plan *p);
/*
 * Make every edge that role_may_ask allows and that ends at one of roles, a
 * bit each, anew.
 */
#define PLAN_ALL ((1u << ROLE_COUNT) - 1u)
DSTACK_CHECKED enum dstack_status plan_edges(
    struct plan *p, unsigned roles, struct why *why);
/*
 * Once they all run: close the roles' ends of the edges, so that each sees its
 * peer's end.
 */
void plan_close(struct plan *p);
/* The descriptor moved above those that roles are born with; fd is closed. */
int plan_high(int fd);

/*
 * Start role r. *pid; *log: the read end of its standard output and error,
 * non-blocking, owned by the caller.
 */
DSTACK_CHECKED enum dstack_status spawn_role(const struct plan *p,
    enum role r, pid_t *pid, int *log, struct why *why);

#endif
