/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bootstrap messages as files, and whether one is what the chain says.
 * Inside host/join/birth.c.
 */
#ifndef HOST_BIRTH_FILE_H
#define HOST_BIRTH_FILE_H

#include <stdbool.h>
#include <stdint.h>

#include "host/base/config.h"
#include "host/chain/rpc_client.h"
#include "protocol/messages.h"

/* What the contract says of an epoch's birth. */
struct birth_record {
	uint8_t xpub[20];
	uint8_t seed_commit[32];
	uint8_t quote_hash[32];
};
/* DSTACK_E_BUSY: the epoch has no key yet. */
DSTACK_CHECKED enum dstack_status birth_record_read(struct rpc *rpc,
    const struct host_config *cfg, uint64_t epoch, struct birth_record *out,
    struct why *why);

/* Name of the file in the auditing folder. */
void birth_file_name(char out[static 64], const char *what, uint64_t epoch,
    const char *end);
/* out: msg_bootstrap_free, also after a failure. */
DSTACK_CHECKED enum dstack_status birth_file_read(int dir, uint64_t epoch,
    struct msg_bootstrap *out, struct why *why);
/* As birth_save. */
DSTACK_CHECKED enum dstack_status birth_file_write(int dir,
    const struct host_config *cfg, const void *text, size_t len,
    const struct msg_bootstrap *m, struct why *why);

/* Did the key that it names sign it, for this contract? digest: of it. */
bool birth_signed(const struct host_config *cfg,
    const struct msg_bootstrap *m, uint8_t digest[static 32]);
/* And is it the record's? */
bool birth_fits(const struct host_config *cfg, const struct msg_bootstrap *m,
    const struct birth_record *r, uint8_t digest[static 32]);
/* And is the quote of that digest? */
bool birth_quote_of(
    const struct msg_bootstrap *m, const uint8_t digest[static 32]);

#endif
