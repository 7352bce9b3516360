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
#define VERIFIER_OP_BEAT 2
#define VERIFIER_BEATS 16

/*
 * When this node signed its newest heartbeats (THREATS T20). Once one of them
 * is proven on the chain, the view is known to be no older than that moment.
 */
struct liveness {
	uint8_t node[20];
	struct {
		uint64_t anchor; /* block number it names; 0: empty */
		int64_t at;      /* CLOCK_BOOTTIME, seconds */
	} beat[VERIFIER_BEATS];
	size_t next;
	uint64_t proven; /* the highest anchor seen on the chain */
};
/*
 * Ignored unless its anchor is above all before it and above what is proven:
 * whoever says that it was signed just now could say so of an old one.
 */
void liveness_beat(struct liveness *l, uint64_t anchor, int64_t at);
/*
 * proven: anchor number of this node's heartbeat in the proven view, 0 for
 * none. DSTACK_E_MISSING: no heartbeat of this boot is proven yet, or the
 * newest that is was signed more than max seconds before now.
 */
DSTACK_CHECKED enum dstack_status liveness_check(const struct liveness *l,
    uint64_t proven, int64_t now, uint64_t max, struct why *why);

/* The view has shown this node's heartbeat with that anchor. */
void liveness_proven(struct liveness *l, uint64_t anchor);

/* What the child says. All zero means no. */
struct verifier_verdict {
	bool yes;
	enum dstack_status st; /* if not yes */
	struct why why;
	uint64_t beat;          /* anchor of this node's heartbeat, proven */
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
    const struct liveness *live, int64_t now, const void *body, size_t len,
    struct verifier_verdict *out);

#endif
