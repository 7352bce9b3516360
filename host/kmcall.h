/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A node's statements between their JSON (docs/internals.md section 2), their
 * structs (lib/protocol/statements.h) and calls of the contract (layout.h).
 * The host carries them; the guest signed them and the contract checks them.
 */
#ifndef HOST_KMCALL_H
#define HOST_KMCALL_H

#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "base/status.h"
#include "base/wr.h"
#include "crypto/secp.h"
#include "protocol/statements.h"

#define KM_QUOTE_MAX (16u * 1024)
#define KM_CT_MAX 4096u

enum km_kind {
	KM_BOOTSTRAP,
	KM_REGISTER,
	KM_ONBOARD,
	KM_HEARTBEAT,
	KM_VOLUME_ANCHOR,
};
union km_statement {
	struct stmt_bootstrap bootstrap;
	struct stmt_register reg;
	struct stmt_onboard onboard;
	struct stmt_heartbeat heartbeat;
	struct stmt_volume_anchor anchor;
};

/* The member's name in messages: "bootstrap", "register", ... */
const char *km_name(enum km_kind kind);

/*
 * Read the statement's members out of object v; every one must be there and
 * of its form. DSTACK_E_FORMAT names the member.
 */
DSTACK_CHECKED enum dstack_status km_from_json(enum km_kind kind,
    const json_t *v, union km_statement *out, struct why *why);
json_t *km_to_json(enum km_kind kind, const union km_statement *s);

/* Words 0x + 64 digits, and data of bounded length, out of a member. */
DSTACK_CHECKED enum dstack_status km_json_word(const json_t *obj,
    const char *key, uint8_t out[static 32], struct why *why);
DSTACK_CHECKED enum dstack_status km_json_bytes(const json_t *obj,
    const char *key, size_t min, size_t max, struct wr *out, struct why *why);

/* Append call data of the contract's function for this kind. */
DSTACK_CHECKED enum dstack_status km_call_bootstrap(struct wr *w,
    const struct stmt_bootstrap *s, const struct wr *sig,
    const uint8_t quote_hash[static 32]);
DSTACK_CHECKED enum dstack_status km_call_register(struct wr *w,
    const struct stmt_register *s, const uint8_t quote_hash[static 32],
    const struct wr *sig);
DSTACK_CHECKED enum dstack_status km_call_onboard(struct wr *w,
    const struct stmt_onboard *s, const struct wr *sig, const struct wr *ct);
DSTACK_CHECKED enum dstack_status km_call_heartbeat(
    struct wr *w, const struct stmt_heartbeat *s, const struct wr *sig);
DSTACK_CHECKED enum dstack_status km_call_anchor(
    struct wr *w, const struct stmt_volume_anchor *s, const struct wr *sig);

/*
 * {"onboard":{...},"sig":HEX,"ct":HEX} out of the data of an Onboarded log;
 * NULL with a reason where it is malformed.
 */
json_t *km_onboarded_json(const void *data, size_t len, struct why *why);

/*
 * The name of the contract's error if text holds its four selector bytes as
 * "0x...." hex, else NULL. For one clear line out of an RPC error.
 */
const char *km_error_name(const char *text);

#endif
