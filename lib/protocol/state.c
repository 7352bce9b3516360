/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where the contract keeps what (KM_SLOT_*, made with the contract's storage
 * layout) and how its words are read. Names of slots are computed as Solidity
 * does: a mapping's entry at keccak(key . slot), a struct's words one after the
 * other from there, a long string's text at keccak(slot). The words come in
 * proven, so they are the chain's; but another contract's code could have
 * written them, so enumerations and lengths are judged all the same, and what
 * is out of range is refused or read as "denied", never as the nearest known
 * value.
 */
#include "protocol/state.h"

#include <string.h>

#include "base/rd.h"
#include "base/secret.h"
#include "crypto/hash.h"
#include "eth/rpc.h"

/* Integer of n bytes at word[at]. */
static uint64_t
uint_at(const uint8_t *word, size_t at, size_t n)
{
	uint64_t v = 0;
	for (size_t i = 0; i < n; i++)
		v = v << 8 | word[at + i];
	return v;
}

static void
mapping(const uint8_t key[static 32], uint64_t slot, uint8_t out[static 32])
{
	uint8_t s[32];
	eth_slot_u64(slot, s);
	eth_slot_mapping(key, s, out);
}

static void
by_u64(uint64_t key, uint64_t slot, uint8_t out[static 32])
{
	uint8_t k[32];
	eth_slot_u64(key, k);
	mapping(k, slot, out);
}

/* base, base + 1, ... */
static void
run(const uint8_t base[static 32], uint8_t (*slots)[32], size_t n)
{
	for (size_t i = 0; i < n; i++) {
		memcpy(slots[i], base, 32);
		eth_slot_add(slots[i], i);
	}
}

void
state_head_slot(uint8_t slot[static 32])
{
	eth_slot_u64(KM_SLOT_HEAD, slot);
}

void
state_head_decode(const uint8_t word[static 32], struct state_head *out)
{
	out->paused = word[KM_HEAD_PAUSED_AT] != 0;
	out->epoch_count = uint_at(word, KM_HEAD_EPOCH_COUNT_AT, 8);
	out->current_epoch = uint_at(word, KM_HEAD_CURRENT_EPOCH_AT, 8);
}

void
state_epoch_slots(uint64_t epoch, uint8_t (*slots)[32])
{
	uint8_t base[32];
	by_u64(epoch, KM_SLOT_EPOCHS, base);
	run(base, slots, KM_EPOCH_SLOTS);
}

enum dstack_status
state_epoch_decode(const uint8_t (*words)[32], struct state_epoch *out)
{
	struct state_epoch e;
	memset(&e, 0, sizeof(e));
	const uint8_t *w = words[KM_EPOCH_KEY];
	uint8_t state = w[KM_EPOCH_STATE_AT];
	/*
	 * A state of a later contract: it may mean "closed", so nobody goes on
	 * by guess.
	 */
	if (state > KM_EPOCH_CLOSED)
		return DSTACK_E_FORMAT;
	e.state = (enum km_epoch_state)state;
	e.opened_at = uint_at(w, KM_EPOCH_OPENED_AT, 8);
	memcpy(e.xpub, w + KM_EPOCH_XPUB_AT, 20);
	memcpy(e.seed_commit, words[KM_EPOCH_SEED_COMMIT], 32);
	memcpy(e.quote_hash, words[KM_EPOCH_QUOTE_HASH], 32);
	memcpy(e.policy_hash, words[KM_EPOCH_POLICY_HASH], 32);
	memcpy(e.bootstrapper, words[KM_EPOCH_BOOTSTRAPPER] + 12, 20);
	w = words[KM_EPOCH_POLICY];
	struct state_policy *p = &e.policy;
	p->tcb_mask = (uint32_t)uint_at(w, KM_POLICY_TCB_MASK_AT, 4);
	p->min_tcb_eval = (uint32_t)uint_at(w, KM_POLICY_MIN_TCB_EVAL_AT, 4);
	p->min_root_crl = (uint32_t)uint_at(w, KM_POLICY_MIN_ROOT_CRL_AT, 4);
	p->min_pck_crl = (uint32_t)uint_at(w, KM_POLICY_MIN_PCK_CRL_AT, 4);
	p->request_expiry =
	    (uint32_t)uint_at(w, KM_POLICY_REQUEST_EXPIRY_AT, 4);
	p->requests_per_block =
	    (uint16_t)uint_at(w, KM_POLICY_REQUESTS_PER_BLOCK_AT, 2);
	p->platform_mode = w[KM_POLICY_PLATFORM_MODE_AT];
	*out = e;
	return DSTACK_OK;
}

void
state_request_slot(const uint8_t request_id[static 32], uint8_t slot[static 32])
{
	mapping(request_id, KM_SLOT_REQUESTS, slot);
}

enum dstack_status
state_request_decode(const uint8_t word[static 32], struct state_request *out)
{
	if (word[KM_REQUEST_STATE_AT] > KM_REQUEST_ONBOARDED)
		return DSTACK_E_FORMAT;
	out->state = (enum km_request_state)word[KM_REQUEST_STATE_AT];
	out->expiry = uint_at(word, KM_REQUEST_EXPIRY_AT, 8);
	memcpy(
	    out->quote_tag, word + KM_REQUEST_QUOTE_AT, KM_REQUEST_QUOTE_LEN);
	return DSTACK_OK;
}

static void
by_epoch(uint64_t epoch, uint64_t slot, const uint8_t key[static 32],
    uint8_t out[static 32])
{
	uint8_t inner[32];
	by_u64(epoch, slot, inner);
	eth_slot_mapping(key, inner, out);
}

void
state_tuple_slot(uint64_t epoch, const uint8_t tuple_hash[static 32],
    uint8_t slot[static 32])
{
	by_epoch(epoch, KM_SLOT_TUPLES, tuple_hash, slot);
}

void
state_advisory_slot(uint64_t epoch, const char *id, uint8_t slot[static 32])
{
	uint8_t key[32];
	keccak256(id, strlen(id), key);
	by_epoch(epoch, KM_SLOT_ADVISORIES, key, slot);
}

void
state_platform_slot(
    const uint8_t platform_hash[static 32], uint8_t slot[static 32])
{
	mapping(platform_hash, KM_SLOT_PLATFORMS, slot);
}

/* 0 unlisted, 1 allowed, 2 denied; whatever else the word says is a no. */
enum km_listed
state_listed(const uint8_t word[static 32])
{
	if (!ct_is_zero(word, 31) || word[31] > KM_LISTED_DENIED)
		return KM_LISTED_DENIED;
	return (enum km_listed)word[31];
}

void
state_volume_slots(const uint8_t volume_id[static 32], uint8_t (*slots)[32])
{
	uint8_t base[32];
	mapping(volume_id, KM_SLOT_VOLUMES, base);
	run(base, slots, 2);
}

void
state_volume_decode(const uint8_t (*words)[32], struct state_volume *out)
{
	out->generation =
	    uint_at(words[KM_VOLUME_GENERATION], KM_VOLUME_GENERATION_AT, 8);
	memcpy(out->root, words[KM_VOLUME_ROOT], 32);
}

/* A record's four slots, then four of a long name's text. */
static void
app_slots(uint64_t slot, uint8_t (*slots)[32])
{
	uint8_t base[32];
	eth_slot_u64(slot, base);
	run(base, slots, KM_APP_SLOTS);
	uint8_t text[32];
	keccak256(slots[KM_APP_NAME], 32, text);
	run(text, slots + KM_APP_SLOTS, 4);
}

void
state_app_slots(uint8_t (*slots)[32])
{
	app_slots(KM_SLOT_APP_LATEST, slots);
	app_slots(KM_SLOT_APP_PREVIOUS, slots + STATE_APP_SLOTS / 2);
}

enum dstack_status
state_app_record(const uint8_t (*words)[32], struct state_app *a)
{
	memset(a, 0, sizeof(*a));
	const uint8_t *w = words[KM_APP_VERSION];
	memcpy(a->app_id, words[KM_APP_ID], 32);
	memcpy(a->digest, words[KM_APP_DIGEST], 32);
	a->version = uint_at(w, KM_APP_VERSION_AT, 8);
	a->not_before = uint_at(w, KM_APP_NOT_BEFORE_AT, 8);
	a->stopped = w[KM_APP_STOPPED_AT] != 0;
	w = words[KM_APP_NAME];
	uint64_t n;
	const uint8_t *text;
	/*
	 * Solidity's two forms of a string: up to 31 bytes in the word itself
	 * with twice the length in the last byte, else twice the length plus
	 * one.
	 */
	if ((w[31] & 1) == 0) {
		n = w[31] / 2;
		text = w;
		if (n > 31)
			return DSTACK_E_FORMAT;
	} else {
		n = (uint_at(w, 24, 8) - 1) / 2;
		text = words[KM_APP_SLOTS];
		if (!ct_is_zero(w, 24) || n > KM_APP_NAME_MAX)
			return DSTACK_E_FORMAT;
	}
	for (uint64_t i = 0; i < n; i++) {
		/* A name is for people; control bytes would reach consoles. */
		bool plain = text[i] >= 0x20 && text[i] < 0x7f;
		a->name[i] = plain ? (char)text[i] : '?';
	}
	return DSTACK_OK;
}

/*
 * Which of the two versions counts now: the latest once its notice is over,
 * else the one before. time is the proven block's, so a host's clock cannot
 * bring a version forward. A stopped version is none: no fall back to the older
 * one, which the pauser may have meant to leave for a reason.
 */
enum dstack_status
state_app_decode(const uint8_t (*words)[32], uint64_t now,
    struct state_app *out, struct why *why)
{
	struct state_app latest;
	struct state_app previous;
	if (state_app_record(words, &latest) != DSTACK_OK ||
	    state_app_record(words + STATE_APP_SLOTS / 2, &previous) != DSTACK_OK)
		return why_set(why, DSTACK_E_FORMAT,
		    "the contract's app record is malformed");
	const struct state_app *a =
	    latest.version != 0 && now >= latest.not_before ? &latest
							    : &previous;
	if (a->version == 0)
		return why_set(why, DSTACK_E_MISSING,
		    latest.version == 0 ? "the contract names no app yet"
					: "the app's notice period runs");
	if (a->stopped)
		return why_set(why, DSTACK_E_MISSING,
		    "app version %llu was stopped by the contract's pauser",
		    (unsigned long long)a->version);
	*out = *a;
	return DSTACK_OK;
}
