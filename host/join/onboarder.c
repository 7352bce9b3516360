/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Onboards newcomers, for the account that pays: the host's half of "any node
 * already in".
 *
 * The listener thread reads the relay. A line may be a bootstrap quote or a
 * question for one (birth.c), an answer of another node (handed on, a guest of
 * ours may wait for it), or a request; what is none of these is counted. A
 * request is checked as far as a host can (onboarder_filter.c), and put into
 * the list.
 *
 * One node answers, the others are there for when it does not: which is whose
 * turn is decided alike by all who hear the same signs of life, anew for each
 * request (opt.rank). The first begins at once; the next only when two blocks
 * and some seconds have passed in which the guests could know of the request,
 * and so on. Who is wrong about his turn costs himself gas, nobody the secret.
 *
 * The worker thread takes the entry that is due: still requested on the chain?
 * Then the guest judges it, which takes a quote verification, and gives a
 * signed answer and a ciphertext. Is it still requested? Then the answer goes
 * to the relay, where the contract wants ciphertexts there, and to the chain.
 * What fails for a while (guest not up, endpoint away) is tried again for ten
 * minutes; what is refused is remembered with its reason, and looked at again
 * when it is asked again later, since lists grow. What was answered is repeated
 * when the newcomer asks once more: it may have missed it.
 *
 * The host cannot onboard anybody by itself: without the guest's signature the
 * contract takes no answer.
 */
#include "host/join/onboarder.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/hex.h"
#include "base/log.h"
#include "eth/abi.h"
#include "host/relay/gossip.h"
#include "host/http/client.h"
#include "host/chain/kmcall.h"
#include "host/relay/pubsub.h"
#include "host/join/turn.h"
#include "protocol/layout.h"

#define RETRY_MS 250u
#define BLIND_MS 500u	    /* the same, while the guest cannot know of it */
#define GIVE_UP_MS 3600000u /* some hundred blocks; finality takes 75 of them */
#define SILENT_S 90u       /* the relay's keep-alive comes every 30 s */
#define DONE_MAX 256u
#define HEARD_MS 1000u     /* a relay that hangs up at once is not back */
#define AGAIN_MS 2000u     /* an answer is not repeated more often */
#define RELOOK_MS 20000u   /* what was refused is judged again, if asked */
#define PUSH_TRIES 3u

struct entry {
	bool used;
	uint8_t id[32];
	uint64_t next_ms;
	uint64_t since_ms;
	char *body;
	size_t len;
	struct turn turn;
	char last[64]; /* last reason that was logged */
	char *answer;  /* what the relay took of us; NULL: nothing */
	bool over;     /* the chain has an answer */
	uint8_t *call; /* owned; sent, and in no block yet; or NULL */
	size_t call_len;
};

/* Answered, or left to others. */
struct done {
	uint8_t id[32];
	char *answer; /* as in struct entry */
	uint64_t at_ms; /* when it was given, or refused */
	bool again; /* asked for once more */
	bool over;  /* as in struct entry, and the next */
	char last[64];
};

struct onboarder {
	const struct host_config *cfg;
	struct rpc *rpc;
	struct onboarder_options opt;
	pthread_t listener;
	pthread_t worker;
	bool listening;
	bool working;
	atomic_bool stop;
	pthread_mutex_t lock;
	pthread_cond_t some;
	struct entry pending[ONBOARDER_PENDING];
	struct done done[DONE_MAX];
	unsigned ndone;
	struct turns turns; /* the worker's alone, as the next two */
	bool ct_known;
	bool ct_onchain;
	unsigned bad; /* malformed lines, for one log line per power of two */
};

static uint64_t
now_ms(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/*
 * Known, and nothing to be done now. What we answered is answered again, and
 * what was refused is looked at again, now and then: what was wrong with it
 * may have been our view of the chain, or a list that has grown since.
 */
static bool
known(struct onboarder *o, const uint8_t id[static 32])
{
	for (size_t i = 0; i < ONBOARDER_PENDING; i++)
		if (o->pending[i].used &&
		    memcmp(o->pending[i].id, id, 32) == 0)
			return true;
	for (unsigned i = 0; i < o->ndone && i < DONE_MAX; i++) {
		struct done *d = &o->done[i];
		if (memcmp(d->id, id, 32) != 0)
			continue;
		if (d->answer != NULL && now_ms() - d->at_ms > AGAIN_MS) {
			d->again = true;
			(void)pthread_cond_signal(&o->some);
		}
		return d->over || now_ms() - d->at_ms < o->opt.relook_ms;
	}
	return false;
}

static void
on_line(void *arg, const char *line, size_t len)
{
	struct onboarder *o = arg;
	AUTO_WR struct wr body = wr_new(MSG_MAX);
	struct why why = { "" };
	struct msg_onboard m;
	uint8_t id[32];

	if (o->opt.other != NULL && o->opt.other(o->opt.arg, line, len))
		return;
	memset(&m, 0, sizeof(m));
	enum dstack_status st = onboarder_answer(line, len, &m, &why);
	if (st == DSTACK_OK) {
		if (o->opt.answer != NULL)
			o->opt.answer(o->opt.arg, &m);
		msg_onboard_free(&m);
		return;
	}
	if (st == DSTACK_E_MISSING)
		st = onboarder_filter(o->cfg, line, len, id, &body, &why);
	if (st == DSTACK_E_BUSY)
		return;
	if (st != DSTACK_OK) {
		o->bad++;
		/*
		 * Anybody can fill the relay: one line for 1, 2, 4, 8... of
		 * them.
		 */
		if ((o->bad & (o->bad - 1)) == 0)
			log_line("onboarder: message %u that is no request "
				 "and no answer: %s",
			    o->bad, why.text);
		return;
	}
	/* Our own guest's request: it cannot answer itself. */
	if (o->opt.own != NULL && o->opt.own(o->opt.arg, id))
		return;
	(void)pthread_mutex_lock(&o->lock);
	struct entry *e = NULL;
	for (size_t i = 0; e == NULL && i < ONBOARDER_PENDING; i++)
		if (!o->pending[i].used)
			e = &o->pending[i];
	if (e != NULL && !known(o, id)) {
		/* it is in a block already, as its host says */
		rpc_hasten(o->rpc);
		memset(e, 0, sizeof(*e));
		memcpy(e->id, id, 32);
		e->body = (char *)wr_steal(&body, &e->len);
		e->since_ms = now_ms();
		e->next_ms = e->since_ms;
		e->turn.heard = (uint64_t)time(NULL);
		for (size_t i = 0; i < DONE_MAX; i++)
			if (memcmp(o->done[i].id, id, 32) == 0)
				memcpy(e->last, o->done[i].last,
				    sizeof(e->last));
		e->used = e->body != NULL;
		(void)pthread_cond_signal(&o->some);
	}
	(void)pthread_mutex_unlock(&o->lock);
}

/* OK: it waits to be onboarded. REJECTED: not, or no longer. */
static enum dstack_status
still_requested(
    struct onboarder *o, struct entry *e, struct why *why)
{
	AUTO_WR struct wr call = wr_new(0);
	AUTO_WR struct wr out = wr_new(4096);
	uint64_t state = 0;
	enum dstack_status st = km_call_requested(&call, e->id);

	if (st == DSTACK_OK)
		st = rpc_eth_call(o->rpc, o->cfg->contract, call.buf, call.len,
		    &out, why);
	if (st != DSTACK_OK)
		return DSTACK_E_MISSING;
	struct rd r = rd_over(out.buf, out.len);
	st = abi_rd_u64(&r, &state);
	if (st != DSTACK_OK)
		return why_set(why, DSTACK_E_MISSING,
		    "requested() does not answer; is CONTRACT a KeyManager?");
	/* Status of the contract: 1 requested, 2 onboarded. */
	e->over = state == 2;
	if (state != 1)
		return why_set(why, DSTACK_E_REJECTED, "%s",
		    state == 2 ? "another node was first"
			       : "the chain has no such request");
	return DSTACK_OK;
}

/* Have the guest judge. MISSING: it is not up, or says later. */
static enum dstack_status
ask_guest(struct onboarder *o, const struct entry *e, struct msg_onboard *m,
    struct why *why)
{
	char url[CONFIG_TEXT + 16];
	unsigned status = 0;
	AUTO_WR struct wr out = wr_new(MSG_MAX);

	(void)snprintf(url, sizeof(url), "%s/onboard", o->cfg->guest_service);
	struct http_request q = { .url = url,
		.body = e->body,
		.bodylen = e->len,
		.max = MSG_MAX,
		.timeout_ms = 60000 };
	enum dstack_status st = http_do(&q, &status, &out, NULL, why);
	if (st != DSTACK_OK)
		return why_wrap(why, DSTACK_E_MISSING, "the guest");
	if (status == 200)
		return msg_onboard_parse(out.buf, out.len, m, why);
	size_t n = out.len < 160 ? out.len : 160;
	/* The guest's reason is one line; it becomes part of ours. */
	while (n > 0 && out.buf[n - 1] == '\n')
		n--;
	return why_set(why,
	    /*
	     * Not up yet, or busy: another time. Everything else is its
	     * verdict.
	     */
	    status == 502 || status == 503 ? DSTACK_E_MISSING
					   : DSTACK_E_REJECTED,
	    "the guest answers %u: %.*s", status, (int)n,
	    out.buf != NULL ? (const char *)out.buf : "");
}

/* Where the contract wants ciphertexts; asked once, it is immutable. */
static enum dstack_status
ct_way(struct onboarder *o, struct why *why)
{
	AUTO_WR struct wr out = wr_new(4096);
	uint8_t call[4];
	uint64_t on = 0;

	if (o->ct_known)
		return DSTACK_OK;
	abi_selector(KM_FN_CT_ON_CHAIN, call);
	enum dstack_status st = rpc_eth_call(
	    o->rpc, o->cfg->contract, call, sizeof(call), &out, why);
	if (st != DSTACK_OK)
		return DSTACK_E_MISSING;
	struct rd r = rd_over(out.buf, out.len);
	if (abi_rd_u64(&r, &on) != DSTACK_OK)
		return why_set(why, DSTACK_E_MISSING,
		    "ctOnChain() does not answer; is CONTRACT a KeyManager?");
	o->ct_onchain = on != 0;
	o->ct_known = true;
	return DSTACK_OK;
}

/*
 * The answer, to the relay before the chain says that there is one. What the
 * relay took is kept in e, to be given again.
 */
static enum dstack_status
publish(struct onboarder *o, struct entry *e, const struct msg_onboard *m)
{
	struct why why = { "" };
	AUTO_WR struct wr text = wr_new(MSG_MAX);
	size_t len = 0;
	enum dstack_status st = DSTACK_E_MISSING;

	msg_onboard_build(&text, m);
	wr_u8(&text, 0);
	if (wr_status(&text) != DSTACK_OK)
		return wr_status(&text);
	for (unsigned i = 0; i < PUSH_TRIES && !atomic_load(&o->stop); i++) {
		struct timespec pause = { .tv_nsec = RETRY_MS * 1000000L };
		st = gossip_push(
		    o->cfg->pubsub_url, (const char *)text.buf, &why);
		if (st == DSTACK_OK)
			break;
		(void)nanosleep(&pause, NULL);
	}
	if (st != DSTACK_OK)
		return st;
	/*
	 * A later try makes another ciphertext: the last one is to be repeated.
	 */
	free(e->answer);
	e->answer = (char *)wr_steal(&text, &len);
	return DSTACK_OK;
}

/* The guest's answer as a call of the contract, into e->call. */
static enum dstack_status
make_call(struct onboarder *o, struct entry *e, struct why *why)
{
	struct msg_onboard m;
	bool with_ct = true;
	AUTO_WR struct wr call = wr_new(0);
	enum dstack_status st = still_requested(o, e, why);

	memset(&m, 0, sizeof(m));
	if (st == DSTACK_OK)
		st = ask_guest(o, e, &m, why);
	if (st == DSTACK_OK)
		st = still_requested(o, e, why);
	if (st == DSTACK_OK)
		st = ct_way(o, why);
	if (st == DSTACK_OK && !o->ct_onchain) {
		with_ct = publish(o, e, &m) != DSTACK_OK;
		if (with_ct)
			log_line("onboarder: the relay does not take an "
				 "answer: its ciphertext goes with the "
				 "transaction");
	}
	if (st == DSTACK_OK)
		st = km_call_onboard(&call, &m, with_ct);
	msg_onboard_free(&m);
	if (st == DSTACK_OK)
		e->call = wr_steal(&call, &e->call_len);
	return st;
}

/* One that was sent and is in no block yet is waited for, not made anew. */
static enum dstack_status
answer(struct onboarder *o, struct entry *e, struct why *why)
{
	struct rpc_receipt receipt;
	enum dstack_status st =
	    e->call != NULL ? DSTACK_OK : make_call(o, e, why);

	if (st != DSTACK_OK)
		return st;
	st = rpc_send(o->rpc, &o->cfg->privkey, o->cfg->chain_id,
	    o->cfg->contract, e->call, e->call_len, 0, &receipt, why);
	/*
	 * Sent but in no block: the same call is looked for next time, not
	 * another one made.
	 */
	if (st != DSTACK_E_BUSY) {
		free(e->call);
		e->call = NULL;
	}
	const char *name = st != DSTACK_OK ? km_error_name(why->text) : NULL;
	if (name != NULL)
		return why_set(why, DSTACK_E_REJECTED,
		    "the contract refuses: %s", name);
	json_decref(receipt.logs);
	e->over = st == DSTACK_OK;
	return st;
}

static void
finish(struct onboarder *o, struct entry *e)
{
	struct done *d = NULL;

	for (unsigned i = 0; d == NULL && i < DONE_MAX; i++)
		if (memcmp(o->done[i].id, e->id, 32) == 0)
			d = &o->done[i];
	if (d == NULL)
		/* The oldest is forgotten: at worst it is judged once more. */
		d = &o->done[o->ndone++ % DONE_MAX];
	free(d->answer);
	memset(d, 0, sizeof(*d));
	memcpy(d->id, e->id, 32);
	d->answer = e->answer;
	d->over = e->over;
	memcpy(d->last, e->last, sizeof(d->last));
	d->at_ms = now_ms();
	free(e->body);
	free(e->call);
	memset(e, 0, sizeof(*e));
}

static void
work_on(struct onboarder *o, struct entry *e)
{
	struct why why = { "" };
	char hex[65];
	enum dstack_status st = answer(o, e, &why);
	bool later = st == DSTACK_E_MISSING || st == DSTACK_E_SYS ||
	    st == DSTACK_E_BUSY || st == DSTACK_E_NOMEM;

	hex_encode(e->id, 32, hex);
	if (st == DSTACK_OK)
		log_line("onboarder: %.16s is onboarded", hex);
	/* The same reason, four times a second, is said once. */
	else if (strncmp(e->last, why.text, sizeof(e->last) - 1) != 0)
		log_line("onboarder: %.16s: %s%s", hex, why.text,
		    later ? " (will ask again)" : "");
	(void)snprintf(e->last, sizeof(e->last), "%s", why.text);
	(void)pthread_mutex_lock(&o->lock);
	if (later && now_ms() - e->since_ms < GIVE_UP_MS)
		e->next_ms = now_ms() + (turn_seen(&o->turns, &e->turn) ? RETRY_MS : BLIND_MS);
	else
		finish(o, e);
	(void)pthread_mutex_unlock(&o->lock);
}

/* With the lock held, which is let go meanwhile. Was there one to give? */
static bool
answer_again(struct onboarder *o)
{
	struct why why = { "" };
	struct done *d = NULL;

	for (size_t i = 0; d == NULL && i < DONE_MAX; i++)
		if (o->done[i].again)
			d = &o->done[i];
	if (d == NULL)
		return false;
	d->again = false;
	d->at_ms = now_ms();
	AUTO_FREE char *text = strdup(d->answer);
	(void)pthread_mutex_unlock(&o->lock);
	/* not taken: the joiner asks again */
	if (text != NULL)
		(void)!gossip_push(o->cfg->pubsub_url, text, &why);
	(void)pthread_mutex_lock(&o->lock);
	return true;
}

static bool
newest(void *chain, uint64_t *block)
{
	struct why why = { "" };

	return rpc_newest(chain, block, NULL, &why) == DSTACK_OK;
}

/* Entries are only taken away by this thread, so e stays valid unlocked. */
static void *
worker(void *arg)
{
	struct onboarder *o = arg;

	(void)pthread_mutex_lock(&o->lock);
	while (!atomic_load(&o->stop)) {
		struct entry *e = NULL;
		if (answer_again(o))
			continue;
		for (size_t i = 0; i < ONBOARDER_PENDING; i++)
			if (o->pending[i].used &&
			    (e == NULL || o->pending[i].next_ms < e->next_ms))
				e = &o->pending[i];
		uint64_t now = now_ms();
		if (e == NULL) {
			(void)pthread_cond_wait(&o->some, &o->lock);
		} else if (e->next_ms > now) {
			struct timespec t;
			(void)clock_gettime(CLOCK_MONOTONIC, &t);
			uint64_t ns = (uint64_t)t.tv_nsec +
			    (e->next_ms - now) * 1000000;
			t.tv_sec += (time_t)(ns / 1000000000);
			t.tv_nsec = (long)(ns % 1000000000);
			(void)pthread_cond_timedwait(&o->some, &o->lock, &t);
		} else {
			(void)pthread_mutex_unlock(&o->lock);
			const bool turn = e->call != NULL ||
			    turn_is_ours(
				&o->turns, e->id, &e->turn, now);
			if (turn)
				work_on(o, e);
			(void)pthread_mutex_lock(&o->lock);
			if (!turn && now_ms() - e->since_ms >= GIVE_UP_MS)
				finish(o, e);
			else if (!turn)
				e->next_ms = now_ms() + TURN_LOOK_MS;
		}
	}
	(void)pthread_mutex_unlock(&o->lock);
	return NULL;
}

static void *
listener(void *arg)
{
	struct onboarder *o = arg;
	struct timespec pause = { .tv_nsec = RETRY_MS * 1000000L };
	char url[CONFIG_TEXT + 16];
	bool said = false;

	(void)snprintf(url, sizeof(url), "%s/subscribe", o->cfg->pubsub_url);
	while (!atomic_load(&o->stop)) {
		struct why why = { "" };
		const uint64_t began = now_ms();
		enum dstack_status st = http_lines(url,
		    PUBSUB_MESSAGE_MAX + 64, SILENT_S, on_line, o, &o->stop,
		    &why);
		if (st == DSTACK_OK)
			break;
		/* one line for one outage, however its reasons change */
		if (st == DSTACK_E_TRUNCATED && now_ms() - began > HEARD_MS)
			said = false;
		if (!said)
			log_line("relay: %s; asking again until it is there "
				 "(PUBSUB_URL)",
			    why.text);
		said = true;
		(void)nanosleep(&pause, NULL);
	}
	return NULL;
}

enum dstack_status
onboarder_new(const struct host_config *cfg, struct rpc *rpc,
    const struct onboarder_options *opt, struct onboarder **out,
    struct why *why)
{
	struct onboarder *o = calloc(1, sizeof(*o));
	pthread_condattr_t attr;

	if (o == NULL)
		return why_set(why, DSTACK_E_NOMEM, "no memory");
	o->cfg = cfg;
	o->rpc = rpc;
	if (opt != NULL)
		o->opt = *opt;
	o->turns.newest = newest;
	o->turns.chain = rpc;
	o->turns.rank = o->opt.rank;
	o->turns.sees = o->opt.sees;
	o->turns.arg = o->opt.arg;
	if (o->opt.relook_ms == 0)
		o->opt.relook_ms = RELOOK_MS;
	(void)pthread_mutex_init(&o->lock, NULL);
	(void)pthread_condattr_init(&attr);
	(void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	(void)pthread_cond_init(&o->some, &attr);
	(void)pthread_condattr_destroy(&attr);
	o->listening =
	    pthread_create(&o->listener, NULL, listener, o) == 0;
	o->working = pthread_create(&o->worker, NULL, worker, o) == 0;
	if (!o->listening || !o->working) {
		onboarder_free(o);
		return why_set(
		    why, DSTACK_E_SYS, "onboarder: threads do not start");
	}
	*out = o;
	return DSTACK_OK;
}

void
onboarder_free(struct onboarder *o)
{
	if (o == NULL)
		return;
	(void)pthread_mutex_lock(&o->lock);
	atomic_store(&o->stop, true);
	(void)pthread_cond_broadcast(&o->some);
	(void)pthread_mutex_unlock(&o->lock);
	if (o->listening)
		(void)pthread_join(o->listener, NULL);
	if (o->working)
		(void)pthread_join(o->worker, NULL);
	for (size_t i = 0; i < ONBOARDER_PENDING; i++) {
		free(o->pending[i].body);
		free(o->pending[i].call);
		free(o->pending[i].answer);
	}
	for (size_t i = 0; i < DONE_MAX; i++)
		free(o->done[i].answer);
	(void)pthread_cond_destroy(&o->some);
	(void)pthread_mutex_destroy(&o->lock);
	free(o);
}
