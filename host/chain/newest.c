/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One poller a host. Its guest's roles look at the chain every few seconds, a
 * transaction waits for its block, a joiner for its answer, an onboarder for
 * its turn: each of them only wants to know when there is another block. So
 * the newest header is asked for once, by whoever comes first when it is due,
 * and the others get what is in memory.
 *
 * When is it due? On a steady chain almost a gap after the last block was seen,
 * then by steps that begin at an eighth of it and double up to STEP_MAX_MS. A
 * gap is what the blocks' own times say. A chain whose last gaps are not one
 * length, or a few times that where a slot was missed, mines when it has
 * something to mine: it is asked by steps alone. Where this host has sent a
 * transaction it asks sooner, for it may be mined at once.
 *
 * The header itself, and proofs at a block, are what every role asks for: their
 * answers are kept, byte for byte under the bytes of the question, and thrown
 * away with the next block. It all stays the endpoint's word: a guest proves
 * what it gets, and how old it is it tells by its own clock.
 */
#include "host/chain/rpc_priv.h"

#include <string.h>

#include "eth/rpc.h"

#define GAP_FIRST_MS 1000u /* until there are others, and on no steady chain */
#define GAP_MAX_MS 15000u  /* no chain with slots has longer ones */
#define STEP_MIN_MS 100u
#define STEP_MAX_MS 2000u
#define KEPT_MAX (256u * 1024) /* bytes of an answer */

void
pulse_init(struct pulse *p)
{
	(void)pthread_mutex_init(&p->lock, NULL);
	for (size_t i = 0; i < PULSE_GAPS; i++)
		p->gap_ms[i] = GAP_FIRST_MS;
}

/* With the lock held, or alone. */
static void
drop(struct pulse *p)
{
	for (size_t i = 0; i < RPC_KEPT; i++) {
		free(p->kept[i].ask);
		free(p->kept[i].answer);
		p->kept[i] = (struct rpc_kept){ NULL, NULL };
	}
	p->nkept = 0;
}

void
pulse_free(struct pulse *p)
{
	drop(p);
	free(p->header);
	(void)pthread_mutex_destroy(&p->lock);
}

void
rpc_hasten(struct rpc *r)
{
	pulse_hasten(&r->pulse);
}

/* The question for the newest header, as guests ask it, too. */
static enum dstack_status
question(struct wr *w)
{
	return eth_rpc_request(w, "eth_getBlockByNumber",
	    json_pack("[s,b]", "latest", 0));
}

static enum dstack_status
judge(const struct wr *a, uint64_t *number, uint64_t *time,
    uint8_t hash[static 32], struct why *why)
{
	json_t *v = NULL;
	enum dstack_status st = eth_rpc_result(a->buf, a->len, &v, why);

	if (st != DSTACK_OK)
		return why_wrap(why, st, "eth_getBlockByNumber");
	if (eth_json_u64(json_object_get(v, "number"), number) != DSTACK_OK ||
	    eth_json_u64(json_object_get(v, "timestamp"), time) != DSTACK_OK ||
	    eth_json_fixed(json_object_get(v, "hash"), hash, 32) != DSTACK_OK)
		st = why_set(why, DSTACK_E_FORMAT,
		    "eth_getBlockByNumber: not a block");
	json_decref(v);
	return st;
}

/* How long after one block another is to be expected. */
static uint64_t
gap_of(const struct pulse *p)
{
	uint64_t gap = p->gap_ms[0];

	for (size_t i = 1; i < PULSE_GAPS; i++)
		if (p->gap_ms[i] < gap)
			gap = p->gap_ms[i];
	if (gap > GAP_MAX_MS || gap < GAP_FIRST_MS)
		return GAP_FIRST_MS;
	/* one, two or three times that; times are in whole seconds */
	for (size_t i = 0; i < PULSE_GAPS; i++) {
		const uint64_t times = (p->gap_ms[i] + gap / 2) / (gap + 1);
		if (times > 3 || p->gap_ms[i] > times * gap + 1000 ||
		    p->gap_ms[i] + 1000 < times * gap)
			return GAP_FIRST_MS;
	}
	return gap;
}

/*
 * Locked. Still the same block: next time by a step that is twice the last,
 * but once at the time when another one is expected.
 */
static void
same_block(struct pulse *p, uint64_t now)
{
	const uint64_t gap = gap_of(p);
	const uint64_t due = p->seen_ms + gap - gap / 16;

	p->next_ms = now + p->step_ms;
	p->step_ms = p->step_ms * 2 > STEP_MAX_MS ? STEP_MAX_MS : p->step_ms * 2;
	if (now >= due || p->next_ms < due)
		return;
	p->next_ms = due;
	p->step_ms = gap / 8 < STEP_MIN_MS ? STEP_MIN_MS : gap / 8;
}

void
pulse_take(struct pulse *p, uint64_t number, uint64_t time,
    const uint8_t hash[static 32], char *header, uint64_t now)
{
	if (p->known && memcmp(hash, p->hash, 32) == 0) {
		same_block(p, now);
		free(header);
		return;
	}
	if (p->known && number > p->number && time >= p->time &&
	    time - p->time < UINT32_MAX)
		p->gap_ms[p->ngap++ % PULSE_GAPS] =
		    (time - p->time) * 1000 / (number - p->number);
	p->time = time;
	p->known = true;
	p->number = number;
	memcpy(p->hash, hash, 32);
	p->seen_ms = now;
	p->step_ms = GAP_MAX_MS; /* so that the first is when one is due */
	same_block(p, now);
	free(p->header);
	p->header = header;
	drop(p);
}

void
pulse_hasten(struct pulse *p)
{
	(void)pthread_mutex_lock(&p->lock);
	p->step_ms = STEP_MIN_MS;
	p->next_ms = 0;
	(void)pthread_mutex_unlock(&p->lock);
}

/* Ask if it is due; else, or while another thread does, what is known holds. */
static enum dstack_status
refresh(struct rpc *r, struct why *why)
{
	struct pulse *p = &r->pulse;
	AUTO_WR struct wr q = wr_new(0);
	AUTO_WR struct wr a = wr_new(ETH_RPC_MAX);
	uint64_t number = 0, time = 0;
	uint8_t hash[32];

	(void)pthread_mutex_lock(&p->lock);
	const bool due = rpc_now_ms() >= p->next_ms;
	const bool go = !p->known || (due && !p->asking);
	if (go)
		p->asking = true;
	(void)pthread_mutex_unlock(&p->lock);
	if (!go)
		return DSTACK_OK;
	enum dstack_status st = question(&q);
	if (st == DSTACK_OK)
		st = rpc_pass(r, q.buf, q.len, &a, why);
	if (st == DSTACK_OK)
		st = judge(&a, &number, &time, hash, why);
	wr_u8(&a, 0);
	if (st == DSTACK_OK)
		st = wr_status(&a);
	(void)pthread_mutex_lock(&p->lock);
	p->asking = false;
	if (st == DSTACK_OK) {
		size_t n;
		pulse_take(p, number, time, hash, (char *)wr_steal(&a, &n),
		    rpc_now_ms());
	} else if (due && p->known) {
		/*
		 * No word of a newer block: what is known is not said to be
		 * the newest. The next who asks tries anew.
		 */
		p->known = false;
		drop(p);
	}
	(void)pthread_mutex_unlock(&p->lock);
	return st;
}

enum dstack_status
rpc_newest(struct rpc *r, uint64_t *number, uint8_t *hash, struct why *why)
{
	enum dstack_status st = refresh(r, why);

	if (st != DSTACK_OK)
		return st;
	(void)pthread_mutex_lock(&r->pulse.lock);
	*number = r->pulse.number;
	if (hash != NULL)
		memcpy(hash, r->pulse.hash, 32);
	(void)pthread_mutex_unlock(&r->pulse.lock);
	return DSTACK_OK;
}

/* Is it a result? An error may be another the next time. */
static bool
result(const char *text, size_t len)
{
	json_t *v = NULL;
	const bool yes = eth_rpc_result(text, len, &v, NULL) == DSTACK_OK &&
	    v != NULL && !json_is_null(v);

	json_decref(v);
	return yes;
}

/* Locked. NULL: not kept. */
static const char *
find(const struct pulse *p, const void *text, size_t len)
{
	AUTO_WR struct wr q = wr_new(0);

	if (question(&q) == DSTACK_OK && q.len == len &&
	    memcmp(q.buf, text, len) == 0)
		return p->header;
	for (size_t i = 0; i < p->nkept; i++)
		if (strlen(p->kept[i].ask) == len &&
		    memcmp(p->kept[i].ask, text, len) == 0)
			return p->kept[i].answer;
	return NULL;
}

enum dstack_status
rpc_pass_kept(struct rpc *r, const void *text, size_t len, struct wr *out,
    struct why *why)
{
	struct pulse *p = &r->pulse;
	AUTO_WR struct wr a = wr_new(ETH_RPC_MAX);
	uint8_t hash[32];
	struct why ignored = { "" };

	/* no block, or none that is one: who asks hears it himself */
	if (refresh(r, &ignored) != DSTACK_OK)
		return rpc_pass(r, text, len, out, why);
	(void)pthread_mutex_lock(&p->lock);
	const char *kept = find(p, text, len);
	if (kept != NULL)
		wr_str(out, kept);
	memcpy(hash, p->hash, 32);
	(void)pthread_mutex_unlock(&p->lock);
	if (kept != NULL)
		return wr_status(out);
	enum dstack_status st = rpc_pass(r, text, len, &a, why);
	if (st != DSTACK_OK)
		return st;
	wr_put(out, a.buf, a.len);
	if (a.len > KEPT_MAX || !result((const char *)a.buf, a.len))
		return wr_status(out);
	(void)pthread_mutex_lock(&p->lock);
	/* asked for at this block, or it belongs to another */
	if (p->known && memcmp(hash, p->hash, 32) == 0 &&
	    p->nkept < RPC_KEPT) {
		struct rpc_kept k = { strndup(text, len),
			strndup((const char *)a.buf, a.len) };
		if (k.ask != NULL && k.answer != NULL &&
		    strlen(k.ask) == len && strlen(k.answer) == a.len) {
			p->kept[p->nkept++] = k;
		} else {
			free(k.ask);
			free(k.answer);
		}
	}
	(void)pthread_mutex_unlock(&p->lock);
	return wr_status(out);
}
