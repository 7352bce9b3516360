/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Following a live chain from one's desk (host/beacon/follower.h). What the
 * store has proven is printed when its slot is new, with number and time out
 * of the header that the RPC gives for that very hash, which keccak holds.
 *
 * A node that does not answer, or whose answer is refused, is told of and the
 * next one asked, after a pause that grows while nothing gets on: nothing that
 * a node does ends this.
 */
#include "cli/beacon/follow.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <jansson.h>

#include "base/hex.h"
#include "base/log.h"
#include "base/own.h"
#include "cli/cmd.h"
#include "eth/rpc.h"
#include "host/chain/rpc_client.h"


static void
own_json(json_t **j)
{
	json_decref(*j);
}

struct show {
	const struct beacon_store *store;
	struct rpc *rpc;
	uint64_t told; /* slot of the head that was printed last */
	bool json;
};

/* The header behind a proven hash; false: none, and a line said why. */
static bool
header_of(struct show *s, const uint8_t hash[static 32],
    struct eth_header *out)
{
	OWN_CLEANUP(own_json) json_t *block = NULL;
	struct why why = { "" };
	if (s->rpc == NULL)
		return false;
	enum dstack_status st = rpc_call(s->rpc, "eth_getBlockByHash",
	    json_pack("[o,b]", eth_json_hex(hash, 32), 0), &block, &why);
	if (st == DSTACK_OK)
		st = eth_header_from_json(block, out, &why);
	if (st == DSTACK_OK && memcmp(out->hash, hash, 32) != 0)
		st = why_set(&why, DSTACK_E_REJECTED,
		    "it gives another block than the one asked for");
	if (st != DSTACK_OK)
		log_line("the RPC's header: %s", why.text);
	return st == DSTACK_OK;
}

/* Before Capella a block names no execution block. */
static json_t *
hex_or_null(bool is, const uint8_t p[static 32])
{
	return is ? eth_json_hex(p, 32) : json_null();
}

/* A head that is new, as one line. false: standard output is gone. */
static bool
tell(struct show *s, const struct beacon_head *h)
{
	struct eth_header e = { 0 };
	bool known = h->has_execution && header_of(s, h->execution_hash, &e);
	OWN_CLEANUP(own_json)
	json_t *o = json_pack("{s:I,s:o,s:o,s:I}", "slot",
	    (json_int_t)h->slot, "root", eth_json_hex(h->root, 32),
	    "execution_hash",
	    hex_or_null(h->has_execution, h->execution_hash), "period",
	    (json_int_t)beacon_period(s->store));
	if (known) {
		(void)json_object_set_new(
		    o, "number", json_integer((json_int_t)e.number));
		(void)json_object_set_new(
		    o, "time", json_integer((json_int_t)e.timestamp));
		(void)json_object_set_new(
		    o, "state_root", eth_json_hex(e.state_root, 32));
	}
	bool good = true;
	if (s->json) {
		good = json_dumpf(o, stdout, JSON_COMPACT) == 0;
	} else {
		const char *k;
		json_t *v;
		json_object_foreach(o, k, v)
			good = good && (json_is_string(v)
			    ? printf("%s %s ", k, json_string_value(v))
			    : printf("%s %" JSON_INTEGER_FORMAT " ", k,
				  json_integer_value(v))) > 0;
	}
	s->told = h->slot;
	return good && putchar('\n') != EOF && fflush(stdout) == 0;
}

static void
wait_seconds(unsigned n)
{
	struct timespec t = { .tv_sec = (time_t)n };
	(void)nanosleep(&t, NULL);
}

static void
own_follower(struct follower *f)
{
	follower_free(f);
}

int
beacon_follow(const struct follow_args *a)
{
	struct show s = { .json = a->json };
	OWN_CLEANUP(own_follower)
	struct follower f = { .nodes = a->nodes,
		.net = a->net,
		.has_root = a->has_root };
	unsigned fails = 0;
	memcpy(f.root, a->root, 32);
	log_name("dstack beacon follow");
	AUTO_RPC struct rpc *rpc = a->rpc != NULL ? rpc_new(a->rpc) : NULL;
	if (a->rpc != NULL && rpc == NULL)
		return EXIT_UNDECIDED;
	s.rpc = rpc;
	for (;;) {
		/* a step that failed may have proven something before */
		struct why why = { "" };
		struct beacon_head h;
		bool more = false;
		enum dstack_status st = follower_step(&f, &more, &why);
		s.store = f.store;
		if (f.begun && beacon_finalized(f.store, &h) &&
		    h.slot > s.told && (!more || st != DSTACK_OK)) {
			if (!tell(&s, &h))
				return EXIT_UNDECIDED;
			if (a->once && st == DSTACK_OK)
				return EXIT_YES;
		}
		if (st == DSTACK_OK) {
			fails = 0;
			if (!more)
				wait_seconds(f.net->seconds_per_slot);
			continue;
		}
		char whom[128];
		fetch_whom(&f.nodes, whom, sizeof(whom));
		fetch_turn(&f.nodes);
		unsigned pause = follower_pause(&f, fails++);
		log_line("%s: %s; asks %s in %u s", whom, why.text,
		    f.nodes.count > 1 ? "the next one" : "again", pause);
		wait_seconds(pause);
	}
}
