/* SPDX-License-Identifier: Apache-2.0 */
/* A sealed value as a host brings it, and the label that names some. */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "protocol/appsecret.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t value[APPSECRET_VALUE_MAX];
	const struct secret32 key = { { 9, 8, 7 } };
	struct appsecret_names names;
	struct appsecret s;
	char text[512];
	size_t n = size < sizeof(text) - 1 ? size : sizeof(text) - 1;

	memcpy(text, data, n);
	text[n] = '\0';
	if (appsecret_names_parse(text, &names) == DSTACK_OK)
		for (size_t i = 0; i < names.n; i++)
			if (!appsecret_name_ok(names.name[i]))
				__builtin_trap();
	if (appsecret_get(data, size, &s) != DSTACK_OK)
		return 0;
	/* one meaning, one encoding */
	AUTO_WR struct wr again = wr_new(0);
	appsecret_head_put(&again, &s);
	wr_blob(&again, s.ct, s.ctlen);
	if (again.len != size || memcmp(again.buf, data, size) != 0)
		__builtin_trap();
	(void)!appsecret_open(&s, &key, value);
	return 0;
}
