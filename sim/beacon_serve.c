/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Paths of the Beacon API that light clients use, over a chain in memory. An
 * answer is made when it is asked for, as struct mk; a lie changes one thing
 * in it before or after it is signed, so that all else holds.
 */
#include "sim/beacon_serve.h"

#include "eth/rpc.h"
#include "sim/lcjson.h"

const char *const sim_beacon_lies[LIES + 1] = { "old-committee",
	"other-network", "mixed-forks", "few-signers", "bad-signature",
	"freeze", "garbage", "future", "back", "wrong-branch",
	"wrong-execution", "slow", "404", NULL };

#define PREFIX "/eth/v1/beacon/"
#define UPDATES_MOST 128u /* the Beacon API's */

static bool
lies(const struct beacon_node *n, enum beacon_lie l)
{
	return (n->lies >> l & 1u) != 0;
}

/* The chain that is shown. */
static const struct chain *
shown(const struct beacon_node *n)
{
	return lies(n, LIE_OLD_COMMITTEE) ? n->forged : n->chain;
}

/*
 * Two lies have a state of their own: a frozen head is the one that was the
 * newest when it began, and the forged chain, once there is one, lives on, so
 * that a client that believed it sees it grow.
 */
enum dstack_status
node_lie(struct beacon_node *n, const char *name, bool on)
{
	unsigned l = 0;
	while (l < LIES && strcmp(sim_beacon_lies[l], name) != 0)
		l++;
	if (l == LIES)
		return DSTACK_E_FORMAT;
	const struct chain_block *b = chain_newest(n->chain);
	if (on && l == LIE_FREEZE && !lies(n, LIE_FREEZE) && b != NULL)
		n->frozen = b->h.slot;
	if (l == LIE_OLD_COMMITTEE && on && n->forged == NULL && b != NULL) {
		n->forged = chain_forge(n->chain, b->h.slot);
		if (n->forged == NULL)
			return DSTACK_E_NOMEM;
	}
	n->lies = on ? n->lies | 1u << l : n->lies & ~(1u << l);
	return DSTACK_OK;
}

/* What is wrong beneath a signature that holds, and then around it. */
static void
sign(const struct beacon_node *n, struct mk *m)
{
	if (lies(n, LIE_FEW_SIGNERS)) /* 3 * 21 < 2 * 32 */
		m->signers = (2 * m->n.committee + 2) / 3 - 1;
	/* half a period on: no clock is wrong by so much */
	if (lies(n, LIE_FUTURE))
		m->signature_slot += MK_PERIOD / 2;
	/* a good signature, by keys of a period that never comes */
	if (lies(n, LIE_BAD_SIGNATURE))
		m->signers_period += (uint64_t)1 << 40;
	if (lies(n, LIE_OTHER_NETWORK))
		m->n.genesis_root[0] ^= 0xff;
	mk_sign(m);
	/* what follows is not under the signature */
	if (lies(n, LIE_WRONG_BRANCH)) {
		m->finality_branch[0] ^= 1;
		m->committee_branch[0] ^= 1;
	}
	if (lies(n, LIE_WRONG_EXECUTION)) {
		struct mk_header *h[] = { &m->attested, &m->finalized };
		for (size_t i = 0; i < 2; i++) {
			h[i]->hash[0] ^= 1;
			h[i]->exec[MK_HASH_AT] ^= 1;
		}
	}
	/* last, since it is only how the container is written */
	if (lies(n, LIE_MIXED_FORKS))
		m->fork = m->fork == BEACON_GLOAS ? BEACON_ELECTRA
						   : BEACON_GLOAS;
}

/* The block whose signatures are the newest that are shown. */
static const struct chain_block *
head(const struct beacon_node *n)
{
	const struct chain *c = shown(n);
	const struct chain_block *b = chain_newest(c), *old = NULL;
	if (b != NULL && lies(n, LIE_FREEZE))
		old = chain_at(c, n->frozen);
	else if (b != NULL && lies(n, LIE_BACK) && b->h.slot > 8)
		old = chain_at(c, b->h.slot - 8);
	return old != NULL ? old : b;
}

/* type NULL: SSZ. */
static void
answer(struct beacon_answer *a, int code, const char *type)
{
	a->code = code;
	a->ssz = type == NULL;
}

/* The caller's o, which goes. */
static void
answer_json(struct beacon_answer *a, json_t *o)
{
	char *text = o != NULL ? json_dumps(o, JSON_COMPACT) : NULL;
	json_decref(o);
	if (text != NULL)
		wr_str(&a->body, text);
	answer(a, text != NULL ? 200 : 500, "json");
	free(text);
}

/* As beacon nodes say it, with a status of the same number. */
static void
missing(struct beacon_answer *a, const char *what)
{
	answer_json(a,
	    json_pack("{s:i,s:s}", "code", 404, "message", what));
	a->code = 404;
}

/* LightClientOptimisticUpdate: lib/beacon has no use for it. */
static size_t
optimistic_ssz(const struct mk *m, uint8_t *out)
{
	struct mk_out o = { .p = out };
	enum exec_form form = fork_shape(m->fork)->exec;
	size_t n = m->n.committee / 8;
	if (form != EXEC_HASH)
		mk_put_u(&o, 4 + n + 96 + 8, 4);
	else
		mk_put_header(&o, &m->attested, form);
	mk_put(&o, m->bits, n);
	mk_put(&o, m->sig, 96);
	mk_put_u(&o, m->signature_slot, 8);
	if (form != EXEC_HASH)
		mk_put_header(&o, &m->attested, form);
	return o.n;
}

/* One container in either form; the optimistic update is a finality update
 * without its finality. */
static void
one(const struct mk *m, enum beacon_kind kind, bool optimistic, bool ssz,
    struct beacon_answer *a)
{
	static uint8_t p[MK_LEN];
	a->version = fork_name(m->fork);
	if (ssz) {
		wr_put(&a->body, p,
		    optimistic ? optimistic_ssz(m, p) : mk_ssz(m, kind, p));
		answer(a, 200, NULL);
		return;
	}
	json_t *o = mk_json(m, kind), *d = json_object_get(o, "data");
	if (optimistic) {
		(void)json_object_del(d, "finalized_header");
		(void)json_object_del(d, "finality_branch");
	}
	answer_json(a, o);
}

/* "start_period=5&count=3": the value of name. */
static bool
number_of(const char *query, const char *name, uint64_t *out)
{
	size_t n = strlen(name);
	for (const char *s = query; s != NULL && *s != '\0';
	     s = strchr(s, '&') != NULL ? strchr(s, '&') + 1 : NULL)
		if (strncmp(s, name, n) == 0 && s[n] == '=' &&
		    s[n + 1] >= '0' && s[n + 1] <= '9') {
			*out = strtoull(s + n + 1, NULL, 10);
			return true;
		}
	return false;
}

/* A list; what it has not got it leaves out, and ends at the first gap. */
static void
updates(struct beacon_node *n, const char *query, bool ssz,
    struct beacon_answer *a)
{
	static struct mk m;
	static uint8_t p[MK_LEN];
	uint64_t at = 0, count = 0;
	if (!number_of(query, "start_period", &at) ||
	    !number_of(query, "count", &count)) {
		missing(a, "start_period and count are needed");
		a->code = 400;
		return;
	}
	json_t *list = json_array();
	count = count < UPDATES_MOST ? count : UPDATES_MOST;
	for (; count > 0 && chain_period(shown(n), at, &m); at++, count--) {
		uint8_t digest[32];
		/* or a client that begins anew would see past the freeze */
		if (lies(n, LIE_FREEZE) && m.signature_slot > n->frozen)
			break;
		sign(n, &m);
		a->version = fork_name(m.fork);
		if (!ssz) {
			(void)json_array_append_new(
			    list, mk_json(&m, BEACON_KIND_UPDATE));
			continue;
		}
		size_t len = mk_ssz(&m, BEACON_KIND_UPDATE, p);
		/* length and digest before each, digest included */
		uint8_t le[8];
		mk_le(le, len + 4, 8);
		fork_data_root(&m.n, m.fork, digest);
		wr_put(&a->body, le, 8);
		wr_put(&a->body, digest, 4);
		wr_put(&a->body, p, len);
	}
	if (!ssz) {
		answer_json(a, list);
		return;
	}
	json_decref(list);
	answer(a, 200, NULL);
}

/* Of any block that is remembered, as nodes that keep states give it. */
static void
bootstrap(struct beacon_node *n, const char *hex, bool ssz,
    struct beacon_answer *a)
{
	static struct mk m;
	uint8_t root[32];
	const struct chain_block *b = NULL;
	if (strncmp(hex, "0x", 2) == 0 &&
	    hex_decode(hex + 2, strlen(hex + 2), root, 32) == DSTACK_OK)
		b = chain_by_root(n->chain, root);
	/* what a forged chain begins with is a true block */
	const struct chain *c = n->chain;
	if (b == NULL && lies(n, LIE_OLD_COMMITTEE)) {
		c = n->forged;
		b = chain_by_root(c, root);
	}
	if (b == NULL || !chain_bootstrap(c, b, &m)) {
		missing(a, "no such block");
		return;
	}
	sign(n, &m);
	one(&m, BEACON_KIND_BOOTSTRAP, false, ssz, a);
}

/* Finality update and optimistic update are of the same head here. */
static void
newest(struct beacon_node *n, bool optimistic, bool ssz,
    struct beacon_answer *a)
{
	static struct mk m;
	const struct chain_block *b = head(n);
	if (b == NULL || !chain_head(shown(n), b, &m)) {
		missing(a, "no head yet");
		return;
	}
	sign(n, &m);
	one(&m, BEACON_KIND_FINALITY, optimistic, ssz, a);
}

/* head, finalized, genesis' nothing, a slot, or a root. */
static const struct chain_block *
block_named(const struct beacon_node *n, const char *id)
{
	const struct chain *c = shown(n);
	const struct chain_block *b = head(n);
	uint8_t root[32];
	if (strcmp(id, "head") == 0)
		return b;
	if (strcmp(id, "finalized") == 0)
		return b != NULL ? chain_at(c, b->final_slot) : NULL;
	if (strncmp(id, "0x", 2) == 0)
		return hex_decode(id + 2, strlen(id + 2), root, 32) ==
			DSTACK_OK
		    ? chain_by_root(c, root)
		    : NULL;
	return id[0] >= '0' && id[0] <= '9'
	    ? chain_at(c, strtoull(id, NULL, 10))
	    : NULL;
}

/* The proposer's signature is nobody's: light clients do not ask for it. */
static void
header(struct beacon_node *n, const char *id, struct beacon_answer *a)
{
	static const uint8_t nothing[96] = { 0xc0 };
	const struct chain_block *b = block_named(n, id), *h = head(n);
	if (b == NULL) {
		missing(a, "no such block");
		return;
	}
	json_t *shape = mj_header(&b->h, EXEC_NONE);
	json_t *message = json_incref(json_object_get(shape, "beacon"));
	json_decref(shape);
	answer_json(a,
	    json_pack("{s:b,s:b,s:{s:o,s:b,s:{s:o,s:o}}}",
		"execution_optimistic", 0, "finalized",
		b->h.slot <= h->final_slot, "data", "root",
		mj_hex(b->root, 32), "canonical", 1, "header", "message",
		message, "signature", mj_hex(nothing, 96)));
}

/* For clients that trust the node with their beginning. */
static void
checkpoints(struct beacon_node *n, struct beacon_answer *a)
{
	const struct chain_block *b = head(n);
	if (b == NULL || b->final_slot == 0) {
		missing(a, "nothing is final yet");
		return;
	}
	json_t *c = json_pack("{s:o,s:o}", "epoch",
	    mj_number(b->final_slot / 8), "root", mj_hex(b->final_root, 32));
	answer_json(a,
	    json_pack("{s:{s:O,s:O,s:o}}", "data", "previous_justified", c,
		"current_justified", c, "finalized", c));
}

/* What tells networks apart. */
static void
genesis(struct beacon_node *n, struct beacon_answer *a)
{
	const struct beacon_network *net = chain_network(n->chain);
	uint8_t root[32];
	memcpy(root, net->genesis_root, 32);
	if (lies(n, LIE_OTHER_NETWORK))
		root[0] ^= 0xff;
	answer_json(a,
	    json_pack("{s:{s:o,s:o,s:o}}", "data", "genesis_time",
		mj_number(net->genesis_time), "genesis_validators_root",
		mj_hex(root, 32), "genesis_fork_version",
		mj_hex(net->fork[0].version, 4)));
}

static const char *
after(const char *path, const char *prefix)
{
	size_t n = strlen(prefix);
	return strncmp(path, prefix, n) == 0 ? path + n : NULL;
}

static void
get(struct beacon_node *n, const char *path, const char *query, bool ssz,
    struct beacon_answer *out)
{
	const char *p = after(path, PREFIX), *rest;
	/* lies about everything first, then one path after the other */
	if (lies(n, LIE_GARBAGE)) {
		wr_put(&out->body, "<html>\0no", 9);
		answer(out, 200, NULL);
	} else if (p == NULL || lies(n, LIE_404)) {
		missing(out, "no such path");
	} else if (strcmp(p, "genesis") == 0) {
		genesis(n, out);
	} else if (strcmp(p, "states/head/finality_checkpoints") == 0) {
		checkpoints(n, out);
	} else if ((rest = after(p, "headers/")) != NULL) {
		header(n, rest, out);
	} else if ((rest = after(p, "light_client/bootstrap/")) != NULL) {
		bootstrap(n, rest, ssz, out);
	} else if (strcmp(p, "light_client/updates") == 0) {
		updates(n, query, ssz, out);
	} else if (strcmp(p, "light_client/finality_update") == 0) {
		newest(n, false, ssz, out);
	} else if (strcmp(p, "light_client/optimistic_update") == 0) {
		newest(n, true, ssz, out);
	} else {
		missing(out, "no such path");
	}
}

/* The lie that path begins with, which is cut off; LIES: none. */
static unsigned
lie_before(const char **path)
{
	for (unsigned l = 0; l < LIES; l++) {
		const char *p = after(*path, "/");
		p = p != NULL ? after(p, sim_beacon_lies[l]) : NULL;
		if (p != NULL && *p == '/') {
			*path = p;
			return l;
		}
	}
	return LIES;
}

void
node_get(struct beacon_node *n, const char *path, const char *query, bool ssz,
    struct beacon_answer *out)
{
	*out = (struct beacon_answer){ .body = wr_new(BEACON_MAX_DOC) };
	const uint32_t all = n->lies;
	const unsigned own = lie_before(&path);
	/* frozen since the first of them asked */
	if (own == LIE_FREEZE && n->frozen != 0)
		n->lies |= 1u << LIE_FREEZE;
	else if (own != LIES &&
	    node_lie(n, sim_beacon_lies[own], true) != DSTACK_OK)
		n->lies |= 1u << LIE_404; /* no memory for it */
	get(n, path, query, ssz, out);
	out->slow = lies(n, LIE_SLOW);
	n->lies = all;
}
/* Into the payload header's place: big-endian quantities turn around. */
static bool
put_u64(const json_t *block, const char *name, bool may_miss, uint8_t *at)
{
	uint64_t v = 0;
	const json_t *j = json_object_get(block, name);
	if (eth_json_u64(j, &v) != DSTACK_OK && !(may_miss && j == NULL))
		return false;
	mk_le(at, v, 8);
	return true;
}

/*
 * The roots of transactions and withdrawals are those of the block's tries,
 * where the beacon chain has SSZ's: light clients do not look into them.
 */
enum dstack_status
exec_from_json(
    const json_t *block, struct chain_exec *out, struct why *why)
{
	static const struct {
		const char *name;
		uint16_t at, n;
	} fixed[] = { { "parentHash", 0, 32 }, { "miner", 32, 20 },
		{ "stateRoot", 52, 32 }, { "receiptsRoot", 84, 32 },
		{ "logsBloom", 116, 256 }, { "mixHash", 372, 32 },
		{ "transactionsRoot", 504, 32 } };
	static const struct {
		const char *name;
		uint16_t at;
	} u64s[] = { { "number", 404 }, { "gasLimit", 412 },
		{ "gasUsed", 420 }, { "timestamp", 428 },
		{ "blobGasUsed", 568 }, { "excessBlobGas", 576 } };
	struct eth_header h;
	uint8_t fee[32];
	AUTO_WR struct wr extra = wr_new(EXEC_EXTRA_MAX);
	enum dstack_status st = eth_header_from_json(block, &h, why);
	if (st != DSTACK_OK)
		return st;
	memset(out, 0, sizeof(*out));
	memcpy(out->hash, h.hash, 32);
	memcpy(out->fixed + MK_HASH_AT, h.hash, 32);
	for (size_t i = 0; i < sizeof(fixed) / sizeof(fixed[0]); i++)
		if (eth_json_fixed(json_object_get(block, fixed[i].name),
			out->fixed + fixed[i].at, fixed[i].n) != DSTACK_OK)
			return why_set(why, DSTACK_E_FORMAT,
			    "the block has no %s", fixed[i].name);
	for (size_t i = 0; i < sizeof(u64s) / sizeof(u64s[0]); i++)
		if (!put_u64(block, u64s[i].name, i >= 4,
			out->fixed + u64s[i].at))
			return why_set(why, DSTACK_E_FORMAT,
			    "the block has no %s", u64s[i].name);
	/* a block before Shanghai has none */
	const json_t *w = json_object_get(block, "withdrawalsRoot");
	if (w != NULL &&
	    eth_json_fixed(w, out->fixed + 536, 32) != DSTACK_OK)
		return why_set(why, DSTACK_E_FORMAT,
		    "the block's withdrawalsRoot is no hash");
	/* 256 bits in 32 bytes of little endian, and the only list */
	if (eth_json_u256(json_object_get(block, "baseFeePerGas"), fee) !=
		DSTACK_OK ||
	    eth_json_data(json_object_get(block, "extraData"),
		EXEC_EXTRA_MAX, &extra) != DSTACK_OK)
		return why_set(why, DSTACK_E_FORMAT,
		    "the block has no fee, or over 32 bytes of extraData");
	for (size_t i = 0; i < 32; i++)
		out->fixed[440 + i] = fee[31 - i];
	out->extra_len = extra.len;
	if (extra.len != 0)
		memcpy(out->extra, extra.buf, extra.len);
	return DSTACK_OK;
}

void
network_text(const struct beacon_network *n, struct wr *out)
{
	wr_fmt(out, "name=%s\ngenesis-root=0x", n->name);
	wr_hex(out, n->genesis_root, 32);
	wr_fmt(out,
	    "\ngenesis-time=%" PRIu64 "\nseconds-per-slot=%u\n"
	    "slots-per-epoch=%u\nepochs-per-period=%u\ncommittee=%u\n",
	    n->genesis_time, n->seconds_per_slot, n->slots_per_epoch,
	    n->epochs_per_period, n->committee);
	/* a fork without a date is not named, nor any after it */
	for (unsigned f = 0; f < BEACON_FORKS; f++) {
		if (n->fork[f].epoch == BEACON_NEVER)
			break;
		wr_fmt(out, "fork=%s 0x", fork_name((enum beacon_fork)f));
		wr_hex(out, n->fork[f].version, 4);
		wr_fmt(out, " %" PRIu64 "\n", n->fork[f].epoch);
	}
}
