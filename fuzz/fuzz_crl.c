/* SPDX-License-Identifier: Apache-2.0 */
/* Revocation lists: what is parsed must list its own serials. */
#include "dcap/crl.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct der_span s = { data, size };
	struct crl c;
	if (crl_parse(s, &c) != DSTACK_OK)
		return 0;
	for (size_t i = 0; i < c.count; i++)
		if (!crl_lists(&c, c.serial[i]))
			__builtin_trap();
	crl_free(&c);
	return 0;
}
