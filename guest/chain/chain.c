/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading the contract. Which block counts is lightclient's to say, the one
 * role that judges headers; what the contract has in it is proven here, in the
 * process that uses it: account and slots under that block's state root, the
 * account's code hash being netcfg's.
 *
 * What can go wrong: the RPC is away, talks nonsense, serves another chain,
 * another contract, or an older block. None of it is an answer, so none of it
 * may decide anything, least of all end a guest that holds the network's
 * secret: it is all "not now" (DSTACK_E_MISSING, DSTACK_E_FORMAT), and the
 * caller goes on asking. A shared endpoint that serves another chain for six
 * seconds must cost six seconds. DSTACK_E_REJECTED is left for what this
 * image itself cannot do.
 */
#include "guest/chain/chain.h"

#include <string.h>

#include "guest/base/ipc.h"
#include "guest/chain/rpc.h"
#include "guest/lightclient/lightclient.h"

void
chain_open(struct chain *c, int hostlink_edge, int lightclient_edge,
    const struct netcfg *cfg)
{
	memset(c, 0, sizeof(*c));
	c->edge = hostlink_edge;
	c->view_edge = lightclient_edge;
	c->cfg = *cfg;
}

enum dstack_status
chain_ask(const struct chain *c, const char *method, json_t *params,
    json_t **result, struct why *why)
{
	return rpc_ask(c->edge, method, params, result, why);
}

/* The view's head, on lightclient's word. */
static enum dstack_status
ask_head(const struct chain *c, struct chain_head *h, struct why *why)
{
	AUTO_WR struct wr a = wr_new(256);
	enum dstack_status st = ipc_call(
	    c->view_edge, LIGHTCLIENT_HEAD, NULL, NULL, 0, &a, why);
	if (st != DSTACK_OK)
		return st;
	struct rd r = rd_over(a.buf, a.len);
	if (rd_u64be(&r, &h->number) != DSTACK_OK ||
	    rd_u64be(&r, &h->timestamp) != DSTACK_OK ||
	    rd_copy(&r, h->hash, 32) != DSTACK_OK ||
	    rd_copy(&r, h->state_root, 32) != DSTACK_OK ||
	    rd_u64be(&r, &h->slot) != DSTACK_OK ||
	    rd_copy(&r, h->root, 32) != DSTACK_OK ||
	    rd_copy(&r, h->committee, 32) != DSTACK_OK ||
	    rd_u64be(&r, &h->age) != DSTACK_OK || rd_end(&r) != DSTACK_OK)
		return why_set(
		    why, DSTACK_E_FORMAT, "lightclient: bad answer");
	return DSTACK_OK;
}

enum dstack_status
chain_look(struct chain *c, struct why *why)
{
	struct chain_head h;
	enum dstack_status st = ask_head(c, &h, why);
	if (st == DSTACK_OK)
		c->head = h;
	c->pinned = st == DSTACK_OK;
	return st;
}

enum dstack_status
chain_contains(const struct chain *c, uint64_t slot,
    const uint8_t root[static 32], const uint8_t committee[static 32],
    enum chain_contains *out, struct why *why)
{
	AUTO_WR struct wr q = wr_new(128);
	AUTO_WR struct wr a = wr_new(64);
	wr_u64be(&q, slot);
	wr_put(&q, root, 32);
	wr_put(&q, committee, 32);
	enum dstack_status st = ipc_call(
	    c->view_edge, LIGHTCLIENT_CONTAINS, &q, NULL, 0, &a, why);
	if (st != DSTACK_OK)
		return st;
	if (a.len != 1 || a.buf[0] > LIGHTCLIENT_NO)
		return why_set(
		    why, DSTACK_E_FORMAT, "lightclient: bad answer");
	*out = (enum chain_contains)a.buf[0];
	return DSTACK_OK;
}

enum dstack_status
chain_tie(const struct chain *c, uint64_t block_time, uint64_t boottime,
    struct why *why)
{
	AUTO_WR struct wr q = wr_new(64);
	wr_u64be(&q, block_time);
	wr_u64be(&q, boottime);
	return ipc_call(
	    c->view_edge, LIGHTCLIENT_TIE, &q, NULL, 0, NULL, why);
}

enum dstack_status
chain_anew(struct chain *c, struct why *why)
{
	memset(&c->head, 0, sizeof(c->head));
	memset(&c->known, 0, sizeof(c->known));
	return ipc_call_wait(
	    c->view_edge, LIGHTCLIENT_ANEW, NULL, NULL, why);
}

enum dstack_status
chain_final(struct chain *c, struct chain_head *out, struct why *why)
{
	struct state_head ignored;
	return chain_state(c, &ignored, out, why);
}

static size_t
find(const struct chain_known *k, const uint8_t slot[static 32])
{
	size_t i = 0;
	while (i < k->n && memcmp(k->slot[i], slot, 32) != 0)
		i++;
	return i;
}

/*
 * All slots known in h's block. The next look will want what the last one
 * wanted, in several reads: in a new block all of that is asked for at once,
 * so that a look costs one question. Words that nobody read since the block
 * before are forgotten; where there is no room they all are.
 */
static enum dstack_status
learn(struct chain *c, const struct chain_head *h, const uint8_t (*slots)[32],
    size_t n, struct why *why)
{
	struct chain_known k = c->known;
	uint8_t want[CHAIN_MAX_SLOTS][32];
	uint8_t got[CHAIN_MAX_SLOTS][32];
	size_t m = 0;
	if (memcmp(k.hash, h->hash, 32) != 0) {
		for (size_t i = 0; i < k.n; i++)
			if (k.used[i])
				memcpy(want[m++], k.slot[i], 32);
		k.n = 0;
		memcpy(k.hash, h->hash, 32);
	}
	size_t missing = 0;
	for (size_t i = 0; i < n; i++)
		missing += find(&k, slots[i]) == k.n;
	if (missing == 0)
		return DSTACK_OK;
	if (m + missing > CHAIN_MAX_SLOTS || k.n + m + missing > CHAIN_MAX_SLOTS)
		k.n = m = 0;
	for (size_t i = 0; i < n; i++) {
		bool there = find(&k, slots[i]) < k.n;
		for (size_t j = 0; j < m && !there; j++)
			there = memcmp(want[j], slots[i], 32) == 0;
		if (!there)
			memcpy(want[m++], slots[i], 32);
	}
	for (size_t i = 0; i < m; i += RPC_PROOF_SLOTS) {
		size_t part = m - i < RPC_PROOF_SLOTS ? m - i : RPC_PROOF_SLOTS;
		enum dstack_status st = rpc_prove(c->edge, &c->cfg, h->number,
		    h->state_root, (const uint8_t(*)[32])want + i, part,
		    got + i, why);
		if (st != DSTACK_OK)
			return st;
	}
	for (size_t i = 0; i < m; i++, k.n++) {
		memcpy(k.slot[k.n], want[i], 32);
		memcpy(k.value[k.n], got[i], 32);
		k.used[k.n] = false;
	}
	/* only now: what was known stays where a proof does not hold */
	c->known = k;
	return DSTACK_OK;
}

enum dstack_status
chain_read(struct chain *c, const uint8_t (*slots)[32], size_t n,
    uint8_t (*values)[32], struct chain_head *head, struct why *why)
{
	if (n == 0 || n > CHAIN_MAX_SLOTS)
		return why_set(why, DSTACK_E_LIMIT, "%zu slots in a read", n);
	struct chain_head h = c->head;
	enum dstack_status st = DSTACK_OK;
	if (!c->pinned)
		st = ask_head(c, &h, why);
	if (st != DSTACK_OK)
		return st;
	st = learn(c, &h, slots, n, why);
	if (st != DSTACK_OK)
		return st;
	c->head = h;
	/* all under one header: words of two blocks would be a state that
	 * never was */
	for (size_t i = 0; i < n; i++) {
		const size_t k = find(&c->known, slots[i]);
		c->known.used[k] = true;
		memcpy(values[i], c->known.value[k], 32);
	}
	if (head != NULL)
		*head = c->head;
	return DSTACK_OK;
}

enum dstack_status
chain_epoch(struct chain *c, uint64_t epoch, struct state_head *state,
    struct state_epoch *out, struct chain_head *head, struct why *why)
{
	uint8_t slots[KM_EPOCH_SLOTS + 1][32];
	uint8_t words[KM_EPOCH_SLOTS + 1][32];
	state_epoch_slots(epoch, slots);
	state_head_slot(slots[KM_EPOCH_SLOTS]);
	enum dstack_status st = chain_read(c, (const uint8_t(*)[32])slots,
	    KM_EPOCH_SLOTS + 1, words, head, why);
	if (st != DSTACK_OK)
		return st;
	/*
	 * words that this program cannot read are no answer, and no reason to
	 * end
	 */
	if (state_epoch_decode((const uint8_t(*)[32])words, out) != DSTACK_OK)
		return why_set(why, DSTACK_E_MISSING,
		    "the contract's record of epoch %llu is unknown to this "
		    "image",
		    (unsigned long long)epoch);
	if (state != NULL)
		state_head_decode(words[KM_EPOCH_SLOTS], state);
	return DSTACK_OK;
}

enum dstack_status
chain_state(struct chain *c, struct state_head *out, struct chain_head *head,
    struct why *why)
{
	uint8_t slot[1][32];
	uint8_t word[1][32];
	state_head_slot(slot[0]);
	enum dstack_status st =
	    chain_read(c, (const uint8_t(*)[32])slot, 1, word, head, why);
	if (st == DSTACK_OK)
		state_head_decode(word[0], out);
	return st;
}

enum dstack_status
chain_request(struct chain *c, const uint8_t request_id[static 32],
    struct state_request *out, struct chain_head *head, struct why *why)
{
	uint8_t slot[1][32];
	uint8_t word[1][32];
	state_request_slot(request_id, slot[0]);
	enum dstack_status st =
	    chain_read(c, (const uint8_t(*)[32])slot, 1, word, head, why);
	if (st != DSTACK_OK)
		return st;
	if (state_request_decode(word[0], out) != DSTACK_OK)
		return why_set(why, DSTACK_E_MISSING,
		    "the contract's request record is unknown to this image");
	return DSTACK_OK;
}

enum dstack_status
chain_app(struct chain *c, struct state_app *out, struct chain_head *head,
    struct why *why)
{
	uint8_t slots[STATE_APP_SLOTS][32];
	uint8_t words[STATE_APP_SLOTS][32];
	struct chain_head h;
	state_app_slots(slots);
	enum dstack_status st = chain_read(
	    c, (const uint8_t(*)[32])slots, STATE_APP_SLOTS, words, &h, why);
	if (st != DSTACK_OK)
		return st;
	if (head != NULL)
		*head = h;
	st = state_app_decode(
	    (const uint8_t(*)[32])words, h.timestamp, out, why);
	if (st == DSTACK_E_MISSING)
		st = DSTACK_E_BUSY; /* decided: nothing to run now */
	return st;
}

enum dstack_status
chain_volume(struct chain *c, const uint8_t volume_id[static 32],
    struct state_volume *out, struct chain_head *head, struct why *why)
{
	uint8_t slots[2][32];
	uint8_t words[2][32];
	state_volume_slots(volume_id, slots);
	enum dstack_status st =
	    chain_read(c, (const uint8_t(*)[32])slots, 2, words, head, why);
	if (st == DSTACK_OK)
		state_volume_decode((const uint8_t(*)[32])words, out);
	return st;
}
