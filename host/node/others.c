/* SPDX-License-Identifier: Apache-2.0 */
/*
 * By what this host has heard over the relay of late, which is a guess at
 * best: a node that has died since its last sign still counts, one that has
 * not given its first does not. So the line says what was looked at, and if
 * the relay did not take this node's own sign, that it is not known.
 */
#include "host/node/others.h"

#include "base/log.h"
#include "host/service/signs.h"

void
others_say(struct router *r)
{
	const int n = router_others(r);
	const unsigned minutes = SIGNS_LIVE_S / 60;

	if (n < 0)
		log_line("stopping: whether another node has the network's "
			 "secret is not known, for the relay or the chain was "
			 "not to be asked");
	else if (n == 0)
		log_line("stopping: no other node gave a sign of life in the "
			 "last %u minutes: if none runs, the network's secret "
			 "ends with this one, and every volume with it "
			 "(docs/operating.md, If no node is left)", minutes);
	else
		log_line("stopping: %d other node%s gave a sign of life in the "
			 "last %u minutes", n, n == 1 ? "" : "s", minutes);
}
