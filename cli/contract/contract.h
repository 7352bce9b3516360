/* SPDX-License-Identifier: Apache-2.0 */
/* dstack contract: what its command line becomes, and its verbs. */
#ifndef CLI_CONTRACT_H
#define CLI_CONTRACT_H

#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

#include "host/base/config.h"
#include "host/chain/governance.h"

struct contract_args {
	const char *config;
	const char *rpc;
	const char *key_file;
	const char *code;
	const char *name;
	const char *domain; /* of netcfg, as the next three */
	const char *out;
	const char *log_app;
	char host_volume[CONFIG_TEXT];
	const char *word[2]; /* arguments that are no options */
	unsigned words;
	bool json;
	bool has_contract, has_bootstrapper, has_epoch, has_digest, has_app,
	    has_ct, has_confirmations, has_tcb;
	bool calldata; /* print the call, send nothing */
	bool replace;  /* open-epoch: give up one that has no key yet */
	bool tuples;   /* show: and what is allowed */
	uint32_t max_fee_gwei; /* 0: host.env's, or the default */
	uint8_t contract[20];
	uint8_t bootstrapper[20];
	uint8_t digest[32];
	uint8_t app_id[32];
	uint64_t epoch;
	uint64_t version;
	uint64_t not_before;
	uint64_t confirmations;
	uint64_t heartbeat;
	struct gov_deploy deploy;
	struct state_policy policy;
};

struct contract_verb {
	const char *name;
	enum dstack_status (*run)(
	    struct gov *g, struct contract_args *a, struct why *why);
	unsigned words; /* arguments it takes */
	bool sends;     /* needs a key */
	bool creates;   /* needs no contract */
};

/* cli/contract/netcfg.c: what guests are measured with, from the chain. */
DSTACK_CHECKED enum dstack_status verb_netcfg(
    struct gov *g, struct contract_args *a, struct why *why);
/* cli/contract/owner.c */
DSTACK_CHECKED enum dstack_status verb_raise_floors(
    struct gov *g, struct contract_args *a, struct why *why);
DSTACK_CHECKED enum dstack_status verb_set_pauser(
    struct gov *g, struct contract_args *a, struct why *why);
DSTACK_CHECKED enum dstack_status verb_transfer_ownership(
    struct gov *g, struct contract_args *a, struct why *why);
DSTACK_CHECKED enum dstack_status verb_accept_ownership(
    struct gov *g, struct contract_args *a, struct why *why);
DSTACK_CHECKED enum dstack_status verb_purge(
    struct gov *g, struct contract_args *a, struct why *why);

/* cli/contract/lists.c */
DSTACK_CHECKED enum dstack_status verb_allow_tuple(
    struct gov *g, struct contract_args *a, struct why *why);
DSTACK_CHECKED enum dstack_status verb_deny_tuple(
    struct gov *g, struct contract_args *a, struct why *why);
DSTACK_CHECKED enum dstack_status verb_accept_advisory(
    struct gov *g, struct contract_args *a, struct why *why);
DSTACK_CHECKED enum dstack_status verb_deny_advisory(
    struct gov *g, struct contract_args *a, struct why *why);
DSTACK_CHECKED enum dstack_status verb_allow_platform(
    struct gov *g, struct contract_args *a, struct why *why);
DSTACK_CHECKED enum dstack_status verb_deny_platform(
    struct gov *g, struct contract_args *a, struct why *why);
DSTACK_CHECKED enum dstack_status verb_allow_tuple_again(
    struct gov *g, struct contract_args *a, struct why *why);
DSTACK_CHECKED enum dstack_status verb_allow_advisory_again(
    struct gov *g, struct contract_args *a, struct why *why);
DSTACK_CHECKED enum dstack_status verb_allow_platform_again(
    struct gov *g, struct contract_args *a, struct why *why);
/* What was ever listed and what it is now: [{"epoch","tuple","allowed"}]. */
DSTACK_CHECKED enum dstack_status contract_tuples(
    const struct gov *g, json_t **out, struct why *why);

/* Send the call, which is used up, and print where it went. */
DSTACK_CHECKED enum dstack_status contract_send(const struct gov *g,
    struct abi_enc *e, const struct contract_args *a, struct why *why);
/* a->epoch, where it was not named: the last one that was opened, or next. */
DSTACK_CHECKED enum dstack_status contract_last_epoch(const struct gov *g,
    struct contract_args *a, bool next, struct why *why);
/* Takes o: JSON on standard output, or "key: value" lines. */
DSTACK_CHECKED enum dstack_status contract_print(
    json_t *o, const struct contract_args *a);

/* NULL: no such verb. */
const struct contract_verb *contract_verb(const char *name);

#endif
