/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Collateral for this host's guest, from a cache that is refreshed in time.
 *
 * A request names a platform (FMSPC and CA). If what is cached holds, it is the
 * answer, and where it is due to be looked at again the renewing thread is told
 * so; a guest never waits for that. If nothing holds, the service is asked, by
 * one caller at a time, and after a failure not before a pause that doubles is
 * over: Intel's service and an operator's PCCS are asked seldom, whatever
 * guests do. Each platform's set lies in STATE_DIR too, so that a restart needs
 * no service.
 *
 * What comes from the service is taken only if the verifier loads it under the
 * trusted root, it has not ended, and no part of it is older than what was had
 * before: a service (or who sits in front of it) can go away, but not back. On
 * a simulated network all of this is the simulator's, made on demand.
 *
 * Two locks: fetching is held over a whole fetch, lock only over the table; in
 * this order.
 */
#include "host/collateral/collateral.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "base/hex.h"
#include "base/log.h"
#include "host/collateral/entry.h"
#include "host/base/files.h"
#include "sim/pki.h"

#define ENTRIES 64u
#define FILE_MAX (160u * 1024)
#define MINUTE_MS INT64_C(60000)
#define HOUR_MS (60 * MINUTE_MS)

/*
 * What is known of one platform model. due_ms: when the service is asked
 * again; after failures also the end of the pause.
 */
struct slot {
	bool used;
	struct collateral_entry e; /* doc NULL: nothing good yet */
	int64_t due_ms;
	uint64_t asked; /* order of use, for eviction */
	unsigned fails;
	struct why why; /* of the last failure */
};

struct collateral {
	struct collateral_options o;
	char base[PCS_URL_MAX];
	int dir;
	atomic_bool stop;
	bool running;
	pthread_t thread;
	pthread_mutex_t fetching; /* one fetch at a time; before lock */
	pthread_mutex_t lock;     /* of what follows */
	pthread_cond_t kick;
	bool kicked;
	uint64_t asked;
	struct slot slot[ENTRIES];
};

static int64_t
clock_ms(void *arg)
{
	struct timespec t;

	(void)arg;
	(void)clock_gettime(CLOCK_REALTIME, &t);
	return (int64_t)t.tv_sec * 1000 + (int64_t)t.tv_nsec / 1000000;
}

static int64_t
now_ms(const struct collateral *c)
{
	return c->o.now_ms(c->o.now_arg);
}

/* From 3/4 of ms to ms, so that a network's hosts do not ask all at once. */
static int64_t
jitter(int64_t ms)
{
	uint32_t r = 0;

	/* Spreading is a courtesy: without randomness there is none. */
	if (getrandom(&r, sizeof(r), GRND_NONBLOCK) != (ssize_t)sizeof(r))
		r = 0;
	return ms - (int64_t)(r % 1024) * (ms / 4) / 1024;
}

static int64_t
end_ms(const struct collateral_entry *e)
{
	return e->info.not_after * 1000;
}

static bool
valid(const struct collateral_entry *e, int64_t now)
{
	return e->doc != NULL && now < end_ms(e);
}

/*
 * Often enough that many attempts fit before the end: after a quarter of
 * what is left, though not more than once a minute.
 */
static void
plan(const struct collateral *c, struct slot *s, int64_t now)
{
	int64_t step = (end_ms(&s->e) - now) / 4;
	int64_t most = (int64_t)c->o.fresh_s * 1000;

	if (step < MINUTE_MS)
		step = MINUTE_MS;
	if (step > most)
		step = most;
	s->due_ms = s->e.checked_ms + jitter(step);
	if (s->e.checked_ms > now) /* the clock was turned back */
		s->due_ms = now;
}

static void
plan_retry(
    const struct collateral *c, struct slot *s, unsigned wait_s, int64_t now)
{
	int64_t pause = c->o.retry_ms;

	for (unsigned i = 1; i < s->fails && pause < c->o.retry_max_ms; i++)
		pause *= 2;
	if (pause > c->o.retry_max_ms)
		pause = c->o.retry_max_ms;
	s->due_ms = now + jitter(pause);
	/* not before the service said, though it may not say never */
	const int64_t asked = (int64_t)wait_s * 1000 < HOUR_MS
	    ? (int64_t)wait_s * 1000
	    : HOUR_MS;
	if (s->due_ms < now + asked)
		s->due_ms = now + asked;
}

/* A pause longer than any that is planned: the clock was turned back. */
static bool
due(const struct collateral *c, const struct slot *s, int64_t now)
{
	int64_t most = (int64_t)c->o.fresh_s * 1000;

	if (most < (int64_t)c->o.retry_max_ms)
		most = (int64_t)c->o.retry_max_ms;
	if (most < HOUR_MS)
		most = HOUR_MS;
	return s->due_ms <= now || s->due_ms - now > most;
}

static bool
same_key(const struct pcs_key *a, const struct pcs_key *b)
{
	return a->tee == b->tee && a->platform == b->platform &&
	    a->early == b->early && memcmp(a->fmspc, b->fmspc, 6) == 0;
}

/* Locked. The slot of key; the one that was used least makes room. */
static struct slot *
find(struct collateral *c, const struct pcs_key *key)
{
	struct slot *least = NULL;

	for (size_t i = 0; i < ENTRIES; i++) {
		struct slot *s = &c->slot[i];
		if (s->used && same_key(&s->e.key, key)) {
			s->asked = ++c->asked;
			return s;
		}
		/* what was never good goes first */
		if (least == NULL || !s->used ||
		    (least->used && (s->e.doc == NULL) == (least->e.doc == NULL)
		            ? s->asked < least->asked
		            : least->used && s->e.doc == NULL))
			/*
			 * The order: a free place, then one that never was
			 * good, then the one that was asked for longest ago.
			 */
			least = s;
	}
	if (least->used && least->e.doc != NULL && c->dir >= 0) {
		char name[COLLATERAL_NAME_MAX];
		collateral_entry_name(&least->e.key, name);
		/* Or the next start would load it again. */
		(void)unlinkat(c->dir, name, 0);
	}
	collateral_entry_free(&least->e);
	memset(least, 0, sizeof(*least));
	least->used = true;
	least->e.key = *key;
	least->asked = ++c->asked;
	return least;
}

static void
say_of(const struct pcs_key *key, const char *text)
{
	char fmspc[13];

	hex_encode(key->fmspc, 6, fmspc);
	log_line("collateral of %s under the %s CA: %s", fmspc,
	    key->platform ? "platform" : "processor", text);
}

static void
load_one(struct collateral *c, const char *name)
{
	AUTO_WR struct wr w = wr_new(FILE_MAX + 8);
	AUTO_ENTRY struct collateral_entry e = { .doc = NULL };
	struct pcs_key key;
	struct why why = { "" };

	/* Only names that we would write ourselves. */
	if (!collateral_entry_key(name, &key) || key.early != c->o.early)
		return;
	e.key = key;
	enum dstack_status st =
	    files_read(c->dir, name, 0, FILE_MAX, &w, &why);
	if (st == DSTACK_OK) /* behind the file's size */
		st = collateral_entry_read(w.buf + 8, w.len - 8, c->base,
		    c->o.root_key, &e, &why);
	if (st != DSTACK_OK) {
		log_line("cached %s is not used and will be fetched again: %s",
		    name, why.text);
		return;
	}
	struct slot *s = find(c, &key);
	s->e = e;
	memset(&e, 0, sizeof(e));
	plan(c, s, now_ms(c));
}

static void
load_all(struct collateral *c)
{
	int copy = openat(c->dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = copy >= 0 ? fdopendir(copy) : NULL;
	const struct dirent *e;
	unsigned n = 0;

	if (d == NULL && copy >= 0)
		(void)close(copy);
	while (d != NULL && n < ENTRIES && (e = readdir(d)) != NULL) {
		struct pcs_key key;
		if (collateral_entry_key(e->d_name, &key)) {
			load_one(c, e->d_name);
			n++;
		}
	}
	if (d != NULL)
		(void)closedir(d);
}

/* A cache that cannot be written is a cache in memory: said, and gone on. */
static void
store(const struct collateral *c, const struct collateral_entry *e)
{
	AUTO_WR struct wr w = wr_new(FILE_MAX);
	char name[COLLATERAL_NAME_MAX];
	struct why why = { "" };

	if (c->dir < 0)
		return;
	collateral_entry_name(&e->key, name);
	enum dstack_status st = collateral_entry_write(e, c->base, &w);
	if (st == DSTACK_OK)
		st = files_put(c->dir, name, w.buf, w.len, &why);
	if (st != DSTACK_OK)
		say_of(&e->key, why.text[0] != '\0'
		        ? why.text
		        : "its cache cannot be written");
}

/* What is there now, for a fetch that holds no lock. */
static bool
snapshot(struct collateral *c, const struct pcs_key *key,
    struct collateral_entry *out)
{
	(void)pthread_mutex_lock(&c->lock);
	const struct slot *s = find(c, key);
	bool have = s->e.doc != NULL && pcs_set_copy(&s->e.set, &out->set);
	out->key = *key;
	out->info = s->e.info;
	(void)pthread_mutex_unlock(&c->lock);
	return have;
}

/* Ask the service; now is what it makes of what was there (or was not). */
static enum dstack_status
ask(struct collateral *c, const struct collateral_entry *old, bool have,
    struct collateral_entry *now, unsigned *wait_s, struct why *note,
    struct why *why)
{
	const struct pcs_source src = { .url = c->base,
		.ca_file = pcs_given(c->o.ca_file),
		.timeout_ms = c->o.timeout_ms,
		.wait_s = wait_s,
		.stop = &c->stop };
	int64_t t = now_ms(c);
	enum dstack_status st = pcs_fetch(
	    &src, &old->key, have ? &old->set : NULL, &now->set, why);

	now->key = old->key;
	if (st == DSTACK_OK)
		st = collateral_entry_check(now, c->o.root_key, why);
	if (st == DSTACK_OK && have) {
		st = collateral_entry_keep_newer(
		    now, old, c->o.root_key, note);
		if (st != DSTACK_OK)
			*why = *note;
	}
	if (st == DSTACK_OK && !valid(now, t)) {
		char date[32];
		time_t end = (time_t)now->info.not_after;
		struct tm tm;
		(void)gmtime_r(&end, &tm);
		(void)strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%SZ", &tm);
		st = why_set(why, DSTACK_E_REJECTED,
		    "what the service gives ended at %s; is this machine's "
		    "clock right?", date);
	}
	/*
	 * Before the answer came, so that what changed meanwhile is not taken
	 * for seen.
	 */
	now->checked_ms = t;
	return st;
}

/*
 * Fetch key and install it; nothing that is there is lost. c->fetching is
 * held. Each failure, and each refusal of something older, is said once.
 */
static void
refresh(struct collateral *c, const struct pcs_key *key)
{
	AUTO_ENTRY struct collateral_entry old = { .doc = NULL };
	AUTO_ENTRY struct collateral_entry now = { .doc = NULL };
	struct why why = { "" };
	struct why note = { "" };
	bool have = snapshot(c, key, &old);
	unsigned wait_s = 0;
	enum dstack_status st =
	    ask(c, &old, have, &now, &wait_s, &note, &why);

	if (st == DSTACK_OK)
		store(c, &now);
	(void)pthread_mutex_lock(&c->lock);
	struct slot *s = find(c, key);
	int64_t t = now_ms(c);
	if (st == DSTACK_OK) {
		collateral_entry_free(&s->e);
		s->e = now;
		memset(&now, 0, sizeof(now));
		s->fails = 0;
		plan(c, s, t);
		why = note;
	} else {
		s->fails++;
		plan_retry(c, s, wait_s, t);
	}
	bool news = why.text[0] != '\0' && !atomic_load(&c->stop) &&
	    strcmp(why.text, s->why.text) != 0;
	s->why = why;
	(void)pthread_mutex_unlock(&c->lock);
	if (news && !c->o.quiet)
		say_of(key, why.text);
}

/* All that is due now; the answer is how long nothing will be. */
int64_t
collateral_renew(struct collateral *c)
{
	struct pcs_key key[ENTRIES];
	size_t n = 0;
	int64_t wait = HOUR_MS;

	(void)pthread_mutex_lock(&c->fetching);
	(void)pthread_mutex_lock(&c->lock);
	int64_t now = now_ms(c);
	for (size_t i = 0; i < ENTRIES; i++) {
		const struct slot *s = &c->slot[i];
		/* what nobody could fetch is fetched when it is asked for */
		if (s->used && s->e.doc != NULL && due(c, s, now))
			key[n++] = s->e.key;
	}
	(void)pthread_mutex_unlock(&c->lock);
	for (size_t i = 0; i < n && !atomic_load(&c->stop); i++)
		refresh(c, &key[i]);
	(void)pthread_mutex_lock(&c->lock);
	now = now_ms(c);
	for (size_t i = 0; i < ENTRIES; i++) {
		const struct slot *s = &c->slot[i];
		if (s->used && s->e.doc != NULL && s->due_ms - now < wait)
			wait = s->due_ms - now;
	}
	(void)pthread_mutex_unlock(&c->lock);
	(void)pthread_mutex_unlock(&c->fetching);
	return wait > 0 ? wait : 0;
}

static void *
renewer(void *arg)
{
	struct collateral *c = arg;

	while (!atomic_load(&c->stop)) {
		int64_t wait = collateral_renew(c);
		struct timespec t;
		(void)clock_gettime(CLOCK_MONOTONIC, &t);
		t.tv_sec += (time_t)(wait / 1000);
		t.tv_nsec += (long)(wait % 1000) * 1000000;
		if (t.tv_nsec >= 1000000000) {
			t.tv_nsec -= 1000000000;
			t.tv_sec++;
		}
		(void)pthread_mutex_lock(&c->lock);
		while (!c->kicked && !atomic_load(&c->stop) &&
		    pthread_cond_timedwait(&c->kick, &c->lock, &t) == 0)
			continue;
		c->kicked = false;
		(void)pthread_mutex_unlock(&c->lock);
	}
	return NULL;
}

/* Locked. Append what is cached, if it holds. */
static enum dstack_status
serve(struct collateral *c, struct slot *s, struct wr *out, struct why *why)
{
	int64_t now = now_ms(c);

	if (valid(&s->e, now)) {
		if (due(c, s, now) && c->running && !c->kicked) {
			c->kicked = true;
			(void)pthread_cond_signal(&c->kick);
		}
		wr_put(out, s->e.doc, s->e.len);
		return wr_status(out);
	}
	/* after a failure not before the pause is over */
	if (s->fails == 0 || due(c, s, now))
		return DSTACK_E_BUSY;
	return why_set(why, DSTACK_E_MISSING, "collateral service: %s%s",
	    s->e.doc != NULL ? "what is cached has ended; " : "",
	    s->why.text);
}

static enum dstack_status
get(struct collateral *c, const struct pcs_key *key, struct wr *out,
    struct why *why)
{
	(void)pthread_mutex_lock(&c->lock);
	enum dstack_status st = serve(c, find(c, key), out, why);
	(void)pthread_mutex_unlock(&c->lock);
	if (st != DSTACK_E_BUSY)
		return st;
	(void)pthread_mutex_lock(&c->fetching);
	(void)pthread_mutex_lock(&c->lock);
	st = serve(c, find(c, key), out, why); /* another was first? */
	(void)pthread_mutex_unlock(&c->lock);
	if (st == DSTACK_E_BUSY && !atomic_load(&c->stop)) {
		refresh(c, key);
		(void)pthread_mutex_lock(&c->lock);
		struct slot *s = find(c, key);
		st = serve(c, s, out, why);
		if (st == DSTACK_E_BUSY)
			st = why_set(why, DSTACK_E_MISSING,
			    "collateral service: %s", s->why.text);
		if (c->running && st == DSTACK_OK) { /* a new date to keep */
			c->kicked = true;
			(void)pthread_cond_signal(&c->kick);
		}
		(void)pthread_mutex_unlock(&c->lock);
	}
	(void)pthread_mutex_unlock(&c->fetching);
	return st == DSTACK_E_BUSY ? why_set(why, DSTACK_E_MISSING,
	                                 "collateral service: it is ending")
	                           : st;
}

enum dstack_status
collateral_get(struct collateral *c, enum dcap_tee tee, const char *fmspc,
    const char *ca, struct wr *out, struct why *why)
{
	struct pcs_key key = { .tee = tee, .early = c->o.early };

	key.platform = strcmp(ca, "platform") == 0;
	if (strlen(fmspc) != 12 ||
	    hex_decode(fmspc, 12, key.fmspc, 6) != DSTACK_OK ||
	    (!key.platform && strcmp(ca, "processor") != 0))
		return why_set(why, DSTACK_E_FORMAT,
		    "collateral is asked for as /FMSPC/platform or "
		    "/FMSPC/processor");
	if (c->o.sim)
		return sim_collateral_json(now_ms(c) / 1000,
		    key.platform ? SIM_CA_PLATFORM : SIM_CA_PROCESSOR, out);
	return get(c, &key, out, why);
}

static void
defaults(struct collateral_options *o)
{
	if (o->url == NULL || o->url[0] == '\0')
		o->url = PCS_INTEL;
	if (o->root_key == NULL)
		o->root_key = dcap_intel_root;
	if (o->timeout_ms == 0)
		o->timeout_ms = 20000;
	if (o->fresh_s == 0)
		o->fresh_s = 6 * 3600;
	if (o->retry_ms == 0)
		o->retry_ms = 1000;
	if (o->retry_max_ms == 0)
		o->retry_max_ms = 600000;
	if (o->now_ms == NULL)
		o->now_ms = clock_ms;
}

enum dstack_status
collateral_new(const struct collateral_options *o, struct collateral **out,
    struct why *why)
{
	pthread_condattr_t attr;

	enum dstack_status st =
	    o->sim ? DSTACK_OK : pcs_source_check(o->url, o->ca_file, why);
	if (st != DSTACK_OK)
		return st;
	struct collateral *c = calloc(1, sizeof(*c));
	if (c == NULL)
		return why_set(why, DSTACK_E_NOMEM, "no memory");
	c->o = *o;
	defaults(&c->o);
	pcs_base(c->o.url, c->base);
	(void)pthread_mutex_init(&c->fetching, NULL);
	(void)pthread_mutex_init(&c->lock, NULL);
	(void)pthread_condattr_init(&attr);
	(void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	(void)pthread_cond_init(&c->kick, &attr);
	(void)pthread_condattr_destroy(&attr);
	c->dir = c->o.cache_dir != NULL && !c->o.sim
	    ? open(c->o.cache_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
	    : -1;
	if (c->dir >= 0)
		load_all(c);
	if (c->o.background && !c->o.sim) {
		c->running =
		    pthread_create(&c->thread, NULL, renewer, c) == 0;
		if (!c->running) {
			collateral_free(c);
			return why_set(why, DSTACK_E_SYS,
			    "collateral: its thread does not start");
		}
	}
	*out = c;
	return DSTACK_OK;
}

void
collateral_stop(struct collateral *c)
{
	if (c == NULL)
		return;
	atomic_store(&c->stop, true);
	(void)pthread_mutex_lock(&c->lock);
	(void)pthread_cond_broadcast(&c->kick);
	(void)pthread_mutex_unlock(&c->lock);
}

void
collateral_free(struct collateral *c)
{
	if (c == NULL)
		return;
	collateral_stop(c);
	if (c->running)
		(void)pthread_join(c->thread, NULL);
	for (size_t i = 0; i < ENTRIES; i++)
		collateral_entry_free(&c->slot[i].e);
	if (c->dir >= 0)
		(void)close(c->dir);
	(void)pthread_cond_destroy(&c->kick);
	(void)pthread_mutex_destroy(&c->lock);
	(void)pthread_mutex_destroy(&c->fetching);
	free(c);
}
