/* SPDX-License-Identifier: Apache-2.0 */
/* What the simulated beacon node answers, without its socket. */
#ifndef SIM_BEACON_SERVE_H
#define SIM_BEACON_SERVE_H

#include "base/wr.h"
#include "sim/beacon.h"
#include "sim/beacon_chain.h"

struct beacon_node {
	struct chain *chain;
	struct chain *forged; /* from when LIE_OLD_COMMITTEE was first wanted */
	uint32_t lies;
	bool finality;	 /* new blocks finalize their parents */
	uint64_t frozen; /* slot of LIE_FREEZE's head */
};

struct beacon_answer {
	int code; /* of HTTP */
	bool ssz;
	bool slow; /* to be sent late */
	const char *version; /* Eth-Consensus-Version; NULL: none */
	struct wr body;
};

/* DSTACK_E_FORMAT: no such lie. */
DSTACK_CHECKED enum dstack_status node_lie(
    struct beacon_node *n, const char *name, bool on);
/*
 * GET path?query. query may be NULL. /LIE before the path: with that lie, too,
 * for who asks so; all others see what they saw.
 */
void node_get(struct beacon_node *n, const char *path, const char *query,
    bool ssz, struct beacon_answer *out);
/* An eth_getBlockByNumber result as the chain takes it. */
DSTACK_CHECKED enum dstack_status exec_from_json(
    const json_t *block, struct chain_exec *out, struct why *why);
/* A network as lib/beacon reads it. */
void network_text(const struct beacon_network *n, struct wr *out);

#endif
