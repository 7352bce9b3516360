/* SPDX-License-Identifier: Apache-2.0 */
/* Dates in text to seconds since the epoch, UTC; strict forms only. */
#ifndef DCAP_WHEN_H
#define DCAP_WHEN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"

/* When a signed thing holds, seconds UTC; both ends are inside. */
struct window {
	int64_t from;
	int64_t to;
};

static inline bool
window_holds(struct window w, int64_t now)
{
	return w.from <= now && now <= w.to;
}

/* "YYYYMMDDHHMMSSZ" */
DSTACK_CHECKED enum dstack_status when_parse_packed(
    const char text[static 16], int64_t *out);
/* "YYYY-MM-DDTHH:MM:SSZ", 20 characters and NUL (RFC 3339, UTC) */
DSTACK_CHECKED enum dstack_status when_parse(const char *text, int64_t *out);

#endif
