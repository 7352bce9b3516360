/* SPDX-License-Identifier: Apache-2.0 */
/* Volume record: two copies from a hostile disk, keys included. */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "crypto/hash.h"
#include "protocol/volume.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t block[VOLUME_BLOCK] = { 0 };
	uint8_t uuid[16];
	struct secret32 key = { { 7 } };
	struct volume_record r;
	memcpy(block, data, size < sizeof(block) ? size : sizeof(block));
	struct volume_hint hint;
	struct volume_data_key data_key;
	(void)volume_uuid(block, uuid);
	volume_peek(block, &hint);
	/* the MAC as ours, so that what lies behind it is reached */
	hmac_sha256(key.b, sizeof(key.b), block, VOLUME_BLOCK - 32,
	    block + VOLUME_BLOCK - 32);
	if (volume_decode(block, &key, &r) == DSTACK_OK) {
		if (volume_unwrap(&r, &key, 0, &data_key) == DSTACK_OK)
			__builtin_trap(); /* nobody has that key */
		uint8_t again[VOLUME_BLOCK];
		volume_encode(&r, &key, again);
		if (memcmp(block, again, sizeof(block)) != 0)
			__builtin_trap(); /* one meaning, one encoding */
	}
	return 0;
}
