/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The view as the others see it: a head that never goes back, how old it is at
 * most, and answers to their questions. How a head comes to be believed is
 * netcfg's to say: on the RPC's word (rpc.c).
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
#include <time.h>

#include "base/log.h"
#include "guest/lightclient/lightclient.h"

#define FRESH_MS 200 /* a view that old is looked at no second time */
#define KEPT_VERSION 1

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
}

static bool
get_head(struct rd *r, struct view_head *h)
{
	return rd_u64be(r, &h->number) == DSTACK_OK &&
	    rd_u64be(r, &h->time) == DSTACK_OK &&
	    rd_copy(r, h->hash, 32) == DSTACK_OK &&
	    rd_copy(r, h->state_root, 32) == DSTACK_OK &&
	    rd_u64be(r, &h->slot) == DSTACK_OK &&
	    rd_copy(r, h->root, 32) == DSTACK_OK;
}

static void
save(const struct view *v)
{
	const struct view_kept *k = &v->kept;
	AUTO_WR struct wr w = wr_new(KEEP_SIZE);

	if (!k->any || v->memory == NULL)
		return;
	wr_u8(&w, KEPT_VERSION);
	put_head(&w, &k->head);
	wr_u64be(&w, k->first);
	wr_u8(&w, k->tied);
	wr_u64be(&w, k->tie_time);
	wr_u64be(&w, k->tie_at);
	if (wr_status(&w) == DSTACK_OK)
		keep_save(v->memory, w.buf, w.len);
}

static void
load(struct view *v)
{
	AUTO_WR struct wr w = wr_new(KEEP_SIZE);
	struct view_kept k = { .any = true };
	uint8_t version = 0, tied = 0;

	if (!keep_load(v->memory, &w))
		return;
	struct rd r = rd_over(w.buf, w.len);
	if (rd_u8(&r, &version) != DSTACK_OK || version != KEPT_VERSION ||
	    !get_head(&r, &k.head) || rd_u64be(&r, &k.first) != DSTACK_OK ||
	    rd_u8(&r, &tied) != DSTACK_OK || tied > 1 ||
	    rd_u64be(&r, &k.tie_time) != DSTACK_OK ||
	    rd_u64be(&r, &k.tie_at) != DSTACK_OK || rd_end(&r) != DSTACK_OK ||
	    (tied != 0 && k.tie_time > k.head.time)) {
		log_line("what was kept of the chain cannot be read");
		return;
	}
	k.tied = tied != 0;
	v->kept = k;
	log_line("goes on from block %llu", (unsigned long long)k.head.number);
}

void
view_open(struct view *v, int hostlink_edge, const struct netcfg *cfg,
    int memory_fd)
{
	memset(v, 0, sizeof(*v));
	v->edge = hostlink_edge;
	v->cfg = *cfg;
	v->memory = keep_map(memory_fd);
	load(v);
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
		save(v);
		return DSTACK_OK;
	}
	if (h->number < was->number || h->slot < was->slot)
		return why_set(why, DSTACK_E_MISSING,
		    "the RPC goes back to block %llu after %llu",
		    (unsigned long long)h->number,
		    (unsigned long long)was->number);
	if (h->time < was->time)
		return why_set(why, DSTACK_E_MISSING,
		    "the RPC's block %llu is %llu s older than one seen "
		    "before it: another chain",
		    (unsigned long long)h->number,
		    (unsigned long long)(was->time - h->time));
	/* of two blocks with one number, one is a lie or was given up */
	if (h->number == was->number && memcmp(h->hash, was->hash, 32) != 0)
		return why_set(why, DSTACK_E_MISSING,
		    "the RPC names two blocks %llu",
		    (unsigned long long)h->number);
	if (memcmp(h, was, sizeof(*h)) != 0) {
		v->kept.head = *h;
		save(v);
	}
	return DSTACK_OK;
}

/* --- requests --- */

static enum dstack_status
head(struct view *v, struct rd *q, struct wr *out, struct why *why)
{
	if (rd_end(q) != DSTACK_OK)
		return why_set(why, DSTACK_E_REJECTED, "malformed HEAD");
	if (v->cfg.view != NETCFG_VIEW_RPC)
		return why_set(why, DSTACK_E_REJECTED,
		    "netcfg asks for view=beacon, which this image lacks");
	if (v->looked == 0 || view_ms() - v->looked >= FRESH_MS) {
		enum dstack_status st = view_rpc(v, why);
		v->looked = st == DSTACK_OK ? view_ms() : 0;
		if (st != DSTACK_OK)
			return st;
	}
	put_head(out, &v->kept.head);
	wr_u64be(out, view_age(&v->kept, (uint64_t)(view_ms() / 1000)));
	return wr_status(out);
}

static enum dstack_status
contains(struct rd *q, struct wr *out, struct why *why)
{
	static const uint8_t zero[32];
	uint8_t root[32];
	uint64_t slot;

	if (rd_u64be(q, &slot) != DSTACK_OK ||
	    rd_copy(q, root, 32) != DSTACK_OK || rd_end(q) != DSTACK_OK)
		return why_set(why, DSTACK_E_REJECTED, "malformed CONTAINS");
	/* it has no beacon blocks: a network's nodes have all the same netcfg */
	wr_u8(out, slot == 0 && memcmp(root, zero, 32) == 0
	    ? LIGHTCLIENT_YES : LIGHTCLIENT_NO);
	return wr_status(out);
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
	save(v);
	return DSTACK_OK;
}

/* A trouble is told once, not at each request that meets it. */
static void
say(struct view *v, const char *text)
{
	if (strncmp(v->said, text, sizeof(v->said) - 1) == 0)
		return;
	(void)snprintf(v->said, sizeof(v->said), "%s", text);
	log_line("not now: %s", text);
}

void
view_serve(void *ctx, enum role from, int fd, struct ipc_request *q)
{
	struct view *v = ctx;
	struct why why = { "" };
	AUTO_WR struct wr out = wr_new(IPC_MAX);
	enum dstack_status st;

	if (q->op == LIGHTCLIENT_HEAD)
		st = head(v, &q->body, &out, &why);
	else if (q->op == LIGHTCLIENT_CONTAINS)
		st = contains(&q->body, &out, &why);
	else if (q->op == LIGHTCLIENT_TIE && from == ROLE_REPLICATOOR)
		st = tie(v, &q->body, &why);
	else
		st = why_set(&why, DSTACK_E_REJECTED, "no such request");
	if (st == DSTACK_OK) {
		if (q->op == LIGHTCLIENT_HEAD)
			v->said[0] = '\0';
		if (ipc_answer(fd, &out) != DSTACK_OK)
			log_line("%s is gone", role_name(from));
		return;
	}
	/* whatever the host's answer was: it is none, and never a last word */
	if (st != DSTACK_E_REJECTED) {
		say(v, why.text);
		st = DSTACK_E_MISSING;
	}
	ipc_answer_why(fd, st, &why);
}
