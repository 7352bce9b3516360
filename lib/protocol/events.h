/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The typed chain of RTMR3 (docs/internals.md section 1.3, THREATS T17, T39).
 * An event's digest is SHA-384("dstack2/ev/v1" || len8(name) || name ||
 * len32(data) || data); the register becomes SHA-384(register || digest).
 * There is no event log that a verifier reads: it rebuilds what it expects.
 *
 * netcfg      SHA-384 of the netcfg text, 48 bytes
 * join-ready  empty; replication quotes are taken here
 * joined      epoch u64 || xPub 20
 * app         appId 32 || image digest 32 || version u64
 * app-start   empty
 * app-event   appId 32 || text name || blob payload (wr.h): the app's own,
 *             with what it likes in it; EVENT_APP_NAME_MAX bytes of name,
 *             EVENT_APP_PAYLOAD_MAX of payload
 */
#ifndef PROTOCOL_EVENTS_H
#define PROTOCOL_EVENTS_H

#include <stddef.h>
#include <stdint.h>

#define EVENT_NAME_MAX 32
#define EVENT_APP_NAME_MAX 64
#define EVENT_APP_PAYLOAD_MAX 1024
#define EVENT_DATA_MAX \
	(32 + 4 + EVENT_APP_NAME_MAX + 4 + EVENT_APP_PAYLOAD_MAX)

/* name: at most EVENT_NAME_MAX characters. */
void event_digest(
    const char *name, const void *data, uint32_t len, uint8_t out[static 48]);
/* rtmr = SHA-384(rtmr || digest). */
void event_extend(uint8_t rtmr[static 48], const uint8_t digest[static 48]);

/* RTMR3 of a guest that may join: netcfg and join-ready from zero. */
void event_join_rtmr3(
    const uint8_t netcfg_sha384[static 48], uint8_t out[static 48]);

#endif
