/* SPDX-License-Identifier: Apache-2.0 */
/* Any body as any of an SDK's calls: bounded, or refused with a reason. */
#include <stdlib.h>
#include <string.h>

#include "base/own.h"
#include "protocol/sdk.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	if (n == 0)
		return 0;
	AUTO_SDK struct sdk_request q = { .nalt = 0 };
	struct why why = { "" };
	enum sdk_call call = (enum sdk_call)(data[0] % (SDK_TDX_QUOTE + 1));
	if (sdk_parse(call, data + 1, n - 1, &q, &why) != DSTACK_OK) {
		if (why.text[0] == '\0')
			abort();
		return 0;
	}
	if (q.call != call || q.nalt > SDK_MAX_NAMES ||
	    strlen(q.path) > SDK_MAX_TEXT || strlen(q.event) > SDK_MAX_EVENT ||
	    q.data.len > SDK_MAX_DATA || q.sig.len > 128 || q.pub.len > 128 ||
	    (call == SDK_GET_QUOTE && q.data.len > SDK_REPORT_DATA))
		abort();
	return 0;
}
