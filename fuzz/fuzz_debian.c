/* SPDX-License-Identifier: Apache-2.0 */
/* Release and Packages texts: what is found lies inside, and it ends. */
#include "cli/image/debian.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void
inside(struct debian_text t, const char *p, size_t n)
{
	if (t.n > 0 && (t.n > n || t.p < p || t.p > p + (n - t.n)))
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	const char *p = (const char *)data;
	struct debian_index in = { p, n };
	struct debian_package pkg;
	char buf[64], sum[65];
	uint64_t size;
	size_t left = n + 1;

	while (debian_next(&in, &pkg) == DSTACK_OK) {
		inside(pkg.name, p, n);
		inside(pkg.sha256, p, n);
		inside(pkg.filename, p, n);
		if (in.left >= left)
			abort();
		left = in.left;
	}
	if (debian_field(p, n, "Date", buf, sizeof(buf)) == DSTACK_OK &&
	    strlen(buf) >= sizeof(buf))
		abort();
	if (debian_release_sum(p, n, "a/b", sum, &size) == DSTACK_OK &&
	    strlen(sum) > 64)
		abort();
	return 0;
}
