/* SPDX-License-Identifier: Apache-2.0 */
/* A text that parses must write back as itself. */
#include <stdlib.h>
#include <string.h>

#include "protocol/netcfg.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct netcfg c;
	AUTO_WR struct wr w = wr_new(0);
	if (netcfg_parse(data, n, &c, NULL) != DSTACK_OK)
		return 0;
	if (netcfg_write(&c, &w, NULL) != DSTACK_OK || w.len != n ||
	    memcmp(w.buf, data, n) != 0)
		abort();
	return 0;
}
