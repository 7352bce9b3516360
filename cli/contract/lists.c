/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Verbs of dstack contract that put things on a policy's lists and take them
 * off: tuples (what software may join), advisories, platforms. The contract
 * has the last word; what is said here is said so that a person knows why.
 */
#include "cli/contract/contract.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/hex.h"
#include "crypto/hash.h"
#include "eth/rpc.h"
#include "protocol/layout.h"
#include "protocol/state.h"

/* A function of (uint64 epoch, bytes32): a hash, or keccak256 of an id. */
static enum dstack_status
epoch_word(struct gov *g, struct contract_args *a, const char *function,
    bool id, struct why *why)
{
	uint8_t w[32];
	enum dstack_status st = contract_last_epoch(g, a, false, why);
	if (st != DSTACK_OK)
		return st;
	/* an advisory is listed by the hash of its name */
	if (id)
		keccak256(a->id, strlen(a->id), w);
	struct abi_enc e = abi_begin(function);
	abi_u64(&e, a->epoch);
	abi_word(&e, id ? w : a->hash);
	return contract_send(g, &e, a, why);
}

/* Said here, since the contract's answer to the second is a bare BadPolicy. */
static enum dstack_status
not_listed(struct gov *g, struct contract_args *a, struct why *why)
{
	uint8_t slot[32];
	uint8_t word[32];
	enum dstack_status st = contract_last_epoch(g, a, false, why);

	if (st != DSTACK_OK)
		return st;
	/* asked before anything is paid for */
	state_tuple_slot(a->epoch, a->hash, slot);
	st = rpc_storage(g->rpc, g->contract, slot, word, why);
	if (st == DSTACK_OK && word[31] != 0)
		st = why_set(why, DSTACK_E_REJECTED,
		    word[31] == KM_LISTED_ALLOWED
		        ? "already allowed in epoch %" PRIu64
		        : "denied in epoch %" PRIu64 ": allow-tuple-again "
		          "takes back what the pauser denied",
		    a->epoch);
	return st;
}

enum dstack_status
verb_allow_tuple(struct gov *g, struct contract_args *a, struct why *why)
{
	enum dstack_status st = not_listed(g, a, why);
	return st != DSTACK_OK
	    ? st
	    : epoch_word(g, a, KM_FN_ALLOW_TUPLE, false, why);
}

enum dstack_status
verb_deny_tuple(struct gov *g, struct contract_args *a, struct why *why)
{
	return epoch_word(g, a, KM_FN_DENY_TUPLE, false, why);
}

enum dstack_status
verb_accept_advisory(struct gov *g, struct contract_args *a, struct why *why)
{
	return epoch_word(g, a, KM_FN_ACCEPT_ADVISORY, true, why);
}

enum dstack_status
verb_deny_advisory(struct gov *g, struct contract_args *a, struct why *why)
{
	return epoch_word(g, a, KM_FN_DENY_ADVISORY, true, why);
}

/*
 * Platforms are of the contract, not of an epoch: a machine does not change
 * with it.
 */
static enum dstack_status
platform(struct gov *g, struct contract_args *a, const char *function,
    struct why *why)
{
	struct abi_enc e = abi_begin(function);
	abi_word(&e, a->hash);
	return contract_send(g, &e, a, why);
}

enum dstack_status
verb_allow_platform(struct gov *g, struct contract_args *a, struct why *why)
{
	return platform(g, a, KM_FN_ALLOW_PLATFORM, why);
}

enum dstack_status
verb_deny_platform(struct gov *g, struct contract_args *a, struct why *why)
{
	return platform(g, a, KM_FN_DENY_PLATFORM, why);
}

enum dstack_status
verb_allow_tuple_again(
    struct gov *g, struct contract_args *a, struct why *why)
{
	return epoch_word(g, a, KM_FN_ALLOW_TUPLE_AGAIN, false, why);
}

enum dstack_status
verb_allow_advisory_again(
    struct gov *g, struct contract_args *a, struct why *why)
{
	return epoch_word(g, a, KM_FN_ALLOW_ADVISORY_AGAIN, true, why);
}

enum dstack_status
verb_allow_platform_again(
    struct gov *g, struct contract_args *a, struct why *why)
{
	return platform(g, a, KM_FN_ALLOW_PLATFORM_AGAIN, why);
}

/* The events say what was ever listed, the storage what it is now. */
enum dstack_status
contract_tuples(const struct gov *g, json_t **out, struct why *why)
{
	uint8_t topic[32];
	json_t *logs = NULL;
	json_t *list = json_array();
	size_t i = 0;
	json_t *log = NULL;

	keccak256(KM_EV_TUPLE_SET, strlen(KM_EV_TUPLE_SET), topic);
	enum dstack_status st = rpc_call(g->rpc, "eth_getLogs",
	    json_pack("[{s:o,s:s,s:s,s:[o]}]", "address",
	        eth_json_hex(g->contract, 20), "fromBlock", "earliest",
	        "toBlock", "latest", "topics", eth_json_hex(topic, 32)),
	    &logs, why);
	json_array_foreach (logs, i, log) {
		const json_t *t = json_object_get(log, "topics");
		uint8_t epoch[32];
		uint8_t tuple[32];
		uint8_t slot[32];
		uint8_t word[32];
		uint64_t e = 0;
		char hex[67];
		if (st != DSTACK_OK)
			break;
		/*
		 * topic 0 is the event itself; epoch and tuple are indexed, so
		 * they are topics, too
		 */
		if (eth_json_fixed(json_array_get(t, 1), epoch, 32) !=
		        DSTACK_OK ||
		    eth_json_fixed(json_array_get(t, 2), tuple, 32) !=
		        DSTACK_OK) {
			st = why_set(why, DSTACK_E_FORMAT,
			    "eth_getLogs: a TupleSet event is malformed");
			break;
		}
		/* the right end of the word: an epoch is a uint64 */
		for (size_t k = 24; k < 32; k++)
			e = e << 8 | epoch[k];
		/*
		 * an event says what was done, and only the slot what holds now
		 */
		state_tuple_slot(e, tuple, slot);
		st = gov_slot(g, slot, word, why);
		(void)snprintf(hex, sizeof(hex), "0x");
		hex_encode(tuple, 32, hex + 2);
		/* listed and denied are two events of one tuple */
		bool known = false;
		size_t k = 0;
		json_t *was = NULL;
		json_array_foreach (list, k, was)
			known = known ||
			    (strcmp(json_string_value(json_object_get(
			                was, "tuple")), hex) == 0 &&
			        json_integer_value(json_object_get(
			            was, "epoch")) == (json_int_t)e);
		if (!known)
			(void)json_array_append_new(list,
			    json_pack("{s:I,s:s,s:b}", "epoch", (json_int_t)e,
			        "tuple", hex, "allowed",
			        word[31] == KM_LISTED_ALLOWED));
	}
	json_decref(logs);
	if (st == DSTACK_OK)
		*out = list;
	else
		json_decref(list);
	return st;
}
