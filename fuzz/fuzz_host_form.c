/* SPDX-License-Identifier: Apache-2.0 */
/* Any body as a form: what is taken is JSON of one object, and no form. */
#include <stdlib.h>

#include <jansson.h>

#include "host/http/form.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	AUTO_WR struct wr out = wr_new(0);
	struct why why = { "" };

	(void)form_is(data, n);
	if (form_json("register", data, n, &out, &why) != DSTACK_OK) {
		if (why.text[0] == '\0')
			abort();
		return 0;
	}
	json_t *v = json_loadb((const char *)out.buf, out.len,
	    JSON_REJECT_DUPLICATES, NULL);
	if (!json_is_object(v) ||
	    !json_is_object(json_object_get(v, "register")))
		abort();
	json_decref(v);
	return 0;
}
