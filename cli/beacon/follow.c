/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Following a live chain from one's desk. A round does the first of these that
 * is due: choose the network by the genesis root that a node tells; take a
 * checkpoint, if none was given; bootstrap from it; fetch updates while a
 * committee is missing, in pieces of what a node gives at once; fetch the
 * finality update. What the store has proven is printed when its slot is new,
 * with number and time out of the header that the RPC gives for that very
 * hash, which keccak holds.
 *
 * A node that does not answer, or whose answer is refused, is told of and the
 * next one asked, after a pause that grows while nothing gets on: nothing that
 * a node does ends this. Nothing a node says is believed but the checkpoint,
 * where none was given, and that is said.
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

#define AT_ONCE 128u	  /* updates a node gives at most (the Beacon API) */
#define PAUSE_MAX 64u	  /* seconds */
#define SMALL (64u << 10) /* bytes of an answer that is no update */

static void
own_json(json_t **j)
{
	json_decref(*j);
}

static void
own_store(struct beacon_store **s)
{
	beacon_store_free(*s);
}

static void
own_doc(struct beacon_doc **d)
{
	beacon_doc_free(*d);
}

struct follower {
	struct fetch nodes;
	const struct beacon_network *net; /* NULL: not yet known */
	struct beacon_store *store;	  /* NULL: not yet made */
	uint8_t root[32];
	bool has_root, begun;
	uint64_t asked; /* slot in which this period's update was asked for */
	struct rpc *rpc;
	uint64_t told; /* slot of the head that was printed last */
	bool json;
};

/* Slots since genesis, by this machine's clock. */
static uint64_t
slot_by_clock(const struct beacon_network *n)
{
	uint64_t now = (uint64_t)time(NULL);
	return now < n->genesis_time
	    ? 0
	    : (now - n->genesis_time) / n->seconds_per_slot;
}

static uint64_t
period_by_clock(const struct beacon_network *n)
{
	return slot_by_clock(n) / n->slots_per_epoch / n->epochs_per_period;
}

/* A JSON answer, and the text of 32 bytes at a.b.c in its data. */
static enum dstack_status
told_root(struct follower *f, const char *path, const char *const *member,
    uint8_t out[static 32], struct why *why)
{
	AUTO_WR struct wr body = wr_new(SMALL);
	enum dstack_status st =
	    fetch_get(&f->nodes, path, SMALL, &body, why);
	if (st != DSTACK_OK)
		return st;
	OWN_CLEANUP(own_json)
	json_t *j = json_loadb(
	    (const char *)body.buf, body.len, JSON_REJECT_DUPLICATES, NULL);
	const json_t *v = json_object_get(j, "data");
	for (; *member != NULL; member++)
		v = json_object_get(v, *member);
	return eth_json_fixed(v, out, 32) == DSTACK_OK
	    ? DSTACK_OK
	    : why_set(why, DSTACK_E_FORMAT, "%s names no root", path);
}

/*
 * By name, if the node's genesis root is one of theirs. A node that lies here
 * gives answers that the store of another network refuses.
 */
static enum dstack_status
choose_network(struct follower *f, struct why *why)
{
	static const char *const member[] = { "genesis_validators_root",
		NULL };
	static const char *const names[] = { "mainnet", "sepolia", "hoodi" };
	uint8_t genesis[32];
	enum dstack_status st = told_root(
	    f, "/eth/v1/beacon/genesis", member, genesis, why);
	if (st != DSTACK_OK)
		return st;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		const struct beacon_network *n = beacon_network_named(names[i]);
		if (memcmp(n->genesis_root, genesis, 32) == 0) {
			f->net = n;
			log_line("the network is %s", n->name);
			return DSTACK_OK;
		}
	}
	return why_set(why, DSTACK_E_REJECTED,
	    "it is of a network without a name here: say --network FILE");
}

/* Somebody has to be believed to begin with; say whom. */
static enum dstack_status
choose_root(struct follower *f, struct why *why)
{
	static const char *const member[] = { "finalized", "root", NULL };
	char text[65], whom[128];
	enum dstack_status st = told_root(f,
	    "/eth/v1/beacon/states/head/finality_checkpoints", member,
	    f->root, why);
	if (st != DSTACK_OK)
		return st;
	f->has_root = true;
	hex_encode(f->root, 32, text);
	fetch_whom(&f->nodes, whom, sizeof(whom));
	log_line("no --root was given: begins at 0x%s, on the word of %s alone",
	    text, whom);
	return DSTACK_OK;
}

/* From the answer to a document; what is none is the node's fault. */
static enum dstack_status
get_doc(struct follower *f, enum beacon_kind kind, const char *path,
    struct wr *body, struct beacon_doc **doc, struct why *why)
{
	enum beacon_code code = BEACON_OK;
	enum dstack_status st =
	    fetch_get(&f->nodes, path, BEACON_MAX_DOC, body, why);
	if (st != DSTACK_OK)
		return st;
	/* what a node has none of it may say by an empty list */
	if (body->len == 2 && memcmp(body->buf, "[]", 2) == 0)
		return why_set(why, DSTACK_E_MISSING, "it has no %s", path);
	return beacon_doc_open(
	    f->net, kind, body->buf, body->len, doc, &code, why);
}

static enum dstack_status
refused(enum beacon_code c)
{
	return c == BEACON_NO_MEMORY ? DSTACK_E_NOMEM : DSTACK_E_REJECTED;
}

/* The store at the trusted root; no other block's bootstrap will do. */
static enum dstack_status
begin(struct follower *f, struct why *why)
{
	AUTO_WR struct wr body = wr_new(BEACON_MAX_DOC);
	OWN_CLEANUP(own_doc) struct beacon_doc *doc = NULL;
	char text[65], path[128];
	hex_encode(f->root, 32, text);
	(void)snprintf(path, sizeof(path),
	    "/eth/v1/beacon/light_client/bootstrap/0x%s", text);
	enum dstack_status st = get_doc(
	    f, BEACON_KIND_BOOTSTRAP, path, &body, &doc, why);
	if (st != DSTACK_OK)
		return st;
	struct beacon_item it = beacon_doc_item(doc, 0);
	enum beacon_code c =
	    beacon_bootstrap(f->store, f->root, it.ssz, it.len, why);
	f->begun = c == BEACON_OK;
	return f->begun ? DSTACK_OK : refused(c);
}

/* Updates from period start on, up to the last one that can be there. */
static enum dstack_status
catch_up(struct follower *f, uint64_t start, struct why *why)
{
	AUTO_WR struct wr body = wr_new(BEACON_MAX_DOC);
	OWN_CLEANUP(own_doc) struct beacon_doc *doc = NULL;
	char path[128];
	uint64_t last = period_by_clock(f->net);
	uint64_t count = last < start ? 1 : last - start + 1;
	(void)snprintf(path, sizeof(path),
	    "/eth/v1/beacon/light_client/updates?start_period=%" PRIu64
	    "&count=%" PRIu64,
	    start, count < AT_ONCE ? count : AT_ONCE);
	enum dstack_status st =
	    get_doc(f, BEACON_KIND_UPDATE, path, &body, &doc, why);
	for (size_t i = 0; st == DSTACK_OK && i < beacon_doc_count(doc); i++) {
		struct beacon_item it = beacon_doc_item(doc, i);
		enum beacon_code c = beacon_update(f->store, it.ssz, it.len,
		    (uint64_t)time(NULL), why);
		/* the best update of a period may be older than our head */
		if (c != BEACON_OK && c != BEACON_OLD)
			st = refused(c);
	}
	return st;
}

/* The finality update; one that says nothing new is no mistake. */
static enum dstack_status
newest(struct follower *f, struct why *why)
{
	AUTO_WR struct wr body = wr_new(BEACON_MAX_DOC);
	OWN_CLEANUP(own_doc) struct beacon_doc *doc = NULL;
	enum dstack_status st = get_doc(f, BEACON_KIND_FINALITY,
	    "/eth/v1/beacon/light_client/finality_update", &body, &doc, why);
	if (st != DSTACK_OK)
		return st;
	struct beacon_item it = beacon_doc_item(doc, 0);
	enum beacon_code c = beacon_finality(
	    f->store, it.ssz, it.len, (uint64_t)time(NULL), why);
	return c == BEACON_OK || c == BEACON_OLD ? DSTACK_OK : refused(c);
}

/* The header behind a proven hash; false: none, and a line said why. */
static bool
header_of(struct follower *f, const uint8_t hash[static 32],
    struct eth_header *out)
{
	OWN_CLEANUP(own_json) json_t *block = NULL;
	struct why why = { "" };
	if (f->rpc == NULL)
		return false;
	enum dstack_status st = rpc_call(f->rpc, "eth_getBlockByHash",
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
tell(struct follower *f, const struct beacon_head *h)
{
	struct eth_header e = { 0 };
	bool known = h->has_execution && header_of(f, h->execution_hash, &e);
	OWN_CLEANUP(own_json)
	json_t *o = json_pack("{s:I,s:o,s:o,s:I}", "slot",
	    (json_int_t)h->slot, "root", eth_json_hex(h->root, 32),
	    "execution_hash",
	    hex_or_null(h->has_execution, h->execution_hash), "period",
	    (json_int_t)beacon_period(f->store));
	if (known) {
		(void)json_object_set_new(
		    o, "number", json_integer((json_int_t)e.number));
		(void)json_object_set_new(
		    o, "time", json_integer((json_int_t)e.timestamp));
		(void)json_object_set_new(
		    o, "state_root", eth_json_hex(e.state_root, 32));
	}
	bool good = true;
	if (f->json) {
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
	f->told = h->slot;
	return good && putchar('\n') != EOF && fflush(stdout) == 0;
}

/* What is due. *more: there may be something else at once. */
static enum dstack_status
round_of(struct follower *f, bool *more, struct why *why)
{
	*more = true;
	if (f->net == NULL)
		return choose_network(f, why);
	if (f->store == NULL) {
		f->store = beacon_store_new(f->net);
		return f->store != NULL
		    ? DSTACK_OK
		    : why_set(why, DSTACK_E_NOMEM, "out of memory");
	}
	if (!f->has_root)
		return choose_root(f, why);
	if (!f->begun)
		return begin(f, why);
	/* the committee after ours is asked for once an epoch, as the update
	 * that brings it comes only when its period is finalized; a period
	 * behind is caught up with at once */
	uint64_t period = beacon_period(f->store), now = slot_by_clock(f->net);
	bool next = beacon_next_known(f->store);
	bool behind = period_by_clock(f->net) > period;
	if ((!next || behind) &&
	    (f->asked == 0 || now >= f->asked + f->net->slots_per_epoch)) {
		enum dstack_status st =
		    catch_up(f, next ? period + 1 : period, why);
		/* and on from there: a node may give one at a time */
		if (st == DSTACK_OK && (beacon_period(f->store) > period ||
			beacon_next_known(f->store) != next))
			return DSTACK_OK;
		if (st == DSTACK_OK || st == DSTACK_E_MISSING)
			f->asked = now;
		return st == DSTACK_E_MISSING ? DSTACK_OK : st;
	}
	*more = false;
	return newest(f, why);
}

static void
wait_seconds(unsigned n)
{
	struct timespec t = { .tv_sec = (time_t)n };
	(void)nanosleep(&t, NULL);
}

int
beacon_follow(const struct follow_args *a)
{
	struct follower f = { .nodes = a->nodes,
		.net = a->net,
		.has_root = a->has_root,
		.json = a->json };
	unsigned pause = 1;
	memcpy(f.root, a->root, 32);
	log_name("dstack beacon follow");
	AUTO_RPC struct rpc *rpc = a->rpc != NULL ? rpc_new(a->rpc) : NULL;
	if (a->rpc != NULL && rpc == NULL)
		return EXIT_UNDECIDED;
	f.rpc = rpc;
	OWN_CLEANUP(own_store) struct beacon_store *store = NULL;
	for (;;) {
		/* a round that failed may have proven something before */
		struct why why = { "" };
		struct beacon_head h;
		bool more = false;
		enum dstack_status st = round_of(&f, &more, &why);
		store = f.store;
		if (f.begun && beacon_finalized(f.store, &h) &&
		    h.slot > f.told && (!more || st != DSTACK_OK)) {
			if (!tell(&f, &h))
				return EXIT_UNDECIDED;
			if (a->once && st == DSTACK_OK)
				return EXIT_YES;
		}
		if (st == DSTACK_OK) {
			pause = 1;
			if (!more)
				wait_seconds(f.net->seconds_per_slot);
			continue;
		}
		char whom[128];
		fetch_whom(&f.nodes, whom, sizeof(whom));
		log_line("%s: %s; asks %s in %u s", whom, why.text,
		    f.nodes.count > 1 ? "the next one" : "again", pause);
		fetch_turn(&f.nodes);
		wait_seconds(pause);
		/* a whole turn over all of them before it gets slower */
		if (f.nodes.at == 0)
			pause = 2 * pause < PAUSE_MAX ? 2 * pause : PAUSE_MAX;
	}
}
