/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What ran in the VM of an app's quote. The log comes from whoever shows the
 * quote; lib/protocol replays it, and only one that gives the register which
 * the quote has is told of. All versions of the app that were started are
 * told, since each of them could have used what the VM gave to the next.
 */
#include "cli/quote/log.h"

#include <stdio.h>

#include "base/hex.h"
#include "protocol/eventlog.h"

static json_t *
hex_json(const void *p, size_t n)
{
	char hex[65];
	if (n > 32)
		return NULL;
	hex_encode(p, n, hex);
	return json_string(hex);
}

enum dstack_status
quote_log(const void *json, size_t n, const struct dcap_verdict *v, json_t *o,
    struct why *why)
{
	struct eventlog log;
	if (v->tee != DCAP_TEE_TDX)
		return why_set(why, DSTACK_E_FORMAT,
		    "event log: the quote is not of a trust domain");
	enum dstack_status st = eventlog_replay(json, n, v->rtmr[3], &log, why);
	if (st != DSTACK_OK)
		return st;
	(void)json_object_set_new(
	    o, "events", json_integer((json_int_t)log.events));
	if (log.joined) {
		(void)json_object_set_new(
		    o, "epoch", json_integer((json_int_t)log.epoch));
		(void)json_object_set_new(o, "xpub", hex_json(log.xpub, 20));
	}
	json_t *apps = json_array();
	for (size_t i = 0; i < log.apps; i++) {
		char text[21 + 64 + 1];
		char hex[65];
		hex_encode(log.app[i].digest, 32, hex);
		(void)snprintf(text, sizeof(text), "%llu %s",
		    (unsigned long long)log.app[i].version, hex);
		(void)json_array_append_new(apps, json_string(text));
	}
	if (log.apps > 0)
		(void)json_object_set_new(
		    o, "app_id", hex_json(log.app[0].app_id, 32));
	return json_object_set_new(o, "app_versions", apps) == 0
	    ? DSTACK_OK
	    : DSTACK_E_NOMEM;
}
