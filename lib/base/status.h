/* SPDX-License-Identifier: Apache-2.0 */
/* Names of results, and how a reason is written: see dstack/status.h. */
#ifndef BASE_STATUS_H
#define BASE_STATUS_H

#include <stdarg.h>

#include "dstack/status.h"

/* A short English name of a status, never NULL. */
const char *dstack_status_text(enum dstack_status st);

/*
 * Set the reason; why may be NULL. Control characters that come out of
 * foreign text are replaced by '?'. Returns st, so that a check reads
 * "return why_set(why, DSTACK_E_REJECTED, ...)".
 */
enum dstack_status why_set(struct why *why, enum dstack_status st,
    const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* Put "context: " before the reason that is there. Returns st. */
enum dstack_status why_wrap(struct why *why, enum dstack_status st,
    const char *fmt, ...) __attribute__((format(printf, 3, 4)));

#endif
