/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a role gives up before it reads a foreign byte: core dumps, ptrace,
 * new privileges, and every system call that its duty does not need.
 */
#ifndef GUEST_SANDBOX_H
#define GUEST_SANDBOX_H

#include "base/status.h"
#include "guest/base/role.h"

/*
 * Irreversible. Roles not in the table (init, volume, kubernethes: they mount
 * and start programs) lose dumps and ptrace only. A call outside the list
 * fails with EPERM; execve, ptrace, bpf, module and mount calls kill.
 */
DSTACK_CHECKED enum dstack_status sandbox_enter(
    enum role role, struct why *why);

#endif
