/* SPDX-License-Identifier: Apache-2.0 */
/* Any text as a log: 48 bytes of register, then JSON. */
#include <stdlib.h>

#include "protocol/eventlog.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct eventlog log;
	struct why why = { "" };
	if (n < 48)
		return 0;
	enum dstack_status st =
	    eventlog_replay(data + 48, n - 48, data, &log, &why);
	if (st == DSTACK_OK && (log.apps > EVENTLOG_APPS ||
				   log.events > n))
		abort();
	if (st != DSTACK_OK && st != DSTACK_E_NOMEM && why.text[0] == '\0')
		abort();
	return 0;
}
