/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The view as the others see it: a head that never goes back, how old it is at
 * most, and answers to their questions. How a head comes to be believed is
 * netcfg's to say: proven by the beacon chain (beacon.c), or on the RPC's word
 * (rpc.c).
 *
 * Age. The host sets this machine's date and picks what it is shown, so
 * neither tells how late a block is. But what this boot has signed afresh at
 * boottime t0, and saw later in a block of time T, was in no block before: the
 * true time at t0 was T at most, and by the clock that counts since the
 * machine started it is T + (now - t0) at most ever after. replicatoor says T
 * and t0 once (TIE).
 *
 * What the host can do is to keep the view where it is: then the age grows,
 * and who asks acts on it (THREATS T19, T20).
 */
#include "guest/lightclient/view.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "base/log.h"
#include "beacon/store.h"
#include "guest/lightclient/lightclient.h"

#define FRESH_MS 200 /* a view that old is looked at no second time */
#define KEPT_RPC 1
#define KEPT_BEACON 2

int64_t
view_ms(void)
{
	struct timespec t = { 0 };
	(void)clock_gettime(CLOCK_BOOTTIME, &t); /* counts while suspended */
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

uint64_t
view_age(const struct view_kept *k, uint64_t now)
{
	/* a tie is from a head that was here then: head.time >= tie_time */
	if (!k->any || !k->tied || now < k->tie_at)
		return UINT64_MAX;
	uint64_t since = now - k->tie_at;
	uint64_t gained = k->head.time - k->tie_time;
	return since > gained ? since - gained : 0;
}

/* --- what outlives the process --- */

static void
put_head(struct wr *w, const struct view_head *h)
{
	wr_u64be(w, h->number);
	wr_u64be(w, h->time);
	wr_put(w, h->hash, 32);
	wr_put(w, h->state_root, 32);
	wr_u64be(w, h->slot);
	wr_put(w, h->root, 32);
	wr_put(w, h->committee, 32);
}

static bool
get_head(struct rd *r, struct view_head *h)
{
	return rd_u64be(r, &h->number) == DSTACK_OK &&
	    rd_u64be(r, &h->time) == DSTACK_OK &&
	    rd_copy(r, h->hash, 32) == DSTACK_OK &&
	    rd_copy(r, h->state_root, 32) == DSTACK_OK &&
	    rd_u64be(r, &h->slot) == DSTACK_OK &&
	    rd_copy(r, h->root, 32) == DSTACK_OK &&
	    rd_copy(r, h->committee, 32) == DSTACK_OK;
}

/* The heads, then the store, which may be ahead of them or alone. */
void
view_save(const struct view *v)
{
	const struct view_kept *k = &v->kept;
	AUTO_WR struct wr w = wr_new(KEEP_SIZE);
	AUTO_WR struct wr store = wr_new(KEEP_SIZE);

	if (v->memory == NULL)
		return;
	wr_u8(&w, v->store != NULL ? KEPT_BEACON : KEPT_RPC);
	wr_u8(&w, k->any);
	put_head(&w, &k->head);
	wr_u64be(&w, k->first);
	wr_u8(&w, k->tied);
	wr_u64be(&w, k->tie_time);
	wr_u64be(&w, k->tie_at);
	wr_u64be(&w, k->past_period);
	wr_put(&w, k->past_committee, 32);
	if (v->store != NULL)
		store_save(v->store, &store);
	if (wr_status(&store) != DSTACK_OK)
		return;
	wr_blob(&w, store.len > 0 ? store.buf : (const uint8_t *)"",
	    store.len);
	if (wr_status(&w) == DSTACK_OK)
		keep_save(v->memory, w.buf, w.len);
}

static void
load(struct view *v)
{
	AUTO_WR struct wr w = wr_new(KEEP_SIZE);
	struct view_kept k = { .any = false };
	uint8_t version = 0, any = 0, tied = 0;
	const uint8_t *store = NULL;
	size_t n = 0;

	if (!keep_load(v->memory, &w))
		return;
	struct rd r = rd_over(w.buf, w.len);
	if (rd_u8(&r, &version) != DSTACK_OK ||
	    version != (v->store != NULL ? KEPT_BEACON : KEPT_RPC) ||
	    rd_u8(&r, &any) != DSTACK_OK || any > 1 ||
	    !get_head(&r, &k.head) || rd_u64be(&r, &k.first) != DSTACK_OK ||
	    rd_u8(&r, &tied) != DSTACK_OK || tied > 1 ||
	    rd_u64be(&r, &k.tie_time) != DSTACK_OK ||
	    rd_u64be(&r, &k.tie_at) != DSTACK_OK ||
	    rd_u64be(&r, &k.past_period) != DSTACK_OK ||
	    rd_copy(&r, k.past_committee, 32) != DSTACK_OK ||
	    rd_blob(&r, KEEP_SIZE, &store, &n) != DSTACK_OK ||
	    rd_end(&r) != DSTACK_OK ||
	    (tied != 0 && (any == 0 || k.tie_time > k.head.time)) ||
	    (n != 0 && (v->store == NULL || !store_load(v->store, store, n)))) {
		log_line("what was kept of the chain cannot be read");
		return;
	}
	k.any = any != 0;
	k.tied = tied != 0;
	v->kept = k;
	v->caught_up = k.any;
	if (k.any)
		log_line("goes on from block %llu",
		    (unsigned long long)k.head.number);
}

enum dstack_status
view_open(struct view *v, int hostlink_edge, const struct netcfg *cfg,
    int memory_fd, struct why *why)
{
	memset(v, 0, sizeof(*v));
	v->edge = hostlink_edge;
	v->cfg = *cfg;
	if (cfg->view == NETCFG_VIEW_BEACON) {
		v->store = beacon_store_new(&v->cfg.beacon);
		if (v->store == NULL)
			return why_set(why, DSTACK_E_NOMEM, "out of memory");
		v->wants_update = true;
	}
	v->memory = keep_map(memory_fd);
	load(v);
	return DSTACK_OK;
}

void
view_close(struct view *v)
{
	beacon_store_free(v->store);
	v->store = NULL;
	if (v->memory != NULL)
		(void)munmap(v->memory, KEEP_SIZE);
	v->memory = NULL;
}

/* --- the head --- */

/*
 * Never back: an old state could bring back an app that was stopped, or a
 * tuple that was denied.
 */
enum dstack_status
view_advance(struct view *v, const struct view_head *h, struct why *why)
{
	const struct view_head *was = &v->kept.head;

	if (!v->kept.any) {
		v->kept.any = true;
		v->kept.first = h->time;
		v->kept.head = *h;
		view_save(v);
		return DSTACK_OK;
	}
	if (h->number < was->number || h->slot < was->slot)
		return why_set(why, DSTACK_E_MISSING,
		    "the host goes back to block %llu after %llu",
		    (unsigned long long)h->number,
		    (unsigned long long)was->number);
	if (h->time < was->time)
		return why_set(why, DSTACK_E_MISSING,
		    "the host's block %llu is %llu s older than one seen "
		    "before it: another chain",
		    (unsigned long long)h->number,
		    (unsigned long long)(was->time - h->time));
	/* of two blocks with one number, one is a lie or was given up */
	if (h->number == was->number && memcmp(h->hash, was->hash, 32) != 0)
		return why_set(why, DSTACK_E_MISSING,
		    "the host names two blocks %llu",
		    (unsigned long long)h->number);
	if (memcmp(h, was, sizeof(*h)) != 0) {
		v->kept.head = *h;
		view_save(v);
	}
	return DSTACK_OK;
}

/* --- requests --- */

/* at_once: the host is not asked; what was believed last stands. */
static enum dstack_status
head(struct view *v, bool at_once, struct rd *q, struct wr *out,
    struct why *why)
{
	if (rd_end(q) != DSTACK_OK)
		return why_set(why, DSTACK_E_REJECTED, "malformed HEAD");
	if (v->store != NULL && !v->kept.any)
		return why_set(why, DSTACK_E_MISSING, "%s",
		    v->said[0] != '\0' ? v->said
				       : "the beacon chain is being followed "
					 "to its head");
	if (at_once && !v->kept.any)
		return why_set(why, DSTACK_E_MISSING,
		    "the host has not answered yet");
	if (v->store == NULL && !at_once && (v->looked == 0 ||
	    view_ms() - v->looked >= FRESH_MS)) {
		enum dstack_status st = view_rpc(v, why);
		v->looked = st == DSTACK_OK ? view_ms() : 0;
		if (st != DSTACK_OK)
			return st;
	}
	put_head(out, &v->kept.head);
	wr_u64be(out, view_age(&v->kept, (uint64_t)(view_ms() / 1000)));
	return wr_status(out);
}

/* at_once: not yet, since the walk may be what the host is being asked for. */
static enum dstack_status
contains(struct view *v, bool at_once, struct rd *q, struct wr *out,
    struct why *why)
{
	static const uint8_t zero[32];
	uint8_t root[32], committee[32];
	uint64_t slot;
	uint8_t is = LIGHTCLIENT_NO;

	if (rd_u64be(q, &slot) != DSTACK_OK ||
	    rd_copy(q, root, 32) != DSTACK_OK ||
	    rd_copy(q, committee, 32) != DSTACK_OK || rd_end(q) != DSTACK_OK)
		return why_set(why, DSTACK_E_REJECTED, "malformed CONTAINS");
	enum dstack_status st = DSTACK_OK;
	if (v->store != NULL && at_once)
		is = LIGHTCLIENT_NOT_YET;
	else if (v->store != NULL)
		st = view_beacon_contains(v, slot, root, committee, &is, why);
	/* by RPC no beacon block is: a network's nodes have all one netcfg */
	else if (slot == 0 && memcmp(root, zero, 32) == 0 &&
	    memcmp(committee, zero, 32) == 0)
		is = LIGHTCLIENT_YES;
	wr_u8(out, is);
	return st == DSTACK_OK ? wr_status(out) : st;
}

/*
 * What was signed at tie_at has the newest block of then in it, so it is in a
 * later one: a T outside of the heads of this boot is a mistake, or worse.
 */
static enum dstack_status
tie(struct view *v, struct rd *q, struct why *why)
{
	struct view_kept *k = &v->kept;
	uint64_t time, at;

	if (rd_u64be(q, &time) != DSTACK_OK || rd_u64be(q, &at) != DSTACK_OK ||
	    rd_end(q) != DSTACK_OK)
		return why_set(why, DSTACK_E_REJECTED, "malformed TIE");
	if (!k->any || time < k->first || time > k->head.time ||
	    at > (uint64_t)(view_ms() / 1000))
		return why_set(why, DSTACK_E_REJECTED,
		    "no head of this boot has that time");
	if (k->tied) /* a register that was tried again */
		return DSTACK_OK;
	k->tied = true;
	k->tie_time = time;
	k->tie_at = at;
	view_save(v);
	return DSTACK_OK;
}

enum dstack_status
view_anew(struct view *v, struct why *why)
{
	struct beacon_store *s = NULL;

	if (v->store != NULL && (s = beacon_store_new(&v->cfg.beacon)) == NULL)
		return why_set(why, DSTACK_E_NOMEM, "out of memory");
	beacon_store_free(v->store);
	v->store = s;
	v->kept = (struct view_kept){ .any = false };
	v->walk = (struct view_walk){ .under_way = false };
	v->looked = v->committee_at = v->step_at = v->pause = 0;
	memset(v->asked_root, 0, sizeof(v->asked_root));
	v->behind = v->caught_up = false;
	v->wants_update = s != NULL;
	v->strangers = 0;
	/* the old heads must not come back with the next life */
	view_save(v);
	return DSTACK_OK;
}

void
view_say(struct view *v, const char *text)
{
	if (strncmp(v->said, text, sizeof(v->said) - 1) == 0)
		return;
	(void)snprintf(v->said, sizeof(v->said), "%s", text);
	log_line("not now: %s", text);
}

static void
answer(struct view *v, bool at_once, enum role from, int fd,
    struct ipc_request *q)
{
	struct why why = { "" };
	AUTO_WR struct wr out = wr_new(IPC_MAX);
	enum dstack_status st;

	if (q->op == LIGHTCLIENT_HEAD)
		st = head(v, at_once, &q->body, &out, &why);
	else if (q->op == LIGHTCLIENT_CONTAINS)
		st = contains(v, at_once, &q->body, &out, &why);
	else if (q->op == LIGHTCLIENT_TIE && from == ROLE_REPLICATOOR)
		st = tie(v, &q->body, &why);
	else if (q->op == LIGHTCLIENT_ANEW && from == ROLE_REPLICATOOR &&
	    at_once) {
		/* the store may be what the answer is for: in a moment */
		(void)why_set(&why, DSTACK_E_BUSY, "the host is being asked");
		ipc_answer_why(fd, DSTACK_E_BUSY, &why);
		return;
	} else if (q->op == LIGHTCLIENT_ANEW && from == ROLE_REPLICATOOR)
		st = rd_end(&q->body) == DSTACK_OK
		    ? view_anew(v, &why)
		    : why_set(&why, DSTACK_E_REJECTED, "malformed ANEW");
	else
		st = why_set(&why, DSTACK_E_REJECTED, "no such request");
	if (st == DSTACK_OK) {
		if (q->op == LIGHTCLIENT_HEAD && v->store == NULL && !at_once)
			v->said[0] = '\0';
		if (ipc_answer(fd, &out) != DSTACK_OK)
			log_line("%s is gone", role_name(from));
		return;
	}
	/* whatever the host's answer was: it is none, and never a last word */
	if (st != DSTACK_E_REJECTED) {
		if (!at_once && (q->op != LIGHTCLIENT_HEAD ||
			v->store == NULL))
			view_say(v, why.text);
		st = DSTACK_E_MISSING;
	}
	ipc_answer_why(fd, st, &why);
}

void
view_serve(void *ctx, enum role from, int fd, struct ipc_request *q)
{
	answer(ctx, false, from, fd, q);
}

/*
 * A host that is silent is given up by hostlink after two minutes. Nobody but
 * the role whose question it was waits for that: the others are told what is
 * believed, which is whole at any time, as the host's answers become one
 * (view_advance) or nothing.
 */
void
view_serve_at_once(void *ctx, enum role from, int fd, struct ipc_request *q)
{
	answer(ctx, true, from, fd, q);
}
