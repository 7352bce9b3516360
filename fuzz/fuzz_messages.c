/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any body through every parser; what parses must build and parse again. A
 * list of signs of life holds none that no key of ours has signed.
 */
#include <stdlib.h>

#include "protocol/signs.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

#define TRIP(name) \
	do { \
		struct msg_##name a, b; \
		AUTO_WR struct wr w = wr_new(0); \
		if (msg_##name##_parse(data, n, &a, NULL) == DSTACK_OK) { \
			msg_##name##_build(&w, &a); \
			if (msg_##name##_parse(w.buf, w.len, &b, NULL) != \
				DSTACK_OK && w.len <= MSG_MAX) \
				abort(); \
			msg_##name##_free(&b); \
		} \
		msg_##name##_free(&a); \
	} while (0)

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct msg_heartbeat h;
	struct msg_volume_anchor v;
	struct msg_node d;
	struct msg_wanted wanted;
	struct signs_of of = { .epoch = 0 };
	uint8_t tx[32];
	struct why why;
	TRIP(register);
	TRIP(bootstrap);
	TRIP(onboard);
	if (msg_heartbeat_parse(data, n, &h, &why) != DSTACK_OK &&
	    msg_volume_anchor_parse(data, n, &v, &why) != DSTACK_OK &&
	    msg_node_parse(data, n, &d, &why) != DSTACK_OK &&
	    msg_tx_parse(data, n, tx, &why) != DSTACK_OK &&
	    msg_wanted_parse(data, n, &wanted, &why) != DSTACK_OK &&
	    why.text[0] == '\0')
		abort();
	if (signs_take(data, n, &of, NULL, &h, 1) != 0)
		abort();
	return 0;
}
