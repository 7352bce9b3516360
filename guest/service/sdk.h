/* SPDX-License-Identifier: Apache-2.0 */
/* Within the role: the calls of the SDK on a container's Unix socket. */
#ifndef GUEST_SERVICE_SDK_H
#define GUEST_SERVICE_SDK_H

#include <event2/http.h>

#include "base/wr.h"
#include "guest/service/service.h"
#include "protocol/sdk.h"

/* Is the request's path one of the SDK's? */
bool sdk_is(struct evhttp_request *req);
/* Answer it, always in JSON, for the app whose listener it came in by. */
void sdk_serve(struct evhttp_request *req, const struct service_app *app);
/* {"error": text}, which is how the SDK's guests say no. */
void sdk_error(struct evhttp_request *req, int code, const char *text);

/*
 * One call: the answer's JSON to out. Not DSTACK_OK: why has the line for the
 * app's author. DSTACK_E_BUSY: not joined yet; DSTACK_E_REJECTED and
 * DSTACK_E_FORMAT: his mistake; else something in here failed.
 */
typedef enum dstack_status sdk_fn(const struct service_app *app,
    const struct sdk_request *q, struct wr *out, struct why *why);
sdk_fn sdk_get_quote, sdk_attest, sdk_tdx_quote, sdk_emit_event, sdk_tls_key;

/* The events of RTMR3 as a JSON list (sdk_quote.c); caller frees. */
DSTACK_CHECKED enum dstack_status sdk_event_log(char **json, struct why *why);
/* A quote over rd, and the log that replays to it; caller frees the log. */
DSTACK_CHECKED enum dstack_status sdk_quote_and_log(
    const uint8_t rd[static 64], struct wr *quote, char **json,
    struct why *why);
/* The certificate of the app's authority, PEM with a NUL (sdk_tls.c). */
DSTACK_CHECKED enum dstack_status sdk_authority(
    const struct service_app *app, struct wr *pem, struct why *why);

#endif
