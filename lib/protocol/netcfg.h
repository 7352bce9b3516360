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

#define NETCFG_MAX 4096 /* bytes of text */
#define NETCFG_DOMAIN_MAX 253
#define NETCFG_MAX_CONFIRMATIONS 200 /* anchors live for 256 blocks */

enum netcfg_view { NETCFG_VIEW_NONE = 0, NETCFG_VIEW_RPC, NETCFG_VIEW_BEACON };
enum netcfg_ct { NETCFG_CT_NONE = 0, NETCFG_CT_ONCHAIN, NETCFG_CT_RELAY };

struct netcfg {
	uint64_t chain_id;
	uint8_t contract[20];
	uint8_t code_hash[32];
	enum netcfg_view view;
	uint64_t confirmations; /* blocks */
	char tls_domain[NETCFG_DOMAIN_MAX + 1];
	uint64_t heartbeat; /* seconds */
	enum netcfg_ct ct;
	bool log_app;
};

#define NETCFG_HEARTBEAT_MIN 5 /* seconds */
#define NETCFG_HEARTBEAT_MAX (90u * 24 * 3600)

/* A name that may stand as tls-domain: RFC 1123, in small letters. */
bool netcfg_domain_ok(const char *p, size_t n);
/* why names the line that is wrong. DSTACK_E_FORMAT, DSTACK_E_LIMIT. */
DSTACK_CHECKED enum dstack_status netcfg_parse(
    const void *text, size_t len, struct netcfg *out, struct why *why);
/* Appends the text. DSTACK_E_FORMAT: a value netcfg_parse would refuse. */
DSTACK_CHECKED enum dstack_status netcfg_write(
    const struct netcfg *cfg, struct wr *w, struct why *why);

#endif
