/* SPDX-License-Identifier: Apache-2.0 */
/* Firmware files: sections stay inside the file, and are hashed in bounds. */
#include "measure/tdvf.h"

#include "base/wr.h"
#include "measure/hob.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct tdvf t;
	struct why why;
	uint8_t mrtd[48];
	AUTO_WR struct wr w = wr_new(0);
	uint64_t total = 0;
	if (tdvf_parse(data, size, &t, &why) != DSTACK_OK)
		return 0;
	for (size_t i = 0; i < t.count; i++) {
		const struct tdvf_section *s = &t.s[i];
		if (s->data != NULL &&
		    (s->data < data || s->size > size ||
			s->data > data + size - s->size))
			__builtin_trap();
		total += s->size;
	}
	if (total < 4096 * 64)
		tdvf_mrtd(&t, mrtd);
	if (hob_build(&t, UINT64_C(4) << 30, &w, &why) == DSTACK_OK &&
	    w.len > t.hob->size)
		__builtin_trap();
	(void)!tdvf_blank(&t, &why);
	return 0;
}
