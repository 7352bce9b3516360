/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The follower's steps until its store has a finalized head and nothing more
 * is due at once; then the execution header of that head from the RPC, which
 * keccak holds. A node that fails is left for the next one. Between the
 * beacon nodes and the RPC a block may be new to one of them: that is asked
 * again, too.
 */
#include "host/beacon/view.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/own.h"
#include "host/beacon/follower.h"

#define LONGEST_S 60

static void
own_follower(struct follower *f)
{
	follower_free(f);
}

static void
own_json(json_t **j)
{
	json_decref(*j);
}

/* Of a clock that nobody sets. */
static time_t
seconds(void)
{
	struct timespec t = { 0 };
	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec;
}

/* The RPC's answer for a hash; that it has that hash is looked at. */
static enum dstack_status
header(struct rpc *rpc, const uint8_t hash[static 32], struct eth_header *out,
    struct why *why)
{
	OWN_CLEANUP(own_json) json_t *block = NULL;
	enum dstack_status st = rpc_call(rpc, "eth_getBlockByHash",
	    json_pack("[o,b]", eth_json_hex(hash, 32), 0), &block, why);
	if (st == DSTACK_OK && json_is_null(block))
		return why_set(why, DSTACK_E_MISSING,
		    "the RPC does not have the finalized block yet");
	if (st == DSTACK_OK)
		st = eth_header_from_json(block, out, why);
	if (st == DSTACK_OK && memcmp(out->hash, hash, 32) != 0)
		st = why_set(why, DSTACK_E_FORMAT,
		    "the RPC gives another block than the one asked for");
	return st;
}

/* One try; *head is as it was unless DSTACK_OK. */
static enum dstack_status
try(struct follower *f, struct rpc *rpc, struct view *out, bool *there,
    struct why *why)
{
	struct beacon_head h;
	bool more = false;
	enum dstack_status st = follower_step(f, &more, why);
	if (st != DSTACK_OK) {
		fetch_turn(&f->nodes);
		return st;
	}
	if (more || !beacon_finalized(f->store, &h))
		return DSTACK_OK;
	if (!h.has_execution)
		return why_set(why, DSTACK_E_MISSING,
		    "the finalized block is older than Capella");
	st = header(rpc, h.execution_hash, &out->header, why);
	if (st == DSTACK_OK) {
		out->slot = h.slot;
		out->time = f->net->genesis_time +
		    h.slot * f->net->seconds_per_slot;
		*there = true;
	}
	return st;
}

enum dstack_status
view_find(const struct netcfg *cfg, const char *urls, struct rpc *rpc,
    struct view *out, struct why *why)
{
	OWN_CLEANUP(own_follower)
	struct follower f = { .net = &cfg->beacon, .has_root = true };
	const time_t end = seconds() + LONGEST_S;
	bool there = false;
	if (cfg->view != NETCFG_VIEW_BEACON)
		return why_set(why, DSTACK_E_REJECTED,
		    "--beacon: this network's netcfg has view=rpc");
	AUTO_FREE char *copy = strdup(urls);
	if (copy == NULL)
		return why_set(why, DSTACK_E_NOMEM, "no memory");
	enum dstack_status st = fetch_urls(&f.nodes, copy, why);
	if (st != DSTACK_OK)
		return why_wrap(why, st, "--beacon");
	memcpy(f.root, cfg->checkpoint, 32);
	while (!there) {
		st = try(&f, rpc, out, &there, why);
		if (there)
			break;
		if (st == DSTACK_OK && seconds() < end)
			continue;
		if (st == DSTACK_OK)
			st = why_set(why, DSTACK_E_MISSING,
			    "the beacon nodes are too slow");
		if (st == DSTACK_E_NOMEM || seconds() >= end)
			return why_wrap(why, DSTACK_E_MISSING, "--beacon");
		const struct timespec t = { .tv_nsec = 300000000 };
		(void)nanosleep(&t, NULL);
	}
	return DSTACK_OK;
}
