/* SPDX-License-Identifier: Apache-2.0 */
/* A head that is taken has a path of ours: printable, absolute, no query. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "host/http/head.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct http_head h;
	char *text = malloc(n + 1);

	if (text == NULL)
		return 0;
	if (n != 0)
		memcpy(text, data, n);
	text[n] = '\0';
	unsigned no = http_head_parse(text, n, &h);
	if (no == 0) {
		if (h.path[0] != '/' || h.method[0] == '\0')
			abort();
		for (const char *c = h.path; *c != '\0'; c++)
			if (*c <= ' ' || *c > '~' || *c == '?')
				abort();
	} else if (no < 400 || no > 499) {
		abort();
	}
	free(text);
	return 0;
}
