/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a relay sends: a line passes only as a request, or an answer, that
 * parses again.
 */
#include <stdlib.h>
#include <string.h>

#include "host/join/onboarder.h"
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

	struct msg_onboard o;
	struct msg_onboard o2;
	memset(c.contract, 0xcc, sizeof(c.contract));
	memset(&o, 0, sizeof(o));
	if (onboarder_answer((const char *)data, n, &o, &why) == DSTACK_OK) {
		AUTO_WR struct wr again = wr_new(0);
		msg_onboard_build(&again, &o);
		memset(&o2, 0, sizeof(o2));
		if (msg_onboard_parse(again.buf, again.len, &o2, &why) !=
			DSTACK_OK ||
		    memcmp(&o.s, &o2.s, sizeof(o.s)) != 0)
			abort();
		msg_onboard_free(&o);
		msg_onboard_free(&o2);
	}
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
