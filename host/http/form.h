/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bodies of /bootstrap and /register as forms (promise 13): the members of
 * the JSON message as fields, those of the statement among the others, as in
 * epoch=0&node=0x...&sig=0x...&collateral={...}. application/x-www-form-
 * urlencoded of the URL Standard. Pure; the bytes are a stranger's.
 */
#ifndef HOST_FORM_H
#define HOST_FORM_H

#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"
#include "base/wr.h"

/* JSON begins with a brace; no form does. */
bool form_is(const void *body, size_t len);

/*
 * The message as JSON text, appended to out; what it says is for its parser
 * (protocol/messages.h) to judge. inner: "bootstrap" or "register".
 * DSTACK_E_FORMAT: no form, or a field twice.
 */
DSTACK_CHECKED enum dstack_status form_json(const char *inner,
    const void *body, size_t len, struct wr *out, struct why *why);

#endif
