/* SPDX-License-Identifier: Apache-2.0 */
/* Collateral JSON; signed PCS answers go through the same bytes. */
#include "dstack/dcap.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct dcap_collateral *c = NULL;
	struct dcap_bytes text;
	struct why why;
	enum dcap_code code;
	uint8_t sig[64];
	if (dcap_collateral_load(data, size, &c, &code, &why) == DSTACK_OK)
		dcap_collateral_free(c);
	else if (code == DCAP_OK)
		__builtin_trap();
	if (dcap_split_signed((const char *)data, size, "tcbInfo", &text,
	    sig) == DSTACK_OK && text.n > size)
		__builtin_trap();
	return 0;
}
