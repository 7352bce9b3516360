/* SPDX-License-Identifier: Apache-2.0 */
/* Hexadecimal text, strict: even length, no spaces; "0x" only where asked. */
#ifndef BASE_HEX_H
#define BASE_HEX_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

/* Lower case, no 0x, with NUL: out holds 2 * n + 1 bytes. */
void hex_encode(const void *p, size_t n, char *out);

/*
 * Exactly n bytes from text of textlen characters, either case; "0x" before
 * it is allowed. DSTACK_E_FORMAT: other length or a character that is no
 * hex digit; out is then untouched.
 */
DSTACK_CHECKED enum dstack_status hex_decode(
    const char *text, size_t textlen, void *out, size_t n);

/* As hex_decode for any length up to cap bytes; *n gets the count. */
DSTACK_CHECKED enum dstack_status hex_decode_var(
    const char *text, size_t textlen, void *out, size_t cap, size_t *n);

#endif
