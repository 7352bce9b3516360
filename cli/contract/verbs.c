/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Verbs of dstack contract: show, deploy, epochs, apps, pause, verify. Each
 * reads what it must know of the contract first, so that a refusal comes as a
 * sentence and not as the contract's error after a paid transaction.
 */
#include "cli/contract/contract.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hex.h"
#include "base/own.h"
#include "base/secret.h"
#include "crypto/hash.h"
#include "crypto/secp.h"
#include "eth/rpc.h"
#include "protocol/layout.h"

/* In the order of the contract's enum EpochState. */
static const char *const epoch_states[] = { "none", "open", "active",
	"closed" };

/*
 * Hashes and slots as the chain's tools show them; addresses with EIP-55's
 * capitals, by which a typing error is seen.
 */
static json_t *
word_json(const uint8_t w[static 32])
{
	return eth_json_hex(w, 32);
}

static json_t *
addr_json(const uint8_t a[static 20])
{
	char text[43];
	eip55(a, text);
	return json_string(text);
}

enum dstack_status
verb_deploy(struct gov *g, struct contract_args *a, struct why *why)
{
	struct gov_deployed d;
	if (!GIVEN(a, O_CT)) /* PROTOCOL section 5: the network kind's default */
		a->deploy.ct_onchain = a->deploy.sim;
	enum dstack_status st = gov_deploy(g, a->code, &a->deploy, &d, why);
	if (st != DSTACK_OK)
		return st;
	return contract_print(json_pack("{s:o,s:I,s:o,s:o,s:I,s:I}", "contract",
	                 addr_json(d.contract), "chainId",
	                 (json_int_t)g->chain_id, "codeHash",
	                 word_json(d.code_hash), "tx", word_json(d.tx_hash),
	                 "block", (json_int_t)d.block, "gas",
	                 (json_int_t)d.gas_used),
	    a);
}

static json_t *
epoch_json(const struct state_epoch *e, uint64_t number)
{
	const struct state_policy *p = &e->policy;
	return json_pack("{s:I,s:s,s:o,s:o,s:o,s:o,s:o,s:I,"
	                 "s:{s:I,s:I,s:I,s:I,s:I,s:I,s:I}}",
	    "epoch", (json_int_t)number, "state", epoch_states[e->state],
	    "xPub", addr_json(e->xpub), "seedCommit",
	    word_json(e->seed_commit), "bootstrapQuoteHash",
	    word_json(e->quote_hash), "policyHash", word_json(e->policy_hash),
	    "bootstrapper", addr_json(e->bootstrapper), "openedAt",
	    (json_int_t)e->opened_at, "policy", "tcbStatusMask",
	    (json_int_t)p->tcb_mask, "minTcbEvalNum",
	    (json_int_t)p->min_tcb_eval, "minRootCrl",
	    (json_int_t)p->min_root_crl, "minPckCrl",
	    (json_int_t)p->min_pck_crl, "requestExpiryBlocks",
	    (json_int_t)p->request_expiry, "requestsPerBlock",
	    (json_int_t)p->requests_per_block, "platformMode",
	    (json_int_t)p->platform_mode);
}

static json_t *
app_json(const struct state_app *app)
{
	/* no app was ever proposed */
	if (app->version == 0)
		return json_null();
	return json_pack("{s:o,s:s,s:o,s:I,s:I,s:b}", "appId",
	    word_json(app->app_id), "name", app->name, "digest",
	    word_json(app->digest), "version", (json_int_t)app->version,
	    "notBefore", (json_int_t)app->not_before, "stopped",
	    app->stopped);
}

enum dstack_status
verb_show(struct gov *g, struct contract_args *a, struct why *why)
{
	struct gov_view v;
	json_t *tuples = NULL;
	/*
	 * The option that names netcfg's beacon chain names beacon nodes here;
	 * netcfg is the one that --netcfg says, else the host volume's.
	 */
	a->seen.beacon = a->beacon;
	if (a->seen.netcfg == NULL && a->netcfg[0] != '\0')
		a->seen.netcfg = a->netcfg;
	enum dstack_status st = cli_view_of(&a->seen, g, why);
	if (st == DSTACK_OK)
		st = gov_read(g, &v, why);
	/*
	 * its own requests: events back to the first block may take a server
	 * long
	 */
	if (st == DSTACK_OK && a->tuples)
		st = contract_tuples(g, &tuples, why);
	if (st != DSTACK_OK)
		return st;
	/* an epoch that was opened and has no key yet */
	bool next = v.head.epoch_count > v.head.current_epoch + 1;
	json_t *o =
	    json_pack("{s:o,s:I,s:o,s:o,s:o,s:o,s:b,s:s,s:I,s:b,s:I,s:o,s:o,"
	              "s:o,s:o}",
	        "contract", addr_json(g->contract), "chainId",
	        (json_int_t)g->chain_id, "codeHash", word_json(v.code_hash),
	        "owner", addr_json(v.owner), "pendingOwner",
	        ct_is_zero(v.pending_owner, 20) ? json_null()
						: addr_json(v.pending_owner),
	        "pauser", addr_json(v.pauser),
	        "simAllowed", v.sim, "ct",
	        v.ct_onchain ? "onchain" : "relay", "noticePeriod",
	        (json_int_t)v.notice_period, "paused", v.head.paused,
	        "epochCount", (json_int_t)v.head.epoch_count, "epoch",
	        epoch_json(&v.epoch, v.head.current_epoch), "nextEpoch",
	        next ? epoch_json(&v.latest, v.head.epoch_count - 1)
	             : json_null(),
	        "previousApp", app_json(&v.previous), "app",
	        app_json(&v.app));
	if (o != NULL)
		(void)json_object_set_new(o, "view", cli_view_json(&a->seen));
	if (o != NULL && tuples != NULL)
		(void)json_object_set_new(o, "tuples", tuples);
	return contract_print(o, a);
}

/* One that has no key yet would be given up by the next. */
static enum dstack_status
none_open(const struct gov *g, const struct contract_args *a, struct why *why)
{
	struct state_epoch last;

	/* the first epoch has nothing before it that would be given up */
	if (a->replace || a->epoch == 0)
		return DSTACK_OK;
	enum dstack_status st = gov_read_epoch(g, a->epoch - 1, &last, why);
	if (st == DSTACK_OK && last.state == KM_EPOCH_OPEN)
		st = why_set(why, DSTACK_E_REJECTED,
		    "epoch %" PRIu64 " is open and has no key yet: wait for "
		    "its bootstrapper, or give it up with --replace",
		    a->epoch - 1);
	return st;
}

enum dstack_status
verb_open_epoch(struct gov *g, struct contract_args *a, struct why *why)
{
	enum dstack_status st = contract_last_epoch(g, a, true, why);
	if (st == DSTACK_OK)
		st = none_open(g, a, why);
	if (st == DSTACK_OK)
		st = contract_netcfg_ok(g, a, why);
	if (st == DSTACK_OK)
		st = gov_open_epoch(
		    g, a->epoch, &a->policy, a->bootstrapper, why);
	return st != DSTACK_OK
	    ? st
	    : contract_print(json_pack("{s:I}", "epoch", (json_int_t)a->epoch), a);
}

/*
 * For good: what was signed under its key counts no more, and no epoch serves
 * until the next is bootstrapped.
 */
enum dstack_status
verb_close_epoch(struct gov *g, struct contract_args *a, struct why *why)
{
	struct abi_enc e = abi_begin(KM_FN_CLOSE_EPOCH);
	abi_u64(&e, a->epoch);
	return contract_send(g, &e, a, why);
}

enum dstack_status
verb_propose(struct gov *g, struct contract_args *a, struct why *why)
{
	struct state_app previous;
	struct state_app latest;
	enum dstack_status st = gov_read_apps(g, &previous, &latest, why);
	if (st != DSTACK_OK)
		return st;
	/*
	 * One contract, one app: its id is chosen with the first version and
	 * kept.
	 */
	if (!GIVEN(a, O_APP) && latest.version == 0)
		keccak256(a->name, strlen(a->name), a->app_id);
	else if (!GIVEN(a, O_APP))
		memcpy(a->app_id, latest.app_id, 32);
	uint64_t version = a->version != 0 ? a->version : latest.version + 1;
	st = gov_propose_app(g, a->app_id, a->digest, a->name, version,
	    a->not_before, why);
	/* read back: the contract chose the time it runs from */
	if (st == DSTACK_OK)
		st = gov_read_apps(g, &previous, &latest, why);
	return st != DSTACK_OK ? st : contract_print(app_json(&latest), a);
}

/* Owner or pauser. That the version is there is the contract's to judge. */
enum dstack_status
verb_stop_app(struct gov *g, struct contract_args *a, struct why *why)
{
	struct abi_enc e = abi_begin(KM_FN_STOP_APP);
	abi_u64(&e, a->which);
	return contract_send(g, &e, a, why);
}

enum dstack_status
verb_pause(struct gov *g, struct contract_args *a, struct why *why)
{
	struct abi_enc e = abi_begin(KM_FN_PAUSE);
	return contract_send(g, &e, a, why);
}

enum dstack_status
verb_unpause(struct gov *g, struct contract_args *a, struct why *why)
{
	struct abi_enc e = abi_begin(KM_FN_UNPAUSE);
	return contract_send(g, &e, a, why);
}

enum dstack_status
verb_verify(struct gov *g, struct contract_args *a, struct why *why)
{
	AUTO_WR struct wr call = wr_new(0);
	AUTO_WR struct wr out = wr_new(0);
	bool yes = false;
	struct abi_enc e = abi_begin(KM_FN_VERIFY);
	abi_word(&e, a->hash);
	abi_bytes(&e, a->sig, sizeof(a->sig));
	enum dstack_status st = abi_end(&e, &call);
	if (st == DSTACK_OK)
		st = rpc_eth_call(
		    g->rpc, g->contract, call.buf, call.len, &out, why);
	/*
	 * The contract answers false for all that is wrong with a signature,
	 * and for an epoch without a key: a no, not an error.
	 */
	struct rd r = rd_over(out.buf, out.len);
	if (st == DSTACK_OK)
		st = abi_rd_bool(&r, &yes);
	if (st == DSTACK_OK && !yes)
		st = why_set(why, DSTACK_E_REJECTED,
		    "the network's key did not sign that");
	return st != DSTACK_OK ? st : contract_print(json_pack("{s:b}", "ok", 1), a);
}

