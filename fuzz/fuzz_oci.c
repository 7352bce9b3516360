/* SPDX-License-Identifier: Apache-2.0 */
/* Archive bytes of the host: opened, and walked if they hold an image. */
#include "oci/oci.h"

static enum dstack_status
entry(void *ctx, const struct oci_entry *e, struct why *why)
{
	(void)ctx;
	(void)why;
	return e->path[0] == '/' ? DSTACK_E_REJECTED : DSTACK_OK;
}

static enum dstack_status
data(void *ctx, const void *p, size_t n, struct why *why)
{
	(void)ctx;
	(void)p;
	(void)n;
	(void)why;
	return DSTACK_OK;
}

static enum dstack_status
end(void *ctx, struct why *why)
{
	(void)ctx;
	(void)why;
	return DSTACK_OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	AUTO_OCI struct oci_image *img = NULL;
	struct why why = { "" };
	const struct oci_sink sink = { NULL, entry, data, end, NULL };
	if (oci_open(p, n, NULL, 16u << 20, &img, &why) == DSTACK_OK)
		(void)!oci_walk(img, &sink, NULL, &why);
	return 0;
}
