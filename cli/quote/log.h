/* SPDX-License-Identifier: Apache-2.0 */
/* The event log beside an app's quote, for "dstack quote verify". */
#ifndef CLI_QUOTE_LOG_H
#define CLI_QUOTE_LOG_H

#include <jansson.h>

#include "base/status.h"
#include "dstack/dcap.h"

/*
 * Replay a log to the quote's RTMR3 and add to o what it says: events,
 * epoch, xpub, app_id, and app_versions as "VERSION DIGEST", oldest first.
 * Status as eventlog_replay; o is untouched unless DSTACK_OK.
 */
DSTACK_CHECKED enum dstack_status quote_log(const void *json, size_t n,
    const struct dcap_verdict *v, json_t *o, struct why *why);

#endif
