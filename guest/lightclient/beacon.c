/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The view by a light client of the beacon chain: from netcfg's checkpoint,
 * whose root is measured, by the signatures of one sync committee after the
 * other to the newest head (lib/beacon). The host fetches, and decides
 * nothing: it can serve less, or nothing.
 *
 * A step asks for one thing, so that the other roles' requests have their turn
 * between two: the bootstrap; a period's update while a committee is missing;
 * else the finality update; and for a head that is proven and new, the
 * execution header of its hash, which keccak holds. An update that is refused
 * is told to the host with the next question for it, so that it asks another
 * beacon node. Troubles are told once and met with a pause that grows; none of
 * them ends anything, and none makes the view go back.
 *
 * A head is first believed when a finality update was judged: what the
 * checkpoint itself names may be years old.
 *
 * What a host shows at first may be a chain that an old committee made up, on
 * which the truth is never signed right. Where nothing of this boot was seen in
 * a block yet, no secret is here and nothing was decided, so after some
 * documents that others signed the view begins anew at the checkpoint. Later it
 * does so only when replicatoor says that no secret came of it.
 *
 * The clock that says whether a signature is of the future is the host's until
 * a TIE; from then on the latest that it can truly be (view.c).
 */
#include "guest/lightclient/view.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/hex.h"
#include "beacon/store.h"
#include "beacon/walk.h"
#include "eth/rpc.h"
#include "guest/base/link.h"
#include "guest/chain/rpc.h"
#include "guest/lightclient/lightclient.h"

#define PAUSE_FIRST_MS 1000
#define PAUSE_MOST_MS 32000
#define COMMITTEE_AGAIN_MS 30000
/*
 * A VM's clock begins at a whole second of the host's and loses what its start
 * takes. The host sets it as it likes, so that a minute more believes nobody
 * in anything new.
 */
#define CLOCK_SLACK_S 60
#define STRANGERS_MOST 2u
#define WALK_AT_ONCE 256u
#define WALK_MOST 8192u

/* Seconds since 1970 that it is now, at the latest that is known. */
static uint64_t
clock_now(const struct view *v)
{
	const struct view_kept *k = &v->kept;
	struct timespec t = { 0 };

	if (k->tied) {
		uint64_t boot = (uint64_t)(view_ms() / 1000);
		return k->tie_time + (boot - k->tie_at) + 1;
	}
	(void)clock_gettime(CLOCK_REALTIME, &t);
	return (uint64_t)t.tv_sec + CLOCK_SLACK_S;
}

static uint64_t
slot_time(const struct beacon_network *n, uint64_t slot)
{
	return n->genesis_time + slot * n->seconds_per_slot;
}

static uint64_t
period_of(const struct beacon_network *n, uint64_t slot)
{
	return slot / n->slots_per_epoch / n->epochs_per_period;
}

/* Root of a period's committee, as far as it is known yet or still. */
static bool
committee_of(const struct view *v, uint64_t period, uint8_t out[static 32])
{
	static const uint8_t none[32];
	const struct view_kept *k = &v->kept;

	if (store_committee(v->store, period, out))
		return true;
	if (period != k->past_period || memcmp(k->past_committee, none, 32) == 0)
		return false;
	memcpy(out, k->past_committee, 32);
	return true;
}

/*
 * An update of either kind. When the store enters a period, the root of the
 * committee of the one before stays known: who is onboarded just then asks
 * for it.
 */
static enum beacon_code
feed(struct view *v, bool finality_only, const struct wr *a, struct why *why)
{
	uint8_t root[32];
	const uint64_t was = beacon_period(v->store);
	const bool had = store_committee(v->store, was, root);
	enum beacon_code code = finality_only
	    ? beacon_finality(v->store, a->buf, a->len, clock_now(v), why)
	    : beacon_update(v->store, a->buf, a->len, clock_now(v), why);
	if (had && beacon_period(v->store) != was) {
		v->kept.past_period = was;
		memcpy(v->kept.past_committee, root, 32);
	}
	return code;
}

/* The head that netcfg's finality names. */
static bool
proven(const struct view *v, struct beacon_head *h)
{
	return v->cfg.finality == NETCFG_ATTESTED
	    ? beacon_attested(v->store, h)
	    : beacon_finalized(v->store, h);
}

/*
 * What the host has at path. The code of the last answer from there goes
 * along, if it was no good, and is forgotten with it.
 */
static enum dstack_status
fetch(struct view *v, const char *path, struct wr *out, struct why *why)
{
	const char *word = "";
	if (v->refused != BEACON_OK && strcmp(v->refused_path, path) == 0) {
		word = beacon_code_text(v->refused);
		v->refused = BEACON_OK;
	}
	return link_fetch(v->edge, path, word, strlen(word), out, why);
}

static enum dstack_status
refuse(struct view *v, enum beacon_code code, const char *path,
    struct why *why)
{
	v->refused = code;
	v->strangers += code == BEACON_SIGNATURE;
	(void)snprintf(
	    v->refused_path, sizeof(v->refused_path), "%s", path);
	return why_wrap(why, DSTACK_E_FORMAT, "%s", path);
}

static enum dstack_status
begin(struct view *v, struct why *why)
{
	AUTO_WR struct wr a = wr_new(LINK_MAX_BODY);
	char path[32 + 64 + 1] = "/beacon/bootstrap/0x";
	hex_encode(v->cfg.checkpoint, 32, path + strlen(path));
	enum dstack_status st = fetch(v, path, &a, why);
	if (st != DSTACK_OK)
		return st;
	enum beacon_code code = beacon_bootstrap(
	    v->store, v->cfg.checkpoint, a.buf, a.len, why);
	if (code != BEACON_OK)
		return refuse(v, code, path, why);
	v->committee_at = 0;
	v->wants_update = true;
	return DSTACK_OK;
}

/* The period whose update has the committee that is missing. */
static enum dstack_status
next_update(struct view *v, struct why *why)
{
	AUTO_WR struct wr a = wr_new(LINK_MAX_BODY);
	const bool had = beacon_next_known(v->store);
	const uint64_t ours = beacon_period(v->store);
	const uint64_t period = had ? ours + 1 : ours;
	char path[48];
	(void)snprintf(path, sizeof(path), "/beacon/updates/%llu",
	    (unsigned long long)period);
	/* whatever comes of it, finality is asked for in between */
	v->wants_update = false;
	v->committee_at = view_ms();
	enum dstack_status st = fetch(v, path, &a, why);
	/* none yet of a period that has just begun; finality is what counts */
	if (st == DSTACK_E_MISSING && !v->behind)
		return DSTACK_OK;
	if (st != DSTACK_OK)
		return st;
	enum beacon_code code = feed(v, false, &a, why);
	if (code == BEACON_OLD) /* of a period that is not over yet */
		return DSTACK_OK;
	if (code != BEACON_OK)
		return refuse(v, code, path, why);
	/* one after the other, until there is nothing new */
	v->wants_update = beacon_period(v->store) != ours ||
	    beacon_next_known(v->store) != had;
	return DSTACK_OK;
}

static enum dstack_status
finality(struct view *v, struct why *why)
{
	static const char path[] = "/beacon/finality";
	AUTO_WR struct wr a = wr_new(LINK_MAX_BODY);
	enum dstack_status st = fetch(v, path, &a, why);
	if (st != DSTACK_OK)
		return st;
	enum beacon_code code = feed(v, true, &a, why);
	/* its committee is to be learnt first (helios#388): no lie, so far */
	v->behind = code == BEACON_PERIOD;
	if (v->behind) {
		v->wants_update = true;
		return why_wrap(why, DSTACK_E_MISSING, "%s", path);
	}
	if (code != BEACON_OK && code != BEACON_OLD)
		return refuse(v, code, path, why);
	v->caught_up = true;
	if (code == BEACON_OK)
		v->strangers = 0;
	if (!beacon_next_known(v->store) &&
	    view_ms() - v->committee_at >= COMMITTEE_AGAIN_MS)
		v->wants_update = true;
	return DSTACK_OK;
}

/* The execution block of a proven head, by its hash alone. */
static enum dstack_status
take_head(struct view *v, const struct beacon_head *b, struct why *why)
{
	AUTO_JSON json_t *j = NULL;
	struct eth_header h;
	if (!b->has_execution)
		return why_set(why, DSTACK_E_FORMAT,
		    "the beacon block of slot %llu has no execution block",
		    (unsigned long long)b->slot);
	enum dstack_status st = rpc_ask(v->edge, "eth_getBlockByHash",
	    json_pack("[o,b]", eth_json_hex(b->execution_hash, 32), 0), &j,
	    why);
	if (st != DSTACK_OK)
		return st;
	if (json_is_null(j))
		return why_set(why, DSTACK_E_MISSING,
		    "the RPC does not have the execution block of slot %llu: "
		    "is it of another chain, or behind?",
		    (unsigned long long)b->slot);
	st = eth_header_from_json(j, &h, why);
	if (st == DSTACK_OK && memcmp(h.hash, b->execution_hash, 32) != 0)
		st = why_set(why, DSTACK_E_FORMAT,
		    "it is not the block that was asked for");
	if (st != DSTACK_OK)
		return why_wrap(why, DSTACK_E_FORMAT,
		    "execution block of slot %llu",
		    (unsigned long long)b->slot);
	struct view_head head = { .number = h.number, .slot = b->slot };
	head.time = slot_time(&v->cfg.beacon, b->slot);
	memcpy(head.hash, h.hash, 32);
	memcpy(head.state_root, h.state_root, 32);
	memcpy(head.root, b->root, 32);
	if (!committee_of(v, period_of(&v->cfg.beacon, b->slot), head.committee))
		return why_set(why, DSTACK_E_MISSING,
		    "the committee of slot %llu is not known yet",
		    (unsigned long long)b->slot);
	return view_advance(v, &head, why);
}

enum dstack_status
view_beacon_step(struct view *v, struct why *why)
{
	struct beacon_head b;
	if (v->strangers > STRANGERS_MOST && !v->kept.tied) {
		view_say(v, "all that the host shows now is signed by others "
			    "than what it showed first; begins anew at the "
			    "checkpoint");
		return view_anew(v, why);
	}
	if (!beacon_finalized(v->store, &b))
		return begin(v, why);
	if (v->wants_update)
		return next_update(v, why);
	if (v->caught_up && proven(v, &b) &&
	    (!v->kept.any || b.slot > v->kept.head.slot) &&
	    memcmp(b.root, v->asked_root, 32) != 0) {
		/* one try a round: a newer one may be had where this is not */
		memcpy(v->asked_root, b.root, 32);
		return take_head(v, &b, why);
	}
	memset(v->asked_root, 0, 32);
	enum dstack_status st = finality(v, why);
	/* until here there was something to do at once */
	v->rests = st == DSTACK_OK;
	return st;
}

/*
 * Until finality is asked for again. The host is near and has the answer, so
 * half a slot is often enough where a slot is 12 s and a head is new once an
 * epoch. Where slots are short, as in tests and demos, each wait for the chain
 * is a few of them, and half a slot of asking late is much of it.
 */
static int64_t
look_ms(const struct beacon_network *n)
{
	const int64_t slot = 1000 * (int64_t)n->seconds_per_slot;
	return n->seconds_per_slot < 4 ? slot / 8 : slot / 2;
}

/* Milliseconds until the next step is due; it is done when it is. */
int
view_beacon_idle(struct view *v)
{
	struct why why = { "" };
	struct beacon_head b;
	int64_t now = view_ms();
	if (now < v->step_at)
		return (int)(v->step_at - now);
	v->rests = false;
	enum dstack_status st = view_beacon_step(v, &why);
	if (st == DSTACK_OK) {
		view_save(v);
		int64_t rest = look_ms(&v->cfg.beacon);
		/* a head that was just proven has its header asked for first */
		bool more = v->wants_update || (v->caught_up && proven(v, &b) &&
		    (!v->kept.any || b.slot > v->kept.head.slot) &&
		    memcmp(b.root, v->asked_root, 32) != 0);
		if (v->rests)
			v->pause = 0;
		v->step_at = view_ms() + (v->rests && !more ? rest : 0);
		if (v->rests && v->kept.any && !more)
			v->said[0] = '\0';
	} else {
		view_say(v, why.text);
		v->pause = v->pause == 0 ? PAUSE_FIRST_MS : v->pause * 2;
		if (v->pause > PAUSE_MOST_MS)
			v->pause = PAUSE_MOST_MS;
		v->step_at = view_ms() + v->pause;
	}
	now = view_ms();
	return v->step_at > now ? (int)(v->step_at - now) : 0;
}

/* --- is a block in this chain? --- */

enum dstack_status
view_beacon_contains(struct view *v, uint64_t slot,
    const uint8_t root[static 32], const uint8_t committee[static 32],
    uint8_t *out, struct why *why)
{
	struct view_walk *w = &v->walk;
	uint8_t ours[32];
	const struct view_head *h = &v->kept.head;
	AUTO_WR struct wr a = wr_new(LINK_MAX_BODY);
	char path[48 + 64] = "/beacon/headers/0x";

	*out = LIGHTCLIENT_NOT_YET;
	if (!v->kept.any || h->slot < slot)
		return DSTACK_OK;
	/*
	 * Whoever has an old committee's keys can sign a block on top of any
	 * other, and for nobody else's committee (docs/formal).
	 */
	if (!committee_of(v, period_of(&v->cfg.beacon, slot), ours) ||
	    memcmp(ours, committee, 32) != 0) {
		*out = LIGHTCLIENT_NO;
		w->under_way = false;
		return DSTACK_OK;
	}
	/* another question than the last one, which begins at the head */
	if (!w->under_way || w->slot != slot ||
	    memcmp(w->root, root, 32) != 0) {
		*w = (struct view_walk){ .under_way = true, .slot = slot };
		memcpy(w->root, root, 32);
		memcpy(w->next, h->root, 32);
	}
	hex_encode(w->next, 32, path + strlen(path));
	(void)snprintf(path + strlen(path), 8, "/%u", WALK_AT_ONCE);
	/* the head itself needs nobody's word */
	if (h->slot == slot) {
		*out = memcmp(h->root, root, 32) == 0 ? LIGHTCLIENT_YES
						      : LIGHTCLIENT_NO;
		w->under_way = false;
		return DSTACK_OK;
	}
	enum dstack_status st = fetch(v, path, &a, why);
	if (st != DSTACK_OK)
		return st;
	switch (headers_walk(a.buf, a.len, slot, root, w->next)) {
	case WALK_YES:
		*out = LIGHTCLIENT_YES;
		break;
	case WALK_NO:
		*out = LIGHTCLIENT_NO;
		break;
	case WALK_ON:
		w->done += a.len / WALK_HEADER;
		if (w->done < WALK_MOST)
			return DSTACK_OK;
		*out = LIGHTCLIENT_NO;
		(void)why_set(why, DSTACK_OK, "slot %llu is further back than "
		    "%u blocks", (unsigned long long)slot, WALK_MOST);
		view_say(v, why->text);
		break;
	case WALK_BAD:
	default:
		(void)why_set(why, DSTACK_E_FORMAT,
		    "not the headers that were asked for");
		return refuse(v, BEACON_FORMAT, path, why);
	}
	w->under_way = false;
	return DSTACK_OK;
}
