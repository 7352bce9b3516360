/* SPDX-License-Identifier: Apache-2.0 */
/* The verbs of dstack contract. */
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

static const char *const epoch_states[] = { "none", "open", "active",
	"closed" };

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

/* For people: one "key: value" a line; nested objects indented. */
static void
print_plain(const json_t *o, int indent)
{
	const char *key;
	json_t *v;
	json_object_foreach((json_t *)(uintptr_t)o, key, v) {
		printf("%*s%s:", indent, "", key);
		if (json_is_object(v)) {
			printf("\n");
			print_plain(v, indent + 2);
		} else if (json_is_array(v)) {
			size_t i = 0;
			json_t *e = NULL;
			printf("\n");
			json_array_foreach (v, i, e)
				print_plain(e, indent + 2);
		} else if (json_is_string(v)) {
			printf(" %s\n", json_string_value(v));
		} else {
			AUTO_FREE char *text = json_dumps(v, JSON_ENCODE_ANY);
			printf(" %s\n", text != NULL ? text : "?");
		}
	}
}

enum dstack_status
contract_print(json_t *o, const struct contract_args *a)
{
	if (o == NULL)
		return DSTACK_E_NOMEM;
	if (a->calldata) { /* nothing has happened */
		json_decref(o);
		return DSTACK_OK;
	}
	if (a->json)
		(void)json_dumpf(o, stdout, JSON_COMPACT);
	else
		print_plain(o, 0);
	json_decref(o);
	if (a->json)
		printf("\n");
	return fflush(stdout) == 0 ? DSTACK_OK : DSTACK_E_SYS;
}

static enum dstack_status
printed_receipt(struct rpc_receipt *r, const struct contract_args *a)
{
	json_decref(r->logs);
	return contract_print(json_pack("{s:o,s:I,s:I}", "tx", word_json(r->tx_hash),
	                 "block", (json_int_t)r->block, "gas",
	                 (json_int_t)r->gas_used),
	    a);
}

enum dstack_status
contract_send(const struct gov *g, struct abi_enc *e, const struct contract_args *a,
    struct why *why)
{
	struct rpc_receipt r = { .logs = NULL };
	enum dstack_status st = gov_send(g, e, &r, why);
	return st == DSTACK_OK ? printed_receipt(&r, a) : st;
}

static enum dstack_status
verb_deploy(struct gov *g, struct contract_args *a, struct why *why)
{
	struct gov_deployed d;
	if (!a->has_ct) /* PROTOCOL section 5: the network kind's default */
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
	if (app->version == 0)
		return json_null();
	return json_pack("{s:o,s:s,s:o,s:I,s:I,s:b}", "appId",
	    word_json(app->app_id), "name", app->name, "digest",
	    word_json(app->digest), "version", (json_int_t)app->version,
	    "notBefore", (json_int_t)app->not_before, "stopped",
	    app->stopped);
}

static enum dstack_status
verb_show(struct gov *g, struct contract_args *a, struct why *why)
{
	struct gov_view v;
	json_t *tuples = NULL;
	enum dstack_status st = gov_read(g, &v, why);
	if (st == DSTACK_OK && a->tuples)
		st = contract_tuples(g, &tuples, why);
	if (st != DSTACK_OK)
		return st;
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
	if (o != NULL && tuples != NULL)
		(void)json_object_set_new(o, "tuples", tuples);
	return contract_print(o, a);
}

/* --epoch, or else the last one that was opened. */
enum dstack_status
contract_last_epoch(const struct gov *g, struct contract_args *a, bool next,
    struct why *why)
{
	uint8_t slot[32];
	uint8_t word[32];
	struct state_head head;

	if (a->has_epoch)
		return DSTACK_OK;
	state_head_slot(slot);
	enum dstack_status st =
	    rpc_storage(g->rpc, g->contract, slot, word, why);
	if (st != DSTACK_OK)
		return st;
	state_head_decode(word, &head);
	if (!next && head.epoch_count == 0)
		return why_set(why, DSTACK_E_REJECTED,
		    "no epoch is open yet: dstack contract open-epoch");
	a->epoch = head.epoch_count - (next ? 0 : 1);
	return DSTACK_OK;
}

/* One that has no key yet would be given up by the next. */
static enum dstack_status
none_open(const struct gov *g, const struct contract_args *a, struct why *why)
{
	struct state_epoch last;

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

static enum dstack_status
verb_open_epoch(struct gov *g, struct contract_args *a, struct why *why)
{
	enum dstack_status st = contract_last_epoch(g, a, true, why);
	if (st == DSTACK_OK)
		st = none_open(g, a, why);
	if (st == DSTACK_OK && !a->has_bootstrapper)
		st = why_set(why, DSTACK_E_MISSING,
		    "who may bootstrap it? --bootstrapper ADDR");
	if (st == DSTACK_OK)
		st = gov_open_epoch(
		    g, a->epoch, &a->policy, a->bootstrapper, why);
	return st != DSTACK_OK
	    ? st
	    : contract_print(json_pack("{s:I}", "epoch", (json_int_t)a->epoch), a);
}

static enum dstack_status
verb_close_epoch(struct gov *g, struct contract_args *a, struct why *why)
{
	if (!a->has_epoch)
		return why_set(why, DSTACK_E_MISSING, "which one? --epoch N");
	struct abi_enc e = abi_begin(KM_FN_CLOSE_EPOCH);
	abi_u64(&e, a->epoch);
	return contract_send(g, &e, a, why);
}

static enum dstack_status
verb_propose(struct gov *g, struct contract_args *a, struct why *why)
{
	struct state_app previous;
	struct state_app latest;
	if (a->name == NULL || !a->has_digest)
		return why_set(why, DSTACK_E_MISSING,
		    "what? --name NAME --digest HASH");
	enum dstack_status st = gov_read_apps(g, &previous, &latest, why);
	if (st != DSTACK_OK)
		return st;
	if (!a->has_app && latest.version == 0)
		keccak256(a->name, strlen(a->name), a->app_id);
	else if (!a->has_app)
		memcpy(a->app_id, latest.app_id, 32);
	uint64_t version = a->version != 0 ? a->version : latest.version + 1;
	st = gov_propose_app(g, a->app_id, a->digest, a->name, version,
	    a->not_before, why);
	if (st == DSTACK_OK)
		st = gov_read_apps(g, &previous, &latest, why);
	return st != DSTACK_OK ? st : contract_print(app_json(&latest), a);
}

static enum dstack_status
verb_stop_app(struct gov *g, struct contract_args *a, struct why *why)
{
	char *end = NULL;
	unsigned long long v = strtoull(a->word[0], &end, 10);
	if (a->word[0][0] < '0' || a->word[0][0] > '9' || *end != '\0')
		return why_set(why, DSTACK_E_FORMAT, "'%s' is no version",
		    a->word[0]);
	struct abi_enc e = abi_begin(KM_FN_STOP_APP);
	abi_u64(&e, v);
	return contract_send(g, &e, a, why);
}

static enum dstack_status
verb_pause(struct gov *g, struct contract_args *a, struct why *why)
{
	struct abi_enc e = abi_begin(KM_FN_PAUSE);
	return contract_send(g, &e, a, why);
}

static enum dstack_status
verb_unpause(struct gov *g, struct contract_args *a, struct why *why)
{
	struct abi_enc e = abi_begin(KM_FN_UNPAUSE);
	return contract_send(g, &e, a, why);
}

static enum dstack_status
word_argument(const char *text, uint8_t out[static 32], struct why *why)
{
	if (hex_decode(text, strlen(text), out, 32) == DSTACK_OK)
		return DSTACK_OK;
	return why_set(why, DSTACK_E_FORMAT, "'%s' is not 64 hex digits", text);
}

static enum dstack_status
verb_verify(struct gov *g, struct contract_args *a, struct why *why)
{
	AUTO_WR struct wr call = wr_new(0);
	AUTO_WR struct wr out = wr_new(0);
	uint8_t data[32];
	uint8_t sig[SECP_SIG_LEN];
	bool yes = false;

	enum dstack_status st = word_argument(a->word[0], data, why);
	if (st != DSTACK_OK)
		return st;
	if (hex_decode(a->word[1], strlen(a->word[1]), sig, sizeof(sig)) !=
	    DSTACK_OK)
		return why_set(why, DSTACK_E_FORMAT,
		    "the signature is not 65 bytes of hex");
	struct abi_enc e = abi_begin(KM_FN_VERIFY);
	abi_word(&e, data);
	abi_bytes(&e, sig, sizeof(sig));
	st = abi_end(&e, &call);
	if (st == DSTACK_OK)
		st = rpc_eth_call(
		    g->rpc, g->contract, call.buf, call.len, &out, why);
	struct rd r = rd_over(out.buf, out.len);
	if (st == DSTACK_OK)
		st = abi_rd_bool(&r, &yes);
	if (st == DSTACK_OK && !yes)
		st = why_set(why, DSTACK_E_REJECTED,
		    "the network's key did not sign that");
	return st != DSTACK_OK ? st : contract_print(json_pack("{s:b}", "ok", 1), a);
}

const struct contract_verb *
contract_verb(const char *name)
{
	static const struct contract_verb verbs[] = {
		{ "show", verb_show, 0, false, false },
		{ "deploy", verb_deploy, 0, true, true },
		{ "open-epoch", verb_open_epoch, 0, true, false },
		{ "allow-tuple", verb_allow_tuple, 1, true, false },
		{ "deny-tuple", verb_deny_tuple, 1, true, false },
		{ "accept-advisory", verb_accept_advisory, 1, true, false },
		{ "deny-advisory", verb_deny_advisory, 1, true, false },
		{ "allow-platform", verb_allow_platform, 1, true, false },
		{ "deny-platform", verb_deny_platform, 1, true, false },
		{ "allow-tuple-again", verb_allow_tuple_again, 1, true,
		    false },
		{ "allow-advisory-again", verb_allow_advisory_again, 1, true,
		    false },
		{ "allow-platform-again", verb_allow_platform_again, 1, true,
		    false },
		{ "close-epoch", verb_close_epoch, 0, true, false },
		{ "propose", verb_propose, 0, true, false },
		{ "stop-app", verb_stop_app, 1, true, false },
		{ "raise-floors", verb_raise_floors, 0, true, false },
		{ "set-pauser", verb_set_pauser, 1, true, false },
		{ "transfer-ownership", verb_transfer_ownership, 1, true,
		    false },
		{ "accept-ownership", verb_accept_ownership, 0, true, false },
		{ "purge", verb_purge, 1, true, false },
		{ "pause", verb_pause, 0, true, false },
		{ "unpause", verb_unpause, 0, true, false },
		{ "verify", verb_verify, 2, false, false },
		{ "netcfg", verb_netcfg, 0, false, false },
	};
	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
		if (strcmp(verbs[i].name, name) == 0)
			return &verbs[i];
	return NULL;
}
