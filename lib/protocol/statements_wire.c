/* SPDX-License-Identifier: Apache-2.0 */
/* Statements as bytes between roles: fields in order, fixed length. */
#include "protocol/statements.h"

#include <string.h>

enum kind { K_U8, K_U64, K_ADDR, K_WORD };
struct field {
	enum kind kind;
	size_t at;
};

#define F(kind, type, member)                                                  \
	{                                                                      \
		kind, offsetof(struct type, member)                            \
	}
#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/*
 * One table a statement, in the order of its type string; reading and writing
 * go by the same table, so they cannot drift apart.
 */
static const struct field bootstrap[] = {
    F(K_U64, stmt_bootstrap, epoch),
    F(K_ADDR, stmt_bootstrap, xpub),
    F(K_WORD, stmt_bootstrap, seed_commit),
    F(K_WORD, stmt_bootstrap, policy_hash),
    F(K_WORD, stmt_bootstrap, anchor_hash),
    F(K_U64, stmt_bootstrap, anchor_number),
    F(K_ADDR, stmt_bootstrap, submitter),
};
static const struct field reg[] = {
    F(K_U64, stmt_register, epoch),
    F(K_ADDR, stmt_register, node),
    F(K_WORD, stmt_register, enc_key_hash),
    F(K_WORD, stmt_register, policy_hash),
    F(K_WORD, stmt_register, anchor_hash),
    F(K_U64, stmt_register, anchor_number),
    F(K_ADDR, stmt_register, submitter),
    F(K_WORD, stmt_register, nonce),
};
static const struct field onboard[] = {
    F(K_WORD, stmt_onboard, request_id),
    F(K_U64, stmt_onboard, epoch),
    F(K_WORD, stmt_onboard, seed_commit),
    F(K_WORD, stmt_onboard, ct_hash),
    F(K_WORD, stmt_onboard, platform_hash),
    F(K_U8, stmt_onboard, tcb_status),
    F(K_ADDR, stmt_onboard, payee),
};
static const struct field heartbeat[] = {
    F(K_ADDR, stmt_heartbeat, node),
    F(K_U64, stmt_heartbeat, epoch),
    F(K_WORD, stmt_heartbeat, anchor_hash),
    F(K_U64, stmt_heartbeat, anchor_number),
};
static const struct field volume_anchor[] = {
    F(K_WORD, stmt_volume_anchor, volume_id),
    F(K_U64, stmt_volume_anchor, generation),
    F(K_WORD, stmt_volume_anchor, root),
    F(K_U64, stmt_volume_anchor, epoch),
    F(K_U64, stmt_volume_anchor, anchor_number),
    F(K_WORD, stmt_volume_anchor, anchor_hash),
};

static void
put(struct wr *w, const void *s, const struct field *f, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const uint8_t *at = (const uint8_t *)s + f[i].at;
		uint64_t v;
		switch (f[i].kind) {
		case K_U8:
			wr_u8(w, *at);
			break;
		case K_U64:
			memcpy(&v, at, sizeof(v));
			wr_u64be(w, v);
			break;
		case K_ADDR:
			wr_put(w, at, 20);
			break;
		case K_WORD:
			wr_put(w, at, 32);
			break;
		}
	}
}

static enum dstack_status
get(struct rd *r, void *s, const struct field *f, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		uint8_t *at = (uint8_t *)s + f[i].at;
		enum dstack_status st = DSTACK_E_FORMAT;
		uint64_t v = 0;
		switch (f[i].kind) {
		case K_U8:
			st = rd_u8(r, at);
			break;
		case K_U64:
			st = rd_u64be(r, &v);
			memcpy(at, &v, sizeof(v));
			break;
		case K_ADDR:
			st = rd_copy(r, at, 20);
			break;
		case K_WORD:
			st = rd_copy(r, at, 32);
			break;
		}
		if (st != DSTACK_OK)
			return st;
	}
	return DSTACK_OK;
}

#define WIRE(name, fields)                                                     \
	void stmt_##name##_put(struct wr *w, const struct stmt_##name *s)      \
	{                                                                      \
		put(w, s, fields, COUNT(fields));                              \
	}                                                                      \
	enum dstack_status stmt_##name##_get(                                  \
	    struct rd *r, struct stmt_##name *s)                               \
	{                                                                      \
		memset(s, 0, sizeof(*s));                                      \
		return get(r, s, fields, COUNT(fields));                       \
	}

WIRE(bootstrap, bootstrap)
WIRE(register, reg)
WIRE(onboard, onboard)
WIRE(heartbeat, heartbeat)
WIRE(volume_anchor, volume_anchor)
