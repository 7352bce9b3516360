/* SPDX-License-Identifier: Apache-2.0 */
/* The config members by themselves: no digest stands before them here. */
#include "oci/oci.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct oci_config c;
	struct why why = { "" };
	char path[OCI_MAX_PATH + 1];
	if (oci_config_parse(p, n, &c, &why) != DSTACK_OK)
		return 0;
	if (oci_path(c.workdir, path, &why) == DSTACK_OK && path[0] == '/')
		__builtin_trap();
	oci_config_free(&c);
	return 0;
}
