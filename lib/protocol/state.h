/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Records of the contract out of proven storage words: which slots to prove,
 * and what their words mean (layout.h). Pure; the words come from
 * guest/chain/chain.h, which proves them.
 */
#ifndef PROTOCOL_STATE_H
#define PROTOCOL_STATE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"
#include "protocol/layout.h"

struct state_head {
	bool paused;
	uint64_t epoch_count;   /* the last epoch is count - 1 */
	uint64_t current_epoch; /* last bootstrapped; 0 before */
};
void state_head_slot(uint8_t slot[static 32]);
void state_head_decode(const uint8_t word[static 32], struct state_head *out);

struct state_policy {
	uint32_t tcb_mask;
	uint32_t min_tcb_eval;
	uint32_t min_root_crl;
	uint32_t min_pck_crl;
	uint32_t request_expiry; /* blocks */
	uint16_t requests_per_block;
	uint8_t platform_mode; /* enum km_platform_mode */
};

struct state_epoch {
	enum km_epoch_state state;
	uint64_t opened_at; /* seconds */
	uint8_t xpub[20];   /* zero before bootstrap */
	uint8_t seed_commit[32];
	uint8_t quote_hash[32];
	uint8_t policy_hash[32];
	struct state_policy policy;
	uint8_t bootstrapper[20];
};
void state_epoch_slots(uint64_t epoch, uint8_t (*slots)[32]); /* 8 */
/*
 * DSTACK_E_FORMAT: a state that layout.h does not name.
 */
DSTACK_CHECKED enum dstack_status state_epoch_decode(
    const uint8_t (*words)[32], struct state_epoch *out);

struct state_request {
	enum km_request_state state;
	uint64_t expiry; /* last block number at which it counts */
	uint8_t quote_tag[KM_REQUEST_QUOTE_LEN];
};
void state_request_slot(
    const uint8_t request_id[static 32], uint8_t slot[static 32]);
DSTACK_CHECKED enum dstack_status state_request_decode(
    const uint8_t word[static 32], struct state_request *out);

/* One word each, value enum km_listed. */
void state_tuple_slot(uint64_t epoch, const uint8_t tuple_hash[static 32],
    uint8_t slot[static 32]);
/* id: text, as "INTEL-SA-00615" */
void state_advisory_slot(
    uint64_t epoch, const char *id, uint8_t slot[static 32]);
void state_platform_slot(
    const uint8_t platform_hash[static 32], uint8_t slot[static 32]);
/* KM_LISTED_DENIED for a word that is none of the three. */
enum km_listed state_listed(const uint8_t word[static 32]);

struct state_volume {
	uint64_t generation; /* 0: never anchored */
	uint8_t root[32];
};
void state_volume_slots(
    const uint8_t volume_id[static 32], uint8_t (*slots)[32]); /* 2 */
void state_volume_decode(const uint8_t (*words)[32], struct state_volume *out);

struct state_app {
	uint8_t app_id[32];
	uint8_t digest[32];  /* SHA-256 of the image's manifest */
	uint64_t version;    /* 0: no such record */
	uint64_t not_before; /* seconds */
	bool stopped;
	char name[KM_APP_NAME_MAX + 1]; /* for people; made printable */
};
/* Both records with their names: 2 * (4 + 4) slots. */
#define STATE_APP_SLOTS 16
void state_app_slots(uint8_t (*slots)[32]);
/* One record out of its 8 words; DSTACK_E_FORMAT: a malformed name. */
DSTACK_CHECKED enum dstack_status state_app_record(
    const uint8_t (*words)[32], struct state_app *out);
/*
 * The record to run at time now (seconds, of the proven header): LATEST from
 * its notBefore on, else PREVIOUS. DSTACK_E_MISSING: none is to be run (no
 * record, not yet, or stopped). DSTACK_E_FORMAT: a malformed name.
 */
DSTACK_CHECKED enum dstack_status state_app_decode(const uint8_t (*words)[32],
    uint64_t now, struct state_app *out, struct why *why);

#endif
