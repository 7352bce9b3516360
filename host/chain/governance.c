/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The owner's side of the contract: deploy it, send what governs it, read what
 * it says. What is sent goes through gov_send, which keeps a call instead where
 * a timelock or a multisig is the owner. What is read is for people and for
 * this host's own decisions, so the endpoint is believed here: nothing proves
 * it. A guest never takes any of it; it reads the same slots with proofs
 * (guest/chain/chain.c).
 *
 * An endpoint may be seconds away, so reading takes two requests however much
 * is asked: first what tells whether there is a contract, and which epochs it
 * has; then the records of those.
 */
#include "host/chain/governance.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/hex.h"
#include "base/own.h"
#include "crypto/hash.h"
#include "crypto/secp.h"
#include "eth/rpc.h"
#include "protocol/layout.h"

#define CODE_MAX (128u * 1024) /* bytes of a .bin file; EIP-3860: 49,152 */

/* The whole file as text, without white space at its end. */
static enum dstack_status
slurp(const char *path, struct wr *out, struct why *why)
{
	AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat sb;
	if (fd < 0 || fstat(fd, &sb) != 0)
		return why_set(why, DSTACK_E_SYS,
		    "%s: %s; build it with 'make contracts'", path,
		    strerror(errno));
	/* a pipe or a device would be read for ever */
	if (!S_ISREG(sb.st_mode) || sb.st_size > (off_t)CODE_MAX)
		return why_set(why, DSTACK_E_FORMAT,
		    "%s: not a file of creation code", path);
	uint8_t buf[4096];
	for (;;) {
		ssize_t n = read(fd, buf, sizeof(buf));
		if (n == 0)
			break;
		/* so that half a file is never half a contract */
		if (n < 0)
			return why_set(why, DSTACK_E_SYS, "%s: %s", path,
			    strerror(errno));
		wr_put(out, buf, (size_t)n);
	}
	/* an editor ends the file with a line end, solc does not */
	while (out->len != 0 && (out->buf[out->len - 1] == '\n' ||
	           out->buf[out->len - 1] == '\r'))
		out->len--;
	return wr_status(out);
}

/* KeyManager.bin beside build/bin or in PREFIX/share. */
static enum dstack_status
find_code(struct wr *text, struct why *why)
{
	static const char *const places[] = { "../contracts",
		"../share/dstack" };
	char self[PATH_MAX];
	/*
	 * beside the program and not where it was called: what is deployed must
	 * not depend on a folder
	 */
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	enum dstack_status st = DSTACK_E_MISSING;

	self[n > 0 ? n : 0] = '\0';
	char *slash = strrchr(self, '/');
	if (slash == NULL)
		return why_set(why, st, "where this program lies is unknown");
	*slash = '\0';
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		char path[PATH_MAX + 64];
		(void)snprintf(path, sizeof(path), "%s/%s/KeyManager.bin",
		    self, places[i]);
		/*
		 * the first that is there is meant, also where it turns out to
		 * be wrong
		 */
		if (access(path, F_OK) == 0)
			return slurp(path, text, why);
	}
	return why_set(why, st,
	    "KeyManager.bin not found; build it with 'make contracts' or "
	    "name it by --code");
}

/* The file holds hex, as solc writes it. */
static enum dstack_status
creation_code(const char *path, struct wr *out, struct why *why)
{
	AUTO_WR struct wr text = wr_new(CODE_MAX);
	enum dstack_status st = path != NULL ? slurp(path, &text, why)
					     : find_code(&text, why);
	if (st != DSTACK_OK)
		return st;
	AUTO_FREE uint8_t *code = malloc(CODE_MAX / 2);
	size_t n = 0;
	if (code == NULL)
		return DSTACK_E_NOMEM;
	st = hex_decode_var(
	    (const char *)text.buf, text.len, code, CODE_MAX / 2, &n);
	if (st != DSTACK_OK || n == 0)
		return why_set(why, DSTACK_E_FORMAT,
		    "KeyManager.bin: not hex; build it with 'make contracts'");
	wr_put(out, code, n);
	return wr_status(out);
}

static enum dstack_status
hash_code(const struct gov *g, const struct wr *code, uint8_t out[static 32],
    struct why *why)
{
	/*
	 * Every endpoint answers for an address without a contract: with no
	 * code.
	 */
	if (code->len == 0) {
		char hex[43];
		eip55(g->contract, hex);
		return why_set(why, DSTACK_E_REJECTED,
		    "no contract at %s on chain %llu; check address and RPC",
		    hex, (unsigned long long)g->chain_id);
	}
	/* what netcfg pins, and with it the contract's immutables */
	keccak256(code->buf, code->len, out);
	return DSTACK_OK;
}

static enum dstack_status
code_hash(const struct gov *g, uint8_t out[static 32], struct why *why)
{
	AUTO_WR struct wr code = wr_new(CODE_MAX);
	enum dstack_status st = rpc_code(g->rpc, g->contract, &code, why);
	return st != DSTACK_OK ? st : hash_code(g, &code, out, why);
}

enum dstack_status
gov_deploy(struct gov *g, const char *path, const struct gov_deploy *d,
    struct gov_deployed *out, struct why *why)
{
	AUTO_WR struct wr data = wr_new(0);
	struct rpc_receipt receipt = { .logs = NULL };
	uint8_t owner[20];

	memcpy(owner, d->owner, 20);
	enum dstack_status st = creation_code(path, &data, why);
	/* nobody named: whoever pays for it owns it */
	if (st == DSTACK_OK && ct_is_zero(owner, 20))
		st = secp_address(g->key, owner);
	if (st != DSTACK_OK)
		return st;
	/* The constructor refuses it as well, after it was paid for. */
	if (d->notice_period == 0 && !d->sim)
		return why_set(why, DSTACK_E_REJECTED,
		    "a network that is not simulated needs a notice period");
	struct abi_enc e = abi_begin(NULL); /* KM_CONSTRUCTOR */
	abi_addr(&e, owner);
	abi_addr(&e, d->pauser);
	abi_u64(&e, d->notice_period);
	abi_bool(&e, d->sim);
	abi_bool(&e, d->ct_onchain);
	st = abi_end(&e, &data);
	if (st == DSTACK_OK)
		/* to nowhere: that creates */
		st = rpc_send(g->rpc, g->key, g->chain_id, NULL, data.buf,
		    data.len, 0, &receipt, why);
	if (st != DSTACK_OK)
		return st;
	json_decref(receipt.logs);
	/* from here on g is of the new contract */
	memcpy(g->contract, receipt.contract, 20);
	struct gov_deployed r = { .block = receipt.block,
		.gas_used = receipt.gas_used };
	memcpy(r.contract, receipt.contract, 20);
	memcpy(r.tx_hash, receipt.tx_hash, 32);
	/*
	 * asked for and not computed: the immutables are in the code that lies
	 * there
	 */
	st = code_hash(g, r.code_hash, why);
	if (st == DSTACK_OK)
		*out = r;
	return st;
}

enum dstack_status
gov_send(const struct gov *g, struct abi_enc *e, struct rpc_receipt *receipt,
    struct why *why)
{
	AUTO_WR struct wr data = wr_new(0);
	/* a caller that wants no receipt still waits for one */
	struct rpc_receipt mine = { .logs = NULL };
	struct rpc_receipt *r = receipt != NULL ? receipt : &mine;
	enum dstack_status st = abi_end(e, &data);
	if (st != DSTACK_OK)
		return why_set(why, st, "the call could not be encoded");
	/* the owner is a contract: somebody else will send it */
	if (g->instead != NULL) {
		memset(r, 0, sizeof(*r));
		wr_put(g->instead, data.buf, data.len);
		return wr_status(g->instead);
	}
	st = rpc_send(g->rpc, g->key, g->chain_id, g->contract, data.buf,
	    data.len, 0, r, why);
	if (receipt == NULL)
		json_decref(mine.logs);
	return st;
}

enum dstack_status
gov_open_epoch(const struct gov *g, uint64_t epoch,
    const struct state_policy *p, const uint8_t bootstrapper[static 20],
    struct why *why)
{
	struct abi_enc e = abi_begin(KM_FN_OPEN_EPOCH);
	abi_u64(&e, epoch);
	/* the members of Policy in its order: a static struct is its members */
	abi_u64(&e, p->tcb_mask);
	abi_u64(&e, p->min_tcb_eval);
	abi_u64(&e, p->min_root_crl);
	abi_u64(&e, p->min_pck_crl);
	abi_u64(&e, p->request_expiry);
	abi_u64(&e, p->requests_per_block);
	abi_u64(&e, p->platform_mode);
	abi_addr(&e, bootstrapper);
	return gov_send(g, &e, NULL, why);
}

enum dstack_status
gov_allow_tuple(const struct gov *g, uint64_t epoch,
    const uint8_t tuple_hash[static 32], struct why *why)
{
	struct abi_enc e = abi_begin(KM_FN_ALLOW_TUPLE);
	abi_u64(&e, epoch);
	abi_word(&e, tuple_hash);
	return gov_send(g, &e, NULL, why);
}

enum dstack_status
gov_propose_app(const struct gov *g, const uint8_t app_id[static 32],
    const uint8_t digest[static 32], const char *name, uint64_t version,
    uint64_t not_before, struct why *why)
{
	/* the contract takes the next number only */
	if (version == 0) {
		struct state_app previous;
		struct state_app latest;
		enum dstack_status st =
		    gov_read_apps(g, &previous, &latest, why);
		if (st != DSTACK_OK)
			return st;
		version = latest.version + 1;
	}
	struct abi_enc e = abi_begin(KM_FN_PROPOSE_APP);
	abi_word(&e, app_id);
	abi_word(&e, digest);
	abi_bytes(&e, name, strlen(name));
	abi_u64(&e, version);
	abi_u64(&e, not_before);
	return gov_send(g, &e, NULL, why);
}

#define PROOF_SLOTS 16u /* of one eth_getProof: endpoints have bounds */

static void
own_json(json_t **j)
{
	json_decref(*j);
}

/* Words of the contract at g's proven header. */
static enum dstack_status
prove(const struct gov *g, const uint8_t (*slot)[32], uint8_t (*word)[32],
    size_t n, struct why *why)
{
	for (size_t i = 0; i < n; i += PROOF_SLOTS) {
		const size_t k = n - i < PROOF_SLOTS ? n - i : PROOF_SLOTS;
		OWN_CLEANUP(own_json) json_t *proof = NULL;
		struct eth_account account;
		json_t *list = json_array();
		for (size_t j = 0; j < k; j++)
			(void)json_array_append_new(
			    list, eth_json_hex(slot[i + j], 32));
		enum dstack_status st = rpc_call(g->rpc, "eth_getProof",
		    json_pack("[o,o,o]", eth_json_hex(g->contract, 20), list,
			eth_json_quantity(g->proven->number)),
		    &proof, why);
		if (st != DSTACK_OK)
			return st;
		memset(&account, 0, sizeof(account));
		st = eth_check_proof(proof, g->proven->state_root,
		    g->contract, slot + i, k, &account, word + i, why);
		if (st != DSTACK_OK)
			return why_wrap(why, st, "proof at block %llu",
			    (unsigned long long)g->proven->number);
		if (!account.exists ||
		    memcmp(account.code_hash, g->pinned, 32) != 0)
			return why_set(why, DSTACK_E_REJECTED,
			    "block %llu has no such contract as netcfg pins",
			    (unsigned long long)g->proven->number);
	}
	return DSTACK_OK;
}

/* Words of the contract's storage, in one request. */
static enum dstack_status
slots(const struct gov *g, const uint8_t (*slot)[32], uint8_t (*word)[32],
    size_t n, struct why *why)
{
	if (g->proven != NULL)
		return prove(g, slot, word, n, why);
	/* as many as the largest caller needs */
	struct eth_rpc_ask ask[STATE_APP_SLOTS + 2 * KM_EPOCH_SLOTS];
	enum dstack_status st = DSTACK_OK;

	if (n > sizeof(ask) / sizeof(ask[0]))
		return why_set(why, DSTACK_E_LIMIT, "too many slots at once");
	for (size_t i = 0; i < n; i++)
		ask[i] = rpc_ask_storage(g->contract, slot[i]);
	st = rpc_batch(g->rpc, ask, n, why);
	for (size_t i = 0; i < n; i++) {
		if (st == DSTACK_OK)
			st = rpc_word(ask[i].result, word[i], why);
		/* also of those behind one that was wrong */
		json_decref(ask[i].result);
	}
	return st;
}

/* By the same way as the records: proven where there is a proven header. */
enum dstack_status
gov_slot(const struct gov *g, const uint8_t slot[static 32],
    uint8_t word[static 32], struct why *why)
{
	uint8_t s[1][32], w[1][32];

	memcpy(s[0], slot, 32);
	enum dstack_status st =
	    slots(g, (const uint8_t(*)[32])s, w, 1, why);
	if (st == DSTACK_OK)
		memcpy(word, w[0], 32);
	return st;
}

enum dstack_status
gov_read_apps(const struct gov *g, struct state_app *previous,
    struct state_app *latest, struct why *why)
{
	uint8_t slot[STATE_APP_SLOTS][32];
	uint8_t word[STATE_APP_SLOTS][32];

	/* the latest record first, then the one before it */
	state_app_slots(slot);
	enum dstack_status st = slots(
	    g, (const uint8_t(*)[32])slot, word, STATE_APP_SLOTS, why);
	if (st == DSTACK_OK)
		st = state_app_record((const uint8_t(*)[32])word, latest);
	if (st == DSTACK_OK)
		st = state_app_record(
		    (const uint8_t(*)[32])word + STATE_APP_SLOTS / 2,
		    previous);
	return st;
}

enum dstack_status
gov_read_epoch(const struct gov *g, uint64_t epoch, struct state_epoch *out,
    struct why *why)
{
	uint8_t slot[KM_EPOCH_SLOTS][32];
	uint8_t word[KM_EPOCH_SLOTS][32];

	state_epoch_slots(epoch, slot);
	enum dstack_status st =
	    slots(g, (const uint8_t(*)[32])slot, word, KM_EPOCH_SLOTS, why);
	return st != DSTACK_OK
	    ? st
	    : state_epoch_decode((const uint8_t(*)[32])word, out);
}

enum dstack_status
gov_read_volume(const struct gov *g, const uint8_t volume_id[static 32],
    struct state_volume *out, struct why *why)
{
	uint8_t slot[2][32];
	uint8_t word[2][32];

	state_volume_slots(volume_id, slot);
	enum dstack_status st =
	    slots(g, (const uint8_t(*)[32])slot, word, 2, why);
	if (st == DSTACK_OK)
		state_volume_decode((const uint8_t(*)[32])word, out);
	return st;
}

/* In the order in which gov_read takes the words. */
static const char *const asked[] = { KM_FN_OWNER, KM_FN_SIM_ALLOWED,
	KM_FN_CT_ON_CHAIN, KM_FN_NOTICE_PERIOD, KM_FN_PENDING_OWNER };
#define ASKED (sizeof(asked) / sizeof(asked[0]))

/* The one word that a function without arguments answered. */
static enum dstack_status
answered(const char *function, const json_t *result, uint8_t word[static 32],
    struct why *why)
{
	/* a contract without that function answers with nothing, or reverts */
	if (eth_json_fixed(result, word, 32) != DSTACK_OK)
		return why_set(why, DSTACK_E_REJECTED,
		    "%s is not answered: that is no KeyManager", function);
	return DSTACK_OK;
}

/*
 * Code, the functions' words, head and pauser: one request, as an endpoint
 * may be seconds away.
 */
static enum dstack_status
read_head(const struct gov *g, struct gov_view *v, uint8_t (*word)[32],
    struct why *why)
{
	struct eth_rpc_ask ask[ASKED + 3];
	uint8_t slot[2][32];
	uint8_t head[2][32];
	enum dstack_status st = DSTACK_OK;

	for (size_t i = 0; i < ASKED; i++) {
		uint8_t call[4];
		abi_selector(asked[i], call);
		ask[i] = rpc_ask_call(g->contract, call, sizeof(call));
	}
	state_head_slot(slot[0]);
	/*
	 * what no function of the contract answers in one word is read where it
	 * lies
	 */
	eth_slot_u64(KM_SLOT_PAUSER, slot[1]);
	ask[ASKED] = rpc_ask_storage(g->contract, slot[0]);
	ask[ASKED + 1] = rpc_ask_storage(g->contract, slot[1]);
	ask[ASKED + 2] = (struct eth_rpc_ask){ .method = "eth_getCode",
		.params = json_pack(
		    "[o,s]", eth_json_hex(g->contract, 20), "latest") };
	st = rpc_batch(g->rpc, ask, ASKED + 3, why);
	AUTO_WR struct wr code = wr_new(CODE_MAX);
	if (st == DSTACK_OK &&
	    eth_json_data(ask[ASKED + 2].result, CODE_MAX, &code) != DSTACK_OK)
		st = why_set(why, DSTACK_E_FORMAT, "eth_getCode: no hex data");
	if (st == DSTACK_OK)
		/*
		 * first of all: without a contract every other answer is noise
		 */
		st = hash_code(g, &code, v->code_hash, why);
	for (size_t i = 0; i < ASKED && st == DSTACK_OK; i++)
		st = answered(asked[i], ask[i].result, word[i], why);
	for (size_t i = 0; i < 2 && st == DSTACK_OK; i++)
		st = rpc_word(ask[ASKED + i].result, head[i], why);
	for (size_t i = 0; i < ASKED + 3; i++)
		json_decref(ask[i].result);
	if (st == DSTACK_OK && g->proven != NULL &&
	    memcmp(v->code_hash, g->pinned, 32) != 0)
		st = why_set(why, DSTACK_E_REJECTED,
		    "the contract's code is not the one netcfg names");
	if (st == DSTACK_OK && g->proven != NULL)
		st = prove(g, (const uint8_t(*)[32])slot, head, 2, why);
	if (st != DSTACK_OK)
		return st;
	state_head_decode(head[0], &v->head);
	/* an address is the right end of its slot */
	memcpy(v->pauser, head[1] + 12, 20);
	return DSTACK_OK;
}

/* The apps, the current epoch and the last one: one more request. */
static enum dstack_status
read_records(const struct gov *g, struct gov_view *v, struct why *why)
{
	uint8_t slot[STATE_APP_SLOTS + 2 * KM_EPOCH_SLOTS][32];
	uint8_t word[STATE_APP_SLOTS + 2 * KM_EPOCH_SLOTS][32];
	const uint8_t(*at)[32] = (const uint8_t(*)[32])word;
	uint64_t count = v->head.epoch_count;

	state_app_slots(slot);
	state_epoch_slots(v->head.current_epoch, slot + STATE_APP_SLOTS);
	/*
	 * With no epoch open there is none to read; slot 0's words are read and
	 * not used, so that the request has one shape.
	 */
	state_epoch_slots(count != 0 ? count - 1 : 0,
	    slot + STATE_APP_SLOTS + KM_EPOCH_SLOTS);
	enum dstack_status st = slots(g, (const uint8_t(*)[32])slot, word,
	    STATE_APP_SLOTS + 2 * KM_EPOCH_SLOTS, why);
	if (st == DSTACK_OK)
		st = state_app_record(at, &v->app);
	if (st == DSTACK_OK)
		st = state_app_record(
		    at + STATE_APP_SLOTS / 2, &v->previous);
	if (st == DSTACK_OK)
		st = state_epoch_decode(at + STATE_APP_SLOTS, &v->epoch);
	if (st == DSTACK_OK && count != 0)
		st = state_epoch_decode(
		    at + STATE_APP_SLOTS + KM_EPOCH_SLOTS, &v->latest);
	return st;
}

enum dstack_status
gov_read(const struct gov *g, struct gov_view *out, struct why *why)
{
	struct gov_view v;
	uint8_t word[ASKED][32];

	memset(&v, 0, sizeof(v));
	enum dstack_status st = read_head(g, &v, word, why);
	if (st == DSTACK_OK)
		st = read_records(g, &v, why);
	if (st != DSTACK_OK)
		return st;
	memcpy(v.owner, word[0] + 12, 20);
	memcpy(v.pending_owner, word[4] + 12, 20);
	v.sim = word[1][31] != 0;
	v.ct_onchain = word[2][31] != 0;
	/* by the reader that looks at the other 24 bytes, too */
	struct rd r = rd_over(word[3], 32);
	if (abi_rd_u64(&r, &v.notice_period) != DSTACK_OK)
		return why_set(why, DSTACK_E_FORMAT, "noticePeriod: no u64");
	/* whole or not at all */
	*out = v;
	return DSTACK_OK;
}
