/* SPDX-License-Identifier: Apache-2.0 */
/* Event logs: bounded, and the end is inside. */
#include "dcap/ccel.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t rtmr[4][48];
	size_t used;
	unsigned events;
	struct why why;
	if (dcap_ccel_replay(
	    data, size, rtmr, &used, &events, &why) == DSTACK_OK &&
	    (used > size || events > CCEL_MAX_EVENTS))
		__builtin_trap();
	return 0;
}
