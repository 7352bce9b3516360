/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which nodes live. The contract keeps no list of them, so the RPC names who
 * has sent a heartbeat lately, by its events, and that is not believed: each
 * name's record is proven from storage, where only a heartbeat signed by the
 * epoch's key can have put it. An RPC can leave nodes out; it can add none.
 *
 * Public endpoints bound how many blocks one question may span. One that
 * refuses is asked for half as many, down to a few.
 */
#include "guest/chain/chain.h"

#include <string.h>

#include <jansson.h>

#include "base/own.h"
#include "crypto/hash.h"
#include "eth/rpc.h"

#define SPAN_MAX 10000u /* blocks */
#define SPAN_MIN 16u

static void
own_json(json_t **v)
{
	json_decref(*v);
}
#define AUTO_JSON OWN_CLEANUP(own_json)

size_t
chain_beaten(const json_t *logs, const uint8_t self[static 20],
    uint8_t (*out)[20])
{
	size_t n = 0;
	/* the newest are last, and there may be more than fit */
	for (size_t i = json_array_size(logs); i-- > 0 && n < CHAIN_MAX_NODES;) {
		uint8_t word[32];
		bool known = false;
		const json_t *topics =
		    json_object_get(json_array_get(logs, i), "topics");
		if (eth_json_fixed(json_array_get(topics, 1), word, 32) !=
			DSTACK_OK ||
		    memcmp(word + 12, self, 20) == 0)
			continue;
		for (size_t k = 0; k < n; k++)
			known = known || memcmp(out[k], word + 12, 20) == 0;
		if (!known)
			memcpy(out[n++], word + 12, 20);
	}
	return n;
}

static enum dstack_status
named(struct chain *c, uint64_t head, uint64_t span,
    const uint8_t self[static 20], uint8_t (*out)[20], size_t *n,
    struct why *why)
{
	static const char event[] = "Beaten(address,uint64)";
	AUTO_JSON json_t *logs = NULL;
	uint8_t topic[32];
	keccak256(event, sizeof(event) - 1, topic);
	enum dstack_status st = chain_ask(c, "eth_getLogs",
	    json_pack("[{s:o,s:o,s:o,s:[o]}]", "address",
		eth_json_hex(c->cfg.contract, 20), "fromBlock",
		eth_json_quantity(head > span ? head - span : 0), "toBlock",
		eth_json_quantity(head), "topics", eth_json_hex(topic, 32)),
	    &logs, why);
	if (st == DSTACK_OK && !json_is_array(logs))
		st = why_set(why, DSTACK_E_FORMAT, "eth_getLogs: no list");
	if (st == DSTACK_OK)
		*n = chain_beaten(logs, self, out);
	return st;
}

enum dstack_status
chain_nodes(struct chain *c, uint64_t epoch, const uint8_t self[static 20],
    struct chain_node *out, size_t *n, struct why *why)
{
	/* Two of the longest pauses between a live node's heartbeats. */
	const uint64_t seconds = 2 * c->cfg.heartbeat;
	uint8_t node[CHAIN_MAX_NODES][20];
	uint8_t slots[CHAIN_MAX_NODES][32];
	uint8_t words[CHAIN_MAX_NODES][32];
	struct chain_head head;
	size_t all = 0;
	size_t live = 0;
	enum dstack_status st = chain_final(c, &head, why);
	if (st != DSTACK_OK)
		return st;
	/* a block takes a second at least */
	uint64_t span = seconds < SPAN_MAX ? seconds : SPAN_MAX;
	st = named(c, head.number, span, self, node, &all, why);
	while (st != DSTACK_OK && span > SPAN_MIN) {
		span /= 2;
		st = named(c, head.number, span, self, node, &all, why);
	}
	if (st != DSTACK_OK)
		return st;
	*n = 0;
	if (all == 0)
		return DSTACK_OK;
	for (size_t i = 0; i < all; i++)
		state_beat_slot(node[i], slots[i]);
	st = chain_read(
	    c, (const uint8_t(*)[32])slots, all, words, &head, why);
	for (size_t i = 0; st == DSTACK_OK && i < all; i++) {
		struct state_beat beat;
		state_beat_decode(words[i], &beat);
		if (beat.anchor_number == 0 || beat.epoch != epoch ||
		    beat.time + seconds < head.timestamp)
			continue;
		memcpy(out[live].node, node[i], 20);
		out[live++].time = beat.time;
	}
	if (st == DSTACK_OK)
		*n = live;
	return st;
}
