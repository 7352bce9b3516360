/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the guest tells RTMR3 before it has the secret, and how a verifier
 * computes the same. An event is hashed with its name and the lengths of both
 * parts (frame.h), so no two events have one digest; the register is extended
 * as hardware does it. A newcomer has run exactly two events, its netcfg and
 * join-ready: a quote with any other value in RTMR3 comes from a guest that
 * already ran an app, or never was ours.
 */
#include "protocol/events.h"

#include <assert.h>
#include <string.h>

#include "crypto/hash.h"
#include "protocol/frame.h"

void
event_digest(
    const char *name, const void *data, uint32_t len, uint8_t out[static 48])
{
	const size_t n = strlen(name);
	assert(n <= EVENT_NAME_MAX);
	struct frame f = frame_begin("dstack2/ev/v1");
	frame_len8(&f, name, n);
	frame_len32(&f, data, len);
	frame_sha384(&f, out);
}

void
event_extend(uint8_t rtmr[static 48], const uint8_t digest[static 48])
{
	const struct piece v[] = {{rtmr, 48}, {digest, 48}};
	uint8_t out[48];
	sha384v(v, 2, out);
	memcpy(rtmr, out, sizeof(out));
}

void
event_join_rtmr3(const uint8_t netcfg_sha384[static 48], uint8_t out[static 48])
{
	uint8_t d[48];
	memset(out, 0, 48);
	event_digest("netcfg", netcfg_sha384, 48, d);
	event_extend(out, d);
	/*
	 * The last event before the quote: from then on the register of an
	 * honest guest moves, so this value can't be shown twice in its life.
	 */
	event_digest("join-ready", "", 0, d);
	event_extend(out, d);
}
