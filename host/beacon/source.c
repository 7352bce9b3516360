/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A thread goes by the follower's steps from netcfg's checkpoint to the newest
 * head and on. What the store takes is kept: the bootstrap, for each period
 * the update that brought its next committee, the newest finality update. The
 * first two lie in STATE_DIR as well, one file each, written whole or not at
 * all, and are the first that a new start feeds into its store; a file that
 * the store refuses is a file less.
 *
 * The guest's questions are answered from what is kept, at once: it is told
 * that there is nothing yet, and why, rather than made to wait. Headers are
 * fetched when they are asked for, since a guest asks for a few of them once
 * in its life; with a fetcher of their own, so that the thread goes on.
 *
 * Time is this machine's clock here; the guest has its own.
 */
#include "host/beacon/source.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/hex.h"
#include "base/log.h"
#include "base/own.h"
#include "beacon/ssz.h"
#include "eth/rpc.h"
#include "host/base/files.h"
#include "host/beacon/follower.h"

#define UPDATES_MAX 4096u      /* periods from the checkpoint on: 12 years */
#define DOC_MAX (128u << 10)   /* bytes of one document */
#define HEADER_JSON (16u << 10)
#define HEADERS_S 8	       /* seconds that a guest is kept waiting */

struct kept {
	uint8_t *p; /* owned; NULL: none */
	size_t n;
};

struct source {
	struct beacon_network net;
	uint8_t root[32];
	bool attested;	/* the guest goes by the newest signed head */
	uint64_t first; /* period of the checkpoint, once it is known */
	char *urls[2];	/* one copy each for the two fetchers; owned */
	int dir;	/* -1: no cache */
	atomic_bool stop;
	bool running;
	pthread_t thread;
	struct follower f;	/* the thread's */
	struct fetch headers;	/* under asking */
	pthread_mutex_t asking; /* one walk over headers at a time */
	pthread_mutex_t lock;	/* of what follows */
	pthread_cond_t kick;
	struct kept bootstrap, finality;
	struct kept update[UPDATES_MAX]; /* by period - first */
	uint64_t finalized, period;
	uint64_t sees; /* source_sees */
	bool has_head;
	struct why said; /* what stands in the way; "": nothing */
	char whom[128];
	uint64_t requests, bytes;
};

static void
own_json(json_t **j)
{
	json_decref(*j);
}

/* Under lock. What was kept before goes only once its successor is there. */
static void
keep(struct kept *k, const uint8_t *p, size_t n)
{
	uint8_t *copy = malloc(n > 0 ? n : 1);
	if (copy == NULL)
		return; /* the guest asks again, and so does the thread */
	memcpy(copy, p, n);
	free(k->p);
	k->p = copy;
	k->n = n;
}

/* A whole file under its name, or none: half of one is refused at the start. */
static void
save(const struct source *s, const char *name, const uint8_t *p, size_t n)
{
	if (s->dir < 0)
		return;
	AUTO_CLOSE int fd = openat(s->dir, "beacon.part",
	    O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);
	if (fd < 0 || files_write(fd, p, n) != DSTACK_OK ||
	    renameat(s->dir, "beacon.part", s->dir, name) != 0)
		log_line("beacon: %s is not kept: %s", name, strerror(errno));
}

static void
name_of(uint64_t period, char out[static 48])
{
	(void)snprintf(out, 48, "beacon-update-%" PRIu64 ".ssz", period);
}

/* The checkpoint's root is in the name: another network's is another file. */
static void
bootstrap_name(const struct source *s, char out[static 48])
{
	char hex[17];
	hex_encode(s->root, 8, hex);
	(void)snprintf(out, 48, "beacon-%s.ssz", hex);
}

/* What the store has taken; in the thread. */
static void
took(void *arg, enum beacon_kind kind, uint64_t period, const uint8_t *ssz,
    size_t len)
{
	struct source *s = arg;
	char name[48];
	(void)pthread_mutex_lock(&s->lock);
	if (kind == BEACON_KIND_FINALITY) {
		keep(&s->finality, ssz, len);
	} else if (kind == BEACON_KIND_BOOTSTRAP) {
		keep(&s->bootstrap, ssz, len);
		s->first = beacon_period(s->f.store);
	} else if (period >= s->first && period - s->first < UPDATES_MAX) {
		keep(&s->update[period - s->first], ssz, len);
	}
	(void)pthread_mutex_unlock(&s->lock);
	if (kind == BEACON_KIND_BOOTSTRAP)
		bootstrap_name(s, name);
	else
		name_of(period, name);
	if (kind != BEACON_KIND_FINALITY)
		save(s, name, ssz, len);
}

/* A file's bytes stand behind its size, 8 bytes; an empty one is none. */
static bool
load(const struct source *s, const char *name, struct wr *out)
{
	return s->dir >= 0 &&
	    files_read(s->dir, name, 0, DOC_MAX, out, NULL) == DSTACK_OK &&
	    out->len > 8;
}

/* What an earlier start kept, through the same store as what is fetched. */
static void
restore(struct source *s)
{
	AUTO_WR struct wr b = wr_new(DOC_MAX + 8);
	char name[48];
	bootstrap_name(s, name);
	if (!load(s, name, &b))
		return;
	s->f.store = beacon_store_new(&s->net);
	if (s->f.store == NULL ||
	    beacon_bootstrap(s->f.store, s->root, b.buf + 8, b.len - 8,
		NULL) != BEACON_OK)
		return;
	s->f.begun = true;
	took(s, BEACON_KIND_BOOTSTRAP, 0, b.buf + 8, b.len - 8);
	for (uint64_t p = s->first; p - s->first < UPDATES_MAX; p++) {
		AUTO_WR struct wr u = wr_new(DOC_MAX + 8);
		name_of(p, name);
		if (!load(s, name, &u))
			return;
		enum beacon_code c = beacon_update(s->f.store, u.buf + 8,
		    u.len - 8, (uint64_t)time(NULL), NULL);
		if (c != BEACON_OK && c != BEACON_OLD)
			return;
		(void)pthread_mutex_lock(&s->lock);
		keep(&s->update[p - s->first], u.buf + 8, u.len - 8);
		(void)pthread_mutex_unlock(&s->lock);
	}
}

/*
 * Everybody that is asked goes on with a chain that others sign than the store
 * believes: the store may be on one that a beacon node of before made up by
 * the keys of an old committee (THREATS T43). It decides nothing here, so it
 * begins anew; the bootstrap is the checkpoint's and stays.
 */
static void
anew(struct source *s)
{
	struct why why = { "" };
	struct kept old = { NULL, 0 };
	char name[48];
	if (follower_anew(&s->f, &why) != DSTACK_OK)
		return;
	log_line("beacon: all that is said now is signed by others than what "
		 "was believed; begins anew at the checkpoint");
	(void)pthread_mutex_lock(&s->lock);
	for (uint64_t i = 0; i < UPDATES_MAX; i++) {
		if (s->update[i].p == NULL)
			continue;
		free(s->update[i].p);
		s->update[i] = old;
		name_of(s->first + i, name);
		if (s->dir >= 0)
			(void)unlinkat(s->dir, name, 0);
	}
	free(s->finality.p);
	s->finality = old;
	s->has_head = false;
	s->sees = 0;
	old = s->bootstrap;
	s->bootstrap = (struct kept){ NULL, 0 };
	(void)pthread_mutex_unlock(&s->lock);
	if (old.p != NULL && beacon_bootstrap(s->f.store, s->root, old.p, old.n,
				 NULL) == BEACON_OK) {
		s->f.begun = true;
		took(s, BEACON_KIND_BOOTSTRAP, 0, old.p, old.n);
	}
	free(old.p);
}

/* Under lock, for the status: how far, whom, and what stands in the way. */
static void
note(struct source *s, const char *trouble)
{
	struct beacon_head h;
	fetch_whom(&s->f.nodes, s->whom, sizeof(s->whom));
	s->requests = s->f.nodes.requests;
	s->bytes = s->f.nodes.bytes;
	if (s->f.begun && beacon_finalized(s->f.store, &h)) {
		s->has_head = true;
		s->finalized = h.slot;
		s->period = beacon_period(s->f.store);
		if (s->attested)
			(void)beacon_attested(s->f.store, &h);
		s->sees = s->net.genesis_time +
		    h.slot * s->net.seconds_per_slot;
	}
	(void)snprintf(s->said.text, sizeof(s->said.text), "%s", trouble);
}

/* Until then or the end, by the monotonic clock: the other may jump by hours. */
static void
wait_ms(struct source *s, uint64_t ms)
{
	struct timespec t;
	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	t.tv_sec += (time_t)(ms / 1000);
	t.tv_nsec += (long)(ms % 1000) * 1000000;
	if (t.tv_nsec >= 1000000000) {
		t.tv_sec++;
		t.tv_nsec -= 1000000000;
	}
	(void)pthread_mutex_lock(&s->lock);
	while (!s->stop &&
	    pthread_cond_timedwait(&s->kick, &s->lock, &t) == 0)
		continue;
	(void)pthread_mutex_unlock(&s->lock);
}

/*
 * A finalized head is new once an epoch, so an eighth of one is often enough;
 * an attested one is new each slot. Chains of short slots are for tests and
 * demos, where somebody waits for each: a tenth of a slot.
 */
static uint64_t
step_ms(const struct source *s)
{
	const uint64_t few = s->net.slots_per_epoch / 8;
	const uint64_t slots = s->attested || few == 0 ? 1 : few;
	const uint64_t ms = slots * s->net.seconds_per_slot * 1000;
	return s->net.seconds_per_slot < 4 ? ms / 10 : ms;
}

/*
 * The thread. A step that fails turns to the next node after a pause that
 * grows; one that works goes on at once while more is due, else after a while.
 */
static void *
run(void *arg)
{
	struct source *s = arg;
	struct why last = { "" };
	unsigned fails = 0;
	restore(s);
	while (!s->stop) {
		struct why why = { "" };
		bool more = false;
		char line[400] = "", whom[128];
		enum dstack_status st = follower_step(&s->f, &more, &why);
		if (s->stop)
			break;
		if (st != DSTACK_OK) {
			fetch_whom(&s->f.nodes, whom, sizeof(whom));
			(void)snprintf(line, sizeof(line), "%s: %s", whom,
			    why.text);
		}
		(void)pthread_mutex_lock(&s->lock);
		note(s, line);
		(void)pthread_mutex_unlock(&s->lock);
		/* the same trouble again is no news */
		if (strncmp(line, last.text, sizeof(last.text) - 1) != 0) {
			if (line[0] != '\0')
				log_line("beacon: %s", line);
			else
				log_line("beacon: goes on");
			(void)snprintf(
			    last.text, sizeof(last.text), "%s", line);
		}
		if (st == DSTACK_OK) {
			fails = 0;
			if (!more)
				wait_ms(s, step_ms(s));
			continue;
		}
		fetch_turn(&s->f.nodes);
		/* twice round, and three times where there is one alone */
		if (s->f.strangers > 2 * s->f.nodes.count)
			anew(s);
		wait_ms(s, follower_pause(&s->f, fails++) * 1000ull);
	}
	return NULL;
}

enum dstack_status
source_new(const struct netcfg *cfg, const char *urls, const char *cache_dir,
    struct source **out, struct why *why)
{
	struct source *s = calloc(1, sizeof(*s));
	pthread_condattr_t attr;
	if (s == NULL)
		return why_set(why, DSTACK_E_NOMEM, "no memory");
	s->net = cfg->beacon;
	s->attested = cfg->finality == NETCFG_ATTESTED;
	s->dir = -1;
	memcpy(s->root, cfg->checkpoint, 32);
	(void)pthread_mutex_init(&s->asking, NULL);
	(void)pthread_mutex_init(&s->lock, NULL);
	(void)pthread_condattr_init(&attr);
	(void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	(void)pthread_cond_init(&s->kick, &attr);
	(void)pthread_condattr_destroy(&attr);
	enum dstack_status st = DSTACK_OK;
	/* fetch_urls cuts its text, and the two fetchers turn independently */
	for (int i = 0; i < 2; i++)
		if ((s->urls[i] = strdup(urls)) == NULL)
			st = why_set(why, DSTACK_E_NOMEM, "no memory");
	if (st == DSTACK_OK)
		st = fetch_urls(&s->f.nodes, s->urls[0], why);
	if (st == DSTACK_OK)
		st = fetch_urls(&s->headers, s->urls[1], why);
	if (st != DSTACK_OK)
		(void)why_wrap(why, st, "BEACON_URL");
	if (st == DSTACK_OK && cache_dir != NULL) {
		(void)mkdir(cache_dir, 0755); /* or it is there */
		st = files_open(cache_dir, &s->dir, why);
	}
	s->f.nodes.stop = s->headers.stop = &s->stop;
	s->f.net = &s->net;
	memcpy(s->f.root, s->root, 32);
	s->f.has_root = true;
	s->f.took = took;
	s->f.arg = s;
	(void)snprintf(s->said.text, sizeof(s->said.text),
	    "no beacon node has answered yet");
	if (st == DSTACK_OK &&
	    pthread_create(&s->thread, NULL, run, s) != 0)
		st = why_set(why, DSTACK_E_SYS, "no thread");
	else if (st == DSTACK_OK)
		s->running = true;
	if (st != DSTACK_OK) {
		source_free(s);
		return st;
	}
	*out = s;
	return DSTACK_OK;
}

void
source_stop(struct source *s)
{
	if (s == NULL)
		return;
	(void)pthread_mutex_lock(&s->lock);
	s->stop = true;
	(void)pthread_cond_broadcast(&s->kick);
	(void)pthread_mutex_unlock(&s->lock);
}

void
source_free(struct source *s)
{
	if (s == NULL)
		return;
	source_stop(s);
	if (s->running)
		(void)pthread_join(s->thread, NULL);
	follower_free(&s->f);
	free(s->bootstrap.p);
	free(s->finality.p);
	for (size_t i = 0; i < UPDATES_MAX; i++)
		free(s->update[i].p);
	free(s->urls[0]);
	free(s->urls[1]);
	if (s->dir >= 0)
		(void)close(s->dir);
	(void)pthread_cond_destroy(&s->kick);
	(void)pthread_mutex_destroy(&s->lock);
	(void)pthread_mutex_destroy(&s->asking);
	free(s);
}

/* Locked here. */
static enum dstack_status
give(struct source *s, const struct kept *k, const char *what, struct wr *out,
    struct why *why)
{
	enum dstack_status st = DSTACK_OK;
	(void)pthread_mutex_lock(&s->lock);
	if (k->p != NULL)
		wr_put(out, k->p, k->n);
	else
		st = why_set(why, DSTACK_E_MISSING, "no %s yet%s%.200s", what,
		    s->said.text[0] != '\0' ? ": " : "", s->said.text);
	(void)pthread_mutex_unlock(&s->lock);
	return st == DSTACK_OK ? wr_status(out) : st;
}

enum dstack_status
source_bootstrap(struct source *s, const uint8_t root[static 32],
    struct wr *out, struct why *why)
{
	if (memcmp(root, s->root, 32) != 0)
		return why_set(why, DSTACK_E_REJECTED,
		    "the host's netcfg has another checkpoint");
	return give(s, &s->bootstrap, "bootstrap", out, why);
}

enum dstack_status
source_update(
    struct source *s, uint64_t period, struct wr *out, struct why *why)
{
	static const struct kept none;
	(void)pthread_mutex_lock(&s->lock);
	const struct kept *k = s->bootstrap.p != NULL && period >= s->first &&
		period - s->first < UPDATES_MAX
	    ? &s->update[period - s->first]
	    : &none;
	(void)pthread_mutex_unlock(&s->lock);
	return give(s, k, "update of that period", out, why);
}

enum dstack_status
source_finality(struct source *s, struct wr *out, struct why *why)
{
	return give(s, &s->finality, "finality update", out, why);
}

/*
 * The Beacon API writes numbers as strings of digits, so that no reader makes
 * a float of one.
 */
static bool
member_u64(const json_t *o, const char *name, uint64_t *out)
{
	const char *t = json_string_value(json_object_get(o, name));
	char *end = NULL;
	if (t == NULL || t[0] < '0' || t[0] > '9')
		return false;
	errno = 0;
	*out = strtoull(t, &end, 10);
	return errno == 0 && *end == '\0';
}

static uint64_t
rd64le(const uint8_t *p)
{
	uint64_t v = 0;
	for (int i = 7; i >= 0; i--)
		v = v << 8 | p[i];
	return v;
}

/* {"data":{"header":{"message":{...}}}} as SSZ; false: it is none. */
static bool
header_ssz(const struct wr *body, uint8_t out[static SOURCE_HEADER_LEN])
{
	OWN_CLEANUP(own_json)
	json_t *j = json_loadb(
	    (const char *)body->buf, body->len, JSON_REJECT_DUPLICATES, NULL);
	const json_t *m = json_object_get(
	    json_object_get(json_object_get(j, "data"), "header"), "message");
	static const char *const roots[] = { "parent_root", "state_root",
		"body_root" };
	uint64_t slot = 0, proposer = 0;
	if (!member_u64(m, "slot", &slot) ||
	    !member_u64(m, "proposer_index", &proposer))
		return false;
	for (int i = 0; i < 8; i++) {
		out[i] = (uint8_t)(slot >> 8 * i);
		out[8 + i] = (uint8_t)(proposer >> 8 * i);
	}
	for (size_t i = 0; i < 3; i++)
		if (eth_json_fixed(json_object_get(m, roots[i]),
			out + 16 + 32 * i, 32) != DSTACK_OK)
			return false;
	return true;
}

/* One header by its root, from any node: its hash says whether it is that. */
static enum dstack_status
one_header(struct source *s, const uint8_t root[static 32],
    uint8_t out[static SOURCE_HEADER_LEN], struct why *why)
{
	char path[128], hex[65];
	enum dstack_status st = DSTACK_E_MISSING;
	hex_encode(root, 32, hex);
	(void)snprintf(
	    path, sizeof(path), "/eth/v1/beacon/headers/0x%s", hex);
	for (size_t i = 0; i < s->headers.count && !s->stop; i++) {
		AUTO_WR struct wr body = wr_new(HEADER_JSON);
		uint8_t got[32];
		st = fetch_get(&s->headers, path, HEADER_JSON, &body, why);
		if (st == DSTACK_OK && !header_ssz(&body, out))
			st = why_set(why, DSTACK_E_FORMAT,
			    "%s is no header", path);
		if (st == DSTACK_OK) {
			const struct block_header h = {
				.slot = rd64le(out), .proposer = rd64le(out + 8),
				.parent = out + 16, .state = out + 48,
				.body = out + 80 };
			header_root(&h, got);
			if (memcmp(got, root, 32) == 0)
				return DSTACK_OK;
			st = why_set(why, DSTACK_E_FORMAT,
			    "%s is another block's header", path);
		}
		fetch_turn(&s->headers);
	}
	/* the last node's reason stands in why */
	return st == DSTACK_E_NOMEM ? st : DSTACK_E_MISSING;
}

enum dstack_status
source_headers(struct source *s, const uint8_t root[static 32],
    unsigned count, struct wr *out, struct why *why)
{
	uint8_t next[32];
	struct timespec t;
	enum dstack_status st = DSTACK_OK;
	memcpy(next, root, 32);
	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	const time_t end = t.tv_sec + HEADERS_S;
	(void)pthread_mutex_lock(&s->asking);
	for (unsigned i = 0; st == DSTACK_OK && i < count; i++) {
		uint8_t h[SOURCE_HEADER_LEN];
		st = one_header(s, next, h, why);
		if (st == DSTACK_OK) {
			wr_put(out, h, sizeof(h));
			memcpy(next, h + 16, 32);
		} else if (i > 0) {
			st = DSTACK_OK;
			break;
		}
		(void)clock_gettime(CLOCK_MONOTONIC, &t);
		if (t.tv_sec >= end)
			break;
	}
	(void)pthread_mutex_unlock(&s->asking);
	return st == DSTACK_OK ? wr_status(out) : st;
}

json_t *
source_status(struct source *s)
{
	(void)pthread_mutex_lock(&s->lock);
	json_t *o = json_pack("{s:o,s:o,s:s,s:o,s:I,s:I}", "finalizedSlot",
	    s->has_head ? json_integer((json_int_t)s->finalized) : json_null(),
	    "period",
	    s->has_head ? json_integer((json_int_t)s->period) : json_null(),
	    "asks", s->whom, "trouble",
	    s->said.text[0] != '\0' ? json_string(s->said.text) : json_null(),
	    "requests", (json_int_t)s->requests, "bytes",
	    (json_int_t)s->bytes);
	(void)pthread_mutex_unlock(&s->lock);
	return o;
}

uint64_t
source_sees(struct source *s)
{
	(void)pthread_mutex_lock(&s->lock);
	const uint64_t t = s->sees;
	(void)pthread_mutex_unlock(&s->lock);
	return t;
}
