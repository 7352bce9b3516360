/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A guest signs every minute or so that it lives, and names the block it has
 * come to. Its host hands that to the relay (signs_own), every host hears it
 * (signs_hear), and the newest of each node is kept.
 *
 * What is heard is kept only if the epoch's key has signed it: nobody but a
 * guest of the network can fill the table. The key is read from the contract
 * when the own guest gives its first sign of an epoch; what was heard before
 * waits in a small ring until then, since the relay repeats the last minute
 * to whoever comes in, and not again. One that names an older block than the
 * node's last is a repetition and says nothing; one that names the same is
 * taken, since finality may stand still for minutes. So a relay can have a node
 * that died counted for some time more here, in signs_others; the guest and
 * "dstack status" go by the block's time.
 */
#include "host/service/signs.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "crypto/hash.h"
#include "eth/abi.h"
#include "host/relay/gossip.h"
#include "protocol/layout.h"
#include "protocol/signs.h"

#define NODES 256u
#define WAITING 64u
#define LINE_MAX_LEN 2048u /* a sign has 400 bytes */
#define LISTED 128u	   /* stays well below LINK_MAX_BODY */

struct heard {
	struct msg_heartbeat m;
	time_t at; /* CLOCK_MONOTONIC, seconds */
};

struct signs {
	const struct host_config *cfg;
	struct rpc *rpc;
	pthread_mutex_t lock; /* of what follows */
	bool known;	      /* of is the current epoch's */
	struct signs_of of;
	bool told; /* the newest own one went over the relay */
	uint8_t self[20];
	struct heard node[NODES];
	size_t n;
	struct msg_heartbeat waiting[WAITING];
	size_t waits; /* so many have come; the last WAITING are there */
};

static time_t
now_s(void)
{
	struct timespec t = { 0 };

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec;
}

struct signs *
signs_new(const struct host_config *cfg, struct rpc *rpc)
{
	struct signs *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return NULL;
	s->cfg = cfg;
	s->rpc = rpc;
	s->of.domain.chain_id = cfg->chain_id;
	memcpy(s->of.domain.contract, cfg->contract, 20);
	(void)pthread_mutex_init(&s->lock, NULL);
	return s;
}

void
signs_free(struct signs *s)
{
	if (s == NULL)
		return;
	(void)pthread_mutex_destroy(&s->lock);
	free(s);
}

/* Locked. m holds. */
static void
keep(struct signs *s, const struct msg_heartbeat *m)
{
	struct heard *at = NULL;

	for (size_t i = 0; i < s->n; i++) {
		if (memcmp(s->node[i].m.s.node, m->s.node, 20) == 0) {
			if (m->s.anchor_number <
			    s->node[i].m.s.anchor_number)
				return;
			at = &s->node[i];
			break;
		}
		if (at == NULL || s->node[i].at < at->at)
			at = &s->node[i]; /* the one to make room */
	}
	if (s->n < NODES &&
	    (at == NULL || memcmp(at->m.s.node, m->s.node, 20) != 0))
		at = &s->node[s->n++];
	at->m = *m;
	at->at = now_s();
}

bool
signs_hear(struct signs *s, const char *line, size_t len)
{
	static const char mark[] = "\"heartbeat\"";
	AUTO_FREE char *text = NULL;
	struct msg_heartbeat m;
	struct why why = { "" };

	if (len > LINE_MAX_LEN ||
	    memmem(line, len, mark, sizeof(mark) - 1) == NULL ||
	    gossip_unwrap(line, len, &text, &why) != DSTACK_OK ||
	    msg_heartbeat_parse(text, strlen(text), &m, &why) != DSTACK_OK)
		return false;
	(void)pthread_mutex_lock(&s->lock);
	if (!s->known)
		s->waiting[s->waits++ % WAITING] = m;
	else if (sign_holds(&m, &s->of))
		keep(s, &m);
	(void)pthread_mutex_unlock(&s->lock);
	return true;
}

/* The contract's word on the current epoch. */
static enum dstack_status
read_key(struct signs *s, uint8_t key[static 20], struct why *why)
{
	AUTO_WR struct wr out = wr_new(4096);
	uint8_t call[4];

	abi_selector(KM_FN_XPUB, call);
	enum dstack_status st = rpc_eth_call(s->rpc, s->cfg->contract, call,
	    sizeof(call), &out, why);
	if (st != DSTACK_OK)
		return st;
	struct rd r = rd_over(out.buf, out.len);
	if (abi_rd_addr(&r, key) != DSTACK_OK)
		return why_set(why, DSTACK_E_MISSING,
		    "chain RPC: xPub() is no address");
	return DSTACK_OK;
}

/* Is m the current epoch's? Reads the key anew for one it does not know. */
static enum dstack_status
learn(struct signs *s, const struct msg_heartbeat *m, struct why *why)
{
	struct signs_of of;

	(void)pthread_mutex_lock(&s->lock);
	of = s->of;
	bool holds = s->known && sign_holds(m, &of);
	(void)pthread_mutex_unlock(&s->lock);
	if (holds)
		return DSTACK_OK;
	of.epoch = m->s.epoch;
	enum dstack_status st = read_key(s, of.xpub, why);
	if (st != DSTACK_OK)
		return st;
	if (!sign_holds(m, &of))
		return why_set(why, DSTACK_E_REJECTED,
		    "the sign of life is not signed by the current epoch's "
		    "key");
	(void)pthread_mutex_lock(&s->lock);
	s->of = of;
	s->known = true;
	s->n = 0; /* those of another epoch have another secret */
	for (size_t i = 0; i < WAITING && i < s->waits; i++)
		if (sign_holds(&s->waiting[i], &of))
			keep(s, &s->waiting[i]);
	s->waits = 0;
	(void)pthread_mutex_unlock(&s->lock);
	return DSTACK_OK;
}

enum dstack_status
signs_own(struct signs *s, const struct msg_heartbeat *m, struct why *why)
{
	AUTO_WR struct wr text = wr_new(LINE_MAX_LEN);
	enum dstack_status st = learn(s, m, why);

	if (st != DSTACK_OK)
		return st;
	msg_heartbeat_build(&text, m);
	wr_u8(&text, 0);
	st = wr_status(&text);
	if (st == DSTACK_OK)
		st = gossip_push(
		    s->cfg->pubsub_url, (const char *)text.buf, why);
	(void)pthread_mutex_lock(&s->lock);
	/* a guest has a new key at each start: its former self is no other */
	for (size_t i = 0; i < s->n; i++)
		if (memcmp(m->s.node, s->self, 20) != 0 &&
		    memcmp(s->node[i].m.s.node, s->self, 20) == 0)
			s->node[i] = s->node[--s->n];
	memcpy(s->self, m->s.node, 20);
	keep(s, m);
	s->told = st == DSTACK_OK;
	(void)pthread_mutex_unlock(&s->lock);
	if (st != DSTACK_OK && why->text[0] == '\0')
		(void)why_set(why, st, "the relay does not answer");
	return st;
}

static int
later(const void *a, const void *b)
{
	const struct heard *x = a, *y = b;

	return (x->at < y->at) - (x->at > y->at);
}

void
signs_list(struct signs *s, struct wr *out)
{
	(void)pthread_mutex_lock(&s->lock);
	qsort(s->node, s->n, sizeof(s->node[0]), later);
	for (size_t i = 0; i < s->n && i < LISTED; i++) {
		msg_heartbeat_build(out, &s->node[i].m);
		wr_str(out, "\n");
	}
	(void)pthread_mutex_unlock(&s->lock);
}

static void
place(const uint8_t id[static 32], const uint8_t node[static 20],
    uint8_t out[static 32])
{
	const struct piece v[] = { { id, 32 }, { node, 20 } };

	keccak256v(v, 2, out);
}

int
signs_rank(struct signs *s, const uint8_t id[static 32])
{
	const time_t now = now_s();
	uint8_t own[32], other[32];
	int before = 0;
	bool alive = false;

	(void)pthread_mutex_lock(&s->lock);
	place(id, s->self, own);
	for (size_t i = 0; s->known && i < s->n; i++) {
		if (now - s->node[i].at > (time_t)SIGNS_TURN_S)
			continue;
		place(id, s->node[i].m.s.node, other);
		const int c = memcmp(other, own, sizeof(own));
		before += c < 0;
		alive = alive || c == 0;
	}
	(void)pthread_mutex_unlock(&s->lock);
	return alive ? before : -1;
}

int
signs_others(struct signs *s)
{
	const time_t now = now_s();
	int n = 0;

	(void)pthread_mutex_lock(&s->lock);
	for (size_t i = 0; i < s->n; i++)
		n += memcmp(s->node[i].m.s.node, s->self, 20) != 0 &&
		    now - s->node[i].at <= (time_t)SIGNS_LIVE_S;
	if (!s->known || !s->told)
		n = -1;
	(void)pthread_mutex_unlock(&s->lock);
	return n;
}
