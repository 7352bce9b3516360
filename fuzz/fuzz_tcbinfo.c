/* SPDX-License-Identifier: Apache-2.0 */
/* TCB info text, as after its signature held. */
#include "dcap/tcbinfo.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct tcb_info t;
	enum dcap_code code;
	struct why why;
	if (tcbinfo_parse(data, size, &t, &code, &why) == DSTACK_OK &&
	    t.levels == 0)
		__builtin_trap();
	tcbinfo_free(&t);
	return 0;
}
