/* SPDX-License-Identifier: Apache-2.0 */
/* The SGX extension of a PCK certificate. */
#include "dcap/pckext.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct der_span s = { data, size };
	struct pck_ext e;
	if (pck_ext_parse(s, &e) == DSTACK_OK && e.sgx_type > 2)
		__builtin_trap();
	return 0;
}
