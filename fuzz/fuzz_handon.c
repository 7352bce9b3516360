/* SPDX-License-Identifier: Apache-2.0 */
/* What an onboarder seals: what is read is what was written, and no more. */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "protocol/handon.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct secret32 seed = { { 0 } };
	struct handon_view v = { 0 };
	uint64_t epoch = 0;
	AUTO_WR struct wr w = wr_new(0);

	if (handon_pt_get(data, size, &epoch, &seed, &v) != DSTACK_OK) {
		/* a no leaves nothing behind for a caller to use */
		static const struct secret32 none = { { 0 } };
		if (epoch != 0 || memcmp(&seed, &none, sizeof(seed)) != 0 ||
		    !handon_view_none(&v))
			__builtin_trap();
		return 0;
	}
	/* one text for one meaning: written anew it has the same bytes */
	handon_pt_put(&w, epoch, &seed, &v);
	if (w.len != size || memcmp(w.buf, data, size) != 0)
		__builtin_trap();
	return 0;
}
