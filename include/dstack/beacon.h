/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A light client of Ethereum's beacon chain: which execution block is final,
 * proven by the signatures of sync committees from one trusted block root on.
 * Source: consensus-specs, specs/{altair,capella,deneb,electra,gloas}/
 * light-client/. Pure: bytes in, verdict out; no file, clock or socket.
 *
 * Stricter than the specification in two points: an update that fewer than
 * two thirds of its committee signed (342 of 512) is refused, and nothing is
 * ever forced: the finalized head moves by finality alone.
 *
 * Units: times in seconds since the epoch (UTC). Pointers are borrowed for
 * the call. A store may be used by one thread at a time; stores share nothing.
 */
#ifndef DSTACK_BEACON_H
#define DSTACK_BEACON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <dstack/status.h>

#define BEACON_MAX_COMMITTEE 512u
#define BEACON_NEVER UINT64_MAX /* epoch of a fork without a date */

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

/* Forks that bring sync committees or change what hangs on them. */
enum beacon_fork {
	BEACON_ALTAIR,
	BEACON_BELLATRIX,
	BEACON_CAPELLA,
	BEACON_DENEB,
	BEACON_ELECTRA,
	BEACON_FULU,
	BEACON_GLOAS,
	BEACON_FORKS
};

/* A chain. Times from genesis_time on are cut in slots, those in epochs. */
struct beacon_network {
	char name[32];
	uint8_t genesis_root[32]; /* genesis_validators_root */
	uint64_t genesis_time;
	uint32_t seconds_per_slot;
	uint32_t slots_per_epoch;
	uint32_t epochs_per_period; /* how long one committee signs */
	uint32_t committee;	    /* its keys: a power of two, 8 to 512 */
	struct {
		uint8_t version[4];
		uint64_t epoch; /* never falls from one fork to the next */
	} fork[BEACON_FORKS];
	/* the first fork that is known by name and date only, if any */
	char end_name[32];
	uint64_t end_epoch; /* nothing at or past it is judged */
};

/* mainnet, sepolia or hoodi; NULL: no such name. Lives for ever. */
const struct beacon_network *beacon_network_named(const char *name);

/*
 * A network of your own, from text of one key=value a line (docs/beacon.md).
 * out is written on DSTACK_OK only. DSTACK_E_FORMAT, DSTACK_E_LIMIT: why
 * says which line and what it should be.
 */
DSTACK_CHECKED enum dstack_status beacon_network_parse(const void *text,
    size_t len, struct beacon_network *out, struct why *why);
/*
 * The one text of a network, for beacon_network_parse: its length without the
 * NUL, of which out has what fits in cap bytes (snprintf's way).
 */
size_t beacon_network_text(
    const struct beacon_network *net, char *out, size_t cap);

/* What was found. BEACON_OK alone is a yes. */
enum beacon_code {
	BEACON_OK = 0,
	BEACON_FORMAT,	   /* no such container of the fork of its slot */
	BEACON_FORK,	   /* of a fork that the network's table has not */
	BEACON_CHECKPOINT, /* a bootstrap for another block root */
	BEACON_FUTURE,	   /* signed in a slot that has not begun */
	BEACON_SLOTS,	   /* not: signed > attested >= finalized */
	BEACON_PERIOD,	   /* signed by a committee the store has not */
	BEACON_OLD,	   /* tells nothing that the store does not know */
	BEACON_FEW,	   /* fewer than two thirds signed */
	BEACON_EXECUTION,  /* execution block is not in the beacon block */
	BEACON_FINALITY,   /* finalized block is not in the attested state */
	BEACON_COMMITTEE,  /* committee is not in that state, or another */
	BEACON_SIGNATURE,  /* the signature is not theirs */
	BEACON_EMPTY,	   /* the store has no bootstrap yet */
	BEACON_NO_MEMORY,
	BEACON_CODES
};
/* A word of lower-case letters, never NULL: "ok", "signature". */
const char *beacon_code_text(enum beacon_code code);

/* A beacon block and the execution block it makes known. */
struct beacon_head {
	uint64_t slot;
	uint8_t root[32];
	bool has_execution; /* false: before Capella */
	/* hash of its payload; from Gloas on of the payload before it */
	uint8_t execution_hash[32];
};

struct beacon_store;
/* Copies net. NULL: no memory. */
struct beacon_store *beacon_store_new(const struct beacon_network *net);
void beacon_store_free(struct beacon_store *s); /* NULL is fine */

/*
 * Start at the block with this root, which the caller trusts: ssz is a
 * LightClientBootstrap. Whatever the store held is forgotten on BEACON_OK.
 */
DSTACK_CHECKED enum beacon_code beacon_bootstrap(struct beacon_store *s,
    const uint8_t root[32], const void *ssz, size_t len, struct why *why);
/*
 * A LightClientUpdate, a LightClientFinalityUpdate, as of time now. The store
 * is as it was unless BEACON_OK. An update is judged to its end also when it
 * brings no new head.
 */
DSTACK_CHECKED enum beacon_code beacon_update(struct beacon_store *s,
    const void *ssz, size_t len, uint64_t now, struct why *why);
DSTACK_CHECKED enum beacon_code beacon_finality(struct beacon_store *s,
    const void *ssz, size_t len, uint64_t now, struct why *why);

/* false, and out untouched: no bootstrap yet. */
bool beacon_finalized(const struct beacon_store *s, struct beacon_head *out);
/* The newest head that two thirds signed; may yet be reorganised away. */
bool beacon_attested(const struct beacon_store *s, struct beacon_head *out);
/* Committee period of the finalized head. */
uint64_t beacon_period(const struct beacon_store *s);
/* Is the committee of the period after it known? */
bool beacon_next_known(const struct beacon_store *s);

/*
 * What beacon nodes hand out, in any of its forms: JSON (one object, or a
 * list of them), bare SSZ, and the REST API's list of SSZ, each behind its
 * length and fork digest.
 */
enum beacon_kind { BEACON_KIND_BOOTSTRAP, BEACON_KIND_UPDATE, BEACON_KIND_FINALITY };
#define BEACON_MAX_DOC (32u << 20) /* bytes */
#define BEACON_MAX_ITEMS 1024u

struct beacon_doc;
struct beacon_item {
	const uint8_t *ssz; /* the document's */
	size_t len;
};
/*
 * bytes: borrowed until beacon_doc_free. DSTACK_E_REJECTED with code
 * BEACON_FORMAT or BEACON_FORK: not such a document of this network;
 * DSTACK_E_NOMEM. *out is NULL unless DSTACK_OK; it has one item or more.
 */
DSTACK_CHECKED enum dstack_status beacon_doc_open(
    const struct beacon_network *net, enum beacon_kind kind, const void *bytes,
    size_t len, struct beacon_doc **out, enum beacon_code *code,
    struct why *why);
size_t beacon_doc_count(const struct beacon_doc *d);
struct beacon_item beacon_doc_item(const struct beacon_doc *d, size_t i);
void beacon_doc_free(struct beacon_doc *d); /* NULL is fine */

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif

#endif
