/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which nodes live. The contract keeps no list of them: each gives signs of
 * life over the relay, and the host hands on those that it has heard. It is
 * believed nothing: each sign is signed by the key of the epoch, which only a
 * guest that holds the epoch's secret can do, and names the newest block that
 * its node has seen. How old that block is, its own header says, whose hash
 * is in the sign. So a host can leave nodes out; it can add none, and keep none
 * alive that fell silent.
 */
#include "guest/chain/chain.h"

#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/own.h"
#include "eth/rpc.h"
#include "guest/base/link.h"
#include "guest/chain/rpc.h"
#include "protocol/layout.h"
#include "protocol/signs.h"

/* The time of the block with that hash: false: the RPC has it not. */
static bool
time_of(struct chain *c, const uint8_t hash[static 32], uint64_t *out)
{
	AUTO_JSON json_t *v = NULL;
	struct eth_header h;
	struct why why = { "" };

	if (chain_ask(c, "eth_getBlockByHash",
		json_pack("[o,b]", eth_json_hex(hash, 32), 0), &v, &why) !=
		DSTACK_OK ||
	    eth_header_from_json(v, &h, &why) != DSTACK_OK ||
	    memcmp(h.hash, hash, 32) != 0)
		return false;
	*out = h.timestamp;
	return true;
}

static int
higher(const void *a, const void *b)
{
	const struct msg_heartbeat *x = a, *y = b;

	return (x->s.anchor_number < y->s.anchor_number) -
	    (x->s.anchor_number > y->s.anchor_number);
}

/* The signs of life that hold for that epoch, highest block first. */
static enum dstack_status
given(struct chain *c, const struct state_epoch *e, uint64_t epoch,
    const uint8_t self[static 20], struct msg_heartbeat *out, size_t *n,
    struct why *why)
{
	AUTO_WR struct wr a = wr_new(LINK_MAX_BODY);
	struct signs_of of = { .epoch = epoch };
	enum dstack_status st = link_fetch(c->edge, "/signs", NULL, 0, &a, why);

	if (st != DSTACK_OK)
		return st == DSTACK_E_REJECTED ? DSTACK_E_MISSING : st;
	of.domain.chain_id = c->cfg.chain_id;
	memcpy(of.domain.contract, c->cfg.contract, 20);
	memcpy(of.xpub, e->xpub, 20);
	*n = signs_take(a.buf, a.len, &of, self, out, CHAIN_MAX_NODES);
	qsort(out, *n, sizeof(out[0]), higher);
	return DSTACK_OK;
}

enum dstack_status
chain_nodes(struct chain *c, uint64_t epoch, const uint8_t self[static 20],
    struct chain_node *out, size_t *n, struct why *why)
{
	AUTO_FREE struct msg_heartbeat *sign =
	    calloc(CHAIN_MAX_NODES, sizeof(*sign));
	struct state_epoch e;
	struct chain_head head;
	uint64_t time = 0;
	bool known = false;
	size_t all = 0;
	size_t live = 0;

	if (sign == NULL)
		return why_set(why, DSTACK_E_NOMEM, "out of memory");
	enum dstack_status st = chain_epoch(c, epoch, NULL, &e, &head, why);
	if (st == DSTACK_OK && e.state != KM_EPOCH_ACTIVE)
		st = why_set(why, DSTACK_E_MISSING,
		    "epoch %llu is not active", (unsigned long long)epoch);
	if (st == DSTACK_OK)
		st = given(c, &e, epoch, self, sign, &all, why);
	if (st != DSTACK_OK)
		return st;
	for (size_t i = 0; i < all; i++) {
		/* nodes mostly name the same block */
		if (i == 0 || memcmp(sign[i].s.anchor_hash,
				  sign[i - 1].s.anchor_hash, 32) != 0)
			known = time_of(c, sign[i].s.anchor_hash, &time);
		if (!known ||
		    (head.timestamp > time &&
			head.timestamp - time > c->cfg.max_age))
			continue;
		memcpy(out[live].node, sign[i].s.node, 20);
		out[live++].time = time;
	}
	*n = live;
	return DSTACK_OK;
}
