/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JSON becomes SSZ first and is then read as SSZ is, so that there is one
 * reader to trust. "version" says which shape to write; whether the slots
 * inside are of that fork is what the reader of SSZ looks at. The first
 * member that is not as it should be is named, and what follows is not
 * looked at any more.
 */
#include "beacon/json.h"

#include <stdlib.h>
#include <string.h>

#include "base/hex.h"
#include "base/own.h"
#include "base/status.h"
#include "beacon/ssz.h"

/* SSZ as it grows; bad: something was wrong, and why says what. */
struct ssz_out {
	uint8_t *p; /* SSZ_MAX bytes */
	size_t n;
	bool bad;
	struct why *why;
};

static void
wrong(struct ssz_out *o, const char *name, const char *what)
{
	if (!o->bad)
		(void)why_set(o->why, DSTACK_E_FORMAT, "%s: %s", name, what);
	o->bad = true;
}

/*
 * Room for n more bytes, zero; NULL after an error. The caller writes through
 * the pointer before it asks again, so that nothing points into a buffer that
 * has moved: it never moves, p has its full size from the start.
 */
static uint8_t *
grow(struct ssz_out *o, size_t n)
{
	if (!o->bad && n > SSZ_MAX - o->n)
		wrong(o, "data", "too long");
	if (o->bad)
		return NULL;
	uint8_t *at = o->p + o->n;
	memset(at, 0, n);
	o->n += n;
	return at;
}

static void
put_le(uint8_t *at, uint64_t v, size_t n)
{
	for (size_t i = 0; i < n; i++)
		at[i] = (uint8_t)(v >> 8 * i);
}

/*
 * Member of an object of exactly count members; NULL after an error. All count
 * names are asked for: with one too few, one of them is missing.
 */
static const json_t *
member(struct ssz_out *o, const json_t *in, size_t count, const char *name)
{
	const json_t *v = json_object_get(in, name);
	if (v == NULL)
		wrong(o, name, "is missing");
	else if (json_object_size(in) > count) /* fewer: one is missing */
		wrong(o, name, "stands beside members that are not known");
	return o->bad ? NULL : v;
}

static void
put_hex(struct ssz_out *o, const json_t *v, const char *name, size_t n)
{
	uint8_t *at = grow(o, n);
	if (at != NULL &&
	    (!json_is_string(v) ||
		hex_decode(json_string_value(v), json_string_length(v), at,
		    n) != DSTACK_OK))
		wrong(o, name, "is not hex of the length it must have");
}

/*
 * Decimal text into n bytes, little endian: uint64 or uint256. Each digit
 * multiplies what is there by ten, byte by byte; what runs over the last byte
 * does not fit. A leading zero is refused, so that a number has one text.
 */
static void
put_decimal(struct ssz_out *o, const json_t *v, const char *name, size_t n)
{
	uint8_t *at = grow(o, n);
	const char *s = json_string_value(v);
	if (at == NULL)
		return;
	size_t len = s != NULL ? json_string_length(v) : 0;
	bool ok = len != 0 && (len == 1 || s[0] != '0');
	for (size_t i = 0; ok && i < len; i++) {
		unsigned carry = (unsigned)(s[i] - '0');
		ok = s[i] >= '0' && s[i] <= '9';
		for (size_t k = 0; k < n; k++) {
			carry += at[k] * 10u;
			at[k] = (uint8_t)carry;
			carry >>= 8;
		}
		ok = ok && carry == 0;
	}
	if (!ok)
		wrong(o, name, "is not a decimal number in quotes, or too big");
}

static void
put_list(struct ssz_out *o, const json_t *v, const char *name, size_t count,
    size_t each)
{
	if (!o->bad && (!json_is_array(v) || json_array_size(v) != count))
		wrong(o, name, "is not a list of the length it must have");
	for (size_t i = 0; !o->bad && i < count; i++)
		put_hex(o, json_array_get(v, i), name, each);
}

/* Hex and decimal members in their order. */
struct field {
	const char *name;
	size_t n;
	bool decimal;
};

static void
put_fields(struct ssz_out *o, const json_t *in, size_t members,
    const struct field *f, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const json_t *v = member(o, in, members, f[i].name);
		if (f[i].decimal)
			put_decimal(o, v, f[i].name, f[i].n);
		else
			put_hex(o, v, f[i].name, f[i].n);
	}
}

static void
put_beacon(struct ssz_out *o, const json_t *in)
{
	static const struct field f[] = { { "slot", 8, true },
		{ "proposer_index", 8, true }, { "parent_root", 32, false },
		{ "state_root", 32, false }, { "body_root", 32, false } };
	put_fields(o, in, 5, f, 5);
}

/*
 * ExecutionPayloadHeader: extra_data stands behind the fixed part, which has
 * its offset in its place. Deneb's has two fields more at the end; JSON names
 * members in any order, SSZ in the type's.
 */
static void
put_exec(struct ssz_out *o, const json_t *in, enum exec_form form)
{
	static const struct field before[] = { { "parent_hash", 32, false },
		{ "fee_recipient", 20, false }, { "state_root", 32, false },
		{ "receipts_root", 32, false }, { "logs_bloom", 256, false },
		{ "prev_randao", 32, false }, { "block_number", 8, true },
		{ "gas_limit", 8, true }, { "gas_used", 8, true },
		{ "timestamp", 8, true } };
	static const struct field after[] = {
		{ "base_fee_per_gas", 32, true }, { "block_hash", 32, false },
		{ "transactions_root", 32, false },
		{ "withdrawals_root", 32, false },
		{ "blob_gas_used", 8, true }, { "excess_blob_gas", 8, true } };
	bool deneb = form == EXEC_DENEB;
	size_t members = deneb ? 17 : 15, n = 0;
	put_fields(o, in, members, before, 10);
	uint8_t *at = grow(o, 4);
	if (at != NULL)
		put_le(at, deneb ? EXEC_DENEB_LEN : EXEC_CAPELLA_LEN, 4);
	put_fields(o, in, members, after, deneb ? 6 : 4);
	const json_t *extra = member(o, in, members, "extra_data");
	uint8_t bytes[EXEC_EXTRA_MAX];
	if (!o->bad &&
	    (!json_is_string(extra) ||
		hex_decode_var(json_string_value(extra),
		    json_string_length(extra), bytes, sizeof(bytes), &n) !=
		    DSTACK_OK))
		wrong(o, "extra_data", "is not hex of at most 32 bytes");
	at = grow(o, n);
	if (at != NULL && n != 0)
		memcpy(at, bytes, n);
}

/* LightClientHeader: beside "beacon" what the fork says of execution. */
static void
put_header(struct ssz_out *o, const json_t *in, const struct fork_shape *s)
{
	if (s->exec == EXEC_NONE) {
		put_beacon(o, member(o, in, 1, "beacon"));
		return;
	}
	put_beacon(o, member(o, in, 3, "beacon"));
	if (s->exec == EXEC_HASH) {
		put_hex(o, member(o, in, 3, "execution_block_hash"),
		    "execution_block_hash", 32);
		put_list(o, member(o, in, 3, "execution_branch"),
		    "execution_branch", 11, 32);
		return;
	}
	uint8_t *at = grow(o, 4);
	if (at != NULL)
		put_le(at, BEACON_HEADER_LEN + 4 + 4 * 32, 4);
	put_list(o, member(o, in, 3, "execution_branch"), "execution_branch",
	    4, 32);
	put_exec(o, member(o, in, 3, "execution"), s->exec);
}

/* A header in the fixed part: itself, or 4 bytes for its offset. */
static size_t
put_header_slot(struct ssz_out *o, const json_t *in,
    const struct fork_shape *s)
{
	size_t at = o->n;
	if (s->exec == EXEC_NONE || s->exec == EXEC_HASH)
		put_header(o, in, s);
	else
		(void)grow(o, 4);
	return at;
}

/* And behind the fixed part, where its offset was left open. */
static void
put_header_late(struct ssz_out *o, const json_t *in,
    const struct fork_shape *s, size_t at)
{
	if (o->bad || s->exec == EXEC_NONE || s->exec == EXEC_HASH)
		return;
	put_le(o->p + at, o->n, 4);
	put_header(o, in, s);
}

static void
put_committee(struct ssz_out *o, const struct beacon_network *n,
    const json_t *in)
{
	put_list(o, member(o, in, 2, "pubkeys"), "pubkeys", n->committee, 48);
	put_hex(o, member(o, in, 2, "aggregate_pubkey"), "aggregate_pubkey",
	    48);
}

/* In SSZ's order; a header of variable length goes behind all others. */
static void
put_bootstrap(struct ssz_out *o, const struct beacon_network *n,
    const json_t *d, const struct fork_shape *s)
{
	const json_t *h = member(o, d, 3, "header");
	size_t at = put_header_slot(o, h, s);
	put_committee(o, n, member(o, d, 3, "current_sync_committee"));
	put_list(o, member(o, d, 3, "current_sync_committee_branch"),
	    "current_sync_committee_branch",
	    gindex_depth(s->current_committee), 32);
	put_header_late(o, h, s, at);
}

/*
 * Update, and finality update, which lacks the committee. The two headers
 * behind the fixed part stand in the order of their offsets.
 */
static void
put_update(struct ssz_out *o, const struct beacon_network *n,
    const json_t *d, const struct fork_shape *s, bool finality_only)
{
	size_t members = finality_only ? 5 : 7;
	const json_t *attested = member(o, d, members, "attested_header");
	const json_t *final = member(o, d, members, "finalized_header");
	size_t first = put_header_slot(o, attested, s);
	if (!finality_only) {
		put_committee(
		    o, n, member(o, d, members, "next_sync_committee"));
		put_list(o, member(o, d, members, "next_sync_committee_branch"),
		    "next_sync_committee_branch",
		    gindex_depth(s->next_committee), 32);
	}
	size_t second = put_header_slot(o, final, s);
	put_list(o, member(o, d, members, "finality_branch"),
	    "finality_branch", gindex_depth(s->finalized_root), 32);
	const json_t *agg = member(o, d, members, "sync_aggregate");
	put_hex(o, member(o, agg, 2, "sync_committee_bits"),
	    "sync_committee_bits", n->committee / 8);
	put_hex(o, member(o, agg, 2, "sync_committee_signature"),
	    "sync_committee_signature", 96);
	put_decimal(o, member(o, d, members, "signature_slot"),
	    "signature_slot", 8);
	put_header_late(o, attested, s, first);
	put_header_late(o, final, s, second);
}

/* The fork that "version" names. */
static bool
version(const json_t *item, enum beacon_fork *out)
{
	const char *s = json_string_value(json_object_get(item, "version"));
	for (unsigned f = 0; s != NULL && f < BEACON_FORKS; f++)
		if (strcmp(s, fork_name((enum beacon_fork)f)) == 0) {
			*out = (enum beacon_fork)f;
			return true;
		}
	return false;
}

/* Of at most 20 such letters: foreign text that may stand in a line. */
static bool
plain(const char *s, const char *letters)
{
	return s != NULL && s[0] != '\0' && strlen(s) <= 20 &&
	    strspn(s, letters) == strlen(s);
}

/*
 * A fork that nobody here knows has a shape that nobody here can read, but its
 * name, and most likely its slot, are where they were.
 */
static enum dstack_status
unknown_fork(const json_t *item, struct why *why)
{
	const char *s = json_string_value(json_object_get(item, "version"));
	const json_t *d = json_object_get(item, "data");
	const json_t *h = json_object_get(d, "attested_header");
	if (h == NULL)
		h = json_object_get(d, "header");
	const char *slot = json_string_value(
	    json_object_get(json_object_get(h, "beacon"), "slot"));
	if (!plain(s, "abcdefghijklmnopqrstuvwxyz0123456789_-"))
		return why_set(why, DSTACK_E_FORMAT,
		    "version: is missing, or no name of a fork");
	return why_set(why, DSTACK_E_REJECTED,
	    "slot %s is of the fork %s, which this version does not know; "
	    "take one that does",
	    plain(slot, "0123456789") ? slot : "without a number", s);
}

/* Beside version and data, the API may say these, which decide nothing. */
static bool
envelope(const json_t *item)
{
	const char *k;
	json_t *v;
	json_object_foreach((json_t *)(uintptr_t)item, k, v)
		if (strcmp(k, "version") != 0 && strcmp(k, "data") != 0 &&
		    strcmp(k, "finalized") != 0 &&
		    strcmp(k, "execution_optimistic") != 0)
			return false;
	return json_is_object(item);
}

enum dstack_status
json_to_ssz(const struct beacon_network *n, enum beacon_kind kind,
    const json_t *item, uint8_t **out, size_t *len, struct why *why)
{
	enum beacon_fork f;
	if (!envelope(item))
		return why_set(why, DSTACK_E_FORMAT,
		    "not an object of version and data alone");
	if (!version(item, &f))
		return unknown_fork(item, why);
	AUTO_FREE uint8_t *p = malloc(SSZ_MAX);
	if (p == NULL)
		return why_set(why, DSTACK_E_NOMEM, "no memory");
	struct ssz_out o = { .p = p, .why = why };
	const json_t *d = json_object_get(item, "data");
	if (!json_is_object(d))
		return why_set(why, DSTACK_E_FORMAT, "data: is missing");
	if (kind == BEACON_KIND_BOOTSTRAP)
		put_bootstrap(&o, n, d, fork_shape(f));
	else
		put_update(&o, n, d, fork_shape(f),
		    kind == BEACON_KIND_FINALITY);
	if (o.bad)
		return DSTACK_E_FORMAT;
	*len = o.n;
	*out = take_ptr(&p);
	return DSTACK_OK;
}
