/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The log of RTMR3's events as apps get it beside a quote
 * (docs/app-reference.md): a
 * JSON list of {"imr":3,"event_type":N,"digest":HEX,"event":TEXT,
 * "event_payload":HEX}. Nothing in it is believed but what the register of a
 * genuine quote confirms. Pure.
 */
#ifndef PROTOCOL_EVENTLOG_H
#define PROTOCOL_EVENTLOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

/* event_type: whose event it is, and so over which form its digest goes. */
#define EVENTLOG_GUEST 0x64730001u /* events.h, by its name */
#define EVENTLOG_APP 0x64730002u   /* "app-event", by the app's name for it */

#define EVENTLOG_MAX (160u * 1024) /* bytes of JSON */
#define EVENTLOG_APPS 32           /* app events that are told */

struct eventlog {
	size_t events;
	bool joined;
	uint64_t epoch;   /* of joined */
	uint8_t xpub[20];
	/* Every image that was started in this VM, oldest first. */
	size_t apps;
	struct {
		uint8_t app_id[32];
		uint8_t digest[32];
		uint64_t version;
	} app[EVENTLOG_APPS];
};

/*
 * Replay the log; it must give rtmr3. Digests are computed from names and
 * payloads, and those that the log has must be the same.
 * DSTACK_E_LIMIT, DSTACK_E_FORMAT: no such list, or an event that no guest
 * has; DSTACK_E_REJECTED: a digest or the register is another.
 */
DSTACK_CHECKED enum dstack_status eventlog_replay(const void *json, size_t n,
    const uint8_t rtmr3[static 48], struct eventlog *out, struct why *why);

#endif
