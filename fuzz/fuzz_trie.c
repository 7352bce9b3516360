/* SPDX-License-Identifier: Apache-2.0 */
/*
 * eth_getProof answers. The state root is taken from the first node given,
 * so that the walk goes on past it; the account's storage root likewise
 * comes out of what is read. No answer may prove a value without nodes.
 */
#include <stdlib.h>
#include <string.h>

#include "crypto/hash.h"
#include "eth/rpc.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static const uint8_t addr[20] = { 0x42, 0x42, 0x42, 0x42, 0x42, 0x42,
		0x42, 0x42, 0x42, 0x42, 0x42, 0x42, 0x42, 0x42, 0x42, 0x42, 0x42,
		0x42, 0x42, 0x42 };
	static const uint8_t slot[2][32] = { { 0 }, { 1 } };
	uint8_t root[32] = { 0 };
	uint8_t values[2][32];
	struct eth_account a;
	struct why why;
	json_t *j = json_loadb(
	    (const char *)data, n, JSON_REJECT_DUPLICATES, NULL);
	if (j == NULL)
		return 0;
	const json_t *list = json_object_get(j, "accountProof");
	AUTO_WR struct wr first = wr_new(0);
	if (eth_json_data(json_array_get(list, 0), 2048, &first) == DSTACK_OK)
		keccak256(first.buf, first.len, root);
	size_t count =
	    json_array_size(json_object_get(j, "storageProof")) == 2 ? 2 : 0;
	if (eth_check_proof(
	        j, root, addr, slot, count, &a, values, &why) == DSTACK_OK) {
		static const uint8_t zero[32];
		if (json_array_size(list) == 0)
			abort();
		for (size_t i = 0; i < count && !a.exists; i++) {
			if (memcmp(values[i], zero, 32) != 0)
				abort();
		}
	}
	json_decref(j);
	return 0;
}
