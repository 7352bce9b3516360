/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The view of the chain. A header comes in by the host, its hash is computed
 * anew and it may not go back behind one that was believed; the contract's
 * account and slots are proven under its state root, the account's code hash
 * is netcfg's. Only then is the header believed and remembered.
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

#include <stdio.h>
#include <string.h>

#include <jansson.h>

#include "base/own.h"
#include "eth/rpc.h"
#include "guest/base/link.h"

#define SLOTS_PER_PROOF 16 /* keeps an answer under the link's bound */

static void
own_json(json_t **v)
{
	json_decref(*v);
}
#define AUTO_JSON OWN_CLEANUP(own_json)

void
chain_open(struct chain *c, int hostlink_edge, const struct netcfg *cfg)
{
	memset(c, 0, sizeof(*c));
	c->edge = hostlink_edge;
	c->cfg = *cfg;
}

/* Ask the host's RPC; params is taken over. An error is the host's affair. */
static enum dstack_status
ask(const struct chain *c, const char *method, json_t *params, json_t **result,
    struct why *why)
{
	/*
	 * bounds on both ways: the host is the enemy, and memory is all there
	 * is
	 */
	AUTO_WR struct wr q = wr_new(LINK_MAX_BODY);
	AUTO_WR struct wr a = wr_new(LINK_MAX_BODY);
	enum dstack_status st = eth_rpc_request(&q, method, params);
	if (st != DSTACK_OK)
		return why_set(why, st, "%s: request not built", method);
	st = link_fetch(c->edge, "/rpc", q.buf, q.len, &a, why);
	if (st == DSTACK_OK) {
		st = eth_rpc_result(a.buf, a.len, result, why);
		if (st != DSTACK_OK)
			(void)why_wrap(why, st, "%s", method);
	}
	/* too much, too little, an error: none of it is an answer */
	if (st == DSTACK_E_REJECTED)
		return DSTACK_E_MISSING;
	if (st == DSTACK_E_LIMIT || st == DSTACK_E_TRUNCATED)
		return DSTACK_E_FORMAT;
	return st;
}

enum dstack_status
chain_ask(const struct chain *c, const char *method, json_t *params,
    json_t **result, struct why *why)
{
	return ask(c, method, params, result, why);
}

static enum dstack_status
check_chain_id(struct chain *c, struct why *why)
{
	AUTO_JSON json_t *v = NULL;
	uint64_t id;
	/*
	 * once: a header's place in the chain is what is held against it later
	 */
	if (c->chain_id_checked)
		return DSTACK_OK;
	enum dstack_status st = ask(c, "eth_chainId", NULL, &v, why);
	if (st != DSTACK_OK)
		return st;
	st = eth_json_u64(v, &id);
	if (st != DSTACK_OK)
		return why_set(why, DSTACK_E_FORMAT,
		    "eth_chainId: the RPC's answer is no number");
	if (id != c->cfg.chain_id)
		return why_set(why, DSTACK_E_MISSING,
		    "the RPC serves chain %llu, netcfg says %llu: "
		    "point host.env at the right RPC",
		    (unsigned long long)id,
		    (unsigned long long)c->cfg.chain_id);
	c->chain_id_checked = true;
	return DSTACK_OK;
}

static enum dstack_status
header_at(const struct chain *c, const char *tag, struct eth_header *h,
    struct why *why)
{
	AUTO_JSON json_t *v = NULL;
	enum dstack_status st =
	    ask(c, "eth_getBlockByNumber", json_pack("[s,b]", tag, 0), &v, why);
	if (st != DSTACK_OK)
		return st;
	/*
	 * a block that the endpoint does not have yet, as one behind a balancer
	 * may not
	 */
	if (json_is_null(v))
		return why_set(
		    why, DSTACK_E_MISSING, "the RPC has no block %s", tag);
	st = eth_header_from_json(v, h, why);
	if (st != DSTACK_OK)
		return why_wrap(why, DSTACK_E_FORMAT, "block %s", tag);
	return DSTACK_OK;
}

static enum dstack_status
final_header(struct chain *c, struct eth_header *h, struct why *why)
{
	if (c->cfg.view != NETCFG_VIEW_RPC)
		return why_set(why, DSTACK_E_REJECTED,
		    "netcfg asks for view=beacon, which this image lacks");
	enum dstack_status st = check_chain_id(c, why);
	if (st != DSTACK_OK)
		return st;
	/* a chain of one miner, where nothing is ever taken back */
	if (c->cfg.confirmations == 0) {
		st = header_at(c, "latest", h, why);
	} else {
		AUTO_JSON json_t *v = NULL;
		uint64_t n;
		st = ask(c, "eth_blockNumber", NULL, &v, why);
		if (st != DSTACK_OK)
			return st;
		if (eth_json_u64(v, &n) != DSTACK_OK)
			return why_set(why, DSTACK_E_FORMAT,
			    "eth_blockNumber: the answer is no number");
		/* a chain younger than that: its first block */
		n = n > c->cfg.confirmations ? n - c->cfg.confirmations : 0;
		char tag[2 + 16 + 1];
		(void)snprintf(
		    tag, sizeof(tag), "0x%llx", (unsigned long long)n);
		st = header_at(c, tag, h, why);
		/*
		 * by its own header, whose hash was computed: it is another
		 * block
		 */
		if (st == DSTACK_OK && h->number != n)
			return why_set(why, DSTACK_E_FORMAT,
			    "asked for block %s, got %llu", tag,
			    (unsigned long long)h->number);
	}
	if (st != DSTACK_OK)
		return st;
	/*
	 * Never back: an old state could bring back an app that was stopped, or
	 * a tuple that was denied.
	 */
	if (h->number < c->head.number)
		return why_set(why, DSTACK_E_MISSING,
		    "the RPC goes back to block %llu after %llu",
		    (unsigned long long)h->number,
		    (unsigned long long)c->head.number);
	if (h->timestamp < c->head.timestamp)
		return why_set(why, DSTACK_E_MISSING,
		    "the RPC's block %llu is %llu s older than one seen "
		    "before it: another chain",
		    (unsigned long long)h->number,
		    (unsigned long long)(c->head.timestamp - h->timestamp));
	/* of two blocks with one number, one is a lie or was given up */
	if (h->number == c->head.number && c->head.timestamp != 0 &&
	    memcmp(h->hash, c->head.hash, 32) != 0)
		return why_set(why, DSTACK_E_MISSING,
		    "the RPC names two blocks %llu",
		    (unsigned long long)h->number);
	return DSTACK_OK;
}

/* Only after the contract was proven in it. */
static void
seen(struct chain *c, const struct eth_header *h)
{
	c->head.number = h->number;
	c->head.timestamp = h->timestamp;
	memcpy(c->head.hash, h->hash, 32);
}

/*
 * With the contract proven in it: a header of another chain that was believed
 * would leave ours behind it for ever.
 */
enum dstack_status
chain_final(struct chain *c, struct chain_head *out, struct why *why)
{
	struct state_head ignored;
	return chain_state(c, &ignored, out, why);
}

static enum dstack_status
prove(const struct chain *c, const struct eth_header *h,
    const uint8_t (*slots)[32], size_t n, uint8_t (*values)[32],
    struct why *why)
{
	AUTO_JSON json_t *proof = NULL;
	json_t *list = json_array();
	for (size_t i = 0; i < n; i++) {
		if (json_array_append_new(list, eth_json_hex(slots[i], 32)) !=
		    0) {
			json_decref(list);
			return why_set(why, DSTACK_E_NOMEM, "out of memory");
		}
	}
	enum dstack_status st = ask(c, "eth_getProof",
	    json_pack("[o,o,o]", eth_json_hex(c->cfg.contract, 20), list,
		eth_json_quantity(h->number)),
	    &proof, why);
	if (st != DSTACK_OK)
		return st;
	struct eth_account account;
	memset(&account, 0, sizeof(account));
	st = eth_check_proof(proof, h->state_root, c->cfg.contract, slots, n,
	    &account, values, why);
	if (st != DSTACK_OK)
		return why_wrap(why,
		    st == DSTACK_E_NOMEM ? st : DSTACK_E_FORMAT,
		    "proof at block %llu", (unsigned long long)h->number);
	if (!account.exists)
		return why_set(why, DSTACK_E_MISSING,
		    "the RPC's chain has no contract at netcfg's address: "
		    "point host.env at the right RPC, or deploy it");
	/*
	 * another contract there: on another chain, since code does not change
	 */
	if (memcmp(account.code_hash, c->cfg.code_hash, 32) != 0)
		return why_set(why, DSTACK_E_MISSING,
		    "the contract's code is not the one netcfg names");
	return DSTACK_OK;
}

enum dstack_status
chain_read(struct chain *c, const uint8_t (*slots)[32], size_t n,
    uint8_t (*values)[32], struct chain_head *head, struct why *why)
{
	if (n == 0 || n > CHAIN_MAX_SLOTS)
		return why_set(why, DSTACK_E_LIMIT, "%zu slots in a read", n);
	struct eth_header h;
	enum dstack_status st = final_header(c, &h, why);
	if (st != DSTACK_OK)
		return st;
	uint8_t got[CHAIN_MAX_SLOTS][32];
	/*
	 * all under one header: words of two blocks would be a state that never
	 * was
	 */
	for (size_t i = 0; i < n; i += SLOTS_PER_PROOF) {
		size_t k = n - i < SLOTS_PER_PROOF ? n - i : SLOTS_PER_PROOF;
		st = prove(c, &h, slots + i, k, got + i, why);
		if (st != DSTACK_OK)
			return st;
	}
	seen(c, &h);
	/* the caller's words change only when all are proven */
	memcpy(values, got, n * 32);
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
