/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Following a live chain. A step does the first of these that is due: choose
 * the network by the genesis root that a node tells; take a checkpoint, if
 * none was given; bootstrap from it; fetch updates while a committee is
 * missing, in pieces of what a node gives at once; fetch the finality update.
 *
 * Nothing a node says is believed but the checkpoint, where none was given,
 * and that is said. A node that says what is true but old, since it hangs or
 * is held back, is noticed by the clock alone: where no head was new for two
 * epochs, the next one is asked.
 */
#include "host/beacon/follower.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <jansson.h>

#include "base/hex.h"
#include "base/log.h"
#include "base/own.h"
#include "beacon/ssz.h"
#include "eth/rpc.h"

#define AT_ONCE 128u	  /* updates a node gives at most (the Beacon API) */
#define PAUSE_MAX 64u	  /* seconds */
#define SMALL (64u << 10) /* bytes of an answer that is no update */
#define STALE_EPOCHS 2u

static void
own_json(json_t **j)
{
	json_decref(*j);
}

static void
own_doc(struct beacon_doc **d)
{
	beacon_doc_free(*d);
}

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
refused(struct follower *f, enum beacon_code c)
{
	f->strangers += c == BEACON_SIGNATURE;
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
	if (f->begun && f->took != NULL)
		f->took(f->arg, BEACON_KIND_BOOTSTRAP, 0, it.ssz, it.len);
	return f->begun ? DSTACK_OK : refused(f, c);
}

/* Of an update that the store took, by its attested header. */
static uint64_t
update_period(const struct beacon_network *n, const struct beacon_item *it)
{
	struct lc_update u;
	return ssz_update(n, false, it->ssz, it->len, &u, NULL) == BEACON_OK
	    ? period_at(n, u.attested.beacon.slot)
	    : 0;
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
			st = refused(f, c);
		else if (c == BEACON_OK && f->took != NULL)
			f->took(f->arg, BEACON_KIND_UPDATE,
			    update_period(f->net, &it), it.ssz, it.len);
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
	if (c == BEACON_OK && f->took != NULL)
		f->took(f->arg, BEACON_KIND_FINALITY, 0, it.ssz, it.len);
	return c == BEACON_OK || c == BEACON_OLD ? DSTACK_OK : refused(f, c);
}

/* What is due. *more: there may be something else at once. */
enum dstack_status
follower_step(struct follower *f, bool *more, struct why *why)
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
	enum dstack_status st = newest(f, why);
	struct beacon_head h;
	if (beacon_finalized(f->store, &h) && h.slot > f->slot) {
		f->slot = h.slot;
		f->moved = now;
		f->strangers = 0;
	} else if (st == DSTACK_OK && f->nodes.count > 1 &&
	    now > f->moved + STALE_EPOCHS * f->net->slots_per_epoch) {
		fetch_turn(&f->nodes);
		f->moved = now;
	}
	return st;
}

enum dstack_status
follower_anew(struct follower *f, struct why *why)
{
	struct beacon_store *s = beacon_store_new(f->net);
	if (s == NULL)
		return why_set(why, DSTACK_E_NOMEM, "out of memory");
	beacon_store_free(f->store);
	f->store = s;
	f->begun = false;
	f->asked = f->slot = f->moved = 0;
	f->strangers = 0;
	return DSTACK_OK;
}

void
follower_free(struct follower *f)
{
	beacon_store_free(f->store);
	f->store = NULL;
}

unsigned
follower_pause(const struct follower *f, unsigned fails)
{
	/* a whole turn over all of them before it gets slower */
	unsigned turns = fails / (unsigned)f->nodes.count;
	unsigned pause = turns < 6 ? 1u << turns : PAUSE_MAX;
	unsigned asked = fetch_wait(&f->nodes);
	return asked > pause ? asked : pause;
}

