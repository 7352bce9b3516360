/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The bootstrap quote of an epoch: every joiner's guest wants to judge it
 * before it opens an answer, and it is too large for the chain, which has its
 * hash. It lies in the auditing folder of the host that bootstrapped; any other
 * host may lack it.
 *
 * The guest's question comes by birth_get: from the folder if it is there and
 * is the chain's, with collateral of today. If not, the worker thread reads the
 * epoch's record from the chain, asks over the relay for that epoch
 * ("bootstrapWanted"), and repeats that while a guest goes on asking. Hosts
 * that have it answer after a random pause, unless another was first, and no
 * more than once a second an epoch: one question costs the relay one quote,
 * however many hosts hear it. What comes back is taken only if its hash, key,
 * commitment and signature are the record's and the quote is over that
 * statement; then it is kept in the folder.
 *
 * All that takes time (chain, relay, disk) is done by the worker without the
 * lock; the callers only leave a word for it.
 */
#include "host/join/birth.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>

#include "base/hex.h"
#include "base/log.h"
#include "dstack/dcap.h"
#include "host/join/birth_file.h"
#include "host/relay/gossip.h"
#include "host/relay/pubsub.h"
#include "protocol/link.h"

#define WANTED_MS 30000u
#define ASK_AGAIN_MS 2000u
#define RETRY_MS 1000u
#define GIVE_AGAIN_MS 1000u /* an epoch's is given no more often */
#define GIVE_SPREAD_MS 512u /* hosts wait, and hear whether another was first */
#define GIVES 4u

struct give {
	bool used;
	bool due;
	uint64_t epoch;
	uint64_t at_ms; /* when it is to be given, or was */
};

struct birth {
	const struct host_config *cfg;
	struct rpc *rpc;
	int dir;
	struct collateral *collateral;
	pthread_t thread;
	bool running;
	pthread_mutex_t lock; /* of what follows */
	pthread_cond_t some;
	bool stop;
	bool wanted;
	bool known; /* record is of epoch */
	bool got;   /* message is to be kept */
	uint64_t epoch;
	uint64_t until_ms;
	uint64_t ask_ms;
	struct birth_record record;
	struct msg_bootstrap message;
	struct give give[GIVES];
	char said[256];
};

static uint64_t
now_ms(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* Collateral grows old; the quote does not. */
static enum dstack_status
renew(struct birth *b, struct msg_bootstrap *m, struct why *why)
{
	struct dcap_platform p;
	char fmspc[13];
	AUTO_WR struct wr w = wr_new(MSG_MAX);
	enum dstack_status st = dcap_quote_platform(
	    m->ev.quote.buf, m->ev.quote.len, &p, why);

	if (st != DSTACK_OK)
		return st;
	hex_encode(p.fmspc, 6, fmspc);
	st = collateral_get(b->collateral, p.tee, fmspc,
	    p.platform_ca ? "platform" : "processor", &w, why);
	if (st != DSTACK_OK)
		return st;
	/* Gone only when there is newer: an old one is better than none. */
	wr_free(&m->ev.collateral);
	m->ev.collateral = w;
	memset(&w, 0, sizeof(w));
	return DSTACK_OK;
}

enum dstack_status
birth_save(struct birth *b, const void *text, size_t len,
    const struct msg_bootstrap *m, struct why *why)
{
	return birth_file_write(b->dir, b->cfg, text, len, m, why);
}

/* ---- The guest's question --------------------------------------------- */

/* Guests ask several times a second: each failure is logged once. */
static void
say(struct birth *b, uint64_t epoch, const char *text)
{
	(void)pthread_mutex_lock(&b->lock);
	bool news = strcmp(b->said, text) != 0;
	(void)snprintf(b->said, sizeof(b->said), "%s", text);
	(void)pthread_mutex_unlock(&b->lock);
	if (news && text[0] != '\0')
		log_line("bootstrap quote of epoch %llu: %s",
		    (unsigned long long)epoch, text);
}

void
birth_want(struct birth *b, uint64_t epoch)
{
	(void)pthread_mutex_lock(&b->lock);
	if (!b->wanted || b->epoch != epoch) {
		b->wanted = true;
		b->known = false;
		b->epoch = epoch;
		b->ask_ms = now_ms();
		(void)pthread_cond_signal(&b->some);
	}
	/* A guest that has ended asks no more, and then neither do we. */
	b->until_ms = now_ms() + WANTED_MS;
	(void)pthread_mutex_unlock(&b->lock);
}

enum dstack_status
birth_get(struct birth *b, uint64_t epoch, struct msg_bootstrap *out,
    struct why *why)
{
	struct birth_record r;
	struct why old = { "" };
	uint8_t digest[32];
	enum dstack_status st = birth_file_read(b->dir, epoch, out, why);

	if (st == DSTACK_OK &&
	    birth_record_read(b->rpc, b->cfg, epoch, &r, &old) == DSTACK_OK &&
	    !birth_fits(b->cfg, out, &r, digest)) {
		msg_bootstrap_free(out);
		/*
		 * A folder that two networks share, or a bootstrap that did not
		 * get through.
		 */
		st = why_set(why, DSTACK_E_REJECTED,
		    "the one in the auditing folder is not the chain's");
	}
	if (st != DSTACK_OK) {
		say(b, epoch, why->text);
		birth_want(b, epoch);
		return why_set(why, DSTACK_E_MISSING,
		    "the bootstrap quote is not in the auditing folder; other "
		    "nodes are asked for it over the relay");
	}
	if (renew(b, out, &old) != DSTACK_OK)
		(void)why_wrap(&old, DSTACK_OK,
		    "it goes out with old collateral");
	say(b, epoch, old.text);
	return DSTACK_OK;
}

/* ---- Over the relay --------------------------------------------------- */

/* Somebody wants one of this network's. */
static void
hear_wanted(struct birth *b, const struct msg_wanted *w)
{
	struct give *g = NULL;
	struct stat sb;
	uint32_t r = 0;
	char name[64];

	birth_file_name(name, "quote", w->epoch, "json");
	if (w->chain_id != b->cfg->chain_id ||
	    memcmp(w->contract, b->cfg->contract, 20) != 0 ||
	    fstatat(b->dir, name, &sb, AT_SYMLINK_NOFOLLOW) != 0)
		return;
	/*
	 * Only spreads hosts in time; without randomness they answer at once.
	 */
	(void)!getrandom(&r, sizeof(r), GRND_NONBLOCK);
	(void)pthread_mutex_lock(&b->lock);
	uint64_t now = now_ms();
	for (size_t i = 0; i < GIVES; i++) {
		struct give *x = &b->give[i];
		if (x->used && x->epoch == w->epoch) {
			g = x;
			break;
		}
		if (!x->due && (g == NULL || x->at_ms < g->at_ms))
			g = x;
	}
	if (g != NULL && !g->due &&
	    (!g->used || g->epoch != w->epoch ||
	        now - g->at_ms > GIVE_AGAIN_MS)) {
		*g = (struct give){ .used = true,
			.due = true,
			.epoch = w->epoch,
			.at_ms = now + r % GIVE_SPREAD_MS };
		(void)pthread_cond_signal(&b->some);
	}
	(void)pthread_mutex_unlock(&b->lock);
}

static bool
same(const struct msg_bootstrap *a, const struct msg_bootstrap *b)
{
	AUTO_WR struct wr x = wr_new(0);
	AUTO_WR struct wr y = wr_new(0);

	stmt_bootstrap_put(&x, &a->s);
	stmt_bootstrap_put(&y, &b->s);
	wr_put(&x, a->ev.quote.buf, a->ev.quote.len);
	wr_put(&y, b->ev.quote.buf, b->ev.quote.len);
	return wr_status(&x) == DSTACK_OK && wr_status(&y) == DSTACK_OK &&
	    x.len == y.len && memcmp(x.buf, y.buf, x.len) == 0;
}

/* Another host was first to give what we would: then we need not. */
static void
stand_back(struct birth *b, const struct msg_bootstrap *m)
{
	struct msg_bootstrap ours;
	struct give *g = NULL;

	(void)pthread_mutex_lock(&b->lock);
	for (size_t i = 0; g == NULL && i < GIVES; i++)
		if (b->give[i].due && b->give[i].epoch == m->s.epoch)
			g = &b->give[i];
	(void)pthread_mutex_unlock(&b->lock);
	if (g == NULL)
		return;
	if (birth_file_read(b->dir, m->s.epoch, &ours, NULL) == DSTACK_OK &&
	    same(m, &ours)) {
		(void)pthread_mutex_lock(&b->lock);
		if (g->epoch == m->s.epoch) {
			/*
			 * Told again: the next question after a while may be
			 * answered by us.
			 */
			g->due = false;
			g->at_ms = now_ms();
		}
		(void)pthread_mutex_unlock(&b->lock);
	}
	msg_bootstrap_free(&ours);
}

/* Takes m over if it is what we want. */
static void
hear_given(struct birth *b, struct msg_bootstrap *m)
{
	struct birth_record r;
	uint8_t digest[32];

	(void)pthread_mutex_lock(&b->lock);
	bool open = b->wanted && b->known && !b->got &&
	    b->epoch == m->s.epoch;
	r = b->record;
	(void)pthread_mutex_unlock(&b->lock);
	if (!open || !birth_fits(b->cfg, m, &r, digest) ||
	    !birth_quote_of(m, digest))
		return;
	wr_free(&m->ev.collateral); /* is the giver's word alone */
	(void)pthread_mutex_lock(&b->lock);
	if (b->wanted && !b->got && b->epoch == m->s.epoch) {
		b->message = *m;
		memset(m, 0, sizeof(*m));
		b->got = true;
		(void)pthread_cond_signal(&b->some);
	}
	(void)pthread_mutex_unlock(&b->lock);
}

bool
birth_hear(struct birth *b, const char *line, size_t len)
{
	static const char mark[] = "\"bootstrap";
	AUTO_FREE char *text = NULL;
	struct msg_wanted w;
	struct msg_bootstrap m;
	struct why why = { "" };

	/* what else goes over the relay is large, and need not be read twice */
	if (len > PUBSUB_MESSAGE_MAX + 64 ||
	    memmem(line, len, mark, sizeof(mark) - 1) == NULL ||
	    gossip_unwrap(line, len, &text, &why) != DSTACK_OK)
		return false;
	if (msg_wanted_parse(text, strlen(text), &w, &why) == DSTACK_OK) {
		hear_wanted(b, &w);
		return true;
	}
	if (msg_bootstrap_parse(text, strlen(text), &m, &why) != DSTACK_OK)
		return false;
	stand_back(b, &m);
	hear_given(b, &m);
	msg_bootstrap_free(&m);
	return true;
}

/* ---- The thread: whatever takes time --------------------------------- */

static void
ask(struct birth *b, uint64_t epoch)
{
	const struct msg_wanted w = { .chain_id = b->cfg->chain_id,
		.epoch = epoch };
	struct msg_wanted with = w;
	struct msg_bootstrap m;
	struct birth_record r;
	struct why why = { "" };
	uint8_t digest[32];
	AUTO_WR struct wr text = wr_new(4096);
	enum dstack_status st = birth_record_read(b->rpc, b->cfg, epoch, &r, &why);

	if (st == DSTACK_OK) {
		/* It may have come meanwhile, by hand or by another process. */
		bool have = birth_file_read(b->dir, epoch, &m, &why) == DSTACK_OK &&
		    birth_fits(b->cfg, &m, &r, digest);
		msg_bootstrap_free(&m);
		(void)pthread_mutex_lock(&b->lock);
		if (b->epoch == epoch) {
			b->record = r;
			b->known = true;
			b->wanted = b->wanted && !have;
		}
		(void)pthread_mutex_unlock(&b->lock);
		if (have)
			return;
		memcpy(with.contract, b->cfg->contract, 20);
		msg_wanted_build(&text, &with);
		wr_u8(&text, 0);
		st = wr_status(&text);
	}
	if (st == DSTACK_OK)
		st = gossip_push(
		    b->cfg->pubsub_url, (const char *)text.buf, &why);
	(void)pthread_mutex_lock(&b->lock);
	b->ask_ms = now_ms() + (st == DSTACK_OK ? ASK_AGAIN_MS : RETRY_MS);
	(void)pthread_mutex_unlock(&b->lock);
}

static void
give(struct birth *b, uint64_t epoch)
{
	struct msg_bootstrap m;
	struct why why = { "" };
	uint8_t digest[32];
	AUTO_WR struct wr text = wr_new(PUBSUB_MESSAGE_MAX);

	if (birth_file_read(b->dir, epoch, &m, &why) == DSTACK_OK &&
	    birth_signed(b->cfg, &m, digest)) {
		wr_free(&m.ev.collateral);
		msg_bootstrap_build(&text, &m);
		wr_u8(&text, 0);
		/* not taken: whoever wants it asks again */
		if (wr_status(&text) == DSTACK_OK)
			(void)!gossip_push(b->cfg->pubsub_url,
			    (const char *)text.buf, &why);
	}
	msg_bootstrap_free(&m);
}

/* The file at once; its collateral when that can be had. */
static void
keep(struct birth *b, struct msg_bootstrap *m)
{
	struct why why = { "" };
	enum dstack_status st = DSTACK_OK;

	for (int i = 0; i < 2 && st == DSTACK_OK; i++) {
		AUTO_WR struct wr text = wr_new(LINK_MAX_BODY);
		if (i == 1 && renew(b, m, &why) != DSTACK_OK)
			break;
		msg_bootstrap_build(&text, m);
		st = wr_status(&text);
		if (st == DSTACK_OK)
			st = birth_save(b, text.buf, text.len, m, &why);
		if (i == 1 || st != DSTACK_OK)
			continue;
		log_line("bootstrap quote of epoch %llu: got over the relay, "
			 "kept in the auditing folder",
		    (unsigned long long)m->s.epoch);
		(void)pthread_mutex_lock(&b->lock);
		if (b->epoch == m->s.epoch)
			b->wanted = false;
		(void)pthread_mutex_unlock(&b->lock);
	}
	if (st != DSTACK_OK)
		say(b, m->s.epoch, why.text);
}

/* Locked, and let go while something is done. False: nothing is due. */
static bool
step(struct birth *b, uint64_t now, uint64_t *next)
{
	struct msg_bootstrap m;
	uint64_t epoch = b->epoch;

	*next = UINT64_MAX;
	if (b->got) {
		m = b->message;
		memset(&b->message, 0, sizeof(b->message));
		(void)pthread_mutex_unlock(&b->lock);
		keep(b, &m);
		msg_bootstrap_free(&m);
		(void)pthread_mutex_lock(&b->lock);
		b->got = false;
		return true;
	}
	b->wanted = b->wanted && now < b->until_ms;
	if (b->wanted && now >= b->ask_ms) {
		/*
		 * Set before the lock is let go, so that a callers' word
		 * meanwhile is not overwritten.
		 */
		b->ask_ms = now + ASK_AGAIN_MS;
		(void)pthread_mutex_unlock(&b->lock);
		ask(b, epoch);
		(void)pthread_mutex_lock(&b->lock);
		return true;
	}
	if (b->wanted)
		*next = b->ask_ms;
	for (size_t i = 0; i < GIVES; i++) {
		struct give *g = &b->give[i];
		if (g->due && now >= g->at_ms) {
			g->due = false;
			g->at_ms = now;
			epoch = g->epoch;
			(void)pthread_mutex_unlock(&b->lock);
			give(b, epoch);
			(void)pthread_mutex_lock(&b->lock);
			return true;
		}
		if (g->due && g->at_ms < *next)
			*next = g->at_ms;
	}
	return false;
}

static void *
worker(void *arg)
{
	struct birth *b = arg;
	uint64_t next = 0;

	(void)pthread_mutex_lock(&b->lock);
	while (!b->stop) {
		if (step(b, now_ms(), &next))
			continue;
		if (next == UINT64_MAX) {
			(void)pthread_cond_wait(&b->some, &b->lock);
			continue;
		}
		const struct timespec t = { .tv_sec = (time_t)(next / 1000),
			.tv_nsec = (long)(next % 1000) * 1000000 };
		(void)pthread_cond_timedwait(&b->some, &b->lock, &t);
	}
	(void)pthread_mutex_unlock(&b->lock);
	return NULL;
}

enum dstack_status
birth_new(const struct host_config *cfg, struct rpc *rpc, int auditing,
    struct collateral *collateral, struct birth **out, struct why *why)
{
	struct birth *b = calloc(1, sizeof(*b));
	pthread_condattr_t attr;

	if (b == NULL)
		return why_set(why, DSTACK_E_NOMEM, "no memory");
	b->cfg = cfg;
	b->rpc = rpc;
	b->dir = auditing;
	b->collateral = collateral;
	(void)pthread_mutex_init(&b->lock, NULL);
	(void)pthread_condattr_init(&attr);
	(void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	(void)pthread_cond_init(&b->some, &attr);
	(void)pthread_condattr_destroy(&attr);
	b->running = pthread_create(&b->thread, NULL, worker, b) == 0;
	if (!b->running) {
		birth_free(b);
		return why_set(why, DSTACK_E_SYS,
		    "bootstrap quotes: the thread does not start");
	}
	*out = b;
	return DSTACK_OK;
}

void
birth_free(struct birth *b)
{
	if (b == NULL)
		return;
	(void)pthread_mutex_lock(&b->lock);
	b->stop = true;
	(void)pthread_cond_signal(&b->some);
	(void)pthread_mutex_unlock(&b->lock);
	if (b->running)
		(void)pthread_join(b->thread, NULL);
	msg_bootstrap_free(&b->message);
	(void)pthread_cond_destroy(&b->some);
	(void)pthread_mutex_destroy(&b->lock);
	free(b);
}
