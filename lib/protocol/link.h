/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Frames of the link between guest and host (docs/internals.md section 2):
 * u32 length of the rest, u32 id, u8 kind, then for a request u8 path length,
 * path, body; for an answer u16 status, body. Both ends treat the other's
 * frames as foreign.
 */
#ifndef PROTOCOL_LINK_H
#define PROTOCOL_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "base/wr.h"

#define LINK_MAX_BODY (160u * 1024)
#define LINK_MAX_PATH 255u
/* Longest rest of a frame, behind its own length word. */
#define LINK_MAX_REST (4u + 1 + 1 + LINK_MAX_PATH + LINK_MAX_BODY)
#define LINK_HEAD 4u

struct link_frame {
	uint32_t id;
	bool answer;
	char path[LINK_MAX_PATH + 1]; /* request only */
	uint16_t status;              /* answer only: as HTTP */
	const uint8_t *body;          /* borrowed from the frame */
	size_t len;
};

/*
 * Length of the rest from the first four bytes. DSTACK_E_LIMIT: longer than
 * LINK_MAX_REST; DSTACK_E_FORMAT: shorter than any frame.
 */
DSTACK_CHECKED enum dstack_status link_rest(
    const uint8_t head[static LINK_HEAD], size_t *len);
/*
 * Decode the rest of a frame. DSTACK_E_FORMAT: unknown kind, a path with a
 * character outside [A-Za-z0-9._/-] or not starting with '/', or a status
 * outside 200..599. DSTACK_E_LIMIT: body over LINK_MAX_BODY.
 */
DSTACK_CHECKED enum dstack_status link_decode(
    const void *rest, size_t len, struct link_frame *out);

/* Append a whole frame. Over a limit: w's status becomes DSTACK_E_LIMIT. */
void link_put_request(
    struct wr *w, uint32_t id, const char *path, const void *body, size_t len);
void link_put_answer(
    struct wr *w, uint32_t id, uint16_t status, const void *body, size_t len);

#endif
