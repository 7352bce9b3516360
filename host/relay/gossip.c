/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The relay's wire, from the side of those who use it: push one JSON text, and
 * take a line of the stream apart. Whoever can reach the relay may put anything
 * on it, so a line is bounded in depth before it is parsed (the parser
 * recurses), and only an object under "data" is a message; what is in it,
 * others judge.
 */
#include "host/relay/gossip.h"

#include <stdio.h>
#include <string.h>

#include <jansson.h>

#include "base/wr.h"
#include "host/base/config.h"
#include "host/http/client.h"
#include "host/relay/pubsub.h"

enum dstack_status
gossip_push(const char *pubsub_url, const char *text, struct why *why)
{
	char url[CONFIG_TEXT + 8];
	unsigned status = 0;
	AUTO_WR struct wr answer = wr_new(4096);

	(void)snprintf(url, sizeof(url), "%s/push", pubsub_url);
	struct http_request q = { .url = url,
		.body = text,
		.bodylen = strlen(text),
		.max = 4096,
		.timeout_ms = 5000 };
	enum dstack_status st = http_do(&q, &status, &answer, NULL, why);
	if (st != DSTACK_OK) { /* the onboarder's listener says so */
		why->text[0] = '\0';
		return DSTACK_E_MISSING;
	}
	if (status != 200)
		return why_set(why, DSTACK_E_MISSING,
		    "relay: it answered HTTP %u; check PUBSUB_URL", status);
	return DSTACK_OK;
}

enum dstack_status
gossip_unwrap(const char *line, size_t len, char **text, struct why *why)
{
	if (!json_depth_within(line, len, PUBSUB_DEPTH_MAX + 1))
		return why_set(why, DSTACK_E_LIMIT, "nested too deep");
	json_t *v = json_loadb(
	    line, len, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, NULL);
	bool keepalive = json_is_string(v) && json_string_length(v) == 0;
	json_t *data = json_object_get(v, "data");
	if (json_is_object(data))
		*text = json_dumps(data, JSON_COMPACT);
	json_decref(v);
	/* The empty string: the relay says that it is still there. */
	if (keepalive)
		return DSTACK_E_BUSY;
	if (*text == NULL)
		return why_set(
		    why, DSTACK_E_FORMAT, "not {\"data\":{...}}");
	return DSTACK_OK;
}
