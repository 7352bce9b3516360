/* SPDX-License-Identifier: Apache-2.0 */
/*
 * netcfg, from the sealed memory that init gave every role: the same bytes for
 * all, read once from the host and checked against the measured hash. Each role
 * parses it anew, so none depends on another's reading.
 */
#include <unistd.h>

#include "crypto/hash.h"
#include "guest/base/role.h"

enum dstack_status
role_netcfg(struct netcfg *cfg, uint8_t *sha384_out, struct why *why)
{
	char text[NETCFG_MAX + 1]; /* a longer one is seen to be longer */
	ssize_t n = pread(FD_NETCFG, text, sizeof(text), 0);
	if (n <= 0)
		return why_set(why, DSTACK_E_SYS, "netcfg cannot be read");
	if (sha384_out != NULL)
		sha384(text, (size_t)n, sha384_out);
	return netcfg_parse(text, (size_t)n, cfg, why);
}
