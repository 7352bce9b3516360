/* SPDX-License-Identifier: Apache-2.0 */
/* Return data read as (bytes,uint64,address,bool); bytes stay in bounds. */
#include <stdlib.h>

#include "eth/abi.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct rd r = rd_over(data, n);
	const struct rd base = r;
	const uint8_t *p;
	size_t len;
	uint64_t u;
	uint8_t a[20];
	bool b;
	if (abi_rd_bytes(&r, &base, 4096, &p, &len) == DSTACK_OK) {
		volatile uint8_t sink = 0;
		if (len > 4096)
			abort();
		for (size_t i = 0; i < len; i++)
			sink = (uint8_t)(sink ^ p[i]);
	}
	if (abi_rd_u64(&r, &u) == DSTACK_OK &&
	    abi_rd_addr(&r, a) == DSTACK_OK && abi_rd_bool(&r, &b) == DSTACK_OK &&
	    r.pos > n)
		abort();
	return 0;
}
