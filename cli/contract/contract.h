/* SPDX-License-Identifier: Apache-2.0 */
/* dstack contract: what its command line becomes, and its verbs. */
#ifndef CLI_CONTRACT_H
#define CLI_CONTRACT_H

#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

#include "cli/beacon/view.h"
#include "host/base/config.h"
#include "host/chain/governance.h"

/* Options, in the order of contract_parse's list. */
enum contract_option {
	O_CONFIG = 256, O_RPC, O_CONTRACT, O_KEY, O_JSON, O_OWNER, O_PAUSER,
	O_NOTICE, O_SIM, O_CT, O_CODE, O_BOOTSTRAPPER, O_EPOCH, O_TCB, O_EVAL,
	O_ROOT, O_PCK, O_EXPIRY, O_CAP, O_PLATFORMS, O_NAME, O_DIGEST, O_APP,
	O_VERSION, O_BEFORE, O_DOMAIN, O_OUT, O_CONFIRMATIONS, O_VIEW,
	O_BEACON, O_CHECKPOINT, O_FINALITY, O_MAX_AGE, O_NETCFG, O_LOG_APP, O_CALLDATA, O_MAX_FEE, O_REPLACE, O_TUPLES,
};
/* Was the option there? */
#define GIVEN(a, o) (((a)->given >> ((o) - O_CONFIG) & 1) != 0)

struct contract_args {
	uint64_t given; /* see GIVEN */
	const char *config;
	const char *rpc;
	const char *key_file;
	const char *code;
	const char *name;
	const char *domain; /* of netcfg, as the next three */
	const char *out;
	const char *log_app;
	char host_volume[CONFIG_TEXT];
	bool json;
	bool has_contract;
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
	uint64_t max_age;
	const char *view; /* NULL: not given */
	const char *beacon; /* of netcfg: a name; of show: URLs */
	struct cli_view seen; /* of show */
	char netcfg[CONFIG_TEXT + 32];
	const char *finality;
	uint8_t checkpoint[32];
	struct gov_deploy deploy;
	struct state_policy policy;
	/* the words that are no options, by the verb's kind of them */
	uint8_t hash[32];
	uint8_t who[20];
	uint8_t sig[65];
	uint64_t which;
	const char *id;
};

/* What words of its own a verb takes. */
enum contract_words {
	W_NONE,
	W_HASH,
	W_ID,      /* of an advisory: INTEL-SA-00837 */
	W_ADDRESS,
	W_VERSION, /* of an app */
	W_SIGNED,  /* 32 bytes and the signature over them */
};

struct contract_verb {
	const char *name;
	enum dstack_status (*run)(
	    struct gov *g, struct contract_args *a, struct why *why);
	enum contract_words words;
	bool sends;   /* needs a key */
	bool creates; /* needs no contract */
	/* long names, a blank between two: what it takes beside the options of
	 * all verbs, all that must be there, one of which must be there */
	const char *takes, *needs, *one_of;
	const char *help; /* what comes after its name, in lines */
};

/*
 * cli/contract/words.c: the verb of the command line, whose words are all
 * judged before anything is asked of a network. Does not return for a wrong
 * call. argv[0] is "contract"; *a has the defaults.
 */
const struct contract_verb *contract_parse(
    int argc, char **argv, struct contract_args *a);

/* cli/contract/verbs.c */
DSTACK_CHECKED enum dstack_status verb_show(
    struct gov *g, struct contract_args *a, struct why *why);
DSTACK_CHECKED enum dstack_status verb_deploy(
    struct gov *g, struct contract_args *a, struct why *why);
DSTACK_CHECKED enum dstack_status verb_open_epoch(
    struct gov *g, struct contract_args *a, struct why *why);
DSTACK_CHECKED enum dstack_status verb_close_epoch(
    struct gov *g, struct contract_args *a, struct why *why);
DSTACK_CHECKED enum dstack_status verb_propose(
    struct gov *g, struct contract_args *a, struct why *why);
DSTACK_CHECKED enum dstack_status verb_stop_app(
    struct gov *g, struct contract_args *a, struct why *why);
DSTACK_CHECKED enum dstack_status verb_pause(
    struct gov *g, struct contract_args *a, struct why *why);
DSTACK_CHECKED enum dstack_status verb_unpause(
    struct gov *g, struct contract_args *a, struct why *why);
DSTACK_CHECKED enum dstack_status verb_verify(
    struct gov *g, struct contract_args *a, struct why *why);
/*
 * cli/contract/netcfg.c: DSTACK_E_REJECTED, DSTACK_E_FORMAT: the netcfg in the
 * host volume, if one of this contract is there, is one that no guest of it
 * would take. An epoch would be opened, and paid for, for nothing.
 */
DSTACK_CHECKED enum dstack_status contract_netcfg_ok(
    const struct gov *g, const struct contract_args *a, struct why *why);
/* What guests are measured with, from the chain. */
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

/* cli/contract/call.c */
/* Send the call, which is used up, and print where it went. */
DSTACK_CHECKED enum dstack_status contract_send(const struct gov *g,
    struct abi_enc *e, const struct contract_args *a, struct why *why);
/* a->epoch, where it was not named: the last one that was opened, or next. */
DSTACK_CHECKED enum dstack_status contract_last_epoch(const struct gov *g,
    struct contract_args *a, bool next, struct why *why);
/* Takes o: JSON on standard output, or "key: value" lines. */
DSTACK_CHECKED enum dstack_status contract_print(
    json_t *o, const struct contract_args *a);

#endif
