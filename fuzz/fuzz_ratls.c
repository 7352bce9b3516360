/* SPDX-License-Identifier: Apache-2.0 */
/* Any file as a certificate with a quote in it: bounded, or refused. */
#include <stdlib.h>

#include "base/own.h"
#include "crypto/ratls.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	AUTO_RATLS struct ratls r = { .chain = 0 };
	struct why why = { "" };
	enum dstack_status st = ratls_read(data, n, 1800000000, &r, &why);
	if (st == DSTACK_OK &&
	    (r.quote.len == 0 || r.quote.len > n || r.log.len > n ||
		r.app_id.len > 32 || r.chain >= RATLS_MAX_CHAIN))
		abort();
	if (st != DSTACK_OK && st != DSTACK_E_NOMEM && why.text[0] == '\0')
		abort();
	return 0;
}
