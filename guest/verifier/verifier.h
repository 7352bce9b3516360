/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The role verifier: may this newcomer have S_e? (PROTOCOL section 5.)
 * Foreign bytes are read in a child that is forked for one request, has no
 * way to keyd and hands back one struct of fixed size.
 */
#ifndef GUEST_VERIFIER_H
#define GUEST_VERIFIER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "guest/chain/chain.h"
#include "protocol/messages.h"

#define VERIFIER_OP_ONBOARD 1

/*
 * A node whose own view is held back must not onboard: it could be shown a
 * policy of yesterday (THREATS T20). age: of the head (chain_look). max:
 * netcfg's. DSTACK_E_MISSING: older, or it cannot be told yet.
 */
DSTACK_CHECKED enum dstack_status verifier_check_age(
    uint64_t age, uint64_t max, struct why *why);

/* What the child says. All zero means no. */
struct verifier_verdict {
	bool yes;
	enum dstack_status st; /* if not yes */
	struct why why;
	uint64_t epoch;
	uint8_t request_id[32];
	uint8_t enc_pub[32];
	uint8_t platform_hash[32];
	uint8_t payee[20];
	uint8_t suite;
	uint8_t tcb_status;
};

/* Checks that need neither chain nor collateral. */
DSTACK_CHECKED enum dstack_status verifier_check_form(
    const struct msg_register *m, const struct netcfg *cfg, struct why *why);

/* The child's whole work. */
void verifier_judge(struct chain *c, const uint8_t netcfg_sha384[static 48],
    const void *body, size_t len, struct verifier_verdict *out);

#endif
