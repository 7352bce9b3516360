/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers as they come from the network, then their result as a block, a
 * quantity and data. What reads as one of these writes back the same.
 */
#include <stdlib.h>
#include <string.h>

#include "eth/rpc.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct why why;
	struct eth_header h;
	json_t *r = NULL;
	uint64_t u;
	uint8_t w[32];
	AUTO_WR struct wr d = wr_new(0);
	struct eth_rpc_ask ask[2] = { { .method = "a" }, { .method = "b" } };
	if (eth_rpc_batch_results(data, n, ask, 2, &why) == DSTACK_OK &&
	    (ask[0].result == NULL || ask[1].result == NULL))
		abort();
	json_decref(ask[0].result);
	json_decref(ask[1].result);
	enum dstack_status st = eth_rpc_result(data, n, &r, &why);
	if (st != DSTACK_OK) {
		if (r != NULL || why.text[0] == '\0')
			abort();
		return 0;
	}
	if (eth_json_u64(r, &u) == DSTACK_OK) {
		json_t *back = eth_json_quantity(u);
		if (back == NULL || strcasecmp(json_string_value(back),
		                        json_string_value(r)) != 0)
			abort();
		json_decref(back);
	}
	if (eth_json_u256(r, w) == DSTACK_OK && json_string_length(r) > 66)
		abort();
	if (eth_json_data(r, 1024, &d) == DSTACK_OK) {
		json_t *back = eth_json_hex(d.buf, d.len);
		if (back == NULL || strcasecmp(json_string_value(back),
		                        json_string_value(r)) != 0)
			abort();
		json_decref(back);
	}
	if (eth_header_from_json(r, &h, &why) == DSTACK_OK &&
	    json_array_size(json_object_get(r, "hash")) != 0)
		abort();
	json_decref(r);
	return 0;
}
