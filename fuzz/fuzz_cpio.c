/* SPDX-License-Identifier: Apache-2.0 */
/* Initramfs archives: entries stay inside the buffer, paths are strings. */
#include "cli/image/cpio.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

struct bounds {
	const uint8_t *p;
	size_t n;
};

static enum dstack_status
each(void *arg, const struct cpio_entry *e)
{
	const struct bounds *b = arg;

	if (e->path[0] != '/' || memchr(e->path, '\0', CPIO_PATH_MAX) == NULL)
		abort();
	if (e->len > b->n || e->data < b->p ||
	    e->data > b->p + (b->n - e->len))
		abort();
	return DSTACK_OK;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct bounds b = { data, n };
	struct why why;
	size_t frame = 0;

	(void)!cpio_read(data, n, each, &b, &why);
	if (zstd_frame(data, n, &frame) == DSTACK_OK && frame > n)
		abort();
	return 0;
}
