/* SPDX-License-Identifier: Apache-2.0 */
/* A backup file: head and pieces, in order and on the disk. */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "protocol/backup.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct backup b;
	struct why why = { "" };
	uint64_t before = 0;
	if (size < BACKUP_HEAD || backup_open(data, &b, &why) != DSTACK_OK)
		return 0;
	size_t at = BACKUP_HEAD;
	for (;;) {
		uint64_t offset = 0;
		uint32_t n = 0;
		if (size - at < BACKUP_PIECE ||
		    backup_next(&b, data + at, &offset, &n, &why) != DSTACK_OK)
			return 0;
		if (offset < before || offset > b.bytes ||
		    n > b.bytes - offset)
			__builtin_trap(); /* written where it may not be */
		at += BACKUP_PIECE;
		if (n == 0 || size - at < n)
			return 0;
		at += n;
		before = offset + n;
	}
}
