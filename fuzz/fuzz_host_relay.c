/* SPDX-License-Identifier: Apache-2.0 */
/* What a relay sends: a line passes only as a request that parses again. */
#include <stdlib.h>
#include <string.h>

#include "host/onboarder.h"
#include "protocol/messages.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	/* the network that the seed register is of */
	struct host_config c = { .chain_id = 31337, .payee = { 7 } };
	struct msg_register m;
	struct why why = { "" };
	uint8_t id[32];
	AUTO_WR struct wr out = wr_new(MSG_MAX);

	memset(c.contract, 0xcc, sizeof(c.contract));
	if (onboarder_filter(
		&c, (const char *)data, n, id, &out, &why) != DSTACK_OK)
		return 0;
	memset(&m, 0, sizeof(m));
	if (msg_register_parse(out.buf, out.len, &m, &why) != DSTACK_OK ||
	    memcmp(m.request_id, id, 32) != 0 || !m.has_payee ||
	    memcmp(m.payee, c.payee, 20) != 0)
		abort();
	msg_register_free(&m);
	return 0;
}
