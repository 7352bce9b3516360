/* SPDX-License-Identifier: Apache-2.0 */
/* dstack contract: what its command line becomes, and its verbs. */
#ifndef CLI_CONTRACT_H
#define CLI_CONTRACT_H

#include <stdbool.h>
#include <stdint.h>

#include "host/governance.h"

struct contract_args {
	const char *config;
	const char *rpc;
	const char *key_file;
	const char *code;
	const char *name;
	const char *word[2]; /* arguments that are no options */
	unsigned words;
	bool json;
	bool has_contract, has_bootstrapper, has_epoch, has_digest, has_app,
	    has_ct;
	uint8_t contract[20];
	uint8_t bootstrapper[20];
	uint8_t digest[32];
	uint8_t app_id[32];
	uint64_t epoch;
	uint64_t version;
	uint64_t not_before;
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

/* NULL: no such verb. */
const struct contract_verb *contract_verb(const char *name);

#endif
