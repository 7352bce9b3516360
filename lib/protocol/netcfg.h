/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The measured network configuration (docs/internals.md section 4). One text
 * has one meaning and one meaning has one text: netcfg_parse accepts exactly
 * what netcfg_write writes. MRCONFIGID is the SHA-384 of the text.
 */
#ifndef PROTOCOL_NETCFG_H
#define PROTOCOL_NETCFG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "base/wr.h"
#include "dstack/beacon.h"

#define NETCFG_MAX 4096 /* bytes of text */
#define NETCFG_DOMAIN_MAX 253
#define NETCFG_MAX_CONFIRMATIONS 200 /* anchors live for 256 blocks */

enum netcfg_view { NETCFG_VIEW_NONE = 0, NETCFG_VIEW_RPC, NETCFG_VIEW_BEACON };
/* Which head counts: what cannot be taken back, or what two thirds signed. */
enum netcfg_finality { NETCFG_FINALITY_NONE = 0, NETCFG_FINALIZED, NETCFG_ATTESTED };
enum netcfg_ct { NETCFG_CT_NONE = 0, NETCFG_CT_ONCHAIN, NETCFG_CT_RELAY };

struct netcfg {
	uint64_t chain_id;
	uint8_t contract[20];
	uint8_t code_hash[32];
	enum netcfg_view view;
	uint64_t confirmations; /* blocks; of a view by RPC */
	/* of a view by light client: */
	struct beacon_network beacon;
	bool beacon_own; /* its table is in netcfg; else known by its name */
	uint8_t checkpoint[32]; /* root of a finalized beacon block */
	enum netcfg_finality finality;
	/*
	 * Seconds: nobody is onboarded on an older view, and at four times
	 * this the app stops.
	 */
	uint64_t max_age;
	char tls_domain[NETCFG_DOMAIN_MAX + 1];
	enum netcfg_ct ct;
	bool log_app;
};

#define NETCFG_MAX_AGE_MIN 5 /* seconds */
#define NETCFG_MAX_AGE_MAX (90u * 24 * 3600)

/* A name that may stand as tls-domain: RFC 1123, in small letters. */
bool netcfg_domain_ok(const char *p, size_t n);
/* why names the line that is wrong. DSTACK_E_FORMAT, DSTACK_E_LIMIT. */
DSTACK_CHECKED enum dstack_status netcfg_parse(
    const void *text, size_t len, struct netcfg *out, struct why *why);
/* Appends the text. DSTACK_E_FORMAT: a value netcfg_parse would refuse. */
DSTACK_CHECKED enum dstack_status netcfg_write(
    const struct netcfg *cfg, struct wr *w, struct why *why);

#endif
