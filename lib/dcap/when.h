/* SPDX-License-Identifier: Apache-2.0 */
/* Dates in text to seconds since the epoch, UTC; strict forms only. */
#ifndef DCAP_WHEN_H
#define DCAP_WHEN_H

#include <stdint.h>

#include "base/status.h"

/* "YYYYMMDDHHMMSSZ" */
DSTACK_CHECKED enum dstack_status when_parse_packed(
    const char text[static 16], int64_t *out);
/* "YYYY-MM-DDTHH:MM:SSZ", 20 characters and NUL (RFC 3339, UTC) */
DSTACK_CHECKED enum dstack_status when_parse(const char *text, int64_t *out);

#endif
