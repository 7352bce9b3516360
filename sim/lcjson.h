/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A made container (lcmake.h) as a beacon node's JSON: {"version","data"}.
 * Written by the specification's names and not by what lib/beacon/json.c
 * reads, and as a jansson object, so that a test may spoil one member.
 */
#ifndef TESTS_MKJSON_H
#define TESTS_MKJSON_H

#include <inttypes.h>
#include <stdio.h>

#include <jansson.h>

#include "base/hex.h"
#include "tests/unit/lib/beacon/lcmake.h"

static json_t *
mj_hex(const uint8_t *p, size_t n)
{
	char *t = malloc(2 * n + 3);
	memcpy(t, "0x", 3);
	if (n != 0)
		hex_encode(p, n, t + 2);
	json_t *j = json_string(t);
	free(t);
	return j;
}

static json_t *
mj_list(const uint8_t *p, size_t count, size_t each)
{
	json_t *j = json_array();
	for (size_t i = 0; i < count; i++)
		json_array_append_new(j, mj_hex(p + i * each, each));
	return j;
}

static json_t *
mj_number(uint64_t v)
{
	char t[24];
	(void)snprintf(t, sizeof(t), "%" PRIu64, v);
	return json_string(t);
}

static uint64_t
mj_le(const uint8_t *p)
{
	uint64_t v = 0;
	for (int i = 7; i >= 0; i--)
		v = v << 8 | p[i];
	return v;
}

/* A uint256, little endian, in decimal: divided by ten until nothing is left. */
static json_t *
mj_wide(const uint8_t le[32])
{
	uint8_t v[32];
	char t[80];
	size_t at = sizeof(t) - 1;
	t[at] = '\0';
	memcpy(v, le, 32);
	do {
		unsigned rest = 0;
		for (int i = 31; i >= 0; i--) {
			rest = rest << 8 | v[i];
			v[i] = (uint8_t)(rest / 10);
			rest %= 10;
		}
		t[--at] = (char)('0' + rest);
	} while (!all_zero(v, 32));
	return json_string(t + at);
}

#define MJ_SET(o, name, v) (void)json_object_set_new((o), (name), (v))

static json_t *
mj_exec(const struct mk_header *h, enum exec_form form)
{
	json_t *o = json_object();
	const uint8_t *p = h->exec;
	MJ_SET(o, "parent_hash", mj_hex(p, 32));
	MJ_SET(o, "fee_recipient", mj_hex(p + 32, 20));
	MJ_SET(o, "state_root", mj_hex(p + 52, 32));
	MJ_SET(o, "receipts_root", mj_hex(p + 84, 32));
	MJ_SET(o, "logs_bloom", mj_hex(p + 116, 256));
	MJ_SET(o, "prev_randao", mj_hex(p + 372, 32));
	MJ_SET(o, "block_number", mj_number(mj_le(p + 404)));
	MJ_SET(o, "gas_limit", mj_number(mj_le(p + 412)));
	MJ_SET(o, "gas_used", mj_number(mj_le(p + 420)));
	MJ_SET(o, "timestamp", mj_number(mj_le(p + 428)));
	MJ_SET(o, "extra_data", mj_hex(h->extra, h->extra_len));
	MJ_SET(o, "base_fee_per_gas", mj_wide(p + 440));
	MJ_SET(o, "block_hash", mj_hex(p + 472, 32));
	MJ_SET(o, "transactions_root", mj_hex(p + 504, 32));
	MJ_SET(o, "withdrawals_root", mj_hex(p + 536, 32));
	if (form == EXEC_DENEB) {
		MJ_SET(o, "blob_gas_used", mj_number(mj_le(p + 568)));
		MJ_SET(o, "excess_blob_gas", mj_number(mj_le(p + 576)));
	}
	return o;
}

static json_t *
mj_header(const struct mk_header *h, enum exec_form form)
{
	json_t *o = json_object(), *b = json_object();
	MJ_SET(b, "slot", mj_number(h->slot));
	MJ_SET(b, "proposer_index", mj_number(h->proposer));
	MJ_SET(b, "parent_root", mj_hex(h->parent, 32));
	MJ_SET(b, "state_root", mj_hex(h->state, 32));
	MJ_SET(b, "body_root", mj_hex(h->body, 32));
	MJ_SET(o, "beacon", b);
	if (form == EXEC_HASH) {
		MJ_SET(o, "execution_block_hash", mj_hex(h->hash, 32));
		MJ_SET(o, "execution_branch", mj_list(h->exec_branch, 11, 32));
	} else if (form != EXEC_NONE) {
		MJ_SET(o, "execution", mj_exec(h, form));
		MJ_SET(o, "execution_branch", mj_list(h->exec_branch, 4, 32));
	}
	return o;
}

/* The caller's to json_decref. */
__attribute__((unused)) static json_t *
mk_json(const struct mk *c, enum beacon_kind kind)
{
	const struct fork_shape *s = fork_shape(c->fork);
	json_t *o = json_object(), *d = json_object();
	json_t *keys = json_object(), *a = json_object();
	MJ_SET(keys, "pubkeys", mj_list(c->committee.keys, c->n.committee, 48));
	MJ_SET(keys, "aggregate_pubkey", mj_hex(c->committee.aggregate, 48));
	MJ_SET(a, "sync_committee_bits", mj_hex(c->bits, c->n.committee / 8));
	MJ_SET(a, "sync_committee_signature", mj_hex(c->sig, 96));
	if (kind == BEACON_KIND_BOOTSTRAP) {
		MJ_SET(d, "header", mj_header(&c->attested, s->exec));
		MJ_SET(d, "current_sync_committee", json_incref(keys));
		MJ_SET(d, "current_sync_committee_branch",
		    mj_list(c->committee_branch,
			gindex_depth(s->current_committee), 32));
	} else {
		MJ_SET(d, "attested_header", mj_header(&c->attested, s->exec));
		MJ_SET(d, "finalized_header",
		    mj_header(&c->finalized, s->exec));
		MJ_SET(d, "finality_branch",
		    mj_list(c->finality_branch,
			gindex_depth(s->finalized_root), 32));
		MJ_SET(d, "sync_aggregate", json_incref(a));
		MJ_SET(d, "signature_slot", mj_number(c->signature_slot));
	}
	if (kind == BEACON_KIND_UPDATE) {
		MJ_SET(d, "next_sync_committee", json_incref(keys));
		MJ_SET(d, "next_sync_committee_branch",
		    mj_list(c->committee_branch,
			gindex_depth(s->next_committee), 32));
	}
	json_decref(keys);
	json_decref(a);
	MJ_SET(o, "version", json_string(fork_name(c->fork)));
	MJ_SET(o, "data", d);
	return o;
}

#endif
