/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Strict reading of JSON members with jansson: the member is there, of the
 * type and in the range asked for, or DSTACK_E_FORMAT and why says which.
 */
#ifndef DCAP_JSON_H
#define DCAP_JSON_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#include "base/own.h"
#include "base/status.h"
#include "dcap/when.h"
#include "dstack/dcap.h"

static inline void
own_json(json_t **j)
{
	json_decref(*j);
}
#define AUTO_JSON OWN_CLEANUP(own_json)

/* One object that fills text, no member twice. NULL: why says it. */
json_t *jget_parse(const void *text, size_t len, struct why *why);

DSTACK_CHECKED enum dstack_status jget_uint(const json_t *o, const char *name,
    uint64_t max, uint64_t *out, struct why *why);
DSTACK_CHECKED enum dstack_status jget_text(const json_t *o, const char *name,
    const char **out, struct why *why);
/* Exactly n bytes in hex of either case. */
DSTACK_CHECKED enum dstack_status jget_hex(const json_t *o, const char *name,
    void *out, size_t n, struct why *why);
DSTACK_CHECKED enum dstack_status jget_object(const json_t *o,
    const char *name, const json_t **out, struct why *why);
/* At most max elements. */
DSTACK_CHECKED enum dstack_status jget_array(const json_t *o,
    const char *name, size_t max, const json_t **out, struct why *why);
/* "2024-03-13T00:00:00Z"; text may be NULL. */
DSTACK_CHECKED enum dstack_status jget_date(const json_t *o, const char *name,
    int64_t *out, char text[DCAP_DATE_LEN], struct why *why);
/* A document's issueDate and nextUpdate. */
DSTACK_CHECKED enum dstack_status jget_window(
    const json_t *o, struct window *out, struct why *why);

#endif
