/* SPDX-License-Identifier: Apache-2.0 */
/* A superblock of ext4: size and state, from any bytes. */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "guest/volume/super.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t sb[FS_SUPER] = { 0 };
	struct fs_super s = { 0, false };
	memcpy(sb, data, size < sizeof(sb) ? size : sizeof(sb));
	if (fs_super_read(sb, &s) == DSTACK_OK && s.blocks == 0)
		__builtin_trap(); /* nothing that could be mounted */
	return 0;
}
