/* SPDX-License-Identifier: Apache-2.0 */
/* QE identity text, as after its signature held. */
#include "dcap/qeid.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct qe_identity q;
	enum dcap_code code;
	struct why why;
	if (qeid_parse(data, size, &q, &code, &why) == DSTACK_OK &&
	    q.levels.count == 0)
		__builtin_trap();
	qeid_free(&q);
	return 0;
}
