/* SPDX-License-Identifier: Apache-2.0 */
/* Parts of the replicatoor role: what both ways of joining share. */
#ifndef GUEST_REPLICATOOR_H
#define GUEST_REPLICATOOR_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/hex.h"
#include "base/rd.h"
#include "base/wr.h"
#include "dstack/dcap.h"
#include "guest/chain/chain.h"
#include "guest/base/ipc.h"
#include "guest/verifier/judge.h"
#include "guest/base/link.h"
#include "guest/base/role.h"
#include "protocol/handon.h"
#include "protocol/messages.h"

/* docs/internals.md section 1.3 */
#define KEYD_NETCFG 1
#define KEYD_NODE_KEY 2
#define KEYD_SIGN_REGISTER 3
#define KEYD_SIGN_REGISTER_TX 4
#define KEYD_OPEN 5
#define KEYD_GENERATE 6
#define KEYD_SIGN_BOOTSTRAP 7
#define KEYD_ACTIVATE 8
#define KEYD_WIPE 9
#define KEYD_PENDING 21
#define VOLUME_FORESEE 1
#define TEE_QUOTE_REGISTER 1
#define TEE_QUOTE_BOOTSTRAP 2
#define TEE_EXTEND 4

struct repl {
	struct chain chain;
	struct eip712_domain domain;
	uint8_t netcfg_sha384[48];
	uint8_t submitter[20]; /* who pays for this node's transactions */
	struct why said;       /* the last trouble that was said */
	struct handon_view view; /* that the secret came with; zero: made here */
};

/* Wait a little before the same thing is tried again. */
void repl_nap(void);
/* Log a trouble, once until another comes. */
void repl_say(struct repl *r, const struct why *why);
/* Is st something that may pass? Then say it (once) and wait a little. */
bool repl_later(struct repl *r, enum dstack_status st, const struct why *why);

/*
 * Tell lightclient that what this boot made at boottime or later is in a block
 * of that time (chain_tie). Waits until it was told, a minute at most:
 * lightclient may be down for a moment. A node that could not tell serves, and
 * onboards nobody.
 */
void repl_tie(struct repl *r, uint64_t block_time, uint64_t boottime);
/*
 * The quote that the epoch was born with: its bytes are the host's, its hash
 * and the statement in it are the chain's. Does it satisfy the same policy as
 * any joiner's? If not, the secret was not made where it should.
 */
DSTACK_CHECKED enum dstack_status repl_birth(struct repl *r, uint64_t epoch,
    const struct state_epoch *record, const struct chain_head *head,
    struct why *why);
/*
 * keyd holds a secret that came with r->view. DSTACK_OK: it is one to use, and
 * record is our view's of now. Else it is wiped; DSTACK_E_BUSY: ask anew.
 */
DSTACK_CHECKED enum dstack_status repl_handed_on(struct repl *r,
    uint64_t epoch, struct state_epoch *record, struct why *why);

DSTACK_CHECKED enum dstack_status repl_keyd(
    uint8_t op, const struct wr *q, struct wr *a, struct why *why);
DSTACK_CHECKED enum dstack_status repl_quote(uint8_t op,
    const uint8_t word[static 32], struct wr *quote, struct why *why);
DSTACK_CHECKED enum dstack_status repl_collateral(
    const struct wr *quote, struct wr *out, struct why *why);

/*
 * Make the epoch's secret and have it recorded. *done: our record is the
 * proven one (record is updated). DSTACK_OK without it: another was first.
 * before: of a replicatoor that was here before, the anchor block of the
 * statement that it had signed, which may be on its way; 0: there was none.
 */
DSTACK_CHECKED enum dstack_status repl_bootstrap(struct repl *r,
    uint64_t epoch, uint64_t before, struct state_epoch *record, bool *done,
    struct why *why);

/*
 * Ask for the epoch's secret. *done: it is in keyd, and right. DSTACK_OK
 * without it: the request ran out; ask again.
 */
DSTACK_CHECKED enum dstack_status repl_register(struct repl *r, uint64_t epoch,
    struct state_epoch *record, bool *done, struct why *why);

#endif
