/* SPDX-License-Identifier: Apache-2.0 */
/* Snappy's frames and blocks: what comes out keeps the bound. */
#include <stdlib.h>

#include "cli/beacon/unsnappy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

#define MOST 100000u

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	uint8_t *out = NULL;
	size_t len = 0;
	bool framed = snappy_is_framed(data, n);
	if (unsnappy_framed(data, n, MOST, &out, &len) == DSTACK_OK) {
		if (!framed || len > MOST || out == NULL)
			abort();
		free(out);
	} else if (out != NULL) {
		abort();
	}
	out = NULL;
	if (unsnappy_block(data, n, MOST, &out, &len) == DSTACK_OK) {
		if (len > MOST || out == NULL)
			abort();
		free(out);
	} else if (out != NULL) {
		abort();
	}
	return 0;
}
