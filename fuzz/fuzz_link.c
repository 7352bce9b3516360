/* SPDX-License-Identifier: Apache-2.0 */
/* A frame that decodes must be put back as the same bytes. */
#include <stdlib.h>
#include <string.h>

#include "protocol/link.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct link_frame f;
	AUTO_WR struct wr w = wr_new(0);
	if (link_decode(data, n, &f) != DSTACK_OK)
		return 0;
	if (f.answer)
		link_put_answer(&w, f.id, f.status, f.body, f.len);
	else
		link_put_request(&w, f.id, f.path, f.body, f.len);
	if (wr_status(&w) != DSTACK_OK || w.len != n + LINK_HEAD ||
	    memcmp(w.buf + LINK_HEAD, data, n) != 0)
		abort();
	return 0;
}
