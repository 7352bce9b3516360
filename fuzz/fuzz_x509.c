/* SPDX-License-Identifier: Apache-2.0 */
/* PEM chains (first byte 1) and single DER certificates. */
#include "dcap/x509.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct why why;
	if (size == 0)
		return 0;
	if (data[0] == 1) {
		struct x509_chain chain;
		if (x509_chain_parse(data + 1, size - 1, &chain, &why) ==
		    DSTACK_OK && chain.count == 0)
			__builtin_trap();
		return 0;
	}
	struct der_span s = { data, size };
	struct x509_cert c;
	if (x509_parse(s, &c, &why) == DSTACK_OK &&
	    c.signed_part.tbs.n + c.serial.n > 2 * size)
		__builtin_trap();
	return 0;
}
