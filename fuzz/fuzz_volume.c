/* SPDX-License-Identifier: Apache-2.0 */
/* Volume record: two copies from a hostile disk, keys included. */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "protocol/volume.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t block[VOLUME_BLOCK] = { 0 };
	uint8_t uuid[16];
	struct secret32 key = { { 7 } };
	struct volume_record r;
	memcpy(block, data, size < sizeof(block) ? size : sizeof(block));
	(void)volume_uuid(block, uuid);
	if (volume_decode(block, &key, &r) == DSTACK_OK) {
		uint8_t again[VOLUME_BLOCK];
		volume_encode(&r, &key, again);
		if (memcmp(block, again, sizeof(block)) != 0)
			__builtin_trap(); /* one meaning, one encoding */
	}
	return 0;
}
