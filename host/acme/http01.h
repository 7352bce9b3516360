/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers http-01 challenges (RFC 8555 section 8.3) on one port, in a thread
 * of its own, while an order is under way.
 */
#ifndef HOST_ACME_HTTP01_H
#define HOST_ACME_HTTP01_H

#include "base/status.h"

struct http01;

/* listen: "ADDR:PORT". */
DSTACK_CHECKED enum dstack_status http01_start(
    const char *listen, struct http01 **out, struct why *why);
/* From now on /.well-known/acme-challenge/TOKEN answers "TOKEN.THUMB". */
DSTACK_CHECKED enum dstack_status http01_offer(
    struct http01 *h, const char *token, const char *thumb, struct why *why);
void http01_stop(struct http01 *h); /* NULL: nothing */

#endif
