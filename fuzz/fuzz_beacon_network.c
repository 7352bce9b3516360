/* SPDX-License-Identifier: Apache-2.0 */
/* A network's text: what is taken can be reckoned with at any slot. */
#include <stdlib.h>
#include <string.h>

#include "beacon/fork.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static const uint64_t slots[] = { 0, 1, 4095, 1u << 20, UINT64_MAX };
	struct beacon_network net;
	struct why why = { "" };
	enum beacon_fork f;
	if (beacon_network_parse(data, n, &net, &why) != DSTACK_OK) {
		if (why.text[0] == '\0')
			abort();
		return 0;
	}
	if (net.committee < 8 || net.committee > BEACON_MAX_COMMITTEE ||
	    memchr(net.name, '\0', sizeof(net.name)) == NULL ||
	    memchr(net.end_name, '\0', sizeof(net.end_name)) == NULL)
		abort();
	for (size_t i = 0; i < sizeof(slots) / sizeof(slots[0]); i++) {
		(void)period_at(&net, slots[i]);
		(void)slot_now(&net, slots[i]);
		/* a refusal names a fork, or that it is before Altair */
		if (fork_at(&net, slots[i], &f, &why) != BEACON_OK &&
		    net.end_epoch == BEACON_NEVER &&
		    strstr(why.text, "before Altair") == NULL)
			abort();
	}
	return 0;
}
