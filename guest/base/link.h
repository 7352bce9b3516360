/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The host as the roles see it: one call through hostlink, which knows which
 * paths each role may ask (docs/internals.md sections 1.3 and 2). Everything
 * that comes back is the host's word.
 */
#ifndef GUEST_LINK_H
#define GUEST_LINK_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "base/wr.h"
#include "protocol/link.h"

#define HOSTLINK_CALL 1

/*
 * Ask the host for path with a body of len bytes over the edge to hostlink;
 * *status as HTTP, body appended to out. DSTACK_E_MISSING: the host did not
 * answer; DSTACK_E_REJECTED: hostlink does not let this role ask that path.
 */
DSTACK_CHECKED enum dstack_status link_call(int edge, const char *path,
    const void *body, size_t len, uint16_t *status, struct wr *out,
    struct why *why);

/* As link_call; any status but 200 is DSTACK_E_MISSING with the host's text. */
DSTACK_CHECKED enum dstack_status link_fetch(int edge, const char *path,
    const void *body, size_t len, struct wr *out, struct why *why);

#endif
