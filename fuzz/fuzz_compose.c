/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Compose files. What is taken is written as a manifest or refused by it; the
 * manifest's writer reads what it has written.
 */
#include <string.h>

#include "cli/app/compose.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

/* Every env_file is the input's own last bytes. */
struct input {
	const uint8_t *p;
	size_t n;
};

static enum dstack_status
env_file(void *ctx, const char *path, void **text, size_t *n, struct why *why)
{
	const struct input *in = ctx;
	(void)path;
	(void)why;
	*n = in->n < 64 ? in->n : 64;
	*text = malloc(*n + 1);
	if (*text == NULL)
		return DSTACK_E_NOMEM;
	memcpy(*text, in->p + in->n - *n, *n);
	return DSTACK_OK;
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static char tag[] = "TAG=1";
	char *const vars[] = { tag };
	struct input in = { p, n };
	AUTO_COMPOSE struct compose c;
	AUTO_FREE char *text = NULL;
	struct why why = { "" };
	memset(&c, 0, sizeof(c));
	if (compose_parse("f", p, n, vars, 1, env_file, &in, &c, &why) ==
		DSTACK_OK &&
	    c.m.nservices == 0)
		__builtin_trap();
	if (c.m.nservices != 0)
		(void)!manifest_write(&c.m, &text, &why);
	return 0;
}
