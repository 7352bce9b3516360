/* SPDX-License-Identifier: Apache-2.0 */
/* A manifest that is taken is written back as the same bytes. */
#include <string.h>

#include "oci/manifest.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	AUTO_MANIFEST struct manifest m = { .nservices = 0 };
	AUTO_FREE char *text = NULL;
	struct why why = { "" };
	if (manifest_parse(p, n, &m, &why) != DSTACK_OK)
		return 0;
	if (manifest_write(&m, &text, &why) != DSTACK_OK ||
	    strlen(text) != n || memcmp(text, p, n) != 0)
		__builtin_trap();
	return 0;
}
