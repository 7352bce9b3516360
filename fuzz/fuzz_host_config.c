/* SPDX-License-Identifier: Apache-2.0 */
/* A host.env that is taken holds what the rest of the host relies on. */
#include <stdlib.h>
#include <string.h>

#include "host/base/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	AUTO_CONFIG struct host_config c = { .chain_id = 0 };
	struct why why = { "" };

	if (config_parse("host.env", (const char *)data, n, &c, &why) !=
	    DSTACK_OK) {
		/* one line, and whoever reads it learns what to do */
		if (why.text[0] == '\0' || strchr(why.text, '\n') != NULL)
			abort();
		return 0;
	}
	if (c.control_port == 0 || !listen_is_loopback(&c.host_service) ||
	    c.https.port == 0 || c.rpc_url[0] == '\0' ||
	    c.host_volume[0] == '\0' || c.state[0] == '\0')
		abort();
	return 0;
}
