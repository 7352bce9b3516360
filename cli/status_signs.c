/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The host's list is checked here as a guest checks it: by its signatures.
 * How old a sign is says the block that it names.
 */
#include "cli/status_signs.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "base/own.h"
#include "crypto/secp.h"
#include "eth/rpc.h"
#include "host/http/client.h"
#include "protocol/link.h"

#define SHOWN 32u

static json_t *
time_of(struct rpc *rpc, const uint8_t hash[static 32])
{
	json_t *v = NULL;
	struct eth_header h;
	struct why why = { "" };
	bool ok = rpc_call(rpc, "eth_getBlockByHash",
		      json_pack("[o,b]", eth_json_hex(hash, 32), 0), &v,
		      &why) == DSTACK_OK &&
	    eth_header_from_json(v, &h, &why) == DSTACK_OK &&
	    memcmp(h.hash, hash, 32) == 0;

	json_decref(v);
	return ok ? json_integer((json_int_t)h.timestamp) : json_null();
}

json_t *
status_signs(const char *service, const struct signs_of *of, struct rpc *rpc)
{
	static struct msg_heartbeat m[SHOWN];
	char url[120];
	char node[43];
	unsigned status = 0;
	AUTO_WR struct wr out = wr_new(LINK_MAX_BODY);
	struct http_request q = { .url = url,
		.max = LINK_MAX_BODY,
		.timeout_ms = 3000 };

	(void)snprintf(url, sizeof(url), "%s/signs", service);
	if (http_do(&q, &status, &out, NULL, NULL) != DSTACK_OK ||
	    status != 200)
		return json_null();
	size_t n = signs_take(out.buf, out.len, of, NULL, m, SHOWN);
	json_t *list = json_array();
	for (size_t i = 0; i < n; i++) {
		eip55(m[i].s.node, node);
		(void)json_array_append_new(list,
		    json_pack("{s:s,s:I,s:o}", "node", node, "block",
			(json_int_t)m[i].s.anchor_number, "time",
			time_of(rpc, m[i].s.anchor_hash)));
	}
	return list;
}

void
status_signs_print(const json_t *signs, const char *self)
{
	size_t i;
	const json_t *v;
	bool any = false;

	if (!json_is_array(signs)) {
		printf("  hears       not known\n");
		return;
	}
	json_array_foreach (signs, i, v) {
		const char *node =
		    json_string_value(json_object_get(v, "node"));
		const json_t *t = json_object_get(v, "time");
		if (node == NULL || strcasecmp(node, self) == 0)
			continue;
		printf("  hears       %s", node);
		if (json_is_integer(t))
			printf(", %lld s ago",
			    (long long)(time(NULL) - json_integer_value(t)));
		printf("\n");
		any = true;
	}
	if (!any)
		printf("  hears       no other node\n");
}
