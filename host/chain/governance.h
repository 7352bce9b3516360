/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The owner's side of KeyManager: deploy it, open epochs, list measurements,
 * propose apps, stop things; and read its records to show them. Each call
 * sends one transaction and returns when it is in a block.
 *
 * What is read here is the RPC endpoint's word, unless there is a proven
 * header to hold it against (struct gov). Guests prove what they use.
 */
#ifndef HOST_GOVERNANCE_H
#define HOST_GOVERNANCE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/secret.h"
#include "base/status.h"
#include "eth/abi.h"
#include "host/chain/rpc_client.h"
#include "protocol/state.h"

struct gov {
	struct rpc *rpc;            /* borrowed */
	const struct secret32 *key; /* borrowed; NULL: reading only */
	uint64_t chain_id;
	uint8_t contract[20];
	struct wr *instead; /* not NULL: what would be sent goes here */
	/*
	 * Not NULL: the contract's records are proven under this header, and
	 * its code is pinned. Borrowed. Owner and pending owner stay the
	 * RPC's word; what the code fixes (simulated TEEs, notice, ct) is
	 * told by that code.
	 */
	const struct eth_header *proven;
	uint8_t pinned[32]; /* keccak256 of the code */
};

struct gov_deploy {
	uint8_t owner[20];      /* zero: the sender */
	uint8_t pauser[20];     /* zero: nobody but the owner */
	uint64_t notice_period; /* seconds; 0 only with sim */
	bool sim;
	bool ct_onchain;
};

struct gov_deployed {
	uint8_t contract[20];
	uint8_t code_hash[32]; /* of the runtime code: netcfg's code-hash */
	uint8_t tx_hash[32];
	uint64_t block;
	uint64_t gas_used;
};

/*
 * Deploy the creation code in the file at path (hex: KeyManager.bin); path
 * NULL: KeyManager.bin as "make contracts" leaves it, found from where this
 * program lies (../contracts, then ../share/dstack). g->contract is set.
 */
DSTACK_CHECKED enum dstack_status gov_deploy(struct gov *g, const char *path,
    const struct gov_deploy *d, struct gov_deployed *out, struct why *why);

/* Open the next epoch. What its policy needs: contracts/README.md. */
DSTACK_CHECKED enum dstack_status gov_open_epoch(const struct gov *g,
    uint64_t epoch, const struct state_policy *p,
    const uint8_t bootstrapper[static 20], struct why *why);
DSTACK_CHECKED enum dstack_status gov_allow_tuple(const struct gov *g,
    uint64_t epoch, const uint8_t tuple_hash[static 32], struct why *why);
/* version 0: the last one plus 1; not_before 0: as soon as allowed. */
DSTACK_CHECKED enum dstack_status gov_propose_app(const struct gov *g,
    const uint8_t app_id[static 32], const uint8_t digest[static 32],
    const char *name, uint64_t version, uint64_t not_before, struct why *why);
/*
 * Send any call; e is used up. receipt may be NULL, and is zero where
 * g->instead took it.
 */
DSTACK_CHECKED enum dstack_status gov_send(const struct gov *g,
    struct abi_enc *e, struct rpc_receipt *receipt, struct why *why);

struct gov_view {
	uint8_t code_hash[32];
	uint8_t owner[20];
	uint8_t pending_owner[20]; /* zero: none */
	uint8_t pauser[20];
	bool sim;
	bool ct_onchain;
	uint64_t notice_period;
	struct state_head head;
	struct state_epoch epoch;  /* the current one */
	struct state_epoch latest; /* the last opened, may be the same */
	struct state_app previous; /* version 0: none */
	struct state_app app;
};
/* DSTACK_E_REJECTED: there is no such contract at g->contract. */
DSTACK_CHECKED enum dstack_status gov_read(
    const struct gov *g, struct gov_view *out, struct why *why);

DSTACK_CHECKED enum dstack_status gov_read_epoch(const struct gov *g,
    uint64_t epoch, struct state_epoch *out, struct why *why);

/* One word of the contract's storage. */
DSTACK_CHECKED enum dstack_status gov_slot(const struct gov *g,
    const uint8_t slot[static 32], uint8_t word[static 32], struct why *why);

/* What is anchored of a volume; generation 0: nothing. */
DSTACK_CHECKED enum dstack_status gov_read_volume(const struct gov *g,
    const uint8_t volume_id[static 32], struct state_volume *out,
    struct why *why);

/* Both app records, whether their time has come or not; version 0: none. */
DSTACK_CHECKED enum dstack_status gov_read_apps(const struct gov *g,
    struct state_app *previous, struct state_app *latest, struct why *why);

#endif
