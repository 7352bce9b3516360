/* SPDX-License-Identifier: Apache-2.0 */
/* PEM (RFC 7468, strict form): one block after the other from a cursor. */
#ifndef DCAP_PEM_H
#define DCAP_PEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/rd.h"

/*
 * The next block, which must have this label ("CERTIFICATE"), decoded to
 * out (cap bytes). White space before and after it is skipped.
 */
DSTACK_CHECKED enum dstack_status pem_take(struct rd *r, const char *label,
    uint8_t *out, size_t cap, size_t *len);
/* Is nothing but white space, then zero bytes, left? */
bool pem_at_end(const struct rd *r);

#endif
