/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A layer's tar behind a config that names it: fuzz_oci seldom gets past the
 * digests. Every path that comes out must be one that stays in the root.
 */
#include "oci/oci.h"
#include "tests/unit/lib/oci/tarmake.h"

static enum dstack_status
entry(void *ctx, const struct oci_entry *e, struct why *why)
{
	char again[OCI_MAX_PATH + 1];
	(void)ctx;
	if (oci_path(e->path, again, why) != DSTACK_OK ||
	    strcmp(again, e->path) != 0 || (e->mode & ~01777u) != 0 ||
	    e->uid > OCI_MAX_ID || e->gid > OCI_MAX_ID)
		__builtin_trap();
	return DSTACK_OK;
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
	AUTO_WR struct wr ar = wr_new(0);
	AUTO_WR struct wr layer = wr_new(0);
	struct why why = { "" };
	uint8_t d[32];
	const struct oci_sink sink = { NULL, entry, data, end, NULL };
	wr_put(&layer, p, n);
	make_image(&ar, LEGACY, &layer, 1, (struct wrong){ 0 }, d);
	if (oci_open(ar.buf, ar.len, d, 16u << 20, &img, &why) == DSTACK_OK)
		(void)!oci_walk(img, &sink, NULL, &why);
	return 0;
}
