/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The light client's containers as SSZ has them, over borrowed bytes, and
 * their roots. Every byte of a container is read: an offset that is not the
 * one right one, a length more or less, is BEACON_FORMAT.
 */
#ifndef BEACON_SSZ_H
#define BEACON_SSZ_H

#include "base/rd.h"
#include "beacon/fork.h"

#define BEACON_HEADER_LEN 112u
#define EXEC_CAPELLA_LEN 568u /* without extra_data */
#define EXEC_DENEB_LEN 584u
#define EXEC_EXTRA_MAX 32u

struct branch {
	const uint8_t *p;
	size_t n; /* nodes */
};

struct block_header {
	uint64_t slot;
	uint64_t proposer;
	const uint8_t *parent, *state, *body; /* 32 bytes each */
};

struct lc_header {
	struct block_header beacon;
	enum exec_form form; /* of the container it was in */
	const uint8_t *exec; /* the fixed part of EXEC_CAPELLA, EXEC_DENEB */
	const uint8_t *extra;
	size_t extra_len;
	const uint8_t *hash; /* of the execution block; NULL: EXEC_NONE */
	struct branch exec_branch;
};

struct committee {
	const uint8_t *keys; /* 48 bytes each */
	const uint8_t *aggregate;
};

struct lc_bootstrap {
	struct lc_header header;
	struct committee current;
	struct branch current_branch;
	enum beacon_fork fork; /* of the header */
};

/* Update, or finality update: then next.keys is NULL. */
struct lc_update {
	struct lc_header attested;
	struct committee next;
	struct branch next_branch;
	struct lc_header finalized;
	struct branch finality_branch;
	const uint8_t *bits; /* committee / 8 bytes */
	const uint8_t *signature;
	uint64_t signature_slot;
	enum beacon_fork fork; /* of the attested header */
};

/* The fork is that of the header's own slot, and decides how it is read. */
DSTACK_CHECKED enum beacon_code ssz_bootstrap(const struct beacon_network *n,
    const void *p, size_t len, struct lc_bootstrap *out, struct why *why);
DSTACK_CHECKED enum beacon_code ssz_update(const struct beacon_network *n,
    bool finality_only, const void *p, size_t len, struct lc_update *out,
    struct why *why);

void header_root(const struct block_header *h, uint8_t out[static 32]);
void committee_root(const struct beacon_network *n, const struct committee *c,
    uint8_t out[static 32]);
/* Root of an ExecutionPayloadHeader of form (EXEC_CAPELLA or EXEC_DENEB). */
void exec_root(const struct lc_header *h, enum exec_form form,
    uint8_t out[static 32]);

/* Is it what a container has where there is nothing: LightClientHeader()? */
bool header_empty(const struct lc_header *h);
/* is_valid_light_client_header: what it says of execution is in its body. */
bool header_execution_holds(
    const struct beacon_network *n, const struct lc_header *h);

#endif
