/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What all verbs of dstack contract end with: a call that is sent, or kept for
 * --calldata, and an answer for people or as JSON.
 */
#include "cli/contract/contract.h"

#include <stdio.h>

#include "base/own.h"
#include "eth/rpc.h"
#include "protocol/state.h"

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
		/* a list of objects is all there is (show --tuples) */
		} else if (json_is_array(v)) {
			size_t i = 0;
			json_t *e = NULL;
			printf("\n");
			json_array_foreach (v, i, e)
				print_plain(e, indent + 2);
		} else if (json_is_string(v)) {
			printf(" %s\n", json_string_value(v));
		} else {
			/*
			 * numbers, true, false and null read as JSON writes
			 * them
			 */
			AUTO_FREE char *text = json_dumps(v, JSON_ENCODE_ANY);
			printf(" %s\n", text != NULL ? text : "?");
		}
	}
}

enum dstack_status
contract_print(json_t *o, const struct contract_args *a)
{
	/* json_pack failed in the caller's argument */
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
	/* an answer that a full disk cut is no answer */
	return fflush(stdout) == 0 ? DSTACK_OK : DSTACK_E_SYS;
}

static enum dstack_status
printed_receipt(struct rpc_receipt *r, const struct contract_args *a)
{
	json_decref(r->logs);
	return contract_print(json_pack("{s:o,s:I,s:I}", "tx", eth_json_hex(r->tx_hash, 32),
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

/* --epoch, or else the last one that was opened. */
enum dstack_status
contract_last_epoch(const struct gov *g, struct contract_args *a, bool next,
    struct why *why)
{
	uint8_t slot[32];
	uint8_t word[32];
	struct state_head head;

	if (GIVEN(a, O_EPOCH))
		return DSTACK_OK;
	/* one slot, without a proof: the contract refuses a wrong number */
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
