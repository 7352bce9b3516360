/* SPDX-License-Identifier: Apache-2.0 */
/* The data of an Onboarded event, as an RPC endpoint gives it. */
#include <stdlib.h>

#include "host/chain/kmcall.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct msg_onboard m;

	if (km_onboarded(data, n, &m, NULL) == DSTACK_OK &&
	    m.ct.len > n)
		abort();
	msg_onboard_free(&m);
	return 0;
}
