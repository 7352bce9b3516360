/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One node's word on the app. Its own record says whether it runs and where
 * its guest's control plane is; the guest says which version serves, how the
 * last process ended and what was refused (guest/service/life_json.c). Both
 * come through the host of that node: it is told for people, and nothing is
 * decided by it but when a push is over. A member that is missing or of
 * another kind reads as not known.
 */
#include "cli/app/look.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli/cmd.h"
#include "host/chain/rpc_client.h"
#include "host/node/node.h"

void
look_span(uint64_t s, char out[static LOOK_SPAN])
{
	if (s < 120)
		(void)snprintf(out, LOOK_SPAN, "%u s", (unsigned)s);
	else if (s < 7200)
		(void)snprintf(out, LOOK_SPAN, "%u min", (unsigned)(s / 60));
	else if (s < 48 * 3600)
		(void)snprintf(out, LOOK_SPAN, "%u h", (unsigned)(s / 3600));
	else
		(void)snprintf(out, LOOK_SPAN, "%u d",
		    (unsigned)(s / 86400 < 1000000 ? s / 86400 : 1000000));
}

/* A member that counts; 0: not there. */
static uint64_t
count(const json_t *o, const char *key)
{
	json_int_t v = json_integer_value(json_object_get(o, key));

	return v > 0 ? (uint64_t)v : 0;
}

static const char *
text(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s != NULL ? s : "";
}

/* What the guest says, judged as to one version. */
static void
judge(const json_t *app, uint64_t version, struct look *l)
{
	const json_t *refused = json_object_get(app, "refused");
	const char *waits = text(app, "waits");
	uint64_t serves = count(app, "serving");
	char span[LOOK_SPAN];

	/* its process too: one that has ended answers nobody, whatever the
	   front is turned to */
	if (serves == version && json_is_true(json_object_get(app, "up"))) {
		look_span(count(app, "since"), span);
		l->state = LOOK_SERVES;
		(void)snprintf(l->line, sizeof(l->line),
		    "serves version %" PRIu64 " for %s", serves, span);
		return;
	}
	if (count(refused, "version") == version) {
		look_span(count(refused, "again"), span);
		l->state = LOOK_REFUSED;
		(void)snprintf(l->line, sizeof(l->line),
		    "refused version %" PRIu64 ": %.220s (tried %" PRIu64
		    " times, %s %s)", version, text(refused, "reason"),
		    count(refused, "tries"),
		    json_is_true(json_object_get(refused, "rests"))
		        ? "rests till host_volume changes or for"
		        : "again in", span);
		return;
	}
	l->state = LOOK_OTHER;
	if (waits[0] != '\0')
		(void)snprintf(l->line, sizeof(l->line), "waits: %.300s", waits);
	else if (serves == version)
		(void)snprintf(l->line, sizeof(l->line), "version %" PRIu64
		    " has ended and is started again", serves);
	else
		(void)snprintf(
		    l->line, sizeof(l->line), "%.200s", text(app, "state"));
}

void
look_at(const char *state, uint64_t version, struct look *l)
{
	struct node_status s;

	*l = (struct look){ .state = LOOK_DOWN };
	if (node_status_read(state, &s, NULL) != DSTACK_OK) {
		(void)snprintf(l->line, sizeof(l->line),
		    "DOWN, no node has run in %.200s", state);
		return;
	}
	/* a VM that stands still does not answer for as long as one waits */
	if (!s.alive || s.trouble[0] != '\0') {
		(void)snprintf(l->line, sizeof(l->line), "%s%s%.250s",
		    s.alive ? "STANDS STILL" : "DOWN",
		    s.alive || s.failed[0] != '\0' ? ": " : "",
		    s.alive ? s.trouble : s.failed);
		return;
	}
	l->state = LOOK_SILENT;
	l->guest = s.control[0] != '\0' ? cmd_guest_status(s.control) : NULL;
	l->app = json_object_get(l->guest, "app");
	if (!json_is_object(l->app)) {
		l->app = NULL;
		(void)snprintf(l->line, sizeof(l->line),
		    "does not answer, phase %s%s%.200s", s.phase,
		    s.said[0] != '\0' ? ": " : "", s.said);
		return;
	}
	judge(l->app, version, l);
}

void
look_free(struct look *l)
{
	json_decref(l->guest);
	l->guest = l->app = NULL;
}

uint64_t
look_time(struct rpc *rpc)
{
	json_t *block = NULL;
	const char *hex = NULL;
	uint64_t at = 0;

	if (rpc_call(rpc, "eth_getBlockByNumber",
	        json_pack("[s,b]", "latest", 0), &block, NULL) == DSTACK_OK)
		hex = json_string_value(json_object_get(block, "timestamp"));
	if (hex != NULL)
		at = strtoull(hex, NULL, 16);
	json_decref(block);
	return at != 0 ? at : (uint64_t)time(NULL);
}
