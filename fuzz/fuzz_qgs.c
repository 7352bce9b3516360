/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>

#include "protocol/qgs.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* An answer is refused, or gives a quote that was in it. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct why why = { "" };
	AUTO_WR struct wr out = wr_new(0);
	enum dstack_status st = qgs_answer(data, size, &out, &why);
	assert(st == DSTACK_OK || why.text[0] != '\0');
	assert(st != DSTACK_OK || (out.len > 0 && out.len < size));
	return 0;
}
